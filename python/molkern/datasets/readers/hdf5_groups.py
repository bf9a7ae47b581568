"""Contents of several groups of a file as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern.datasets.contents import Column, Contents, Stated
from molkern.datasets.stated import agreed, same_unit, unit_words_of

__all__ = ["joined"]

Array = npt.NDArray[Any]
Parts = list[tuple[str, Contents]]  # name of the group, what it holds


def joined(parts: Parts, words: Mapping[str, str]) -> Contents:
    """One after another; a label that a group lacks is missing for its structures.

    Parameters
    ----------
    parts : list of (str, Contents)
        Names of the groups, and what they hold; units that they state are in their ``words``.
    words : mapping of str to str
        What the whole file states.

    Raises
    ------
    ValueError
        If groups state different units, or only some state one.
    """
    each = [contents for _, contents in parts]
    sizes = [len(contents) for contents in each]
    atoms = np.cumsum([0] + [len(contents.numbers) for contents in each])
    offsets = [c.offsets[:-1] + shift for c, shift in zip(each, atoms[:-1], strict=True)]
    whole = Contents(
        np.concatenate([c.numbers for c in each]),
        np.concatenate([c.positions for c in each], dtype=np.float64),
        np.concatenate([*offsets, atoms[-1:]]),
        words=_common_words(parts) | dict(words),
        may_lack=True,
    )
    for name in dict.fromkeys(name for c in each for name in c.columns):
        column = _joined_column(name, parts, sizes)
        if isinstance(column, Column):
            whole.columns[name] = column
        else:
            whole.unused[name] = column
    whole.notes = list(dict.fromkeys(note for c in each for note in c.notes))
    for contents in each:
        whole.sources = {**contents.sources, **whole.sources}
        whole.unused = {**contents.unused, **whole.unused}
        whole.types = whole.types or contents.types
    whole.length = _same_unit("positions", parts, [c.length for c in each])
    celled = [k for k, c in enumerate(each) if c.cells is not None]
    whole.cell_length = _same_unit(
        "cells", [parts[k] for k in celled], [each[k].cell_length for k in celled]
    )
    if any(c.cells is not None for c in each):
        whole.cells = np.concatenate(
            [np.zeros((len(c), 3, 3)) if c.cells is None else c.cells for c in each]
        )
    if any(c.pbc is not None for c in each):
        whole.pbc = np.concatenate([_along_vectors(c) if c.pbc is None else c.pbc for c in each])
    fractional = [part for part in parts if part[1].fractional]
    whole.fractional = bool(fractional)
    if fractional and len(fractional) < len(parts):
        raise ValueError(
            f"positions: group {fractional[0][0]} has multiples of the vectors of its cell, other "
            "groups have positions; expected one of them"
        )
    _add_molecules(whole, each, sizes)
    first = np.cumsum([0, *sizes])

    def name_of(k: int) -> str:
        group = int(np.searchsorted(first, k, side="right")) - 1
        return f"structure {k} (group {parts[group][0]}, row {k - int(first[group])})"

    whole.name_of = name_of
    return whole


def _along_vectors(contents: Contents) -> Array:
    """Periodicity of a group that does not say: along the vectors of its cells."""
    if contents.cells is None:
        return np.zeros((len(contents), 3), dtype=bool)
    return np.asarray(contents.cells.any(axis=2))


def _add_molecules(whole: Contents, each: list[Contents], sizes: list[int]) -> None:
    """Structures of a group with the same atoms in all rows are conformers of one molecule."""
    if len(each) == 1:
        return
    if max(sizes) > 1 and all(map(_is_one_molecule, each)):
        whole.molecules = np.repeat(np.arange(len(each)), sizes)


def _is_one_molecule(contents: Contents) -> bool:
    n = max(len(contents), 1)
    size = len(contents.numbers) // n
    if not (np.diff(contents.offsets) == size).all():
        return False
    return bool((contents.numbers.reshape(n, size) == contents.numbers[:size]).all())


def _common_words(parts: Parts) -> dict[str, str]:
    """What all groups state: units must agree, of other words those that are the same."""
    each = [contents.words for _, contents in parts]
    found = {}
    for name in dict.fromkeys(name for words in each for name in words):
        texts = [str(words.get(name, "")) for words in each]
        if unit_words_of(name) is not None:
            found[name] = agreed(name, texts, lambda k: f"group {parts[k][0]}")
        elif len(set(texts)) == 1:
            found[name] = texts[0]
    return found


def _same_unit(name: str, parts: Parts, stated: list[Stated | None]) -> Stated | None:
    """The unit that all groups state, in words of their own."""
    first = stated[0] if stated else None
    for (group, _), one in zip(parts, stated, strict=True):
        if one is first or (one and first and same_unit(one.unit, first.unit)):
            continue
        units = [repr(s.unit) if s else "none" for s in (first, one)]
        raise ValueError(
            f"{name}: groups state different units: {parts[0][0]} {units[0]}, {group} {units[1]}; "
            "expected one unit in all of them"
        )
    return first


def _joined_column(name: str, parts: Parts, sizes: list[int]) -> Column | str:
    """A label of all groups, or why it is none."""
    each = [contents for _, contents in parts]
    columns = [c.columns.get(name) for c in each]
    present = [c for c in columns if c is not None]
    tails = {c.shape[1:] for c in present} | {(c.per_atom,) for c in present}
    if len(tails) != 2:
        return f"{name}: the groups have different shapes of it"
    per_atom, tail = present[0].per_atom, present[0].shape[1:]
    rows = [len(c.numbers) if per_atom else n for c, n in zip(each, sizes, strict=True)]
    holding = [part for part, column in zip(parts, columns, strict=True) if column is not None]
    stated = _same_unit(name, holding, [c.stated for c in present])
    missing = sum(n for c, n in zip(columns, rows, strict=True) if c is None)
    return Column(
        (sum(rows), *tail), _reader(columns, rows, tail), per_atom, stated, n_missing=missing
    )


def _reader(
    columns: list[Column | None], rows: list[int], tail: tuple[int, ...]
) -> Callable[[], Array]:
    def read() -> Array:
        parts = [
            np.full((n, *tail), np.nan) if column is None else column.read()
            for column, n in zip(columns, rows, strict=True)
        ]
        return np.concatenate(parts, dtype=np.float64)

    return read
