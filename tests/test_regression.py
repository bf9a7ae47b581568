"""KernelRidge: numbers against plain NumPy, scikit-learn's protocol, wrong input."""

import subprocess
import sys

import numpy as np
import pytest

import molkern as mk
from molkern.regression import DEFAULT_ALPHAS, KernelRidge

GRID = [0.5, 1.0, 2.0, 4.0]


def problem(n=60, n_features=3, seed=0, n_targets=None):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (n, n_features))
    y = np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2]
    if n_targets is not None:
        y = np.stack([y * (k + 1) + k for k in range(n_targets)], axis=1)
    return X, y


def molecules(n=40, seed=1):
    """Chains of H, C and O with random gaps."""
    rng = np.random.default_rng(seed)
    pairs = []
    for _ in range(n):
        numbers = rng.choice([1, 6, 8], rng.integers(2, 6))
        gaps = rng.uniform(0.9, 1.6, len(numbers))
        pairs.append((numbers, np.outer(np.cumsum(gaps), [1.0, 0.0, 0.0])))
    return mk.Structures.from_arrays(pairs)


def plain_kernel(kernel, X, Y, sigma):
    difference = X[:, None] - Y
    if kernel == "laplacian":
        return np.exp(-np.abs(difference).sum(axis=-1) / sigma)
    return np.exp(-(difference**2).sum(axis=-1) / (2 * sigma**2))


@pytest.mark.parametrize("kernel", ["laplacian", "gaussian"])
def test_matches_definition(kernel):
    X, y = problem()
    test, _ = problem(n=20, seed=5)
    model = KernelRidge(kernel=kernel, sigma=1.3, alpha=1e-6, baseline="mean").fit(X, y)
    K = plain_kernel(kernel, X, X, 1.3) + 1e-6 * np.eye(len(X))
    dual = np.linalg.solve(K, y - y.mean())
    expected = plain_kernel(kernel, test, X, 1.3) @ dual + y.mean()
    # The condition number of K, up to 1e8 for the Gaussian, multiplies one rounding.
    np.testing.assert_allclose(model.predict(test), expected, rtol=0, atol=1e-8)
    assert model.sigma_ == 1.3
    assert model.alpha_ == 1e-6
    assert model.cv_results_ is None


def test_agrees_with_scikit_learn():
    from sklearn.kernel_ridge import KernelRidge as Reference

    X, y = problem()
    test, _ = problem(n=20, seed=5)
    reference = Reference(kernel="laplacian", gamma=1 / 1.7, alpha=1e-3).fit(X, y)
    model = KernelRidge(sigma=1.7, alpha=1e-3).fit(X, y)
    np.testing.assert_allclose(model.predict(test), reference.predict(test), rtol=1e-9)
    np.testing.assert_allclose(model.dual_coef_, reference.dual_coef_, rtol=1e-8)


def test_cross_validation_matches_brute_force():
    X, y = problem(n=50)
    alphas = [1e-8, 1e-4, 1e-1]
    model = KernelRidge(sigma=GRID, alpha=alphas, baseline="mean", cv=4, random_state=3).fit(X, y)
    order = np.random.default_rng(3).permutation(50)
    folds = np.split(order, np.linspace(0, 50, 5).astype(int)[1:-1])
    scores = {}
    for sigma in GRID:
        for alpha in alphas:
            errors = []
            for fold in folds:
                kept = np.setdiff1d(order, fold)
                mean = y[kept].mean()
                K = plain_kernel("laplacian", X[kept], X[kept], sigma) + alpha * np.eye(len(kept))
                dual = np.linalg.solve(K, y[kept] - mean)
                predicted = plain_kernel("laplacian", X[fold], X[kept], sigma) @ dual + mean
                errors.append(np.abs(predicted - y[fold]))
            spread = np.abs(y - np.median(y)).mean()
            scores[sigma, alpha] = np.concatenate(errors).mean() / spread
    found = model.cv_results_
    assert len(found["score"]) == len(scores)
    for sigma, alpha, score in zip(found["sigma"], found["alpha"], found["score"], strict=True):
        np.testing.assert_allclose(score, scores[sigma, alpha], rtol=1e-6)
    assert (model.sigma_, model.alpha_) == min(scores, key=scores.get)


def test_default_grids_find_a_good_model():
    X, y = problem(n=200)
    test, truth = problem(n=50, seed=9)
    model = KernelRidge(kernel="gaussian").fit(X, y)
    assert model.score(test, truth) > 0.999
    assert model.alpha_ in DEFAULT_ALPHAS
    assert np.log2(model.sigma_) == int(np.log2(model.sigma_))


