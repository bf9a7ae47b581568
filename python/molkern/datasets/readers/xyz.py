"""Extended and plain XYZ, by the compiled parser; what the comment lines say."""

from __future__ import annotations

import codecs
import dataclasses
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern import _core
from molkern.datasets.contents import Column, Contents
from molkern.datasets.files import bad_file
from molkern.datasets.limits import Limit
from molkern.datasets.names import is_forces_name, is_gradient_name
from molkern.datasets.readers.comment_items import decoded
from molkern.datasets.readers.comments import XYZ_ATOMS, add_comments
from molkern.datasets.readers.pieces import Progress, as_utf8, pieces
from molkern.datasets.symbols import CODES

__all__ = ["read_xyz", "read_xyz_files"]

Found = dict[str, Any]

_SKIPPED, _SYMBOL, _NUMBER, _POSITION, _KEPT = range(5)
_SYMBOLS = ("species", "symbol", "symbols", "element", "elements", "specie")
_NUMBERS = ("z", "numbers", "atomic_numbers", "atomic_number")
_TYPES = ("type", "types", "atom_type", "atom_types")  # OVITO's and LAMMPS's
_POSITIONS = ("pos", "position", "positions", "coords", "coordinates", "r")
_MOST_LAYOUTS = 1000
_PLAIN = ((_SYMBOL, 1, 0), (_POSITION, 3, 0))


@dataclasses.dataclass
class _Layouts:
    """Columns of the atoms that files have, and which of them are kept."""

    kept: list[str] = dataclasses.field(default_factory=list)
    held: list[dict[str, int]] = dataclasses.field(default_factory=list)
    unused: dict[str, str] = dataclasses.field(default_factory=dict)
    typed: list[str] = dataclasses.field(default_factory=list)  # columns of types; empty: elements

    def add(self, properties: bytes) -> list[tuple[int, int, int]]:
        """The columns that a text after Properties= describes, for the parser."""
        if len(self.held) >= _MOST_LAYOUTS:
            raise ValueError(f"more than {_MOST_LAYOUTS} different Properties in one file")
        self.held.append({})
        self.typed.append("")
        if not properties:
            return list(_PLAIN)
        words = decoded(properties).strip().split(":")
        groups = list(zip(words[::3], words[1::3], words[2::3], strict=False))
        if len(words) % 3 or not all(w.isdecimal() and 0 < int(w) < 10**6 for *_, w in groups):
            raise ValueError(
                "Properties: expected name:type:columns for each, such as species:S:1:pos:R:3, "
                f"found {':'.join(words)[:80]!r}"
            )
        names = {name.lower() for name, *_ in groups}
        types = [name for name in _TYPES if name in names][:1]
        if types and not names & {*_SYMBOLS, *_NUMBERS}:
            self.typed[-1] = types[0]
        columns = [self._column(name, kind, int(width)) for name, kind, width in groups]
        roles = [role for role, *_ in columns]
        if roles.count(_POSITION) != 1 or not {_SYMBOL, _NUMBER} & set(roles):
            raise ValueError(
                "Properties: expected the symbols and three columns of positions, such as "
                f"species:S:1:pos:R:3, found {':'.join(words)[:80]!r}"
            )
        return columns

    def _column(self, name: str, kind: str, width: int) -> tuple[int, int, int]:
        key = name.lower()
        if key in _SYMBOLS and width == 1:
            return _SYMBOL, 1, 0
        if key in _NUMBERS and width == 1 and kind == "I":
            return _NUMBER, 1, 0
        if key == self.typed[-1] and width == 1 and kind == "I":
            return _NUMBER, 1, 0
        if key in _POSITIONS and width == 3:
            return _POSITION, 3, 0
        if width == 3 and kind == "R" and (is_forces_name(name) or is_gradient_name(name)):
            if name not in self.kept:
                self.kept.append(name)
            self.held[-1][name] = self.kept.index(name)
            return _KEPT, width, self.kept.index(name)
        numbers = "a number" if width == 1 else f"{width} numbers"
        self.unused.setdefault(name, f"{name}: {numbers} for each atom, which is not used")
        return _SKIPPED, width, 0


class _Reader:
    """The parser with the layouts that it asks for, over one file or several."""

    def __init__(self, limit: Limit) -> None:
        self.parser, self.layouts = _core.XyzParser(list(CODES.items())), _Layouts()
        self.limit = limit
        self.first_frames: list[int] = []

    def read(self, path: Path, name: str, parts: Iterator[bytes]) -> None:
        """One file, whose errors name it."""
        self.first_frames.append(self.parser.n_frames)
        try:
            for part in as_utf8(parts):
                self._known(self.parser.feed(part))
                self.limit.require(self.parser.bytes, "what it holds")
            self._known(self.parser.finish())
        except (ValueError, EOFError, OSError) as error:
            where = "" if name == path.name else f"{name}: "
            raise bad_file(path, f"{where}{error}") from error

    def _known(self, missing: bytes | None) -> None:
        while missing is not None:
            try:
                columns = self.layouts.add(missing)
            except ValueError as error:
                frame = self.parser.n_frames - 1 - self.first_frames[-1]
                where = f"line {self.parser.n_lines + 1} (frame {frame})"
                raise ValueError(f"{where}: {error}") from error
            self.parser.add_layout(missing, columns)
            missing = self.parser.feed(b"")


