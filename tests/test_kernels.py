import numpy as np
import pytest

import definitions
from molkern import CoulombMatrix, Structures, kernels

RTOL = {np.dtype("float64"): 1e-13, np.dtype("float32"): 2e-5}


def rows(n, n_features, dtype="float64", seed=0):
    return np.random.default_rng(seed).normal(size=(n, n_features)).astype(dtype)


def expected_kernel(name, x, y, sigma):
    x, y = x.astype(float), y.astype(float)
    if name == "laplacian":
        return np.exp(-definitions.manhattan(x, y) / sigma)
    return np.exp(-definitions.squared_euclidean(x, y) / (2 * sigma**2))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ["gaussian", "laplacian"])
@pytest.mark.parametrize(
    ("n", "m", "n_features"),
    [(1, 1, 1), (3, 5, 2), (31, 33, 7), (32, 64, 16), (100, 70, 65), (600, 530, 3), (5, 4, 0)],
)
def test_matches_definition(name, n, m, n_features, dtype):
    x, y = rows(n, n_features, dtype), rows(m, n_features, dtype, seed=1)
    function = getattr(kernels, name)
    result = function(x, y, sigma=3.0)
    assert result.dtype == x.dtype
    rtol = RTOL[result.dtype]
    np.testing.assert_allclose(result, expected_kernel(name, x, y, 3.0), rtol=rtol)
    symmetric = function(x, sigma=3.0)
    np.testing.assert_allclose(symmetric, expected_kernel(name, x, x, 3.0), rtol=rtol)
    np.testing.assert_array_equal(symmetric, symmetric.T)
    np.testing.assert_array_equal(np.diag(symmetric), 1)


@pytest.mark.parametrize("name", ["gaussian", "laplacian"])
def test_sequence_of_sigma_equals_single_ones(name):
    x, y = rows(50, 9), rows(41, 9, seed=1)
    function = getattr(kernels, name)
    widths = [0.5, 2.0, 11.0]
    for other in (None, y):
        stacked = function(x, other, sigma=widths)
        for sigma, layer in zip(widths, stacked, strict=True):
            np.testing.assert_array_equal(layer, function(x, other, sigma=sigma))
    assert function(x, sigma=[1.0]).shape == (1, 50, 50)


@pytest.mark.parametrize("name", ["gaussian", "laplacian"])
@pytest.mark.parametrize("n_copies", [2, 5, 8])
def test_average_over_copies(name, n_copies):
    x, y = rows(37, 6 * n_copies), rows(40, 6 * n_copies, seed=1)
    function = getattr(kernels, name)

    def average(a, b, sigma):
        flat = expected_kernel(name, a.reshape(-1, 6), b.reshape(-1, 6), sigma)
        return flat.reshape(len(a), n_copies, len(b), n_copies).mean(axis=(1, 3))

    np.testing.assert_allclose(
        function(x, y, sigma=[2.0, 9.0], n_copies=n_copies),
        [average(x, y, 2.0), average(x, y, 9.0)],
        rtol=1e-13,
    )
    symmetric = function(x, sigma=2.0, n_copies=n_copies)
    np.testing.assert_allclose(symmetric, average(x, x, 2.0), rtol=1e-13)
    np.testing.assert_array_equal(symmetric, symmetric.T)
    assert np.linalg.eigvalsh(symmetric).min() > -1e-12


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_distances(dtype):
    x, y = rows(61, 11, dtype), rows(45, 11, dtype, seed=1)
    rtol = RTOL[x.dtype]
    for other in (x, y):
        given = None if other is x else other
        l1 = kernels.manhattan_distances(x, given)
        l2 = kernels.euclidean_distances(x, given)
        np.testing.assert_allclose(l1, definitions.manhattan(x, other), rtol=rtol, atol=1e-30)
        expected = np.sqrt(definitions.squared_euclidean(x, other))
        # 1e-30: a distance of an atom to itself is 0 only with one argument.
        np.testing.assert_allclose(l2, expected, rtol=rtol, atol=1e-30)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ["gaussian", "laplacian"])
def test_from_distances(name, dtype):
    x, y = rows(37, 5, dtype), rows(30, 5, dtype, seed=1)
    distance = kernels.manhattan_distances if name == "laplacian" else kernels.euclidean_distances
    d = distance(x, y)
    kept = d.copy()
    expected = getattr(kernels, name)(x, y, sigma=1.7)
    result = kernels.from_distances(d, kernel=name, sigma=1.7)
    np.testing.assert_allclose(result, expected, rtol=10 * RTOL[x.dtype])
    np.testing.assert_array_equal(d, kept)
    inside = kernels.from_distances(d, kernel=name, sigma=1.7, out=d)
    assert inside is d
    np.testing.assert_array_equal(d, result)


