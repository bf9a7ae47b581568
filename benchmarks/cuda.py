"""How far each CUDA kernel is from what the card could do at best.

    python benchmarks/cuda.py --data QM7.npz --out cuda.json

Needs torch with CUDA beside molkern's module: torch measures the card (copy and write bandwidth,
float32 and float64 products with TF32 off) and times our kernels by events on its stream, after a
warm-up, median of the repeats. A floor is the larger of two times: bytes of the result at the
measured write bandwidth, and, of kernel matrices, operations at the measured product rate (a
multiply-add counts one; an addition takes as long). Operations of representations are not counted.
The same on all cores of the host, and torch's own way where it has one.
Without a device (the emulation of the tests) the clock is the host's and the numbers mean nothing.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

import molkern as mk

Run = Callable[[], Any]
MEBI = 1 << 20


@dataclass
class Case:
    """A kernel with what it must do at least.

    Attributes
    ----------
    device, host : callable
        Our kernel there and here, on the same input.
    n_bytes, n_operations : float
        Written, and multiply-adds or additions.
    other : callable or None
        The same by torch on the device.
    """

    name: str
    device: Run
    host: Run
    n_bytes: float
    n_operations: float
    other: Run | None = None
    single: bool = True


@dataclass
class Row:
    """What was measured; seconds are medians."""

    name: str
    seconds: float
    seconds_host: float
    seconds_other: float | None
    floor: float
    share_of_floor: float


def seconds_of(run: Run, repeats: int) -> float:
    """Median time of a call on the device's current stream."""
    times = []
    for _ in range(repeats + 2):
        if torch.cuda.is_available():
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            kept = run()
            end.record()
            end.synchronize()
            times.append(begin.elapsed_time(end) / 1e3)
        else:
            start = time.perf_counter()
            kept = run()
            times.append(time.perf_counter() - start)
        del kept
    return statistics.median(times[2:])


