"""What the kernels check and prepare before they compute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern._arrays import checked_out, require_bytes, unmasked
from molkern._device import on_device
from molkern._numbers import real_number, real_numbers, whole_number

Matrix = npt.NDArray[Any]
Sigma = float | Sequence[float] | npt.NDArray[Any]


@dataclass(slots=True)
class Sides:
    """Checked rows of a kernel matrix and of its columns.

    Attributes
    ----------
    x : ndarray, shape (n, n_features)
    y : ndarray, shape (m, n_features), or None
        None if the columns are the rows.
    largest_x, largest_y : float
        The largest absolute value of each; that of y is that of x if there is none.
    """

    x: Matrix
    y: Matrix | None
    largest_x: float
    largest_y: float

    @property
    def largest(self) -> float:
        """The largest absolute value of both."""
        return max(self.largest_x, self.largest_y)

    def divided(self, exponent: int) -> tuple[Matrix, Matrix | None]:
        """Both, divided by 2 to a power; as they are for 0."""
        if exponent == 0:
            return self.x, self.y
        with np.errstate(under="ignore"):
            return (
                np.ldexp(self.x, -exponent),
                None if self.y is None else np.ldexp(self.y, -exponent),
            )

    def require_finite(self, result: Matrix, what: str) -> None:
        """Raise ValueError for a result that overflowed, naming the largest value."""
        if not np.isfinite(result).all():
            name = "X" if self.largest_x >= self.largest_y else "Y"
            raise ValueError(
                f"{name}: {what} overflow {result.dtype}, found values up to {self.largest:g}"
            )


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


def largest_of(array: Matrix) -> float | None:
    """The largest absolute value; None if some are not finite."""
    if not array.size:
        return 0.0
    # NaN fails every comparison; two passes without a temporary.
    least, most = float(array.min()), float(array.max())
    return max(-least, most) if least > -np.inf and most < np.inf else None


def features(name: str, values: npt.ArrayLike) -> tuple[Matrix, float]:
    """A matrix of finite numbers, and the largest absolute value."""
    array = matrix(name, values)
    largest = largest_of(array)
    if largest is None:
        row = int(np.argmin(np.isfinite(array).all(axis=1)))
        raise ValueError(f"{name}: expected finite values, found NaN or infinity in row {row}")
    return array, largest


def rows(X: npt.ArrayLike, Y: npt.ArrayLike | None) -> Sides:
    """X and Y as matrices of one type; None for Y if it is X."""
    x, largest_x = features("X", X)
    if Y is None or Y is X:
        return Sides(x, None, largest_x, largest_x)
    y, largest_y = features("Y", Y)
    check_alike(x, y)
    return Sides(x, y, largest_x, largest_y)


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


def widths(sigma: Sigma) -> tuple[npt.NDArray[np.float64], bool]:
    """Widths, and whether it was a single one."""
    found = real_numbers("sigma", sigma, "a number or a sequence of them")
    if found.ndim > 1 or found.size == 0:
        raise ValueError(f"sigma: expected a number, or a sequence of one or more, found {sigma!r}")
    if not (np.isfinite(found) & (found > 0)).all():
        raise ValueError(f"sigma: expected positive widths, found {sigma!r}")
    return np.atleast_1d(found), found.ndim == 0


def scales(sigma: Sigma, dtype: Any, scale: Callable[[Any], Any]) -> tuple[Matrix, bool]:
    """What distances are multiplied by for each width, and whether it was a single one."""
    found, single = widths(sigma)
    with np.errstate(over="ignore", divide="ignore", under="ignore"):
        factors = scale(found).astype(dtype)
    require_range(sigma, factors)
    return factors, single


def require_range(sigma: Sigma, factors: Matrix) -> None:
    """Raise unless all factors made of widths are positive and finite."""
    if not (np.isfinite(factors) & (factors > 0)).all():
        raise ValueError(f"sigma: {sigma!r} is out of the range of {factors.dtype}")


def result(
    out: Matrix | None, sides: Sides, n_copies: int, n_sigma: int | None, what: str
) -> tuple[Matrix, Matrix]:
    """The result, and a view of it with the leading axis of widths."""
    x, y = sides.x, sides.y
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
