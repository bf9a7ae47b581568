"""What must not change a representation, over all of them."""

import copy
import pickle

import numpy as np
import pytest

import molkern as mk
from all_representations import DTYPES, every_model, is_atomic, is_local, n_rows, rows_of
from definitions import MOLECULES, rotation
from molkern import Structures

pytestmark = every_model

# Of the largest feature: positions are rotated with errors of 1e-16 of their size, eigenvalues
# of the largest one's.
TOLERANCE = {"float64": 1e-13, "float32": 2e-7}


def assert_close(a, b, dtype="float64"):
    np.testing.assert_allclose(a, b, rtol=0, atol=TOLERANCE[dtype] * np.abs(b).max())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(3))
def test_invariant_to_rotation_and_translation(cls, parameters, dtype, seed, structures):
    model = cls(**parameters, dtype=dtype).fit(structures)
    shift = np.random.default_rng(seed).normal(scale=10, size=3)
    moved = Structures(
        structures.numbers, structures.positions @ rotation(seed).T + shift, structures.offsets
    )
    assert_close(model.transform(moved), model.transform(structures), dtype)


@pytest.mark.parametrize("seed", range(3))
def test_invariant_to_permutation(cls, parameters, seed, structures):
    if parameters.get("permutation") == "none":
        pytest.skip("unsorted by definition")
    rng = np.random.default_rng(seed)
    model = cls(**parameters).fit(structures)
    orders = [rng.permutation(len(z)) for z, _ in MOLECULES]
    shuffled = [(z[p], r[p]) for (z, r), p in zip(MOLECULES, orders, strict=True)]
    expected = model.transform(structures)
    if is_atomic(model):
        firsts = structures.offsets[:-1]
        expected = expected[np.concatenate([f + p for f, p in zip(firsts, orders, strict=True)])]
    assert_close(model.transform(shuffled), expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_batch_equals_one_by_one(cls, parameters, dtype, structures):
    """Bitwise: a row never depends on its neighbours."""
    many = Structures.concatenate([structures] * 5)
    model = cls(**parameters, dtype=dtype).fit(structures)
    together = model.transform(many)
    alone = np.concatenate([model.transform(structures[k]) for k in range(len(structures))])
    np.testing.assert_array_equal(together, np.tile(alone, (5, 1)))
    order = np.random.default_rng(0).permutation(len(many))
    np.testing.assert_array_equal(
        model.transform(many[order]), together[rows_of(model, many, order)]
    )


def test_dtype_may_be_a_type(cls, parameters, structures):
    single = cls(**parameters, dtype=np.float32).fit_transform(structures)
    assert single.dtype == np.float32


def test_float32_is_float64_rounded(cls, parameters, structures):
    double = cls(**parameters).fit_transform(structures)
    single = cls(**parameters, dtype="float32").fit_transform(structures)
    assert single.dtype == np.float32
    np.testing.assert_array_equal(single, double.astype(np.float32))


@pytest.mark.parametrize("dtype", DTYPES)
def test_out_takes_the_result(cls, parameters, dtype, structures):
    model = cls(**parameters, dtype=dtype).fit(structures)
    expected = model.transform(structures)
    # Rows before and after must stay: no store may run past the end of the result.
    surround = np.full((len(expected) + 2, model.n_features_out_), -1.0, dtype)
    out = surround[1:-1]
    assert model.transform(structures, out=out) is out
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(surround[[0, -1]], -1)


def test_bad_out_raises(cls, parameters, structures):
    model = cls(**parameters).fit(structures)
    shape = (n_rows(model, structures), model.n_features_out_)
    with pytest.raises(ValueError, match="out: expected shape"):
        model.transform(structures, out=np.empty((shape[0] + 1, shape[1])))
    with pytest.raises(ValueError, match=r"type float64, found .* float32"):
        model.transform(structures, out=np.empty(shape, np.float32))
    with pytest.raises(ValueError, match="out: expected a writeable C-contiguous"):
        model.transform(structures, out=np.empty(shape, order="F"))
    with pytest.raises(TypeError, match="out: expected an ndarray, found list"):
        model.transform(structures, out=[])
    frozen = np.empty(shape)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="out: expected a writeable"):
        model.transform(structures, out=frozen)


