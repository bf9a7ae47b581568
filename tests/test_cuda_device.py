"""What only a card can show: streams, memory that ends, several devices, arrays without copies."""

import re

import numpy as np
import pytest

import molkern as mk
from local_on_device import check_gradient, check_values
from molkern import kernels

pytestmark = pytest.mark.cuda

SOAP = {"n_max": 30, "l_max": 20, "radial_basis": "polynomial"}
TOO_LARGE = {
    "unsorted": (mk.CoulombMatrix(permutation="none"), 4500),
    "sorted": (mk.CoulombMatrix(), 260),
    "eigenvalues": (mk.CoulombMatrix(permutation="eigenspectrum"), 250),
    "bags": (mk.BagOfBonds(), 250),
    "ACSF": (mk.ACSF(g4=[(0.001 * k, 1.0, 1.0) for k in range(600)], average="sum"), 20),
    "SOAP": (mk.SOAP(**SOAP), 6),
    "SOAP of sums": (mk.SOAP(**SOAP, average="inner"), 6),
}


@pytest.fixture
def torch(cuda_device):
    """torch, where it has CUDA; the memory that it keeps is given back."""
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("torch has no CUDA")
    yield torch
    torch.cuda.synchronize()
    torch.cuda.empty_cache()


@pytest.fixture
def batch(structures):
    """Structures with a model that knows them, and its features."""
    model = mk.CoulombMatrix(permutation="none").fit(structures)
    return structures, model, model.transform(structures)


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=0)


def keep_busy(torch, matrix):
    """Work for the current stream, for longer than a call of molkern takes."""
    for _ in range(20):
        matrix = torch.tanh(matrix @ matrix)
    return matrix


def test_devices_are_described(cuda_device):
    assert mk.cuda.is_available()
    assert cuda_device.device_kind == 2
    assert len(mk.cuda.devices()) == cuda_device.n_devices() > 0
    for text in mk.cuda.devices():
        assert re.search(r"compute capability \d+\.\d+, \d+ MiB, driver for CUDA \d+\.\d+", text)


@pytest.mark.parametrize("what", TOO_LARGE)
def test_blocks_that_need_more_memory_than_a_card_shares(cuda_device, what):
    """More than 227 KiB, in values, gradients or both."""
    random = np.random.default_rng(0)
    model, n = TOO_LARGE[what]
    grid = np.stack(np.unravel_index(np.arange(n), (17, 17, 17)), axis=1)
    positions = 3.0 * grid + random.normal(scale=0.1, size=(n, 3))
    large = mk.Structures.from_arrays([(random.choice([1, 6, 8], n), positions)])
    check_values(model.fit(large), large)
    check_gradient(model, large)


def test_results_are_tensors_without_a_copy(torch, cuda_device, batch):
    structures, model, expected = batch
    array = model.transform(structures, device="cuda")
    address = array.__cuda_array_interface__["data"][0]
    view = torch.from_dlpack(array)
    assert view.is_cuda
    assert view.data_ptr() == address
    taken = cuda_device.imported("X", view.__dlpack__(), 0)
    assert taken.__cuda_array_interface__["data"][0] == address
    # The memory lives as long as its last view.
    del array, taken
    other = model.transform(structures, device="cuda")
    assert other.__cuda_array_interface__["data"][0] != address
    close(view.cpu().numpy(), expected)


def test_tensors_stay_torch(torch, batch):
    structures, model, expected = batch
    X = model.transform(structures, positions=torch.tensor(structures.positions, device="cuda"))
    assert isinstance(X, torch.Tensor)
    assert X.device.type == "cuda"
    close(X.cpu().numpy(), expected)
    K = kernels.gaussian(X, sigma=10.0)
    assert isinstance(K, torch.Tensor)
    np.testing.assert_allclose(
        K.cpu().numpy(), kernels.gaussian(expected, sigma=10.0), rtol=0, atol=1e-12
    )
    with pytest.raises(ValueError, match="X: expected a C-contiguous array; call"):
        kernels.gaussian(X.T, sigma=1.0)