def test_several_targets_share_one_factorisation():
    X, y = problem(n_targets=3)
    test, _ = problem(n=7, seed=2)
    together = KernelRidge(sigma=1.0, alpha=1e-4, baseline="mean").fit(X, y)
    assert together.predict(test).shape == (7, 3)
    assert together.dual_coef_.shape == y.shape
    for k in range(3):
        alone = KernelRidge(sigma=1.0, alpha=1e-4, baseline="mean").fit(X, y[:, k])
        assert alone.predict(test).shape == (7,)
        np.testing.assert_allclose(together.predict(test)[:, k], alone.predict(test), rtol=1e-10)


def test_baseline_elements_is_exact_for_sums_over_atoms():
    structures = molecules()
    counts = structures.composition()
    energies = np.array([-0.5, -37.8, -75.0])
    y = counts @ energies
    X = mk.CoulombMatrix().fit_transform(structures)
    model = KernelRidge(sigma=100.0, alpha=1e-6, baseline="elements")
    model.fit(X[:30], y[:30], structures=structures[:30])
    np.testing.assert_allclose(model.baseline_.coefficients[:, 0], energies, rtol=1e-10)
    predicted = model.predict(X[30:], structures=structures[30:])
    np.testing.assert_allclose(predicted, y[30:], rtol=1e-9)


def test_copies_are_averaged_over_all_pairs():
    rng = np.random.default_rng(4)
    X, Y, y = rng.normal(size=(12, 6)), rng.normal(size=(5, 6)), rng.normal(size=12)
    model = KernelRidge(sigma=2.0, alpha=1e-3, n_copies=3).fit(X, y)

    def averaged(A, B):
        parts = [
            plain_kernel("laplacian", a, b, 2.0)
            for a in np.split(A, 3, axis=1)
            for b in np.split(B, 3, axis=1)
        ]
        return np.mean(parts, axis=0)

    dual = np.linalg.solve(averaged(X, X) + 1e-3 * np.eye(12), y)
    np.testing.assert_allclose(model.dual_coef_, dual, rtol=1e-9)
    np.testing.assert_allclose(model.predict(Y), averaged(Y, X) @ dual, rtol=1e-9)


def test_copies_are_searched_too():
    structures = molecules(60)
    y = structures.sizes + 0.1 * np.arange(60) % 3
    X = mk.CoulombMatrix(permutation="random", n_copies=4, random_state=0)
    X = X.fit_transform(structures)
    model = KernelRidge(n_copies=4, baseline="mean").fit(X, y)
    assert np.isfinite(model.cv_results_["score"]).any()
    assert model.predict(X).shape == (60,)


def test_predictions_do_not_depend_on_blocks(monkeypatch):
    X, y = problem()
    test, _ = problem(n=33, seed=6)
    model = KernelRidge(sigma=1.0, alpha=1e-6).fit(X, y)
    whole = model.predict(test)
    monkeypatch.setattr("molkern.regression.linear.BLOCK_BYTES", 1)
    # Matrix-vector products of other shapes: rounding only.
    np.testing.assert_allclose(model.predict(test), whole, rtol=0, atol=1e-9)
    np.testing.assert_allclose([model.predict(row[None])[0] for row in test], whole, atol=1e-9)


def test_search_is_deterministic_and_leaves_inputs_alone():
    X, y = problem(n=80)
    X_before, y_before = X.copy(), y.copy()
    models = [KernelRidge(baseline="mean", n_threads=1).fit(X, y) for _ in range(2)]
    np.testing.assert_array_equal(models[0].dual_coef_, models[1].dual_coef_)
    np.testing.assert_array_equal(X, X_before)
    np.testing.assert_array_equal(y, y_before)


# scikit-learn's protocol


def test_clone_and_parameters():
    from sklearn.base import clone

    model = KernelRidge(kernel="gaussian", sigma=[1.0, 2.0], alpha=1e-5, baseline="mean", cv=3)
    copy = clone(model)
    assert copy is not model
    assert copy.get_params() == model.get_params()
    assert not hasattr(copy, "dual_coef_")
    assert model.set_params(sigma=3.0) is model
    assert model.sigma == 3.0
    with pytest.raises(ValueError, match="KernelRidge has no parameter 'gamma'"):
        model.set_params(gamma=1.0)


def test_repr_shows_what_was_changed():
    assert repr(KernelRidge()) == "KernelRidge()"
    assert repr(KernelRidge(sigma=2.0, cv=3)) == "KernelRidge(sigma=2.0, cv=3)"


