"""Powers of two that keep the squares and sums of a kernel within the range of its type.

Features beyond 1e154 (float32: 1e19) have squares that overflow, and squares of features below
1e-160 (1e-22) vanish. Features and widths are then divided by one power of two, which is exact, so
that the result is that of a type with a wider range. Other features are left alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern._kernel_inputs import Matrix, Sides

__all__ = [
    "Limits",
    "centered",
    "divided_distances",
    "exponent_of",
    "for_euclidean",
    "for_gaussian",
    "for_laplacian",
    "for_manhattan",
    "for_means",
    "gaussian_factors",
    "restore",
    "shift",
    "square_limits",
]

Widths = npt.NDArray[np.float64]

# Beyond the exponents of any type.
_FAR = 10**6


@dataclass(frozen=True)
class Limits:
    """Exponents of two between which a computation neither overflows nor loses digits.

    Attributes
    ----------
    highest : int
        The largest absolute value is below 2 to this power.
    lowest : int
        Unless it is 0, it is not below 2 to this power.
    narrowest : int
        The narrowest width is not below 2 to this power.
    widest : int
        The widest one is below 2 to this power.
    """

    highest: int
    lowest: int
    narrowest: int
    widest: int


@lru_cache
def square_limits(dtype: np.dtype[Any], n_features: int) -> Limits:
    """For squared distances |x|² + |y|² - 2 xy between rows, and 1 / (2 sigma²)."""
    info = np.finfo(dtype)
    most, least, digits = int(info.maxexp), int(info.minexp), int(info.nmant)
    # Centered values are up to twice as large, and a squared distance is up to four norms.
    highest = (most - 1 - _bits(16 * n_features)) // 2
    # The rounding error of the largest square is then a normal number.
    lowest = (least + digits) // 2
    return Limits(highest, lowest, 2 - most // 2, most // 2 - 2)


@lru_cache
def sum_limits(dtype: np.dtype[Any], n_features: int) -> Limits:
    """For sums of absolute differences, which lose no digits where they are small; 1 / sigma."""
    info = np.finfo(dtype)
    most, least = int(info.maxexp), int(info.minexp)
    return Limits(most - 1 - _bits(2 * n_features), -_FAR, least + 1, -least)


def shift(largest: float, limits: Limits, widths: Widths | None = None) -> int:
    """The power of two to divide by: of those that keep all in range the nearest to 0.

    Where there is none, values do not overflow. Then either a kernel is so narrow that only equal
    rows are similar, or so wide that all are.
    """
    least, most = -_FAR, _FAR
    if largest > 0:
        least = exponent_of(largest) - limits.highest
        most = exponent_of(largest) - 1 - limits.lowest
    if widths is not None:
        found = widths.tolist()  # few numbers, for which NumPy takes longer
        most = min(most, exponent_of(min(found)) - 1 - limits.narrowest)
        least = max(least, min(most, exponent_of(max(found)) - limits.widest))
    return max(least, min(0, most))


def exponent_of(value: float) -> int:
    """The smallest power of two above a positive number."""
    return math.frexp(value)[1]


def for_gaussian(
    sides: Sides, n_copies: int, widths: Widths
) -> tuple[Matrix, Matrix | None, Matrix]:
    """Centered rows, and what their squared distances are multiplied by for each width."""
    x, y, exponent = _for_squares(sides, n_copies, widths)
    return x, y, gaussian_factors(widths, exponent, sides.x.dtype)


def for_euclidean(sides: Sides) -> tuple[Matrix, Matrix | None, int]:
    """Centered rows, divided by 2 to the power that is returned with them."""
    return _for_squares(sides, 1, None)


def for_laplacian(sides: Sides, widths: Widths, sigma: Any) -> tuple[Matrix, Matrix | None, Matrix]:
    """Rows, and what their distances are multiplied by for each width."""
    limits = sum_limits(sides.x.dtype, sides.x.shape[1])
    exponent = shift(sides.largest, limits, widths)
    with np.errstate(over="ignore", divide="ignore", under="ignore"):
        scaled = np.ldexp(widths, -exponent) if exponent else widths
        factors = (1.0 / scaled).astype(sides.x.dtype)
    if math.inf in factors.tolist():
        raise ValueError(
            f"sigma: {sigma!r} is out of the range of {sides.x.dtype} beside features up to "
            f"{sides.largest:g}"
        )
    return *sides.divided(exponent), factors


def for_manhattan(sides: Sides) -> tuple[Matrix, Matrix | None, int]:
    """Rows, divided by 2 to the power that is returned with them."""
    exponent = shift(sides.largest, sum_limits(sides.x.dtype, sides.x.shape[1]))
    return *sides.divided(exponent), exponent


def divided_distances(
    distances: Matrix, squared: bool, width: float, out: Matrix
) -> tuple[Matrix, float]:
    """Distances, and what they, or their squares, are multiplied by for a width.

    An ordinary width leaves them alone: a distance whose square overflows or vanishes then has the
    similarity 0 or 1. Else they are divided by a power of two, into ``out``.
    """
    dtype = distances.dtype
    limits = square_limits(dtype, 1) if squared else sum_limits(dtype, 1)
    exponent = exponent_of(width)
    if abs(exponent) > -limits.narrowest - 8:
        with np.errstate(over="ignore", under="ignore"):
            np.ldexp(distances, -exponent, out=out)
        distances = out
        width = math.ldexp(width, -exponent)
    factor = 0.5 / (width * width) if squared else 1.0 / width
    return distances, float(dtype.type(factor))


def gaussian_factors(widths: Widths, exponent: int, dtype: npt.DTypeLike) -> Matrix:
    """1 / (2 sigma²) for widths divided by 2 to a power."""
    with np.errstate(over="ignore", divide="ignore", under="ignore"):
        scaled = np.ldexp(widths, -exponent) if exponent else widths
        factors: Matrix = (0.5 / scaled**2).astype(dtype)
    if math.inf in factors.tolist():
        # Such narrow kernels are 1 for equal rows alone, and infinity times 0 would be NaN.
        factors = np.minimum(factors, np.finfo(factors.dtype).max)
    return factors


def restore(result: Matrix, exponent: int, sides: Sides, what: str) -> None:
    """Multiply by 2 to a power, in place; raise ValueError if the type cannot hold the result."""
    if exponent == 0:
        return
    with np.errstate(over="ignore", under="ignore"):
        np.ldexp(result, exponent, out=result)
    sides.require_finite(result, what)


def centered(x: Matrix, y: Matrix | None, n_copies: int) -> tuple[Matrix, Matrix | None]:
    """Rows minus the column means of ``y``, else ``x``; all copies of a row minus the same.

    Distances do not change, but their rounding shrinks with the norms.
    """
    reference = x if y is None else y
    if reference.size == 0:
        return x, y
    n_features = reference.shape[1] // n_copies
    center = np.tile(reference.reshape(-1, n_features).mean(axis=0), n_copies)
    return x - center, None if y is None else y - center


def _for_squares(
    sides: Sides, n_copies: int, widths: Widths | None
) -> tuple[Matrix, Matrix | None, int]:
    limits = square_limits(sides.x.dtype, sides.x.shape[1])
    if shift(sides.largest, limits, widths) == 0:
        x, y = centered(sides.x, sides.y, n_copies)
        # A row that is not the mean of all tells that squares do not vanish.
        small = 2.0**limits.lowest
        if x.size == 0 or x[0].max() >= small or x[0].min() <= -small:
            return x, y, 0
        exponent = 0
    else:
        reference = sides.x if sides.y is None else sides.y
        exponent = for_means(sides.largest, reference.size, reference.dtype)
        x, y = centered(*sides.divided(exponent), n_copies)
    largest = max(_largest(x), 0.0 if y is None else _largest(y))
    if largest == 0:
        return x, y, exponent
    scaled = None if widths is None else np.ldexp(widths, -exponent)
    more = shift(largest, limits, scaled)
    if more != 0:
        with np.errstate(under="ignore"):
            x, y = np.ldexp(x, -more), None if y is None else np.ldexp(y, -more)
    return x, y, exponent + more


def for_means(largest: float, n: int, dtype: np.dtype[Any]) -> int:
    """The power of two to divide by so that neither sums of n values overflow nor differences."""
    highest = int(np.finfo(dtype).maxexp) - 1
    return max(0, exponent_of(largest) + _bits(n) - highest)


def _largest(array: Matrix) -> float:
    return max(float(array.max()), -float(array.min())) if array.size else 0.0


def _bits(count: int) -> int:
    return max(count, 1).bit_length()
