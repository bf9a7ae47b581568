"""Kernel ridge regression of arrays on a device, through the library they belong to."""

from __future__ import annotations

import sys
from typing import Any, Self

from molkern import kernels
from molkern._device import library_of
from molkern._errors import NotFittedError
from molkern._numbers import real_number

__all__ = ["DeviceKernelRidge"]

_KERNELS = {"gaussian": kernels.gaussian, "laplacian": kernels.laplacian}


class DeviceKernelRidge:
    r"""Kernel ridge regression that stays on the device of its arrays.

    The kernel matrix is computed by molkern, the Cholesky factorisation and the solution by the
    library of the arrays (torch, CuPy or JAX): nothing goes through the host. The mean of the
    training labels is subtracted before the fit and added to predictions. `KernelRidge` chooses
    ``sigma`` and ``alpha`` by cross-validation, on the host.

    Parameters
    ----------
    kernel : {"gaussian", "laplacian"}, default="gaussian"
    sigma : float
        Width, > 0, in the unit of the features.
    alpha : float, default=1e-9
        Added to the diagonal, >= 0.

    Attributes
    ----------
    dual_coef_ : array of shape (n,) or (n, n_targets)
    mean_ : array

    Examples
    --------
    With ``X`` and ``y`` torch tensors on a device::

        model = DeviceKernelRidge(sigma=40.0).fit(X[:1000], y[:1000])
        model.predict(X[1000:])
    """

    def __init__(self, kernel: str = "gaussian", *, sigma: float, alpha: float = 1e-9) -> None:
        if kernel not in _KERNELS:
            raise ValueError(f'kernel: expected "gaussian" or "laplacian", found {kernel!r}')
        self.kernel = kernel
        self.sigma = real_number("sigma", sigma, 0, above=True)
        self.alpha = real_number("alpha", alpha, 0)

    def fit(self, X: Any, y: Any) -> Self:
        """Solve for the coefficients.

        Parameters
        ----------
        X : array of shape (n, n_features), float32 or float64, C-contiguous
        y : array of shape (n,) or (n, n_targets)
            On the same device, of the same library and type.

        Raises
        ------
        TypeError
            For arrays of no known library.
        ValueError
            For numbers of rows that differ, or a matrix that is not positive definite.

        Notes
        -----
        Cost: the kernel matrix, n² numbers of memory twice, and n³ / 3 multiply-adds.
        """
        library = _library("X", X)
        if _library("y", y) is not library or len(y) != len(X):
            raise ValueError(
                f"y: expected {len(X)} rows of {library.__name__} as X has, found {len(y)} of "
                f"{type(y).__module__}"
            )
        self.mean_ = y.mean(0)
        matrix: Any = _KERNELS[self.kernel](X, sigma=self.sigma)
        matrix = matrix + self.alpha * library.eye(len(X), **_like(matrix))
        self.dual_coef_ = _solved(library, matrix, (y - self.mean_).reshape(len(X), -1))
        self.dual_coef_ = self.dual_coef_.reshape(y.shape)
        self.X_fit_ = X
        return self

    def predict(self, X: Any) -> Any:
        """Predictions, an array of shape (m,) or (m, n_targets) where X is."""
        if not hasattr(self, "dual_coef_"):
            raise NotFittedError("DeviceKernelRidge is not fitted: call fit first")
        return (
            _KERNELS[self.kernel](X, self.X_fit_, sigma=self.sigma) @ self.dual_coef_ + self.mean_
        )


def _library(name: str, array: Any) -> Any:
    """The module whose arrays these are, with NumPy's names."""
    library = library_of(array)
    if not library:
        raise TypeError(
            f"{name}: expected an array of torch, CuPy or JAX, found {type(array).__name__}"
        )
    return sys.modules["jax.numpy" if library == "jax" else library]


def _like(matrix: Any) -> dict[str, Any]:
    """What an array beside this one is made with."""
    if library_of(matrix) == "torch":
        return {"dtype": matrix.dtype, "device": matrix.device}
    return {"dtype": matrix.dtype}


def _solved(library: Any, matrix: Any, y: Any) -> Any:
    """The solution of a symmetric positive definite system, by Cholesky."""
    try:
        lower = library.linalg.cholesky(matrix)
    except Exception as error:  # every library has its own
        raise ValueError(
            f"the kernel matrix is not positive definite: a larger alpha? ({error})"
        ) from error
    if not bool(library.isfinite(lower).all()):
        raise ValueError("the kernel matrix is not positive definite: a larger alpha?")
    name = library.__name__.partition(".")[0]
    if name == "torch":
        return library.cholesky_solve(y, lower)
    if name == "cupy":
        from cupyx.scipy.linalg import solve_triangular
    else:
        from jax.scipy.linalg import solve_triangular
    half = solve_triangular(lower, y, lower=True)
    return solve_triangular(lower.T, half, lower=False)
