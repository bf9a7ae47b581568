"""Memory: flat over many calls, no more than is said, and results of more than 2^31 elements."""

import gc
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import molkern as mk
from all_representations import cotangent, every_local_model, every_model, is_local
from molkern._arrays import available_bytes
from molkern.neighbors import neighbor_list

needs_proc = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")


def resident_bytes():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def growth(call, n):
    """Bytes that n calls leave behind, after a tenth of them."""
    for _ in range(n // 10):
        call()
    gc.collect()
    before = resident_bytes()
    for _ in range(n):
        call()
    gc.collect()
    return resident_bytes() - before


@needs_proc
@every_model
def test_memory_stays_flat_over_1000_calls(cls, parameters, structures):
    model = cls(**parameters, n_threads=1).fit(structures)
    # A leak of one result per call would be 5 MB at the least.
    assert growth(lambda: model.transform(structures), 1000) < 2_000_000


@needs_proc
@every_model
def test_memory_of_derivatives_stays_flat(cls, parameters, structures):
    batch = structures[:4]
    model = cls(**parameters, n_threads=1).fit(structures)
    gX = cotangent(model, batch)
    strain = {"strain": True} if is_local(cls) else {}

    def call():
        model.vjp(batch, gX, **strain)
        model.jacobian(batch)

    # A leak of one gradient per call would be 0.7 MB, of one Jacobian 20 MB at the least.
    assert growth(call, 1000) < 500_000


@needs_proc
@every_local_model
def test_memory_of_errors_and_models_stays_flat(cls, parameters, structures):
    same = mk.Structures([1, 1], np.zeros((2, 3)), [0, 2])

    def call():
        model = cls(**parameters, n_threads=1).fit(structures[:2])
        for _ in range(30):
            with pytest.raises(ValueError, match="two atoms"):
                model.transform(same)

    assert growth(call, 20) < 500_000


@needs_proc
def test_memory_of_neighbors_stays_flat(structures):
    assert growth(lambda: neighbor_list(structures, 5.0), 1000) < 2_000_000


@needs_proc
@pytest.mark.parametrize("name", ["gaussian", "laplacian", "linear", "polynomial"])
def test_memory_of_kernels_stays_flat(name):
    x = np.random.default_rng(0).normal(size=(64, 8))
    kernel = getattr(mk.kernels, name)
    width = {"sigma": 1.0} if name in ("gaussian", "laplacian") else {}
    assert growth(lambda: kernel(x, **width), 1000) < 2_000_000


PEAK = """
import numpy as np
import molkern as mk

def peak():
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024
"""

ATOMS = """
rng = np.random.default_rng(0)
grid = 1.5 * np.stack(np.meshgrid(*[np.arange(16)] * 3), -1).reshape(-1, 3)
numbers = rng.choice([1, 6, 7, 8], len(grid))
atoms = mk.Structures(numbers, grid + rng.normal(scale=0.1, size=grid.shape), [0, len(grid)])
model = {model}.fit(atoms)
gX = np.ones((1, model.n_features_out_))
before = peak()
for n_threads in (1, 2):
    model.n_threads = n_threads
    model.transform(atoms)
    gradient, strain = model.vjp(atoms, gX, strain=True)
assert np.isfinite(gradient).all() and gradient.any()
print(model.n_features_out_, peak() - before)
"""


SUMS = {
    "SOAP-sum": (
        'mk.SOAP(r_cut=3.0, n_max=2, average="sum", cutoff_function="cosine")',
        'mk.SOAP(r_cut=3.0, n_max=9, average="sum", cutoff_function="cosine")',
    ),
    "SOAP-inner": (
        'mk.SOAP(r_cut=3.0, n_max=2, average="inner")',
        'mk.SOAP(r_cut=3.0, n_max=9, average="inner")',
    ),
    "ACSF-mean": (
        'mk.ACSF(r_cut=3.0, g4=[(0.1, 1, 1)], average="mean")',
        'mk.ACSF(r_cut=3.0, g4=[(0.02 * k, 1, 1) for k in range(200)], average="mean")',
    ),
    "AEV-sum": (
        'mk.AEV("ani-1x", species=["H", "C", "N", "O"], average="sum")',
        """mk.AEV(mk.AEVParameters(**{**vars(mk.AEV("ani-1x").fit([]).parameters_),
               "sections": np.linspace(0, 3, 80)}), average="sum")""",
    ),
}


@needs_proc
@pytest.mark.parametrize("name", SUMS)
def test_memory_of_sums_and_their_gradients_is_that_of_the_atoms(name):
    """4096 atoms: all their rows would be 60 MB or more, their Jacobian a hundred times that."""

    def measured(model):
        code = textwrap.dedent(PEAK + ATOMS).replace("{model}", model)
        result = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
        )
        return map(int, result.stdout.split())

    (few, memory_of_few), (many, memory_of_many) = map(measured, SUMS[name])
    assert many > 5 * few
    assert 4096 * many * 8 > 60e6
    # The same for all: what is kept of the pairs of atoms, 160 bytes each. Not: what two threads
    # work with, some rows each.
    assert memory_of_many - memory_of_few < 8e6


