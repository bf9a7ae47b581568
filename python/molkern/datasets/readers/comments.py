"""What the comment lines of XYZ frames say: properties, cells, periodicity, units."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern.datasets.contents import Column, Contents, Stated
from molkern.datasets.named_units import is_unit
from molkern.datasets.names import CELLS, KINDS, PBC, is_energy_name
from molkern.datasets.spellings import ENERGIES_BY_NAME
from molkern.datasets.stated import agreed, unit_words_of

__all__ = ["LEADING", "XYZ_ATOMS", "add_comments", "decoded"]

Array = npt.NDArray[Any]

_WORD, _NUMBER, _NUMBERS, _TEXT = range(4)  # as in cpp/formats/comment.hpp
XYZ_ATOMS = "columns of the atoms"  # source of positions in XYZ
LEADING = "comment"  # name of the number that begins every comment line
_MOST_KEYS = 200
_MOST_UNITS = 100  # different words after one value that are looked at
_CELLS = ("lattice", *CELLS)
_ELEMENTS = ("H", "U")  # in a formula such as "C 1 H 4", no enthalpies
_TRUE, _FALSE = ("t", "true", "1"), ("f", "false", "0")


def decoded(text: bytes) -> str:
    """Text in UTF-8, or in Latin-1, which every text is in."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")


class _Items:
    """Items of all comment lines, by key."""

    def __init__(self, found: dict[str, Any]) -> None:
        self.n_frames = len(found["offsets"]) - 1
        self.lines = found["lines"]
        self.frame, self.key, self.kind = found["frame"], found["key"], found["kind"]
        self.value, self.count, self.numbers = found["value"], found["count"], found["numbers"]
        self.keys = [decoded(key) for key in found["keys"]]
        self.texts = found["texts"]
        order = np.argsort(self.key, kind="stable")
        ends = np.searchsorted(self.key[order], np.arange(len(self.keys) + 1))
        self._rows = [order[a:b] for a, b in pairwise(ends.tolist())]

    def rows(self, key: int) -> Array:
        """Items of a key that are no words, in the order of frames."""
        rows = self._rows[key]
        found: Array = rows[self.kind[rows] != _WORD]
        return found

    def words(self, key: int) -> Array:
        """Items that are this word, in the order of frames."""
        rows = self._rows[key]
        found: Array = rows[self.kind[rows] == _WORD]
        return found

    def said(self, rows: Array) -> list[str]:
        """The text of each frame; empty where it has none."""
        texts = [""] * self.n_frames
        for frame, value in zip(self.frame[rows].tolist(), self.value[rows].tolist(), strict=True):
            texts[frame] = decoded(self.texts[value])
        return texts

    def unit_after(self, rows: Array, name_of: Callable[[int], str]) -> Stated | None:
        """The unit that follows the values: "E = -76.1 Eh".

        Raises
        ------
        ValueError
            If it differs between frames.
        """
        after = rows + 1
        there = after < len(self.frame)
        there[there] &= self.frame[after[there]] == self.frame[rows[there]]
        there[there] &= self.kind[after[there]] == _WORD
        found = after[there]
        which = np.unique(self.key[found])
        if len(which) > _MOST_UNITS:  # titles
            return None
        units = {int(k): self.keys[k].strip("()[].;") for k in which.tolist()}
        units = {k: text for k, text in units.items() if is_unit(text)}
        if not units:
            return None
        texts = {int(self.frame[row]): units.get(int(self.key[row]), "") for row in found.tolist()}
        frames = self.frame[rows].tolist()
        said = agreed("unit", [texts.get(k, "") for k in frames], lambda k: name_of(int(frames[k])))
        return Stated(said, "the word after it")

    def text(self, row: int) -> str:
        """The text of an item that is one."""
        return decoded(self.texts[int(self.value[row])])

    def named(self) -> Iterator[tuple[str, Array]]:
        """Keys and their items."""
        for k, key in enumerate(self.keys):
            rows = self.rows(k)
            if key and len(rows):
                yield key, rows

    def once(self, key: str, rows: Array) -> Array:
        """Items of different frames; the same said twice counts once.

        Raises
        ------
        ValueError
            If a frame says two things; names the line.
        """
        frames = self.frame[rows]
        again = np.flatnonzero(frames[1:] == frames[:-1])
        for k in again:
            if self._content(rows[k]) != self._content(rows[k + 1]):
                raise ValueError(
                    f"line {int(self.lines[frames[k]]) + 1} (frame {int(frames[k])}): {key}= "
                    "stands there twice, with different values"
                )
        return np.delete(rows, again)

    def _content(self, row: int) -> object:
        if self.count[row] == 0:
            return self.text(row)
        first = int(self.value[row])
        return self.numbers[first : first + int(self.count[row])].tolist()

    def column(self, rows: Array, name_of: Callable[[int], str]) -> Column | str:
        """A column of the items that are numbers, or why there is none."""
        counts = np.unique(self.count[rows])
        width = int(counts[-1])
        if width == 0:
            return f"expected numbers, found text such as {self.text(rows[0])[:40]!r}"
        if len(counts) > 1 and counts[0] > 0:
            return f"expected equally many numbers in each frame, found {counts.tolist()}"
        rows = rows[self.count[rows] > 0]
        shape = (self.n_frames,) if width == 1 else (self.n_frames, width)

        def read() -> Array:
            values = np.full((self.n_frames, width), np.nan)
            values[self.frame[rows]] = self.numbers[self.value[rows][:, None] + np.arange(width)]
            return values.reshape(shape)

        unit = self.unit_after(rows, name_of)
        return Column(shape, read, stated=unit, n_missing=self.n_frames - len(rows))


