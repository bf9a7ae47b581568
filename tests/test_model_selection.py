"""Model selection of scikit-learn over models that need structures."""

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    train_test_split,
)
from sklearn.pipeline import make_pipeline

import molkern as mk
from molkern.regression import Features, KernelRidge
from study_data import chains

ACSF = {"r_cut": 4.0, "g2": [(0.5, 1.0), (1.0, 1.5), (4.0, 2.0)], "cutoff_function": "cosine"}
MODELS = {
    "local": {"kernel": "local.gaussian", "sigma": 0.8, "alpha": 1e-4, "baseline": "mean"},
    "local elements": {
        "kernel": "local.gaussian",
        "sigma": 0.8,
        "alpha": 1e-4,
        "baseline": "elements",
    },
    "elements": {"sigma": 4.0, "alpha": 1e-4, "baseline": "elements"},
    "precomputed elements": {"kernel": "precomputed", "alpha": 1e-4, "baseline": "elements"},
}
CV = KFold(4, shuffle=True, random_state=0)
every_model = pytest.mark.parametrize("name", MODELS)


@pytest.fixture(scope="module")
def data():
    return chains()


def representation(name):
    average = None if MODELS[name].get("kernel") == "local.gaussian" else "sum"
    return mk.ACSF(species=[1, 6, 8], **ACSF, average=average)


def inputs(name, structures):
    X = representation(name).fit_transform(structures)
    return mk.kernels.laplacian(X, sigma=4.0) if name.startswith("precomputed") else X


def part_of(name, X, structures, rows, columns):
    """What a model is given for some of the structures."""
    if name.startswith("precomputed"):
        return X[np.ix_(rows, columns)]
    if MODELS[name].get("kernel") == "local.gaussian":
        first = structures.offsets
        rows = np.concatenate([np.arange(first[k], first[k + 1]) for k in rows])
    return X[rows]


def by_hand(name, data):
    """Predictions of every structure by the model of the other folds, and scores of the folds."""
    structures, y = data.structures, data.targets["energy"]
    X, predicted, scores = inputs(name, structures), np.empty(len(y)), []
    for train, test in CV.split(y):
        model = KernelRidge(**MODELS[name])
        X_train = part_of(name, X, structures, train, train)
        model.fit(X_train, y[train], structures=structures[train])
        X_test = part_of(name, X, structures, test, train)
        predicted[test] = model.predict(X_test, structures=structures[test])
        scores.append(model.score(X_test, y[test], structures=structures[test]))
    return predicted, np.array(scores)


@every_model
def test_features_are_divided_with_their_structures(name, data):
    structures, y = data.structures, data.targets["energy"]
    features, model = Features(inputs(name, structures), structures), KernelRidge(**MODELS[name])
    predicted, scores = by_hand(name, data)
    options = {"cv": CV, "error_score": "raise"}
    np.testing.assert_array_equal(cross_val_score(model, features, y, **options), scores)
    np.testing.assert_array_equal(cross_val_predict(model, features, y, cv=CV), predicted)
    errors = cross_val_score(model, features, y, scoring="neg_mean_absolute_error", **options)
    expected = [-np.abs(predicted - y)[test].mean() for _, test in CV.split(y)]
    np.testing.assert_allclose(errors, expected, rtol=1e-12)
    sizes, _, test_scores = learning_curve(
        model, features, y, train_sizes=[20, 45], cv=CV, error_score="raise"
    )
    assert sizes.tolist() == [20, 45]
    np.testing.assert_array_equal(test_scores[1], scores)
    grid = {"alpha": [1e-4, 1.0]}
    search = GridSearchCV(model, grid, **options).fit(features, y)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"][0], scores.mean())
    best = clone(model).set_params(**search.best_params_).fit(features, y)
    np.testing.assert_array_equal(search.predict(features), best.predict(features))
    assert search.score(features, y) == best.score(features, y)


