"""Finite features make finite kernels: features and widths over the whole range of their type."""

import numpy as np
import pytest

from molkern import Structures, kernels
from molkern.regression import KernelRidge, Similarity, default_sigmas

# Powers of two by which features of about 1 are multiplied; their squares overflow or vanish.
POWERS = {
    "float64": [-1000, -700, -540, -500, 480, 505, 520, 700, 1010],
    "float32": [-115, -80, -62, -50, 52, 57, 70, 110, 118],
}
EVERY_POWER = [(dtype, power) for dtype, powers in POWERS.items() for power in powers]


def rows(n, n_features, dtype="float64", seed=0):
    return np.random.default_rng(seed).normal(0.5, 1.0, (n, n_features)).astype(dtype)


@pytest.mark.parametrize(("dtype", "power"), EVERY_POWER)
@pytest.mark.parametrize("name", ["gaussian", "laplacian"])
def test_kernels_do_not_depend_on_the_unit(name, dtype, power):
    """Bitwise: a power of two changes no digit."""
    x, y = rows(33, 6, dtype), rows(21, 6, dtype, seed=1)
    kernel = getattr(kernels, name)
    larger = np.ldexp(x, power), np.ldexp(y, power)
    for other in (None, 1):
        second, larger_second = (None, None) if other is None else (y, larger[1])
        for sigma in (0.7, [0.2, 3.0]):
            for n_copies in (1, 3):
                expected = kernel(x, second, sigma=sigma, n_copies=n_copies)
                found = kernel(
                    larger[0], larger_second, sigma=np.ldexp(sigma, power), n_copies=n_copies
                )
                assert found.dtype == dtype
                np.testing.assert_array_equal(found, expected)
    assert 0 < expected.min() < 0.9


@pytest.mark.parametrize(("dtype", "power"), EVERY_POWER)
@pytest.mark.parametrize("name", ["euclidean_distances", "manhattan_distances"])
def test_distances_have_the_unit_of_the_features(name, dtype, power):
    x, y = rows(33, 6, dtype), rows(21, 6, dtype, seed=1)
    distances = getattr(kernels, name)
    for other in (None, y):
        larger = None if other is None else np.ldexp(other, power)
        found = distances(np.ldexp(x, power), larger)
        np.testing.assert_array_equal(found, np.ldexp(distances(x, other), power))


@pytest.mark.parametrize(("dtype", "power"), EVERY_POWER)
@pytest.mark.parametrize("name", ["gaussian", "laplacian"])
def test_kernels_from_distances_do_not_depend_on_the_unit(name, dtype, power):
    d = np.abs(rows(9, 7, dtype))
    expected = kernels.from_distances(d, kernel=name, sigma=0.7)
    larger = np.ldexp(d, power)
    kept = larger.copy()
    found = kernels.from_distances(larger, kernel=name, sigma=np.ldexp(0.7, power))
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(larger, kept)
    inside = kernels.from_distances(larger, kernel=name, sigma=np.ldexp(0.7, power), out=larger)
    assert inside is larger
    np.testing.assert_array_equal(larger, expected)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ["gaussian", "laplacian"])
def test_widths_far_from_the_distances(name, dtype):
    """Narrow kernels are 1 for equal rows alone, wide ones for all."""
    kernel = getattr(kernels, name)
    tiny, huge = float(np.finfo(dtype).tiny), float(np.finfo(dtype).max)
    for largest in (1.0, tiny * 1e8, huge / 1e6):
        x = (np.array([[1.0, 0.0], [0.0, 0.0], [1.0, 0.0]]) * largest).astype(dtype)
        equal = np.array([[1, 0, 1], [0, 1, 0], [1, 0, 1]])
        for sigma in (tiny * 16, largest / 1000):
            np.testing.assert_array_equal(kernel(x, sigma=sigma), equal)
            np.testing.assert_array_equal(kernel(x, x.copy(), sigma=sigma), equal)
            single = kernels.from_distances(x[:, :1], kernel=name, sigma=sigma)
            np.testing.assert_array_equal(single[:, 0], 1 - equal[:, 0])
        if largest < 1e200:
            wide = kernels.from_distances(x[:, :1], kernel=name, sigma=1e307)
            np.testing.assert_array_equal(wide, 1)
            np.testing.assert_array_equal(kernel(x, sigma=1e307), 1)


