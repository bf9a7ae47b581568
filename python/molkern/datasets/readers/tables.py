"""Tables of labels: CSV, or words with blanks between them."""

from __future__ import annotations

import contextlib
import csv
import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from molkern.datasets.files import bad_file
from molkern.datasets.limits import Limit
from molkern.datasets.readers.comment_items import decoded
from molkern.datasets.readers.pieces import as_utf8
from molkern.datasets.stated import unit_words_of

__all__ = [
    "ENDINGS",
    "Table",
    "explain_table",
    "is_missing",
    "number_of",
    "table_of",
    "tables_beside",
]

ENDINGS = (".csv", ".tsv", ".txt", ".dat")
_SHOWN = 5
_START = 2**20  # bytes of a table that tell what it is
_MISSING = frozenset(("", "na", "n/a", "#n/a", "nan", "none", "null", "nil", "-", "--", "?"))
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d+)?")
_COMMA = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?\d{1,3},\d{3}")
# A name in a line of words, with its unit in brackets behind it.
_NAME = re.compile(r"\S+(?:\s+[\[(][^\[\](){}]{0,40}[\])])?")


def is_missing(text: str) -> bool:
    """Whether an entry says that there is no value.

    Examples
    --------
    >>> [is_missing(text) for text in ("NA", "n/a", "-", "None", "0", "x")]
    [True, True, True, True, False, False]
    """
    return text.strip().lower() in _MISSING


def number_of(text: str) -> float | None:
    """The number that an entry is; NaN for a missing one, None for other text.

    Examples
    --------
    >>> number_of("-76.3"), number_of("1.5D+02"), number_of("1_000"), number_of("null")
    (-76.3, 150.0, None, nan)
    """
    if "_" not in text:  # which Python takes for a part of a number
        try:
            return float(text)
        except ValueError:
            pass
    plain = text.strip().replace("\N{MINUS SIGN}", "-")
    if is_missing(plain):
        return float("nan")
    if _NUMBER.fullmatch(plain) is None:
        return None
    return float(plain.lower().replace("d", "e"))


class Table:
    """Rows of texts under names.

    Parameters
    ----------
    text : bytes
    source : str
        Name of the file, for messages.

    Attributes
    ----------
    names : list of str
    made_up : set of str
        Those that the file does not have.
    stated : dict of str to str
        Units that its comments state: ``# energy_unit: Ha``.
    comment : str
        The first comment that says something else; empty if there is none.
    """

    def __init__(self, text: bytes, source: str) -> None:
        self.source = source
        self._text = decoded(b"".join(as_utf8(iter([text]))))
        if self._text.startswith("version https://git-lfs"):
            raise ValueError(
                f"{source}: a pointer of Git LFS, not the data; git lfs pull gets them"
            )
        if "\0" in self._text:  # no text at all
            self._text = ""
        self._divider = _divider(itertools.islice(self._lines(), 20))
        self._first = 0  # line of the first row
        self._above = ""  # the comment that has the names
        self.made_up: set[str] = set()
        self.stated: dict[str, str] = {}
        self.comment = ""
        self.names = self._header()
        self._hear_comments()
        self._comma: bool | None = None  # whether numbers have decimal commas; None: not asked yet

    def rows(self, *, strict: bool = True) -> Iterator[tuple[int, list[str]]]:
        """Number of the line and the entries of each row, without the header.

        Raises
        ------
        ValueError
            If ``strict``, for a row that has more entries than there are names.
        """
        width = len(self.names)
        for line, entries in self._entries():
            if line < self._first:
                continue
            if strict and len(entries) > width and any(entries[width:]):
                raise ValueError(
                    f"{self.source}: line {line}: expected {width} entries as in the header, found "
                    f"{len(entries)}; numbers need a decimal point, and text with the divider in "
                    "it needs quotes"
                )
            yield line, [*entries[:width], *[""] * (width - len(entries))]

    def number(self, text: str) -> float | None:
        """As `number_of`, with decimal commas if the table has them."""
        if "," in text and _COMMA.fullmatch(text) is not None:
            if self._comma is None:
                self._comma = self._has_decimal_commas()
            text = text.replace(",", ".") if self._comma else text
        return number_of(text)

    @property
    def may_be_prose(self) -> bool:
        """Whether the ending of the file promises no table."""
        return self.source.lower().endswith((".txt", ".dat"))

    def is_prose(self) -> bool:
        """Whether a text such as README.txt is no table: lines are uneven, or of words."""
        if not self.may_be_prose:
            return False
        rows = [entries for line, entries in self._entries() if line >= self._first]
        even = sum(len(entries) == len(self.names) for entries in rows)
        numeric = sum(2 * sum(map(_is_value, entries[1:])) >= len(entries) - 1 for entries in rows)
        return not rows or even < 0.9 * len(rows) or 2 * numeric < len(rows)

    def begins_with_data(self) -> None:
        """Take the header for a row: it has an entry that names a structure."""
        self.names = _made_up(len(self.names))
        self._first = 0

    def _lines(self) -> Iterator[tuple[int, str]]:
        for line, match in enumerate(re.finditer(r"[^\r\n]*(\r\n|\n|\r|$)", self._text), 1):
            text = match[0].rstrip("\r\n")
            if text.strip():
                yield line, text

    def _entries(self) -> Iterator[tuple[int, list[str]]]:
        """Every row, the header too; comments are left out."""
        kept = ((n, t) for n, t in self._lines() if not t.lstrip().startswith("#"))
        if self._divider is None:
            yield from ((line, text.split()) for line, text in kept)
            return
        numbers: list[int] = []

        def texts() -> Iterator[str]:
            for line, text in kept:
                numbers.append(line)
                yield text

        reader = csv.reader(texts(), delimiter=self._divider, skipinitialspace=True)
        try:
            for entries in reader:
                yield numbers[0], [entry.strip() for entry in entries]
                numbers.clear()
        except csv.Error as error:
            if not self.may_be_prose:
                raise ValueError(f"{self.source}: {error}") from error

    def _header(self) -> list[str]:
        """Names of the columns, of the first line or of a comment above it; else made up."""
        start = list(itertools.islice(self._entries(), 2))
        if not start:
            return []
        line, first = start[0]
        width = max(len(entries) for _, entries in start)
        if any(_is_data(entry) for entry in first[1:]):
            self._first = line
            above = [text for n, text in itertools.islice(self._lines(), 50) if n < line]
            names = self._split(above[-1].lstrip("# \t")) if above else []
            if len(names) == width:
                self._above = above[-1]
                return names
            return _made_up(width)
        self._first = line + 1
        names = first
        if self._divider is None:
            joined = _NAME.findall(next(text for n, text in self._lines() if n == line))
            names = joined if len(joined) == len(start[-1][1]) else first
        if self._divider in (None, "\t") and len(start) == 2 and len(start[1][1]) == len(names) + 1:
            return ["name", *names]  # as R writes a table: the names of the rows have no name
        self.made_up = {f"column_{k}" for k, name in enumerate(names) if not name}
        return [name or f"column_{k}" for k, name in enumerate(names)]

    def _hear_comments(self) -> None:
        """Units in the lines that begin with #, and one of the others."""
        for _, text in self._lines():
            if not text.lstrip().startswith("#") or text == self._above:
                continue
            words = text.lstrip("# \t").strip()
            name, mark, unit = words.partition(":" if ":" in words else "=")
            if mark and unit.strip() and unit_words_of(name) is not None:
                self.stated[name.strip()] = unit.strip()
            else:
                self.comment = self.comment or words

    def _split(self, text: str) -> list[str]:
        if self._divider is None:
            return _NAME.findall(text)
        return [entry.strip() for entry in text.split(self._divider)]

    def _has_decimal_commas(self) -> bool:
        """Whether numbers have commas for points.

        Raises
        ------
        ValueError
            If commas could as well divide thousands.
        """
        example, clear, points = "", False, False
        for _, entries in self._entries():
            for entry in entries:
                if "," in entry and _COMMA.fullmatch(entry):
                    example = example or entry
                    clear = clear or _THOUSANDS.fullmatch(entry) is None
                elif "." in entry and not points:
                    points = _NUMBER.fullmatch(entry) is not None
        if example and (points or not clear):
            raise ValueError(
                f"{self.source}: {example!r} may have a decimal comma, or one between thousands; "
                "expected numbers with a decimal point"
            )
        return bool(example)


