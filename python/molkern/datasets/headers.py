"""Named arrays of a file, and which of them are positions and atomic numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern.datasets.contents import Stated
from molkern.datasets.named_units import split_name
from molkern.datasets.names import (
    CELLS,
    NUMBERS,
    POSITIONS,
    TYPES,
    is_forces_name,
    is_fractional_name,
    is_gradient_name,
    words_of,
)
from molkern.datasets.stated import unit_words_of
from molkern.datasets.units import length_unit

__all__ = [
    "LAYOUTS",
    "Header",
    "Missing",
    "by_lower_case",
    "example",
    "found_words",
    "is_statement",
    "numbers_key",
    "positions_key",
    "texts_of",
]

LAYOUTS = "packed (numbers, positions, offsets), padded (Z, R) or trajectory (z, R)"

Array = npt.NDArray[Any]

# Three numbers for each atom that are no positions, by a word of their names.
_NO_POSITIONS = frozenset(
    "velocities velocity vel v momenta momentum p displacements displacement dipole dipoles magmom "
    "magmoms spin spins derivative derivatives accelerations acceleration field modes mode noise "
    "charges masses mu torque torques nmr shielding polarizability hessian rotation delta shift "
    "shifts".split()
)


class Missing(ValueError):
    """Arrays without positions: they hold no structures."""


@dataclasses.dataclass(frozen=True)
class Header:
    """An array that is read when it is needed."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    read: Callable[[], Array]
    stated: Stated | None = None

    @property
    def is_number(self) -> bool:
        """Whether it holds real numbers."""
        return self.dtype.kind in "fiu"

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))


_OBJECTS = (
    " (Python objects are not read because unpickling can run code; molecules of different sizes "
    "are saved one after another, by np.concatenate, with offsets or counts of atoms beside them)"
)


def by_lower_case(arrays: Mapping[str, Header]) -> dict[str, str]:
    """Names by their lower case; of positions and cells also without a unit that they carry."""
    found: dict[str, str] = {}
    for name in arrays:
        found.setdefault(name.lower(), name)
    for name in arrays:
        found.setdefault(name.lower().lstrip("_"), name)  # SchNetPack's keys
        base, unit = split_name(name)
        if length_unit(unit) and base.lower() in (*POSITIONS, *CELLS):
            found.setdefault(base.lower(), name)
    return found


def found_words(arrays: Mapping[str, Header]) -> str:
    """What there is, for a message."""
    listed = [f"{name} {header.shape}" for name, header in list(arrays.items())[:20]]
    more = f", ... ({len(arrays) - 20} more)" if len(arrays) > 20 else ""
    return "found " + (", ".join(listed) or "no arrays") + more


def positions_key(arrays: Mapping[str, Header], lower: Mapping[str, str]) -> tuple[str, str]:
    """Name of the array of positions, and a note on it where the name does not tell.

    Raises
    ------
    Missing
        If there is none.
    ValueError
        If the array of this name holds no positions.
    """
    for name in POSITIONS:
        header = arrays.get(lower.get(name, ""))
        if header is not None and header.is_number and len(header.shape) in (2, 3):
            return lower[name], ""
    # Three numbers for each atom of each structure, and nothing else that could be meant.
    shaped = [
        name
        for name, header in arrays.items()
        if len(header.shape) == 3 and header.shape[2] == 3 and header.dtype.kind == "f"
        if name.lower() not in CELLS and not _is_no_position(name)
    ]
    fractional = [
        name
        for name, header in arrays.items()
        if is_fractional_name(name) and header.is_number and header.shape[-1:] == (3,)
        if len(header.shape) in (2, 3)
    ]
    if len(fractional) == 1:
        return fractional[0], ""
    if len(shaped) == 1:
        return shaped[0], f"{shaped[0]} taken for positions: nothing else can be meant"
    named = next((lower[name] for name in POSITIONS if name in lower), None)
    if named is not None:
        kind = arrays[named].dtype
        raise ValueError(
            f"{named}: expected numbers of shape (n_atoms, 3) or (n_structures, n_atoms, 3), found "
            f"type {kind}" + (_OBJECTS if kind.kind == "O" else "") + f"; {found_words(arrays)}"
        )
    raise Missing(f"no array of positions; expected {LAYOUTS} arrays; {found_words(arrays)}")


def _is_no_position(name: str) -> bool:
    words = set(words_of(name).split())
    return bool(words & _NO_POSITIONS) or is_forces_name(name) or is_gradient_name(name)


def numbers_key(
    arrays: Mapping[str, Header], lower: Mapping[str, str], key_r: str, *, guessed: bool
) -> tuple[str, bool]:
    """Name of the array of numbers, and whether these are types.

    Raises
    ------
    ValueError
        If there is none; `Missing` if the positions are ``guessed``.
    """
    first = arrays[key_r].shape[:2]
    for names, types in ((NUMBERS, False), (TYPES, True), (("charges",), False)):
        for name in names:
            header = arrays.get(lower.get(name, ""))
            if header is None or len(header.shape) not in (1, 2) or not header.size:
                continue
            fits = header.shape[0] in first
            if name == "charges" and not (fits and _may_be_numbers(header)):
                continue
            if header.dtype.kind in "iuSUO" or (
                header.dtype.kind == "f" and (fits or name not in ("species", *TYPES))
            ):
                return lower[name], types
    raise (Missing if guessed else ValueError)(
        f"no array of atomic numbers beside {key_r}; expected {LAYOUTS} arrays; "
        f"{found_words(arrays)}"
    )


def _may_be_numbers(header: Header) -> bool:
    """Whether charges may be charges of nuclei, and not of atoms or structures."""
    if header.dtype.kind in "SU":
        return False
    values = header.read().astype(np.float64)
    whole = bool((values == np.floor(values)).all() and (values >= 0).all())
    return whole and bool((values > 0).any())


def is_statement(name: str, header: Header) -> bool:
    """Whether texts say something of the whole file: a single one, or a list of units."""
    if header.dtype.kind not in "SU":
        return False
    return header.shape in ((), (1,)) or (unit_words_of(name) is not None and header.size <= 20)


def texts_of(header: Header) -> str:
    """Texts with commas between them, each of them once."""
    texts = [
        value.decode("latin-1") if isinstance(value, bytes) else str(value)
        for value in header.read().reshape(-1).tolist()
    ]
    return ", ".join(dict.fromkeys(texts))


def example(header: Header) -> str:
    """The first text of an array, for a message."""
    if header.dtype.kind == "O" or not header.size:
        return ""
    first = header.read().reshape(-1)[:1].tolist()[0]
    text = first.decode("latin-1") if isinstance(first, bytes) else str(first)
    return f" such as {text[:40]!r}"