def add_comments(contents: Contents, found: dict[str, Any]) -> None:
    """Columns, cells, periodicity and words of the comment lines.

    Raises
    ------
    ValueError
        For a cell or a periodicity that cannot be understood, or two values under one key; names
        the line.
    """
    items = _Items(found)
    named = dict(items.named())
    lower = {key.lower(): key for key in named}
    cell = next((lower[name] for name in _CELLS if name in lower), None)
    periodic = next((lower[name] for name in PBC if name in lower), None)
    if cell is not None:
        rows = items.once(cell, named.pop(cell))
        contents.cells = _cells(items, cell, rows)
        contents.sources["cell"] = cell
        _check_other_cells(contents.cells, items, cell, named)
    elif {"a", "b", "c"} <= named.keys():
        contents.notes.append(
            "a, b and c may be lengths of a cell, which are not used: cells are read as three "
            'vectors, Lattice="..."'
        )
    if periodic is not None:
        rows = items.once(periodic, named.pop(periodic))
        contents.pbc = _periodicity(items, periodic, rows)
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
    _add_spoken_energies(contents, items)
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
        column = items.column(rows, contents.name_of)
        if isinstance(column, Column):
            contents.columns.setdefault(key, column)
        else:
            contents.unused[key] = f"{key}: {column}"
    _mention_units(contents, items)


def _mention_units(contents: Contents, items: _Items) -> None:
    """A note on a word that is a unit, but stands after no value."""
    used = {column.stated.unit for column in contents.columns.values() if column.stated}
    for k, key in enumerate(items.keys):
        if len(key) > 1 and key.lower() in ENERGIES_BY_NAME and key not in used:
            words = items.words(k)
            if len(words):
                contents.notes.append(
                    f"{_where(items, words[0])} has the word {key!r}, which is not taken for a "
                    "unit: it stands after no value; say the unit with --unit, in Python unit="
                )


def _check_other_cells(cells: Array, items: _Items, cell: str, named: dict[str, Array]) -> None:
    """Take out cells under other names; raise where they differ."""
    for key in [key for key in named if key.lower() in _CELLS]:
        rows = named[key]
        if not np.isin(items.count[rows], (3, 9)).all():
            continue
        others = _cells(items, key, items.once(key, named.pop(key)))
        differ = (others != cells).any(axis=(1, 2)) & others.any(axis=(1, 2))
        if differ.any():
            where = _where(items, int(rows[items.frame[rows] == int(differ.argmax())][0]))
            raise ValueError(f"{where}: {cell} and {key} are different cells; expected one of them")


def _only_text(items: _Items, rows: Array) -> str | None:
    """The text that every frame has under a key, or None."""
    if len(rows) < items.n_frames or items.count[rows].any():
        return None
    return items.text(rows[0]) if (items.value[rows] == items.value[rows[0]]).all() else None


