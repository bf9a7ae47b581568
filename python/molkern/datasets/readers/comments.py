"""What the comment lines of XYZ frames say: properties, cells, periodicity, units."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern.datasets.cells import cells_of_parameters
from molkern.datasets.contents import Column, Contents
from molkern.datasets.named_units import is_unit
from molkern.datasets.names import KINDS, PBC, is_energy_name
from molkern.datasets.readers.comment_cells import (
    cell_key,
    cells_of,
    check_other_cells,
    periodicity_of,
    vectors_apart,
)
from molkern.datasets.readers.comment_items import NUMBER, WORD, Items
from molkern.datasets.spellings import ENERGIES_BY_NAME
from molkern.datasets.stated import agreed, unit_words_of

__all__ = ["LEADING", "XYZ_ATOMS", "add_comments"]

Array = npt.NDArray[Any]

XYZ_ATOMS = "columns of the atoms"  # source of positions in XYZ
LEADING = "comment"  # name of the number that begins every comment line
_MOST_KEYS = 200
_MOST_UNITS = 4  # in a list after a word such as "units:"
_ELEMENTS = ("H", "U")  # in a formula such as "C 1 H 4", no enthalpies
_NAMES_OF_UNITS = {*ENERGIES_BY_NAME, "bohr", "bohrs", "nm"}
# How i-PI writes cells, and how many numbers follow.
_IPI = {"CELL(abcABC)": 6, "CELL(H)": 9, "CELL(GENH)": 9}


def add_comments(contents: Contents, found: dict[str, Any]) -> None:
    """Columns, cells, periodicity and words of the comment lines.

    Raises
    ------
    ValueError
        For a cell or a periodicity that cannot be understood, or two values under one key; names
        the line.
    """
    items = Items(found)
    named = dict(items.named())
    _add_units_of_words(contents, items)
    _add_ipi(contents, items, named)
    _rename_bracketed(items, named)
    lower = {key.lower(): key for key in named}
    periodic = next((lower[name] for name in PBC if name in lower), None)
    cell = cell_key(items, named) if contents.cells is None else None
    if cell is not None:
        rows = items.once(cell, named.pop(cell))
        contents.cells = cells_of(items, cell, rows)
        contents.sources["cell"] = cell
        check_other_cells(contents.cells, items, cell, named)
    elif contents.cells is None:
        apart = vectors_apart(items, named)
        if isinstance(apart, str):
            contents.notes += [apart] if apart else []
        else:
            contents.sources["cell"], contents.cells = apart
    if periodic is not None:
        rows = items.once(periodic, named.pop(periodic))
        contents.pbc = periodicity_of(items, periodic, rows)
        contents.sources["pbc"] = periodic
        # Extended XYZ: a frame with a cell is periodic unless it says otherwise.
        said = np.zeros(len(contents), dtype=bool)
        said[items.frame[rows]] = True
        if contents.cells is not None:
            contents.pbc[~said] = contents.cells[~said].any(axis=2)
    for key in [key for key in named if key.lower() in ("properties", *KINDS)]:
        rows = named.pop(key)
        if key.lower() in KINDS:
            contents.kinds = _kinds(items, rows)
    _add_leading_number(contents, items)
    _add_spoken_energies(contents, items, named)
    # The keys of most frames first: a file may have a key of its own in each frame.
    kept = sorted(named, key=lambda key: -len(named[key]))[:_MOST_KEYS]
    for key in named:
        rows = items.once(key, named[key])
        if unit_words_of(key) is not None and not items.count[rows].any():
            contents.words[key] = agreed(key, items.said(rows), contents.name_of)
            continue
        text = _only_text(items, rows)
        if text is not None:
            contents.words[key] = text
        if key not in kept:
            contents.unused.setdefault(key, f"{key}: one of more than {_MOST_KEYS} keys, not read")
            continue
        more = items.more_after(rows)
        if len(more):
            contents.notes.append(
                f"{items.where(int(more[0]))}: numbers follow {key} without a key, and are not "
                f'read; a list needs quotes, {key}="..."'
            )
        column = items.column(rows, contents.name_of)
        if isinstance(column, Column):
            contents.columns.setdefault(key, column)
        else:
            contents.unused[key] = f"{key}: {column}"
    _mention_units(contents, items)


def _add_units_of_words(contents: Contents, items: Items) -> None:
    """Units that follow a word: "units: hartree, bohr"; i-PI's "positions{angstrom}"."""
    for k, key in enumerate(items.keys):
        braces = re.fullmatch(r"(\w+)\{(\w+)\}", key)
        name = f"{braces[1]}_unit" if braces else key.rstrip(":")
        if unit_words_of(name) is None or not len(items.words(k)):
            continue
        texts = [""] * items.n_frames
        for row in items.words(k).tolist():
            found = [braces[2]] if braces else items.units_after(row, _MOST_UNITS)
            texts[int(items.frame[row])] = ", ".join(found)
        if any(texts):
            contents.words.setdefault(name, agreed(name, texts, contents.name_of))


