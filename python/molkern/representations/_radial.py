"""Orthonormal polynomial radial functions, and integrals of Gaussians with them as tables."""

from __future__ import annotations

import decimal
import functools
import math

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

# Pieces of a table are polynomials of this degree, on intervals of this fraction of sigma: relative
# to the largest value the error is below 1e-12.
_DEGREE = 7
_SPACING = 0.2
# Up to here i_l is summed as a series, beyond it from its closed form.
_SERIES_END = 50.0


def _inverse(matrix: list[list[decimal.Decimal]]) -> list[list[decimal.Decimal]]:
    """Gauss-Jordan; positive definite matrices need no pivots."""
    n = len(matrix)
    rows = [
        [*row, *(decimal.Decimal(int(i == k)) for k in range(n))] for i, row in enumerate(matrix)
    ]
    for i in range(n):
        pivot = rows[i][i]
        rows[i] = [value / pivot for value in rows[i]]
        for k in range(n):
            if k != i:
                factor = rows[k][i]
                rows[k] = [a - factor * b for a, b in zip(rows[k], rows[i], strict=True)]
    return [row[n:] for row in rows]


def _inverse_square_root(matrix: list[list[decimal.Decimal]]) -> list[list[decimal.Decimal]]:
    """Of a positive definite matrix, by the iteration of Denman and Beavers (1976)."""
    n = len(matrix)
    y, z = matrix, [[decimal.Decimal(int(i == k)) for k in range(n)] for i in range(n)]
    while True:
        y_inverse, z_inverse = _inverse(y), _inverse(z)
        y = [
            [(a + b) / 2 for a, b in zip(*rows, strict=True)]
            for rows in zip(y, z_inverse, strict=True)
        ]
        new = [
            [(a + b) / 2 for a, b in zip(*rows, strict=True)]
            for rows in zip(z, y_inverse, strict=True)
        ]
        change = max(abs(new[i][k] - z[i][k]) for i in range(n) for k in range(n))
        z = new
        if change <= max(abs(z[i][i]) for i in range(n)) * decimal.Decimal(10) ** -20:
            return z


@functools.lru_cache(maxsize=16)
def polynomials(r_cut: float, n_max: int, n_points: int) -> tuple[Array, Array, Array]:
    """Points and weights of a quadrature on (0, r_cut), and orthonormal functions there.

    The functions are combinations of (r_cut - r)^(n + 2), n = 1 ... n_max, orthonormalised by
    Löwdin's method with weight r². Their overlap has a condition number of 1e18 and more: hence
    decimal numbers of many digits.

    Returns
    -------
    points, weights : ndarray, shape (n_points,)
    functions : ndarray, shape (n_max, n_points)
    """
    points, weights = np.polynomial.legendre.leggauss(n_points)
    points, weights = (points + 1) * (r_cut / 2), weights * (r_cut / 2)
    with decimal.localcontext() as context:
        context.prec = 50 + 6 * n_max
        end = decimal.Decimal(r_cut)
        orders = range(1, n_max + 1)
        overlap = [
            [2 * end ** (7 + n + k) / ((5 + n + k) * (6 + n + k) * (7 + n + k)) for k in orders]
            for n in orders
        ]
        matrix = _inverse_square_root(overlap)
        functions = np.empty((n_max, n_points))
        for i, point in enumerate(points.tolist()):
            powers = [(end - decimal.Decimal(point)) ** (n + 2) for n in orders]
            for n, row in enumerate(matrix):
                functions[n, i] = sum(a * b for a, b in zip(row, powers, strict=True))
    return points, weights, functions


def _bessel(degree: int, x: Array) -> Array:
    """exp(-x) i_l(x) / x^l, with the modified spherical Bessel function of the first kind."""
    result = np.empty_like(x)
    small = x <= _SERIES_END
    square = x[small] ** 2 / 2
    term = np.exp(-x[small]) / math.prod(range(1, 2 * degree + 2, 2))
    total = term.copy()
    for k in range(1, 120):
        term = term * square / (k * (2 * degree + 2 * k + 1))
        total += term
    result[small] = total
    large = x[~small]
    total = np.zeros_like(large)
    for k in range(degree + 1):
        factor = math.comb(degree, k) * math.perm(degree + k, k)
        total += (-1) ** k * factor / (2 * large) ** k
    # The rest of the closed form is smaller by exp(-100).
    result[~small] = total / (2 * large) / large**degree
    return result


def radial_table(
    r_cut: float, n_max: int, l_max: int, sigma: float, reach: float
) -> tuple[Array, float]:
    """Integrals of a Gaussian at r with the radial functions, divided by r^l, as a table.

    Returns
    -------
    table : ndarray, shape (n_intervals, 8, l_max + 1, n_max)
        Coefficients of t^0 ... t^7 on each interval, where t goes from -1 to 1.
    spacing : float
        Length of an interval, Å.
    """
    n_intervals = math.ceil(reach / (_SPACING * sigma))
    spacing = reach / n_intervals
    nodes = np.cos(np.pi * (np.arange(_DEGREE + 1) + 0.5) / (_DEGREE + 1))
    r = ((np.arange(n_intervals)[:, None] + (nodes + 1) / 2) * spacing).reshape(-1, 1)
    points, weights, functions = polynomials(r_cut, n_max, 60 + math.ceil(20 * r_cut / sigma))
    a = 0.5 / sigma**2
    gaussian = np.exp(-a * (points - r) ** 2)
    values = np.empty((l_max + 1, len(r), n_max))
    for degree in range(l_max + 1):
        density = gaussian * _bessel(degree, 2 * a * r * points) * (2 * a * points) ** degree
        values[degree] = density @ (4 * np.pi * weights * points**2 * functions).T
    pieces = values.reshape(l_max + 1, n_intervals, _DEGREE + 1, n_max)
    powers = np.linalg.inv(np.vander(nodes, increasing=True))
    return np.ascontiguousarray(np.einsum("dk,likn->idln", powers, pieces)), spacing
