"""Kernel ridge regression of arrays on a device, through the library they belong to."""

from __future__ import annotations

import sys
from typing import Any, Self

import numpy as np

from molkern import kernels
from molkern._arrays import unmasked
from molkern._device import library_of, on_device, without_gradient
from molkern._errors import NotFittedError
from molkern._kernel_inputs import check_polynomial
from molkern._numbers import real_number
from molkern.structures import Structures, as_structures

__all__ = ["DeviceKernelRidge"]

_OF_ROWS = {"gaussian": kernels.gaussian, "laplacian": kernels.laplacian}
_OF_ATOMS = {
    "local.gaussian": kernels.local.gaussian,
    "local.polynomial": kernels.local.polynomial,
}


class DeviceKernelRidge:
    r"""Kernel ridge regression that stays on the device of its arrays.

    The kernel matrix is computed by molkern, the Cholesky factorisation and the solution by the
    library of the arrays (torch, CuPy or JAX): no array goes through the host, but for one number
    of each structure where ``normalize`` is set. The mean of the training labels is subtracted
    before the fit and added to predictions, through which no gradient flows. `KernelRidge` chooses
    ``sigma`` and ``alpha`` by cross-validation and has baselines of elements, on the host.

    Parameters
    ----------
    kernel : {"gaussian", "laplacian", "local.gaussian", "local.polynomial"}, default="gaussian"
        Local kernels are sums over pairs of atoms of equal element (`molkern.kernels.local`): X
        then has one row for each atom of ``structures``.
    sigma : float
        Width, > 0, in the unit of the features; a polynomial has none.
    alpha : float, default=1e-9
        Added to the diagonal, >= 0.
    normalize : bool, default=False
        Divide a local kernel by :math:`\sqrt{K_{AA} K_{BB}}`; kernels of rows are 1 on their
        diagonal as they are.
    degree : int, default=2
        Power of a polynomial, 1 or more.
    scale, offset : float, default=1.0 and 0.0
        Of a polynomial: > 0 and >= 0.

    Attributes
    ----------
    dual_coef_ : array of shape (n,) or (n, n_targets)
    mean_ : array
    X_fit_ : array of shape (n, n_features), or (n_atoms, n_features) for a local kernel

    Examples
    --------
    With ``X`` and ``y`` torch tensors on a device::

        model = DeviceKernelRidge(sigma=40.0).fit(X[:1000], y[:1000])
        model.predict(X[1000:])

    and with features of atoms::

        model = DeviceKernelRidge("local.gaussian", sigma=2.0).fit(X, y, structures=train)
        model.predict(X_test, structures=test)
    """

    def __init__(
        self,
        kernel: str = "gaussian",
        *,
        sigma: float | None = None,
        alpha: float = 1e-9,
        normalize: bool = False,
        degree: int = 2,
        scale: float = 1.0,
        offset: float = 0.0,
    ) -> None:
        names = (*_OF_ROWS, *_OF_ATOMS)
        if kernel not in names:
            raise ValueError(f"kernel: expected one of {names}, found {kernel!r}")
        if kernel == "local.polynomial":
            check_polynomial(degree, scale, offset)
        else:
            sigma = real_number("sigma", sigma, 0, above=True)
        self.kernel, self.sigma, self.alpha = kernel, sigma, real_number("alpha", alpha, 0)
        if not isinstance(normalize, bool):
            raise TypeError(f"normalize: expected True or False, found {normalize!r}")
        self.normalize = normalize
        self.degree, self.scale, self.offset = degree, scale, offset

    def fit(self, X: Any, y: Any, structures: Any = None) -> Self:
        """Solve for the coefficients.

        Parameters
        ----------
        X : array of shape (n, n_features), or (n_atoms, n_features) for a local kernel
            float32 or float64, C-contiguous; kept, not copied.
        y : array of shape (n,) or (n, n_targets)
            On the same device, of the same library and type.
        structures : Structures, list of ase.Atoms or of (numbers, positions), optional
            The n structures; needed for local kernels. They stay on the host.

        Raises
        ------
        TypeError
            For arrays of no known library, on the host, or of different types.
        ValueError
            For numbers of rows that differ, values that are not finite, tensors that require a
            gradient, or a matrix that is not positive definite.

        Notes
        -----
        Cost: the kernel matrix, n² numbers of memory three times, and n³ / 3 multiply-adds.
        """
        library = _library("X", X)
        batch = self._structures(structures, "fit")
        n, there = (len(X), "X has") if batch is None else (len(batch), "there are structures")
        if n == 0:
            raise ValueError("X: expected at least one structure to learn from, found none")
        if _library("y", y) is not library or y.ndim not in (1, 2) or len(y) != n:
            raise ValueError(
                f"y: expected {n} rows of {library.__name__} as {there}, found shape "
                f"{tuple(y.shape)} of {type(y).__module__}"
            )
        y = without_gradient("y", y)
        if y.dtype != X.dtype:
            raise TypeError(f"y: expected {X.dtype} as X is, found {y.dtype}")
        if not bool(library.isfinite(y).all()):
            raise ValueError("y: expected finite values, found NaN or infinity")
        mean, matrix = y.mean(0), self._matrix(X, batch)
        matrix = matrix + self.alpha * library.eye(n, **_like(matrix))
        coefficients = _solved(library, matrix, (y - mean).reshape(n, -1))
        self.mean_, self.dual_coef_ = mean, coefficients.reshape(y.shape)
        self.X_fit_, self._structures_fit = X, batch
        return self

    def predict(self, X: Any, structures: Any = None) -> Any:
        """Predictions, an array of shape (m,) or (m, n_targets) where X is.

        ``structures`` as in `fit`. To a local kernel atoms of an element that the training set
        lacks add nothing.

        Raises
        ------
        ValueError
            Before `fit`, for another number of features, or without structures that are needed.
        TypeError
            For arrays of no known library, or of another type than in `fit`.
        """
        if not hasattr(self, "dual_coef_"):
            raise NotFittedError("DeviceKernelRidge is not fitted: call fit first")
        _library("X", X)
        batch, n_features = self._structures(structures, "predict"), self.X_fit_.shape[1]
        if X.shape[1:] != (n_features,):
            raise ValueError(
                f"X: expected shape (any, {n_features}) as in fit, found {tuple(X.shape)}"
            )
        if X.dtype != self.X_fit_.dtype:
            raise TypeError(f"X: expected {self.X_fit_.dtype} as in fit, found {X.dtype}")
        cross = self._matrix(X, batch, self.X_fit_, self._structures_fit)
        return cross @ self.dual_coef_ + self.mean_

    def _structures(self, structures: Any, method: str) -> Structures | None:
        """Those that go with the features of atoms; None for kernels of rows."""
        if self.kernel in _OF_ROWS:
            return None
        if structures is None:
            raise ValueError(f'kernel="{self.kernel}": {method} needs structures=, found None')
        return as_structures(structures)

    def _matrix(self, X: Any, batch: Any, Y: Any = None, batch_Y: Any = None) -> Any:
        """The kernel matrix, in the library of X; see `molkern.kernels`."""
        function: Any = (_OF_ROWS | _OF_ATOMS)[self.kernel]
        if self.kernel in _OF_ROWS:
            return function(X, Y, sigma=self.sigma)
        own: dict[str, Any] = {"sigma": self.sigma}
        if self.kernel == "local.polynomial":
            own = {"degree": self.degree, "scale": self.scale, "offset": self.offset}
        return function(X, batch, Y, batch_Y, normalize=self.normalize, **own)


