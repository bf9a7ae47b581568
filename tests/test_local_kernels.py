"""Kernels that compare structures atom by atom."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import molkern as mk
from molkern import Structures

local = mk.kernels.local
REFERENCE = Path(__file__).parent / "reference" / "local_kernels.npz"
# float32: one rounding of products of about 1 in a chunk of 128 features.
RTOL = {"float64": 1e-13, "float32": 2e-6}
DTYPES = ["float64", "float32"]


def batch(sizes, seed=0, elements=(1, 1, 6, 8)):
    """Structures of these sizes; positions do not matter here."""
    rng = np.random.default_rng(seed)
    return Structures.from_arrays(
        [(rng.choice(elements, n), rng.uniform(0, 9, (n, 3))) for n in sizes]
    )


def features(structures, n_features=5, dtype="float64", seed=1):
    rng = np.random.default_rng(seed)
    return rng.normal(1.0, 1.0, (len(structures.numbers), n_features)).astype(dtype)


def sums(k, x, y):
    """The definition: a kernel of atoms, summed over pairs of equal element."""
    k = k * (x.numbers[:, None] == y.numbers)
    rows = np.stack([k[a:b].sum(axis=0) for a, b in pairwise(x.offsets)])
    return np.stack([rows[:, a:b].sum(axis=1) for a, b in pairwise(y.offsets)], axis=1)


def plain_gaussian(X, x, Y, y, sigma):
    X, Y = X.astype(float), Y.astype(float)
    squares = ((X[:, None] - Y) ** 2).sum(axis=-1)
    return sums(np.exp(-squares / (2 * sigma**2)), x, y)


SIZES = [
    ([1], [1], 1),
    ([3, 0, 5, 1], [2, 7], 4),
    (range(1, 40), range(3, 20), 7),  # structures over the ends of tiles
    ([130, 2, 60], [200, 3], 3),  # and over several tiles
    ([5] * 150, [4] * 70, 2),  # several blocks
    ([6, 9], [8], 600),  # chunks of features
    ([4, 3], [2], 0),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("n", "m", "n_features"), SIZES)
def test_gaussian_matches_definition(n, m, n_features, dtype):
    x, y = batch(n), batch(m, seed=2)
    X, Y = features(x, n_features, dtype), features(y, n_features, dtype, seed=3)
    sigma = max(1.0, n_features**0.5)
    kept = X.copy(), Y.copy()
    K = local.gaussian(X, x, Y, y, sigma=sigma)
    assert K.dtype == X.dtype
    expected = plain_gaussian(X, x, Y, y, sigma)
    np.testing.assert_allclose(K, expected, rtol=RTOL[dtype], atol=0)
    symmetric = local.gaussian(X, x, sigma=sigma)
    expected = plain_gaussian(X, x, X, x, sigma)
    np.testing.assert_allclose(symmetric, expected, rtol=RTOL[dtype], atol=0)
    np.testing.assert_array_equal(symmetric, symmetric.T)
    diagonal = local.gaussian_diagonal(X, x, sigma=sigma)
    assert diagonal.dtype == np.float64
    np.testing.assert_array_equal(diagonal.astype(dtype), np.diag(symmetric))
    np.testing.assert_array_equal(X, kept[0])
    np.testing.assert_array_equal(Y, kept[1])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("degree", "scale", "offset"), [(1, 1.0, 0.0), (2, 0.5, 1.0), (3, 2, 0)])
def test_polynomial_matches_definition(degree, scale, offset, dtype):
    x, y = batch(range(30)), batch([60, 5, 17], seed=2)
    X, Y = features(x, 6, dtype), features(y, 6, dtype, seed=3)
    parameters = {"degree": degree, "scale": scale, "offset": offset}
    K = local.polynomial(X, x, Y, y, **parameters)
    pairs = (scale * X.astype(float) @ Y.T.astype(float) + offset) ** degree
    # Terms of either sign: relative to the largest.
    atol = RTOL[dtype] * np.abs(pairs).max()
    np.testing.assert_allclose(K, sums(pairs, x, y), rtol=RTOL[dtype], atol=atol)
    symmetric = local.polynomial(X, x, **parameters)
    np.testing.assert_array_equal(symmetric, symmetric.T)
    diagonal = local.polynomial_diagonal(X, x, **parameters)
    np.testing.assert_array_equal(diagonal.astype(dtype), np.diag(symmetric))
    assert np.linalg.eigvalsh(symmetric).min() > -10 * RTOL[dtype] * symmetric.max()


def test_reference_qmllib():
    with np.load(REFERENCE) as data:
        numbers, offsets, X, expected = (data[k] for k in ("numbers", "offsets", "X", "K"))
        sigma = float(data["sigma"])
    structures = Structures(numbers, np.zeros((len(numbers), 3)), offsets)
    K = local.gaussian(X, structures, sigma=sigma)
    np.testing.assert_allclose(K, expected, rtol=1e-12)
    assert expected.min() == 0  # CO2 and H2 have no element in common


def test_features_of_molecules(structures):
    soap = mk.SOAP(species=[1, 6, 7, 8, 16], r_cut=3.0, n_max=4, l_max=3)
    X = soap.fit_transform(structures)
    sigma = float(np.median(np.linalg.norm(X - X[0], axis=1)))
    K = local.gaussian(X, structures, sigma=sigma)
    np.testing.assert_allclose(K, plain_gaussian(X, structures, X, structures, sigma), rtol=1e-12)
    single = local.gaussian(X.astype("float32"), structures, sigma=sigma)
    np.testing.assert_allclose(single, K, rtol=1e-5)
    assert np.linalg.eigvalsh(K).min() > -1e-13 * K.max()


def test_sequence_of_sigma_equals_single_ones():
    x, y = batch(range(25)), batch(range(12), seed=4)
    X, Y = features(x), features(y, seed=5)
    widths = [0.5, 2.0, 11.0]
    for other in ((), (Y, y)):
        stacked = local.gaussian(X, x, *other, sigma=widths)
        for sigma, layer in zip(widths, stacked, strict=True):
            np.testing.assert_array_equal(layer, local.gaussian(X, x, *other, sigma=sigma))
    assert local.gaussian(X, x, sigma=[1.0]).shape == (1, 25, 25)
    assert local.gaussian_diagonal(X, x, sigma=widths).shape == (3, 25)


@pytest.mark.parametrize("dtype", DTYPES)
def test_normalize(dtype):
    x, y = batch(range(1, 30)), batch(range(1, 12), seed=4)
    X, Y = features(x, dtype=dtype), features(y, dtype=dtype, seed=5)
    for function, parameters in (
        (local.gaussian, {"sigma": [0.7, 3.0]}),
        (local.polynomial, {"degree": 2, "offset": 0.1}),
    ):
        diagonal = getattr(local, f"{function.__name__}_diagonal")
        of_x, of_y = diagonal(X, x, **parameters), diagonal(Y, y, **parameters)
        K = function(X, x, **parameters, normalize=True)
        np.testing.assert_array_equal(np.diagonal(K, axis1=-2, axis2=-1), 1)
        np.testing.assert_array_equal(K, np.swapaxes(K, -1, -2))
        plain = function(X, x, Y, y, **parameters)
        expected = plain / np.sqrt(of_x[..., :, None] * of_y[..., None, :])
        K = function(X, x, Y, y, **parameters, normalize=True)
        np.testing.assert_allclose(K, expected, rtol=RTOL[dtype])
        assert K.max() <= 1 + RTOL[dtype]


@pytest.mark.parametrize("dtype", DTYPES)
def test_bitwise_equal_for_threads_and_divisions(dtype):
    x, y = batch([*range(40), 100, *[3] * 60]), batch([*range(20), 70], seed=4)
    X, Y = features(x, 40, dtype), features(y, 40, dtype, seed=5)
    widths = [2.0, 9.0]
    for other in ((), (Y, y)):
        expected = local.gaussian(X, x, *other, sigma=widths, n_threads=1)
        for n_threads in (2, 7, None):
            result = local.gaussian(X, x, *other, sigma=widths, n_threads=n_threads)
            np.testing.assert_array_equal(result, expected)
    for parts in ([0, 1, 50, 101], [0, 33, 34, 101]):
        split = [
            local.gaussian(X[x.offsets[a] : x.offsets[b]], x[a:b], Y, y, sigma=widths)
            for a, b in pairwise(parts)
        ]
        np.testing.assert_array_equal(np.concatenate(split, axis=1), expected)
    # One triangle, or both sides.
    both = local.gaussian(X, x, X.copy(), x, sigma=2.0)
    np.testing.assert_array_equal(np.tril(both), np.tril(local.gaussian(X, x, sigma=2.0)))


def test_order_of_atoms_does_not_matter():
    x = batch([9, 14, 60])
    X = features(x)
    rng = np.random.default_rng(8)
    order = np.concatenate([a + rng.permutation(b - a) for a, b in pairwise(x.offsets)])
    shuffled = Structures(x.numbers[order], x.positions[order], x.offsets)
    K = local.gaussian(X, x, sigma=2.0)
    np.testing.assert_allclose(local.gaussian(X[order], shuffled, sigma=2.0), K, rtol=1e-14)


@pytest.mark.parametrize("n_features", [7, 100, 1000])
@pytest.mark.parametrize("dtype", DTYPES)
def test_equal_atoms_have_distance_0(dtype, n_features):
    """Norms are summed as products are: a kernel narrower than any rounding sees equal atoms."""
    x = Structures([1] * 7 + [6] * 5, np.zeros((12, 3)), [0, 7, 12])
    X = np.repeat(np.random.default_rng(0).normal(size=(1, n_features)), 12, axis=0)
    X[0] += 1.0  # so that the others are not the mean
    K = local.gaussian(X.astype(dtype), x, sigma=1e-6)
    np.testing.assert_array_equal(K, [[6 * 6 + 1, 0], [0, 5 * 5]])


def test_nothing_in_common_and_nothing_at_all():
    x, y = batch([4, 5], elements=(1, 6)), batch([3, 0], elements=(8, 300))
    X, Y = features(x), features(y)
    np.testing.assert_array_equal(local.gaussian(X, x, Y, y, sigma=1.0), np.zeros((2, 2)))
    none = Structures.from_arrays([])
    assert local.gaussian(np.empty((0, 5)), none, sigma=1.0).shape == (0, 0)
    assert local.gaussian(X, x, np.empty((0, 5)), none, sigma=1.0).shape == (2, 0)
    assert local.gaussian_diagonal(np.empty((0, 5)), none, sigma=1.0).shape == (0,)
    empty = batch([0, 2])
    K = local.gaussian(features(empty), empty, sigma=1.0)
    np.testing.assert_array_equal(K[0], [0, 0])
    assert K[1, 1] >= 2


def test_float32_close_to_float64_far_from_the_origin():
    """The mean of each element is subtracted: large features lose no digits of small distances."""
    x = batch(range(1, 20))
    shift = np.where(x.numbers == 1, 1000.0, -500.0)[:, None]
    X = np.round(features(x, 300) * 64) / 64 + shift  # exact in float32
    K = local.gaussian(X, x, sigma=15.0)
    single = local.gaussian(X.astype("float32"), x, sigma=15.0)
    np.testing.assert_allclose(single, K, rtol=1e-5)


def test_out():
    x = batch([3, 4, 5])
    X = features(x)
    out = np.full((3, 3), np.nan)
    assert local.gaussian(X, x, sigma=2.0, out=out) is out
    np.testing.assert_array_equal(out, local.gaussian(X, x, sigma=2.0))
    with pytest.raises(ValueError, match=r"out: expected shape \(3, 3\)"):
        local.gaussian(X, x, sigma=2.0, out=np.empty((3, 4)))
    square = np.ones((4, 4))
    four = batch([1, 1, 1, 1])
    with pytest.raises(ValueError, match="out: shares memory with X or Y"):
        local.polynomial(square, four, out=square)


def test_wrong_input_raises():
    x, y = batch([3, 4]), batch([2], seed=1)
    X, Y = features(x), features(y)
    call = local.gaussian
    with pytest.raises(ValueError, match=r"X: expected one row for each of 7 atoms .*6 rows"):
        call(X[:6], x, sigma=1.0)
    with pytest.raises(ValueError, match="found 2 rows, the number of structures"):
        call(X[:2], x, sigma=1.0)
    with pytest.raises(ValueError, match="Y: expected 5 columns as X has, found 4"):
        call(X, x, Y[:, :4], y, sigma=1.0)
    with pytest.raises(TypeError, match="Y: expected float64 as X is, found float32"):
        call(X, x, Y.astype("float32"), y, sigma=1.0)
    with pytest.raises(ValueError, match="structures_Y: expected beside Y, found None"):
        call(X, x, Y, sigma=1.0)
    with pytest.raises(ValueError, match="Y: expected beside structures_Y, found None"):
        call(X, x, None, y, sigma=1.0)
    with pytest.raises(ValueError, match="X: expected two dimensions"):
        call(X[0], x, sigma=1.0)
    with pytest.raises(TypeError, match="structures: expected Structures, a list"):
        call(X, 3, sigma=1.0)
    for sigma in (0.0, -1.0, np.nan, [1.0, 0.0]):
        with pytest.raises(ValueError, match="sigma: expected positive widths"):
            call(X, x, sigma=sigma)
    with pytest.raises(ValueError, match="n_threads: expected None or an integer"):
        call(X, x, sigma=1.0, n_threads=0)
    for name, value, message in (
        ("degree", 0, "degree: expected an integer from 1 to .*, found 0"),
        ("scale", 0.0, "scale: expected a number above 0, found 0"),
        ("offset", -1.0, "offset: expected a number of 0 or more, found -1"),
    ):
        with pytest.raises(ValueError, match=message):
            local.polynomial(X, x, **{name: value})


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_raise(bad):
    x = batch([3, 0, 4])
    X = features(x)
    X[5, 2] = bad
    message = "expected finite values, found NaN or infinity for atom 2 of molecule 2"
    with pytest.raises(ValueError, match=f"X: {message}"):
        local.gaussian(X, x, sigma=1.0)
    with pytest.raises(ValueError, match=f"Y: {message}"):
        local.polynomial(features(x), x, X, x)


def test_normalize_without_self_similarity_raises():
    x, y = batch([3, 0]), batch([2, 4], seed=1)
    X, Y = features(x), features(y)
    message = "normalize: molecule 1 of {} has self-similarity 0, expected a positive and"
    with pytest.raises(ValueError, match=message.format("structures")):
        local.gaussian(X, x, sigma=1.0, normalize=True)
    with pytest.raises(ValueError, match=message.format("structures_Y")):
        local.gaussian(Y, y, X, x, sigma=1.0, normalize=True)
    Y[:] = 0
    with pytest.raises(ValueError, match="normalize: molecule 0 of structures has self"):
        local.polynomial(Y, y, normalize=True)


def test_result_too_large_says_its_bytes():
    n = 3_000_000
    x = Structures(np.ones(n, "i4"), np.zeros((n, 3)), np.arange(n + 1))
    with pytest.raises(MemoryError, match=f"local.gaussian: .* needs {4 * n * n} bytes"):
        local.gaussian(np.zeros((n, 1), "float32"), x, sigma=1.0)


def test_lists_and_other_layouts_are_converted():
    pairs = [([1, 8], np.zeros((2, 3))), ([1], np.zeros((1, 3)))]
    X = np.arange(6).reshape(3, 2)
    expected = local.gaussian(X.astype(float), Structures.from_arrays(pairs), sigma=5.0)
    np.testing.assert_array_equal(local.gaussian(X, pairs, sigma=5.0), expected)
    swapped = np.asfortranarray(X.astype(float))
    np.testing.assert_array_equal(local.gaussian(swapped, pairs, sigma=5.0), expected)


def test_huge_features_are_equal_to_themselves_alone():
    X = np.array([[0], [1e20], [-1e20]], dtype="float32")  # their squares are infinite
    atoms = [([1], np.zeros((1, 3)))] * 3
    np.testing.assert_array_equal(local.gaussian(X, atoms, sigma=1.0), np.eye(3))


@pytest.mark.parametrize("degree", [1, 2, 3, 7, 64, 1_000_000_000])
def test_polynomial_of_any_degree(degree):
    X = np.array([[0.5], [0.25]])
    atoms = [([1], np.zeros((1, 3)))] * 2
    found = local.polynomial(X, atoms, degree=degree, offset=0.75)
    np.testing.assert_allclose(found, (X @ X.T + 0.75) ** degree, rtol=1e-6)


def test_normalize_by_infinity_raises():
    X, atoms = np.array([[1.0], [4.0]]), [([1], np.zeros((1, 3)))] * 2
    with pytest.raises(ValueError, match="molecule 1 of structures has self-similarity inf, exp"):
        local.polynomial(X, atoms, degree=2000, normalize=True)


def test_wrong_types():
    X, atoms = np.ones((1, 1)), [([1], np.zeros((1, 3)))]
    with pytest.raises(TypeError, match="normalize: expected True or False, found 'no'"):
        local.gaussian(X, atoms, sigma=1.0, normalize="no")
    with pytest.raises(TypeError, match="scale: expected a number above 0, found 'a'"):
        local.polynomial(X, atoms, scale="a")
    with pytest.raises(ValueError, match=r"degree: .* from 1 to .*, found 100000000"):
        local.polynomial(X, atoms, degree=10**20)