def test_the_case_that_was_seen():
    x = np.array([[1e155, 0.0], [0.0, 0.0], [1e155, 0.0]])
    np.testing.assert_array_equal(kernels.gaussian(x, sigma=1.0), [[1, 0, 1], [0, 1, 0], [1, 0, 1]])
    single = np.array([[0.0], [3e19]], "float32")
    found = kernels.gaussian(single, sigma=3e19 / np.sqrt(10))
    np.testing.assert_allclose(found[0, 1], np.exp(-5), rtol=1e-6)  # float32
    found = kernels.euclidean_distances([[1e160], [3e160]])
    np.testing.assert_allclose(found, [[0, 2e160], [2e160, 0]], rtol=1e-15)
    found = kernels.euclidean_distances([[1e-170], [3e-170], [5e-324]])
    np.testing.assert_allclose(found[0], [0, 2e-170, 1e-170], rtol=1e-15)
    found = kernels.euclidean_distances([[5e-324], [1.5e-323]])
    np.testing.assert_array_equal(found, [[0, 1e-323], [1e-323, 0]])


@pytest.mark.parametrize("constant", [1.0, 2.0**900])
def test_small_differences_beside_a_constant(constant):
    """What is the same in all rows goes away with the mean."""
    x = np.array([[constant, 0.0], [constant, 3e-170], [constant, -1e-170]])
    expected = np.abs(np.subtract.outer(x[:, 1], x[:, 1]))
    for distances in (kernels.euclidean_distances, kernels.manhattan_distances):
        np.testing.assert_allclose(distances(x), expected, rtol=1e-14, atol=0)
    K = kernels.gaussian(x, sigma=2e-170)
    np.testing.assert_allclose(K, np.exp(-((expected / 2e-170) ** 2) / 2), rtol=1e-13)
    K = kernels.laplacian(x, sigma=2e-170)
    np.testing.assert_allclose(K, np.exp(-expected / 2e-170), rtol=1e-14)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ["euclidean_distances", "manhattan_distances"])
def test_distances_that_overflow_raise(name, dtype):
    largest = np.finfo(dtype).max
    x = np.array([[largest], [-largest]], dtype)
    distances = getattr(kernels, name)
    message = rf"X: distances overflow {dtype}, found values up to {float(largest):g}".replace(
        "+", r"\+"
    )
    with pytest.raises(ValueError, match=message):
        distances(x)
    with pytest.raises(ValueError, match=message.replace("X", "Y")):
        distances(x / 4, x)
    np.testing.assert_array_equal(distances(x / 2, x[:1] * 0), [[largest / 2], [largest / 2]])


