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

if __name__ == "__main__":  # before a BLAS is loaded
    os.environ.update(dict.fromkeys(machine.THREAD_VARIABLES, "1"))

import numpy as np
from numpy.typing import NDArray

from local_work import acsf_work, aev_work, local_gaussian_work, soap_work
from peers import local_tasks
from peers.molecules import Pair, read_pairs
from peers.soap_adapters import cotangent
from work import Work, bags_work, coulomb_work, gram_work

FLAGS = ["-O3", "-march=native", "-std=c++17", "-fno-math-errno", "-fopenmp"]
WIDE = "-mprefer-vector-width=512"  # x86 compilers only; otherwise sqrt and division use half
N_LOCAL = 500
Rates = dict[str, float]


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


@dataclass(frozen=True)
class Entry:
    """A kernel to be measured.

    call: computes the result, into ``out=`` if that is given. shape: of the result; None for a
    kernel that has no ``out=``. items: what the time is for.
    """

    name: str
    work: Work
    call: Callable[..., Any]
    shape: tuple[int, ...] | None
    items: str = ""


def global_entries(pairs: list[Pair]) -> list[Entry]:
    """Representations of molecules, and kernels of them."""
    import molkern as mk

    structures = mk.Structures.from_arrays(pairs)
    items = f"{len(pairs)} molecules"
    entries = []
    for permutation in ("row_norm", "none", "eigenspectrum"):
        matrix = mk.CoulombMatrix(permutation=permutation, n_threads=1).fit(structures)
        work = coulomb_work(np.asarray(structures.sizes), permutation)
        shape = (len(structures), len(matrix.get_feature_names_out()))
        call = representation_call(matrix, structures)
        entries.append(Entry(f"CoulombMatrix {permutation}", work, call, shape, items))
    bags = mk.BagOfBonds(n_threads=1).fit(structures)
    shape = (len(structures), len(bags.get_feature_names_out()))
    call = representation_call(bags, structures)
    entries.append(Entry("BagOfBonds", bags_work(pairs, shape[1]), call, shape, items))
    X = mk.CoulombMatrix(n_threads=1).fit_transform(structures)
    for name, sigma in (("laplacian", 2000.0), ("gaussian", 200.0)):
        call = gram_call(getattr(mk.kernels, name), X, sigma)
        work = gram_work(*X.shape, name)
        entries.append(Entry(f"kernels.{name}", work, call, (len(X), len(X)), items))
    return entries


def local_entries(pairs: list[Pair]) -> list[Entry]:
    """Representations of the surroundings of atoms; AEV of the molecules without sulphur."""
    import molkern as mk

    pairs = local_tasks.some(pairs, N_LOCAL)
    structures = mk.Structures.from_arrays(pairs)
    entries = []
    for kind in ("dense", "sum", "inner", "vjp"):
        average = None if kind in ("dense", "vjp") else kind
        soap = local_tasks.soap(1, average=average).fit(structures)
        reach = soap.r_cut + soap.sigma * np.sqrt(-2 * np.log(0.001))
        work = soap_work(structures, soap, reach, kind)
        entries.append(local_entry(f"SOAP {kind}", work, soap, structures, kind == "vjp"))
    acsf = local_tasks.acsf(1).fit(structures)
    for gradient in (False, True):
        work = acsf_work(structures, acsf, gradient=gradient)
        name = "ACSF vjp" if gradient else "ACSF"
        entries.append(local_entry(name, work, acsf, structures, gradient))
    organic = mk.Structures.from_arrays(local_tasks.without_sulphur(pairs))
    aev = mk.AEV("ani-1x", n_threads=1).fit(organic)
    for gradient in (False, True):
        work = aev_work(organic, aev, gradient=gradient)
        name = "AEV vjp" if gradient else "AEV"
        entries.append(local_entry(name, work, aev, organic, gradient))
    return [*entries, local_kernel_entry(pairs)]


def local_kernel_entry(pairs: list[Pair]) -> Entry:
    """The local Gaussian kernel of the task of the comparison."""
    import molkern as mk

    structures = mk.Structures.from_arrays(local_tasks.some(pairs, local_tasks.N_KERNEL))
    X = local_tasks.functions_of_fchl19_size(1).fit_transform(structures)
    work = local_gaussian_work(structures, X.shape[1])
    gaussian = mk.kernels.local.gaussian

    def call(out: Any = None) -> Any:
        return gaussian(X, structures, sigma=local_tasks.SIGMA, out=out, n_threads=1)

    items = f"{len(structures)} molecules, {len(X)} atoms, {X.shape[1]} features"
    return Entry("kernels.local.gaussian", work, call, (len(structures),) * 2, items)


def local_entry(
    name: str, work: Work, representation: Any, structures: Any, gradient: bool
) -> Entry:
    items = f"{len(structures)} molecules, {structures.n_atoms} atoms"
    n_features = representation.n_features_out_
    if not gradient:
        n_rows = len(structures) if representation.average else structures.n_atoms
        call = representation_call(representation, structures)
        return Entry(name, work, call, (n_rows, n_features), items)
    gX = cotangent(structures.n_atoms, n_features)
    return Entry(name, work, lambda: representation.vjp(structures, gX), None, items)


def representation_call(representation: Any, structures: Any) -> Callable[..., Any]:
    return lambda out=None: representation.transform(structures, out=out)


def gram_call(kernel: Any, X: NDArray[np.float64], sigma: float) -> Callable[..., Any]:
    return lambda out=None: kernel(X, sigma=sigma, out=out, n_threads=1)


def measure(entries: list[Entry], rates: Rates, repeats: int) -> list[dict[str, Any]]:
    rows = []
    for entry in entries:
        print(f"  {entry.name}", file=sys.stderr, flush=True)
        calls: dict[str, Callable[..., Any]] = {"fresh": entry.call}
        if entry.shape:
            out = np.zeros(entry.shape)
            calls = {"out": lambda e=entry, o=out: e.call(out=o), **calls}
        for memory, call in calls.items():
            seconds, median = timed(call, repeats)
            floor, bound = floor_seconds(entry.work, rates, fresh=memory == "fresh")
            rows.append(
                {
                    "kernel": entry.name,
                    "items": entry.items,
                    "memory": memory,
                    "shape": entry.shape,
                    "operations": entry.work.__dict__,
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
        "| kernel | of | memory | Gflop | 1e9 abs. differences | 1e6 exp | 1e6 1/sqrt | MB read "
        "| MB written | floor ms | bound by | measured ms (min / median) | distance |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in document["kernels"]:
        work = row["operations"]
        lines.append(
            f"| {row['kernel']} | {row['items']} | {row['memory']} | {work['flops'] / 1e9:.3g} "
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
    parser.add_argument(
        "--kernels",
        choices=("all", "global", "local"),
        default="all",
        help="of molecules, or of the surroundings of atoms (at most 500 molecules)",
    )
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
    entries: list[Entry] = []
    if options.kernels != "local":
        entries += global_entries(pairs)
    if options.kernels != "global":
        entries += local_entries(pairs)
    rates = measure_machine(options.compiler)
    document = {
        "machine": machine.describe(),
        "versions": machine.versions(),
        "data": options.data.name,
        "molecules": len(pairs),
        "rates": rates,
        "load_before": machine.load(),
        "kernels": measure(entries, rates, options.repeats),
        "load_after": machine.load(),
    }
    options.out.write_text(json.dumps(document, indent=1) + "\n")
    text = markdown(document)
    options.out.with_suffix(".md").write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