def test_pipeline_and_grid_search():
    from sklearn.base import is_regressor
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X, y = problem(n=60)
    model = KernelRidge(kernel="gaussian", sigma=1.0, alpha=1e-6)
    assert is_regressor(model)
    pipeline = make_pipeline(StandardScaler(), model).fit(X, y)
    assert pipeline.score(X, y) > 0.999
    grid = {"kernelridge__sigma": GRID, "kernelridge__alpha": [1e-8, 1e-2]}
    search = GridSearchCV(make_pipeline(StandardScaler(), model), grid, cv=3).fit(X, y)
    assert search.best_score_ > 0.98
    assert set(search.best_params_) == set(grid)
    assert cross_val_score(model, X, y, cv=3).shape == (3,)
    assert GridSearchCV(model, {"sigma": GRID}, cv=3).fit(X, np.stack([y, -y], 1)).best_score_ > 0.9


def test_pipeline_from_structures():
    from sklearn.pipeline import make_pipeline

    structures = molecules()
    y = structures.composition()[:, 0].astype(float)
    pipeline = make_pipeline(mk.CoulombMatrix(), KernelRidge(sigma=100.0, alpha=1e-8))
    assert pipeline.fit(structures, y).predict(structures).shape == (40,)


@pytest.mark.parametrize("packed", [True, False])
def test_grid_search_over_a_representation(packed):
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline

    structures = molecules()
    y = structures.composition()[:, 0].astype(float)
    pipeline = make_pipeline(mk.CoulombMatrix(size=5), KernelRidge(alpha=1e-8))
    grid = {
        "coulombmatrix__permutation": ["row_norm", "eigenspectrum"],
        "kernelridge__sigma": [10.0, 100.0],
    }
    search = GridSearchCV(pipeline, grid, cv=3, error_score="raise")
    search.fit(structures if packed else list(structures), y)
    assert len(search.cv_results_["params"]) == 4
    assert search.predict(structures).shape == (40,)


def test_scikit_learn_is_not_imported():
    code = (
        "import sys, numpy as np, molkern.regression as r\n"
        "x = np.arange(12.0).reshape(12, 1)\n"
        "r.KernelRidge(cv=3).fit(x, x[:, 0]).predict(x)\n"
        "assert 'sklearn' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# Limits and wrong input


def test_one_structure():
    model = KernelRidge(sigma=1.0, alpha=0.0, baseline="mean").fit([[1.0, 2.0]], [3.0])
    np.testing.assert_array_equal(model.predict([[1.0, 2.0], [9.0, 9.0]]), [3.0, 3.0])
    with pytest.raises(ValueError, match=r"cv: .* in 5 folds needs as many .* found 1; or"):
        KernelRidge().fit([[1.0, 2.0]], [3.0])


@pytest.mark.parametrize("baseline", ["none", "mean"])
def test_constant_target(baseline):
    X, y = problem()
    model = KernelRidge(baseline=baseline).fit(X, np.full(len(y), 7.0))
    tolerance = 0.0 if baseline == "mean" else 0.5
    np.testing.assert_allclose(model.predict(X), 7.0, atol=tolerance)
    if baseline == "mean":  # Every point of the grid is perfect: the smoothest model is taken.
        assert model.alpha_ == max(DEFAULT_ALPHAS)
        assert model.score(X, np.full(len(y), 7.0)) == 1.0


def test_duplicate_structures():
    X, y = problem(n=30)
    X, y = np.concatenate([X, X]), np.concatenate([y, y])
    model = KernelRidge(kernel="gaussian").fit(X, y)
    assert np.abs(model.predict(X) - y).max() < 1e-3


def test_identical_structures_only():
    model = KernelRidge(baseline="mean").fit(np.ones((20, 3)), np.arange(20.0))
    assert np.isfinite(model.predict(np.ones((1, 3)))).all()


def test_not_positive_definite_names_alpha():
    X = np.zeros((20, 3))
    with pytest.raises(
        np.linalg.LinAlgError, match="20 structures is not positive definite with alpha=0"
    ):
        KernelRidge(sigma=1.0, alpha=0.0).fit(X, np.arange(20.0))
    with pytest.raises(ValueError, match=r"positive definite for alpha in \[0\.0\]"):
        KernelRidge(sigma=[1.0, 2.0], alpha=0.0).fit(X, np.arange(20.0))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"kernel": "linear"}, "kernel: expected one of .*, found 'linear'"),
        ({"baseline": "median"}, "baseline: expected one of .*, found 'median'"),
        ({"sigma": 0.0}, "sigma: expected finite numbers > 0, found 0.0"),
        ({"sigma": [1.0, -1.0]}, r"sigma: expected finite numbers > 0, found \[1.0, -1.0\]"),
        ({"sigma": []}, "sigma: expected finite numbers > 0"),
        ({"sigma": np.nan}, "sigma: expected finite numbers > 0, found nan"),
        ({"alpha": -1e-9}, "alpha: expected finite numbers >= 0, found -1e-09"),
        ({"n_copies": 0}, "n_copies: expected an integer of 1 or more, found 0"),
        ({"n_copies": 2}, "multiple of n_copies=2 columns, found 3"),
        ({"cv": 1}, "cv: expected an integer of 2 or more, found 1"),
        ({"cv": 61}, "cv: .* in 61 folds needs as many structures, found 60; or"),
    ],
)
def test_wrong_parameter_raises(parameters, message):
    with pytest.raises(ValueError, match=message):
        KernelRidge(**parameters).fit(*problem())


