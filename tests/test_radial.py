"""Radial functions of SOAP: their orthonormality, Bessel functions, tables of integrals."""

import numpy as np
import pytest
from scipy.special import ive, spherical_jn

from molkern.representations._radial import (
    _bessel,
    bessel_zeros,
    gaussian_type,
    laplacian_eigenstates,
    radial_table,
    spherical_bessel,
)
from soap_definition import RADIAL_BASES, half_gamma


def close(found, expected, digits):
    np.testing.assert_allclose(found, expected, rtol=0, atol=digits * np.abs(expected).max())


@pytest.mark.parametrize(("r_cut", "n_max", "degree"), [(5, 8, 0), (5, 6, 12), (6, 10, 6)])
def test_gaussian_type_is_orthonormal(r_cut, n_max, degree):
    alpha, matrix = gaussian_type(r_cut, n_max, degree)
    np.testing.assert_array_equal(matrix, matrix.T)
    overlap = 0.5 * half_gamma(degree) * np.add.outer(alpha, alpha) ** -(degree + 1.5)
    # Rounding errors of this product, not of the matrix, which is exact.
    bound = 1e-15 * np.abs(matrix) @ np.abs(overlap) @ np.abs(matrix)
    assert (np.abs(matrix @ overlap @ matrix - np.eye(n_max)) < bound).all()


@pytest.mark.parametrize("degree", [0, 1, 8, 20, 30])
def test_modified_spherical_bessel(degree):
    x = np.linspace(0.5, 400, 2000)
    expected = np.sqrt(np.pi / (2 * x)) * ive(degree + 0.5, x) / x**degree
    np.testing.assert_allclose(_bessel(degree, x), expected, rtol=1e-13, atol=0)


def test_spherical_bessel():
    x = np.linspace(1e-3, 150, 4000)
    for degree in (0, 1, 2, 3, 7, 20, 31):
        expected = spherical_jn(degree, x)
        np.testing.assert_allclose(spherical_bessel(degree, x), expected, rtol=0, atol=2e-14)
    zeros = bessel_zeros(30, 20)
    assert zeros.shape == (31, 20)
    # None is left out: they are more than 3 apart, and less than 4 beyond the first few.
    steps = np.diff(zeros, axis=1)
    assert (steps > np.pi - 1e-9).all()
    for degree, row in enumerate(zeros):
        values = spherical_jn(degree, np.linspace(degree + 1, row[-1] + 0.1, 4000))
        assert np.count_nonzero(values[1:] * values[:-1] < 0) == 20
        np.testing.assert_allclose(spherical_jn(degree, row), 0, atol=1e-14)


@pytest.mark.parametrize(("n_max", "l_max"), [(1, 0), (8, 6), (20, 3), (3, 30)])
def test_laplacian_eigenstates_are_orthonormal(n_max, l_max):
    points, weights, functions = laplacian_eigenstates(5.0, n_max, l_max, 200)
    for of_degree in functions:
        overlap = (of_degree * weights * points**2) @ of_degree.T
        np.testing.assert_allclose(overlap, np.eye(n_max), rtol=0, atol=2e-12)


@pytest.mark.parametrize("basis", ["polynomial", "laplacian_eigenstates"])
@pytest.mark.parametrize(("sigma", "r_cut"), [(0.2, 3.0), (0.5, 5.0), (1.0, 4.0)])
def test_table_against_direct_integrals(basis, sigma, r_cut):
    n_max, l_max, reach = 4, 4, r_cut + 3.717 * sigma
    table, spacing = radial_table(basis, r_cut, n_max, l_max, sigma, reach)
    r = np.random.default_rng(1).uniform(0.3, reach, 60)
    interval = (r / spacing).astype(int)
    t = 2 * (r / spacing - interval) - 1
    powers = t[:, None] ** np.arange(8)
    slopes = np.arange(1, 8) * powers[:, :-1] * 2 / spacing
    for degree in range(l_max + 1):
        pieces = table[interval, :, degree]
        values = np.einsum("rd,rdn->nr", powers, pieces)
        slope = np.einsum("rd,rdn->nr", slopes, pieces[:, 1:])
        slope = slope * r**degree + degree * r ** (degree - 1.0) * values

        def direct(at, degree=degree):
            return RADIAL_BASES[basis](at, r_cut, n_max, degree, sigma)

        close(values * r**degree, direct(r), 1e-9)
        # The derivative without subtraction: the imaginary part of a step that is imaginary.
        close(slope, direct(r + 1e-30j).imag / 1e-30, 1e-7)
