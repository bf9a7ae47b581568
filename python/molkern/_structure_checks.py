"""Checks of the arrays that make a batch of structures."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["check_atoms", "check_cells", "first_bad_pair"]

# Beyond, squared distances would overflow.
_FARTHEST = 1e100


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
            f"for {_where(atom, offsets)}"
        )
    # NaN fails every comparison, so two passes without a temporary find all that is wrong.
    r = positions
    if r.size and not (r.min() > -_FARTHEST and r.max() < _FARTHEST):
        atom = int(np.argmin((np.abs(r) < _FARTHEST).all(axis=1)))
        raise ValueError(
            f"positions: expected finite values below {_FARTHEST:g} Å, "
            f"found {r[atom].tolist()} for {_where(atom, offsets)}"
        )


def _where(atom: int, offsets: npt.NDArray[np.int64]) -> str:
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
