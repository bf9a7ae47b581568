"""Structures of a file: its elements, lengths and cells, and what was decided about them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern.datasets.contents import DUMMY, ISOTOPES, Contents, Stated
from molkern.datasets.dataset import Decision
from molkern.datasets.files import bad_file
from molkern.datasets.stated import same_unit
from molkern.datasets.units import length_factor, length_unit
from molkern.elements import SYMBOLS, numbers_of, symbol_of
from molkern.structures import Structures

__all__ = ["Geometry", "geometry_of"]

Array = npt.NDArray[Any]

AS_NUMBERS = "numbers"  # what --species says where numbers are atomic numbers and no types
_TOO_FAR = 1.4  # Å. No molecule with hydrogen has its shortest distance above; in bohr, most do.


@dataclasses.dataclass
class Geometry:
    """Structures in Å, the atoms of the file that are theirs, and what a reader should know."""

    structures: Structures
    atoms: Array | None  # mask of the atoms kept; None: all
    length: str  # the file's unit
    decisions: list[Decision]
    notes: list[str]


def geometry_of(
    path: Path,
    contents: Contents,
    *,
    length: str | None,
    stated_length: Stated | None,
    stated_cell: Stated | None = None,
    species: Sequence[str | int] | None,
    skip_dummies: bool,
) -> Geometry:
    """Structures of what a reader found.

    Parameters
    ----------
    path : Path
        For messages.
    contents : Contents
    length : str, optional
        The user's word on the unit of length.
    stated_length, stated_cell : Stated, optional
        The file's, for all of it: of positions, and of cells alone.
    species : sequence of str or int, optional
        Elements of the types 1, 2, ... (0, 1, ... if the file has a type 0); ``["numbers"]``: they
        are atomic numbers.
    skip_dummies : bool
        Whether dummy atoms are left out.

    Raises
    ------
    ValueError
        For types without elements, dummy atoms, a unit that is no length, or cells that do not fit;
        names the file and the structure.
    """
    made = Geometry(Structures.from_arrays([]), None, "angstrom", [], [])
    numbers = _elements(path, contents, species, made)
    numbers = _without_isotopes(numbers, made)
    positions, offsets = contents.positions, contents.offsets
    dummies = numbers == DUMMY
    if dummies.any():
        if not skip_dummies:
            raise _dummy_error(path, contents, dummies)
        made.atoms = ~dummies
        made.notes.append(f"{int(dummies.sum())} dummy atoms left out")
        offsets = np.concatenate(([0], np.cumsum(~dummies)))[offsets]
        numbers, positions = numbers[made.atoms], positions[made.atoms]
    _check_numbers(path, contents, numbers, offsets)
    factor = _length(path, contents, length, stated_length, made)
    positions = np.asarray(positions, dtype=np.float64)
    positions = positions if factor == 1.0 else positions * factor
    cells = contents.cells
    if cells is not None:
        of_cells = _cell_length(path, contents.cell_length or stated_cell, factor, made)
        cells = cells if of_cells == 1.0 else cells * of_cells
        if contents.fractional and of_cells != factor:
            positions = positions * (of_cells / factor)
    pbc = _periodicity(path, contents, cells, made)
    try:
        made.structures = Structures(numbers, positions, offsets, cells, pbc)
    except (TypeError, ValueError) as error:
        raise bad_file(path, _placed(str(error), contents)) from error
    _add_bohr_hint(contents, length, stated_length, made)
    return made


def _elements(
    path: Path, contents: Contents, species: Sequence[str | int] | None, made: Geometry
) -> Array:
    numbers = contents.numbers
    source = contents.sources.get("numbers", "")
    if not contents.types:
        if species is not None:
            raise bad_file(path, "species: the file names its elements; leave out --species")
        if source:
            made.decisions.append(Decision("elements", source, ""))
        return numbers
    if species is None:
        raise bad_file(
            path,
            f"{contents.types}; say which elements they are: --species Si,O for the types 1 and 2 "
            f"(or 0 and 1), or --species {AS_NUMBERS} if they are atomic numbers (in Python "
            f'species=["Si", "O"], species=["{AS_NUMBERS}"])',
        )
    if list(species) == [AS_NUMBERS]:
        made.decisions.append(Decision("elements", source, "atomic numbers, as said by the user"))
        return numbers
    try:
        elements = np.array([0, *numbers_of(species)], dtype=np.int64)
    except (TypeError, ValueError) as error:
        raise bad_file(path, f"--species: {error}") from error
    first = 0 if len(numbers) and numbers.min() == 0 else 1
    elements = elements[1 - first :]
    outside = (numbers < first) | (numbers >= len(elements))
    if outside.any():
        atom = int(outside.argmax())
        raise bad_file(
            path,
            f"species: {contents.name_of(_structure(contents, atom))} has type {numbers[atom]}, "
            f"expected {first} to {len(elements) - 1} as there are elements in --species",
        )
    named = ", ".join(f"{k} {symbol_of(int(elements[k]))}" for k in range(first, len(elements)))
    made.decisions.append(Decision("elements", source, f"types {named}, as said by the user"))
    return elements[numbers]


def _check_numbers(path: Path, contents: Contents, numbers: Array, offsets: Array) -> None:
    outside = (numbers < 1) | (numbers >= len(SYMBOLS))
    if outside.any():
        atom = int(outside.argmax())
        structure = int(np.searchsorted(offsets, atom, side="right")) - 1
        raise bad_file(
            path,
            f"{contents.sources.get('numbers', 'numbers')}: {contents.name_of(structure)} has the "
            f"atomic number {numbers[atom]}, expected 1 to {len(SYMBOLS) - 1}",
        )


def _without_isotopes(numbers: Array, made: Geometry) -> Array:
    for symbol, code in ISOTOPES.items():
        found = numbers == code
        if found.any():
            numbers = np.where(found, 1, numbers)
            made.notes.append(f"{int(found.sum())} atoms of {symbol} taken for hydrogen")
    return numbers


def _structure(contents: Contents, atom: int) -> int:
    return int(np.searchsorted(contents.offsets, atom, side="right")) - 1


def _dummy_error(path: Path, contents: Contents, dummies: Array) -> ValueError:
    atom = int(dummies.argmax())
    structure = _structure(contents, atom)
    return bad_file(
        path,
        f"{contents.name_of(structure)}: atom {atom - int(contents.offsets[structure])} is a dummy "
        f"atom, no element (X, Du, number 0 or the like; {int(dummies.sum())} in the file); "
        "--skip-dummies leaves them out, in Python skip_dummies=True",
    )


def _length(
    path: Path, contents: Contents, said: str | None, stated: Stated | None, made: Geometry
) -> float:
    """Å per unit of the file's positions."""
    own = contents.length
    if own and stated and own.source.startswith("name ") and not same_unit(own.unit, stated.unit):
        raise bad_file(
            path,
            f"unit of positions: {own.source} ({own.unit}) and {stated.source} do not agree; "
            "expected one of them",
        )
    stated = own or stated
    source = contents.sources.get("positions", "positions")
    if said is not None:
        name, words = said, "as said by the user"
        factor = length_factor(said)
        if stated is not None and length_unit(stated.unit) != length_unit(said):
            words += f"; the file states {stated.unit}"
    elif stated is not None:
        name, words = stated.unit, f"by {stated.source}"
        factor = _factor(path, stated)
    elif contents.usual_length:
        name, factor, words = contents.usual_length, 1.0, "as usual in this format"
    else:
        name, factor, words = "angstrom", 1.0, "not stated"
        made.notes.append(
            "positions taken to be in angstrom: no length unit was stated; --length-unit states "
            "another"
        )
    made.length = length_unit(name) or name
    if made.length != "angstrom":
        made.notes.append(f"positions converted from {made.length} to angstrom")
    made.decisions.append(Decision("positions", source, f"{made.length}, {words}"))
    return factor


