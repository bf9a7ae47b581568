"""Geometries in named arrays: packed, padded, trajectories, or a molecule in each row."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern._arrays import joined_ranges
from molkern.datasets.contents import Column, Contents, Stated
from molkern.datasets.names import (
    CELLS,
    COUNTS,
    NUMBERS,
    OFFSETS,
    PBC,
    POSITIONS,
    TYPES,
    is_energy_name,
    is_forces_name,
    is_gradient_name,
)
from molkern.elements import numbers_of

__all__ = ["LAYOUTS", "Header", "Missing", "contents_of"]

LAYOUTS = "packed (numbers, positions, offsets), padded (Z, R) or trajectory (z, R)"

Array = npt.NDArray[Any]

_BY_MOLECULE = {"mol_index", "mol_offsets", "mol_z"}


class Missing(ValueError):
    """Arrays without positions: they hold no structures."""


@dataclasses.dataclass(frozen=True)
class Header:
    """An array that is read when it is needed."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    read: Callable[[], Array]
    stated: Stated | None = None

    @property
    def is_number(self) -> bool:
        """Whether it holds real numbers."""
        return self.dtype.kind in "fiu"

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))


@dataclasses.dataclass(frozen=True)
class _Geometry:
    """Atoms of all structures, and where in padded arrays they are."""

    numbers: Array
    positions: Array
    offsets: Array
    mask: Array | None = None  # (n_structures, size) where padded
    size: int | None = None  # atoms of each structure where all have as many

    @property
    def n_structures(self) -> int:
        return len(self.offsets) - 1

    def forces(self, header: Header) -> Callable[[], Array] | None:
        """How three numbers for each atom are brought into packed order; None if they are not."""
        shape, n_atoms = header.shape, len(self.numbers)
        if self.mask is not None:
            mask = self.mask
            fits = shape == (*mask.shape, 3)
            return (lambda: header.read()[mask]) if fits else None
        flat = self.size is not None and shape == (self.n_structures, 3 * self.size)
        if header.size != 3 * n_atoms or not (flat or shape[-1] == 3):
            return None
        return lambda: header.read().reshape(-1, 3)

    def is_of_atoms(self, shape: tuple[int, ...]) -> bool:
        """Whether an array has values for each atom, in the way of this layout."""
        if self.mask is not None:
            return len(shape) > 2 and shape[:2] == self.mask.shape
        if self.size is not None:
            return len(shape) > 2 and shape[:2] == (self.n_structures, self.size)
        return shape[:1] == (len(self.numbers),) and len(self.numbers) != self.n_structures


def contents_of(arrays: Mapping[str, Header], *, alone: bool = False) -> Contents:
    """Structures and columns of named arrays.

    Parameters
    ----------
    arrays : mapping of str to Header
    alone : bool, default=False
        Whether numbers (n,) and positions (n, 3) without offsets are one structure.

    Returns
    -------
    Contents

    Raises
    ------
    Missing
        If there are no positions.
    ValueError
        For positions without numbers, and shapes that do not go together; lists the arrays.
    """
    lower = {name.lower(): name for name in arrays}
    key_r = _positions_key(arrays, lower)
    positions = arrays[key_r].read()
    if _BY_MOLECULE <= lower.keys():
        key_z, types = lower["mol_z"], False
        numbers = _of_conformers(arrays, lower)
    else:
        key_z, types = _numbers_key(arrays, lower, key_r)
        numbers = _as_numbers(key_z, arrays[key_z].read())
    splitting: dict[str, str] = {}
    geometry = _geometry(arrays, lower, numbers, positions, splitting, alone)
    contents = Contents(geometry.numbers, geometry.positions, geometry.offsets)
    contents.sources = {"positions": key_r, "numbers": key_z, **splitting}
    contents.length = arrays[key_r].stated
    if contents.length is None and key_r.lower() in ("r_bohr", "r_angstrom"):
        contents.length = Stated(key_r.lower()[2:], f"name {key_r}")
    if types:
        contents.types = f"{key_z}: numbers of types, without the elements that they stand for"
    _add_cells(contents, arrays, lower)
    taken = {key_r, key_z, *contents.sources.values()}
    rest = {name: header for name, header in arrays.items() if name not in taken}
    _add_columns(contents, rest, geometry)
    return contents