def _add_ipi(contents: Contents, items: Items, named: dict[str, Array]) -> None:
    """Cells as i-PI writes them: a word, and then numbers without one."""
    for key, count in _IPI.items():
        if key not in named:
            continue
        rows = items.once(key, named.pop(key))
        each = rows[:, None] + np.arange(count)
        inside = each.max(axis=1) < len(items.frame)
        each[~inside] = rows[0]
        right = (items.kind[each] == NUMBER) & (items.frame[each] == items.frame[rows][:, None])
        bad = ~(right.all(axis=1) & inside)
        if bad.any():
            raise ValueError(f"{items.where(int(rows[bad][0]))}: {key}: expected {count} numbers")
        values = items.numbers[items.value[each]]
        contents.cells = np.zeros((items.n_frames, 3, 3))
        # Of a matrix, the vectors are the columns.
        matrices = values.reshape(-1, 3, 3).transpose(0, 2, 1) if count == 9 else None
        contents.cells[items.frame[rows]] = (
            cells_of_parameters(values) if matrices is None else matrices
        )
        contents.sources["cell"] = key


def _rename_bracketed(items: Items, named: dict[str, Array]) -> None:
    """A unit in brackets belongs to the word before it: "Energy (Ha): -76.4"."""
    for key in list(named):
        if not re.fullmatch(r"[(\[].+[)\]]", key) or not is_unit(key[1:-1]):
            continue
        before = named[key] - 1
        same = (before >= 0) & (items.frame[before] == items.frame[named[key]])
        words = np.unique(items.key[before[same & (items.kind[before] == WORD)]])
        if same.all() and len(words) == 1:
            named[f"{items.keys[int(words[0])]} {key}"] = named.pop(key)


def _mention_units(contents: Contents, items: Items) -> None:
    """A note on a word that is a unit, but stands after no value."""
    used = {column.stated.unit for column in contents.columns.values() if column.stated}
    for k, key in enumerate(items.keys):
        if len(key) > 1 and key.lower() in _NAMES_OF_UNITS and key not in used:
            words = items.words(k)
            if len(words):
                contents.notes.append(
                    f"{items.where(words[0])} has the word {key!r}, which is not taken for a "
                    "unit: it stands after no value; --unit and --length-unit say units, in Python "
                    "unit= and length_unit="
                )


def _only_text(items: Items, rows: Array) -> str | None:
    """The text that every frame has under a key, or None."""
    if len(rows) < items.n_frames or items.count[rows].any():
        return None
    return items.text(rows[0]) if (items.value[rows] == items.value[rows[0]]).all() else None


def _kinds(items: Items, rows: Array) -> Array:
    kinds = np.full(items.n_frames, "", dtype=object)
    for row in rows:
        kinds[items.frame[row]] = items.text(row) if items.count[row] == 0 else ""
    return kinds


def _add_leading_number(contents: Contents, items: Items) -> None:
    """The number that begins every comment line, as ORCA and CREST write the energy."""
    first = np.flatnonzero(np.diff(items.frame, prepend=-1))
    if not len(first):
        return
    leads = (items.kind[first] == NUMBER) & np.array(
        [not items.keys[k] for k in items.key[first].tolist()], dtype=bool
    )
    if leads.sum() < len(contents):
        return
    values = items.numbers[items.value[first]]
    unit = items.unit_after(first, contents.name_of)
    contents.columns[LEADING] = Column.of(values, stated=unit)
    contents.sources[LEADING] = "the number that begins every comment line"


def _add_spoken_energies(contents: Contents, items: Items, named: dict[str, Array]) -> None:
    """Words such as E that a number follows: "Coordinates from ORCA-job water E -76.26"."""
    spoken = [
        k
        for k, key in enumerate(items.keys)
        if is_energy_name(key) and key not in (*_ELEMENTS, *named) and len(items.words(k))
    ]
    for k in spoken:
        rows = items.words(k)
        rows = rows[rows + 1 < len(items.frame)]
        rows = rows[(items.frame[rows + 1] == items.frame[rows])]
        rows = rows[(items.kind[rows + 1] == NUMBER)] + 1
        rows = rows[[not items.keys[key] for key in items.key[rows].tolist()]]
        if len(rows) and len(np.unique(items.frame[rows])) == len(rows):
            column = items.column(rows, contents.name_of)
            if isinstance(column, Column):
                contents.columns[items.keys[k]] = column
