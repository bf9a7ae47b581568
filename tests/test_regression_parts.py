"""The parts that KernelRidge and studies share: solve, tune, baselines, similarity."""

import numpy as np
import pytest

from molkern import kernels
from molkern.regression import (
    Similarity,
    default_sigmas,
    fit_baseline,
    predict_in_blocks,
    solve,
    tune,
)
from molkern.regression.linear import solve_with_larger_alpha
from molkern.regression.validation import alpha_of_larger_set


def gaussian_gram(x):
    squares = (x[:, None] - x) ** 2
    return lambda m, sigma: np.exp(-squares[:m, :m] / (2 * sigma**2))


def noisy_line(n, seed=0, noise=0.1):
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 10, n)
    return x, (np.sin(x) + noise * rng.normal(size=n))[:, None]


def test_solve_is_in_place_and_needs_one_triangle():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(30, 30))
    K = A @ A.T + np.eye(30)
    y = rng.normal(size=(30, 2))
    expected = np.linalg.solve(K + 0.5 * np.eye(30), y)
    gram = np.triu(K) + np.tril(np.full_like(K, np.nan), -1)
    np.testing.assert_allclose(solve(gram, y, 0.5), expected, rtol=1e-10)
    # The factor stands where the matrix was: no second n x n array.
    factor = np.linalg.cholesky(K + 0.5 * np.eye(30))
    np.testing.assert_allclose(np.triu(gram), factor.T, rtol=1e-10)


def test_solve_rejects_a_wrong_shape():
    with pytest.raises(ValueError, match=r"gram: expected shape \(3, 3\), found \(2, 2\)"):
        solve(np.eye(2), np.zeros((3, 1)), 0.0)


def test_alpha_grows_until_positive_definite():
    """Folds may allow an alpha that the whole training set does not."""
    y, alphas = np.ones((5, 1)), [0.0, 1e-3, 1.0]
    coefficients, alpha = solve_with_larger_alpha(lambda: np.ones((5, 5)), y, alphas)
    assert alpha == 1e-3
    np.testing.assert_allclose(coefficients, 1 / (5 + 1e-3), rtol=1e-10)
    with pytest.raises(ValueError, match="not positive definite with alpha=0"):
        solve_with_larger_alpha(lambda: np.ones((5, 5)), y, [0.0])


def test_predict_in_blocks_covers_all_rows():
    rng = np.random.default_rng(0)
    K, coefficients = rng.normal(size=(11, 4)), rng.normal(size=(4, 2))
    result = predict_in_blocks(lambda rows: K[rows], 11, coefficients)
    np.testing.assert_allclose(result, K @ coefficients, rtol=1e-13)
    assert predict_in_blocks(lambda rows: K[rows], 0, coefficients).shape == (0, 2)


def test_baselines_match_definition():
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 5, (20, 3))
    y = rng.normal(size=(20, 2))
    none, mean, elements = (fit_baseline(kind, y, counts) for kind in ("none", "mean", "elements"))
    np.testing.assert_array_equal(none.predict(20, counts), np.zeros((20, 2)))
    np.testing.assert_array_equal(mean.predict(20), np.repeat(y.mean(axis=0)[None], 20, axis=0))
    normal = np.linalg.solve(counts.T @ counts, counts.T @ y)
    np.testing.assert_allclose(elements.coefficients, normal, rtol=1e-10)
    np.testing.assert_allclose(elements.predict(20, counts), counts @ normal, rtol=1e-10)


def test_baseline_elements_of_isomers_is_the_mean():
    counts = np.repeat([[2, 6, 1]], 8, axis=0)
    y = np.arange(8.0)[:, None]
    predicted = fit_baseline("elements", y, counts).predict(8, counts)
    np.testing.assert_allclose(predicted, 3.5, rtol=1e-12)


def test_baseline_gives_nothing_to_an_absent_element():
    counts = np.array([[1, 0], [2, 0]])
    base = fit_baseline("elements", np.array([[3.0], [6.0]]), counts)
    np.testing.assert_allclose(base.coefficients[:, 0], [3.0, 0.0], atol=1e-14)


def test_baseline_errors():
    y = np.zeros((3, 1))
    with pytest.raises(ValueError, match=r"baseline: expected one of .*, found 'linear'"):
        fit_baseline("linear", y)
    with pytest.raises(ValueError, match="needs the counts of elements"):
        fit_baseline("elements", y)
    with pytest.raises(ValueError, match=r"counts: expected shape \(3, n_species\), found \(2,"):
        fit_baseline("elements", y, np.ones((2, 1)))
    with pytest.raises(ValueError, match=r"counts: expected 1 species .*, found 2"):
        fit_baseline("elements", y, np.ones((3, 1))).predict(3, np.ones((3, 2)))