def _factor(path: Path, stated: Stated) -> float:
    """Å per unit that the file states."""
    name = length_unit(stated.unit)
    if name is None:
        raise bad_file(
            path,
            f"length unit: {stated.source} states {stated.unit!r}, which is not known here; "
            "say which one it is with --length-unit, in Python length_unit=",
        )
    return length_factor(name)


def _cell_length(path: Path, stated: Stated | None, of_positions: float, made: Geometry) -> float:
    """Å per unit of the cells; cells without a unit of their own have the unit of positions."""
    if stated is None:
        return of_positions
    factor = _factor(path, stated)
    if factor != of_positions:
        made.notes.append(f"cells are in {length_unit(stated.unit)}, by {stated.source}")
    return factor


def _periodicity(
    path: Path, contents: Contents, cells: Array | None, made: Geometry
) -> Array | None:
    pbc = contents.pbc
    if cells is not None and not cells.any():
        cells = None
    if cells is None:
        if pbc is not None and pbc.any():
            first = int(pbc.any(axis=1).argmax())
            raise bad_file(
                path, f"pbc: {contents.name_of(first)} is periodic, but the file has no cell for it"
            )
        return None if contents.cells is None else np.zeros((len(contents), 3), dtype=bool)
    source = contents.sources.get("cell", "cell")
    words = f"periodicity by {contents.sources.get('pbc', 'pbc')}"
    if pbc is None:
        # Who stores a cell means it: extended XYZ and sGDML have no other sign of periodicity.
        words = "periodic along its vectors: the file does not say otherwise"
    found: Array = np.asarray(cells.any(axis=2)) if pbc is None else pbc
    periodic = int(found.any(axis=1).sum())
    words += f"; {periodic} of {len(contents)} structures are periodic"
    made.decisions.append(Decision("cell", source, words))
    return found


def _placed(message: str, contents: Contents) -> str:
    """A message on a structure with its place in the file."""
    words = message.rstrip(".").split("structure ")
    number = words[-1].split()[0].rstrip(",:;") if len(words) > 1 and words[-1] else ""
    if number.isdecimal() and int(number) < len(contents):
        place = contents.name_of(int(number))
        return message if place == f"structure {number}" else f"{message} ({place})"
    return message


def _add_bohr_hint(
    contents: Contents, said: str | None, stated: Stated | None, made: Geometry
) -> None:
    if said is not None or stated is not None or contents.length is not None:
        return
    nearest = _shortest(made.structures)
    if nearest > _TOO_FAR:
        made.notes.append(
            f"shortest distance {nearest:.2f} angstrom in molecules with hydrogen: if the "
            'positions are in bohr, say --length-unit bohr, in Python length_unit="bohr"'
        )


def _shortest(structures: Structures) -> float:
    """Shortest distance in the first molecules with hydrogen; 0 if there are none."""
    best = np.inf
    for numbers, positions in structures[:100]:
        if 1 in numbers and 1 < len(numbers) <= 500:
            difference = positions[:, None] - positions
            squares = (difference**2).sum(axis=-1)
            best = min(best, float(squares[~np.eye(len(numbers), dtype=bool)].min()))
    return float(np.sqrt(best)) if np.isfinite(best) else 0.0
