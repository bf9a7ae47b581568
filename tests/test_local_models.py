"""Regression and learning curves with kernels that compare structures atom by atom."""

import numpy as np
import pytest

import molkern as mk
from molkern._atom_features import atom_features
from molkern.regression import KernelRidge, Similarity, kernel_ridge
from molkern.study import accuracy, compare, make_splits, plan
from study_data import chains

# Smooth, and small enough to be quick.
ACSF = {"r_cut": 4.0, "g2": [(0.5, 1.0), (1.0, 1.5), (4.0, 2.0)], "cutoff_function": "cosine"}


@pytest.fixture(scope="module")
def data():
    return chains()


def of_atoms(structures, dtype="float64"):
    return mk.ACSF(species=[1, 6, 8], **ACSF, dtype=dtype).fit_transform(structures)


def values(frame):
    """Everything but times."""
    return frame.drop(columns=[name for name in frame if name.startswith("seconds")])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_fit_and_predict_match_definition(data, dtype):
    train, test = data.structures[:40], data.structures[40:]
    y = data.targets["energy"]
    X, T = of_atoms(train, dtype), of_atoms(test, dtype)
    model = KernelRidge(kernel="local.gaussian", sigma=0.8, alpha=1e-4, baseline="mean")
    model.fit(X, y[:40], structures=train)
    X, T = X.astype(float), T.astype(float)
    K = mk.kernels.local.gaussian(X, train, sigma=0.8) + 1e-4 * np.eye(40)
    dual = np.linalg.solve(K, y[:40] - y[:40].mean())
    expected = mk.kernels.local.gaussian(T, test, X, train, sigma=0.8) @ dual + y[:40].mean()
    # Rounding of the kernel times the norm of the coefficients.
    atol = (1e-9 if dtype == "float64" else 1e-3) * np.abs(y).max()
    np.testing.assert_allclose(
        model.predict(T.astype(dtype), structures=test), expected, rtol=0, atol=atol
    )
    assert model.X_fit_.dtype == dtype
    assert model.dual_coef_.shape == (40,)
    assert model.n_features_in_ == X.shape[1]


def test_parameters_are_chosen(data):
    train, test = data.structures[:50], data.structures[50:]
    y = data.targets["energy"]
    model = KernelRidge(kernel="local.gaussian", baseline="elements")
    model.fit(of_atoms(train), y[:50], structures=train)
    assert model.score(of_atoms(test), y[50:], structures=test) > 0.999
    assert model.sigma_ in model.cv_results_["sigma"]
    again = KernelRidge(**model.get_params()).fit(of_atoms(train), y[:50], structures=train)
    assert (again.sigma_, again.alpha_) == (model.sigma_, model.alpha_)


def test_choice_is_made_on_few_structures(data, monkeypatch):
    monkeypatch.setattr(kernel_ridge, "LOCAL_TUNING_ROWS", 20)
    X, y = of_atoms(data.structures), data.targets["energy"]
    model = KernelRidge(kernel="local.gaussian").fit(X, y, structures=data.structures)
    assert set(model.cv_results_["n_train"]) == {20}
    assert len(model.dual_coef_) == 60
    # With a given width, alpha is chosen on all of them.
    model = KernelRidge(kernel="local.gaussian", sigma=1.0).fit(X, y, structures=data.structures)
    assert set(model.cv_results_["n_train"]) == {60}


def test_wrong_input_of_a_model_raises(data):
    X, y = of_atoms(data.structures), data.targets["energy"]
    model = KernelRidge(kernel="local.gaussian", sigma=1.0, alpha=1e-6)
    with pytest.raises(ValueError, match=r'kernel="local.gaussian": fit needs structures='):
        model.fit(X, y)
    with pytest.raises(ValueError, match=r"X: expected one row for each of .* atoms"):
        model.fit(X[:-1], y, structures=data.structures)
    with pytest.raises(ValueError, match=r"y: expected shape \(60,\)"):
        model.fit(X, y[:-1], structures=data.structures)
    model.fit(X, y, structures=data.structures)
    with pytest.raises(ValueError, match="predict needs structures="):
        model.predict(X)
    with pytest.raises(ValueError, match="X: expected 12 features as in fit, found 8"):
        model.predict(X[:, :8], structures=data.structures)
    copies = KernelRidge(kernel="local.gaussian", n_copies=2)
    with pytest.raises(ValueError, match="n_copies: expected 1 with kernel"):
        copies.fit(X, y, structures=data.structures)


@pytest.mark.parametrize("max_bytes", [2**31, 8 * 30 * 30, 0])
def test_similarity_is_the_kernel_however_it_is_computed(data, max_bytes):
    X = of_atoms(data.structures)
    similarity = Similarity(
        atom_features("X", X, data.structures), kernel="local.gaussian", max_bytes=max_bytes
    )
    rows, columns = np.array([5, 3, 40, 11]), np.array([40, 2, 3, 12, 59])
    full = mk.kernels.local.gaussian(X, data.structures, sigma=1.5)
    close = {"rtol": 1e-13}  # sums over one structure first, or over the other
    for held in (None, np.unique(np.r_[rows, columns])):
        if held is not None:
            similarity.hold([1.5, 2.5], held)
        np.testing.assert_allclose(similarity.gram(rows, 1.5), full[np.ix_(rows, rows)], **close)
        np.testing.assert_allclose(
            similarity.cross(rows, columns, 1.5), full[np.ix_(rows, columns)], **close
        )
    gram = similarity.gram_for_tuning(rows, [0.5, 1.5])
    np.testing.assert_allclose(gram(3, 1.5), full[np.ix_(rows[:3], rows[:3])], **close)
    atoms = np.concatenate([X[data.structures.numbers == z] for z in (1, 6, 8)])
    assert 0 < similarity.median_distance(np.arange(60)) < np.ptp(atoms, axis=0).sum()
    assert np.isnan(similarity.median_distance(np.arange(0)))


