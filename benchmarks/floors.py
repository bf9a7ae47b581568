"""How far each kernel is from what this machine could do at best.

    python benchmarks/floors.py --data QM7.npz --out floors.json

Compiles and runs floor.cpp, counts operations and bytes of every kernel for the given molecules,
times the kernels (one thread, float64, into warm ``out=`` memory and fresh), and prints the
distances. A floor is the largest of three times: vector arithmetic at the measured peak, division
and square roots at their measured rates, bytes at the measured bandwidth. It takes no account of
dependencies, shuffles or index arithmetic: 1 can not be reached, 2 is good.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from peers import machine

os.environ.update(dict.fromkeys(machine.THREAD_VARIABLES, "1"))  # before a BLAS is loaded

import numpy as np
from numpy.typing import NDArray

from peers.molecules import Pair, read_pairs

FLAGS = ["-O3", "-march=native", "-std=c++17", "-fno-math-errno", "-fopenmp"]
WIDE = "-mprefer-vector-width=512"  # x86 compilers only; otherwise sqrt and division use half
Rates = dict[str, float]


@dataclass(frozen=True)
class Work:
    """What a kernel must do, whatever the program.

    flops: additions and multiplications. inverse_sqrts: 1/sqrt(x), as division and root or as
    two Newton steps (14 flops). read, written: bytes that have to cross the memory bus.
    """

    flops: float
    absolute_differences: float = 0.0
    exps: float = 0.0
    inverse_sqrts: float = 0.0
    divisions: float = 0.0
    read: float = 0.0
    written: float = 0.0
    how: str = ""


def measure_machine(compiler: str) -> Rates:
    """Compile floor.cpp for this machine and run it."""
    source = Path(__file__).with_name("floor.cpp")
    with tempfile.TemporaryDirectory() as folder:
        program = str(Path(folder, "floor"))
        command = [compiler, *FLAGS, str(source), "-o", program]
        wide = subprocess.run([*command, WIDE], capture_output=True, check=False)
        if wide.returncode:
            subprocess.run(command, check=True)
        environment = {**os.environ, "OMP_NUM_THREADS": str(len(machine.allowed_cpus()))}
        answer = subprocess.run([program], check=True, capture_output=True, env=environment)
    return json.loads(answer.stdout)


def floor_seconds(work: Work, rates: Rates, *, fresh: bool) -> tuple[float, str]:
    """The lower bound on one thread, and what sets it."""
    peak = rates["float64_multiply_add_flops"]
    arithmetic = (
        work.flops / peak
        + work.absolute_differences / rates["float64_absolute_differences"]
        + work.exps / rates["float64_exp"]
    )
    divider = work.divisions / rates["float64_divide"]
    roots = work.inverse_sqrts * (1 / rates["float64_sqrt"] + 1 / rates["float64_divide"])
    newton = work.inverse_sqrts * 14 / peak
    if max(arithmetic + newton, divider) <= max(arithmetic, divider + roots):
        arithmetic += newton
    else:
        divider += roots
    if fresh:
        touch = ("first_touch_small_pages", "first_touch_huge_pages")
        store = max(rates.get(name, 0.0) for name in touch)
    else:
        store = max(rates["write_one_thread"], rates["stream_one_thread"])
    memory = work.read / rates["read_one_thread"] + work.written / store
    return max((arithmetic, "arithmetic"), (divider, "division"), (memory, "memory"))


def coulomb_work(sizes: NDArray[np.int64], permutation: str) -> Work:
    n = sizes.astype(float)
    pairs = float((n * (n - 1) / 2).sum())
    size = int(sizes.max())
    flops = 9 * pairs  # three differences, three products, two sums, Z_i Z_j
    written = 8.0 * len(n) * size * (size + 1) / 2
    how = "9 flops and one 1/sqrt per pair"
    divisions = 0.0
    if permutation == "row_norm":
        flops += 4 * pairs + 2 * float((n * np.log2(n)).sum())
        how += "; squares into two row norms; 2 n log2 n to sort"
    if permutation == "eigenspectrum":
        rotations = 0.85 * n**2  # 1.7 iterations per eigenvalue, half the length on average
        flops += float((4 / 3 * n**3 + 9 * rotations).sum())
        divisions = float(rotations.sum())
        written = 8.0 * len(n) * size
        how += "; 4/3 n^3 to tridiagonalise; 0.85 n^2 QL steps of 9 flops and one division"
    return Work(flops, 0.0, 0.0, pairs, divisions, 28.0 * float(n.sum()), written, how)


def bags_work(pairs_of_arrays: list[Pair], n_features: int) -> Work:
    n_pairs = comparisons = n_atoms = 0.0
    for numbers, _ in pairs_of_arrays:
        counts = np.unique(numbers, return_counts=True)[1].astype(float)
        bags = np.outer(counts, counts)[np.triu_indices(len(counts), 1)]
        bags = np.concatenate([bags, counts * (counts - 1) / 2])
        n_pairs += bags.sum()
        comparisons += (bags * np.log2(np.maximum(bags, 1))).sum()
        n_atoms += counts.sum()
    return Work(
        9 * n_pairs + 2 * comparisons,
        inverse_sqrts=n_pairs,
        read=28 * n_atoms,
        written=8.0 * len(pairs_of_arrays) * n_features,
        how="9 flops and one 1/sqrt per pair; 2 m log2 m to sort a bag of m",
    )


def gram_work(n: int, n_features: int, kernel: str) -> Work:
    half = n * (n + 1) / 2
    read, written = 8.0 * n * n_features, 8.0 * n * n
    if kernel == "laplacian":
        how = "|a - b| for half of the pairs, one exponential each"
        return Work(0.0, half * n_features, half, read=read, written=written, how=how)
    how = "2 flops per feature for half of the pairs, one exponential each"
    return Work(2 * half * n_features, 0.0, half, read=read, written=written, how=how)


@cache
def other_memory() -> NDArray[np.float64]:
    """256 MiB; reading them leaves nothing of the repeat before in a cache."""
    return np.ones(1 << 25)


def timed(function: Callable[[], Any], repeats: int) -> tuple[float, float]:
    """Minimum and median seconds; the previous result is alive while the next is computed."""
    result = function()
    seconds = []
    for _ in range(repeats):
        other_memory().sum()
        start = time.perf_counter()
        new = function()
        seconds.append(time.perf_counter() - start)
        result = new
    del result
    return min(seconds), float(np.median(seconds))


def kernels(pairs: list[Pair]) -> list[tuple[str, Work, Callable[..., Any], tuple[int, ...]]]:
    """Name, work, call that accepts ``out=``, and the shape of its result."""
    import molkern as mk

    structures = mk.Structures.from_arrays(pairs)
    entries: list[tuple[str, Work, Callable[..., Any], tuple[int, ...]]] = []
    for permutation in ("row_norm", "none", "eigenspectrum"):
        matrix = mk.CoulombMatrix(permutation=permutation, n_threads=1).fit(structures)
        work = coulomb_work(np.asarray(structures.sizes), permutation)
        shape = (len(structures), len(matrix.get_feature_names_out()))
        call = representation_call(matrix, structures)
        entries.append((f"CoulombMatrix {permutation}", work, call, shape))
    bags = mk.BagOfBonds(n_threads=1).fit(structures)
    shape = (len(structures), len(bags.get_feature_names_out()))
    work = bags_work(pairs, shape[1])
    entries.append(("BagOfBonds", work, representation_call(bags, structures), shape))
    X = mk.CoulombMatrix(n_threads=1).fit_transform(structures)
    for name, sigma in (("laplacian", 2000.0), ("gaussian", 200.0)):
        work = gram_work(*X.shape, name)
        call = gram_call(getattr(mk.kernels, name), X, sigma)
        entries.append((f"kernels.{name}", work, call, (len(X), len(X))))
    return entries


def representation_call(representation: Any, structures: Any) -> Callable[..., Any]:
    return lambda out=None: representation.transform(structures, out=out)


def gram_call(kernel: Any, X: NDArray[np.float64], sigma: float) -> Callable[..., Any]:
    return lambda out=None: kernel(X, sigma=sigma, out=out, n_threads=1)


def measure(pairs: list[Pair], rates: Rates, repeats: int) -> list[dict[str, Any]]:
    rows = []
    for name, work, call, shape in kernels(pairs):
        print(f"  {name}", file=sys.stderr, flush=True)
        out = np.zeros(shape)
        for fresh in (False, True):
            seconds, median = timed(call if fresh else lambda c=call, o=out: c(out=o), repeats)
            floor, bound = floor_seconds(work, rates, fresh=fresh)
            rows.append(
                {
                    "kernel": name,
                    "memory": "fresh" if fresh else "out",
                    "shape": list(shape),
                    "operations": work.__dict__,
                    "floor_seconds": floor,
                    "bound_by": bound,
                    "seconds_min": seconds,
                    "seconds_median": median,
                    "distance": seconds / floor,
                }
            )
    return rows


def markdown(document: dict[str, Any]) -> str:
    lines = [
        "# Distance from the floor, one thread, float64",
        "",
        f"{document['machine']['cpu']}; {document['molecules']} molecules of {document['data']}; "
        f"huge pages {document['machine']['huge_pages']['enabled']}",
        "",
        "| this machine, per second (memory: bytes per second) | |",
        "|---|---|",
        *[f"| {name} | {value:.4g} |" for name, value in document["rates"].items()],
        "",
        "| kernel | memory | Gflop | 1e9 abs. differences | 1e6 exp | 1e6 1/sqrt | MB read "
        "| MB written | floor ms | bound by | measured ms (min / median) | distance |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in document["kernels"]:
        work = row["operations"]
        lines.append(
            f"| {row['kernel']} | {row['memory']} | {work['flops'] / 1e9:.3g} "
            f"| {work['absolute_differences'] / 1e9:.3g} | {work['exps'] / 1e6:.3g} "
            f"| {work['inverse_sqrts'] / 1e6:.3g} | {work['read'] / 1e6:.1f} "
            f"| {work['written'] / 1e6:.1f} | {1e3 * row['floor_seconds']:.2f} "
            f"| {row['bound_by']} | {1e3 * row['seconds_min']:.2f} / "
            f"{1e3 * row['seconds_median']:.2f} | {row['distance']:.1f} |"
        )
    lines += ["", "How the operations are counted:", ""]
    seen = {row["kernel"]: row["operations"]["how"] for row in document["kernels"]}
    return "\n".join([*lines, *[f"- {name}: {how}" for name, how in seen.items()], ""])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="packed .npz of molecules")
    parser.add_argument("--size", type=int, default=0, help="use only so many molecules")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--compiler", default=shutil.which("c++") or "g++")
    parser.add_argument("--out", type=Path, default=Path("floors.json"))
    options = parser.parse_args(arguments)
    if not options.data.is_file():
        print(f"no file {options.data}", file=sys.stderr)
        return 2
    pairs = read_pairs(options.data)
    if options.size:
        pairs = pairs[:: max(1, len(pairs) // options.size)][: options.size]
    rates = measure_machine(options.compiler)
    document = {
        "machine": machine.describe(),
        "versions": machine.versions(),
        "data": options.data.name,
        "molecules": len(pairs),
        "rates": rates,
        "load_before": machine.load(),
        "kernels": measure(pairs, rates, options.repeats),
        "load_after": machine.load(),
    }
    options.out.write_text(json.dumps(document, indent=1) + "\n")
    text = markdown(document)
    options.out.with_suffix(".md").write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
