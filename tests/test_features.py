"""Features together with their structures."""

import copy
import pickle

import numpy as np
import pytest

import molkern as mk
from molkern._features import as_features
from molkern.regression import Features

ACSF = {"r_cut": 4.0, "g2": [(1.0, 0.0), (1.0, 1.0)]}


@pytest.fixture
def of_atoms(structures):
    return mk.ACSF(**ACSF, species=[1, 6, 7, 8, 16]).fit_transform(structures)


@pytest.fixture
def of_structures(structures):
    return mk.BagOfBonds().fit_transform(structures)


INDICES = [
    0, -1, np.int64(3), slice(2, 5), slice(None), slice(None, None, -2), slice(8, 3), [1, 1, 0], [],
    [-2], np.arange(10) % 3 == 0, [True] + [False] * 9, np.array([7, 2]), (np.array([4, 0]), ...),
    ([3, 1], slice(None)),
]  # fmt: skip


@pytest.mark.parametrize("index", INDICES)
def test_indexing(index, structures, of_atoms, of_structures):
    key = index[0] if isinstance(index, tuple) else index
    chosen = np.atleast_1d(np.arange(len(structures))[key])
    offsets = structures.offsets
    for X, kind in ((of_atoms, "atoms"), (of_structures, "structures")):
        part = Features(X, structures)[index]
        assert part.rows == kind
        assert len(part) == part.shape[0] == len(chosen)
        assert part.shape[1] == X.shape[1]
        assert part.structures == structures[key]
        rows = [X[offsets[k] : offsets[k + 1]] if kind == "atoms" else X[k : k + 1] for k in chosen]
        np.testing.assert_array_equal(part.X, np.concatenate([*rows, X[:0]]))
        assert part.X.flags.c_contiguous


def test_nothing_is_copied_where_that_can_be(structures, of_atoms):
    features = Features(of_atoms, structures)
    assert features.X is of_atoms
    assert features.structures is structures
    assert np.shares_memory(features[2:5].X, of_atoms)
    assert np.asarray(features) is of_atoms
    assert np.array(features) is not of_atoms
    assert np.asarray(features, "float32").dtype == np.float32
    np.testing.assert_array_equal(features, of_atoms)


def test_types(structures, of_atoms):
    assert Features(of_atoms.astype("float32"), structures).dtype == np.float32
    assert Features(np.ones((10, 2), int), structures).dtype == np.float64
    pairs = list(structures)
    assert Features(of_atoms, pairs).structures == structures


def test_copies(structures, of_atoms):
    features = Features(of_atoms, structures)
    for other in (copy.deepcopy(features), pickle.loads(pickle.dumps(features))):
        assert other.structures == structures
        assert other.rows == "atoms"
        np.testing.assert_array_equal(other.X, of_atoms)
    assert repr(features) == "Features(n_structures=10, rows='atoms', n_features=15)"


@pytest.mark.parametrize("kind", ["atoms", "structures"])
def test_concatenation(kind, structures, of_atoms, of_structures):
    X = of_atoms if kind == "atoms" else of_structures
    features = Features(X, structures)
    for parts in (list(features), tuple(features), [features[k] for k in range(10)]):
        joined = as_features(parts)
        assert joined.structures == structures
        assert joined.rows == kind
        np.testing.assert_array_equal(joined.X, X)
    assert as_features(features) is features
    again = Features.concatenate([features[:3], features[3:]])
    np.testing.assert_array_equal(again.X, X)


def test_lists_that_are_no_features(structures, of_atoms):
    for other in (None, of_atoms, of_atoms.tolist(), structures, [], "x", 3.0, [structures[0]]):
        assert as_features(other) is None
    features = Features(of_atoms, structures)
    with pytest.raises(TypeError, match=r"X: .* of one structure as item 1, found Features of 2; "):
        as_features([features[0], features[:2]])
    with pytest.raises(TypeError, match=r"X: expected the Features .* as item 1, found ndarray"):
        as_features([features[0], of_atoms])