def test_work_follows_the_stream_of_its_input(torch, batch):
    """It waits for positions that are still to be written there, whatever another stream does."""
    structures, model, expected = batch
    halves = torch.tensor(structures.positions / 2, device="cuda")
    positions = torch.full_like(halves, torch.nan)
    matrices = [torch.randn(4096, 4096, device="cuda") for _ in range(2)]
    other, own = torch.cuda.Stream(), torch.cuda.Stream()
    torch.cuda.synchronize()
    with torch.cuda.stream(other):
        keep_busy(torch, matrices[0])
    with torch.cuda.stream(own):
        keep_busy(torch, matrices[1])
        torch.mul(halves, 2, out=positions)
        X = model.transform(structures, positions=positions)
        gradient = model.vjp(structures, X, positions=positions)
        assert torch.cuda.current_stream() == own
    # Results are complete: the default stream, on which they are read, does not have to wait.
    close(X.cpu().numpy(), expected)
    wanted = model.vjp(structures, expected)
    np.testing.assert_allclose(gradient.cpu().numpy(), wanted, rtol=1e-11, atol=1e-12)


def test_an_error_leaves_nothing_behind(torch, batch):
    structures, model, expected = batch
    wrong = structures.positions.copy()
    wrong[structures.offsets[1] + 1] = wrong[structures.offsets[1]]
    positions = torch.tensor(wrong, device="cuda")
    stream = torch.cuda.Stream()
    torch.cuda.synchronize()
    with torch.cuda.stream(stream):
        for _ in range(3):
            with pytest.raises(ValueError, match="two atoms of molecule 1 coincide"):
                model.transform(structures, positions=positions)
        positions.copy_(torch.tensor(structures.positions))
        X = model.transform(structures, positions=positions)
    close(X.cpu().numpy(), expected)
    close(model.transform(structures, device="cuda").to_numpy(), expected)


def test_memory_that_ends(cuda_device, batch):
    """Twice the free memory, in rows of as many features: the message says both; then goes on."""
    atoms = mk.Structures(np.ones(64, np.int32), np.zeros((64, 3)), np.arange(65))
    size = int(np.sqrt(2 * cuda_device.free_bytes(0) / 64 / 4)) + 1
    model = mk.CoulombMatrix(size=size, permutation="none").fit(atoms)
    asked = 64 * 8 * model.n_features_out_
    positions = cuda_device.upload(atoms.positions, 0, 0)
    with pytest.raises(MemoryError, match=f" {asked} bytes asked for, .* are free on") as error:
        model.transform(atoms, positions=positions)
    free = int(re.search(r"(\d+) are free", str(error.value))[1])
    assert asked / 4 < free < asked
    structures, model, expected = batch
    close(model.transform(structures, device="cuda").to_numpy(), expected)


def test_a_batch_larger_than_free_memory(torch, cuda_device, structures):
    """All memory but 512 MiB belongs to somebody else."""
    free, _ = torch.cuda.mem_get_info(0)
    filler = torch.empty(free - 2**29, dtype=torch.uint8, device="cuda:0")
    model = mk.CoulombMatrix(size=100).fit(structures)
    n = cuda_device.free_bytes(0) // (8 * model.n_features_out_) + 1
    batch = structures[np.arange(n) % len(structures)]
    out = np.full((n, model.n_features_out_), np.nan)
    try:
        assert model.transform(batch, out, device="cuda:0") is out
    finally:
        del filler  # also from the traceback: later tests need the memory
    expected = model.transform(structures)
    for k, row in enumerate(expected):
        close(out[k :: len(expected)], np.broadcast_to(row, out[k :: len(expected)].shape))


def test_the_current_device_is_restored(torch, cuda_device, batch):
    if cuda_device.n_devices() < 2:
        pytest.skip("one device")
    structures, model, expected = batch
    torch.cuda.set_device(0)
    found = model.transform(structures, device="cuda:1")
    assert found.device == 1
    assert torch.cuda.current_device() == 0
    positions = torch.tensor(structures.positions, device="cuda:1")
    X = model.transform(structures, positions=positions)
    assert X.device == positions.device
    assert torch.cuda.current_device() == 0
    assert torch.zeros(1, device="cuda").device.index == 0
    close(found.to_numpy(), expected)
    close(X.cpu().numpy(), expected)
    assert model.transform(structures, device="cuda").device == 0
    here = cuda_device.upload(structures.positions, 0, 0)
    with pytest.raises(ValueError, match="positions: expected on device 1, found on 0"):
        model.transform(structures, device="cuda:1", positions=here)
