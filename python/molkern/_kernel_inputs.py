"""What the kernels check and prepare before they compute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern._arrays import checked_out, require_bytes, unmasked
from molkern._device import on_device
from molkern._numbers import real_number, real_numbers, whole_number

Matrix = npt.NDArray[Any]
Sigma = float | Sequence[float] | npt.NDArray[Any]


def centred(x: Matrix, y: Matrix | None, n_copies: int) -> tuple[Matrix, Matrix | None]:
    """Rows minus the column means of ``y``, else ``x``; all copies of a row minus the same.

    Distances do not change, but their rounding shrinks with the norms.
    """
    reference = x if y is None else y
    if reference.size == 0:
        return x, y
    n_features = reference.shape[1] // n_copies
    centre = np.tile(reference.reshape(-1, n_features).mean(axis=0), n_copies)
    return x - centre, None if y is None else y - centre


def matrix(name: str, values: npt.ArrayLike) -> Matrix:
    """A C-contiguous matrix of float64 or float32; other real numbers become float64."""
    if on_device(values):
        raise ValueError(
            f"{name}: this is computed on the host only, found an array on a device: copy it first"
        )
    values = unmasked(name, values)
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise TypeError(f"{name}: expected real numbers of shape (n, n_features)") from error
    if array.dtype not in (np.float32, np.float64):
        if array.dtype.kind not in "iuf":
            raise TypeError(f"{name}: expected real numbers, found {array.dtype}")
        array = array.astype(np.float64)
    if array.ndim != 2:
        raise ValueError(f"{name}: expected two dimensions, found shape {array.shape}")
    return np.require(array, requirements=["C", "A"])


def features(name: str, values: npt.ArrayLike) -> Matrix:
    """A matrix of finite numbers."""
    array = matrix(name, values)
    # NaN fails every comparison; two passes without a temporary.
    if array.size and not (array.min() > -np.inf and array.max() < np.inf):
        row = int(np.argmin(np.isfinite(array).all(axis=1)))
        raise ValueError(f"{name}: expected finite values, found NaN or infinity in row {row}")
    return array


def rows(X: npt.ArrayLike, Y: npt.ArrayLike | None) -> tuple[Matrix, Matrix | None]:
    """X and Y as matrices of one type; None for Y if it is X."""
    x = features("X", X)
    if Y is None or Y is X:
        return x, None
    y = features("Y", Y)
    check_alike(x, y)
    return x, y


def check_alike(x: Matrix, y: Matrix) -> None:
    """Raise unless Y has the columns and the type of X."""
    if y.shape[1] != x.shape[1]:
        raise ValueError(f"Y: expected {x.shape[1]} columns as X has, found {y.shape[1]}")
    if y.dtype != x.dtype:
        raise TypeError(f"Y: expected {x.dtype} as X is, found {y.dtype}")


def check_polynomial(degree: Any, scale: Any, offset: Any) -> None:
    """Raise for parameters with which a polynomial kernel is not positive semidefinite."""
    whole_number("degree", degree, 1, 2**31 - 1)
    real_number("scale", scale, 0, above=True)
    real_number("offset", offset, 0)


def scales(sigma: Sigma, dtype: Any, scale: Callable[[Any], Any]) -> tuple[Matrix, bool]:
    """What distances are multiplied by for each width, and whether it was a single one."""
    widths = real_numbers("sigma", sigma, "a number or a sequence of them")
    if widths.ndim > 1 or widths.size == 0:
        raise ValueError(f"sigma: expected a number, or a sequence of one or more, found {sigma!r}")
    if not (np.isfinite(widths) & (widths > 0)).all():
        raise ValueError(f"sigma: expected positive widths, found {sigma!r}")
    with np.errstate(over="ignore", divide="ignore", under="ignore"):
        factors = np.atleast_1d(scale(widths)).astype(dtype)
    if not (np.isfinite(factors) & (factors > 0)).all():
        raise ValueError(f"sigma: {sigma!r} is out of the range of {np.dtype(dtype)}")
    return factors, widths.ndim == 0


def result(
    out: Matrix | None,
    x: Matrix,
    y: Matrix | None,
    n_copies: int,
    n_sigma: int | None,
    what: str,
) -> tuple[Matrix, Matrix]:
    """The result, and a view of it with the leading axis of widths."""
    if x.shape[1] % whole_number("n_copies", n_copies, 1):
        raise ValueError(f"n_copies: {x.shape[1]} columns are not {n_copies} copies side by side")
    shape: tuple[int, ...] = (x.shape[0], (x if y is None else y).shape[0])
    if n_sigma is not None:
        shape = (n_sigma, *shape)
    if out is None:
        require_bytes(shape, x.dtype, what)
        out = np.empty(shape, x.dtype)
    else:
        checked_out(out, shape, x.dtype)
        if any(np.may_share_memory(out, a) for a in (x, y) if a is not None):
            raise ValueError("out: shares memory with X or Y")
    return out, out.reshape((1 if n_sigma is None else n_sigma, *shape[-2:]))
