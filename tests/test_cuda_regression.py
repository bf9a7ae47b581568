"""Kernel ridge regression on a device, emulated or real: against that of the host."""

import numpy as np
import pytest

import molkern as mk
from molkern.kernels import local
from molkern.regression import DeviceKernelRidge, KernelRidge
from study_data import chains

torch = pytest.importorskip("torch")

ACSF = {"r_cut": 4.0, "g2": [(0.5, 1.0), (1.0, 1.5), (4.0, 2.0)], "cutoff_function": "cosine"}
POLYNOMIAL = {"degree": 3, "scale": 0.2, "offset": 0.5}


@pytest.fixture
def data():
    random = np.random.default_rng(0)
    X = random.normal(size=(60, 3))
    return X, np.stack([np.sin(X[:, 0]) + 4.0, X[:, 1] * X[:, 2]], axis=1)


@pytest.fixture
def tensor(cuda_module):
    """Makes a tensor where the module works; the emulation's memory is the host's."""
    emulated = cuda_module.device_kind == 1
    if not emulated and not torch.cuda.is_available():
        pytest.skip("torch has no CUDA")
    where = "cpu" if emulated else "cuda"
    return lambda array: torch.tensor(np.ascontiguousarray(array), device=where)


@pytest.fixture(scope="module")
def atoms():
    """Training and test structures, features of their atoms, and energies of the former."""
    made = chains()
    sides = made.structures[:40], made.structures[40:]
    model = mk.ACSF(species=[1, 6, 8], **ACSF).fit(made.structures)
    return sides, [model.transform(s) for s in sides], made.targets["energy"][:40]


@pytest.mark.parametrize("kernel", ["gaussian", "laplacian"])
@pytest.mark.parametrize("targets", [0, slice(None)])
def test_equal_to_the_host(tensor, data, kernel, targets):
    X, y = data[0], data[1][:, targets]
    host = KernelRidge(kernel=kernel, sigma=2.0, alpha=1e-6, baseline="mean").fit(X[:40], y[:40])
    model = DeviceKernelRidge(kernel, sigma=2.0, alpha=1e-6).fit(tensor(X[:40]), tensor(y[:40]))
    found = model.predict(tensor(X[40:]))
    assert isinstance(found, torch.Tensor)
    np.testing.assert_allclose(found.cpu().numpy(), host.predict(X[40:]), rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(
        model.dual_coef_.cpu().numpy(), host.dual_coef_, rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_atoms_equal_to_the_host(tensor, atoms, dtype):
    (train, test), (X, T), y = atoms
    X, T = X.astype(dtype), T.astype(dtype)
    host = KernelRidge(kernel="local.gaussian", sigma=0.8, alpha=1e-4, baseline="mean")
    expected = host.fit(X, y, structures=train).predict(T, structures=test)
    model = DeviceKernelRidge("local.gaussian", sigma=0.8, alpha=1e-4)
    model.fit(tensor(X), tensor(y.astype(dtype)), structures=train)
    found = model.predict(tensor(T), structures=test)
    assert isinstance(found, torch.Tensor)
    assert found.shape == (20,)
    # Rounding of the kernel times the norm of the coefficients.
    atol = (1e-9 if dtype == "float64" else 1e-3) * np.abs(y).max()
    np.testing.assert_allclose(found.cpu().numpy(), expected, rtol=0, atol=atol)
    assert model.dual_coef_.shape == host.dual_coef_.shape
    assert model.X_fit_.shape == host.X_fit_.shape


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize(
    ("kernel", "options"), [("local.gaussian", {"sigma": 0.8}), ("local.polynomial", POLYNOMIAL)]
)
def test_atoms_by_definition(tensor, atoms, kernel, options, normalize):
    (train, test), (X, T), y = atoms
    y = np.stack([y, y**2], axis=1)
    options = {**options, "normalize": normalize}
    function = getattr(local, kernel.removeprefix("local."))
    K = function(X, train, **options) + 1e-4 * np.eye(40)
    dual = np.linalg.solve(K, y - y.mean(axis=0))
    expected = function(T, test, X, train, **options) @ dual + y.mean(axis=0)
    model = DeviceKernelRidge(kernel, alpha=1e-4, **options)
    model.fit(tensor(X), tensor(y), structures=train)
    found = model.predict(tensor(T), structures=test).cpu().numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8 * np.abs(y).max())


def test_structures_in_other_forms(tensor, atoms):
    """As lists; atoms of elements that the training set lacks add nothing."""
    (train, _), (X, _), y = atoms
    model = DeviceKernelRidge("local.gaussian", sigma=0.8, alpha=1e-4)
    pairs = [(s.numbers, s.positions) for s in (train[k : k + 1] for k in range(40))]
    model.fit(tensor(X), tensor(y), structures=pairs)
    strange = [([7, 7], [[0.0, 0.0, 0.0], [0.0, 0.0, 1.1]])]
    found = model.predict(tensor(np.ones((2, X.shape[1]))), structures=strange).cpu().numpy()
    np.testing.assert_allclose(found, [y.mean()], rtol=1e-14)


def test_jax_arrays_stay_jax(emulated, atoms):
    jax = pytest.importorskip("jax")
    (train, test), (X, T), y = atoms
    X, T, y = (a.astype(np.float32) for a in (X, T, y))
    host = KernelRidge(kernel="local.gaussian", sigma=0.8, alpha=1e-2, baseline="mean")
    expected = host.fit(X, y, structures=train).predict(T, structures=test)
    model = DeviceKernelRidge("local.gaussian", sigma=0.8, alpha=1e-2)
    model.fit(jax.numpy.array(X), jax.numpy.array(y), structures=train)
    found = model.predict(jax.numpy.array(T), structures=test)
    assert isinstance(found, jax.Array)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3 * np.abs(y).max())


