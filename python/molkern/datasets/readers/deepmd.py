"""Folders of DeePMD-kit: ``type.raw``, ``type_map.raw``, ``set.*/coord.npy`` and labels."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern.datasets.contents import Column, Contents
from molkern.datasets.files import bad_file, in_a_line
from molkern.datasets.limits import Limit
from molkern.elements import numbers_of

__all__ = ["advice", "deepmd_files", "is_deepmd", "read_deepmd"]

Array = npt.NDArray[Any]

_NOT_LABELS = ("coord", "box", "real_atom_types", "type")
_TYPES = "type.raw: numbers of types, without type_map.raw that says which elements they are"


def is_deepmd(folder: Path) -> bool:
    """Whether a folder is a system of DeePMD-kit, or holds such folders."""
    return bool(_systems(folder))


def advice(folder: Path) -> str:
    """What to do with a folder that is a part of DeePMD-kit's; empty for any other."""
    if (folder / "coord.npy").is_file():
        return (
            "a set of DeePMD-kit without the elements of its atoms: give the folder above it, the "
            "one with type.raw"
        )
    system = next((path.parent for path in folder.rglob("type.raw")), None)
    if system is None or next(folder.rglob("*.xyz"), None) is not None:
        return ""
    if any(system.glob("*.raw")) and (system / "coord.raw").is_file():
        return (
            "text files of DeePMD-kit (*.raw) without the arrays that are read, set.*/coord.npy: "
            "make them with raw_to_set.sh of DeePMD-kit, or with dpdata"
        )
    return "type.raw of DeePMD-kit, but no set.*/coord.npy beside it"


def _systems(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.rglob("type.raw") if _sets(path.parent))


def _sets(system: Path) -> list[Path]:
    return sorted(path.parent for path in system.glob("set.*/coord.npy"))


def deepmd_files(folder: Path) -> list[Path]:
    """Every file that is read, in a fixed order."""
    files = []
    for system in _systems(folder):
        files += [system / name for name in ("type.raw", "type_map.raw", "nopbc")]
        files += [file for part in _sets(system) for file in sorted(part.glob("*.npy"))]
    return [file for file in files if file.is_file()]


def read_deepmd(folder: Path, limit: Limit) -> Contents:
    """All systems in a folder, one after another.

    Raises
    ------
    ValueError
        For files that do not go together; names the file.
    """
    systems = [_System(system, limit) for system in _systems(folder)]
    mapped = [system.map is not None for system in systems]
    if any(mapped) and not all(mapped):
        raise bad_file(
            systems[mapped.index(False)].folder,
            "has no type_map.raw, but other systems have: expected it in all or in none",
        )
    sizes = [system.coordinates.shape[0] for system in systems]
    atoms = [np.full(n, system.n_atoms) for n, system in zip(sizes, systems, strict=True)]
    offsets = np.concatenate(([0], np.cumsum(np.concatenate(atoms))))
    whole = Contents(
        np.concatenate([system.numbers for system in systems]),
        np.concatenate([s.coordinates.reshape(-1, 3) for s in systems], dtype=np.float64),
        offsets,
        sources={"positions": "coord.npy", "numbers": "type.raw"},
        types=_TYPES if any(system.map is None for system in systems) else "",
        notes=["DeePMD-kit's own units are eV and angstrom"],
    )
    _add_cells(whole, systems, sizes)
    names = dict.fromkeys(name for system in systems for name in system.labels)
    for name in names:
        _add_column(whole, name, systems, sizes)
    first = np.cumsum([0, *sizes])

    def name_of(k: int) -> str:
        which = int(np.searchsorted(first, k, side="right")) - 1
        system = systems[which].folder
        inside = "" if system == folder else f"{system.relative_to(folder)}, "
        return f"structure {k} ({inside}frame {k - int(first[which])})"

    whole.name_of = name_of
    return whole