def _found(arrays: Mapping[str, Header]) -> str:
    listed = [f"{name} {header.shape}" for name, header in list(arrays.items())[:20]]
    more = f", ... ({len(arrays) - 20} more)" if len(arrays) > 20 else ""
    return "found " + (", ".join(listed) or "no arrays") + more


def _positions_key(arrays: Mapping[str, Header], lower: Mapping[str, str]) -> str:
    for name in POSITIONS:
        header = arrays.get(lower.get(name, ""))
        if header is not None and header.is_number and len(header.shape) in (2, 3):
            return lower[name]
    # Three numbers for each atom of each structure, and nothing else that could be meant.
    shaped = [
        name
        for name, header in arrays.items()
        if len(header.shape) == 3
        and header.shape[2] == 3
        and header.dtype.kind == "f"
        and not (is_forces_name(name) or is_gradient_name(name))
        and name.lower() not in CELLS
    ]
    if len(shaped) == 1:
        return shaped[0]
    named = next((lower[name] for name in POSITIONS if name in lower), None)
    if named is not None:
        kind = arrays[named].dtype
        raise ValueError(
            f"{named}: expected numbers of shape (n_atoms, 3) or (n_structures, n_atoms, 3), found "
            f"type {kind}; {_found(arrays)}"
        )
    raise Missing(f"no array of positions; expected {LAYOUTS} arrays; {_found(arrays)}")


def _numbers_key(
    arrays: Mapping[str, Header], lower: Mapping[str, str], key_r: str
) -> tuple[str, bool]:
    """Name of the array of numbers, and whether these are types."""
    first = arrays[key_r].shape[:2]
    for names, types in ((NUMBERS, False), (TYPES, True)):
        for name in names:
            header = arrays.get(lower.get(name, ""))
            if header is None or len(header.shape) not in (1, 2):
                continue
            fits = header.shape[0] in first
            named = fits or name not in ("charges", "species", *TYPES)
            if header.dtype.kind in "iuSUO" or (header.dtype.kind == "f" and named):
                return lower[name], types
    raise ValueError(
        f"no array of atomic numbers beside {key_r}; expected {LAYOUTS} arrays; {_found(arrays)}"
    )


def _of_conformers(arrays: Mapping[str, Header], lower: Mapping[str, str]) -> Array:
    """Numbers of all atoms from those of each molecule, and the molecule of each conformer."""
    molecule, first, each = (
        arrays[lower[name]].read().reshape(-1).astype(np.int64)
        for name in ("mol_index", "mol_offsets", "mol_z")
    )
    if molecule.size and not 0 <= molecule.min() <= molecule.max() < len(first) - 1:
        raise ValueError(f"mol_index: {molecule.max()} for {len(first) - 1} molecules")
    if not len(first) or first[0] != 0 or first[-1] != len(each) or (np.diff(first) < 0).any():
        raise ValueError(f"mol_offsets: expected to rise from 0 to {len(each)}")
    numbers: Array = each[joined_ranges(first[molecule], np.diff(first)[molecule])]
    return numbers


def _as_numbers(name: str, values: Array) -> Array:
    """Integers; symbols become atomic numbers, an empty one and -1 mean no atom."""
    if values.dtype.kind == "f":
        if not (np.isfinite(values) & (values == np.floor(values))).all():
            raise ValueError(f"{name}: numbers: expected integers, found {values.dtype}")
        values = values.astype(np.int64)
    if values.dtype.kind in "iu":
        return values.astype(np.int64)
    flat = values.reshape(-1)
    if values.dtype.kind == "O" and not all(isinstance(x, (str, bytes)) for x in flat.tolist()):
        raise ValueError(f"{name}: expected integers or symbols, found Python objects")
    texts = np.array(
        [x.decode("latin-1") if isinstance(x, bytes) else str(x) for x in flat.tolist()], dtype=str
    )
    known, which = np.unique(texts, return_inverse=True)
    codes = [numbers_of([text.strip()])[0] if text.strip() else 0 for text in known.tolist()]
    return np.array(codes, dtype=np.int64)[which.reshape(values.shape)]


