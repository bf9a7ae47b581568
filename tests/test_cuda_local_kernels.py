"""Kernels of atoms on a device, emulated or real: against those of the host."""

import numpy as np
import pytest

import molkern as mk
from molkern.kernels import local

TOLERANCE = {"float64": 1e-12, "float32": 2e-5}
GAUSSIAN = {"sigma": 2.0}
POLYNOMIAL = {"degree": 3, "scale": 0.1, "offset": 0.5}


def batch(sizes, elements=(1, 6, 8), seed=0):
    """Structures of these sizes, of which only the numbers count."""
    random = np.random.default_rng(seed)
    return mk.Structures.from_arrays(
        [(random.choice(elements, n), random.normal(size=(n, 3))) for n in sizes]
    )


def rows(structures, n_features, dtype="float64", seed=0):
    shape = (structures.n_atoms, n_features)
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def put(module, array):
    return module.upload(array, 0, 0)


def compare(module, function, sides, tolerance=1e-12, **options):
    """Both results, after a look at their difference; sides are (X, structures) once or twice."""
    expected = function(*[part for side in sides for part in side], **options)
    there = [part for X, structures in sides for part in (put(module, X), structures)]
    found = function(*there, **options)
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    scale = np.abs(expected).max(initial=1)
    np.testing.assert_allclose(found.to_numpy(), expected, rtol=0, atol=tolerance * scale)
    return found.to_numpy(), expected


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize(
    ("function", "options"), [(local.gaussian, GAUSSIAN), (local.polynomial, POLYNOMIAL)]
)
def test_matrix_of_one_and_of_two_sets(cuda_module, function, options, normalize, dtype):
    """Structures of up to 90 atoms: of one element up to two tiles."""
    first, second = batch([3, 1, 90, 7, 20]), batch([5, 130, 2], elements=(1, 8, 9), seed=1)
    X, Y = rows(first, 11, dtype), rows(second, 11, dtype, 1)
    options = {**options, "normalize": normalize}
    compare(cuda_module, function, [(X, first), (Y, second)], TOLERANCE[dtype], **options)
    found, _ = compare(cuda_module, function, [(X, first)], TOLERANCE[dtype], **options)
    np.testing.assert_array_equal(found, found.T)
    if normalize:
        np.testing.assert_array_equal(np.diag(found), 1)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_more_features_than_are_summed_in_one_chunk(cuda_module, dtype):
    structures = batch([4, 9])
    X = rows(structures, 600, dtype)
    compare(cuda_module, local.gaussian, [(X, structures)], TOLERANCE[dtype], sigma=25.0)


def test_blocks_of_many_structures_and_widths(cuda_module):
    """Blocks of 16 by 16 structures; more widths than a pass takes."""
    first, second = batch(np.arange(250) % 3), batch(1 + np.arange(270) % 2, seed=1)
    X, Y = rows(first, 2), rows(second, 2, seed=1)
    compare(cuda_module, local.gaussian, [(X, first), (Y, second)], sigma=np.geomspace(0.3, 9, 17))


@pytest.mark.parametrize("symmetric", [True, False])
def test_largest_blocks(cuda_module, symmetric):
    """32 by 32 structures; 3 widths of 5 at a time."""
    n = 750 if symmetric else 520
    sides = [(rows(s, 1), s) for s in (batch(np.ones(n, int), elements=(1, 6)),)]
    if not symmetric:
        second = batch(np.ones(n, int), elements=(6, 8), seed=1)
        sides.append((rows(second, 1, seed=1), second))
    compare(cuda_module, local.gaussian, sides, sigma=[0.3, 1.0, 2.0, 3.0, 9.0], normalize=True)


def test_ragged_batches_of_molecules(cuda_module, qm7):
    random = np.random.default_rng(0)
    first, second = (qm7[random.integers(0, len(qm7), n)] for n in (12, 7))
    model = mk.SOAP(r_cut=4.0, n_max=4, l_max=3).fit(qm7)
    sides = [(model.transform(s), s) for s in (first, second)]
    compare(cuda_module, local.gaussian, sides, 1e-11, sigma=[1.0, 10.0], normalize=True)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_diagonals(cuda_module, dtype):
    structures = batch([3, 0, 70, 7])
    X = rows(structures, 11, dtype)
    for function, options in (
        (local.gaussian_diagonal, GAUSSIAN),
        (local.gaussian_diagonal, {"sigma": [0.5, 3.0]}),
        (local.polynomial_diagonal, POLYNOMIAL),
    ):
        compare(cuda_module, function, [(X, structures)], TOLERANCE[dtype], **options)