# Learning curves


def test_rows_match_the_protocol_done_by_hand():
    folds = tuple(np.arange(60)[k::3] for k in range(3))
    data = chains(folds=folds)
    frame = accuracy(
        data, mk.ACSF(**ACSF), kernel="local.gaussian", sizes=[12, 40], baseline="elements"
    ).frame
    assert len(frame) == 6
    y = data.targets["energy"]
    for split in make_splits(data, seeds=[0]):
        for n in (12, 40):
            rows, test = split.train[:n], split.test
            (row,) = frame.query(f"fold == {split.fold} and n_train == {n}").to_dict("records")
            train, tested = data.structures[rows], data.structures[test]
            model = KernelRidge(
                kernel="local.gaussian",
                sigma=row["sigma"],
                alpha=row["alpha"],
                baseline="elements",
            )
            model.fit(of_atoms(train), y[rows], structures=train)
            error = np.abs(model.predict(of_atoms(tested), structures=tested) - y[test])
            # Other centres here: rounding, times the condition number of the kernel matrix.
            np.testing.assert_allclose(row["mae"], error.mean(), rtol=1e-4, atol=1e-7)
            assert row["n_features"] == 12
            assert row["kernel"] == "local.gaussian"


def test_width_is_chosen_up_to_a_size_only(data, monkeypatch):
    monkeypatch.setattr(plan, "LOCAL_TUNING_ROWS", 20)
    frame = accuracy(data, mk.ACSF(**ACSF), kernel="local.gaussian", sizes=[10, 40]).frame
    assert sorted(set(frame["n_tune"])) == [10, 20]


def test_a_study_that_was_interrupted_ends_with_the_same_numbers(data, tmp_path):
    def run(store):
        model = mk.ACSF(**ACSF, dtype="float32")
        return values(
            accuracy(data, model, kernel="local.gaussian", sizes=[10, 40], store=store).frame
        )

    expected = run(tmp_path)
    files = sorted(tmp_path.glob("*.json"))
    assert len(files) == 12  # a choice and a fit for each of 2 sizes and 3 seeds
    for file in files[::2]:
        file.unlink()
    assert run(tmp_path).equals(expected)
    assert run(None).equals(expected)


def test_kernels_go_with_the_representations_they_fit(data):
    both = [mk.ACSF(**ACSF), mk.ACSF(**ACSF, average="sum")]
    options = {"sizes": [20], "seeds": [0]}
    frame = compare(data, both, **options).frame
    assert list(frame["kernel"]) == ["local.gaussian", "laplacian", "gaussian"]
    frame = compare(data, both, kernels=["gaussian", "local.gaussian"], **options).frame
    assert list(frame["kernel"]) == ["local.gaussian", "gaussian"]
    with pytest.raises(ValueError, match=r"kernels: ACSF .* has one row for each atom, which"):
        compare(data, both, kernels=["gaussian"])
    with pytest.raises(ValueError, match="one row for each structure, which local kernels cannot"):
        compare(data, both, kernels=["local.gaussian"])
    with pytest.raises(ValueError, match="kernels: laplacian goes with no representation"):
        compare(data, both[:1], kernels=["laplacian", "local.gaussian"])
    with pytest.raises(ValueError, match="kernel: expected one of"):
        compare(data, both, kernels=["local.laplacian"])


def test_preset_on_molecules():
    data = mk.datasets.load("mini-molecules")
    few = data.select(np.arange(0, len(data), 12))
    result = accuracy(few, "soap-local", kernel="local.gaussian", sizes=[40, 150], seeds=[0])
    assert list(result.frame["representation"]) == ["SOAP (3.5 Å)"] * 2
    summed = accuracy(few, "soap", kernel="gaussian", sizes=[150], seeds=[0])
    assert result.frame["mae"].iloc[-1] < 1.5 * summed.frame["mae"].iloc[-1]
    assert result.frame["mae"].iloc[-1] < result.frame["mae"].iloc[0]


def test_rows_that_are_not_held_are_computed():
    data = chains(12)
    X = mk.ACSF(**ACSF).fit_transform(data.structures)
    similarity = Similarity(atom_features("X", X, data.structures), kernel="local.gaussian")
    expected = similarity.cross(np.array([10, 11]), np.arange(10), 2.0)
    similarity.hold([2.0], np.arange(10))
    found = similarity.cross(np.array([10, 11]), np.arange(10), 2.0)
    np.testing.assert_array_equal(found, expected)


def test_more_folds_than_structures_for_the_choice():
    data = chains(1001)
    X = mk.ACSF(**ACSF).fit_transform(data.structures)
    model = KernelRidge(kernel="local.gaussian", sigma=[1.0, 2.0], cv=1001)
    with pytest.raises(ValueError, match=r"cv: .* 1001 folds needs as many structures, found 1000"):
        model.fit(X, data.targets["energy"], structures=data.structures)


def test_features_of_another_precision_than_in_fit():
    data = chains(20)
    X = mk.ACSF(**ACSF).fit_transform(data.structures)
    model = KernelRidge(kernel="local.gaussian", sigma=1.0, alpha=1e-6)
    model.fit(X, data.targets["energy"], structures=data.structures)
    with pytest.raises(TypeError, match="X: expected float64 as in fit, found float32"):
        model.predict(X.astype("float32"), structures=data.structures)
