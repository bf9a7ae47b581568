"""Devices: what is said where there is none, and arrays that come and go by DLPack."""

import gc
import types

import numpy as np
import pytest

import molkern as mk
from molkern import cuda, kernels


@pytest.fixture
def found(monkeypatch):
    """Modules by name as they shall be found; what is not there cannot be imported."""
    modules = {}

    def imported(name):
        if name not in modules:
            raise ModuleNotFoundError(f"No module named {name!r}")
        if isinstance(modules[name], Exception):
            raise modules[name]
        return modules[name]

    monkeypatch.setattr(cuda.importlib, "import_module", imported)
    cuda._found.cache_clear()
    yield modules
    cuda._found.cache_clear()


def extension(why="", version=mk.__version__):
    return types.SimpleNamespace(
        __version__=version, unavailable=lambda: why, n_devices=lambda: 2,
        description=lambda k: f"card {k}",
    )  # fmt: skip


def test_no_module(found):
    assert not cuda.is_available()
    assert cuda.reason() == "the CUDA module, molkern-cuda13, is not installed (README: On a GPU)"
    assert cuda.devices() == []
    with pytest.raises(RuntimeError, match="no CUDA device can be used: the CUDA module, molk"):
        mk.CoulombMatrix().fit([([1], [[0, 0, 0]])]).transform([([1], [[0, 0, 0]])], device="cuda")


@pytest.mark.parametrize("home", ["molkern", "molkern_cuda13"])
def test_module_in_either_place(found, home):
    found[f"{home}._cuda"] = extension()
    assert cuda.is_available()
    assert cuda.reason() == ""
    assert cuda.devices() == ["card 0", "card 1"]


def test_module_without_a_device(found):
    found["molkern_cuda13._cuda"] = extension(why="no CUDA driver is installed")
    assert not cuda.is_available()
    assert cuda.reason() == "no CUDA driver is installed"
    assert cuda.devices() == []


def test_module_of_another_version(found):
    found["molkern_cuda13._cuda"] = extension(version="0.0.1")
    assert cuda.reason() == (
        f"molkern_cuda13._cuda is of version 0.0.1, molkern of {mk.__version__}: install the same "
        "of both"
    )


def test_module_that_cannot_be_loaded(found):
    found["molkern_cuda13._cuda"] = ImportError("libfoo.so: cannot open shared object file")
    assert "molkern_cuda13._cuda cannot be loaded: libfoo.so: cannot open" in cuda.reason()


def test_arrays_go_to_numpy_and_keep_their_memory(emulated):
    values = np.arange(6.0).reshape(2, 3)
    array = emulated.upload(values, 0, 0)
    assert array.shape == (2, 3)
    assert array.dtype == np.float64
    assert repr(array) == "DeviceArray(shape=(2, 3), dtype=float64, device=0)"
    assert array.__dlpack_device__() == (emulated.device_kind, 0)
    view = np.from_dlpack(array)
    del array
    gc.collect()
    np.testing.assert_array_equal(view, values)
    np.testing.assert_array_equal(np.asarray(emulated.upload(values, 0, 0)), values)


def test_cuda_array_interface(cuda_module):
    interface = cuda_module.upload(np.zeros((2, 3), np.float32), 0, 0).__cuda_array_interface__
    address, read_only = interface.pop("data")
    assert address > 0
    assert not read_only
    assert interface == {
        "shape": (2, 3), "typestr": "<f4", "strides": None, "version": 3, "stream": None
    }  # fmt: skip


def test_a_capsule_is_used_once(cuda_module):
    array = cuda_module.upload(np.zeros(3), 0, 0)
    capsule = array.__dlpack__()
    cuda_module.imported("X", capsule, 0)
    with pytest.raises(ValueError, match="PyCapsule_GetPointer called with incorrect name"):
        cuda_module.imported("X", capsule, 0)


def test_what_cannot_be_taken(emulated):
    with pytest.raises(TypeError, match="X: expected float32 or float64, found DLPack's type code"):
        emulated.imported("X", np.arange(3).__dlpack__(), 0)
    transposed = np.zeros((2, 3)).T
    with pytest.raises(ValueError, match="X: expected a C-contiguous array"):
        emulated.imported("X", transposed.__dlpack__(), 0)


def test_capsules_do_not_leak(emulated):
    """Used or not: the memory of 200 arrays of a mebibyte comes back."""
    resource = pytest.importorskip("resource")
    values = np.zeros(1 << 17)

    def once():
        emulated.upload(values, 0, 0).__dlpack__()
        emulated.imported("X", emulated.upload(values, 0, 0).__dlpack__(), 0)

    once()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(200):
        once()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_torch_tensors_stay_torch(emulated):
    torch = pytest.importorskip("torch")
    X = torch.randn(20, 4, dtype=torch.float64)
    K = kernels.gaussian(X, sigma=1.0)
    assert isinstance(K, torch.Tensor)
    expected = kernels.gaussian(X.numpy().copy(), sigma=1.0)
    np.testing.assert_allclose(K.numpy(), expected, atol=1e-12)
    with pytest.raises(ValueError, match="X: expected a C-contiguous array; call"):
        kernels.gaussian(X.T, sigma=1.0)


def test_gradients_are_not_lost_in_silence(emulated):
    torch = pytest.importorskip("torch")
    X = torch.randn(5, 4, requires_grad=True)
    with pytest.raises(ValueError, match="X: no gradient flows through here, found a tensor that"):
        kernels.gaussian(X, sigma=1.0)
    with torch.no_grad():
        assert not kernels.gaussian(X, sigma=1.0).requires_grad
    assert kernels.gaussian(X.detach(), sigma=1.0).shape == (5, 5)


@pytest.mark.parametrize("name", ["linear", "polynomial", "euclidean_distances"])
def test_kernels_of_the_host_say_so(emulated, name):
    X, kernel = emulated.upload(np.zeros((2, 3)), 0, 0), getattr(kernels, name)
    with pytest.raises(ValueError, match="X: this is computed on the host only, found an array on"):
        kernel(X)


def test_names_of_devices(emulated):
    torch = pytest.importorskip("torch")
    water = [([8, 1, 1], [[0.0, 0.0, 0.12], [0.0, 0.76, -0.48], [0.0, -0.76, -0.48]])]
    model = mk.CoulombMatrix().fit(water)
    expected = model.transform(water)
    np.testing.assert_array_equal(model.transform(water, device="cpu"), expected)
    for device in (torch.device("cuda"), torch.device("cuda", 0), "cuda", "cuda:0"):
        found = model.transform(water, device=device).to_numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-13)
    positions = emulated.upload(np.array(water[0][1]), 0, 0)
    with pytest.raises(ValueError, match='positions: expected no array on a device with device="c'):
        model.transform(water, positions=positions, device="cpu")
