"""Numeric smoke test of an installed wheel; needs NumPy alone: python tests/smoke.py"""

import numpy as np

import molkern as mk

RNG = np.random.default_rng(0)
MOLECULES = [
    (RNG.integers(1, 10, n), RNG.uniform(0, 6, (n, 3))) for n in (1, 2, 5, 8, 9, 16, 23, 40)
]


def coulomb_matrix(numbers, positions):
    distances = np.linalg.norm(positions[:, None] - positions, axis=-1)
    np.fill_diagonal(distances, 1.0)
    matrix = np.outer(numbers, numbers) / distances
    np.fill_diagonal(matrix, 0.5 * numbers**2.4)
    return matrix


def triangle(matrix, order, size):
    full = np.zeros((size, size))
    full[: len(matrix), : len(matrix)] = matrix[order][:, order]
    return full[np.tril_indices(size)]


def check_coulomb_matrix():
    matrices = [coulomb_matrix(z, r) for z, r in MOLECULES]
    orders = [np.argsort(-np.linalg.norm(m, axis=1), kind="stable") for m in matrices]
    rows = mk.CoulombMatrix(length_unit="angstrom").fit_transform(MOLECULES)
    expected = [triangle(m, order, 40) for m, order in zip(matrices, orders, strict=True)]
    np.testing.assert_allclose(rows, expected, rtol=1e-13)
    model = mk.CoulombMatrix(permutation="eigenspectrum", length_unit="angstrom")
    for row, matrix in zip(model.fit_transform(MOLECULES), matrices, strict=True):
        values = np.linalg.eigvalsh(matrix)
        np.testing.assert_allclose(np.sort(row[: len(matrix)]), values, rtol=0, atol=1e-11)


def check_bag_of_bonds():
    rows = mk.BagOfBonds(length_unit="angstrom").fit_transform(MOLECULES)
    for row, (numbers, positions) in zip(rows, MOLECULES, strict=True):
        matrix = coulomb_matrix(numbers, positions)
        expected = np.sort(matrix[np.tril_indices(len(matrix))])
        np.testing.assert_allclose(np.sort(row[row > 0]), expected, rtol=1e-13)


def check_kernels():
    for dtype, rtol in (("float64", 1e-12), ("float32", 1e-4)):
        x = RNG.normal(size=(70, 20)).astype(dtype)
        difference = x[:, None].astype(float) - x
        expected = np.exp(-np.abs(difference).sum(-1) / 7.0)
        np.testing.assert_allclose(mk.kernels.laplacian(x, sigma=7.0), expected, rtol=rtol)
        expected = np.exp(-(difference**2).sum(-1) / (2 * 7.0**2))
        np.testing.assert_allclose(mk.kernels.gaussian(x, sigma=7.0), expected, rtol=rtol)


if __name__ == "__main__":
    check_coulomb_matrix()
    check_bag_of_bonds()
    check_kernels()
    print("molkern", mk.build_info())