def _divider(lines: Iterable[tuple[int, str]]) -> str | None:
    """The mark between entries: the first that cuts all lines alike; None for blanks."""
    texts = [text for _, text in lines if not text.lstrip().startswith("#")]
    head = texts[0] if texts else ""
    present = [mark for mark in ("\t", ";", ",", "|") if mark in head]
    for mark in present:
        with contextlib.suppress(csv.Error):
            if len({len(row) for row in csv.reader(texts[:2], delimiter=mark)}) == 1:
                return mark
    return present[0] if present else None


def _is_value(entry: str) -> bool:
    return number_of(entry) is not None or _COMMA.fullmatch(entry) is not None


def _is_data(entry: str) -> bool:
    number = number_of(entry)
    return number is not None and not np.isnan(number)


def _made_up(width: int) -> list[str]:
    return ["name", *(f"label_{k}" for k in range(1, width))]


def tables_beside(path: Path) -> list[Path]:
    """Tables beside a file that bear its name, with its ending or without."""
    stem = path.name
    for ending in (".gz", ".bz2", ".xz"):
        stem = stem.removesuffix(ending)
    stem = Path(stem).stem
    beside = [path.with_name(path.name + ending) for ending in ENDINGS]
    beside += [path.with_name(stem + ending) for ending in ENDINGS]
    return [file for file in dict.fromkeys(beside) if file.is_file() and file != path]


def table_of(path: Path, limit: Limit) -> Table:
    """The table that a file holds."""
    limit.take(path.stat().st_size, path.name)
    return Table(path.read_bytes(), path.name)


def explain_table(path: Path) -> ValueError:
    """Why a table alone cannot be read, and what to do instead."""
    with path.open("rb") as file:
        text = file.read(_START)
    table = Table(text, path.name)
    rows = list(itertools.islice(table.rows(), _SHOWN))
    first = {
        name: [entries[k] for _, entries in rows if entries[k]]
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
        all(number_of(e) is None and set(e) <= letters for e in entries)
        and any(set(e) & set("()=#") or len(e) > 2 for e in entries)
    )
