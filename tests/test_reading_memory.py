"""Memory that reading takes: below three times the bytes on disk, and 64 MB."""

import subprocess
import sys

import numpy as np
import pytest

from written_files import Content, Dialect, write

MB = 2**20
CODE = """
import re, sys
import numpy, ase.io.formats, ase.db, h5py, scipy.io
import molkern.datasets.reading
from molkern.datasets import load
# The peak of this program; what getrusage tells may be that of the one that started it.
status = lambda: open("/proc/self/status").read()
peak = lambda: 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", status())[1])
before = peak()
dataset = load(sys.argv[1], property="energy")
print(len(dataset), peak() - before)
"""


def large(n, size, equal=False):
    rng = np.random.default_rng(0)
    numbers = [[6] * (size - (0 if equal else k % 3)) for k in range(n)]
    positions = [rng.normal(size=(len(z), 3)).round(4) for z in numbers]
    forces = [rng.normal(size=(len(z), 3)) for z in numbers]
    return Content(numbers, positions, rng.normal(size=n), forces)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux for the peak")
@pytest.mark.parametrize(
    ("format", "n", "size"),
    [("xyz", 8000, 40), ("npz-packed", 16000, 40), ("npz-padded", 16000, 40),
     ("npz-trajectory", 16000, 40), ("hdf5", 400, 1500), ("hdf5-flat", 16000, 40),
     ("sdf", 10000, 30), ("mat", 16000, 40), ("deepmd", 200, 4000), ("database", 1500, 300)],
)  # fmt: skip
def test_peak(tmp_path, format, n, size):
    path = write(tmp_path, large(n, size, equal=format == "npz-trajectory"), Dialect(format=format))
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    stored = sum(file.stat().st_size for file in files)
    run = subprocess.run([sys.executable, "-c", CODE, path], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    count, peak = map(int, run.stdout.split())
    assert count == n
    assert stored > 10 * MB
    assert peak < 3 * stored + 64 * MB, f"{peak / MB:.0f} MB of {stored / MB:.0f} MB"
    print(format, f"{peak / MB:.0f} MB of {stored / MB:.0f} MB")