def test_parts_that_do_not_fit_raise(structures, of_atoms, of_structures):
    atoms, rows = Features(of_atoms, structures), Features(of_structures, structures)
    with pytest.raises(
        ValueError, match=r"part 1: expected rows of atoms with 15 features .* found"
    ):
        Features.concatenate([atoms, rows])
    fewer = Features(np.ascontiguousarray(of_atoms[:, :4]), structures)
    with pytest.raises(ValueError, match=r"part 2: expected rows of atoms with 15 .* atoms with 4"):
        Features.concatenate([atoms, atoms, fewer])
    single = Features(of_atoms.astype("float32"), structures)
    with pytest.raises(TypeError, match="part 1: expected float64 as the first part is, found flo"):
        Features.concatenate([atoms, single])
    with pytest.raises(ValueError, match="parts: expected at least one, found none"):
        Features.concatenate([])


def test_what_rows_describe():
    single = mk.Structures([1, 6], np.zeros((2, 3)), [0, 1, 2])
    assert Features(np.ones((2, 3)), single).rows == "structures"
    assert Features(np.ones((2, 3)), single, rows="atoms").rows == "atoms"
    assert len(Features(np.ones((0, 3)), [])) == 0
    # As many atoms as structures, but they do not belong together one by one.
    mixed = mk.Structures([1, 6], np.zeros((2, 3)), [0, 2, 2])
    X = np.arange(4.0).reshape(2, 2)
    with pytest.raises(
        ValueError, match=r'rows: expected "atoms" or "structures" .* 2 of both, fou'
    ):
        Features(X, mixed)
    assert Features(X, mixed, rows="atoms")[1].X.shape == (0, 2)
    np.testing.assert_array_equal(Features(X, mixed, rows="structures")[1].X, X[1:])


def test_wrong_input_raises(structures, of_atoms):
    with pytest.raises(ValueError, match=r"X: expected one row for each of \d+ atoms or 10 struct"):
        Features(of_atoms[:-1], structures)
    with pytest.raises(ValueError, match="X: expected one row for each of 10 structures, found"):
        Features(of_atoms, structures, rows="structures")
    with pytest.raises(ValueError, match='rows: expected "atoms", "structures" or None, found 3'):
        Features(of_atoms, structures, rows=3)
    with pytest.raises(ValueError, match="X: expected two dimensions, found shape"):
        Features(of_atoms[:, 0], structures)
    with pytest.raises(TypeError, match="structures: expected Structures, a list"):
        Features(of_atoms, 3)
    features = Features(of_atoms, structures)
    with pytest.raises(IndexError, match="index 10 is out of range for 10 structures"):
        features[10]
    for wrong in ((0, 1), (slice(None), [0, 1]), (0, 1, 2)):
        with pytest.raises(IndexError, match=r"index: expected structures, or np\.ix_"):
            features[wrong]
    with pytest.raises(IndexError, match="index: expected structures alone for rows of atoms"):
        features[np.ix_([0], [1])]


def test_kernel_matrices_are_divided_on_both_sides(structures):
    K = np.arange(100.0).reshape(10, 10)
    rows, columns = [4, 2, -1], [0, 9]
    part = Features(K, structures)[np.ix_(rows, columns)]
    np.testing.assert_array_equal(part.X, K[np.ix_(rows, columns)])
    assert part.structures == structures[rows]


def test_scikit_learn_indexes_features_as_one(structures, of_atoms):
    from sklearn.utils import _safe_indexing, indexable, resample, shuffle

    features = Features(of_atoms, structures)
    for index in ([3, 1], np.array([3, 1]), (3, 1), np.arange(10) > 6, slice(1, 4)):
        part = _safe_indexing(features, index)
        assert type(part) is Features
        key = list(index) if isinstance(index, tuple) else index
        assert part.structures == structures[key]
    indexable(features, np.zeros(10))
    assert sorted(shuffle(features, random_state=0).structures.sizes) == sorted(structures.sizes)
    assert len(resample(features, n_samples=4, random_state=0)) == 4