def _geometry(
    arrays: Mapping[str, Header],
    lower: Mapping[str, str],
    numbers: Array,
    positions: Array,
    splitting: dict[str, str],
    alone: bool,
) -> _Geometry:
    """The layout that the shapes tell; ``splitting`` gets the name of offsets or counts."""
    shapes = f"numbers of shape {numbers.shape} and positions of shape {positions.shape}"
    if positions.ndim == 2 and positions.shape[1] != 3 and positions.shape[1] % 3 == 0:
        positions = positions.reshape(len(positions), -1, 3)  # DeePMD-kit's
    if positions.shape[-1] != 3:
        raise ValueError(f"{shapes}: expected positions with three numbers for each atom")
    if numbers.ndim == 1 and positions.ndim == 3:
        if positions.shape[1] != len(numbers):
            raise ValueError(
                f"{len(numbers)} numbers need positions of shape (n_frames, {len(numbers)}, 3), "
                f"found {positions.shape}"
            )
        n, size = positions.shape[:2]
        flat = positions.reshape(-1, 3)
        return _Geometry(np.tile(numbers, n), flat, np.arange(n + 1) * size, size=size)
    if numbers.ndim == 2 and positions.ndim == 3:
        if numbers.shape != positions.shape[:2]:
            raise ValueError(
                f"numbers of shape {numbers.shape} need positions of shape "
                f"{(*numbers.shape, 3)}, found {positions.shape}"
            )
        mask = (numbers != 0) & (numbers != -1)
        ends = np.cumsum(mask.sum(axis=1))
        return _Geometry(numbers[mask], positions[mask], np.concatenate(([0], ends)), mask=mask)
    if numbers.ndim == 1 and positions.ndim == 2:
        offsets = _offsets(arrays, lower, len(numbers), splitting)
        if offsets is None and alone:
            offsets = np.array([0, len(numbers)])
        if offsets is not None:
            return _Geometry(numbers, positions, offsets)
    raise ValueError(
        f"{shapes} are neither packed (with offsets, or counts of atoms), padded nor a "
        f"trajectory; {_found(arrays)}"
    )


def _offsets(
    arrays: Mapping[str, Header], lower: Mapping[str, str], n_atoms: int, splitting: dict[str, str]
) -> Array | None:
    """First atoms of packed structures: given, or from counts that add up to the atoms."""
    for name in OFFSETS:
        header = arrays.get(lower.get(name, ""))
        if header is not None and len(header.shape) == 1:
            splitting["offsets"] = lower[name]
            offsets = header.read()
            if not len(offsets) or offsets[0] != 0 or offsets[-1] != n_atoms:
                ends = f"{offsets[0]} to {offsets[-1]}" if len(offsets) else "none"
                raise ValueError(
                    f"{lower[name]}: expected to run from 0 to {n_atoms} (atoms), found {ends}"
                )
            return offsets
    for name in COUNTS:
        header = arrays.get(lower.get(name, ""))
        if header is not None and len(header.shape) == 1 and header.dtype.kind in "iu":
            counts = header.read().astype(np.int64)
            if len(counts) and counts.min() >= 0 and counts.sum() == n_atoms:
                splitting["offsets"] = lower[name]
                return np.concatenate(([0], np.cumsum(counts)))
    return None