@every_model
def test_features_are_features_and_structures(name, data):
    structures, y = data.structures, data.targets["energy"]
    X = inputs(name, structures)
    features = Features(X, structures)
    expected = KernelRidge(**MODELS[name]).fit(X, y, structures=structures)
    model = KernelRidge(**MODELS[name])
    assert model.fit(features, y) is model
    np.testing.assert_array_equal(model.dual_coef_, expected.dual_coef_)
    values = expected.predict(X, structures=structures)
    if not name.startswith("precomputed"):
        assert model.X_fit_ is X
        for given in ([features[k] for k in range(5)], features[:5]):
            np.testing.assert_allclose(model.predict(given), values[:5], rtol=1e-9)
    # The same object is no contradiction.
    np.testing.assert_array_equal(model.predict(features, structures=structures), values)
    assert model.score(features, y, structures) == expected.score(X, y, structures)
    with pytest.raises(
        ValueError, match=r"structures: expected None beside Features, .* found list"
    ):
        model.fit(features, y, structures=list(structures))


@every_model
def test_metadata_routing(name, data):
    if name.startswith("local"):
        return  # rows of atoms cannot be divided
    structures, y = data.structures, data.targets["energy"]
    X, model = inputs(name, structures), KernelRidge(**MODELS[name])
    _, scores = by_hand(name, data)
    with sklearn.config_context(enable_metadata_routing=True):
        options = {"cv": CV, "params": {"structures": structures}}
        found = cross_val_score(model, X, y, error_score="raise", **options)
        np.testing.assert_array_equal(found, scores)
        search = GridSearchCV(model, {"alpha": [1e-4, 1.0]}, cv=CV, error_score="raise")
        search.fit(X, y, structures=structures)
        np.testing.assert_array_equal(search.cv_results_["mean_test_score"][0], scores.mean())
        # scikit-learn passes nothing on to predict here.
        with pytest.raises(
            ValueError, match=r"predict needs structures=.*Features\(X, structures\)"
        ):
            cross_val_predict(model, X, y, **options)


def test_routing_in_pipelines(data):
    structures, y = data.structures, data.targets["energy"]
    pipeline = make_pipeline(representation("elements"), KernelRidge(**MODELS["elements"]))
    with sklearn.config_context(enable_metadata_routing=True):
        # Scorers of 1.5 to 1.7 do not see what is inside a pipeline.
        if not "1.5" <= sklearn.__version__ < "1.8":
            scores = cross_val_score(
                pipeline, structures, y, params={"structures": structures}, error_score="raise"
            )
            assert scores.min() > 0.9
        pipeline.fit(structures, y, structures=structures)
        assert pipeline.predict(structures, structures=structures).shape == y.shape
        assert pipeline.score(structures, y, structures=structures) > 0.9


def test_requests(data):
    structures, y = data.structures, data.targets["energy"]
    X, model = inputs("elements", structures), KernelRidge(**MODELS["elements"])
    methods = ("fit", "predict", "score")
    for method in methods:
        with pytest.raises(RuntimeError, match="enable_metadata_routing=True"):
            getattr(model, f"set_{method}_request")(structures=True)
    with sklearn.config_context(enable_metadata_routing=True):
        for method in methods:
            request = getattr(model.get_metadata_routing(), method)
            assert request.requests["structures"] is True
        # Under a name of one's own, which clones keep.
        for method in methods:
            assert getattr(model, f"set_{method}_request")(structures="molecules") is model
            assert getattr(model, f"set_{method}_request")() is model
        for other in (model, clone(model)):
            scores = cross_val_score(
                other, X, y, params={"molecules": structures}, error_score="raise"
            )
            assert np.isfinite(scores).all()
        assert KernelRidge().get_metadata_routing().fit.requests == {"structures": True}
        refusing = KernelRidge(**MODELS["elements"]).set_fit_request(structures=False)
        with pytest.raises(ValueError, match='baseline="elements": fit needs structures='):
            cross_val_score(refusing, X, y, params={"structures": structures}, error_score="raise")


@every_model
def test_missing_structures_name_the_way_out(name, data):
    structures, y = data.structures, data.targets["energy"]
    X = inputs(name, structures)
    model = KernelRidge(**MODELS[name])
    hint = r"needs structures=, found None; or give molkern\.regression\.Features\(X, structures\)"
    with pytest.raises(ValueError, match=f"fit {hint} as X, which scikit-learn's model selection"):
        model.fit(X, y)
    model.fit(X, y, structures=structures)
    with pytest.raises(ValueError, match=f"predict {hint}"):
        model.predict(X)
    with pytest.raises(ValueError, match=f"score {hint}"):
        model.score(X, y)


