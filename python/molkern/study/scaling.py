"""Cost against the size of a system, up to 100 000 atoms."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from molkern._arrays import available_bytes, checked_threads
from molkern._measuring import Request, Worker
from molkern.representations._base import real_type
from molkern.structures import Structures, as_structures
from molkern.study import models
from molkern.study.measurements import Measurements, machine, measured, threads
from molkern.study.progress import Progress, ProgressCallback
from molkern.study.store import Store
from molkern.study.systems import default_systems

__all__ = ["REPRESENTATIONS_BY_SIZE", "scaling"]

REPRESENTATIONS_BY_SIZE = ("coulomb_matrix", "bag_of_bonds", "acsf", "ani-2x", "soap")
MAX_BYTES = 4 * 2**30
STEEPEST = 4.0  # an extrapolation steeper than that says more about noise


@dataclass(frozen=True)
class _Limits:
    bytes: int
    seconds: float


def scaling(
    representations: Any = None,
    *,
    systems: Mapping[str, Any] | None = None,
    max_atoms: int = 100_000,
    operations: Sequence[str] = ("values",),
    dtype: str = "float64",
    n_threads: int | None = None,
    max_bytes: int | None = None,
    max_seconds: float = 30.0,
    repeats: int = 3,
    store: Store | str | Path | None = None,
    progress: ProgressCallback | None = None,
) -> Measurements:
    """Time and memory of one call for one system, from 10 to 100 000 atoms.

    Parameters
    ----------
    representations : representation, str, mapping or sequence of them, optional
        As in `molkern.study.compare`. None: the sorted Coulomb matrix, bag of bonds, and ACSF,
        AEV and SOAP summed over the atoms.
    systems : mapping from name to Structures (or what becomes Structures), optional
        Series of systems to measure. None: periodic water and diamond, made by recipes that the
        notes of the result state, and the large molecules (140 to 32 512 atoms) where they are
        found, see ``molkern data list``.
    max_atoms : int, default=100_000
        Largest system, at least 10.
    operations : sequence of {"values", "vjp"}
        As in `molkern.study.cost`.
    dtype : {"float64", "float32"}
    n_threads : int, optional
        None: all allowed cores.
    max_bytes : int, optional
        A series ends where a result would need more. None: 4 GiB, or half of the memory
        available where that is less.
    max_seconds : float, default=30
        A series ends where the next call would, judged by those before, take longer.
    repeats : int, default=3
    store : Store or path, optional
        Folder of finished measurements.
    progress : callable, optional

    Returns
    -------
    Measurements
        One row for each system, representation and operation; ``exponents()`` has the fits. The
        species of a representation are those of its series; Coulomb matrix and bags are as large
        as the system. ``notes`` say where a series ended and why.

    Raises
    ------
    ValueError, TypeError
        For wrong parameters.

    Examples
    --------
    >>> import molkern as mk
    >>> chains = [([6] * n, [[1.5 * k, 0, 0] for k in range(n)]) for n in (10, 20)]
    >>> found = mk.study.scaling(["coulomb_matrix"], systems={"chains": chains}, n_threads=1)
    >>> found.frame[["system", "n_atoms", "bytes"]].to_numpy().tolist()
    [['chains', 10, 440], ['chains', 20, 1680]]
    """
    if max_atoms < 10:
        raise ValueError(f"max_atoms: expected 10 or more, found {max_atoms}")
    if not len(operations) or not set(operations) <= {"values", "vjp"}:
        raise ValueError(f"operations: expected values, vjp or both, found {list(operations)}")
    if repeats < 1 or not max_seconds > 0:
        raise ValueError(
            f"repeats and max_seconds: expected more than 0, found {repeats} and {max_seconds}"
        )
    chosen = REPRESENTATIONS_BY_SIZE if representations is None else representations
    fresh = models.representations(chosen)
    options = {"dtype": str(real_type(dtype)), "n_threads": threads(checked_threads(n_threads))}
    limits = _Limits(_bytes_limit(max_bytes), max_seconds)
    store = store if store is None or isinstance(store, Store) else Store(store)
    found, notes = _systems(systems, max_atoms)
    work = [
        (model, name, operation) for model in fresh for name in found for operation in operations
    ]
    rows: list[dict[str, Any]] = []
    with Worker() as worker:
        for k, (model, name, operation) in enumerate(work):
            label = models.label(model)
            made = type(model)(**model.get_params()).set_params(**options)
            part = _Series(made, operation, name, label, limits, repeats, store)
            if progress is not None:
                progress(Progress("scaling", 0, 1, f"{label}, {name}, {operation}", k, len(work)))
            rows += part.rows(worker, found[name])
            notes += tuple(f"{label}, {name}, {operation}: {note}" for note in part.notes)
    about = {**machine(), "max_atoms": max_atoms, "max_bytes": limits.bytes}
    return Measurements(tuple(rows), notes, {**about, "max_seconds": max_seconds})


def _bytes_limit(max_bytes: int | None) -> int:
    if max_bytes is not None:
        if max_bytes < 1:
            raise ValueError(f"max_bytes: expected 1 or more, found {max_bytes}")
        return max_bytes
    available = available_bytes()
    return MAX_BYTES if available is None else min(MAX_BYTES, available // 2)


def _systems(
    systems: Mapping[str, Any] | None, max_atoms: int
) -> tuple[dict[str, Structures], tuple[str, ...]]:
    if systems is None:
        return default_systems(max_atoms)
    found = {}
    for name, given in systems.items():
        batch = as_structures(given)
        order = np.argsort(batch.sizes, kind="stable")
        found[name] = batch[order[(batch.sizes[order] > 0) & (batch.sizes[order] <= max_atoms)]]
        if not len(found[name]):
            raise ValueError(f"systems: {name!r} has no system of 1 to {max_atoms} atoms")
    return found, ()


@dataclass
class _Series:
    """One representation and operation on systems of growing size."""

    model: Any
    operation: str
    system: str
    label: str
    limits: _Limits
    repeats: int
    store: Store | None

    def __post_init__(self) -> None:
        self.notes: list[str] = []

    def rows(self, worker: Worker, systems: Structures) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for structure, model in self._fitted(systems):
            n = structure.n_atoms
            why = self._too_large(model, n) or self._too_slow(found, n)
            if why:
                self.notes.append(f"ends before {n} atoms: {why}")
                break
            request = Request(self.operation, model, structure, repeats=self.repeats)
            try:
                row = measured(worker, request, self.store, system=self.system, label=self.label)
            except (MemoryError, ValueError) as error:
                self.notes.append(f"ends before {n} atoms: {error}")
                break
            found.append(row)
        return found

    def _fitted(self, systems: Structures) -> Iterator[tuple[Structures, Any]]:
        """Each system with a model fitted to it, or to all of them where only elements count."""
        possible = []
        for k in range(len(systems)):
            try:
                self.model.fit(systems[k])
                possible.append(k)
            except ValueError as error:
                self.notes.append(f"{systems[k].n_atoms} atoms left out: {error}")
        if possible and "species" in self.model.get_params():
            self.model.fit(systems[possible])
        for k in possible:
            structure = systems[k]
            if "species" not in self.model.get_params():
                self.model.fit(structure)
            yield structure, self.model

    def _too_large(self, model: Any, n_atoms: int) -> str:
        n_rows = n_atoms if models.per_atom(model) else 1
        needed = n_rows * int(model.n_features_out_) * np.dtype(model.dtype).itemsize
        if needed <= self.limits.bytes:
            return ""
        return f"the result would need {needed} bytes, the limit is {self.limits.bytes}"

    def _too_slow(self, found: list[dict[str, Any]], n_atoms: int) -> str:
        """By a power law through the last size and the last one below half of it."""
        if not found:
            return ""
        last = found[-1]
        smaller = [row for row in found if 2 * row["n_atoms"] <= last["n_atoms"]]
        power = 1.0
        if smaller:
            growth = math.log(last["n_atoms"] / smaller[-1]["n_atoms"])
            power = math.log(last["seconds"] / smaller[-1]["seconds"]) / growth
            power = min(max(power, 1.0), STEEPEST)
        expected = last["seconds"] * (n_atoms / last["n_atoms"]) ** power
        if expected <= self.limits.seconds:
            return ""
        return f"the call would take about {expected:.0f} s, the limit is {self.limits.seconds:g} s"
