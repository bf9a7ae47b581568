"""Frames that come one by one with values under names, packed into columns."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern.datasets.contents import Column, Contents
from molkern.datasets.limits import Limit
from molkern.datasets.names import KINDS, is_forces_name, is_gradient_name
from molkern.datasets.stated import agreed, unit_words_of

__all__ = ["Frames", "Value"]

Array = npt.NDArray[Any]
Value = tuple[str, str, Any]  # where it is, its name, what it is

_MOST_WIDTH = 9
_VALUE_BYTES = 150  # that an array takes besides its numbers
# Names of numbers for each atom, whatever the size of a structure.
_OF_ATOMS = ("charges", "magmoms", "energies", "stresses", "initial_charges", "initial_magmoms")


class Frames:
    """Atoms and values of frames, packed as they come."""

    def __init__(self, limit: Limit) -> None:
        self._limit, self._bytes = limit, 0
        self._numbers, self._positions = array("i"), array("d")
        self.sizes: list[int] = []
        self._cells: list[Array] = []
        self._pbc: list[Array] = []
        # By name, by where it is, by frame.
        self._values: dict[str, dict[str, dict[int, Array]]] = {}
        self._texts: dict[str, dict[int, str]] = {}
        self._unused: dict[str, str] = {}

    def add(
        self, numbers: Any, positions: Any, cell: Any, pbc: Any, values: Iterable[Value]
    ) -> None:
        """One frame; values may be anything."""
        k = len(self.sizes)
        self._numbers.extend(np.asarray(numbers, np.intc).tolist())
        self._positions.frombytes(np.ascontiguousarray(positions, np.float64).tobytes())
        self.sizes.append(len(numbers))
        self._cells.append(np.array(cell, dtype=np.float64).reshape(3, 3))
        self._pbc.append(np.broadcast_to(np.asarray(pbc, dtype=bool), (3,)))
        for where, name, value in values:
            self._add_value(k, where, str(name), value)
        self._limit.require(16 * len(self._positions) + self._bytes, "what it holds")

    def _add_value(self, k: int, where: str, name: str, value: Any) -> None:
        if isinstance(value, str | bytes):
            text = value.decode("latin-1") if isinstance(value, bytes) else value
            self._texts.setdefault(name, {})[k] = text
            self._bytes += len(text) + _VALUE_BYTES
            return
        if value is None:
            return
        if isinstance(value, Mapping):
            self._unused.setdefault(name, f"{name}: a mapping, not used")
            return
        try:
            found = np.asarray(value)
        except ValueError:
            self._unused.setdefault(name, f"{name}: rows of different lengths, not used")
            return
        if found.dtype.kind in "fiu":
            if found.size:
                self._values.setdefault(name, {}).setdefault(where, {})[k] = found
                self._bytes += found.nbytes + _VALUE_BYTES
        elif found.dtype.kind == "b":
            self._unused.setdefault(name, f"{name}: true or false, not used")
        elif found.dtype.kind in "cUS" or isinstance(value, list | tuple):
            self._unused.setdefault(name, f"{name}: expected real numbers, found others")

    def contents(self, name_of: Callable[[int], str]) -> Contents:
        """All frames, with a column for each name.

        Raises
        ------
        ValueError
            If frames state different units.
        """
        contents = Contents(
            np.frombuffer(self._numbers, np.intc).astype(np.int64),
            np.frombuffer(self._positions).reshape(-1, 3),
            np.concatenate(([0], np.cumsum(self.sizes, dtype=np.int64))),
            sources={"positions": "positions"},
            unused=dict(self._unused),
        )
        contents.name_of = name_of
        cells, pbc = np.array(self._cells), np.array(self._pbc)
        if cells.any() or pbc.any():
            contents.cells, contents.pbc = cells, pbc
            contents.sources |= {"cell": "cell", "pbc": "pbc"}
        for name, by_place in self._values.items():
            for column, found in _apart(name, by_place, contents).items():
                self._add_column(contents, column, found)
        for name, texts in self._texts.items():
            self._add_texts(contents, name, texts)
        return contents

    def _add_column(self, contents: Contents, name: str, found: dict[int, Array]) -> None:
        """Forces, or as many numbers for each frame; all else is named as unused."""
        sizes = self.sizes
        of_atoms = all(v.ndim > 0 and v.shape[0] == sizes[k] for k, v in found.items())
        is_forces = is_forces_name(name) or is_gradient_name(name)
        if is_forces and all(v.shape == (sizes[k], 3) for k, v in found.items()):
            parts = [found.get(k, np.full((m, 3), np.nan)) for k, m in enumerate(sizes)]
            missing = sum(m for k, m in enumerate(sizes) if k not in found)
            contents.columns[name] = Column.of(
                np.concatenate(parts, dtype=np.float64), per_atom=True, n_missing=missing
            )
            return
        widths = {v.size for v in found.values()}
        differ = len(widths) > 1
        if of_atoms and (differ or max(widths) > _MOST_WIDTH or name in _OF_ATOMS):
            k, first = next(iter(found.items()))
            each = first.size // max(sizes[k], 1)
            numbers = "one number" if each == 1 else f"{each} numbers"
            contents.unused[name] = f"{name}: {numbers} for each atom, not used"
        elif differ:
            contents.unused[name] = f"{name}: expected equally many numbers in each frame"
        else:
            values = np.full((len(sizes), widths.pop()), np.nan)
            for k, row in found.items():
                values[k] = row.reshape(-1)
            column = values[:, 0] if values.shape[1] == 1 else values
            contents.columns[name] = Column.of(column, n_missing=len(sizes) - len(found))

    def _add_texts(self, contents: Contents, name: str, texts: dict[int, str]) -> None:
        n = len(self.sizes)
        if name.lower() in KINDS:
            contents.kinds = np.array([texts.get(k, "") for k in range(n)], dtype=object)
            return
        if unit_words_of(name) is not None:
            stated = [texts.get(k, "") for k in range(n)]
            contents.words[name] = agreed(name, stated, contents.name_of)
            return
        if len(texts) == n and len(set(texts.values())) == 1:
            contents.words[name] = texts[0]
        if name not in contents.columns:
            example = next(iter(texts.values()))[:40]
            contents.unused[name] = f"{name}: expected numbers, found text such as {example!r}"


def _apart(
    name: str, by_place: dict[str, dict[int, Array]], contents: Contents
) -> dict[str, dict[int, Array]]:
    """Values of one name in several places: as one if they are the same, else under new names."""
    first, *others = by_place.values()
    if all(_same(first, other) for other in others):
        return {name: first}
    names = [f"{place}_{name}" for place in by_place]
    contents.notes.append(
        f"{name} stands in {len(by_place)} places with different values: read as {', '.join(names)}"
    )
    return dict(zip(names, by_place.values(), strict=True))


def _same(one: dict[int, Array], other: dict[int, Array]) -> bool:
    return one.keys() == other.keys() and all(
        one[k].size == other[k].size
        and np.allclose(one[k].reshape(-1), other[k].reshape(-1), rtol=1e-9, atol=0, equal_nan=True)
        for k in one
    )
