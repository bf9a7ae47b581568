"""Labels of tables joined to structures, by the names that the tables call them by."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from molkern.datasets.contents import Column, Contents
from molkern.datasets.names import is_energy_name
from molkern.datasets.readers.tables import Table, number_of
from molkern.datasets.stated import agreed, unit_words_of

__all__ = ["join_tables"]

Array = npt.NDArray[np.float64]

# How well an entry names a structure, best first.
_WHOLE, _WITHOUT_ENDING, _END_OF_PATH, _NAME, _STEM, _NUMBER = range(6)
_COMPRESSED = (".gz", ".bz2", ".xz")
_SHOWN = 40
_SAMPLE = 1000  # rows
_LARGEST = 1e15  # of whole numbers that are exact
# Title -> the best way in which entries name it, and the lines of their rows.
_Hits = dict[str, tuple[int, list[int]]]


def join_tables(contents: Contents, tables: Iterable[Table]) -> None:
    """Add the columns of tables to structures that they call by their titles.

    Parameters
    ----------
    contents : Contents
        Its ``titles`` are names of files or of records.
    tables : iterable of Table

    Raises
    ------
    ValueError
        If a name could be that of several structures, or rows or tables differ on one; names them.
    """
    if contents.titles is None:
        return
    titles = _Titles(contents.titles)
    joined = _Joined(contents)
    for table in tables:
        fit = _fit(titles, table)
        if fit is None:
            contents.notes.append(
                f"{table.source} is not used: none of its columns calls the structures by name"
            )
            continue
        joined.add(table, fit)
    joined.finish()


class _Titles:
    """Structures by what a table may call them."""

    def __init__(self, titles: list[str]) -> None:
        self.structures: dict[str, list[int]] = {}
        for k, title in enumerate(titles):
            if title.strip():
                self.structures.setdefault(title.strip(), []).append(k)
        self._by: list[dict[str, list[str]]] = [{} for _ in range(_NUMBER + 1)]
        for title in self.structures:
            for how, key in _keys(title, of_title=True):
                known = self._by[how].setdefault(key, [])
                if known[-1:] != [title]:
                    known.append(title)

    def found(self, entry: str, folder: str = "") -> tuple[int, list[str]] | None:
        """How an entry names structures, and the titles that it could mean.

        Those in the folder of the table, if there are any, come first.
        """
        for how, key in itertools.islice(_keys(f"{folder}/{entry}"), 3) if folder else ():
            if key in self._by[how]:
                return how, self._by[how][key]
        titles = self._by[_WITHOUT_ENDING].get(entry)
        if titles is None and not entry.isdecimal():
            number = number_of(entry)
            if number is not None and not (number.is_integer() and 0 <= number < _LARGEST):
                return None  # as most entries of a table
            if number is not None:  # 7.0, which a program made of the name 7
                entry = str(int(number))
        for how, key in _keys(entry):
            titles = self._by[how].get(key)
            if titles:
                return how, titles
        return None


def _keys(name: str, *, of_title: bool = False) -> Iterator[tuple[int, str]]:
    """What a title, or an entry that may be one, can be called; the most telling first."""
    path = name.strip().replace("\\", "/").removeprefix("./")
    if not path:
        return
    yield _WHOLE, path
    yield _WITHOUT_ENDING, path
    bare = _without_ending(path)
    yield _WITHOUT_ENDING, bare
    for form in (path, bare):
        parts = form.split("/")
        for k in range(min(len(parts) - 1, 8)):
            yield _END_OF_PATH, "/".join(parts[k:])
    last = path.rpartition("/")[2]
    stem = _without_ending(last)
    yield _NAME, last
    yield _NAME, stem
    first = last.partition(".")[0] if of_title else stem
    if not first.isdecimal():
        yield _STEM, first
    if stem.isdecimal():
        yield _NUMBER, stem.lstrip("0")


def _without_ending(path: str) -> str:
    """A path without an ending of its kind: letters, so that 0.5 stays a number."""
    for ending in _COMPRESSED:
        path = path.removesuffix(ending)
    stem, point, ending = path.rpartition(".")
    return stem if point and stem and ending[:1].isalpha() and "/" not in ending else path


@dataclasses.dataclass
class _Fit:
    """Rows of a table that name structures by one of its columns."""

    by: int
    lines: dict[int, list[int]]  # structure -> lines of its rows


def _fit(titles: _Titles, table: Table) -> _Fit | None:
    """The column that names most structures, and what it names.

    Raises
    ------
    ValueError
        If there are two such columns that differ, or one of the names could mean several.
    """
    folder = table.source.rpartition("/")[0]
    if any(titles.found(name, folder) for name in table.names):
        table.begins_with_data()
    if table.is_prose():
        return None
    hits: list[_Hits] = [{} for _ in table.names]
    columns = [k for k, name in enumerate(table.names) if not is_energy_name(name)]
    for n_rows, (line, row) in enumerate(table.rows(strict=False)):
        if n_rows == _SAMPLE:  # what has numbers with points only is no column of names
            columns = [k for k in columns if hits[k] or number_of(row[k]) is None
                       or row[k].isdecimal()]  # fmt: skip
        for k in columns:
            found = titles.found(row[k], folder) if row[k] else None
            for title in [] if found is None else found[1]:
                _add_hit(hits[k], title, found[0] if found else 0, line)
    most = max(map(len, hits), default=0)
    if most == 0:
        return None

    def how_well(k: int) -> int:
        return max(how for how, _ in hits[k].values())

    chosen = [k for k in range(len(hits)) if len(hits[k]) == most]
    best = min(map(how_well, chosen))
    chosen = [k for k in chosen if how_well(k) == best]
    rows = [_best_rows(titles, table, k, hits[k]) for k in chosen]
    for k, other in zip(chosen[1:], rows[1:], strict=True):
        if other != rows[0]:
            raise ValueError(
                f"{table.source}: columns {table.names[chosen[0]]!r} and {table.names[k]!r} both "
                "call the structures by name, and differ; expected one of them"
            )
    return _Fit(chosen[0], rows[0])


def _add_hit(hits: _Hits, title: str, how: int, line: int) -> None:
    known = hits.get(title)
    if known is None or how < known[0]:
        hits[title] = (how, [line])
    elif how == known[0]:
        known[1].append(line)


def _best_rows(titles: _Titles, table: Table, k: int, hits: _Hits) -> dict[int, list[int]]:
    """Lines of the rows of each structure, by the best of the ways in which they name it."""
    rows: dict[int, list[int]] = {}
    owner: dict[int, str] = {}
    for title, (_, lines) in hits.items():
        structures = titles.structures[title]
        if len(structures) > 1:
            raise ValueError(
                f"{table.source}: line {lines[0]}: {len(structures)} structures are called "
                f"{title!r}; expected names of one structure each"
            )
        for line in lines:
            if owner.setdefault(line, title) != title:
                raise ValueError(
                    f"{table.source}: line {line}: the name in column {table.names[k]!r} could "
                    f"mean {owner[line]} or {title}; expected names with their folders"
                )
        rows[structures[0]] = lines
    return rows


class _Joined:
    """Columns of all tables, until all are read."""

    def __init__(self, contents: Contents) -> None:
        self.contents = contents
        self.columns: dict[str, Array] = {}
        self.sources: dict[str, str] = {}
        self.units: dict[str, dict[int, str]] = {}
        self.covered: set[int] = set()

    def add(self, table: Table, fit: _Fit) -> None:
        """Columns of a table."""
        n = len(self.contents)
        owners = {line: k for k, lines in fit.lines.items() for line in lines}
        first: dict[int, list[str]] = {}
        values = np.full((len(table.names), n), np.nan)
        texts: dict[int, str] = {}
        seen: dict[int, int] = {}
        units = {c for c, name in enumerate(table.names) if unit_words_of(name) is not None}
        stated: dict[int, dict[int, str]] = {c: {} for c in units}
        strangers: list[str] = []
        for line, row in table.rows():
            k = owners.get(line)
            if k is None:
                strangers.append(row[fit.by] or f"line {line}")
                continue
            if len(fit.lines[k]) > 1:
                self._compare(table, fit.by, first.setdefault(k, row), row, seen.get(k, line), line)
            seen.setdefault(k, line)
            for c, entry in enumerate(row):
                number = table.number(entry)
                missing = number is not None and np.isnan(number)
                if c in units:
                    stated[c][k] = "" if missing else entry
                if number is None:
                    texts.setdefault(c, entry)
                else:
                    values[c, k] = number
        for c, name in enumerate(table.names):
            if c == fit.by:
                continue
            if c in units and c in texts:
                self.units.setdefault(name, {}).update(stated[c])
            elif c in texts:
                self.contents.unused[name] = (
                    f"{name}: expected numbers, found text such as {texts[c][:_SHOWN]!r}"
                )
            elif np.isnan(values[c]).all():
                if name not in table.made_up:
                    self.contents.unused[name] = f"{name}: no structure has a value"
            else:
                self._merge(name, values[c], table.source)
        for name, text in table.stated.items():
            self.units.setdefault(name, {}).update(dict.fromkeys(fit.lines, text))
        self.covered.update(fit.lines)
        self._describe(table, fit, strangers)

    def _compare(
        self, table: Table, by: int, row: list[str], other: list[str], line: int, place: int
    ) -> None:
        for c, (one, two) in enumerate(zip(row, other, strict=True)):
            if c == by or one == two:
                continue
            numbers = table.number(one), table.number(two)
            if None in numbers or not np.array_equal(*numbers, equal_nan=True):  # type: ignore[arg-type]
                raise ValueError(
                    f"{table.source}: lines {line} and {place} both name {row[by]!r}, with "
                    f"{table.names[c]} {one!r} and {two!r}; expected one row for each structure"
                )

    def _merge(self, name: str, values: Array, source: str) -> None:
        """Join a column with the column of the same name in another table."""
        known = self.columns.get(name)
        if known is None:
            self.columns[name], self.sources[name] = values, source
            return
        differ = np.isfinite(known) & np.isfinite(values) & (known != values)
        if differ.any():
            k = int(differ.argmax())
            both = [source] if source == self.sources[name] else [self.sources[name], source]
            raise ValueError(
                f"{self.contents.name_of(k)}: {' and '.join(both)} have {name} {known[k]:.12g} and "
                f"{values[k]:.12g}; expected one value for each structure"
            )
        self.columns[name] = np.where(np.isnan(known), values, known)
        if source not in self.sources[name]:
            self.sources[name] += f" and {source}"

    def _describe(self, table: Table, fit: _Fit, strangers: list[str]) -> None:
        missing = len(self.contents) - len(fit.lines)
        more = f"; {missing} structures have no row in it" if missing else ""
        if strangers:
            more += (
                f"; {len(strangers)} of its rows name no structure, first {strangers[0][:_SHOWN]!r}"
            )
        if table.comment:
            more += f"; its comments are not read, such as {table.comment[:_SHOWN]!r}"
        self.contents.notes.append(
            f"labels joined from {table.source} by its column {table.names[fit.by]!r}{more}"
        )

    def finish(self) -> None:
        """Add the columns and their units to what the files have."""
        contents = self.contents
        if self.columns:
            contents.unused.pop("labels", None)  # that there are none
        for name, values in self.columns.items():
            if name in contents.columns:
                own = contents.columns[name]
                same = own.shape == values.shape and np.array_equal(
                    own.read(), values, equal_nan=True
                )
                if not same:
                    contents.unused[f"{name} of {self.sources[name]}"] = (
                        f"{name} of {self.sources[name]}: the files have a {name} of their own, "
                        "with other values, which is used"
                    )
                continue
            contents.columns[name] = Column.of(values, n_missing=int(np.isnan(values).sum()))
        covered = sorted(self.covered)
        for name, stated in self.units.items():
            text = agreed(
                name,
                [stated.get(k, "") for k in covered],
                lambda k: str(contents.name_of(covered[k])),
            )
            if not text:
                continue
            if contents.words.setdefault(name, text) != text:
                raise ValueError(
                    f"{name}: the files state {contents.words[name]!r}, the table {text!r}; "
                    "expected one of them"
                )
