"""Geometries in named arrays: packed, padded, trajectories, or a molecule in each row."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern._arrays import joined_ranges
from molkern.datasets.cells import add_cells, length_of, multiply_by_cells
from molkern.datasets.contents import Column, Contents
from molkern.datasets.headers import (
    Header,
    by_lower_case,
    example,
    found_words,
    is_statement,
    numbers_key,
    positions_key,
    texts_of,
)
from molkern.datasets.names import (
    COUNTS,
    INDICES,
    OFFSETS,
    is_energy_name,
    is_forces_name,
    is_fractional_name,
    is_gradient_name,
    is_mask_name,
    is_of_atoms_name,
    is_of_structure_name,
    is_plain_forces_name,
    words_of,
)
from molkern.datasets.symbols import code_of

__all__ = ["contents_of"]

Array = npt.NDArray[Any]

_NO_ATOM = -1
_BY_MOLECULE = {"mol_index", "mol_offsets", "mol_z"}
# Names under which numbers of types are as usual as atomic numbers.
_MAYBE_TYPES = ("species", "elements", "element", "kinds", "symbols")


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
            fits = shape in ((*mask.shape, 3), (len(mask), 3 * mask.shape[1]))
            return (lambda: header.read().reshape(*mask.shape, 3)[mask]) if fits else None
        shapes: list[tuple[int, ...]] = [(n_atoms, 3), (self.n_structures, 3 * (self.size or 0))]
        if self.size is not None or self.n_structures == 1:
            shapes.append((self.n_structures, n_atoms // max(self.n_structures, 1), 3))
        if header.size != 3 * n_atoms or shape not in shapes:
            return None
        return lambda: header.read().reshape(-1, 3)

    def is_of_atoms(self, name: str, shape: tuple[int, ...]) -> bool:
        """Whether an array has values for each atom, in the way of this layout."""
        if is_of_structure_name(name):
            return False
        each = (self.n_structures, self.size) if self.mask is None else self.mask.shape
        if self.size is not None or self.mask is not None:
            return shape[:2] == each and (len(shape) > 2 or is_of_atoms_name(name))
        n_atoms, n = len(self.numbers), self.n_structures
        return shape[:1] == (n_atoms,) and (n_atoms != n or is_of_atoms_name(name))


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
    lower = by_lower_case(arrays)
    key_r, note = positions_key(arrays, lower)
    positions = arrays[key_r].read()
    if _BY_MOLECULE <= lower.keys():
        key_z, types = lower["mol_z"], False
        numbers = _of_conformers(arrays, lower)
    else:
        key_z, types = numbers_key(arrays, lower, key_r, guessed=bool(note))
        numbers = _as_numbers(key_z, arrays[key_z].read())
    types = types or _are_types(key_z, arrays[key_z], numbers)
    splitting: dict[str, str] = {}
    symbols = arrays[key_z].dtype.kind in "SUO"
    geometry = _geometry(arrays, lower, numbers, positions, splitting, alone, types, symbols)
    contents = Contents(geometry.numbers, geometry.positions, geometry.offsets)
    contents.sources = {"positions": key_r, "numbers": key_z, **splitting}
    contents.length = arrays[key_r].stated or length_of(key_r)
    contents.notes += [note] if note else []
    if types:
        contents.types = f"{key_z}: numbers of types, without the elements that they stand for"
    add_cells(contents, arrays, lower)
    if is_fractional_name(key_r):
        multiply_by_cells(contents, key_r)
    taken = {key_r, key_z, *contents.sources.values()}
    rest = {name: header for name, header in arrays.items() if name not in taken}
    _add_columns(contents, rest, geometry, alone)
    return contents


def _are_types(name: str, header: Header, numbers: Array) -> bool:
    """Whether integers are types: atomic numbers leave elements out, and 0 is none of them."""
    if header.dtype.kind not in "iuf" or not numbers.size:
        return False
    known = np.unique(numbers)
    if known[0] == -1 and 0 in known:
        return True  # one of them is padding, the other is a type
    known = known[known > 0] if numbers.ndim == 2 else known
    if name.lower() not in _MAYBE_TYPES or not known.size:
        return False
    # No molecule consists of hydrogen, helium and lithium, or of nothing.
    count = len(known)
    return bool(known[0] == 0 or (count > 1 and np.array_equal(known, np.arange(1, count + 1))))


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
    codes = [code_of(text) if text.strip() else _NO_ATOM for text in known.tolist()]
    return np.array(codes, dtype=np.int64)[which.reshape(values.shape)]


def _is_atom(numbers: Array, positions: Array, types: bool, symbols: bool) -> Array:
    """Which entries of padded arrays are atoms: all but those that fill up the ends of rows.

    A number 0 before another atom is a dummy atom, and a symbol X always is one.
    """
    padding: Array = numbers == _NO_ATOM
    if not padding.any() and not symbols:
        padding = numbers == 0
        # Types may begin at 0: then these atoms stand somewhere.
        if types and padding.any() and (np.nan_to_num(positions[padding]) != 0).any():
            padding = np.zeros(numbers.shape, dtype=bool)
    after = np.cumsum(~padding[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(after > 0)


def _geometry(
    arrays: Mapping[str, Header],
    lower: Mapping[str, str],
    numbers: Array,
    positions: Array,
    splitting: dict[str, str],
    alone: bool,
    types: bool,
    symbols: bool,
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
        mask = _is_atom(numbers, positions, types, symbols)
        _check_counts(arrays, lower, mask.sum(axis=1))
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
        f"trajectory; {found_words(arrays)}"
    )


def _offsets(
    arrays: Mapping[str, Header], lower: Mapping[str, str], n_atoms: int, splitting: dict[str, str]
) -> Array | None:
    """First atoms of packed structures: given, or from counts that add up to the atoms."""
    for name in OFFSETS:
        header = arrays.get(lower.get(name, ""))
        if header is not None and len(header.shape) == 1:
            splitting["offsets"] = lower[name]
            offsets = header.read().astype(np.int64)
            if not len(offsets) or offsets[0] != 0 or offsets[-1] != n_atoms:
                ends = f"{offsets[0]} to {offsets[-1]}" if len(offsets) else "none"
                raise ValueError(
                    f"{lower[name]}: expected to run from 0 to {n_atoms} (atoms), found {ends}"
                )
            falls = np.flatnonzero(np.diff(offsets) < 0)
            if len(falls):
                k = int(falls[0])
                raise ValueError(
                    f"{lower[name]}: expected to rise, found {offsets[k + 1]} after {offsets[k]} "
                    f"(structure {k})"
                )
            return offsets
    for name in COUNTS:
        counts = _counts(arrays, lower, name)
        if counts is not None and counts.min() >= 0 and counts.sum() == n_atoms:
            splitting["offsets"] = lower[name]
            return np.concatenate(([0], np.cumsum(counts)))
    for name in INDICES:
        index = _counts(arrays, lower, name)
        if index is not None and len(index) == n_atoms:
            steps = np.diff(index)
            if ((steps == 0) | (steps == 1)).all():
                splitting["offsets"] = lower[name]
                return np.concatenate(([0], np.flatnonzero(steps) + 1, [n_atoms]))
    return None


def _counts(arrays: Mapping[str, Header], lower: Mapping[str, str], name: str) -> Array | None:
    """Integers in a row under a name, or None."""
    header = arrays.get(lower.get(name, ""))
    if header is None or not header.is_number or not header.size:
        return None
    if len(header.shape) != 1 and header.shape != (header.size, 1):
        return None
    values = header.read().reshape(-1)
    whole = values.astype(np.int64)
    return whole if (whole == values).all() else None


def _check_counts(arrays: Mapping[str, Header], lower: Mapping[str, str], found: Array) -> None:
    """Raise where counts of atoms contradict the atoms of padded arrays."""
    for name in COUNTS:
        counts = _counts(arrays, lower, name)
        if counts is not None and len(counts) == len(found) and (counts != found).any():
            k = int(np.argmax(counts != found))
            raise ValueError(
                f"{lower[name]}: structure {k} has {counts[k]} atoms by it, but {found[k]} without "
                "padding"
            )


def _add_columns(
    contents: Contents, arrays: Mapping[str, Header], geometry: _Geometry, alone: bool
) -> None:
    single = alone and geometry.n_structures == 1
    for name, header in arrays.items():
        if name.lower() in (*COUNTS, *OFFSETS, *INDICES) and header.dtype.kind in "iuf":
            continue
        if _is_checked_mask(name, header, geometry):
            contents.unused[name] = f"{name}: a mask that says no more than the other arrays"
            continue
        if is_statement(name, header):
            contents.words[name] = texts_of(header)
        elif header.dtype.kind in "SUO":
            contents.unused[name] = f"{name}: expected numbers, found text{example(header)}"
        elif header.dtype.kind == "b":
            contents.unused[name] = f"{name}: expected numbers, found type bool"
        elif not header.is_number:
            contents.unused[name] = f"{name}: expected numbers, found type {header.dtype}"
        elif single and header.shape[:1] != (1,) and not _is_row_of_atoms(name, header, geometry):
            shape = (1,) if header.shape == () else (1, *header.shape)
            contents.columns[name] = Column(shape, _reshaped(header, shape), stated=header.stated)
        elif header.shape == ():
            contents.unused[name] = f"{name}: a single number, which belongs to no structure"
        else:
            _add_numbers(contents, name, header, geometry)


def _is_checked_mask(name: str, header: Header, geometry: _Geometry) -> bool:
    """Whether an array is a mask; raises for one that says more than the padding does."""
    if not is_mask_name(name) or header.dtype.kind not in "biuf" or len(header.shape) not in (1, 2):
        return False
    values = header.read()
    if not np.isin(values, (0, 1)).all():
        return False
    flags = values.astype(bool)
    same = (flags == flags.reshape(-1)[:1]).all()
    if geometry.mask is not None and flags.shape == geometry.mask.shape:
        if (flags != geometry.mask).any() and (flags != ~geometry.mask).any():
            raise ValueError(
                f"{name}: names other atoms than the padding of the numbers does; set the numbers "
                "of what is no atom to 0"
            )
    elif flags.shape[0] == geometry.n_structures and header.size == len(flags) and not same:
        raise ValueError(
            f"{name}: masks of structures are not read; leave out the structures, or set missing "
            f"labels to NaN, and leave out {name}"
        )
    return True


def _is_row_of_atoms(name: str, header: Header, geometry: _Geometry) -> bool:
    """Whether an array of a structure alone has a row for each of its atoms."""
    if header.shape == () or is_of_structure_name(name):
        return False
    return header.shape[0] == len(geometry.numbers)


def _add_numbers(contents: Contents, name: str, header: Header, geometry: _Geometry) -> None:
    n, n_atoms = geometry.n_structures, len(geometry.numbers)
    read = None
    if is_forces_name(name) or is_gradient_name(name):
        read = geometry.forces(header) if is_plain_forces_name(name) or header.size > n else None
        if read is None and is_plain_forces_name(name) and "total" not in words_of(name):
            raise ValueError(
                f"{name}: expected forces of {n_atoms} atoms, found shape {header.shape}"
            )
    if read is not None:
        contents.columns[name] = Column((n_atoms, 3), read, per_atom=True, stated=header.stated)
    elif geometry.is_of_atoms(name, header.shape):
        contents.unused[name] = f"{name}: shape {header.shape}, for each atom; not used"
    elif header.shape[0] == n or header.shape == (1, n):
        shape = (n,) if header.size == n else header.shape
        contents.columns[name] = Column(shape, _reshaped(header, shape), stated=header.stated)
    elif is_energy_name(name) and header.shape[0] != n_atoms:
        raise ValueError(f"{name}: expected {n} values, found shape {header.shape}")
    else:
        contents.unused[name] = f"{name}: expected {n} rows, found shape {header.shape}"


def _reshaped(header: Header, shape: tuple[int, ...]) -> Callable[[], Array]:
    return lambda: header.read().reshape(shape)