def test_inputs_are_unchanged(cls, parameters, molecules):
    before = copy.deepcopy(molecules)
    given = copy.deepcopy(parameters)
    model = cls(**parameters)
    rows = model.fit_transform(molecules)
    model.vjp(molecules, rows)
    model.jacobian(molecules)
    for (z, r), (kept_z, kept_r) in zip(molecules, before, strict=True):
        np.testing.assert_array_equal(z, kept_z)
        np.testing.assert_array_equal(r, kept_r)
    assert parameters == given
    # As they were given, not copies of them: what clone of scikit-learn asks for.
    assert all(model.get_params()[name] is value for name, value in parameters.items())


def test_accepts_pairs_and_ase(cls, parameters, molecules, structures):
    model = cls(**parameters).fit(structures)
    expected = model.transform(structures)
    np.testing.assert_array_equal(model.transform(molecules), expected)
    np.testing.assert_array_equal(model.transform(structures.to_ase()), expected)


def test_names_are_unique_and_complete(cls, parameters, structures):
    model = cls(**parameters).fit(structures)
    names = model.get_feature_names_out()
    assert len(names) == model.n_features_out_ == model.transform(structures).shape[1]
    assert len(set(names)) == len(names)


def test_is_a_scikit_learn_transformer(cls, parameters, structures):
    from sklearn.base import clone
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline

    model = clone(cls(**parameters))
    assert model.get_params() == cls(**parameters).get_params()
    frames = structures.to_ase()
    y = np.arange(n_rows(model, structures), dtype=float)
    pipeline = make_pipeline(model, Ridge())
    pipeline.fit(frames, y)
    assert pipeline.predict(frames).shape == y.shape
    # Labels are of structures here, so rows must be, too.
    name = f"{cls.__name__.lower()}__{'average' if is_local(cls) else 'length_unit'}"
    values = ["sum", "mean"] if is_local(cls) else ["bohr", "angstrom"]
    search = GridSearchCV(
        make_pipeline(cls(**parameters), Ridge()), {"ridge__alpha": [1e-3, 1.0], name: values}, cv=2
    )
    # Shapes are learnt in each fold: both halves must hold the largest molecule.
    search.fit(frames + frames, np.tile(np.arange(len(frames), dtype=float), 2))
    assert search.best_params_[name] in values
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_parameters(cls, parameters, structures):
    model = cls(**parameters)
    assert model.set_params(n_threads=1) is model
    assert model.get_params()["n_threads"] == 1
    with pytest.raises(ValueError, match="has no parameter 'threads'; it has"):
        model.set_params(threads=1)
    with pytest.raises(ValueError, match="is not fitted: call fit first"):
        cls(**parameters).transform(structures)
    with pytest.raises(TypeError, match="positional argument"):
        cls(5, 5)


def test_repr_and_pickle(cls, parameters, structures):
    model = cls(**parameters)
    again = eval(repr(model), dict(vars(mk)))
    assert again.get_params() == model.get_params()
    model.fit(structures)
    expected = model.transform(structures)
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), copy.copy(model)):
        np.testing.assert_array_equal(other.transform(structures), expected)
        assert other.get_feature_names_out().tolist() == model.get_feature_names_out().tolist()


def test_wrong_type_raises(cls, parameters):
    model = cls(**parameters)
    with pytest.raises(TypeError, match=r"expected Structures, a list of ase\.Atoms"):
        model.fit("water.xyz")
    with pytest.raises(TypeError, match=r"expected Structures, a list of ase\.Atoms"):
        model.fit(3.0)


@pytest.mark.parametrize("pbc", [None, False, True])
def test_cells_matter_only_to_surroundings_that_are_periodic(cls, parameters, pbc, structures):
    """Frames of a molecule often carry the box of a calculation. Bitwise."""
    n = len(structures)
    boxed = Structures(
        structures.numbers,
        structures.positions,
        structures.offsets,
        np.tile(5 * np.eye(3), (n, 1, 1)),
        None if pbc is None else np.full((n, 3), pbc),
    )
    model = cls(**parameters).fit(structures)
    expected = model.transform(structures)
    result = model.transform(boxed)
    if pbc and is_local(cls):
        assert np.abs(result - expected).max() > 1e-3 * np.abs(expected).max()
    else:
        np.testing.assert_array_equal(result, expected)
        np.testing.assert_array_equal(model.transform(boxed.to_ase()), expected)