def _add_cells(contents: Contents, arrays: Mapping[str, Header], lower: Mapping[str, str]) -> None:
    """Cells and periodicity; one for all structures or one for each."""
    n = len(contents)
    key = next((lower[name] for name in CELLS if name in lower), None)
    if key is not None:
        contents.sources["cell"] = key
        contents.cells = _cells(key, arrays[key], n)
    key = next((lower[name] for name in PBC if name in lower), None)
    if key is None:
        return
    contents.sources["pbc"] = key
    header = arrays[key]
    values = header.read()
    numbers = header.is_number and bool(np.isin(values, (0, 1)).all())
    if header.dtype.kind != "b" and not numbers:
        raise ValueError(f"{key}: expected booleans, found type {header.dtype}")
    # Three values are those of the three vectors, also where there are three structures.
    shapes = {(n,): (n, 1), (n, 1): (n, 1), (n, 3): (n, 3), (): (1, 1), (1,): (1, 1), (3,): (1, 3)}
    if values.shape not in shapes:
        raise ValueError(
            f"{key}: expected shape (3,) or ({n}, 3) for {n} structures, found {values.shape}"
        )
    contents.pbc = np.broadcast_to(values.astype(bool).reshape(shapes[values.shape]), (n, 3)).copy()


def _cells(key: str, header: Header, n: int) -> Array:
    shape = header.shape
    if not header.is_number:
        raise ValueError(f"{key}: expected numbers, found type {header.dtype}")
    values = header.read().astype(np.float64)
    if shape in ((3, 3), (9,), (1, 3, 3), (1, 9)):
        return np.broadcast_to(values.reshape(1, 3, 3), (n, 3, 3)).copy()
    if shape in ((n, 3, 3), (n, 9)):
        return values.reshape(n, 3, 3)
    if shape in ((3,), (n, 3)):
        cells = np.zeros((n, 3, 3))
        cells[:, range(3), range(3)] = values
        return cells
    raise ValueError(
        f"{key}: expected cells of shape (3, 3) or ({n}, 3, 3) for {n} structures, found {shape}"
    )


def _add_columns(contents: Contents, arrays: Mapping[str, Header], geometry: _Geometry) -> None:
    n = geometry.n_structures
    for name, header in arrays.items():
        if header.shape == () or name.lower() in (*COUNTS, *OFFSETS):
            _add_word(contents, name, header)
        elif header.dtype.kind in "SUO":
            contents.unused[name] = f"{name}: expected numbers, found text{_example(header)}"
        elif header.dtype.kind == "b":
            contents.unused[name] = f"{name}: expected numbers, found type bool"
        elif not header.is_number:
            contents.unused[name] = f"{name}: expected numbers, found type {header.dtype}"
        else:
            _add_numbers(contents, name, header, geometry, n)


def _add_numbers(
    contents: Contents, name: str, header: Header, geometry: _Geometry, n: int
) -> None:
    if is_forces_name(name) or is_gradient_name(name):
        read = geometry.forces(header)
        n_atoms = len(geometry.numbers)
        if read is None:
            raise ValueError(
                f"{name}: expected forces of {n_atoms} atoms, found shape {header.shape}"
            )
        contents.columns[name] = Column((n_atoms, 3), read, per_atom=True, stated=header.stated)
    elif geometry.is_of_atoms(header.shape):
        contents.unused[name] = f"{name}: shape {header.shape}, for each atom; not used"
    elif header.shape[0] == n:
        shape = (n,) if header.size == n else header.shape
        contents.columns[name] = Column(shape, _reshaped(header, shape), stated=header.stated)
    elif is_energy_name(name):
        raise ValueError(f"{name}: expected {n} values, found shape {header.shape}")
    else:
        contents.unused[name] = f"{name}: expected {n} rows, found shape {header.shape}"


def _reshaped(header: Header, shape: tuple[int, ...]) -> Callable[[], Array]:
    return lambda: header.read().reshape(shape)


def _add_word(contents: Contents, name: str, header: Header) -> None:
    """A single value: a text of the whole file, or a number that belongs to no structure."""
    if header.shape == () and header.dtype.kind in "SU":
        value = header.read().reshape(-1)[0]
        contents.words[name] = value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _example(header: Header) -> str:
    if header.dtype.kind == "O" or not header.size:
        return ""
    first = header.read().reshape(-1)[:1].tolist()[0]
    text = first.decode("latin-1") if isinstance(first, bytes) else str(first)
    return f" such as {text[:40]!r}"
