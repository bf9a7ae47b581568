"""Orthonormal radial functions of SOAP, and integrals of Gaussians with them."""

from __future__ import annotations

import decimal
import functools
import math
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
# Of decimal numbers.
Decimals = npt.NDArray[Any]

# The value to which a radial function decays at its radius, and a Gaussian where it is left out.
THRESHOLD = 1e-3
# Pieces of a table are polynomials of this degree, on intervals of this fraction of sigma: relative
# to the largest value the error is below 1e-12 (l_max up to 10; 1e-10 up to 30).
_DEGREE = 7
_SPACING = 0.2
# Up to here, or l²/3, i_l is summed as a series; beyond it from its closed form, whose terms cancel
# to exp(-l²/x) of the largest.
_SERIES_END = 50.0
# Of an interval of pi, until it is as short as a rounding error.
_HALVINGS = 52


def _decimals(values: npt.ArrayLike) -> Decimals:
    array = np.asarray(values, dtype=float)
    numbers = [decimal.Decimal(value) for value in array.ravel().tolist()]
    result = np.empty(array.size, dtype=object)
    result[:] = numbers
    return result.reshape(array.shape)


def _inverse(matrix: Decimals) -> tuple[Decimals, decimal.Decimal]:
    """And the determinant. Gauss-Jordan; positive definite matrices need no pivots."""
    n = len(matrix)
    rows = np.hstack([matrix, _decimals(np.eye(n))])
    determinant = decimal.Decimal(1)
    for i in range(n):
        pivot = rows[i, i]
        determinant *= pivot
        rows[i] = rows[i] / pivot
        factors = rows[:, i].copy()
        factors[i] = decimal.Decimal(0)
        rows = rows - factors[:, None] * rows[i]
    return rows[:, n:], determinant


def _inverse_square_root(matrix: Decimals) -> Decimals:
    """Of a positive definite matrix: Denman and Beavers (1976), scaled by determinants."""
    half = decimal.Decimal("0.5")
    y, z = matrix, _decimals(np.eye(len(matrix)))
    while True:
        (y_inverse, of_y), (z_inverse, of_z) = _inverse(y), _inverse(z)
        scale = (of_y * of_z) ** (-half / len(matrix))
        y = (y * scale + z_inverse / scale) * half
        new: Decimals = (z * scale + y_inverse / scale) * half
        change = np.max(np.abs(new - z))
        z = new
        if change <= np.max(np.abs(z)) * decimal.Decimal(10) ** -20:
            return z


@functools.lru_cache(maxsize=64)
def gaussian_type(r_cut: float, n_max: int, degree: int) -> tuple[Array, Array | None]:
    """Exponents alpha of r^l exp(-alpha r²), and Löwdin's matrix that orthonormalises them.

    The overlap has a condition number up to 1e14: in float64 its inverse square root would have
    lost as many digits, hence decimal numbers. None for a matrix that is singular in float64, whose
    functions would still lose half of the digits.
    """
    radii = np.linspace(1.0, r_cut, n_max)
    alpha = (degree * np.log(radii) - math.log(THRESHOLD)) / radii**2
    values = np.linalg.eigvalsh(np.add.outer(alpha, alpha) ** -(degree + 1.5))
    if values[0] <= n_max * np.finfo(float).eps * values[-1]:
        return alpha, None
    with decimal.localcontext() as context:
        context.prec = 50 + 6 * n_max
        exact = _decimals(alpha)
        sums = np.add.outer(exact, exact)
        roots = np.frompyfunc(lambda value: value.sqrt(), 1, 1)(sums)
        matrix = _inverse_square_root(1 / (sums ** (degree + 1) * roots))
    return alpha, matrix.astype(float) / math.sqrt(0.5 * math.gamma(degree + 1.5))


def gaussian_type_integrals(
    r_cut: float, n_max: int, degree: int, sigma: float
) -> tuple[Array, Array]:
    """Exponents of the coefficients, and what their sums are to be multiplied by.

    With a = 1 / (2 sigma²) the integral of a Gaussian at r with r^l exp(-alpha r²) Y_lm is
    pi^(3/2) (a r)^l / (a + alpha)^(l + 3/2) exp(-a alpha / (a + alpha) r²) Y_lm.
    """
    alpha, orthonormal = gaussian_type(r_cut, n_max, degree)
    if orthonormal is None:
        raise ValueError(
            f"n_max: {n_max} radial functions up to r_cut = {r_cut:g} are linearly dependent; "
            "expected fewer of them"
        )
    a = 0.5 / sigma**2
    integrals = math.pi**1.5 * a**degree / (a + alpha) ** (degree + 1.5)
    return a * alpha / (a + alpha), integrals[:, None] * orthonormal


