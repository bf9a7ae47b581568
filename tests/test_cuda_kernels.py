"""Kernel matrices on a device, emulated or real: against those of the host."""

import numpy as np
import pytest

from molkern import kernels

NAMES = ["gaussian", "laplacian"]
TOLERANCE = {"float64": 1e-12, "float32": 2e-5}


def rows(shape, dtype, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def put(module, array):
    return module.upload(array, 0, 0)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("n", "m", "f"), [(1, 1, 1), (5, 3, 7), (70, 200, 20), (130, 65, 9)])
def test_matrix_of_two_sets(cuda_module, name, n, m, f, dtype):
    kernel, X, Y = getattr(kernels, name), rows((n, f), dtype), rows((m, f), dtype, 1)
    found = kernel(put(cuda_module, X), put(cuda_module, Y), sigma=2.5)
    assert found.shape == (n, m)
    assert found.dtype == dtype
    expected = kernel(X, Y, sigma=2.5)
    np.testing.assert_allclose(found.to_numpy(), expected, rtol=0, atol=TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("n", "f"), [(1, 3), (64, 8), (129, 5), (200, 600)])
def test_matrix_of_one_set_is_symmetric(cuda_module, name, n, f, dtype):
    kernel, X = getattr(kernels, name), rows((n, f), dtype)
    found = kernel(put(cuda_module, X), sigma=20.0).to_numpy()
    np.testing.assert_array_equal(found, found.T)
    np.testing.assert_array_equal(np.diag(found), 1)
    expected = kernel(X, sigma=20.0)
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE[dtype])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("symmetric", [True, False])
def test_several_widths_and_copies(cuda_module, name, symmetric):
    kernel, X, Y = getattr(kernels, name), rows((67, 12), "float64"), rows((20, 12), "float64", 1)
    there = [put(cuda_module, a) for a in ((X,) if symmetric else (X, Y))]
    here = [X] if symmetric else [X, Y]
    options = {"sigma": [0.5, 3.0, 40.0], "n_copies": 3}
    found = kernel(*there, **options)
    np.testing.assert_allclose(found.to_numpy(), kernel(*here, **options), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_threads_does_not_matter(emulated_module, monkeypatch, name):
    monkeypatch.setattr("molkern.cuda._found", lambda: emulated_module)
    X, results = rows((150, 33), "float32"), []
    for backwards in (False, True):
        emulated_module.run_backwards(backwards)
        kernel = getattr(kernels, name)
        results.append(kernel(put(emulated_module, X), sigma=3.0).to_numpy())
    np.testing.assert_array_equal(*results)


def test_large_norms_do_not_spoil_near_distances(cuda_module):
    """Column means are subtracted before products are formed."""
    X = rows((40, 30), "float32") * 1e-2 + 100
    found = kernels.gaussian(put(cuda_module, X), sigma=0.1).to_numpy()
    expected = kernels.gaussian(X.astype(np.float64), sigma=0.1)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_no_rows(cuda_module, name):
    X = put(cuda_module, rows((0, 3), "float64"))
    assert getattr(kernels, name)(X, sigma=1.0).to_numpy().shape == (0, 0)


def test_errors(cuda_module):
    X = put(cuda_module, rows((4, 6), "float64"))
    with pytest.raises(ValueError, match=r"Y: expected shape \(any, 6\), found \(4, 5\)"):
        kernels.gaussian(X, put(cuda_module, rows((4, 5), "float64")), sigma=1.0)
    with pytest.raises(ValueError, match="Y: expected float64 as X is, found float32"):
        kernels.gaussian(X, put(cuda_module, rows((4, 6), "float32")), sigma=1.0)
    with pytest.raises(ValueError, match="Y: expected an array on a device as X is"):
        kernels.gaussian(X, rows((4, 6), "float64"), sigma=1.0)
    with pytest.raises(ValueError, match="n_copies: 6 columns are not 4 copies side by side"):
        kernels.gaussian(X, sigma=1.0, n_copies=4)
    with pytest.raises(ValueError, match="out: expected None for arrays on a device"):
        kernels.laplacian(X, sigma=1.0, out=np.empty((4, 4)))
    with pytest.raises(ValueError, match="sigma: expected positive widths, found -1"):
        kernels.laplacian(X, sigma=-1.0)
    with pytest.raises(ValueError, match=r"X: expected shape \(any, any\), found \(4,\)"):
        kernels.laplacian(put(cuda_module, np.zeros(4)), sigma=1.0)
    # An error leaves nothing behind.
    assert kernels.laplacian(X, sigma=1.0).shape == (4, 4)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("n", "m"), [(100, 30), (30, 100), (100, 100)])
def test_rows_that_share_memory(emulated, name, n, m):
    """Some of the same rows on either side are two sets, not one."""
    kernel, X = getattr(kernels, name), rows((100, 5), "float64")
    # The emulated device is the host's memory.
    there = [emulated.imported("X", X[:k].__dlpack__(), 0) for k in (n, m)]
    found = kernel(*there, sigma=2.0).to_numpy()
    np.testing.assert_allclose(found, kernel(X[:n], X[:m], sigma=2.0), rtol=0, atol=1e-12)