def _library(name: str, array: Any) -> Any:
    """The module whose arrays these are, with NumPy's names."""
    if isinstance(array, np.ndarray):
        unmasked(name, array)
    library = library_of(array)
    if not library:
        raise TypeError(
            f"{name}: expected an array of torch, CuPy or JAX, found {type(array).__name__}"
            + ("; torch.from_dlpack makes a tensor of it" if on_device(array) else "")
        )
    if not on_device(array):
        raise TypeError(f"{name}: expected an array on a device, found one on the host")
    return sys.modules["jax.numpy" if library == "jax" else library]


def _like(matrix: Any) -> dict[str, Any]:
    """What an array beside this one is made with."""
    if library_of(matrix) == "torch":
        return {"dtype": matrix.dtype, "device": matrix.device}
    return {"dtype": matrix.dtype}


def _why_not(library: Any, matrix: Any) -> str:
    """Why a matrix has no Cholesky factors."""
    if not bool(library.isfinite(matrix).all()):
        return "X: expected finite features, found NaN or infinity"
    return "the kernel matrix is not positive definite: a larger alpha?"


def _solved(library: Any, matrix: Any, y: Any) -> Any:
    """The solution of a symmetric positive definite system, by Cholesky."""
    singular = getattr(library.linalg, "LinAlgError", np.linalg.LinAlgError)
    try:
        lower = library.linalg.cholesky(matrix)
    except singular as error:
        raise ValueError(f"{_why_not(library, matrix)} ({error})") from error
    if not bool(library.isfinite(lower).all()):
        raise ValueError(_why_not(library, matrix))
    name = library.__name__.partition(".")[0]
    if name == "torch":
        return library.cholesky_solve(y, lower)
    if name == "cupy":
        from cupyx.scipy.linalg import solve_triangular
    else:
        from jax.scipy.linalg import solve_triangular
    half = solve_triangular(lower, y, lower=True)
    return solve_triangular(lower.T, half, lower=False)
