"""Small timings of every representation and kernel, off by default.

Each runs once, as a test of the result that it times. To time them:
``pytest tests/test_benchmarks.py --benchmark-enable``.
"""

import numpy as np
import pytest

import molkern as mk
from acsf_definition import OPTIONS, acsf_definition
from aev_definition import definition as aev_definition
from definitions import random_molecules
from soap_definition import SMALL, soap_definition

SPECIES = [1, 6, 7, 8]
REPRESENTATIONS = {
    "coulomb_matrix": lambda: mk.CoulombMatrix(n_threads=1),
    "bag_of_bonds": lambda: mk.BagOfBonds(n_threads=1),
    "acsf": lambda: mk.ACSF(species=SPECIES, **OPTIONS, n_threads=1),
    "aev": lambda: mk.AEV("ani-1x", n_threads=1),
    "soap": lambda: mk.SOAP(species=SPECIES, **SMALL, n_threads=1),
}


@pytest.fixture(scope="module")
def molecules():
    return random_molecules(200)


@pytest.fixture(scope="module")
def structures(molecules):
    return mk.Structures.from_arrays(molecules)


def plain_matrix(numbers, positions):
    """The definition, in angstrom."""
    distances = np.linalg.norm(positions[:, None] - positions, axis=2)
    np.fill_diagonal(distances, 1.0)
    matrix = np.outer(numbers, numbers) / distances
    np.fill_diagonal(matrix, 0.5 * numbers**2.4)
    return matrix


def plain_row(numbers, positions, permutation):
    matrix = plain_matrix(numbers, positions)
    if permutation == "eigenspectrum":
        values = np.linalg.eigvalsh(matrix)
        return values[np.argsort(-np.abs(values))]
    if permutation == "row_norm":
        norms = [float(f"{norm:.9e}") for norm in np.linalg.norm(matrix, axis=1)]
        order = np.argsort(-np.array(norms), kind="stable")
        matrix = matrix[np.ix_(order, order)]
    return matrix[np.tril_indices(len(numbers))]


@pytest.mark.benchmark(group="coulomb_matrix")
@pytest.mark.parametrize("permutation", ["row_norm", "none", "eigenspectrum"])
def test_time_coulomb_matrix(benchmark, molecules, structures, permutation):
    matrix = mk.CoulombMatrix(permutation=permutation, length_unit="angstrom", n_threads=1)
    X = benchmark(matrix.fit(structures).transform, structures)
    for row, (numbers, positions) in zip(X, molecules, strict=True):
        expected = plain_row(numbers, positions, permutation)
        # sums of at most 23 terms, and an eigenvalue solver: a few roundings of the largest entry
        np.testing.assert_allclose(row[: len(expected)], expected, atol=1e-12 * row.max())
        assert not row[len(expected) :].any()


@pytest.mark.benchmark(group="bag_of_bonds")
def test_time_bag_of_bonds(benchmark, molecules, structures):
    bags = mk.BagOfBonds(length_unit="angstrom", n_threads=1)
    X = benchmark(bags.fit(structures).transform, structures)
    for row, (numbers, positions) in zip(X, molecules, strict=True):
        expected = plain_matrix(numbers, positions)[np.tril_indices(len(numbers))]
        # the same entries, in whatever order of the bags
        np.testing.assert_allclose(np.sort(row[row != 0]), np.sort(expected), rtol=1e-13)


@pytest.mark.benchmark(group="kernels")
@pytest.mark.parametrize("kernel", ["gaussian", "laplacian"])
def test_time_kernel(benchmark, kernel):
    X = np.random.default_rng(0).normal(size=(150, 60))
    K = benchmark(getattr(mk.kernels, kernel), X, sigma=20.0, n_threads=1)
    difference = X[:, None] - X
    if kernel == "gaussian":
        expected = np.exp(-(difference**2).sum(axis=2) / (2 * 20.0**2))
    else:
        expected = np.exp(-np.abs(difference).sum(axis=2) / 20.0)
    np.testing.assert_allclose(K, expected, rtol=1e-12)


@pytest.mark.benchmark(group="structures")
def test_time_packing(benchmark, molecules):
    packed = benchmark(mk.Structures.from_arrays, molecules)
    np.testing.assert_array_equal(packed.positions, np.concatenate([r for _, r in molecules]))
    np.testing.assert_array_equal(packed.numbers, np.concatenate([z for z, _ in molecules]))


def definition_of_atoms(name, molecules):
    structures = mk.Structures.from_arrays(molecules)
    if name == "acsf":
        return acsf_definition(structures, SPECIES, **OPTIONS)
    if name == "aev":
        return np.concatenate([aev_definition("ani-1x", *molecule) for molecule in molecules])
    return soap_definition(molecules, SPECIES, **SMALL)


