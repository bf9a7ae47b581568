"""One block of molecular dynamics: from a state to frames and the next state."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from molkern.datasets.build import geometry, xtb
from molkern.datasets.build.checks import positive, whole
from molkern.datasets.build.pool import Failure
from molkern.datasets.units import conversion_factor

__all__ = ["ENSEMBLES", "Options", "block", "relaxed"]

ENSEMBLES = ("langevin", "nve")
FRICTION = 0.01  # 1/fs
CHECKED = 1000  # time steps without thermostat, in which the energy is watched

State = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Options:
    """Temperature in K, time step in fs, and steps of the dynamics."""

    temperature: float
    timestep: float
    stride: int
    equilibrate: int
    ensemble: str
    seed: int

    @classmethod
    def checked(
        cls,
        temperature: Any,
        timestep: Any,
        stride: Any,
        equilibrate: Any,
        ensemble: Any,
        seed: Any,
    ) -> Options:
        """Options of checked arguments."""
        if ensemble not in ENSEMBLES:
            raise ValueError(
                f"ensemble: expected one of {', '.join(ENSEMBLES)}, found {ensemble!r}"
            )
        return cls(
            positive("temperature", temperature),
            positive("timestep", timestep),
            whole("stride", stride, 1),
            whole("equilibrate", equilibrate, 0),
            ensemble,
            whole("seed", seed, 0),
        )

    def to_json(self) -> dict[str, Any]:
        """The options by their names."""
        return dataclasses.asdict(self)


def relaxed(task: tuple[list[int], list[Any], str | None]) -> State:
    """The state in which a walker starts: relaxed, at rest until it is given momenta.

    With SMILES it must still be that molecule.
    """
    numbers, positions, smiles = task
    start = np.array(positions, np.float64)
    found = xtb.relax(np.array(numbers, np.int32), start)
    if smiles is not None:
        geometry.require_same(geometry.with_hydrogens(smiles), start, found)
    return {"positions": found.tolist(), "momenta": None}


def block(task: tuple[list[int], State, Options, int, int, int]) -> dict[str, Any]:
    """Run ``(numbers, state, options, walker, block, frames)``.

    Block 0 equilibrates and measures how well energy is conserved; it gives no frames. A block
    depends on nothing but its task: the calculator starts afresh, and the noise has its own seed.

    Returns
    -------
    dict
        ``state`` after it; ``positions`` (float32, Å), ``energy`` (kcal/mol), ``forces``
        (kcal/mol/Å) of the frames, computed at the positions as they are stored.
    """
    from ase.md.velocitydistribution import MaxwellBoltzmannDistribution

    numbers, state, options, walker, number, frames = task
    atoms = xtb.as_ase(np.array(numbers, np.int32), np.array(state["positions"]))
    random = np.random.default_rng([options.seed, walker, number])
    if state["momenta"] is None:
        MaxwellBoltzmannDistribution(atoms, temperature_K=options.temperature, rng=random)
    else:
        atoms.set_momenta(np.array(state["momenta"]))
    record: dict[str, Any] = {"energy": [], "positions": [], "forces": []}
    try:
        if number == 0:
            _engine(atoms, options, "langevin", random).run(options.equilibrate)
            record["conservation"] = conservation(atoms, options)
        else:
            record |= _frames(atoms, options, random, frames)
    except (RuntimeError, np.linalg.LinAlgError) as error:
        raise Failure(f"dynamics: {error}") from error
    momenta = atoms.get_momenta()
    record["state"] = {"positions": atoms.positions.tolist(), "momenta": momenta.tolist()}
    return record


def _engine(
    atoms: Any, options: Options, ensemble: str, random: np.random.Generator | None = None
) -> Any:
    from ase import units
    from ase.md.langevin import Langevin
    from ase.md.verlet import VelocityVerlet

    step = options.timestep * units.fs
    if ensemble == "nve":
        return VelocityVerlet(atoms, timestep=step)
    return Langevin(
        atoms,
        timestep=step,
        temperature_K=options.temperature,
        friction=FRICTION / units.fs,
        rng=random,
        fixcm=False,  # would not sample the canonical ensemble; frames are centred anyway
    )


def conservation(atoms: Any, options: Options) -> dict[str, float]:
    """Total energy along a stretch without thermostat.

    Returns
    -------
    dict
        ``drift`` of a straight line in meV per atom and ps, ``deviation`` from it (root mean
        square) in meV per atom, ``steps``.
    """
    engine = _engine(atoms, options, "nve")
    energies = []
    for _ in range(CHECKED):
        engine.run(1)
        energies.append(atoms.get_total_energy())
    values = 1000.0 * np.array(energies) / len(atoms)
    times = options.timestep * 1e-3 * np.arange(CHECKED)
    slope, intercept = np.polyfit(times, values, 1)
    left = values - (slope * times + intercept)
    return {
        "drift": float(slope),
        "deviation": float(np.sqrt(np.mean(left**2))),
        "steps": CHECKED,
    }


def _frames(
    atoms: Any, options: Options, random: np.random.Generator, frames: int
) -> dict[str, Any]:
    engine = _engine(atoms, options, options.ensemble, random)
    factor = conversion_factor("eV", "kcal/mol")
    numbers = atoms.numbers
    taken: dict[str, list[Any]] = {"positions": [], "energy": [], "forces": []}
    temperatures = []
    for _ in range(frames):
        engine.run(options.stride)
        rounded = (atoms.positions - atoms.positions.mean(axis=0)).astype(np.float32)
        labelled = xtb.as_ase(numbers, rounded.astype(np.float64))
        taken["positions"].append(rounded.tolist())
        taken["energy"].append(labelled.get_potential_energy() * factor)
        taken["forces"].append((labelled.get_forces() * factor).tolist())
        temperatures.append(atoms.get_temperature())
    return {**taken, "mean_temperature": float(np.mean(temperatures))}
