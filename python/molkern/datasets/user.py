"""A user's own data: npz files of three layouts, extended XYZ, ASE databases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern.datasets.dataset import Dataset, per_atom
from molkern.datasets.files import (
    LAYOUTS,
    Arrays,
    bad_file,
    needed,
    read_npz,
    structures_of,
    unpadded,
)
from molkern.datasets.md17 import trajectory
from molkern.datasets.units import UNKNOWN, length_factor, unit_name
from molkern.structures import Structures

__all__ = ["ALIASES", "read_arrays", "read_ase"]

_NUMBERS = ("numbers", "Z", "z", "charges", "nuclear_charges", "atomic_numbers")
_POSITIONS = ("positions", "R", "coords", "coordinates")
_NOT_LABELS = {"offsets", "cells", "cell", "pbc", "n_atoms", "num_atoms"}
ALIASES = {"E": "energy", "energies": "energy", "F": "forces", "force": "forces"}
_TOO_FAR = 1.4  # Å. No molecule with hydrogen has its shortest distance above; in bohr, most do.

_COMMENT = "extended XYZ needs energy=... in the comment line"

Layout = tuple[Structures, npt.NDArray[np.bool_] | None]


def read_arrays(path: Path, length_unit: str | None = None) -> Dataset:
    """An ``.npz`` file: packed, padded or a trajectory.

    Parameters
    ----------
    path : Path
        Packed: ``numbers`` (n_atoms,), ``positions`` (n_atoms, 3), ``offsets``
        (n_structures + 1,), optionally ``cells``, ``pbc``. Padded: ``Z`` (n_structures, size),
        ``R`` (n_structures, size, 3), a zero number means no atom. Trajectory: ``z`` (n_each,),
        ``R`` (n_frames, n_each, 3). Every other array with one row per structure is a target.
    length_unit : str, optional
        Unit of the positions. None: what the file says in ``r_unit``, else Å.

    Returns
    -------
    Dataset
        ``E`` and ``energies`` become ``energy``, ``F`` becomes ``forces``. Units from ``e_unit``
        and ``r_unit`` (sGDML's names) if the file has them, else ``"unknown"``.

    Raises
    ------
    ValueError
        For another layout: lists the arrays found.
    """
    arrays = read_npz(path)
    stated = _stated(arrays, "r_unit")
    name = length_unit or stated or "angstrom"
    key_z, key_r = _geometry_keys(path, arrays)
    numbers, positions = arrays[key_z], arrays[key_r]
    if positions.dtype.kind not in "fiu" or numbers.dtype.kind not in "fiu":
        raise bad_file(path, f"{key_z}, {key_r}: expected numbers; {_found(arrays)}")
    positions = positions.astype(np.float64) * length_factor(name)
    structures, mask = _layout(path, arrays, numbers, positions)
    targets, unused = _targets(path, arrays, structures, mask, {key_z, key_r})
    energy_unit = _stated(arrays, "e_unit")
    units = dict.fromkeys(targets, UNKNOWN)
    if energy_unit is not None and "energy" in units:
        units["energy"] = unit_name(energy_unit)
    notes = _length_notes(structures, length_unit, stated)
    dataset = _dataset(path, structures, targets, units, notes, unit_name(name))
    return dataset.replace(unused=unused)


def _stated(arrays: Arrays, key: str) -> str | None:
    """A unit written in the file."""
    if key not in arrays or arrays[key].size != 1:
        return None
    value = arrays[key].reshape(-1)[0]
    return value.decode() if isinstance(value, bytes) else str(value)


def _found(arrays: Arrays) -> str:
    return "found " + ", ".join(f"{key} {values.shape}" for key, values in arrays.items())


def _geometry_keys(path: Path, arrays: Arrays) -> tuple[str, str]:
    z = next((key for key in _NUMBERS if key in arrays), None)
    r = next((key for key in _POSITIONS if key in arrays), None)
    if z is None or r is None:
        raise bad_file(
            path,
            f"expected {LAYOUTS} arrays; {_found(arrays)}",
        )
    return z, r


def _layout(
    path: Path, arrays: Arrays, numbers: npt.NDArray[Any], positions: npt.NDArray[Any]
) -> Layout:
    """Structures, and for the padded layout the mask of atoms. The shapes tell which it is."""
    if numbers.ndim == 1 and positions.ndim == 2 and "offsets" in arrays:
        cells = {key: arrays[key] for key in ("cells", "pbc") if key in arrays}
        return structures_of(path, numbers, positions, arrays["offsets"], **cells), None
    if numbers.ndim == 2 and positions.ndim == 3:
        return unpadded(path, numbers, positions)
    if numbers.ndim == 1 and positions.ndim == 3:
        return trajectory(path, numbers, positions), None
    raise bad_file(
        path,
        f"numbers of shape {numbers.shape} and positions of shape {positions.shape} are neither "
        f"packed (with offsets), padded nor a trajectory; {_found(arrays)}",
    )


def _targets(
    path: Path,
    arrays: Arrays,
    structures: Structures,
    mask: npt.NDArray[np.bool_] | None,
    geometry: set[str],
) -> tuple[dict[str, npt.NDArray[np.float64]], dict[str, str]]:
    """Targets, and the arrays that are none with the reason."""
    n = len(structures)
    targets, unused = {}, {}
    for key, values in arrays.items():
        if key in geometry or key in _NOT_LABELS or values.ndim == 0:
            continue
        if values.dtype.kind in "US":
            unused[key] = _is_text(key, values.reshape(-1)[:1].tolist())
            continue
        if values.dtype.kind not in "fiub":
            unused[key] = f"{key}: expected numbers, found type {values.dtype}"
            continue
        name = ALIASES.get(key, key)
        if name in arrays or name in targets:
            name = key
        if per_atom(name):
            targets[name] = _forces(path, key, values, structures, mask)
        elif values.shape[0] == n:
            column = values.reshape(n) if values.size == n else values
            targets[name] = column.astype(np.float64)
        elif name == "energy":
            raise bad_file(path, f"{key}: expected {n} values, found shape {values.shape}")
        else:
            unused[key] = f"{key}: expected {n} rows, found shape {values.shape}"
    return targets, unused


def _is_text(name: str, examples: list[Any]) -> str:
    """Why texts are no labels."""
    return f"{name}: expected numbers, found text" + "".join(f" such as {x!r}" for x in examples)


def _forces(
    path: Path,
    key: str,
    values: npt.NDArray[Any],
    structures: Structures,
    mask: npt.NDArray[np.bool_] | None,
) -> npt.NDArray[np.float64]:
    if mask is not None and values.shape == (*mask.shape, 3):
        values = values[mask]
    elif values.ndim == 3 and values.shape[0] == len(structures) and mask is None:
        values = values.reshape(-1, 3) if values.shape[2] == 3 else values
    if values.shape != (structures.n_atoms, 3):
        raise bad_file(
            path,
            f"{key}: expected forces of {structures.n_atoms} atoms, found shape {values.shape}",
        )
    return values.astype(np.float64)


def _length_notes(
    structures: Structures, length_unit: str | None, stated: str | None
) -> tuple[str, ...]:
    """What was done to the positions, or assumed; and a hint if they look like bohr."""
    name = unit_name(length_unit or stated or "angstrom")
    if name != "angstrom":
        return (f"positions converted from {name} to angstrom",)
    if length_unit is not None:
        return ()
    notes: tuple[str, ...] = ()
    if stated is None:
        notes = ("positions taken to be in angstrom: no length unit was stated",)
    nearest = _shortest(structures)
    if nearest > _TOO_FAR:
        notes += (
            f"shortest distance {nearest:.2f} angstrom in molecules with hydrogen: if the "
            'positions are in bohr, say --length-unit bohr, in Python length_unit="bohr"',
        )
    return notes


def _shortest(structures: Structures) -> float:
    """Shortest distance in the first molecules with hydrogen; 0 if there are none."""
    best = np.inf
    for numbers, positions in structures[:100]:
        if 1 in numbers and 1 < len(numbers) <= 500:
            difference = positions[:, None] - positions
            squares = (difference**2).sum(axis=-1)
            best = min(best, float(squares[~np.eye(len(numbers), dtype=bool)].min()))
    return float(np.sqrt(best)) if np.isfinite(best) else 0.0


def _dataset(
    path: Path,
    structures: Structures,
    targets: dict[str, npt.NDArray[np.float64]],
    units: dict[str, str],
    notes: tuple[str, ...],
    length: str = "angstrom",
) -> Dataset:
    energy = units.get("energy", UNKNOWN)
    if "forces" in targets and (energy, length) != (UNKNOWN, "angstrom"):
        units = units | {"forces": f"{energy}/{length}"}
    return Dataset(
        name=path.stem,
        structures=structures,
        targets=targets,
        units=units,
        citation="",
        source=str(path),
        notes=notes,
    )


def read_ase(path: Path, length_unit: str | None = None) -> Dataset:
    """Extended XYZ, an ASE database, or any other file that ASE reads.

    Parameters
    ----------
    path : Path
    length_unit : str, optional
        Unit of the positions, if the file does not keep to ASE's Å.

    Returns
    -------
    Dataset
        Positions in Å. Targets are the single numbers in every frame's ``info``,
        its calculator's results, or a database row's key-value pairs and data; NaN where a frame
        lacks one. Words without a value in a comment line are none.
        Units from a database's ``_property_unit_dict`` (SchNetPack), else
        ``"unknown"``: ASE's own unit of energy is eV, but files often hold others.

    Raises
    ------
    ValueError
        If ASE can not read the file, it holds no structures, or they or the length unit are
        wrong; names the file.
    """
    is_database = path.suffix == ".db"
    ase = needed("ase.db" if is_database else "ase.io", f"reading {path.name}")
    units: dict[str, str] = {}
    frames: list[Any]
    try:
        if is_database:
            frames, values, units = _database(ase.connect(path))
        else:
            frames = list(ase.read(path, index=":"))
            values = [_frame_values(frame) for frame in frames]
    except Exception as error:  # ASE's readers raise whatever their parsing runs into.
        what = f"{type(error).__name__}: {error}"
        raise bad_file(path, f"ASE can not read it (truncated?): {what}") from error
    if not frames:
        raise bad_file(path, "holds no structures")
    try:
        structures = _rescaled(Structures.from_ase(frames), length_unit)
    except (TypeError, ValueError) as error:
        raise bad_file(path, str(error)) from error
    rows = [_scalars(found) for found in values]
    names = dict.fromkeys(name for row in rows for name in row)
    targets = {}
    for name in names:
        column = [row.get(name, np.nan) for row in rows]
        targets[name] = np.array(column, dtype=np.float64)
    forces = [f for f in map(_frame_forces, frames) if f is not None]
    if len(forces) == len(frames):
        targets["forces"] = np.concatenate(forces).astype(np.float64)
    known = {name: unit_name(units[name]) for name in targets if units.get(name)}
    stated = length_unit or "angstrom"  # ASE's own.
    notes = _length_notes(structures, length_unit, stated)
    units = dict.fromkeys(targets, UNKNOWN) | known
    dataset = _dataset(path, structures, targets, units, notes, unit_name(stated))
    bare = any(_is_number(str(name)) for frame in frames for name in frame.info)
    in_comments = path.suffix.lower() in (".xyz", ".extxyz") and (bare or not targets)
    unused = {"comment": _COMMENT} if in_comments else {}
    for name, why in _texts(values).items():
        if ALIASES.get(name, name) not in targets:
            unused[name] = why
    return dataset.replace(unused=unused)


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True


def _rescaled(structures: Structures, length_unit: str | None) -> Structures:
    if length_unit is None:
        return structures
    factor = length_factor(length_unit)
    cells = None if structures.cells is None else structures.cells * factor
    return Structures(
        structures.numbers, structures.positions * factor, structures.offsets, cells, structures.pbc
    )


def _frame_values(frame: Any) -> dict[str, Any]:
    results = getattr(frame.calc, "results", {}) if frame.calc is not None else {}
    merged = {**frame.info, **results}
    if "energy" in merged:
        merged.pop("free_energy", None)  # ASE writes it beside the energy.
    return merged


def _scalars(values: dict[str, Any]) -> dict[str, float]:
    scalars = {}
    for name, value in values.items():
        if isinstance(value, str | bytes | dict) or value is None or _is_number(name):
            continue
        array = np.asarray(value)
        if array.size == 1 and array.dtype.kind in "fiu":  # A word without a value is True.
            scalars[ALIASES.get(name, name)] = float(array.reshape(-1)[0])
    return scalars


def _texts(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Names of texts, and why they are no targets."""
    found: dict[str, str] = {}
    for row in rows:
        for name, value in row.items():
            if isinstance(value, str):
                found.setdefault(name, _is_text(name, [value[:40]]))
    return found


def _frame_forces(frame: Any) -> npt.NDArray[Any] | None:
    if frame.calc is not None and "forces" in frame.calc.results:
        return np.asarray(frame.calc.results["forces"])
    if "forces" in frame.arrays:
        return np.asarray(frame.arrays["forces"])
    return None


def _database(connection: Any) -> tuple[list[Any], list[dict[str, Any]], dict[str, str]]:
    frames, rows = [], []
    with connection as database:
        units = dict(database.metadata.get("_property_unit_dict", {}))
        for row in database.select():
            frame = row.toatoms()
            frames.append(frame)
            rows.append({**_frame_values(frame), **row.key_value_pairs, **row.data})
    return frames, rows, {str(k): str(v) for k, v in units.items()}