def seconds_on_host(run: Run, repeats: int) -> float:
    """Median time of a call on all cores of the host."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def rates(device: str, size: int, n_bytes: int, repeats: int) -> dict[str, float]:
    """Bytes and multiply-adds per second that torch reaches on the card."""
    torch.backends.cuda.matmul.allow_tf32 = False
    found = {}
    a = torch.empty(n_bytes, dtype=torch.uint8, device=device)
    b = torch.empty_like(a)
    found["copy_bytes"] = 2 * n_bytes / seconds_of(lambda: b.copy_(a), repeats)
    found["write_bytes"] = n_bytes / seconds_of(lambda: b.fill_(1), repeats)
    for name, dtype in (("float32", torch.float32), ("float64", torch.float64)):
        x = torch.rand(size, size, dtype=dtype, device=device)
        found[f"{name}_multiply_adds"] = size**3 / seconds_of(lambda x=x: x @ x, repeats)
    return found


def kernel_cases(device: str, n: int, n_features: int) -> list[Case]:
    """Gram matrices of random rows, one triangle of pairs."""
    host = np.random.default_rng(0).normal(size=(n, n_features)).astype(np.float32)
    there = torch.tensor(host, device=device)
    pairs = n * (n + 1) / 2
    work = {"gaussian": pairs * n_features, "laplacian": 2 * pairs * n_features}
    others = {
        "gaussian": lambda: there @ there.T,
        "laplacian": lambda: torch.cdist(there, there, p=1.0),
    }
    cases = []
    for name, n_operations in work.items():
        kernel = partial(getattr(mk.kernels, name), sigma=30.0)
        cases.append(
            Case(
                f"{name} kernel, float32, {n} x {n}, {n_features} features",
                partial(kernel, there),
                partial(kernel, host),
                4.0 * n * n,
                n_operations,
                others[name],
            )
        )
    return cases


def structure_cases(device: str, structures: mk.Structures, most_bytes: int) -> list[Case]:
    """Representations of structures that stay there. As many molecules as the bytes allow."""
    models = {
        "Coulomb matrix, sorted, float32": mk.CoulombMatrix(dtype="float32"),
        "Coulomb matrix, sorted, float64": mk.CoulombMatrix(),
        "Coulomb matrix, eigenspectrum": mk.CoulombMatrix(permutation="eigenspectrum"),
        "bag of bonds": mk.BagOfBonds(),
        "ACSF": mk.ACSF(r_cut=6.0, g2=[(0.5, r) for r in range(8)], g4=[(0.01, 1.0, 1.0)]),
        "AEV of ANI-2x": mk.AEV("ani-2x"),
        "SOAP, float32": mk.SOAP(r_cut=5.0, dtype="float32"),
        "SOAP": mk.SOAP(r_cut=5.0),
    }
    cases = []
    for name, model in models.items():
        model.fit(structures)
        row = model.n_features_out_ * np.dtype(model.dtype).itemsize
        of_atoms = hasattr(model, "average")
        rows = structures.offsets if of_atoms else np.arange(len(structures) + 1)
        n = max(1, int(np.searchsorted(rows, most_bytes // row, side="right")) - 1)
        part = structures[:n]
        there = mk.cuda.to_device(part)
        positions = torch.tensor(part.positions, device=device)
        cases.append(
            Case(
                f"{name}, {n} molecules, {part.n_atoms} atoms",
                partial(model.transform, there, positions=positions),
                partial(model.transform, part),
                float(row * rows[n]),
                0.0,
            )
        )
    return cases


def measured(case: Case, found: dict[str, float], repeats: int) -> Row:
    """Times of a case, and how near they are to its floor."""
    rate = found["float32_multiply_adds" if case.single else "float64_multiply_adds"]
    floor = max(case.n_bytes / found["write_bytes"], case.n_operations / rate)
    seconds = seconds_of(case.device, repeats)
    other = None if case.other is None else seconds_of(case.other, repeats)
    return Row(case.name, seconds, seconds_on_host(case.host, 3), other, floor, floor / seconds)


def read(path: Path, copies: int) -> mk.Structures:
    """Molecules of a packed file, several times over: more than the caches of a card hold."""
    with np.load(path) as data:
        names = ("numbers", "positions") if "numbers" in data else ("Z", "R")
        numbers, positions = (data[name] for name in names)
        offsets = data["offsets"]
    one = mk.Structures(numbers, positions, offsets)
    return one[np.tile(np.arange(len(one)), copies)]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="packed file of molecules")
    parser.add_argument("--out", type=Path, default=Path("cuda.json"))
    parser.add_argument("--copies", type=int, default=100, help="of the molecules")
    parser.add_argument("--rows", type=int, default=20000, help="of the kernel matrices")
    parser.add_argument("--features", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument(
        "--megabytes", type=int, default=4096, help="for the bandwidths, and of a result"
    )
    parser.add_argument("--product", type=int, default=8192, help="rows of the square products")
    options = parser.parse_args(arguments)
    if not mk.cuda.is_available():
        parser.exit(1, f"no CUDA device can be used: {mk.cuda.reason()}\n")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    found = rates(device, options.product, options.megabytes * MEBI, options.repeats)
    cases = kernel_cases(device, options.rows, options.features)
    molecules = read(options.data, options.copies)
    cases += structure_cases(device, molecules, options.megabytes * MEBI)
    rows = [measured(case, found, options.repeats) for case in cases]
    for row in rows:
        print(f"{row.name}: {row.seconds:.3g} s, {100 * row.share_of_floor:.0f} % of the floor")
    content = {
        "command": " ".join(["benchmarks/cuda.py", *(arguments or sys.argv[1:])]),
        "devices": mk.cuda.devices(),
        "versions": {"molkern": mk.__version__, "torch": torch.__version__},
        "rates": found,
        "rows": [asdict(row) for row in rows],
    }
    options.out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
