"""The process that measures: what it counts, and that nothing ends it."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import molkern as mk
from molkern._measuring import OPERATIONS, Request, Worker
from molkern.study.measurements import machine

linux = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux's /proc")


@pytest.fixture(scope="module")
def worker():
    """One process for all tests."""
    with Worker() as made:
        yield made


@pytest.fixture
def water():
    return mk.Structures.from_arrays([([8, 1, 1], np.eye(3) * 0.9)] * 12)


def request_of(structures, operation="values", **changes):
    model = mk.CoulombMatrix(n_threads=1).fit(structures)
    ridge = {"n_copies": 1, "baseline": "elements", "cv": 5, "n_threads": 1}
    labels = np.arange(float(len(structures)))
    options = {"repeats": 2, "kernel": "laplacian", "ridge": ridge, "labels": labels}
    return Request(operation, model, structures, **{**options, "train": structures, **changes})


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_is_measured(operation, worker):
    rng = np.random.default_rng(0)
    pairs = [([8, 1, 1], np.eye(3) + 0.1 * rng.normal(size=(3, 3))) for _ in range(12)]
    found = worker.measure(request_of(mk.Structures.from_arrays(pairs), operation))
    assert 0 < found["seconds"] <= found["seconds_median"]
    assert found["n_repeats"] >= 2
    assert found["n_features"] == 6


@pytest.mark.parametrize("operation", OPERATIONS)
def test_kernels_of_atoms_are_measured(operation, worker):
    rng = np.random.default_rng(1)
    pairs = [([8, 1, 1], np.eye(3) + 0.1 * rng.normal(size=(3, 3))) for _ in range(12)]
    structures = mk.Structures.from_arrays(pairs)
    model = mk.ACSF(g2=[(1.0, 1.0)], dtype="float32", n_threads=1).fit(structures)
    found = worker.measure(
        replace(request_of(structures, operation), model=model, kernel="local.gaussian")
    )
    assert found["seconds"] > 0


@pytest.mark.parametrize("source", ["structures", "arrays", "ase"])
def test_every_source_is_measured(source, worker, water):
    assert worker.measure(request_of(water, source=source))["seconds"] > 0


def test_errors_come_back_as_what_they_are(worker, water):
    larger = mk.Structures.from_arrays([([1] * 5, np.eye(5, 3) * 3)])
    small = request_of(water).model
    with pytest.raises(ValueError, match="5 atoms"):
        worker.measure(Request("values", small, larger))
    assert worker.measure(request_of(water))["seconds"] > 0  # still there


def test_failed_process_is_a_memory_error_and_the_next_one_works(water):
    with Worker() as worker:
        worker.measure(request_of(water))
        worker._process.kill()
        with pytest.raises(MemoryError, match="values: the measuring process ended with code -9"):
            worker.measure(request_of(water))
        assert worker.measure(request_of(water))["seconds"] > 0


def test_context_ends_the_process(water):
    with Worker() as worker:
        worker.measure(request_of(water))
        process = worker._process
        assert process.poll() is None
    assert process.poll() is not None


@linux
def test_peak_is_the_memory_of_the_call(worker):
    """A Gram matrix of n structures is n² numbers; large ones before do not count."""
    peaks = {}
    for n in (2000, 500):
        pairs = [([1, 1], [[0, 0, 0], [0, 0, 0.7 + k / n]]) for k in range(n)]
        peaks[n] = worker.measure(request_of(mk.Structures.from_arrays(pairs), "gram"))
    for n, found in peaks.items():
        assert 8 * n * n * 0.9 < found["peak_bytes"] < 8 * n * n + (16 << 20)


@linux
def test_peak_does_not_see_the_process_that_asks(water):
    """This process holds more than the one that measures ever needs."""
    held = np.ones(200 << 17)
    with Worker() as worker:
        assert worker.measure(request_of(water))["peak_bytes"] < 50 << 20
    assert held[-1] == 1


@linux
def test_scratch_counts():
    """In this process, without the other one: memory that is given back before the end counts."""
    code = (
        "import numpy as np, molkern as mk\n"
        "from molkern._measuring import Request, _measured\n"
        "class Reserving:\n"
        "    n_features_out_ = 1\n"
        "    def transform(self, structures):\n"
        "        return np.ones(100 << 17)[:1, None].copy()\n"
        "water = mk.Structures.from_arrays([([1], [[0.0, 0.0, 0.0]])])\n"
        "print(_measured(Request('values', Reserving(), water))['peak_bytes'] >> 20)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 99 <= int(done.stdout) <= 105


def test_machine_is_what_a_time_depends_on():
    assert set(machine()) == {"processor", "n_cores", "isa", "compiler", "molkern"}
    assert machine()["processor"]
