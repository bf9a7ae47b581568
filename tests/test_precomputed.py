"""Kernel ridge regression with a kernel matrix of the user's own."""

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge as Reference
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score, learning_curve

import molkern as mk
from molkern.regression import DEFAULT_ALPHAS, Features, KernelRidge
from study_data import chains

MESSAGE = 'kernel="precomputed"'


def problem(n=60, m=20, seed=0):
    """A sum of two kernels: among n rows, and between m others and them."""
    rng = np.random.default_rng(seed)
    X, T = rng.uniform(-1, 1, (n, 3)), rng.uniform(-1, 1, (m, 3))

    def kernel(A, B=None):
        wide = mk.kernels.gaussian(A, B, sigma=2.0)
        return 0.7 * wide + 0.3 * mk.kernels.laplacian(A, B, sigma=1.0)

    truth = [np.sin(2 * A[:, 0]) + A[:, 1] * A[:, 2] for A in (X, T)]
    return kernel(X), kernel(T, X), *truth


@pytest.mark.parametrize("baseline", ["none", "mean"])
def test_matches_definition(baseline):
    K, K_test, y, _ = problem()
    model = KernelRidge(kernel="precomputed", alpha=1e-3, baseline=baseline).fit(K, y)
    mean = y.mean() if baseline == "mean" else 0.0
    dual = np.linalg.solve(K + 1e-3 * np.eye(len(K)), y - mean)
    np.testing.assert_allclose(model.dual_coef_, dual, rtol=1e-9)
    np.testing.assert_allclose(model.predict(K_test), K_test @ dual + mean, rtol=1e-9)
    assert (model.sigma_, model.alpha_, model.X_fit_) == (None, 1e-3, None)
    assert model.n_features_in_ == len(K)
    assert model.cv_results_ is None


def test_agrees_with_scikit_learn_and_with_features():
    K, K_test, y, truth = problem()
    targets = np.stack([y, -2 * y], axis=1)
    reference = Reference(kernel="precomputed", alpha=1e-3).fit(K, targets)
    model = KernelRidge(kernel="precomputed", alpha=1e-3).fit(K, targets)
    np.testing.assert_allclose(model.predict(K_test), reference.predict(K_test), rtol=1e-9)
    assert model.score(K_test, np.stack([truth, -2 * truth], 1)) > 0.9
    X = np.random.default_rng(3).normal(size=(50, 4))
    labels = X[:, 0] ** 2
    options = {"alpha": None, "baseline": "mean", "cv": 4, "random_state": 2}
    own = KernelRidge(kernel="laplacian", sigma=2.0, **options).fit(X, labels)
    K = mk.kernels.laplacian(X, sigma=2.0)
    model = KernelRidge(kernel="precomputed", **options).fit(K, labels)
    assert model.alpha_ == own.alpha_
    np.testing.assert_allclose(model.dual_coef_, own.dual_coef_, rtol=1e-8)
    np.testing.assert_allclose(model.cv_results_["score"], own.cv_results_["score"], rtol=1e-8)


@pytest.mark.parametrize("alpha", [None, [1e-6, 1e-3, 1.0]])
def test_alpha_is_chosen(alpha):
    K, K_test, y, truth = problem(n=600)
    noisy = y + 0.1 * np.random.default_rng(0).normal(size=len(y))
    kept = K.copy()
    K.flags.writeable = False
    model = KernelRidge(kernel="precomputed", alpha=alpha).fit(K, noisy)
    np.testing.assert_array_equal(K, kept)
    assert model.alpha_ in (DEFAULT_ALPHAS if alpha is None else alpha)
    assert model.sigma_ is None
    assert np.isnan(model.cv_results_["sigma"]).all()
    assert set(model.cv_results_["n_train"]) == {150, 600}
    assert set(model.cv_results_["alpha"]) <= set(DEFAULT_ALPHAS if alpha is None else alpha)
    assert model.score(K_test, truth) > 0.98


@pytest.mark.parametrize("alpha", [1e-6, None])
def test_matrix_is_not_overwritten(alpha):
    K, _, y, _ = problem()
    kept = K.copy()
    for matrix in (K, np.asfortranarray(K), K.astype("float32"), K.tolist()):
        KernelRidge(kernel="precomputed", alpha=alpha).fit(matrix, y)
        np.testing.assert_allclose(matrix, kept, rtol=1e-6)
    np.testing.assert_array_equal(K, kept)


@pytest.mark.parametrize("alpha", [1e-6, None])
def test_baseline_of_elements(alpha):
    data = chains()
    y, structures = data.targets["energy"], data.structures
    X = mk.BagOfBonds().fit_transform(structures)
    K = mk.kernels.laplacian(X, sigma=50.0)
    options = {"alpha": alpha, "baseline": "elements"}
    model = KernelRidge(kernel="precomputed", **options)
    own = KernelRidge(sigma=50.0, **options).fit(X[:40], y[:40], structures=structures[:40])
    model.fit(K[:40, :40], y[:40], structures=structures[:40])
    found = model.predict(K[40:, :40], structures=structures[40:])
    expected = own.predict(X[40:], structures=structures[40:])
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    with pytest.raises(ValueError, match='baseline="elements": predict needs structures='):
        model.predict(K[40:, :40])
    features = Features(K, structures)
    scores = cross_val_score(KernelRidge(kernel="precomputed", **options), features, y, cv=3)
    assert scores.min() > 0.9