@pytest.mark.parametrize("seed", range(3))
def test_search_on_a_large_set_is_close_to_the_whole_grid(seed):
    x, y = noisy_line(700, seed=seed)
    gram, sigmas = gaussian_gram(x), default_sigmas(3.0)
    quick = tune(gram, y, sigmas=sigmas, baseline="mean")
    full = tune(gram, y, sigmas=sigmas, baseline="mean", full=True)
    assert {row[0] for row in quick.table} == {175, 700}
    assert full.score <= quick.score <= 1.02 * full.score
    assert sum(row[0] == 700 for row in quick.table) < len(full.table) / 2


@pytest.mark.parametrize("seed", [1, 5])
def test_a_part_that_teaches_nothing_does_not_choose_sigma(seed):
    """Waves that a quarter of the set cannot tell from noise, and the whole of it can."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 10, 700)
    y = np.sin(2 * np.pi * x / 0.04)[:, None]
    gram, sigmas = gaussian_gram(x), default_sigmas(0.1)
    quick = tune(gram, y, sigmas=sigmas, baseline="mean")
    spread = np.abs(y - np.median(y)).mean()
    of_mean = np.abs(y[:175] - y[:175].mean()).mean() / spread
    assert min(row[3] for row in quick.table if row[0] == 175) > 0.9 * of_mean
    full = tune(gram, y, sigmas=sigmas, baseline="mean", full=True)
    assert (quick.sigma, quick.alpha, quick.score) == (full.sigma, full.alpha, full.score)
    assert full.score < 0.75 * np.abs(y - y.mean()).mean() / spread


def test_levels_keep_to_the_grid_and_reach_all_structures():
    x, y = noisy_line(40)
    tuned = tune(gaussian_gram(x), y, sigmas=[2.0, 1.0], alphas=[1e-1, 1e-3], cv=4)
    assert {row[:3] for row in tuned.table} == {
        (40, sigma, alpha) for sigma in (1.0, 2.0) for alpha in (1e-3, 1e-1)
    }
    assert tuned.score == min(row[3] for row in tuned.table)


@pytest.mark.parametrize("seed", range(3))
def test_narrower_kernel_for_larger_sets_costs_two_percent_at_most(seed):
    x, y = noisy_line(120, seed=seed)
    tuned = tune(gaussian_gram(x), y, sigmas=[0.25 * 1.2**k for k in range(20)])
    scores = {row[1:3]: row[3] for row in tuned.table}
    assert tuned.sigma_larger < tuned.sigma  # A fine grid on a flat minimum.
    assert tuned.score < scores[tuned.sigma_larger, tuned.alpha_larger] <= 1.02 * tuned.score
    next_smaller = max(sigma for sigma, _ in scores if sigma < tuned.sigma_larger)
    assert scores[next_smaller, tuned.alpha_larger] > 1.02 * tuned.score


def test_noise_asks_for_alpha():
    x, clean = noisy_line(100, noise=0.0)
    _, noisy = noisy_line(100, noise=0.5)
    quiet = tune(gaussian_gram(x), clean, sigmas=[1.0], alphas=[1e-8, 1.0])
    loud = tune(gaussian_gram(x), noisy, sigmas=[1.0], alphas=[1e-8, 1.0])
    assert (quiet.alpha, loud.alpha) == (1e-8, 1.0)


@pytest.mark.parametrize(("noise", "start"), [(0.0, 1e-2), (0.1, 1e-5), (0.3, 1e-1)])
def test_alpha_of_a_larger_set_is_the_best_of_its_last_fold(noise, start):
    """By definition: downhill on the error of the last fifth, with the baseline of the rest."""
    x, y = noisy_line(200, noise=noise)
    y = y + 3.0
    kernel = gaussian_gram(x)(200, 1.0)
    mean = y[:160].mean()

    def error(alpha):
        inverse = np.linalg.inv(kernel[:160, :160] + alpha * np.eye(160))
        return np.abs(kernel[160:, :160] @ inverse @ (y[:160] - mean) + mean - y[160:]).mean()

    alphas = [1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1]
    expected = start
    while True:
        i = alphas.index(expected)
        best = min(alphas[max(0, i - 1) : i + 2], key=error)
        if error(best) >= 0.999 * error(expected):
            break
        expected = best
    before = kernel.copy()
    found = alpha_of_larger_set(kernel, y, alpha=start, alphas=alphas, baseline="mean")
    assert found == expected != start
    np.testing.assert_array_equal(kernel, before)


def test_alpha_of_a_larger_set_leaves_what_is_not_positive_definite():
    x, y = noisy_line(80)
    kernel = gaussian_gram(x)(80, 4.0) - 1e-9 * np.eye(80)
    assert alpha_of_larger_set(kernel, y, alpha=1e-10, alphas=[1e-12, 1e-10, 1e-8]) == 1e-8
    with pytest.raises(ValueError, match=r"alpha: expected one of \[0\.1\], found 0\.2"):
        alpha_of_larger_set(kernel, y, alpha=0.2, alphas=[0.1])


def test_one_target_of_large_numbers_does_not_decide_alone():
    x, y = noisy_line(60)
    both = np.concatenate([y, 1e6 * y], axis=1)
    alone = tune(gaussian_gram(x), y, sigmas=default_sigmas(3.0))
    together = tune(gaussian_gram(x), both, sigmas=default_sigmas(3.0))
    assert (alone.sigma, alone.alpha) == (together.sigma, together.alpha)
    np.testing.assert_allclose(alone.score, together.score, rtol=1e-6)


def test_indefinite_points_are_passed_over():
    x = np.repeat(np.linspace(0, 3, 10), 2)
    y = np.sin(x)[:, None]
    order = np.random.default_rng(0).permutation(20)
    tuned = tune(gaussian_gram(x[order]), y[order], sigmas=[3.0], alphas=[0.0, 1e-6])
    assert tuned.alpha == 1e-6
    assert np.isinf([row[3] for row in tuned.table if row[2] == 0.0]).all()


def test_tune_errors():
    x, y = noisy_line(4)
    with pytest.raises(ValueError, match="cv=5: expected 2 <= cv <= 4 structures"):
        tune(gaussian_gram(x), y, sigmas=[1.0])
    with pytest.raises(ValueError, match="sigmas and alphas: expected at least one value"):
        tune(gaussian_gram(x), y, sigmas=[], cv=2)


@pytest.mark.parametrize("median", [0.0, np.nan, np.inf])
def test_default_sigmas_without_a_scale(median):
    assert default_sigmas(median) == tuple(2.0**k for k in range(-3, 10))


@pytest.mark.parametrize("n_copies", [1, 2])
@pytest.mark.parametrize("kernel", ["gaussian", "laplacian"])
def test_similarity_is_the_kernel_however_it_is_computed(kernel, n_copies):
    X = np.random.default_rng(0).normal(size=(30, 4))
    function = getattr(kernels, kernel)
    rows, columns = np.array([5, 2, 29, 11]), np.array([0, 7, 2])
    sigmas = (1.0, 4.0)
    for max_bytes in (2**30, 500, 0):
        similarity = Similarity(X, kernel=kernel, n_copies=n_copies, max_bytes=max_bytes)
        for held in ((), sigmas):
            if held:
                similarity.hold(held)
            for sigma in sigmas:
                expected = function(X, sigma=sigma, n_copies=n_copies)
                # Gaussian: distances by a product, 1e-16 of the squared norms.
                check = dict(rtol=1e-12, atol=1e-12)
                gram = similarity.gram(rows, sigma)
                np.testing.assert_allclose(gram, expected[np.ix_(rows, rows)], **check)
                gram[:] = np.nan  # The caller may overwrite it.
                cross = similarity.cross(rows, columns, sigma)
                np.testing.assert_allclose(cross, expected[np.ix_(rows, columns)], **check)
                for m in (2, 4):
                    part = similarity.gram_for_tuning(rows, sigmas)(m, sigma)
                    inside = expected[np.ix_(rows[:m], rows[:m])]
                    np.testing.assert_allclose(part, inside, **check)


def test_kernel_matrices_for_tuning_are_computed_once_while_they_fit(monkeypatch):
    X = np.random.default_rng(0).normal(size=(10, 4))
    similarity = Similarity(X, kernel="laplacian", n_copies=2, max_bytes=1700)
    asked = []
    direct = similarity._direct
    monkeypatch.setattr(similarity, "_direct", lambda *a: asked.append(a[2]) or direct(*a))
    gram = similarity.gram_for_tuning(np.arange(10), (1.0, 2.0, 4.0))
    for sigma in (1.0, 2.0, 1.0, 2.0, 4.0, 2.0, 1.0):
        gram(10, sigma)
    assert asked == [1.0, 2.0, 4.0, 1.0]


def test_similarity_batches_fit_the_budget():
    X = np.zeros((10, 2))
    copies = Similarity(X, kernel="laplacian", n_copies=2, max_bytes=1700)
    assert copies.batches([1.0, 2.0, 4.0]) == [(1.0, 2.0), (4.0,)]
    none = Similarity(X, kernel="laplacian", n_copies=2, max_bytes=0)
    assert none.batches([1.0, 2.0]) == [(1.0, 2.0)]
    assert copies.batches([]) == []


def test_median_distance_of_first_copies():
    X = np.array([[0.0, 99.0], [1.0, -99.0], [3.0, 5.0]])
    rows = np.arange(3)
    copies = Similarity(X, kernel="laplacian", n_copies=2)
    assert copies.median_distance(rows) == 2.0
    assert np.isnan(copies.median_distance(rows[:1]))
    assert Similarity(X[:, :1], kernel="gaussian").median_distance(rows) == pytest.approx(2.0)