def test_errors(tensor, data):
    X, y = map(tensor, data)
    with pytest.raises(ValueError, match=r"kernel: expected one of \('gaussian', .* 'linear'"):
        DeviceKernelRidge("linear", sigma=1.0)
    with pytest.raises(ValueError, match="sigma: expected"):
        DeviceKernelRidge(sigma=0)
    with pytest.raises(TypeError, match="sigma: expected a number above 0, found None"):
        DeviceKernelRidge("local.gaussian")
    with pytest.raises(ValueError, match="degree: expected an integer from 1 to"):
        DeviceKernelRidge("local.polynomial", degree=0)
    with pytest.raises(TypeError, match="X: expected an array of torch, CuPy or JAX, found ndarr"):
        DeviceKernelRidge(sigma=1.0).fit(*data)
    with pytest.raises(ValueError, match=r"y: expected 60 rows of torch as X has, found .* \(59"):
        DeviceKernelRidge(sigma=1.0).fit(X, y[:59])
    with pytest.raises(ValueError, match="X: expected at least one structure to learn from"):
        DeviceKernelRidge(sigma=1.0).fit(X[:0], y[:0])
    with pytest.raises(ValueError, match=r"as X has, found shape \(60, 2, 1\)"):
        DeviceKernelRidge(sigma=1.0).fit(X, y[..., None])
    with pytest.raises(TypeError, match=r"y: expected torch\.float64 as X is, found"):
        DeviceKernelRidge(sigma=1.0).fit(X, y.float())
    with pytest.raises(ValueError, match="y: expected finite values, found NaN or infinity"):
        DeviceKernelRidge(sigma=1.0).fit(X, torch.full_like(y, torch.nan))
    with pytest.raises(ValueError, match="X: expected finite features, found NaN or infinity"):
        DeviceKernelRidge(sigma=1.0).fit(torch.full_like(X, torch.nan), y)
    with pytest.raises(ValueError, match="y: no gradient flows through here"):
        DeviceKernelRidge(sigma=1.0).fit(X, y.clone().requires_grad_())
    with pytest.raises(ValueError, match="X: no gradient flows through here"):
        DeviceKernelRidge(sigma=1.0).fit(X, y).predict(X.clone().requires_grad_())
    model = DeviceKernelRidge(sigma=1.0).fit(X, y)
    before = model.predict(X)
    with pytest.raises(ValueError, match="X: expected finite features"):
        model.fit(torch.full_like(X, torch.nan), y + 100)
    assert torch.equal(model.predict(X), before)  # what failed leaves no trace
    with pytest.raises(ValueError, match="not fitted"):
        DeviceKernelRidge(sigma=1.0).predict(X)
    twice = torch.cat([X, X])
    with pytest.raises(ValueError, match="not positive definite: a larger alpha"):
        DeviceKernelRidge(sigma=1.0, alpha=0.0).fit(twice, torch.cat([y, y]))


def test_errors_of_atoms(tensor, atoms):
    (train, test), (X, T), y = atoms
    X, T, y = map(tensor, (X, T, y))
    model = DeviceKernelRidge("local.gaussian", sigma=1.0, alpha=1e-6)
    with pytest.raises(ValueError, match=r'kernel="local.gaussian": fit needs structures='):
        model.fit(X, y)
    with pytest.raises(ValueError, match=r"X: expected one row for each of .* atoms"):
        model.fit(X[:-1], y, structures=train)
    with pytest.raises(ValueError, match="y: expected 40 rows of torch as there are structures"):
        model.fit(X, y[:-1], structures=train)
    with pytest.raises(TypeError, match="normalize: expected True or False, found 1"):
        DeviceKernelRidge("local.gaussian", sigma=1.0, normalize=1).fit(X, y, structures=train)
    model.fit(X, y, structures=train)
    with pytest.raises(ValueError, match="predict needs structures="):
        model.predict(T)
    with pytest.raises(TypeError, match="X: expected an array of torch, CuPy or JAX, found ndarr"):
        model.predict(T.cpu().numpy(), structures=test)
    with pytest.raises(
        ValueError, match=r"X: expected shape \(any, 12\) as in fit, found \(\d+, 8"
    ):
        model.predict(T[:, :8], structures=test)
    with pytest.raises(
        TypeError, match=r"X: expected torch\.float64 as in fit, found torch\.float32"
    ):
        model.predict(T.float(), structures=test)