def test_exponential_over_its_whole_range():
    d = np.concatenate(([0.0, 1e-300], np.geomspace(1e-12, 707.9, 5000), [708.1, 1e6, np.inf]))
    result = kernels.from_distances(d[None], kernel="laplacian", sigma=1.0)[0]
    np.testing.assert_allclose(result[d < 708], np.exp(-d[d < 708]), rtol=5e-16)
    np.testing.assert_array_equal(result[d > 708], 0)
    single = np.concatenate(([0.0], np.geomspace(1e-6, 86.9, 5000), [87.1, 1e6, np.inf]))
    single = single.astype("float32")
    result = kernels.from_distances(single[None], kernel="laplacian", sigma=1.0)[0]
    inside = single < 87
    np.testing.assert_allclose(result[inside], np.exp(-single[inside].astype(float)), rtol=2.5e-7)
    np.testing.assert_array_equal(result[~inside], 0)


@pytest.mark.parametrize("name", ["gaussian", "laplacian", "linear", "polynomial"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_raise(name, bad):
    parameters = {"sigma": 1.0} if name in ("gaussian", "laplacian") else {}
    x, y = rows(3, 2), rows(4, 2, seed=1)
    y[2, 1] = bad
    with pytest.raises(
        ValueError, match="Y: expected finite values, found NaN or infinity in row 2"
    ):
        getattr(kernels, name)(x, y, **parameters)
    with pytest.raises(ValueError, match="X: expected finite values"):
        getattr(kernels, name)(y, **parameters)


def test_bad_distances_raise():
    base = np.ones((5, 4))
    with pytest.raises(ValueError, match="out: overlaps distances without being the same"):
        kernels.from_distances(base[:4], kernel="laplacian", sigma=1.0, out=base[1:])
    for bad in (-1.0, np.nan):
        with pytest.raises(ValueError, match="distances: expected 0 or more everywhere"):
            kernels.from_distances(np.array([[1.0, bad]]), kernel="laplacian", sigma=1.0)


def test_linear_and_polynomial():
    x, y = rows(20, 6), rows(15, 6, seed=1)
    np.testing.assert_allclose(kernels.linear(x, y), x @ y.T, rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(kernels.linear(x), kernels.linear(x).T)
    for degree in (1, 2, 3, 5):
        result = kernels.polynomial(x, y, degree=degree, scale=0.5, offset=2.0)
        np.testing.assert_allclose(result, (0.5 * x @ y.T + 2.0) ** degree, rtol=1e-11)
    result = kernels.polynomial(x.astype("float32"))
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, result.T)


@pytest.mark.parametrize("name", ["gaussian", "laplacian", "linear", "polynomial"])
def test_out(name):
    x = rows(30, 4)
    parameters = {"sigma": 2.0} if name in ("gaussian", "laplacian") else {}
    function = getattr(kernels, name)
    out = np.full((30, 30), np.nan)
    assert function(x, out=out, **parameters) is out
    np.testing.assert_array_equal(out, function(x, **parameters))
    with pytest.raises(ValueError, match=r"out: expected shape \(30, 30\)"):
        function(x, out=np.empty((30, 29)), **parameters)
    with pytest.raises(ValueError, match="out: shares memory with X or Y"):
        function(x := rows(4, 4), out=x, **parameters)


@pytest.mark.parametrize("name", ["gaussian", "laplacian"])
@pytest.mark.parametrize("sigma", [0.0, -1.0, np.nan, np.inf, [1.0, 0.0]])
def test_bad_sigma_raises(name, sigma):
    with pytest.raises(ValueError, match="sigma: expected positive widths"):
        getattr(kernels, name)(rows(3, 2), sigma=sigma)


@pytest.mark.parametrize("n_features", [511, 512, 513, 20_000])
def test_many_features(n_features):
    """Sums over chunks of 512 features: rounding does not grow with their number."""
    x = rows(30, n_features) + 3.0
    x[7] = x[3]
    expected = definitions.squared_euclidean(x, x)
    largest = (x - x.mean(axis=0)) ** 2
    squares = kernels.euclidean_distances(x) ** 2
    np.testing.assert_allclose(squares, expected, rtol=0, atol=1e-14 * largest.sum(1).max())
    assert squares[7, 3] == 0
    single = kernels.manhattan_distances(x.astype("float32"))
    np.testing.assert_allclose(single, definitions.manhattan(x, x), rtol=5e-6)


def test_unaligned_input_is_copied():
    raw = np.zeros(8 * 60 + 1, "u1")
    x = raw[1:].view("f8").reshape(20, 3)
    x[:] = rows(20, 3)
    assert not x.flags.aligned
    expected = kernels.laplacian(x.copy(), sigma=1.0)
    np.testing.assert_array_equal(kernels.laplacian(x, sigma=1.0), expected)


def test_bad_input_raises():
    x = rows(4, 6)
    with pytest.raises(ValueError, match="Y: expected 6 columns as X has, found 5"):
        kernels.laplacian(x, rows(3, 5), sigma=1.0)
    with pytest.raises(TypeError, match="Y: expected float64 as X is, found float32"):
        kernels.gaussian(x, rows(3, 6, "float32"), sigma=1.0)
    with pytest.raises(ValueError, match="X: expected two dimensions"):
        kernels.laplacian(x[0], sigma=1.0)
    with pytest.raises(TypeError, match="X: expected real numbers"):
        kernels.laplacian(x.astype(complex), sigma=1.0)
    with pytest.raises(ValueError, match="n_copies: 6 columns are not 4 copies"):
        kernels.laplacian(x, sigma=1.0, n_copies=4)
    with pytest.raises(TypeError, match="sigma: expected a number or a sequence of them"):
        kernels.laplacian(x, sigma="a")
    with pytest.raises(TypeError, match=r"n_copies: expected an integer of 1 or more, found 2\.0"):
        kernels.laplacian(x, sigma=1.0, n_copies=2.0)
    with pytest.raises(TypeError, match="X: expected real numbers"):
        kernels.laplacian([[1.0], [1.0, 2.0]], sigma=1.0)
    for function in (kernels.linear, lambda x, **k: kernels.gaussian(x, sigma=1.0, **k)):
        with pytest.raises(ValueError, match=r"n_threads: expected .* found 0"):
            function(x, n_threads=0)
        with pytest.raises(TypeError, match=r"n_threads: expected .* found 2\.0"):
            function(x, n_threads=2.0)
    with pytest.raises(ValueError, match=r"sigma: .* a sequence of one or more, found \[\]"):
        kernels.laplacian(x, sigma=[])
    with pytest.raises(ValueError, match='kernel: expected "gaussian" or "laplacian"'):
        kernels.from_distances(x, kernel="linear", sigma=1.0)
    with pytest.raises(ValueError, match="sigma: expected one width"):
        kernels.from_distances(x, kernel="gaussian", sigma=[1.0, 2.0])
    with pytest.raises(ValueError, match="degree: expected an integer from 1 to"):
        kernels.polynomial(x, degree=0)
    with pytest.raises(ValueError, match="scale: expected a number above 0, found 0"):
        kernels.polynomial(x, scale=0.0)
    with pytest.raises(ValueError, match="offset: expected a number of 0 or more, found -1"):
        kernels.polynomial(x, offset=-1.0)


@pytest.mark.parametrize("name", ["gaussian", "laplacian"])
def test_no_rows(name):
    function = getattr(kernels, name)
    assert function(rows(0, 4), sigma=1.0).shape == (0, 0)
    assert function(rows(3, 4), rows(0, 4), sigma=1.0).shape == (3, 0)


@pytest.mark.parametrize("name", ["gaussian", "laplacian", "linear"])
def test_result_too_large_says_its_bytes(name):
    n = 3_000_000
    x = np.zeros((n, 1), "float32")
    parameters = {"sigma": 1.0} if name != "linear" else {}
    with pytest.raises(MemoryError, match=f"needs {4 * n * n} bytes"):
        getattr(kernels, name)(x, **parameters)


def test_integers_and_other_layouts_are_converted():
    x = np.arange(12).reshape(4, 3)
    expected = kernels.laplacian(x.astype(float), sigma=5.0)
    np.testing.assert_array_equal(kernels.laplacian(x, sigma=5.0), expected)
    np.testing.assert_array_equal(
        kernels.laplacian(np.asfortranarray(x.astype(float)), sigma=5.0), expected
    )


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ["gaussian", "laplacian", "linear", "polynomial"])
def test_inputs_are_only_read(name, dtype):
    """Means of columns are subtracted from a copy; a read-only array will do."""
    rng = np.random.default_rng(0)
    x, y = (rng.normal(5.0, 1.0, (n, 7)).astype(dtype) for n in (30, 20))
    kept = x.copy(), y.copy()
    parameters = {"sigma": 2.0} if name in ("gaussian", "laplacian") else {}
    kernel = getattr(kernels, name)
    expected = kernel(x, y, **parameters)
    np.testing.assert_array_equal(x, kept[0])
    np.testing.assert_array_equal(y, kept[1])
    x.flags.writeable = y.flags.writeable = False
    np.testing.assert_array_equal(kernel(x, y, **parameters), expected)


@pytest.mark.parametrize("molecule", ["ethanol", "benzene", "aspirin"])
@pytest.mark.parametrize("name", ["gaussian", "laplacian"])
def test_float32_on_trajectories(shared_data, molecule, name):
    """Neighbouring frames are close, so that float32 products lose digits of their distance."""
    with np.load(shared_data / "rmd17" / f"rmd17_{molecule}.npz") as data:
        positions, numbers = data["R"][:800].astype(float), data["Z"]
    structures = Structures.from_arrays([(numbers, r) for r in positions])
    x = CoulombMatrix(permutation="none").fit_transform(structures)
    distance = kernels.manhattan_distances if name == "laplacian" else kernels.euclidean_distances
    sigma = float(np.median(distance(x)))
    double = getattr(kernels, name)(x, sigma=sigma)
    single = getattr(kernels, name)(x.astype("float32"), sigma=sigma)
    assert single.dtype == np.float32
    # One rounding of the features is 6e-8 of values up to 200, sigma is about 20.
    assert np.abs(single - double).max() < 1e-5
    np.testing.assert_array_equal(np.diag(single), 1)