class _System:
    """Arrays of one folder."""

    def __init__(self, folder: Path, limit: Limit) -> None:
        self.folder, self._limit = folder, limit
        self.map = self._type_map()
        types = self._types()
        self.n_atoms = len(types)
        self.coordinates = self._whole("coord")
        n = len(self.coordinates)
        if self.coordinates.size != n * self.n_atoms * 3:
            raise bad_file(
                folder,
                f"coord.npy has shape {self.coordinates.shape}, expected three numbers for each of "
                f"{self.n_atoms} atoms in type.raw",
            )
        chosen = np.tile(types, n)
        if "real_atom_types" in self._names():
            chosen = self._whole("real_atom_types").astype(np.int64).reshape(-1)
            if (chosen == -1).any():
                raise bad_file(
                    folder,
                    "real_atom_types.npy: -1 fills up smaller structures, which is not read; save "
                    "systems of one size each",
                )
            if chosen.size != n * self.n_atoms:
                raise bad_file(
                    folder,
                    f"real_atom_types.npy: expected {n} rows of {self.n_atoms} types, found "
                    f"{chosen.size} numbers",
                )
        if self.map is None:
            self.numbers = chosen + 1  # types from 1
        else:
            if chosen.size and not 0 <= chosen.min() <= chosen.max() < len(self.map):
                raise bad_file(
                    folder, f"type.raw: expected types below {len(self.map)}, found {chosen.max()}"
                )
            self.numbers = self.map[chosen]
        self.labels = [name for name in self._names() if name not in _NOT_LABELS]
        self.periodic = not (folder / "nopbc").exists()
        self.box = self._box(n) if "box" in self._names() else None

    def _names(self) -> list[str]:
        """Arrays that one of the sets has."""
        files = (file for part in _sets(self.folder) for file in sorted(part.glob("*.npy")))
        return list(dict.fromkeys(file.stem for file in files))

    def _box(self, n: int) -> Array:
        box = self._whole("box")
        if box.size != 9 * n:
            raise bad_file(
                self.folder, f"box.npy has shape {box.shape}, expected nine numbers for each frame"
            )
        return box.reshape(n, 3, 3)

    def _types(self) -> Array:
        file = self.folder / "type.raw"
        try:
            return np.loadtxt(file, dtype=np.int64, ndmin=1).reshape(-1)
        except ValueError as error:
            raise bad_file(file, f"expected an integer for each atom: {error}") from error

    def _type_map(self) -> Array | None:
        file = self.folder / "type_map.raw"
        if not file.is_file():
            return None
        try:
            return np.array(numbers_of(file.read_text(encoding="utf-8").split()), dtype=np.int64)
        except ValueError as error:
            raise bad_file(file, str(error)) from error

    def _parts(self, name: str) -> list[Array | None]:
        """An array of each set; None where a set lacks it."""
        parts: list[Array | None] = []
        for part in _sets(self.folder):
            file = part / f"{name}.npy"
            if not file.exists():
                parts.append(None)
                continue
            try:
                self._limit.take(file.stat().st_size, file.name)
                values = np.load(file, allow_pickle=False)
            except (OSError, ValueError, EOFError) as error:
                raise bad_file(file, f"not a readable array: {in_a_line(error)}") from error
            parts.append(np.asarray(values))
        return parts

    def _whole(self, name: str) -> Array:
        """An array that all sets have, one after another."""
        parts = self._parts(name)
        for part, values in zip(_sets(self.folder), parts, strict=True):
            if values is None:
                raise bad_file(
                    self.folder, f"{part.name} has no {name}.npy, but other sets have: expected all"
                )
        return self._joined(name, [values for values in parts if values is not None])

    def _joined(self, name: str, parts: list[Array]) -> Array:
        try:
            return np.concatenate(parts)
        except ValueError as error:
            raise bad_file(self.folder, f"{name}.npy: {error}") from error

    def label(self, name: str) -> tuple[Array, int]:
        """A label of all frames, NaN where a set lacks it; and for how many frames that is."""
        parts = self._parts(name)
        known = next(values for values in parts if values is not None)
        if all(values is not None for values in parts):
            return self._joined(name, [values for values in parts if values is not None]), 0
        filled, missing = [], 0
        for values, size in zip(parts, self._sizes(), strict=True):
            if values is None:
                values = np.full((size, *known.shape[1:]), np.nan)
                missing += size
            filled.append(values)
        return self._joined(name, filled), missing

    def _sizes(self) -> list[int]:
        """Frames of each set."""
        return [
            len(np.load(part / "coord.npy", mmap_mode="r", allow_pickle=False))
            for part in _sets(self.folder)
        ]


def _add_cells(whole: Contents, systems: list[_System], sizes: list[int]) -> None:
    used = [system.periodic and system.box is not None for system in systems]
    if any(used):
        zero = [np.zeros((n, 3, 3)) for n in sizes]
        boxes = [
            zero[k] if not u or system.box is None else system.box
            for k, (system, u) in enumerate(zip(systems, used, strict=True))
        ]
        whole.cells, whole.sources["cell"] = np.concatenate(boxes), "box.npy"
        whole.pbc = np.repeat(np.array(used)[:, None], 3, axis=1).repeat(sizes, axis=0)
        whole.sources["pbc"] = "no file nopbc"
    elif any(system.box is not None for system in systems):
        whole.notes.append("box.npy is not used: the file nopbc says that nothing is periodic")
    bare = [s.folder for s in systems if s.periodic and s.box is None]
    if bare:
        whole.notes.append(
            f"neither box.npy nor nopbc in {bare[0].name}{' and others' * (len(bare) > 1)}: taken "
            "as not periodic"
        )


def _add_column(whole: Contents, name: str, systems: list[_System], sizes: list[int]) -> None:
    parts, n_missing = [], 0
    for system, n in zip(systems, sizes, strict=True):
        values, lacking = system.label(name) if name in system.labels else (None, n)
        n_missing += lacking
        if values is not None and len(values) != n:
            raise bad_file(system.folder, f"{name}.npy: expected {n} rows, found {values.shape}")
        parts.append(values)
    widths = {v.size // max(len(v), 1) for v in parts if v is not None}
    of_atoms = all(
        v is None or v.size == n * s.n_atoms * 3
        for v, n, s in zip(parts, sizes, systems, strict=True)
    )
    if name.startswith("atom_"):
        whole.unused[name] = f"{name}: values of each atom, which are not used"
        return
    is_force = name == "force" and of_atoms
    if not is_force and len(widths) != 1:
        whole.unused[name] = f"{name}: the systems have different shapes of it"
        return
    if n_missing:
        whole.notes.append(f"{name}.npy: missing for {n_missing} frames, whose sets lack it")
    filled = []
    for values, n, system in zip(parts, sizes, systems, strict=True):
        shape = (n * system.n_atoms, 3) if is_force else (n, next(iter(widths)))
        filled.append(np.full(shape, np.nan) if values is None else values.reshape(shape))
    joined = np.concatenate(filled, dtype=np.float64)
    if not is_force and joined.shape[1] == 1:
        joined = joined[:, 0]
    whole.columns[name] = Column(
        joined.shape, partial(np.asarray, joined), per_atom=is_force, n_missing=n_missing
    )
