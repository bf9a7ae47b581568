"""Molecular dynamics of one molecule with GFN2-xTB: energies and forces of its frames."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from molkern.datasets.build import dynamics, geometry, output, pool, xtb
from molkern.datasets.build.checks import processes, whole
from molkern.datasets.build.journal import Journal

__all__ = ["build_trajectory"]

_UNITS = {"energy": "kcal/mol", "forces": "kcal/mol/angstrom"}
_START = "start"
BLOCK = 25  # frames of a task; a killed build loses at most those that were running
# Above these the time step is too long: meV per atom and ps; meV per atom. A stable integrator does
# not drift, it oscillates.
DRIFT = 1.0
DEVIATION = 0.5

Progress = Callable[[str, int, int, int], None]


def build_trajectory(
    molecule: str | Path,
    out: str | Path,
    *,
    frames: int = 2000,
    temperature: float = 500.0,
    timestep: float = 0.5,
    stride: int = 50,
    equilibrate: int = 4000,
    ensemble: str = "langevin",
    n_walkers: int | None = None,
    seed: int = 0,
    n_processes: int | None = None,
    command: str = "",
    progress: Progress | None = None,
) -> Path:
    """Build a data set of frames of molecular dynamics, as MD17 is one.

    Walkers start at the relaxed geometry and are equilibrated by Langevin dynamics. Then the
    conservation of energy is measured in a stretch without thermostat, and frames are taken.

    Parameters
    ----------
    molecule : str or Path
        SMILES, or a file with one structure that ASE reads.
    out : str or Path
        The ``.npz`` file to make. Finished blocks of 25 frames are kept beside it in
        ``<stem>.journal``: the same call continues where it was stopped.
    frames : int, default=2000
    temperature : float, default=500.0
        In K.
    timestep : float, default=0.5
        In fs.
    stride : int, default=50
        Time steps from frame to frame.
    equilibrate : int, default=4000
        Time steps before the first frame.
    ensemble : {"langevin", "nve"}
        Of the frames: with the thermostat (friction 0.01/fs), or without after the equilibration.
    n_walkers : int, optional
        Independent trajectories, which run side by side. None: 4, or as many as frames. The result
        depends on their number, not on that of the processes.
    seed : int, default=0
    n_processes : int, optional
        None: all allowed cores.
    command : str, optional
        Recorded in the provenance.
    progress : callable, optional
        ``progress(stage, done, failed, total)``.

    Returns
    -------
    Path
        The file, ``energy`` in kcal/mol and ``forces`` in kcal/mol/Å.
        :func:`molkern.datasets.load` reads it; ``provenance`` in it says how it was made, and how
        well energy was conserved.

    Raises
    ------
    ImportError
        If a package of the extra ``build`` is missing.
    ValueError
        For wrong arguments, or if a walker fails; says why.
    OSError
        If a file can not be read or written; nothing half-written is left.

    References
    ----------
    S. Chmiela et al., Sci. Adv. 3, e1603015 (2017), doi:10.1126/sciadv.1603015.
    """
    output.needed_to_build()
    options = dynamics.Options.checked(temperature, timestep, stride, equilibrate, ensemble, seed)
    frames = whole("frames", frames, 1)
    n_walkers = min(4, frames) if n_walkers is None else whole("n_walkers", n_walkers, 1)
    if n_walkers > frames:
        raise ValueError(f"n_walkers: {n_walkers} for {frames} frames; expected a frame for each")
    n_processes = processes(n_processes)
    start = _start(molecule, options.seed)
    numbers = start.numbers
    path = output.prepared(out)
    specification = {
        "build": "trajectory",
        "molecule": start.name,
        "numbers": numbers,
        "start": None if start.smiles else start.positions,
        "frames": frames,
        "n_walkers": n_walkers,
        **options.to_json(),
        "versions": output.versions(),
    }
    tell = progress or (lambda *_: None)
    shares = [frames * (w + 1) // n_walkers - frames * w // n_walkers for w in range(n_walkers)]
    with Journal(output.journal_of(path), specification) as journal:

        def told() -> None:
            done = [len(r.get("energy", ())) for r in journal.records.values()]
            failed = sum(pool.FAILED in r for r in journal.records.values())
            ready = sum("conservation" in r for r in journal.records.values())
            if ready < n_walkers and not sum(done):
                tell("walkers equilibrated", ready, failed, n_walkers)
            else:
                tell("frames", sum(done), failed, frames)

        def following(key: str, record: dict[str, Any]) -> pool.Task | None:
            walker, block = map(int, key.split("/"))
            left = shares[walker] - BLOCK * block
            if pool.FAILED in record or left <= 0:
                return None
            work = (numbers, record["state"], options, walker, block + 1, min(BLOCK, left))
            return f"{walker}/{block + 1}", work

        # In a process of its own like all that follows: one thread, so that it is reproducible.
        begin = (numbers, start.positions, start.smiles)
        pool.run(dynamics.relaxed, [(_START, begin)], journal, 1, told)
        _require_done(journal)
        begun = journal.records[_START]
        first = [(f"{w}/0", (numbers, begun, options, w, 0, 0)) for w in range(n_walkers)]
        pool.run(dynamics.block, first, journal, n_processes, told, following)
        _require_done(journal)
        _write(path, journal, specification, command)
    output.journal_of(path).unlink()
    return path


@dataclasses.dataclass(frozen=True)
class _Molecule:
    """What is moved: a name, numbers, positions in Å, and SMILES unless it came from a file."""

    name: str
    numbers: list[int]
    positions: list[list[float]]
    smiles: str | None = None


def _start(molecule: str | Path, seed: int) -> _Molecule:
    """What SMILES or a file describe; checked before anything is made."""
    if not isinstance(molecule, str | Path):
        raise TypeError(f"molecule: expected SMILES or a file, found {molecule!r}")
    if isinstance(molecule, Path) or Path(molecule).is_file():
        found = _from_file(Path(molecule))
    else:
        found = _from_smiles(molecule, seed)
    xtb.supported(found.numbers)
    if sum(found.numbers) % 2:
        raise ValueError(f"{molecule}: an odd number of electrons; only closed shells")
    return found


def _from_file(path: Path) -> _Molecule:
    from ase.io import read

    try:
        images: Any = read(path, index=":")
    except FileNotFoundError:
        raise
    except Exception as error:  # ASE's readers raise whatever their parsing runs into.
        raise ValueError(f"{path}: ASE can not read it: {error}") from error
    if len(images) != 1 or len(images[0]) == 0:
        raise ValueError(f"{path}: expected one structure with atoms, found {len(images)} frames")
    if np.any(images[0].pbc):
        raise ValueError(f"{path}: a periodic structure; expected a molecule")
    return _Molecule(path.name, images[0].numbers.tolist(), images[0].positions.tolist())


def _from_smiles(text: str, seed: int) -> _Molecule:
    try:
        smiles = geometry.canonical(text)
    except ValueError as error:
        raise ValueError(f"{error}; nor is there a file of that name") from None
    numbers = [atom.GetAtomicNum() for atom in geometry.with_hydrogens(smiles).GetAtoms()]
    xtb.supported(numbers)
    try:
        _, positions = geometry.embed(smiles, 10, geometry.seed_of(seed, smiles))
    except pool.Failure as failure:
        raise ValueError(f"{text}: {failure}") from failure
    return _Molecule(smiles, numbers, positions.tolist(), smiles)


def _require_done(journal: Journal) -> None:
    for key, record in journal.records.items():
        if pool.FAILED in record:
            what = "the start" if key == _START else f"walker {key.split('/')[0]}"
            raise ValueError(
                f"{what} failed: {record[pool.FAILED]}; delete {journal.path} and choose another "
                "seed, start or time step"
            )


def _write(
    path: Path,
    journal: Journal,
    specification: dict[str, Any],
    command: str,
) -> None:
    numbers = np.array(specification["numbers"], dtype=np.int32)
    start = np.array(journal.records[_START]["positions"])
    keys = [key for key in journal.records if key != _START]
    keys.sort(key=lambda key: tuple(map(int, key.split("/"))))
    blocks = [journal.records[key] for key in keys]
    parts = [block for block in blocks if block["energy"]]
    arrays = {
        "z": numbers.astype(np.uint8),
        "R": np.concatenate([np.array(block["positions"], np.float32) for block in parts]),
        "energy": np.concatenate([np.array(block["energy"]) for block in parts]),
        "forces": np.concatenate([np.array(block["forces"], np.float32) for block in parts]),
    }
    checks = [block["conservation"] for block in blocks if "conservation" in block]
    drift = max(abs(check["drift"]) for check in checks)
    deviation = max(check["deviation"] for check in checks)
    if drift > DRIFT or deviation > DEVIATION:
        warnings.warn(
            f"without thermostat the energy drifts by {drift:.2g} meV per atom and ps and varies "
            f"by {deviation:.2g} meV per atom: the time step of {specification['timestep']} fs is "
            "too long",
            RuntimeWarning,
            stacklevel=3,
        )
    provenance = {
        "method": xtb.METHOD,
        "command": command,
        **specification,
        "units": _UNITS,
        "default_target": "energy",
        "extensive": ["energy"],
        "conservation": checks,
        "mean_temperature": float(np.mean([block["mean_temperature"] for block in parts])),
        "energy_correlation": _correlation(keys, blocks),
        "frames_with_broken_bonds": geometry.n_broken(numbers, start, arrays["R"]),
    }
    output.write(path, arrays, provenance)


def _correlation(keys: list[str], blocks: list[dict[str, Any]]) -> float | None:
    """Mean over walkers of the autocorrelation of the energy from one frame to the next."""
    walkers: dict[str, list[float]] = {}
    for key, block in zip(keys, blocks, strict=True):
        walkers.setdefault(key.split("/")[0], []).extend(block["energy"])
    found = [
        float(np.corrcoef(energies[:-1], energies[1:])[0, 1])
        for energies in walkers.values()
        if len(energies) > 10 and np.std(energies) > 0
    ]
    return float(np.mean(found)) if found else None