def test_equal_atoms_have_distance_0(cuda_module):
    """Far from the mean of their element, where rounding is large."""
    structures = batch([1, 1, 1], elements=(6,))
    X = rows(structures, 300, "float32")
    X[1] = X[0]
    X[2] += 1000
    found = local.gaussian(put(cuda_module, X), structures, sigma=0.01).to_numpy()
    np.testing.assert_array_equal(found, [[1, 1, 0], [1, 1, 0], [0, 0, 1]])


def test_no_atoms_no_structures_no_common_elements(cuda_module):
    first, second = batch([2, 0, 3], elements=(1,)), batch([2, 2], elements=(6,))
    X, Y = rows(first, 4), rows(second, 4)
    compare(cuda_module, local.gaussian, [(X, first)], **GAUSSIAN)
    found, _ = compare(cuda_module, local.gaussian, [(X, first), (Y, second)], **GAUSSIAN)
    np.testing.assert_array_equal(found, 0)
    compare(cuda_module, local.gaussian, [(X, first), (Y, second)], sigma=[1.0, 2.0])
    none = [(X[:0], first[:0])]
    compare(cuda_module, local.gaussian, none, **GAUSSIAN)
    compare(cuda_module, local.gaussian, [(X, first), *none], **GAUSSIAN)
    compare(cuda_module, local.gaussian_diagonal, none, **GAUSSIAN)
    compare(cuda_module, local.polynomial, [(X[:, :0], first)], **POLYNOMIAL)


def test_the_order_of_threads_does_not_matter(emulated_module, monkeypatch):
    monkeypatch.setattr("molkern.cuda._found", lambda: emulated_module)
    structures, results = batch([3, 80, 7, 12]), []
    X = put(emulated_module, rows(structures, 20, "float32"))
    for backwards in (False, True):
        emulated_module.run_backwards(backwards)
        results.append(local.gaussian(X, structures, sigma=3.0, normalize=True).to_numpy())
    np.testing.assert_array_equal(*results)


def test_errors(cuda_module):
    structures = batch([3, 0])
    X = put(cuda_module, rows(structures, 4))
    with pytest.raises(
        ValueError, match=r"X: expected one row for each of 3 atoms .* found 2 rows"
    ):
        local.gaussian(put(cuda_module, np.ones((2, 4))), structures, sigma=1.0)
    with pytest.raises(ValueError, match=r"X: expected two dimensions, found shape \(3,\)"):
        local.gaussian(put(cuda_module, np.ones(3)), structures, sigma=1.0)
    with pytest.raises(ValueError, match=r"Y: expected shape \(any, 4\), found \(3, 5\)"):
        local.gaussian(X, structures, put(cuda_module, np.ones((3, 5))), structures, sigma=1.0)
    single = put(cuda_module, np.ones((3, 4), np.float32))
    with pytest.raises(ValueError, match="Y: expected float64 as X is, found float32"):
        local.gaussian(X, structures, single, structures, sigma=1.0)
    with pytest.raises(ValueError, match="Y: expected an array on a device as X is"):
        local.gaussian(X, structures, np.ones((3, 4)), structures, sigma=1.0)
    with pytest.raises(ValueError, match="structures_Y: expected beside Y, found None"):
        local.gaussian(X, structures, X, sigma=1.0)
    with pytest.raises(ValueError, match="out: expected None for arrays on a device"):
        local.gaussian(X, structures, sigma=1.0, out=np.empty((2, 2)))
    with pytest.raises(
        ValueError, match="molecule 1 of structures has self-similarity 0, expected"
    ):
        local.gaussian(X, structures, sigma=1.0, normalize=True)
    with pytest.raises(ValueError, match="sigma: expected positive widths"):
        local.gaussian(X, structures, sigma=0.0)
