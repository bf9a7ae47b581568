"""A data set of relaxed molecules: enumerated or listed, embedded, relaxed, labelled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern.datasets.build import geometry, output, pool, xtb
from molkern.datasets.build.checks import processes, whole
from molkern.datasets.build.journal import Journal

__all__ = ["UNITS", "build_molecules"]

UNITS = {
    "total_energy": "hartree",
    "atomization_energy": "kcal/mol",
    "homo": "eV",
    "lumo": "eV",
    "gap": "eV",
    "dipole": "debye",
    "polarizability": "bohr^3",
    "partial_charges": "e",
}

Progress = Callable[[str, int, int, int], None]


def build_molecules(
    out: str | Path,
    *,
    heavy_atoms: int | None = None,
    elements: Sequence[str] = ("C", "N", "O"),
    smiles: Sequence[str] | None = None,
    limit: int | None = None,
    n_conformers: int = 10,
    seed: int = 0,
    n_processes: int | None = None,
    command: str = "",
    progress: Progress | None = None,
) -> Path:
    """Build a data set of molecules at minima of GFN2-xTB, with labels.

    Each molecule is embedded (ETKDGv3, several conformers, MMFF94 or UFF), the lowest conformer
    relaxed by GFN2-xTB to forces below 0.01 eV/Å, its bonds and stereochemistry compared with what
    it was made from, and labelled. One that fails is recorded with its reason.

    Parameters
    ----------
    out : str or Path
        The ``.npz`` file to make. Finished molecules are kept beside it in ``<stem>.journal`` until
        all are there: the same call continues where it was stopped.
    heavy_atoms : int, optional
        Enumerate the molecules of up to so many atoms that are not hydrogen. Either this or
        ``smiles``.
    elements : sequence of str, default=("C", "N", "O")
        Of the enumeration; F and S are possible, too.
    smiles : sequence of str, optional
        Molecules to build instead: neutral, closed shell, of H, C, N, O, F, S. Where they leave
        stereochemistry open, the isomer is that of the lowest conformer; the file says which.
    limit : int, optional
        Build a random choice of so many. None: all.
    n_conformers : int, default=10
        Embedded for each molecule.
    seed : int, default=0
        Of the choice and of every embedding. A molecule's result does not depend on the others.
    n_processes : int, optional
        None: all allowed cores.
    command : str, optional
        Recorded in the provenance.
    progress : callable, optional
        ``progress(stage, done, failed, total)``.

    Returns
    -------
    Path
        The file. :func:`molkern.datasets.load` reads it; ``provenance`` in it says how it was made.

    Raises
    ------
    ImportError
        If a package of the extra ``build`` is missing.
    ValueError
        For wrong arguments; names the SMILES. Or if no molecule at all could be built.
    OSError
        If a file can not be written; nothing half-written is left.

    Notes
    -----
    Cost: about a second for each molecule of 7 heavy atoms on one core, the enumeration apart.

    References
    ----------
    C. Bannwarth, S. Ehlert, S. Grimme, J. Chem. Theory Comput. 15, 1652 (2019),
    doi:10.1021/acs.jctc.8b01176; S. Riniker, G. A. Landrum, J. Chem. Inf. Model. 55, 2562 (2015),
    doi:10.1021/acs.jcim.5b00654.
    """
    output.needed_to_build()
    if (heavy_atoms is None) == (smiles is None):
        raise ValueError("expected either heavy_atoms or smiles")
    n_conformers = whole("n_conformers", n_conformers, 1)
    seed = whole("seed", seed, 0)
    limit = None if limit is None else whole("limit", limit, 1)
    n_processes = processes(n_processes)
    listed, graphs = None, []
    if smiles is not None:
        listed = _checked(smiles)
    elif heavy_atoms is not None:
        from molkern.datasets.build.enumeration import graph_tasks

        graphs = graph_tasks(heavy_atoms, elements)
        heavy_atoms = int(heavy_atoms)
    path = output.prepared(out)
    specification = {
        "build": "molecules",
        "heavy_atoms": heavy_atoms,
        "elements": None if smiles is not None else sorted(elements),
        "smiles": listed,
        "limit": limit,
        "n_conformers": n_conformers,
        "seed": seed,
        "versions": output.versions(),
    }
    tell = progress or (lambda *_: None)
    with Journal(output.journal_of(path), specification) as journal:

        def told(stage: str, keys: Sequence[str]) -> Callable[[], None]:
            return lambda: tell(stage, *_state(journal, keys), len(keys))

        counts: dict[str, Any] = {}
        if listed is None:
            keys = [key for key, _ in graphs]
            pool.run(molecules_of, graphs, journal, n_processes, told("graphs", keys))
            listed, counts = _enumerated(journal, keys)
        chosen = _chosen(listed, limit, seed)
        tasks = [(s, (s, n_conformers, geometry.seed_of(seed, s))) for s in chosen]
        pool.run(build_one, tasks, journal, n_processes, told("molecules", chosen))
        _write(path, journal, chosen, {**specification, "smiles": None}, command, counts)
    output.journal_of(path).unlink()
    return path


def _checked(smiles: Sequence[str]) -> list[str]:
    """Canonical SMILES, each once, in the order given; all checked before any work."""
    if isinstance(smiles, str):
        raise TypeError(f"smiles: expected a sequence of SMILES, found the string {smiles!r}")
    found = []
    for number, text in enumerate(smiles):
        if not isinstance(text, str):
            raise TypeError(f"smiles: expected SMILES, molecule {number} is {text!r}")
        try:
            clean = geometry.canonical(text)
            atoms = geometry.with_hydrogens(clean).GetAtoms()
            xtb.supported([atom.GetAtomicNum() for atom in atoms])
        except ValueError as error:
            raise ValueError(f"molecule {number}: {error}") from error
        found.append(clean)
    if not found:
        raise ValueError("smiles: expected at least one molecule, found none")
    return list(dict.fromkeys(found))


def molecules_of(task: Any) -> dict[str, Any]:
    """The molecules of a graph; imports the enumeration where it is needed."""
    from molkern.datasets.build import enumeration

    return enumeration.molecules_of(task)


def _enumerated(journal: Journal, keys: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """SMILES of all graphs, and how many there were at each stage."""
    from molkern.datasets.build.enumeration import combined

    results = [journal.records[key] for key in keys]
    for key, result in zip(keys, results, strict=True):
        if pool.FAILED in result:
            raise ValueError(f"{key} failed: {result[pool.FAILED]}; delete {journal.path}")
    found = combined(results, max(result["n_atoms"] for result in results))
    return list(found.smiles), {"counts": found.counts, "rejected": found.rejected}


def _state(journal: Journal, keys: Sequence[str]) -> tuple[int, int]:
    """How many tasks are finished, and how many of those failed."""
    records = [journal.records[key] for key in keys if key in journal.records]
    return len(records), sum(pool.FAILED in record for record in records)


def _chosen(smiles: list[str], limit: int | None, seed: int) -> list[str]:
    if limit is None or limit >= len(smiles):
        return smiles
    order = np.random.default_rng(seed).permutation(len(smiles))[:limit]
    return [smiles[k] for k in np.sort(order)]


def build_one(task: tuple[str, int, int]) -> dict[str, Any]:
    """One molecule: ``(smiles, n_conformers, seed)`` to numbers, positions and labels.

    Raises
    ------
    Failure
        With the reason.
    """
    smiles, n_conformers, seed = task
    molecule, start = geometry.embed(smiles, n_conformers, seed)
    numbers = np.array([atom.GetAtomicNum() for atom in molecule.GetAtoms()], dtype=np.int32)
    positions = xtb.relax(numbers, start)
    isomer = geometry.require_same(molecule, start, positions)
    # Labels belong to the positions as they are stored.
    rounded = (positions - positions.mean(axis=0)).astype(np.float32)
    labels = xtb.labels(numbers, rounded.astype(np.float64))
    return {
        "smiles": isomer,
        "numbers": numbers.tolist(),
        "positions": rounded.tolist(),
        "labels": labels,
    }


def _write(
    path: Path,
    journal: Journal,
    chosen: list[str],
    specification: dict[str, Any],
    command: str,
    enumerated: dict[str, Any],
) -> None:
    found = {s: journal.records[s] for s in chosen}
    reasons = {s: record[pool.FAILED] for s, record in found.items() if pool.FAILED in record}
    counts = Counter(_kind(reason) for reason in reasons.values())
    records = [record for s, record in found.items() if s not in reasons]
    if not records:
        raise ValueError(f"no molecule could be built: {reasons}; delete {journal.path}")
    sizes = [len(record["numbers"]) for record in records]
    numbers = np.concatenate([np.array(record["numbers"], np.uint8) for record in records])
    positions = np.concatenate([np.array(record["positions"], np.float32) for record in records])
    arrays: dict[str, npt.NDArray[Any]] = {
        "numbers": numbers,
        "positions": positions,
        "offsets": np.concatenate(([0], np.cumsum(sizes))).astype(np.int64),
        "smiles": np.array([record["smiles"] for record in records]),
    }
    for name in UNITS:
        columns = [record["labels"][name] for record in records]
        if name == "partial_charges":
            arrays[name] = np.concatenate([np.array(c) for c in columns]).astype(np.float32)
        else:
            arrays[name] = np.array(columns, dtype=np.float64)
    provenance = {
        "method": xtb.METHOD,
        "command": command,
        **specification,
        "units": UNITS,
        "default_target": "atomization_energy",
        "extensive": ["atomization_energy", "total_energy"],
        "atom_energies": {str(z): xtb.atom_energy(int(z)) for z in np.unique(numbers)},
        "enumeration": enumerated,
        "n_built": len(records),
        "failed": dict(counts),
        "failures": reasons,
    }
    output.write(path, arrays, provenance)


def _kind(reason: str) -> str:
    return reason.split(":")[0]