def test_wrong_type_raises():
    with pytest.raises(TypeError, match="sigma: expected numbers > 0 or None, found 'wide'"):
        KernelRidge(sigma="wide").fit(*problem())
    for cv, found in (("a", "'a'"), (2.5, "2.5"), (None, "None")):
        with pytest.raises(TypeError, match=f"cv: expected an integer of 2 or more, found {found}"):
            KernelRidge(cv=cv).fit(*problem())
    for name in ("sigma", "alpha"):
        for wrong in (True, "1", [1.0, "2"], [False]):
            with pytest.raises(TypeError, match=f"{name}: expected numbers .* or None, found"):
                KernelRidge(**{name: wrong}).fit(*problem())
    with pytest.raises(TypeError, match=r"n_copies: expected an integer of 1 or more, found 1\.0"):
        KernelRidge(n_copies=1.0).fit(*problem())


def test_wrong_type_of_data_raises():
    X, y = problem()
    model, structures = KernelRidge(sigma=1.0, alpha=1e-6), molecules()
    match = r"X: expected features, e\.g\. BagOfBonds\(\)\.fit_transform\(structures\), found Str"
    with pytest.raises(TypeError, match=match):
        model.fit(structures, y)
    with pytest.raises(TypeError, match="y: expected labels, found Structures"):
        model.fit(X, structures)
    for wrong in (None, "energy", {"a": 1}, X * 1j, X.astype(str)):
        with pytest.raises(TypeError, match="X: expected an array of real numbers, found type"):
            model.fit(wrong, y)
        with pytest.raises(TypeError, match="y: expected an array of real numbers, found type"):
            model.fit(X, wrong)
    with pytest.raises(ValueError, match="X: expected an array, found rows of different shapes"):
        model.fit([[1.0], [1.0, 2.0]], [1.0, 2.0])
    listed = model.fit(X.tolist(), y.tolist()).predict(X)
    np.testing.assert_array_equal(listed, model.fit(X, y).predict(X))


def test_wrong_data_raises():
    X, y = problem()
    model = KernelRidge(sigma=1.0, alpha=1e-6)
    bad_y, bad_X = y.copy(), X.copy()
    bad_y[17], bad_X[3, 1] = np.nan, np.inf
    with pytest.raises(ValueError, match=r"y: expected finite values, found NaN .* in row 17"):
        model.fit(X, bad_y)
    with pytest.raises(ValueError, match=r"X: expected finite values, found NaN .* in row 3"):
        model.fit(bad_X, y)
    with pytest.raises(ValueError, match=r"y: expected shape \(60,\) or .*, found \(59,\)"):
        model.fit(X, y[:-1])
    for nothing in (model, KernelRidge()):
        with pytest.raises(ValueError, match="X: expected at least one structure to learn from"):
            nothing.fit(X[:0], y[:0])
    with pytest.raises(ValueError, match=r"X: expected shape \(n, n_features\), found \(60,\)"):
        model.fit(X[:, 0], y)
    with pytest.raises(ValueError, match="not fitted: call fit first"):
        KernelRidge().predict(X)
    with pytest.raises(ValueError, match="X: expected 3 features as in fit, found 2"):
        model.fit(X, y).predict(X[:, :2])


def test_baseline_elements_errors():
    structures = molecules()
    X, y = np.random.default_rng(0).normal(size=(40, 2)), np.arange(40.0)
    model = KernelRidge(sigma=1.0, alpha=1e-6, baseline="elements")
    with pytest.raises(ValueError, match='baseline="elements": fit needs structures=, found None'):
        model.fit(X, y)
    with pytest.raises(ValueError, match="structures: expected 40 as rows of X, found 39"):
        model.fit(X, y, structures=structures[:39])
    model.fit(X, y, structures=structures)
    with pytest.raises(ValueError, match='"elements": predict needs structures=, found None'):
        model.predict(X)
    with pytest.raises(ValueError, match='"elements": score needs structures=, found None'):
        model.score(X, y)
    iodine = mk.Structures.from_arrays([([1], np.zeros((1, 3))), ([53], np.zeros((1, 3)))])
    with pytest.raises(ValueError, match="molecule 1 contains I, which the training set lacks"):
        model.predict(X[:2], structures=iodine)
