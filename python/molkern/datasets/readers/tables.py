"""Tables of labels beside geometries: CSV, or words with blanks between them."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from molkern.datasets.contents import Column, Contents
from molkern.datasets.files import bad_file
from molkern.datasets.readers.comments import decoded

__all__ = ["Table", "add_table", "explain_table", "read_table"]

ENDINGS = (".csv", ".tsv", ".txt", ".dat")
_SHOWN = 5


class Table:
    """Rows of texts under names."""

    def __init__(self, names: list[str], rows: list[list[str]]) -> None:
        self.names, self.rows = names, rows

    def column(self, k: int) -> list[str]:
        """Entries of a column; empty where a row is short."""
        return [row[k].strip() if k < len(row) else "" for row in self.rows]


def read_table(text: bytes) -> Table:
    """A table whose first line has names, unless all other columns of it are numbers."""
    lines = [line for line in decoded(text.removeprefix(b"\xef\xbb\xbf")).splitlines() if line]
    lines = [line for line in lines if not line.startswith("#")] or lines
    head = lines[0] if lines else ""
    divider = next((mark for mark in ("\t", ",", ";") if mark in head), None)
    if divider is None:
        rows = [line.split() for line in lines]
    else:
        rows = list(csv.reader(lines, delimiter=divider, skipinitialspace=True))
    if rows and any(map(_is_number, rows[0][1:])):
        width = max(map(len, rows))
        return Table(["name", *(f"label_{k}" for k in range(1, width))], rows)
    return Table([name.strip() for name in rows[0]] if rows else [], rows[1:])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _keys(title: str) -> set[str]:
    """Names that a table may call a structure by: with its folder, without, without ending."""
    name = Path(title).name
    return {title, name, name.split(".")[0], Path(name).stem}


def add_table(contents: Contents, table: Table, source: str) -> bool:
    """Join a table to structures by their titles; whether it fits any of them."""
    if contents.titles is None:
        return False
    places: dict[str, list[int]] = {}
    for k, title in enumerate(contents.titles):
        for key in _keys(title):
            places.setdefault(key, []).append(k)

    def found(entry: str) -> list[int]:
        known = (key for key in (entry, Path(entry).name, Path(entry).stem) if key in places)
        return places.get(next(known, ""), [])

    matches = [sum(bool(found(e)) for e in table.column(k)) for k in range(len(table.names))]
    if not matches or max(matches) == 0:
        return False
    by = matches.index(max(matches))
    rows = {k: row for row, entry in enumerate(table.column(by)) for k in found(entry)}
    for k, name in enumerate(table.names):
        if k != by:
            _add_column(contents, name, table.column(k), rows, source)
    missing = len(contents) - len(rows)
    more = f"; {missing} structures have no row in it" if missing else ""
    contents.notes.append(f"labels joined from {source} by its column {table.names[by]!r}{more}")
    return True


def _add_column(
    contents: Contents, name: str, entries: list[str], rows: dict[int, int], source: str
) -> None:
    values = np.full(len(contents), np.nan)
    try:
        for k, row in rows.items():
            values[k] = float(entries[row]) if entries[row] else np.nan
    except ValueError:
        example = next(entry for entry in entries if entry and not _is_number(entry))
        contents.unused[name] = f"{name}: expected numbers, found text such as {example[:40]!r}"
        return
    if name in contents.columns:
        contents.unused[name] = f"{name}: of {source}; the files themselves have it, too"
        return
    contents.columns[name] = Column.of(values, n_missing=int(np.isnan(values).sum()))


def explain_table(path: Path) -> ValueError:
    """Why a table alone cannot be read, and what to do instead."""
    table = read_table(path.read_bytes())
    first: dict[str, list[str]] = {
        name: [entry for entry in itertools.islice(table.column(k), _SHOWN) if entry]
        for k, name in enumerate(table.names)
    }
    files = [name for name, entries in first.items() if entries and all(map(_is_file, entries))]
    if files:
        return bad_file(
            path,
            f"column {files[0]!r} names files of geometries: give the folder that holds them "
            "instead; a table in it is joined to them by these names",
        )
    smiles = [name for name, entries in first.items() if entries and _are_smiles(name, entries)]
    if smiles:
        return bad_file(
            path,
            f"column {smiles[0]!r} holds SMILES, which have no geometries: make them first, for "
            "instance molkern data build molecules out.npz --smiles FILE with one SMILES in each "
            "line, or write extended XYZ from a program of your own",
        )
    named = ", ".join(table.names[:10]) or "none"
    return bad_file(
        path,
        f"holds labels without geometries (columns: {named}); geometries are read from extended "
        "XYZ, .npz, HDF5, SDF, or a folder of such files with this table in it",
    )


def _is_file(entry: str) -> bool:
    return Path(entry).suffix.lower() in (".xyz", ".extxyz", ".sdf", ".mol", ".cif", ".pdb", ".gz")


def _are_smiles(name: str, entries: Iterable[Any]) -> bool:
    letters = set("BCNOPSFIHbcnops()[]=#@+-\\/123456789%.lraeinKLtMgZdu*:")
    return "smi" in name.lower() or (
        all(not _is_number(e) and set(e) <= letters for e in entries)
        and any(set(e) & set("()=#") or len(e) > 2 for e in entries)
    )