def _kinds(items: _Items, rows: Array) -> Array:
    kinds = np.full(items.n_frames, "", dtype=object)
    for row in rows:
        kinds[items.frame[row]] = items.text(row) if items.count[row] == 0 else ""
    return kinds


def _where(items: _Items, row: int) -> str:
    frame = int(items.frame[row])
    return f"line {int(items.lines[frame]) + 1} (frame {frame})"


def _cells(items: _Items, key: str, rows: Array) -> Array:
    """Cells of all frames, zero where a frame has none."""
    cells = np.zeros((items.n_frames, 3, 3))
    for count in np.unique(items.count[rows]).tolist():
        part = rows[items.count[rows] == count]
        if count not in (1, 3, 9):
            content = items.text(part[0])[:40] if count == 0 else f"{count} numbers"
            raise ValueError(
                f"{_where(items, part[0])}: {key}: expected the nine numbers of three cell "
                f"vectors, or one or three lengths, found {content!r}"
            )
        values = items.numbers[items.value[part][:, None] + np.arange(count)]
        if count < 9:
            cells[items.frame[part][:, None], range(3), range(3)] = values
        else:
            cells[items.frame[part]] = values.reshape(-1, 3, 3)
    if not np.isfinite(cells).all():
        frame = int(np.argmin(np.isfinite(cells).all(axis=(1, 2))))
        raise ValueError(f"line {int(items.lines[frame]) + 1} (frame {frame}): {key} is not finite")
    return cells


def _periodicity(items: _Items, key: str, rows: Array) -> Array:
    """Periodicity of all frames; False where a frame does not say."""
    pbc = np.zeros((items.n_frames, 3), dtype=bool)
    meaning: dict[tuple[int, ...], list[bool]] = {}
    for row in rows:
        count, first = int(items.count[row]), int(items.value[row])
        known = (0, first) if count == 0 else (1, *items.numbers[first : first + count].tolist())
        if known not in meaning:
            text = items.text(row) if count == 0 else " ".join(f"{x:g}" for x in known[1:])
            flags = text.replace(",", " ").lower().split()
            if len(flags) == 1:
                flags = list(flags[0]) if len(flags[0]) == 3 else flags * 3
            if len(flags) != 3 or not all(flag in _TRUE + _FALSE for flag in flags):
                raise ValueError(
                    f"{_where(items, row)}: {key}: expected three of T and F, found {text[:40]!r}"
                )
            meaning[known] = [flag in _TRUE for flag in flags]
        pbc[items.frame[row]] = meaning[known]
    return pbc


def _add_leading_number(contents: Contents, items: _Items) -> None:
    """The number that begins every comment line, as ORCA and CREST write the energy."""
    first = np.flatnonzero(np.diff(items.frame, prepend=-1))
    if not len(first):
        return
    leads = (items.kind[first] == _NUMBER) & np.array(
        [not items.keys[k] for k in items.key[first].tolist()], dtype=bool
    )
    if leads.sum() < len(contents):
        return
    values = items.numbers[items.value[first]]
    unit = items.unit_after(first, contents.name_of)
    contents.columns[LEADING] = Column.of(values, stated=unit)
    contents.sources[LEADING] = "the number that begins every comment line"


def _add_spoken_energies(contents: Contents, items: _Items) -> None:
    """Words such as E that a number follows: "Coordinates from ORCA-job water E -76.26"."""
    spoken = [
        k
        for k, key in enumerate(items.keys)
        if is_energy_name(key) and key not in _ELEMENTS and len(items.words(k))
    ]
    for k in spoken:
        rows = items.words(k)
        rows = rows[rows + 1 < len(items.frame)]
        rows = rows[(items.frame[rows + 1] == items.frame[rows])]
        rows = rows[(items.kind[rows + 1] == _NUMBER)] + 1
        rows = rows[[not items.keys[key] for key in items.key[rows].tolist()]]
        if len(rows) and len(np.unique(items.frame[rows])) == len(rows):
            column = items.column(rows, contents.name_of)
            if isinstance(column, Column):
                contents.columns[items.keys[k]] = column