MANY = """
lonely = 10.0 * np.stack(np.meshgrid(*[np.arange(5)] * 3), -1).reshape(-1, 3)
n = 1400
batch = mk.Structures(np.ones(125 * n, int), np.tile(lonely, (n, 1)), range(0, 125 * n + 1, 125))
functions = [(0.001 * k, 0.0) for k in range(5000)]
model = mk.ACSF(r_cut=3.0, g2=functions, average="sum", dtype="float32").fit(batch)
before = peak()
rows = model.transform(batch)
print(rows.nbytes, peak() - before)
"""


@needs_proc
def test_memory_of_sums_of_many_structures_is_that_of_the_result():
    """Each is summed in two blocks of 40 kB: 112 MB of them must not be there at a time."""
    result = subprocess.run(
        [sys.executable, "-c", PEAK + MANY], capture_output=True, text=True, check=True, timeout=120
    )
    size, found = map(int, result.stdout.split())
    assert size == 1400 * 5001 * 4
    # What is kept of the sums is bounded by 32 MiB.
    assert found < size + 45e6


def needs_gibibytes(n):
    available = available_bytes()
    if available is not None and available < n * 2**30:
        pytest.skip(f"needs {n} GiB of memory, {available / 2**30:.1f} are available")


@pytest.mark.large
def test_more_than_2_to_the_31_features():
    needs_gibibytes(11)
    width = 1 << 17
    model = mk.BagOfBonds(bags={"H": width, "H-H": 1}, dtype="float32").fit([])
    n = (1 << 31) // width + 2
    hydrogen = mk.Structures(np.ones(2 * n, int), np.tile([[0.0, 0, 0], [0, 0, 1]], (n, 1)),
                             np.arange(0, 2 * n + 1, 2))  # fmt: skip
    rows = model.transform(hydrogen)
    assert rows.size > 1 << 31
    expected = np.zeros(width + 1, "float32")
    expected[[0, 1]] = 0.5
    expected[-1] = 0.529177210544
    np.testing.assert_array_equal(rows[-1], expected)
    np.testing.assert_array_equal(rows[n // 2], expected)


@pytest.mark.large
def test_kernel_with_more_than_2_to_the_31_elements():
    needs_gibibytes(11)
    n = 46_400
    x = np.linspace(0, 1, n, dtype="float32")[:, None]
    k = mk.kernels.laplacian(x, sigma=1.0)
    assert k.size > 1 << 31
    for i, j in ((n - 1, n - 1), (n - 1, 0), (0, n - 1), (n - 1, n - 2)):
        assert k[i, j] == pytest.approx(np.exp(-abs(x[i, 0] - x[j, 0])), rel=1e-6)


def methanes(n):
    """No two of them alike, so that a row in a wrong place is seen."""
    rng = np.random.default_rng(0)
    corners = np.array([[0, 0, 0], [1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    positions = 0.63 * corners + rng.normal(scale=0.05, size=(n, 5, 3))
    return mk.Structures(
        np.tile([6, 1, 1, 1, 1], n), positions.reshape(-1, 3), np.arange(0, 5 * n + 1, 5)
    )


@pytest.mark.large
def test_power_spectra_of_more_than_2_to_the_31_elements():
    """374 200 atoms, 5740 features of float32: 8.6 GB."""
    needs_gibibytes(10)
    model = mk.SOAP(species=["H", "C", "N", "O", "S"], dtype="float32").fit([])
    n = 74_840
    batch = methanes(n)
    rows = model.transform(batch)
    assert rows.shape == (5 * n, 5740)
    assert rows.size > (1 << 31) + 5 * 5740
    # The first and the last, those around element 2^31, and some between.
    beyond = (1 << 31) // (5 * 5740)
    for m in (0, 1, n // 3, n // 2, beyond - 1, beyond, beyond + 1, n - 2, n - 1):
        expected = model.transform(batch[m])
        np.testing.assert_array_equal(rows[5 * m : 5 * m + 5], expected)
        assert expected.any(axis=1).all()


@pytest.mark.large
def test_jacobian_of_more_than_2_to_the_31_elements():
    """124 800 blocks of 3 x 5740 float32, of one atom that is chosen in each molecule."""
    needs_gibibytes(10)
    model = mk.SOAP(species=["H", "C", "N", "O", "S"], dtype="float32").fit([])
    n = 24_960
    batch = methanes(n)
    jacobian = model.jacobian(batch, centers=np.arange(0, 5 * n, 5))
    assert jacobian.values.size > 1 << 31
    for m in (0, n // 2, n - 2, n - 1):
        alone = model.jacobian(batch[m], centers=[0])
        mine = jacobian.center == m
        np.testing.assert_array_equal(jacobian.values[mine], alone.values)
        np.testing.assert_array_equal(jacobian.atom[mine] - 5 * m, alone.atom)


def test_result_too_large_says_its_bytes():
    model = mk.CoulombMatrix(size=3_000_000).fit([])
    pair = ([1, 1], [[0.0, 0, 0], [0, 0, 1]])
    with pytest.raises(MemoryError, match=r"needs \d{14} bytes"):
        model.transform([pair])
