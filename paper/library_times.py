"""What figures and tables take from ``benchmarks/peers/compare.py``: one thread, shortest times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sources

__all__ = ["AHEAD", "Task", "tasks"]

AHEAD = 1.05  # from here on we count as faster: the shortest times of two runs differ by less

# Tasks in the order of figure and table, with their words.
WORDS = {
    "coulomb_sorted": "Coulomb, sorted",
    "coulomb_unsorted": "Coulomb, unsorted",
    "coulomb_eigenspectrum": "Coulomb, spectrum",
    "bag_of_bonds": "bag of bonds",
    "soap": "SOAP",
    "soap_float32": "SOAP, float32",
    "soap_inner": "SOAP, inner",
    "soap_outer": "SOAP, outer",
    "soap_vjp": "SOAP, gradient",
    "soap_jacobian": "SOAP, Jacobian",
    "acsf": "ACSF",
    "acsf_vjp": "ACSF, gradient",
    "aev": "AEV",
    "aev_vjp": "AEV, gradient",
    "laplacian": "Laplacian kernel",
    "gaussian": "Gaussian kernel",
    "local_gaussian": "local kernel",
}


@dataclass(frozen=True)
class Task:
    """Seconds for each molecule: ours into new memory and, by library, the fastest of others."""

    name: str
    words: str
    ours: float
    out: float  # into memory given; 0 where that was not measured
    speed_up: float  # of two threads; 0 where that was not measured
    others: Mapping[str, float]

    @property
    def best(self) -> str:
        """The fastest of the other libraries."""
        return min(self.others, key=self.others.__getitem__)

    def ratio(self, ours: float) -> float:
        """How many times as fast we are as the fastest of the others."""
        return self.others[self.best] / ours


def tasks() -> list[Task]:
    """All tasks that another library took part in."""
    runs = {run["threads"]: run["tasks"] for run in sources.document("peers")["runs"]}
    pairs = {task["name"]: task for task in runs.get(2, [])}
    found = {task["name"]: _task(task, pairs.get(task["name"])) for task in runs[1]}
    return [found[name] for name in WORDS if name in found and found[name].others]


def _task(task: Mapping[str, Any], two: Mapping[str, Any] | None) -> Task:
    times = {
        entry["name"]: entry["seconds_min"] / entry["items"]
        for entry in task["contestants"]
        if "seconds_min" in entry
    }
    ours = {name: seconds for name, seconds in times.items() if name.startswith("molkern")}
    others: dict[str, float] = {}
    for name, seconds in times.items():
        if name not in ours:
            library = name.split()[0] if name != "NumPy by hand" else "NumPy"
            others[library] = min(seconds, others.get(library, seconds))
    fresh = ours.get("molkern fresh") or ours.get("molkern vjp") or min(ours.values())
    words = WORDS.get(task["name"], task["name"])
    out = ours.get("molkern out", 0.0)
    return Task(task["name"], words, fresh, out, _speed_up(two), others)


def _speed_up(task: Mapping[str, Any] | None) -> float:
    times = (
        {entry["name"]: entry.get("seconds_min") for entry in task["contestants"]} if task else {}
    )
    for name in ("molkern out", "molkern vjp"):
        one, two = times.get(f"{name}, 1 thread"), times.get(name)
        if one and two:
            return float(one / two)
    return 0.0