def test_model_selection_divides_rows_and_columns():
    K, K_test, y, truth = problem()
    model = KernelRidge(kernel="precomputed")
    search = GridSearchCV(model, {"alpha": [1e-8, 1e-4, 1.0]}, cv=3, error_score="raise").fit(K, y)
    reference = GridSearchCV(Reference(kernel="precomputed"), {"alpha": [1e-8, 1e-4, 1.0]}, cv=3)
    reference.fit(K, y)
    key = "mean_test_score"
    np.testing.assert_allclose(search.cv_results_[key], reference.cv_results_[key], rtol=1e-6)
    assert search.score(K_test, truth) > 0.9
    model.set_params(alpha=1e-4)
    assert cross_val_score(model, K, y, cv=3, error_score="raise").min() > 0.9
    assert cross_val_predict(model, K, y, cv=3).shape == y.shape
    learning_curve(model, K, y, cv=3, train_sizes=[10, 40], error_score="raise")
    # Features have rows alone.
    X = np.random.default_rng(0).normal(size=(60, 3))
    assert np.isfinite(cross_val_score(KernelRidge(sigma=1.0, alpha=1e-4), X, y, cv=3)).all()


def test_tags():
    tags = pytest.importorskip("sklearn.utils", reason="scikit-learn").__dict__.get("get_tags")
    for kernel in ("gaussian", "precomputed"):
        model = KernelRidge(kernel=kernel)
        assert model._more_tags()["pairwise"] == (kernel == "precomputed")
        if tags is not None:
            assert tags(model).input_tags.pairwise == (kernel == "precomputed")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"sigma": 1.0}, f"sigma: expected None with {MESSAGE}, whose width .* found 1.0"),
        ({"sigma": [1.0, 2.0]}, rf"sigma: expected None with {MESSAGE}, .* found \[1.0, 2.0\]"),
        ({"n_copies": 2}, f"n_copies: expected 1 with {MESSAGE}, found 2"),
        ({"alpha": None, "cv": 61}, "cv: choosing alpha in 61 folds needs as many structures, fo"),
    ],
)
def test_wrong_parameters_raise(parameters, message):
    K, _, y, _ = problem()
    with pytest.raises(ValueError, match=message):
        KernelRidge(kernel="precomputed", **{"alpha": 1e-6} | parameters).fit(K, y)


def test_wrong_matrices_raise():
    K, K_test, y, _ = problem()
    model = KernelRidge(kernel="precomputed", alpha=1e-6)
    with pytest.raises(
        ValueError, match=rf"X: expected the kernel .* \(n, n\), with {MESSAGE}, fou"
    ):
        model.fit(K[:, :-1], y)
    with pytest.raises(ValueError, match=r"X: expected shape \(n, n_features\), found \(60,\)"):
        model.fit(K[0], y)
    with pytest.raises(ValueError, match="X: expected at least one structure to learn from"):
        model.fit(K[:0, :0], y[:0])
    with pytest.raises(ValueError, match=r"y: expected shape \(60,\)"):
        model.fit(K, y[:-1])
    for bad in (np.nan, np.inf):
        wrong = K.copy()
        wrong[7, 3] = bad
        with pytest.raises(ValueError, match=r"X: expected finite values, found .* in row 7"):
            model.fit(wrong, y)
    wrong = K.copy()
    wrong[41, 5], wrong[7, 9] = 0.25, 0.5
    message = (
        "X: expected a symmetric kernel matrix, found .* in row 5, column 41 and 0.25 in row 41"
    )
    with pytest.raises(ValueError, match=message):
        model.fit(wrong, y)
    model.fit(K, y)
    with pytest.raises(ValueError, match="X: expected 60 columns, one for each training structure"):
        model.predict(K_test[:, :-1])
    with pytest.raises(ValueError, match="60 structures is not positive definite with alpha=1e-06"):
        model.fit(K - 2 * np.eye(60), y)
    with pytest.raises(
        ValueError, match=r"kernel: expected one of .*'precomputed'\), found 'linear'"
    ):
        KernelRidge(kernel="linear").fit(K, y)


def test_rounding_is_no_asymmetry():
    K, _, y, _ = problem()
    rng = np.random.default_rng(0)
    for scale in (1.0, 1e-30, 1e30):
        single = (scale * K).astype("float32") * (1 + 1e-6 * rng.normal(size=K.shape))
        assert (single != single.T).any()
        KernelRidge(kernel="precomputed", alpha=1e-2 * scale).fit(single, y)
        single[3, 2] *= 1.001
        with pytest.raises(ValueError, match=r"in row 2, column 3 and .* in row 3, column 2"):
            KernelRidge(kernel="precomputed", alpha=1e-2 * scale).fit(single, y)


def test_studies_do_not_offer_it():
    from molkern.regression import KERNELS
    from molkern.study import accuracy

    assert KERNELS == ("gaussian", "laplacian", "local.gaussian")
    with pytest.raises(
        ValueError, match=r"kernel: expected one of .*'local.gaussian'\), found 'pre"
    ):
        accuracy(chains(), mk.BagOfBonds(), kernel="precomputed", sizes=[10])
