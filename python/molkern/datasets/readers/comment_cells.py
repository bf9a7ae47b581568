"""Cells and periodicity in the comment lines of XYZ frames."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern.datasets.cells import cells_of_parameters
from molkern.datasets.names import CELLS, is_cell_name, words_of
from molkern.datasets.readers.comment_items import Items

__all__ = ["cell_key", "cells_of", "check_other_cells", "periodicity_of", "vectors_apart"]

Array = npt.NDArray[Any]

_CELLS = ("lattice", *CELLS)
_TRUE, _FALSE = ("t", "true", "1", "p", "yes"), ("f", "false", "0", "s", "m", "no", "n")
# Names of three vectors, and of three lengths.
_VECTORS = (("cell_a", "cell_b", "cell_c"), ("vec1", "vec2", "vec3"), ("a1", "a2", "a3"),
            ("a", "b", "c"), ("va", "vb", "vc"))  # fmt: skip
_LENGTHS = (("a", "b", "c"), ("lx", "ly", "lz"), ("la", "lb", "lc"), ("cell_a", "cell_b", "cell_c"))


def cell_key(items: Items, named: dict[str, Array]) -> str | None:
    """The key of the cells: one of the usual names, or else the only one that speaks of a cell."""
    lower = {key.lower(): key for key in named}
    usual = next((lower[name] for name in _CELLS if name in lower), None)
    if usual is not None:
        return usual
    others = [k for k in named if is_cell_name(k) and np.isin(items.count[named[k]], (6, 9)).all()]
    return others[0] if len(others) == 1 else None


def vectors_apart(items: Items, named: dict[str, Array]) -> tuple[str, Array] | str:
    """Cells from three vectors under names of their own; or a note on lengths of such names."""
    lower = {key.lower(): key for key in named}
    for names in _VECTORS:
        keys = [lower[name] for name in names if name in lower]
        if len(keys) == 3 and all((items.count[named[key]] == 3).all() for key in keys):
            cells = np.zeros((items.n_frames, 3, 3))
            for k, key in enumerate(keys):
                rows = items.once(key, named.pop(key))
                cells[items.frame[rows], k] = items.numbers[
                    items.value[rows][:, None] + np.arange(3)
                ]
            return ", ".join(keys), cells
    for names in _LENGTHS:
        keys = [lower[name] for name in names if name in lower]
        if len(keys) == 3:
            return (
                f"{', '.join(keys)} may be lengths of a cell, which are not used: cells are read "
                'as three vectors, Lattice="..."'
            )
    return ""


def cells_of(items: Items, key: str, rows: Array) -> Array:
    """Cells of all frames, zero where a frame has none."""
    _check_quotes(items, key, rows)
    cells = np.zeros((items.n_frames, 3, 3))
    for count in np.unique(items.count[rows]).tolist():
        part = rows[items.count[rows] == count]
        if count not in (1, 3, 6, 9):
            content = items.text(part[0])[:40] if count == 0 else f"{count} numbers"
            raise ValueError(
                f"{items.where(part[0])}: {key}: expected the nine numbers of three cell "
                f"vectors, lengths and angles, or lengths, found {content!r}"
            )
        values = items.numbers[items.value[part][:, None] + np.arange(count)]
        if count == 6:
            try:
                cells[items.frame[part]] = cells_of_parameters(values)
            except ValueError as error:
                raise ValueError(f"{items.where(part[0])}: {key}: {error}") from error
        elif count < 9:
            cells[items.frame[part][:, None], range(3), range(3)] = values
        else:
            cells[items.frame[part]] = values.reshape(-1, 3, 3)
    if not np.isfinite(cells).all():
        frame = int(np.argmin(np.isfinite(cells).all(axis=(1, 2))))
        raise ValueError(f"line {int(items.lines[frame]) + 1} (frame {frame}): {key} is not finite")
    return cells


def periodicity_of(items: Items, key: str, rows: Array) -> Array:
    """Periodicity of all frames; False where a frame does not say."""
    _check_quotes(items, key, rows)
    pbc = np.zeros((items.n_frames, 3), dtype=bool)
    meaning: dict[tuple[int, ...], list[bool]] = {}
    for row in rows:
        count, first = int(items.count[row]), int(items.value[row])
        known = (0, first) if count == 0 else (1, *items.numbers[first : first + count].tolist())
        if known not in meaning:
            text = items.text(row) if count == 0 else " ".join(f"{x:g}" for x in known[1:])
            flags = re.sub(r"[\[\](),]", " ", text).lower().split()
            if len(flags) == 1:
                flags = list(flags[0]) if len(flags[0]) == 3 else flags * 3
            if len(flags) != 3 or not all(flag in _TRUE + _FALSE for flag in flags):
                raise ValueError(
                    f"{items.where(row)}: {key}: expected three of T and F, found {text[:40]!r}"
                )
            meaning[known] = [flag in _TRUE for flag in flags]
        pbc[items.frame[row]] = meaning[known]
    return pbc


def _check_quotes(items: Items, key: str, rows: Array) -> None:
    more = items.more_after(rows)
    if len(more):
        raise ValueError(
            f'{items.where(int(more[0]))}: {key}: a list needs quotes, {key}="..."; only its first '
            "value stands after the sign of equality"
        )


def check_other_cells(cells: Array, items: Items, cell: str, named: dict[str, Array]) -> None:
    """Take out cells under other names; raise where they differ."""
    keys = [k for k in named if k.lower() in _CELLS or is_cell_name(k) or "angles" in words_of(k)]
    for key in keys:
        rows = named[key]
        if "angles" in words_of(key) and (items.count[rows] == 3).all():
            raise ValueError(
                f"{items.where(rows[0])}: {cell} and {key}: lengths and angles apart are not read; "
                'write the three vectors, Lattice="..."'
            )
        if not np.isin(items.count[rows], (3, 6, 9)).all():
            continue
        others = cells_of(items, key, items.once(key, named.pop(key)))
        differ = (others != cells).any(axis=(1, 2)) & others.any(axis=(1, 2))
        if differ.any():
            where = items.where(int(rows[items.frame[rows] == int(differ.argmax())][0]))
            raise ValueError(f"{where}: {cell} and {key} are different cells; expected one of them")
