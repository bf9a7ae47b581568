"""The package as it is installed: imports, information, version, memory."""

import gc
import os
import re
import subprocess
import sys
from importlib import metadata, resources
from pathlib import Path

import numpy as np
import pytest

import molkern as mk
from all_representations import IDS, MODELS
from molkern._arrays import available_bytes


def test_build_info():
    info = mk.build_info()
    assert info["version"] == mk.__version__ == metadata.version("molkern")
    assert info["isa"] in ("baseline", "x86-64-v3", "x86-64-v4")
    assert info["n_threads"] >= 1
    assert set(info) == {
        "version", "compiler", "build_type", "isa", "openmp", "n_threads", "cuda",
    }  # fmt: skip


def test_import_needs_numpy_only():
    code = (
        "import sys; import numpy; before = set(sys.modules); import molkern; "
        "print(*{m.split('.')[0] for m in set(sys.modules) - before})"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    others = set(result.stdout.split()) - set(sys.stdlib_module_names) - {"molkern", "numpy"}
    assert not others
    required = [r for r in metadata.requires("molkern") or [] if "extra ==" not in r]
    assert [re.split(r"[<>=~!\[; ]", r)[0] for r in required] == ["numpy"]


def test_lazy_modules_and_names():
    assert set(mk.__all__) <= set(dir(mk))
    assert mk.regression.KernelRidge.__name__ == "KernelRidge"
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = mk.nothing


def test_types_are_shipped():
    files = resources.files("molkern")
    assert (files / "py.typed").is_file()
    assert (files / "_core.pyi").is_file()


def resident_bytes():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
@pytest.mark.parametrize(("cls", "parameters"), MODELS, ids=IDS)
def test_memory_stays_flat_over_1000_calls(cls, parameters, structures):
    model = cls(**parameters).fit(structures)
    for _ in range(100):
        model.transform(structures)
    gc.collect()
    before = resident_bytes()
    for _ in range(1000):
        model.transform(structures)
    gc.collect()
    # A leak of one result per call would be 9 MB at the least.
    assert resident_bytes() - before < 2_000_000


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
@pytest.mark.parametrize("name", ["gaussian", "laplacian"])
def test_memory_of_kernels_stays_flat(name):
    x = np.random.default_rng(0).normal(size=(64, 8))
    kernel = getattr(mk.kernels, name)
    for _ in range(100):
        kernel(x, sigma=1.0)
    before = resident_bytes()
    for _ in range(1000):
        kernel(x, sigma=1.0)
    assert resident_bytes() - before < 2_000_000


def needs_gibibytes(n):
    available = available_bytes()
    if available is not None and available < n * 2**30:
        pytest.skip(f"needs {n} GiB of memory, {available / 2**30:.1f} are available")


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


def test_kernel_with_more_than_2_to_the_31_elements():
    needs_gibibytes(11)
    n = 46_400
    x = np.linspace(0, 1, n, dtype="float32")[:, None]
    k = mk.kernels.laplacian(x, sigma=1.0)
    assert k.size > 1 << 31
    for i, j in ((n - 1, n - 1), (n - 1, 0), (0, n - 1), (n - 1, n - 2)):
        assert k[i, j] == pytest.approx(np.exp(-abs(x[i, 0] - x[j, 0])), rel=1e-6)


def test_result_too_large_says_its_bytes():
    model = mk.CoulombMatrix(size=3_000_000).fit([])
    pair = ([1, 1], [[0.0, 0, 0], [0, 0, 1]])
    with pytest.raises(MemoryError, match=r"needs \d{14} bytes"):
        model.transform([pair])