def test_rows_of_atoms_for_a_kernel_of_structures(data):
    structures, y = data.structures, data.targets["energy"]
    atoms = Features(inputs("local", structures), structures)
    for kernel in ("gaussian", "laplacian", "precomputed"):
        message = (
            rf'X: expected one row for each of 60 structures with kernel="{kernel}", found \d+'
        )
        with pytest.raises(ValueError, match=f"{message} rows of atoms"):
            KernelRidge(kernel=kernel, alpha=1e-6).fit(atoms, y)
    rows = Features(inputs("elements", structures), structures)
    with pytest.raises(
        ValueError, match=r"X: expected one row for each of \d+ atoms of the struct"
    ):
        KernelRidge(**MODELS["local"]).fit(rows, y)


# Pipelines from structures


@pytest.mark.parametrize("name", ["local", "local elements", "elements"])
@pytest.mark.parametrize("packed", [True, False])
def test_pipelines_from_structures(name, packed, data):
    structures, y = data.structures, data.targets["energy"]
    given = structures if packed else structures.to_ase()
    model = representation(name).set_output(transform="features")
    pipeline = make_pipeline(model, KernelRidge(**MODELS[name]))
    predicted, scores = by_hand(name, data)
    np.testing.assert_allclose(
        cross_val_score(pipeline, given, y, cv=CV, error_score="raise"), scores, rtol=1e-9
    )
    np.testing.assert_allclose(cross_val_predict(pipeline, given, y, cv=CV), predicted, rtol=1e-8)
    grid = {"acsf__r_cut": [2.5, 4.0], "kernelridge__alpha": [1e-4, 1.0]}
    search = GridSearchCV(pipeline, grid, cv=CV, error_score="raise").fit(given, y)
    assert search.best_score_ >= scores.mean() - 1e-12
    assert search.predict(given[:7]).shape == (7,)
    results = cross_validate(
        pipeline, given, y, cv=CV, scoring=["r2", "neg_mean_absolute_error"], error_score="raise"
    )
    np.testing.assert_allclose(results["test_r2"], scores, rtol=1e-9)


def test_output_of_a_whole_pipeline(data):
    structures, y = data.structures, data.targets["energy"]
    pipeline = make_pipeline(representation("local"), KernelRidge(**MODELS["local elements"]))
    with pytest.raises(
        ValueError, match=r'kernel="local.gaussian": fit needs .*Features\(X, struct'
    ):
        pipeline.fit(structures, y)
    assert pipeline.set_output(transform="features").fit(structures, y).score(structures, y) > 0.9


def test_parallel_search(data):
    structures, y = data.structures, data.targets["energy"]
    features = Features(inputs("local", structures), structures)
    grid = {"sigma": [0.5, 1.0]}
    model = KernelRidge(kernel="local.gaussian", alpha=1e-4, n_threads=1)
    searches = [
        GridSearchCV(model, grid, cv=3, n_jobs=n_jobs, error_score="raise").fit(features, y)
        for n_jobs in (None, 2)
    ]
    for key in ("mean_test_score", "std_test_score"):
        np.testing.assert_array_equal(*(search.cv_results_[key] for search in searches))


def test_split_into_two(data):
    structures, y = data.structures, data.targets["energy"]
    features = Features(inputs("local", structures), structures)
    train, test, y_train, y_test = train_test_split(features, y, random_state=0)
    assert type(train) is type(test) is Features
    model = KernelRidge(**MODELS["local elements"])
    assert model.fit(train, y_train).score(test, y_test) > 0.9
    # Structures alone are divided into lists of single ones, which are accepted everywhere.
    train, test, _, _ = train_test_split(structures, y, random_state=0)
    assert type(train) is list
    pipeline = make_pipeline(representation("local").set_output(transform="features"), clone(model))
    assert pipeline.fit(train, y_train).score(test, y_test) > 0.9
