"""Checks of the arrays that make a batch of structures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern._arrays import integers, may_be_masked, unmasked
from molkern.elements import named_numbers

__all__ = [
    "atomic_numbers",
    "check_atoms",
    "check_cells",
    "check_masks",
    "first_bad_pair",
    "joined",
    "numbers_of_pairs",
    "place_of_atom",
    "shaped",
]

# Beyond, squared distances would overflow.
_FARTHEST = 1e100


def atomic_numbers(values: Any, offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    """Atomic numbers of all atoms, given as such or as chemical symbols."""
    place = partial(place_of_atom, offsets=offsets)
    values = unmasked("numbers", values, place)
    array = np.asarray(values)
    if array.dtype.kind in "USO":
        array = _of_symbols(values, array, place)
    numbers: npt.NDArray[np.int32] = integers("numbers", array, np.int32)
    return numbers


def _of_symbols(
    values: Any, array: npt.NDArray[Any], place: Callable[[int], str]
) -> npt.NDArray[np.int64]:
    if array.ndim == 0:
        raise ValueError(
            "numbers: expected a number or a symbol for each atom, as in ['O', 'H', 'H'], "
            f"found {array.item()!r}"
        )
    if array.ndim > 1:
        raise ValueError(f"numbers: expected one dimension, found shape {array.shape}")
    # NumPy makes texts of the numbers in a list that has both.
    items = values if isinstance(values, list | tuple) else array.tolist()
    return np.array(named_numbers("numbers", items, place), np.int64)


def numbers_of_pairs(numbers: Sequence[npt.NDArray[Any]], given: Sequence[Any]) -> npt.NDArray[Any]:
    """Atomic numbers of all structures, one after the other.

    Parameters
    ----------
    numbers : sequence of ndarray, one dimension each
    given : sequence
        What these arrays were made from.
    """
    packed = np.concatenate([z for z in numbers if len(z)] or [np.empty(0, np.int32)])
    if packed.dtype.kind not in "USO":
        return packed
    found = []
    for k, (z, items) in enumerate(zip(numbers, given, strict=True)):
        symbols = z.dtype.kind in "USO" and len(z)
        found.append(_of_symbols(items, z, _atom_of(k)) if symbols else z)
    return np.concatenate([z for z in found if len(z)])


def check_masks(numbers: Sequence[Any], positions: Sequence[Any]) -> None:
    """Raise ValueError for masked values, naming atom and structure."""
    for name, arrays in (("numbers", numbers), ("positions", positions)):
        if may_be_masked(arrays):
            for k, array in enumerate(arrays):
                unmasked(name, array, _atom_of(k))


def joined(name: str, arrays: Sequence[Any]) -> npt.NDArray[Any]:
    """One array of those of each structure, stacked; raises for masked values."""
    if may_be_masked(arrays):
        for k, array in enumerate(arrays):
            unmasked(name, array, lambda _, k=k: f"structure {k}")  # type: ignore[misc]
    return np.array([np.asarray(array) for array in arrays])


def _atom_of(structure: int) -> Callable[[int], str]:
    return lambda atom: f"atom {atom} of structure {structure}"


def check_atoms(
    numbers: npt.NDArray[np.int32],
    positions: npt.NDArray[np.float64],
    offsets: npt.NDArray[np.int64],
) -> None:
    """Raise ValueError for shapes that do not match, or values that are not allowed."""
    n_atoms = numbers.shape[0]
    if positions.shape != (n_atoms, 3):
        raise ValueError(
            f"positions: expected shape ({n_atoms}, 3) to match numbers, found {positions.shape}"
        )
    if offsets.shape[0] == 0 or offsets[0] != 0 or offsets[-1] != n_atoms:
        ends = "an empty array" if not offsets.size else f"{offsets[0]} to {offsets[-1]}"
        raise ValueError(f"offsets: expected to run from 0 to {n_atoms} (atoms), found {ends}")
    decreasing = offsets[1:] < offsets[:-1]
    if decreasing.any():
        raise ValueError(f"offsets: decrease after structure {int(np.argmax(decreasing))}")
    if numbers.size and numbers.min() < 1:
        atom = int(np.argmax(numbers < 1))
        raise ValueError(
            f"numbers: expected positive integers, found {numbers[atom]} "
            f"for {place_of_atom(atom, offsets)}"
        )
    # NaN fails every comparison, so two passes without a temporary find all that is wrong.
    r = positions
    if r.size and not (r.min() > -_FARTHEST and r.max() < _FARTHEST):
        atom = int(np.argmin((np.abs(r) < _FARTHEST).all(axis=1)))
        raise ValueError(
            f"positions: expected finite values below {_FARTHEST:g} Å, "
            f"found {r[atom].tolist()} for {place_of_atom(atom, offsets)}"
        )


def place_of_atom(atom: int, offsets: npt.NDArray[np.int64]) -> str:
    """Words for an atom of a batch: its place in its structure."""
    structure = int(np.searchsorted(offsets, atom, side="right")) - 1
    return f"atom {atom - int(offsets[structure])} of structure {structure}"


def check_cells(
    n: int, cells: npt.NDArray[np.float64] | None, pbc: npt.NDArray[np.bool_] | None
) -> None:
    """Raise ValueError unless these are cells and periodicities of n structures, or None."""
    if cells is not None:
        if cells.shape != (n, 3, 3):
            raise ValueError(f"cells: expected shape ({n}, 3, 3), found {cells.shape}")
        finite = np.isfinite(cells).all(axis=(1, 2))
        if not finite.all():
            raise ValueError(
                f"cells: expected finite values, structure {int(np.argmin(finite))} has others"
            )
    if pbc is not None:
        if pbc.shape != (n, 3):
            raise ValueError(f"pbc: expected shape ({n}, 3), found {pbc.shape}")
        if cells is None and pbc.any():
            which = int(np.argmax(pbc.any(axis=1)))
            raise ValueError(f"pbc: structure {which} is periodic but cells is None")


def shaped(
    numbers: Sequence[npt.NDArray[Any]], positions: Sequence[npt.NDArray[np.float64]]
) -> list[npt.NDArray[np.float64]]:
    """Positions of all structures; no atoms may have positions of any shape."""
    found = []
    for k, (z, r) in enumerate(zip(numbers, positions, strict=True)):
        empty = z.shape == (0,) and r.size == 0
        if not empty and (z.ndim != 1 or r.shape != (len(z), 3)):
            raise _wrong_shapes(k, z, r)
        found.append(np.empty((0, 3)) if empty else r)
    return found


def _wrong_shapes(k: int, numbers: npt.NDArray[Any], positions: npt.NDArray[Any]) -> ValueError:
    if numbers.ndim == 0 and numbers.dtype.kind in "US":
        return ValueError(
            f"structure {k}: expected a number or a symbol for each atom, as in ['O', 'H', 'H'], "
            f"found {numbers.item()!r}"
        )
    return ValueError(
        f"structure {k}: expected numbers (n,) and positions (n, 3), "
        f"found {numbers.shape} and {positions.shape}"
    )


def first_bad_pair(pairs: list[Any]) -> Exception:
    """The error for the first item that is not a pair of arrays."""
    for k, pair in enumerate(pairs):
        try:
            numbers, positions = pair
        except (TypeError, ValueError):
            return TypeError(
                f"structure {k}: expected (numbers, positions), found {type(pair).__name__}"
            )
        try:
            np.asarray(numbers), np.asarray(positions, dtype=np.float64)
        except (TypeError, ValueError):
            return ValueError(f"structure {k}: expected positions as real numbers of shape (n, 3)")
    return TypeError("structures: expected (numbers, positions) pairs")
