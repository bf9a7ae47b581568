"""One case of the scaling benchmark, in a process of its own so that its peak memory is known.

Started by ``scaling.py`` with a request as JSON; prints one JSON object.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import systems
from systems import System

G2 = [(float(eta), 0.0) for eta in np.geomspace(0.02, 4.0, 8)]
G4 = [
    (eta, zeta, sign) for eta in (0.01, 0.05, 0.2, 0.8) for zeta in (1.0, 4.0) for sign in (-1, 1)
]
SOAP = {"r_cut": 5.0, "n_max": 8, "l_max": 6, "sigma": 0.5}
MOST_TURNS = 9
Call = Callable[[], Any]


def peak_bytes() -> int:
    """The largest resident memory of this process so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def build(request: dict[str, Any], size: Any) -> System:
    if request["system"] == "stored":
        return systems.stored(request["data"], size)
    return {"diamond": systems.diamond, "water": systems.water}[request["system"]](size)


def interleaved(calls: list[Call], seconds: float) -> list[float]:
    """Shortest time of each call, taking turns until so many seconds are over."""
    times: list[list[float]] = [[] for _ in calls]
    begin = time.perf_counter()
    for turn in range(MOST_TURNS):
        if turn > 0 and time.perf_counter() - begin > seconds:
            break
        for call, found in zip(calls, times, strict=True):
            start = time.perf_counter()
            result = call()
            found.append(time.perf_counter() - start)
            del result
    return [min(found) for found in times]


class Molkern:
    """Our calls for one system: ``soap``, ``acsf``, ``aev`` summed, ``soap dense`` in batches."""

    def __init__(self, what: str, species: list[int], least_bytes: float) -> None:
        import molkern as mk

        makers: dict[str, Callable[[int], Any]] = {
            "soap": lambda n: mk.SOAP(species=species, average="sum", n_threads=n, **SOAP),
            "soap dense": lambda n: mk.SOAP(species=species, n_threads=n, **SOAP),
            "acsf": lambda n: mk.ACSF(
                species=species, r_cut=6.0, g2=G2, g4=G4, average="sum", n_threads=n
            ),
            "aev": lambda n: mk.AEV("ani-2x", average="sum", n_threads=n),
        }
        self.make, self.dense = makers[what], what == "soap dense"
        self.least_bytes = least_bytes
        self.out = np.zeros((0, 0))

    def n_copies(self, n_atoms: int, row_bytes: int) -> int:
        """Structures in a batch: one, or enough for the size of a dense result."""
        return -(-int(self.least_bytes) // (row_bytes * n_atoms)) if self.dense else 1

    def prepare(self, system: System, n_threads: int) -> tuple[Call, int]:
        """The call, and the number of atoms that it represents."""
        import molkern as mk

        n_atoms = len(system.numbers)
        fitted = self.make(n_threads).fit([(system.numbers[:0], system.positions[:0])])
        row_bytes = 8 * fitted.n_features_out_
        n = max(1, self.n_copies(n_atoms, row_bytes))
        cells = pbc = None
        if system.edge is not None:
            cells = np.tile(system.edge * np.eye(3), (n, 1, 1))
            pbc = np.full((n, 3), True)
        batch = mk.Structures(
            np.tile(system.numbers, n),
            np.tile(system.positions, (n, 1)),
            n_atoms * np.arange(n + 1),
            cells=cells,
            pbc=pbc,
        )
        if not self.dense:
            return lambda: fitted.transform(batch), n_atoms
        n_blocks = max(1, int(n * n_atoms * row_bytes // self.least_bytes))
        blocks = np.array_split(np.arange(n * n_atoms), n_blocks)
        most = max(map(len, blocks))
        if len(self.out) < most:
            self.out = np.zeros((most, fitted.n_features_out_))

        def run() -> None:
            for block in blocks:
                fitted.transform(batch, out=self.out[: len(block)], centers=block)

        return run, n * n_atoms


def dscribe_call(what: str, species: list[int], system: System) -> tuple[Call, int]:
    """DScribe's own way: one frame, one call, a new result."""
    from ase import Atoms
    from dscribe.descriptors import SOAP as Peer

    average = "off" if what == "soap dense" else "outer"
    periodic = system.edge is not None
    descriptor = Peer(species=species, periodic=periodic, average=average, **SOAP)
    frame = Atoms(numbers=system.numbers, positions=system.positions)
    if system.edge is not None:
        frame.set_cell(system.edge * np.eye(3))
        frame.set_pbc(True)
    return lambda: descriptor.create(frame), len(system.numbers)


def measure(request: dict[str, Any]) -> dict[str, Any]:
    system = build(request, request["size"])
    species = np.unique(system.numbers).tolist()
    n_atoms = len(system.numbers)
    if request["library"] == "dscribe":
        call, represented = dscribe_call(request["what"], species, system)
        before = peak_bytes()
        (seconds,) = interleaved([call], request["seconds"])
        return {
            "n_atoms": n_atoms,
            "microseconds_per_atom": 1e6 * seconds / represented,
            "bytes_before": before,
            "bytes_peak": peak_bytes(),
        }
    ours = Molkern(request["what"], species, request["least_bytes"])
    call, represented = ours.prepare(system, 1)
    before = peak_bytes()  # zeros of ``out`` that were never written are not resident yet
    call()
    peak = peak_bytes()
    rivals = {"two_threads": ours.prepare(system, 2)}
    if request["size"] != request["smallest"] and request["system"] != "stored":
        rivals["to_smallest"] = ours.prepare(build(request, request["smallest"]), 1)
    ours.out[...] = 0  # the smallest structure's batch may have needed more
    calls = [(call, represented), *rivals.values()]
    times = interleaved([each for each, _ in calls], request["seconds"])
    found = [1e6 * time / n for time, (_, n) in zip(times, calls, strict=True)]
    ratios = {name: found[0] / cost for name, cost in zip(rivals, found[1:], strict=True)}
    return {
        "n_atoms": n_atoms,
        "n_represented": represented,
        "microseconds_per_atom": found[0],
        **ratios,
        "bytes_before": before,
        "bytes_peak": peak,
        "bytes_out": ours.out.nbytes,
    }


def main(text: str) -> None:
    try:
        result = measure(json.loads(text))
    except (ImportError, ValueError) as error:  # no such library, or an element it does not know
        result = {"left_out": str(error)}
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1])
