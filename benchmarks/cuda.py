"""How far each CUDA kernel is from what the card could do at best.

    python benchmarks/cuda.py --data QM7.npz --out cuda.json

Needs torch with CUDA beside molkern's module: torch measures the card (copy and write bandwidth,
float32 and float64 products with TF32 off) and times our kernels by events on its stream, after a
warm-up, median of the repeats. A floor is the larger of two times: bytes of the result at the
measured write bandwidth, and, of kernel matrices, operations at the measured product rate (a
multiply-add counts one; an addition takes as long). Operations of representations are not counted.
The same on all cores of the host; of kernels what torch does with the same pairs (the product of
rows, cdist), of AEVs torchani on the same card where it is installed.
Without a device (the emulation of the tests) the clock is the host's and the numbers mean nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

import molkern as mk

Run = Callable[[], Any]
MEBI = 1 << 20

# Molecules that torchani is given at a time, and its numbers of the elements: H C N O S F Cl.
ANI_BATCH = 2048
ANI_SORTED = [1, 6, 7, 8, 9, 16, 17]
ANI_ORDER = np.array([0, 1, 2, 3, 5, 4, 6])


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
        By torch or torchani on the device.
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


def triangle_product(x: torch.Tensor, blocks: int = 16) -> list[torch.Tensor]:
    """Rows times rows, the lower triangle and little more; a library's way to it."""
    ends = [round(len(x) * (k + 1) / blocks) for k in range(blocks)]
    return [x[a:b] @ x[:b].T for a, b in pairwise([0, *ends])]


def kernel_cases(device: str, n: int, n_features: int) -> list[Case]:
    """Gram matrices of random rows: of one set, a triangle of pairs, and of two."""
    hosts = np.random.default_rng(0).normal(size=(2, n, n_features)).astype(np.float32)
    x, y = (torch.tensor(rows, device=device) for rows in hosts)
    sets = {
        "of one set": ((x,), hosts[:1], n * (n + 1) / 2),
        "of two sets": ((x, y), hosts, float(n * n)),
    }
    cases = []
    for kind, (there, here, pairs) in sets.items():
        product = partial(triangle_product, x) if len(there) == 1 else lambda: x @ y.T
        others = {"gaussian": (1, product), "laplacian": (2, partial(torch.cdist, x, there[-1], 1))}
        for name, (of_pair, other) in others.items():
            kernel = partial(getattr(mk.kernels, name), sigma=30.0)
            cases.append(
                Case(
                    f"{name} kernel {kind}, float32, {n} x {n}, {n_features} features",
                    partial(kernel, *there),
                    partial(kernel, *here),
                    4.0 * n * n,
                    of_pair * pairs * n_features,
                    other,
                )
            )
    return cases


def torchani_run(part: mk.Structures, device: str) -> Run | None:
    """AEVs of ANI-2x by torchani on the same device, padded to the largest molecule; by its CUDA
    extension where that is built."""
    os.environ.setdefault("TORCHANI_NO_WARN_EXTENSIONS", "1")
    try:
        from torchani.aev import AEVComputer
    except ImportError:
        return None
    strategy = {"strategy": "cuaev"} if device == "cuda" else {}
    try:
        computer = AEVComputer.like_2x(**strategy).to(device)
    except (TypeError, ValueError, RuntimeError):
        computer = AEVComputer.like_2x().to(device)
    batches = [padded(part[k : k + ANI_BATCH], device) for k in range(0, len(part), ANI_BATCH)]
    return lambda: [computer(species, positions) for species, positions in batches]


def padded(part: mk.Structures, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """torchani's input: its numbers of the elements, -1 behind the end, and positions, float32."""
    shape = len(part), int(part.sizes.max())
    row = np.repeat(np.arange(shape[0]), part.sizes)
    column = np.arange(part.n_atoms) - part.offsets[row]
    species = np.full(shape, -1, dtype=np.int64)
    positions = np.zeros((*shape, 3), dtype=np.float32)
    species[row, column] = np.searchsorted(ANI_SORTED, part.numbers)
    species[species >= 0] = ANI_ORDER[species[species >= 0]]
    positions[row, column] = part.positions
    return torch.tensor(species, device=device), torch.tensor(positions, device=device)


def structure_cases(device: str, structures: mk.Structures, most_bytes: int) -> list[Case]:
    """Representations of structures that stay there. As many molecules as the bytes allow."""
    models = {
        "Coulomb matrix, sorted, float32": mk.CoulombMatrix(dtype="float32"),
        "Coulomb matrix, sorted, float64": mk.CoulombMatrix(),
        "Coulomb matrix, eigenspectrum": mk.CoulombMatrix(permutation="eigenspectrum"),
        "bag of bonds": mk.BagOfBonds(),
        "ACSF": mk.ACSF(r_cut=6.0, g2=[(0.5, r) for r in range(8)], g4=[(0.01, 1.0, 1.0)]),
        "AEV of ANI-2x, float32": mk.AEV("ani-2x", dtype="float32"),
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
                torchani_run(part, device) if name.startswith("AEV") else None,
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
        ratios = f"host {row.seconds_host / row.seconds:.3g} times"
        if row.seconds_other is not None:
            ratios += f", other {row.seconds_other / row.seconds:.3g} times"
        share = 100 * row.share_of_floor
        print(f"{row.name}: {row.seconds:.3g} s, {share:.0f} % of the floor; {ratios}")
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