@functools.lru_cache(maxsize=64)
def _quadrature(r_cut: float, n_points: int) -> tuple[Array, Array]:
    points, weights = np.polynomial.legendre.leggauss(n_points)
    return (points + 1) * (r_cut / 2), weights * (r_cut / 2)


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
    points, weights = _quadrature(r_cut, n_points)
    with decimal.localcontext() as context:
        context.prec = 50 + 6 * n_max
        end = decimal.Decimal(r_cut)
        orders = range(1, n_max + 1)
        overlap = np.array(
            [
                [2 * end ** (7 + n + k) / ((5 + n + k) * (6 + n + k) * (7 + n + k)) for k in orders]
                for n in orders
            ]
        )
        depth = end - _decimals(points)
        powers = np.array([depth ** (n + 2) for n in orders])
        functions = _inverse_square_root(overlap) @ powers
    return points, weights, functions.astype(float)


def spherical_bessel(degree: int, x: Array) -> Array:
    """Spherical Bessel function of the first kind, to 1e-15: the integral of P_l(t) exp(i x t)."""
    n_points = 40 + degree + math.ceil(x.max() / 2)
    t, weights = _quadrature(1.0, n_points)
    polynomial = np.polynomial.Legendre.basis(degree)(t)
    wave = np.sin if degree % 2 else np.cos
    values: Array = wave(np.multiply.outer(x, t)) @ (weights * polynomial)
    return -values if degree % 4 > 1 else values


def bessel_zeros(degree: int, n: int) -> Array:
    """The first n positive zeros of j_0 ... j_degree, shape (degree + 1, n)."""
    zeros: Array = np.pi * np.arange(1.0, n + degree + 1)
    rows = [zeros[:n]]
    for order in range(1, degree + 1):
        # Between two zeros of one function is one of the next.
        low, high = zeros[:-1], zeros[1:]
        sign = np.sign(spherical_bessel(order, low))
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            left = np.sign(spherical_bessel(order, middle)) == sign
            low, high = np.where(left, middle, low), np.where(left, high, middle)
        zeros = 0.5 * (low + high)
        rows.append(zeros[:n])
    return np.array(rows)


@functools.lru_cache(maxsize=16)
def laplacian_eigenstates(
    r_cut: float, n_max: int, l_max: int, n_points: int
) -> tuple[Array, Array, Array]:
    """Points and weights of a quadrature on (0, r_cut), and j_l(z_nl r / r_cut) there.

    Normalised with weight r²; z_nl is the n-th zero of j_l. The integral of j_l(z r / r_cut)² r² is
    r_cut³ / 2 j_{l+1}(z)².

    Returns
    -------
    points, weights : ndarray, shape (n_points,)
    functions : ndarray, shape (l_max + 1, n_max, n_points)
    """
    points, weights = _quadrature(r_cut, n_points)
    functions = np.empty((l_max + 1, n_max, n_points))
    for degree, zeros in enumerate(bessel_zeros(l_max, n_max)):
        norms = math.sqrt(2 / r_cut**3) / np.abs(spherical_bessel(degree + 1, zeros))
        values = spherical_bessel(degree, np.multiply.outer(zeros, points / r_cut))
        functions[degree] = norms[:, None] * values
    return points, weights, functions


def _bessel(degree: int, x: Array) -> Array:
    """exp(-x) i_l(x) / x^l, with the modified spherical Bessel function of the first kind."""
    result = np.empty_like(x)
    end = max(_SERIES_END, degree**2 / 3)
    small = x <= end
    square = x[small] ** 2 / 2
    term = np.exp(-x[small]) / math.prod(range(1, 2 * degree + 2, 2))
    total = term.copy()
    for k in range(1, 70 + int(end)):
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
    basis: str, r_cut: float, n_max: int, l_max: int, sigma: float, reach: float
) -> tuple[Array, float]:
    """Integrals of a Gaussian at r with the radial functions, divided by r^l, as a table.

    Parameters
    ----------
    basis : {"polynomial", "laplacian_eigenstates"}
    reach : float
        End of the table, Å.

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
    n_points = 60 + math.ceil(20 * r_cut / sigma)
    if basis == "polynomial":
        points, weights, functions = polynomials(r_cut, n_max, n_points)
        functions = np.broadcast_to(functions, (l_max + 1, *functions.shape))
    else:
        # The fastest function has n_max + l_max / 2 half waves.
        n_points += 4 * (n_max + l_max)
        points, weights, functions = laplacian_eigenstates(r_cut, n_max, l_max, n_points)
    a = 0.5 / sigma**2
    gaussian = np.exp(-a * (points - r) ** 2)
    values = np.empty((l_max + 1, len(r), n_max))
    for degree in range(l_max + 1):
        density = gaussian * _bessel(degree, 2 * a * r * points) * (2 * a * points) ** degree
        values[degree] = density @ (4 * np.pi * weights * points**2 * functions[degree]).T
    pieces = values.reshape(l_max + 1, n_intervals, _DEGREE + 1, n_max)
    powers = np.linalg.inv(np.vander(nodes, increasing=True))
    return np.ascontiguousarray(np.einsum("dk,likn->idln", powers, pieces)), spacing
