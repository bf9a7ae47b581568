"""SDF: geometries and the fields of their records."""

from __future__ import annotations

import dataclasses
import re
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from molkern.datasets.contents import DUMMY, Column, Contents
from molkern.datasets.files import bad_file
from molkern.datasets.limits import Limit
from molkern.datasets.readers.comment_items import decoded
from molkern.datasets.readers.pieces import Progress, as_utf8, pieces
from molkern.datasets.readers.tables import is_missing, number_of
from molkern.datasets.stated import agreed, unit_words_of
from molkern.datasets.symbols import CODES

__all__ = ["read_sdf_records"]

_FIELD = re.compile(r">.*?<([^>]*)>")
# Groups and unknown atoms of the format are dummy atoms, too.
_CODES = dict.fromkeys(("R", "R#", "A", "Q", "*", "L"), DUMMY) | CODES
_MOST_WIDTH = 9
_LINE_BYTES = 60  # that a short text takes besides its letters


@dataclasses.dataclass
class _Records:
    """Records of a file, packed as they come."""

    numbers: array[int] = dataclasses.field(default_factory=lambda: array("i"))
    positions: array[float] = dataclasses.field(default_factory=lambda: array("d"))
    sizes: list[int] = dataclasses.field(default_factory=list)
    titles: list[str] = dataclasses.field(default_factory=list)
    lines: list[int] = dataclasses.field(default_factory=list)
    fields: dict[str, dict[int, str]] = dataclasses.field(default_factory=dict)
    flat: int = 0  # records in two dimensions
    larger: int = 0  # records of more than three atoms, which may be so
    field_bytes: int = 0  # that the texts of fields take


def read_sdf_records(path: Path, limit: Limit, progress: Progress | None = None) -> Contents:
    """Geometries (V2000 and V3000), and the fields of the records as columns.

    Raises
    ------
    ValueError
        For a damaged record or drawings in two dimensions; names the file and the record.
    """
    records = _Records()
    for begin, lines in _texts(path, limit, progress):
        number = len(records.sizes)
        place = f"record {number + 1} (line {begin})"
        try:
            end = _add(records, lines, begin)
        except (ValueError, IndexError) as error:
            raise bad_file(path, f"{place}: not a V2000 or V3000 record: {error}") from error
        try:
            _add_fields(records, lines[end:])
        except ValueError as error:
            raise bad_file(path, f"{place}: {error}") from error
        limit.require(16 * len(records.positions) + records.field_bytes, "what it holds")
    if not records.sizes:
        raise bad_file(path, "no molecules found; expected records that end with $$$$")
    if records.flat and records.flat == records.larger:
        raise bad_file(
            path, "holds drawings in two dimensions (z is 0 everywhere), no geometries; embed them "
            "first: molkern data build molecules --smiles makes geometries of SMILES"
        )  # fmt: skip
    contents = Contents(
        np.frombuffer(records.numbers, np.intc).astype(np.int64),
        np.frombuffer(records.positions).reshape(-1, 3),
        np.concatenate(([0], np.cumsum(records.sizes))),
        sources={"positions": "atom blocks"},
        usual_length="angstrom",
    )
    contents.name_of = lambda k: f"record {k + 1} (line {records.lines[k]})"
    contents.titles = records.titles
    for name, values in records.fields.items():
        try:
            _add_field(contents, name, values)
        except ValueError as error:
            raise bad_file(path, str(error)) from error
    if not contents.columns:
        contents.unused["labels"] = (
            "labels of SDF stand in fields of the records (> <energy>), or in a table beside the "
            f"file ({path.name}.csv) that calls the records by their titles"
        )
    return contents


def _texts(path: Path, limit: Limit, progress: Progress | None) -> Iterator[tuple[int, list[str]]]:
    """Lines of each record, and the number of its first one."""
    rest, line, begin, size = b"", 1, 1, 0
    record: list[str] = []
    for part in as_utf8(pieces(path, progress)):
        limit.require(2 * (len(rest) + len(part)), "a line")
        lines = (rest + part).split(b"\n")
        rest = lines.pop()
        for raw in lines:
            line += 1
            text = decoded(raw).rstrip("\r")
            if text.rstrip() == "$$$$":
                yield begin, record
                begin, record, size = line, [], 0
                continue
            record.append(text)
            size += len(text) + _LINE_BYTES
            if len(record) % 1000 == 0:
                limit.require(size, f"the record that begins in line {begin}")
    if decoded(rest).strip() == "$$$$":
        yield begin, record
        return
    record.append(decoded(rest))
    written = [text.strip() for text in record if text.strip()]
    if not written:
        return
    if begin > 1 or written[-1] != "M  END":  # the one record of a .mol
        raise bad_file(path, "truncated: the last record does not end with $$$$")
    yield begin, record