def read_xyz(path: Path, limit: Limit, progress: Progress | None = None) -> Contents:
    """A file of XYZ frames, compressed or not.

    Raises
    ------
    ValueError
        Names the file, the line and the frame.
    """
    return read_xyz_files(path, [(path.name, pieces(path, progress))], limit)


def read_xyz_files(
    path: Path, files: Iterator[tuple[str, Iterator[bytes]]] | Sequence[Any], limit: Limit
) -> Contents:
    """Frames of several files that belong together, in their order.

    Parameters
    ----------
    path : Path
        The file, folder or archive.
    files : iterable of (name, pieces of text)
    limit : Limit
    """
    reader, names = _Reader(limit), []
    for name, parts in files:
        reader.read(path, name, parts)
        names.append(name)
    found = reader.parser.results()
    if len(found["offsets"]) == 1:
        raise bad_file(path, "holds no structures")
    first = np.array(reader.first_frames)
    contents = _contents(path, found, reader.layouts)
    several = len(names) > 1

    def name_of(k: int) -> str:
        file = int(np.searchsorted(first, k, side="right")) - 1
        where = f"frame {k - int(first[file])} (line {int(found['lines'][k])})"
        return f"{names[file]}, {where}" if several else where

    contents.name_of = name_of
    try:
        _add_types(contents, found, reader.layouts)
        add_comments(contents, found)
    except ValueError as error:
        raise bad_file(path, str(error)) from error
    if several:
        owners = np.searchsorted(first, np.arange(len(contents)), side="right") - 1
        contents.titles = [names[k] for k in owners.tolist()]
    return contents


def _contents(path: Path, found: Found, layouts: _Layouts) -> Contents:
    """Atoms and forces; what the comments say is added later."""
    codes = found["codes"].astype(np.int64)
    contents = Contents(
        codes,
        found["positions"],
        found["offsets"],
        sources={"positions": XYZ_ATOMS},
        usual_length="angstrom",
        unused=dict(layouts.unused),
    )
    for name in layouts.kept:
        contents.columns[name] = _kept(found, layouts, name)
    if found["n_longer_lines"]:
        contents.notes.append(
            f"{found['n_longer_lines']} lines of atoms have more columns than were expected, which "
            "are not read"
        )
    return contents


def _add_types(contents: Contents, found: Found, layouts: _Layouts) -> None:
    """Where numbers stand in the place of elements: of types, or in the column of symbols."""
    numbered = contents.numbers < 0
    typed = np.array([bool(name) for name in layouts.typed])[found["layouts"]]
    if typed.any():
        if not typed.all():
            known, unknown = (contents.name_of(int(np.argmax(typed == t))) for t in (False, True))
            raise ValueError(
                f"{known} names elements, {unknown} types of atoms; expected one of them"
            )
        name = next(filter(None, layouts.typed))
        contents.sources["numbers"] = name
        contents.types = f"the column {name} of the atoms holds types, not elements"
    if numbered.any():
        contents.numbers = np.abs(contents.numbers)
        first = int(np.searchsorted(contents.offsets, int(numbered.argmax()), side="right")) - 1
        line = int(found["lines"][first]) + 2
        contents.types = (
            f"line {line}: the first column holds numbers, which may be types or atomic numbers"
        )


def _kept(found: Found, layouts: _Layouts, name: str) -> Column:
    """Three numbers of each atom; NaN in frames whose atoms do not have them."""
    values = found["kept"][layouts.kept.index(name)].reshape(-1, 3)
    has = np.array([name in held for held in layouts.held])[found["layouts"]]
    sizes = np.diff(found["offsets"])
    if has.all():
        return Column.of(values, per_atom=True)
    whole: npt.NDArray[np.float64] = np.full((int(sizes.sum()), 3), np.nan)
    whole[np.repeat(has, sizes)] = values
    return Column.of(whole, per_atom=True, n_missing=int(sizes[~has].sum()))


def looks_like_xyz(start: bytes) -> bool:
    """Whether a text begins as an XYZ file does: a number of atoms, a comment, an atom.

    Examples
    --------
    >>> looks_like_xyz(b"1\\nhydrogen\\nH 0 0 0\\n"), looks_like_xyz(b"1,2\\n3,4\\n")
    (True, False)
    """
    lines = start.removeprefix(codecs.BOM_UTF8).splitlines()
    lines = lines[next((k for k, line in enumerate(lines) if line.strip()), 0) :]
    if not lines or not re.fullmatch(rb"\s*\d{1,18}\s*", lines[0]):
        return False
    if len(lines) < 3 or int(lines[0]) == 0:
        return True
    return bool(re.match(rb"\s*\S+(\s+\S+){3,}", lines[2])) or b"Properties" in lines[1]
