"""Data and molecules that the tests share."""

import importlib
import os
from pathlib import Path

import numpy as np
import pytest

import cuda_emulation
import molkern as mk
from definitions import MOLECULES


def _folder(variable, beside):
    """A folder named by an environment variable, or beside the checkout."""
    named = os.environ.get(variable)
    path = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / beside
    if path.is_dir():
        return path
    message = f"no {beside} folder: set {variable} (looked in {path})"
    # On the project's own machines the data are there: a silent skip would hide a broken test.
    if os.environ.get("CI") and (path.parent.is_dir() or named):
        pytest.fail(message)
    pytest.skip(message)
    return None


@pytest.fixture(scope="session")
def shared_data():
    """Folder of the verified data sets."""
    return _folder("MOLKERN_DATA", "data")


@pytest.fixture(scope="session")
def qm7(shared_data):
    """Structures of the 7165 molecules of QM7."""
    with np.load(shared_data / "qm7.npz") as data:
        return mk.Structures(data["Z"], data["R"], data["offsets"])


@pytest.fixture(scope="session")
def qm7_sample(qm7):
    """A fifth of QM7."""
    return qm7[::5]


@pytest.fixture
def molecules():
    """Small molecules as (numbers, positions) pairs, without symmetry."""
    return [(numbers.copy(), positions.copy()) for numbers, positions in MOLECULES]


@pytest.fixture
def structures(molecules):
    return mk.Structures.from_arrays(molecules)


@pytest.fixture(scope="session")
def benchmarks():
    """Folder of the benchmark programs, which a source distribution does not have."""
    path = Path(__file__).resolve().parents[1] / "benchmarks"
    if not path.is_dir():
        pytest.skip("no benchmarks folder")
    return path


@pytest.fixture
def bench(benchmarks, monkeypatch):
    """Import a module of the benchmarks folder, as its programs do."""
    monkeypatch.syspath_prepend(str(benchmarks))
    return importlib.import_module


@pytest.fixture
def own_folders(tmp_path, monkeypatch):
    """An empty folder to work in; the data, the cache and the reports of the user are not seen."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MOLKERN_DATA", raising=False)
    monkeypatch.setenv("MOLKERN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def emulated_module():
    """The CUDA module with blocks that the host emulates."""
    if not cuda_emulation.sources():
        pytest.skip("no sources of the CUDA module: only the installed package is here")
    if cuda_emulation.compiler() is None:
        if os.environ.get("CI"):
            pytest.fail("no C++ compiler")
        pytest.skip("no C++ compiler to build the emulation with")
    return cuda_emulation.load()


def _emulated(module, order, monkeypatch):
    monkeypatch.setattr(mk.cuda, "_found", lambda: module)
    module.run_backwards(order == "backwards")
    return module


@pytest.fixture(params=["forwards", "backwards"])
def emulated(request, emulated_module, monkeypatch):
    """Devices are emulated; threads of a phase run one after the other, in either order."""
    return _emulated(emulated_module, request.param, monkeypatch)


@pytest.fixture
def cuda_device():
    """The CUDA module, and a device to run it on."""
    if why := mk.cuda.reason():
        pytest.skip(f"no CUDA device can be used: {why}")
    return mk.cuda.extension()


@pytest.fixture(params=["forwards", "backwards", pytest.param("device", marks=pytest.mark.cuda)])
def cuda_module(request, monkeypatch):
    """The CUDA module, emulated in either order of threads or on a device."""
    if request.param == "device":
        return request.getfixturevalue("cuda_device")
    return _emulated(request.getfixturevalue("emulated_module"), request.param, monkeypatch)
