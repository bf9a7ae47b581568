"""What a reader finds in a file, before anything is decided: arrays under the file's own names."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["DUMMY", "ISOTOPES", "Column", "Contents", "Stated"]

Array = npt.NDArray[Any]

DUMMY = 0  # the number of what is no atom: X, Du, TIP4P's M
# Hydrogen under names of its own, as codes beyond all elements.
ISOTOPES = {"D": 1001, "T": 1002}


@dataclasses.dataclass(frozen=True)
class Stated:
    """A unit as the file states it, and where: ``Stated("Ha", "attribute units")``."""

    unit: str
    source: str


@dataclasses.dataclass(frozen=True)
class Column:
    """Values under one name; read when they are needed.

    Attributes
    ----------
    shape : tuple of int
        The first axis is that of structures, or of all atoms in packed order if ``per_atom``.
    read : callable
        Returns real numbers of this shape; NaN where a structure has no value.
    per_atom : bool
    stated : Stated or None
        Unit beside the values.
    n_missing : int
        Structures (or atoms) without a value, where that is known before reading.
    """

    shape: tuple[int, ...]
    read: Callable[[], Array]
    per_atom: bool = False
    stated: Stated | None = None
    n_missing: int = 0

    @classmethod
    def of(cls, values: Array, **facts: Any) -> Column:
        """A column of values that are there."""
        return cls(values.shape, lambda: values, **facts)

    @property
    def width(self) -> int:
        """Numbers for each structure or atom."""
        return int(np.prod(self.shape[1:], dtype=np.int64))


@dataclasses.dataclass
class Contents:
    """Structures and columns of a file.

    Attributes
    ----------
    numbers : ndarray of int64, shape (n_atoms,)
        Atomic numbers; `DUMMY`, codes of `ISOTOPES`, or types where ``types`` says so.
    positions : ndarray of real numbers, shape (n_atoms, 3)
        In the file's unit of length.
    offsets : ndarray of int64, shape (n_structures + 1,)
    cells : ndarray, shape (n_structures, 3, 3), or None
    pbc : ndarray of bool, shape (n_structures, 3), or None
    columns : dict of str to Column
        In the order of the file.
    sources : dict of str to str
        Names in the file of ``"numbers"``, ``"positions"``, ``"cell"``, ``"pbc"``, ...
    length, cell_length : Stated or None
        Units of positions and of cells; None for cells: the unit of positions.
    fractional : bool
        Whether positions were multiples of cell vectors, and so are in the unit of the cells.
    usual_length : str
        The unit that this kind of file has unless it says otherwise; empty if there is none.
    fixed_length : str
        Not empty: why positions are in Å whatever the user says.
    asks_length : str
        Not empty: why the user must say the unit of positions.
    words : dict of str to str or dict
        Texts that hold for the whole file, in which units may be stated.
    types : str
        Not empty: ``numbers`` are types that the file does not call by elements, from 1, or from 0
        if any is 0; the words say where.
    kinds : ndarray of str, or None
        What each structure is, by ``config_type``.
    molecules : ndarray of int64, or None
    titles : list of str, or None
        Names that a table beside the file may call the structures by.
    name_of : callable
        Where a structure stands in the file, for messages: ``"frame 3 (line 17)"``.
    may_lack : bool
        Whether labels that are not finite are usual in this kind of file, and left out.
    unused : dict of str to str
        Names that could have been meant as properties, and why they are none.
    notes : list of str
    """

    numbers: Array
    positions: Array
    offsets: Array
    cells: Array | None = None
    pbc: Array | None = None
    columns: dict[str, Column] = dataclasses.field(default_factory=dict)
    sources: dict[str, str] = dataclasses.field(default_factory=dict)
    length: Stated | None = None
    cell_length: Stated | None = None
    fractional: bool = False
    usual_length: str = ""
    fixed_length: str = ""
    asks_length: str = ""
    words: dict[str, Any] = dataclasses.field(default_factory=dict)
    types: str = ""
    kinds: Array | None = None
    molecules: Array | None = None
    titles: list[str] | None = None
    name_of: Callable[[int], str] = lambda k: f"structure {k}"
    may_lack: bool = False
    unused: dict[str, str] = dataclasses.field(default_factory=dict)
    notes: list[str] = dataclasses.field(default_factory=list)

    def __len__(self) -> int:
        return len(self.offsets) - 1