def _add(records: _Records, lines: list[str], begin: int) -> int:
    """Atoms of a record; returns the line behind its blocks."""
    if len(lines) < 4:
        raise ValueError(f"expected a title, two lines and counts, found {len(lines)} lines")
    atoms, end = _v3000(lines) if "V3000" in lines[3] else _v2000(lines)
    for x, y, z, symbol in atoms:
        records.positions.extend((float(x), float(y), float(z)))
        records.numbers.append(_code(symbol))
    records.sizes.append(len(atoms))
    records.titles.append(lines[0].strip())
    records.lines.append(begin)
    records.larger += len(atoms) > 3
    records.flat += len(atoms) > 3 and all(float(atom[2]) == 0 for atom in atoms)
    return end


def _add_fields(records: _Records, lines: list[str]) -> None:
    """Fields of the last record.

    Raises
    ------
    ValueError
        If two fields of one name differ.
    """
    number, found = len(records.sizes) - 1, list[tuple[str, list[str]]]()
    inside = False
    for text in lines:
        match = _FIELD.match(text)
        if match is not None:
            found.append((match[1], []))
            inside = True
        elif inside and text.strip():
            found[-1][1].append(text.strip())
        else:
            inside = False
    for name, words in found:
        value = " ".join(words)
        known = records.fields.setdefault(name, {}).setdefault(number, value)
        records.field_bytes += len(value) + _LINE_BYTES
        if known != value and not _same(known, value):
            raise ValueError(
                f"two fields {name!r}, {known[:40]!r} and {value[:40]!r}; expected one value"
            )


def _same(one: str, other: str) -> bool:
    numbers = number_of(one), number_of(other)
    return numbers[0] is not None and numbers[0] == numbers[1]


def _v2000(lines: list[str]) -> tuple[list[Any], int]:
    n_atoms, n_bonds = int(lines[3][:3]), int(lines[3][3:6])
    atoms = [line.split() for line in lines[4 : 4 + n_atoms]]
    if n_atoms < 0 or len(atoms) < n_atoms:
        raise ValueError(f"expected {n_atoms} atoms, found {len(atoms)} lines")
    return [(a[0], a[1], a[2], a[3]) for a in atoms], 4 + n_atoms + max(n_bonds, 0)


def _v3000(lines: list[str]) -> tuple[list[Any], int]:
    counts = next(line.split() for line in lines if line.startswith("M  V30 COUNTS"))
    begin = lines.index("M  V30 BEGIN ATOM") + 1
    n_atoms = int(counts[3])
    atoms = [line.split() for line in lines[begin : begin + n_atoms]]
    if len(atoms) != n_atoms or any(a[:2] != ["M", "V30"] for a in atoms):
        raise ValueError(f"expected {n_atoms} atoms, found {len(atoms)} lines")
    return [(a[4], a[5], a[6], a[3]) for a in atoms], begin + n_atoms


def _code(symbol: str) -> int:
    found = _CODES.get(symbol, _CODES.get(symbol.capitalize()))
    if found is None:
        raise ValueError(f"species: expected a chemical symbol, found {symbol!r}")
    return found


def _add_field(contents: Contents, name: str, values: dict[int, str]) -> None:
    """A column of a field, or words, or why it is not used.

    Raises
    ------
    ValueError
        If the field states different units.
    """
    n = len(contents)
    texts = [values.get(k, "") for k in range(n)]
    texts = ["" if is_missing(text) else text for text in texts]
    if unit_words_of(name) is not None and any(number_of(text) is None for text in texts):
        contents.words[name] = agreed(name, texts, contents.name_of)
        return
    rows, numbers = [], []
    for k, text in enumerate(texts):
        words = text.replace(",", " ").split()
        found = [number_of(word) for word in words]
        if None in found:
            contents.unused[name] = f"{name}: expected numbers, found text such as {text[:40]!r}"
            if len(set(texts)) == 1:
                contents.words[name] = text
            return
        if found:
            rows.append(k)
            numbers.append(found)
    widths = {len(found) for found in numbers}
    if not widths:
        contents.unused[name] = f"{name}: no record has a value"
        return
    if len(widths) != 1 or max(widths) > _MOST_WIDTH:
        contents.unused[name] = f"{name}: expected equally many numbers in each record"
        return
    width = widths.pop()
    column = np.full((n, width), np.nan)
    column[rows] = np.array(numbers, dtype=np.float64)
    column = column[:, 0] if width == 1 else column
    contents.columns[name] = Column.of(column, n_missing=n - len(rows))