def test_widths_beside_features_that_leave_them_no_room():
    x = np.array([[1e308, 0.0], [1e308, 1e-310]])
    with pytest.raises(ValueError, match=r"sigma: 1e-310 is out of the range of float64 beside"):
        kernels.laplacian(x, sigma=1e-310)
    # Each alone has room.
    K = kernels.laplacian(x[:, 1:], sigma=1e-310)
    np.testing.assert_allclose(K[0, 1], np.exp(-1), rtol=1e-13)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_products(dtype):
    x, y = rows(9, 5, dtype), rows(4, 5, dtype, seed=1)
    most = np.finfo(dtype).maxexp
    expected = kernels.linear(x, y)
    close = {"rtol": 1e-5 if dtype == "float32" else 1e-13, "atol": 1e-6}
    for power in (most // 2 + 20, most - 30):
        large, small = np.ldexp(x, power), np.ldexp(y, -power)
        np.testing.assert_allclose(kernels.linear(large, small), expected, **close)
        message = f"X: products overflow {dtype}, found values up to "
        with pytest.raises(ValueError, match=message):
            kernels.linear(large)
        with pytest.raises(ValueError, match=message):
            kernels.polynomial(large, degree=1)
    # A scale that makes the products finite.
    for power in (most // 2 - 3, most // 2 + 3):
        scale = 2.0 ** (-2 * power + 3)
        large = np.ldexp(x, power)
        found = kernels.polynomial(large, degree=2, scale=scale, offset=0.5)
        np.testing.assert_allclose(found, (8 * kernels.linear(x) + 0.5) ** 2, rtol=1e-5)
    scale = 2.0 ** (most - 8)
    found = kernels.polynomial(np.ldexp(x, 5 - most // 2), degree=2, scale=scale, offset=0.5)
    np.testing.assert_allclose(found, (4 * kernels.linear(x) + 0.5) ** 2, rtol=1e-5)
    # Near the largest number nothing is lost that can be held.
    x = np.array([[2.0 ** (most // 2 - 1)] * 2], dtype)
    assert kernels.linear(x)[0, 0] == 2.0 ** (most - 1)
    with pytest.raises(ValueError, match="X: powers of degree 3 overflow"):
        kernels.polynomial(x / 64, degree=3)
    found = kernels.polynomial(np.array([[1e10]], dtype), degree=3, scale=1e-10)
    np.testing.assert_allclose(found, 1e30, rtol=1e-5)


def test_ordinary_inputs_are_not_scaled(monkeypatch):
    from molkern import _kernel_scaling as scaling

    def never(*arguments, **options):
        raise AssertionError("scaled")

    monkeypatch.setattr(scaling.np, "ldexp", lambda x, k: x if np.all(k == 0) else never())
    for dtype in ("float64", "float32"):
        for size in (1e-9, 1.0, 1e9):
            x = (size * rows(20, 4)).astype(dtype)
            for name in ("gaussian", "laplacian"):
                getattr(kernels, name)(x, sigma=size)
            kernels.euclidean_distances(x)
            kernels.manhattan_distances(x)
            kernels.linear(x)


# Atoms


def atoms(seed=0):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 6, 12)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    return Structures(rng.choice([1, 6, 8], offsets[-1]), np.zeros((offsets[-1], 3)), offsets)


@pytest.mark.parametrize(("dtype", "power"), EVERY_POWER)
def test_kernels_of_atoms_do_not_depend_on_the_unit(dtype, power):
    x, y = atoms(), atoms(1)
    X, Y = rows(x.n_atoms, 6, dtype), rows(y.n_atoms, 6, dtype, seed=1)
    X_larger, Y_larger = np.ldexp(X, power), np.ldexp(Y, power)
    for sigma in (0.7, [0.5, 3.0]):
        larger = {"sigma": np.ldexp(sigma, power)}
        for sides, sides_larger in (
            ((X, x), (X_larger, x)),
            ((X, x, Y, y), (X_larger, x, Y_larger, y)),
        ):
            for normalize in (False, True):
                expected = kernels.local.gaussian(*sides, sigma=sigma, normalize=normalize)
                found = kernels.local.gaussian(*sides_larger, **larger, normalize=normalize)
                assert found.dtype == dtype
                np.testing.assert_array_equal(found, expected)
        diagonal = kernels.local.gaussian_diagonal(X_larger, x, **larger)
        np.testing.assert_array_equal(diagonal, kernels.local.gaussian_diagonal(X, x, sigma=sigma))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_polynomials_of_atoms(dtype):
    x = atoms()
    X = rows(x.n_atoms, 6, dtype)
    most = np.finfo(dtype).maxexp
    expected = kernels.local.polynomial(X, x, degree=3, scale=0.25, offset=0.5)
    diagonal = kernels.local.polynomial_diagonal(X, x, degree=3, scale=0.25, offset=0.5)
    for power in (-most // 2 + 5, -most // 2 + 20, most // 2 - 5):
        parameters = {"degree": 3, "scale": 2.0 ** (-2 - 2 * power), "offset": 0.5}
        larger = np.ldexp(X, power)
        np.testing.assert_array_equal(kernels.local.polynomial(larger, x, **parameters), expected)
        found = kernels.local.polynomial_diagonal(larger, x, **parameters)
        np.testing.assert_array_equal(found, diagonal)
    large = np.ldexp(X, most // 2 - 5)
    with pytest.raises(ValueError, match=rf"X: sums of powers of degree 3 overflow {dtype}, found"):
        kernels.local.polynomial(large, x, degree=3)
    normalized = kernels.local.polynomial(large, x, degree=1, normalize=True)
    expected = kernels.local.polynomial(X, x, degree=1, normalize=True)
    np.testing.assert_array_equal(normalized, expected)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_widths_far_from_the_features_of_atoms(dtype):
    x = Structures.from_arrays([([1, 1], np.zeros((2, 3))), ([1], np.zeros((1, 3)))])
    for size in (1.0, float(np.finfo(dtype).max) / 4, float(np.finfo(dtype).tiny) * 1e8):
        X = (np.array([[1.0], [1.0], [0.0]]) * size).astype(dtype)
        for sigma in (size * 1e-5, 1e-306):
            K = kernels.local.gaussian(X, x, sigma=sigma)
            np.testing.assert_array_equal(K, [[4, 0], [0, 1]])
        if size < 1e200:
            K = kernels.local.gaussian(X, x, sigma=1e307)
            np.testing.assert_array_equal(K, [[4, 2], [2, 1]])


# Regression


@pytest.mark.parametrize("power", [-900, -540, 505, 520, 900])
@pytest.mark.parametrize(
    ("kernel", "n_copies"),
    [("gaussian", 1), ("laplacian", 1), ("gaussian", 2), ("local.gaussian", 1)],
)
def test_models_do_not_depend_on_the_unit(kernel, n_copies, power):
    """Widths are chosen among powers of two, so that every step is the same."""
    x = atoms()
    local = kernel == "local.gaussian"
    X = rows(x.n_atoms if local else len(x), 4)
    y = np.arange(len(x)) ** 1.5
    options = {"structures": x} if local else {}
    models = [
        KernelRidge(kernel=kernel, n_copies=n_copies, cv=3, baseline="mean").fit(F, y, **options)
        for F in (X, np.ldexp(X, power))
    ]
    assert models[1].sigma_ == np.ldexp(models[0].sigma_, power)
    assert models[1].alpha_ == models[0].alpha_
    np.testing.assert_array_equal(models[1].dual_coef_, models[0].dual_coef_)
    predicted = [model.predict(model.X_fit_, **options) for model in models]
    np.testing.assert_array_equal(*predicted)
    assert np.abs(predicted[0] - y).mean() < np.abs(y - y.mean()).mean()


def test_models_at_the_end_of_the_range():
    X, y = 1.5e308 * np.linspace(0.0, 1.0, 20)[:, None], np.sin(np.linspace(0.0, 3.0, 20))
    wider = 1.5e308 * np.linspace(-1.0, 1.0, 20)[:, None]
    for kernel in ("gaussian", "laplacian"):
        model = KernelRidge(kernel=kernel, cv=4).fit(X, y)
        assert np.abs(model.predict(X) - y).max() < 0.02
        with pytest.raises(ValueError, match=r"X: distances overflow float64, found values up to"):
            KernelRidge(kernel=kernel, cv=4).fit(wider, y)
    distances = Similarity(X, kernel="laplacian")
    assert np.isfinite(distances.median_distance(np.arange(20)))
    for median in (1e308, 1e-310):
        sigmas = default_sigmas(median)
        assert len(sigmas) == 13
        assert np.finfo(float).tiny <= min(sigmas) <= max(sigmas) <= np.finfo(float).max
