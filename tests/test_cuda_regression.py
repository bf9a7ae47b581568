"""Kernel ridge regression on a device, emulated or real: against that of the host."""

import numpy as np
import pytest

from molkern.regression import DeviceKernelRidge, KernelRidge

torch = pytest.importorskip("torch")


@pytest.fixture
def data():
    random = np.random.default_rng(0)
    X = random.normal(size=(60, 3))
    return X, np.stack([np.sin(X[:, 0]) + 4.0, X[:, 1] * X[:, 2]], axis=1)


@pytest.mark.parametrize("kernel", ["gaussian", "laplacian"])
@pytest.mark.parametrize("targets", [0, slice(None)])
def test_equal_to_the_host(cuda_module, data, kernel, targets):
    X, y = data[0], data[1][:, targets]
    host = KernelRidge(kernel=kernel, sigma=2.0, alpha=1e-6, baseline="mean").fit(X[:40], y[:40])
    there = [torch.tensor(np.ascontiguousarray(a)) for a in (X[:40], y[:40], X[40:])]
    model = DeviceKernelRidge(kernel, sigma=2.0, alpha=1e-6).fit(*there[:2])
    found = model.predict(there[2])
    assert isinstance(found, torch.Tensor)
    np.testing.assert_allclose(found.numpy(), host.predict(X[40:]), rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(model.dual_coef_.numpy(), host.dual_coef_, rtol=1e-5, atol=1e-5)


def test_errors(cuda_module, data):
    X, y = map(torch.tensor, data)
    with pytest.raises(ValueError, match='kernel: expected "gaussian" or "laplacian", found'):
        DeviceKernelRidge("linear", sigma=1.0)
    with pytest.raises(ValueError, match="sigma: expected"):
        DeviceKernelRidge(sigma=0)
    with pytest.raises(TypeError, match="X: expected an array of torch, CuPy or JAX, found ndarr"):
        DeviceKernelRidge(sigma=1.0).fit(*data)
    with pytest.raises(ValueError, match="y: expected 60 rows of torch as X has, found 59"):
        DeviceKernelRidge(sigma=1.0).fit(X, y[:59])
    with pytest.raises(ValueError, match="not fitted"):
        DeviceKernelRidge(sigma=1.0).predict(X)
    twice = torch.cat([X, X])
    with pytest.raises(ValueError, match="not positive definite: a larger alpha"):
        DeviceKernelRidge(sigma=1.0, alpha=0.0).fit(twice, torch.cat([y, y]))