@pytest.mark.benchmark(group="representations of atoms")
@pytest.mark.parametrize("name", ["acsf", "aev", "soap"])
def test_time_representation_of_atoms(benchmark, molecules, structures, name):
    X = benchmark(REPRESENTATIONS[name]().fit(structures).transform, structures)
    assert len(X) == len(structures.numbers)
    expected = definition_of_atoms(name, molecules[:4])  # plain loops: not of all
    np.testing.assert_allclose(X[: len(expected)], expected, rtol=1e-9, atol=1e-11)


@pytest.mark.benchmark(group="gradients")
@pytest.mark.parametrize("name", list(REPRESENTATIONS))
def test_time_vjp(benchmark, structures, name):
    model = REPRESENTATIONS[name]()
    X = model.fit_transform(structures)
    gradient = benchmark(model.vjp, structures, X)
    # That of half the sum of squares, which no order of features changes, along one direction.
    along, h = np.random.default_rng(1).normal(size=structures.positions.shape), 1e-5
    ends = [
        model.transform(mk.Structures(structures.numbers, moved, structures.offsets))
        for moved in (structures.positions + h * along, structures.positions - h * along)
    ]
    expected = ((ends[0] - ends[1]) * (ends[0] + ends[1])).sum() / (4 * h)
    assert (gradient * along).sum() == pytest.approx(expected, rel=1e-6)


@pytest.mark.benchmark(group="jacobian")
@pytest.mark.parametrize("name", list(REPRESENTATIONS))
def test_time_jacobian(benchmark, structures, name):
    few = structures[:5]
    model = REPRESENTATIONS[name]()
    gX = np.random.default_rng(2).normal(size=model.fit_transform(few).shape)
    jacobian = benchmark(model.jacobian, few)
    found = np.einsum("cf,caxf->ax", gX, jacobian.to_dense())
    expected = model.vjp(few, gX)
    np.testing.assert_allclose(found, expected, atol=1e-11 * np.abs(expected).max())


@pytest.mark.benchmark(group="kernels")
@pytest.mark.parametrize("kernel", ["linear", "polynomial"])
def test_time_kernel_without_width(benchmark, kernel):
    X = np.random.default_rng(0).normal(size=(150, 60))
    K = benchmark(getattr(mk.kernels, kernel), X, n_threads=1)
    assert K.shape == (150, 150)
    products = X @ X.T
    expected = products if kernel == "linear" else products**2
    np.testing.assert_allclose(K, expected, atol=1e-12 * np.abs(expected).max())


@pytest.mark.benchmark(group="local_kernels")
def test_time_local_kernel(benchmark, structures):
    few = structures[:20]
    X = np.random.default_rng(0).normal(size=(len(few.numbers), 40))
    K = benchmark(mk.kernels.local.gaussian, X, few, sigma=6.0, n_threads=1)
    squares = ((X[:, None] - X) ** 2).sum(axis=2)
    pairs = np.exp(-squares / (2 * 6.0**2)) * (few.numbers[:, None] == few.numbers)
    of_atom = np.repeat(np.eye(len(few)), few.sizes, axis=1)
    np.testing.assert_allclose(K, of_atom @ pairs @ of_atom.T, rtol=1e-12)


@pytest.mark.benchmark(group="neighbors")
def test_time_neighbor_list(benchmark):
    edge, r_cut = 12.0, 3.0
    positions = np.random.default_rng(0).uniform(0, edge, (400, 3))
    cell = edge * np.eye(3)[None]
    box = mk.Structures(np.full(400, 6), positions, [0, 400], cells=cell, pbc=[[True] * 3])
    pairs = benchmark(mk.neighbors.neighbor_list, box, r_cut, n_threads=1)
    vectors = positions - positions[:, None]
    vectors -= edge * np.round(vectors / edge)  # the nearest image: the cutoff is below half a cell
    distances = np.linalg.norm(vectors, axis=2)
    expected = distances[(distances < r_cut) & (distances > 0)]
    np.testing.assert_allclose(np.sort(pairs.distance), np.sort(expected), rtol=1e-12)


@pytest.mark.benchmark(group="regression")
@pytest.mark.parametrize("step", ["fit", "predict"])
def test_time_regression(benchmark, step):
    random = np.random.default_rng(0)
    X, x, alpha = random.normal(size=(120, 10)), random.normal(size=(30, 10)), 1e-3
    y = np.sin(X).sum(axis=1)
    model = mk.regression.KernelRidge(kernel="gaussian", sigma=4.0, alpha=alpha, n_threads=1)
    if step == "fit":
        benchmark(model.fit, X, y)
        found = model.predict(x)
    else:
        found = benchmark(model.fit(X, y).predict, x)
    squares = ((np.concatenate((X, x))[:, None] - X) ** 2).sum(axis=2)
    K = np.exp(-squares / (2 * 4.0**2))
    expected = K[120:] @ np.linalg.solve(K[:120] + alpha * np.eye(120), y)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
