"""Linear and polynomial kernels: products by NumPy's BLAS."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from molkern._arrays import checked_threads
from molkern._kernel_inputs import Matrix, Sides
from molkern._kernel_scaling import exponent_of

__all__ = ["fits_power", "products", "raised"]


def products(sides: Sides, out: Matrix, n_threads: int | None, factor: float = 1.0) -> None:
    """Write ``factor`` times the products of all pairs of rows to ``out``, shape (n, m).

    Products whose terms overflow or vanish are those of rows divided by powers of two.
    """
    x, y = sides.x, sides.y
    info = np.finfo(x.dtype)
    terms = max(1, x.shape[1])
    exponents = [0 if largest == 0 else exponent_of(largest) for largest in _largest(sides)]
    highest = sum(exponents) + terms.bit_length()
    # Small products are good to the last digit of their type, unless a factor enlarges them.
    lowest = int(info.minexp) + int(info.nmant) if factor > 1 else -math.inf
    scaled = highest >= int(info.maxexp) or lowest > sum(exponents)
    if scaled:
        with np.errstate(under="ignore"):
            x = np.ldexp(x, -exponents[0])
            y = None if y is None else np.ldexp(y, -exponents[1])
    with _blas_threads(n_threads, x.shape[0] * out.shape[1] * x.shape[1]):
        # NumPy recognises X X^T and computes one triangle.
        np.dot(x, (x if y is None else y).T, out=out)
    with np.errstate(over="ignore", under="ignore"):
        if scaled:
            mantissa, exponent = math.frexp(factor)
            out *= out.dtype.type(mantissa)
            np.ldexp(out, sum(exponents) + exponent, out=out)
        elif factor != 1:
            out *= out.dtype.type(factor)
    if scaled or not fits_power(sides, factor, 0.0, 1):
        sides.require_finite(out, "products")


def raised(sides: Sides, out: Matrix, scale: float, offset: float, degree: int) -> None:
    """Add the offset to scaled products, and raise them to a power, in place."""
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        out += out.dtype.type(offset)
        base = out.copy() if degree > 2 else out
        for _ in range(degree - 1):
            out *= base
    if not fits_power(sides, scale, offset, degree):
        sides.require_finite(out, f"powers of degree {degree}")


def fits_power(sides: Sides, scale: float, offset: float, degree: int, terms: int = 1) -> bool:
    """Whether sums of (scale x y + offset)^degree are finite for rows up to the largest values."""
    product = math.log2(max(1, sides.x.shape[1])) + sum(map(_log2, _largest(sides)))
    # Twice the larger of two terms is not below their sum.
    base = 1 + max(product + _log2(scale), _log2(offset))
    sums = math.log2(max(1, terms)) + degree * base
    return sums < int(np.finfo(sides.x.dtype).maxexp) - 1


def _largest(sides: Sides) -> tuple[float, float]:
    return sides.largest_x, sides.largest_y


def _log2(value: float) -> float:
    return math.log2(value) if value > 0 else -math.inf


@contextmanager
def _blas_threads(n_threads: int | None, work: float) -> Iterator[None]:
    """Threads of the BLAS inside the block, restored after it.

    Asking threadpoolctl takes about a millisecond: not for less than 1e7 multiply-adds.
    """
    if checked_threads(n_threads) is None or work < 1e7:
        yield
        return
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        yield
        return
    with threadpool_limits(n_threads, user_api="blas"):
        yield
