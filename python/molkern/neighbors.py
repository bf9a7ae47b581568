"""Pairs of atoms within a cutoff, periodic or not."""

from __future__ import annotations

import dataclasses
import numbers
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern import _core
from molkern._arrays import checked_threads, require_bytes
from molkern.structures import as_structures

__all__ = ["Pairs", "neighbor_list"]

# i, j, vector, distance, shift.
_PAIR = np.dtype("i8, i8, 3f8, f8, 3i4")


@dataclasses.dataclass(frozen=True, eq=False)
class Pairs:
    """Ordered pairs of atoms, by i, then j, then shift.

    Attributes
    ----------
    i, j : ndarray of int64, shape (n_pairs,)
        Rows of the batch; both orders of a pair are listed.
    shift : ndarray of int32, shape (n_pairs, 3)
        Whole cell vectors to the image of j.
    vector : ndarray of float64, shape (n_pairs, 3)
        ``positions[j] + shift @ cell - positions[i]`` in Å.
    distance : ndarray of float64, shape (n_pairs,)
        Its length, below ``r_cut``.
    first : ndarray of int64, shape (n_atoms + 1,)
        The pairs of atom i are ``first[i]:first[i + 1]``.
    """

    i: npt.NDArray[np.int64]
    j: npt.NDArray[np.int64]
    shift: npt.NDArray[np.int32]
    vector: npt.NDArray[np.float64]
    distance: npt.NDArray[np.float64]
    first: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.i)


def neighbor_list(structures: Any, r_cut: float, *, n_threads: int | None = None) -> Pairs:
    """All pairs of atoms nearer than a cutoff.

    Parameters
    ----------
    structures : Structures, or list of ase.Atoms or of (numbers, positions)
        Atoms of different structures are never neighbours. Along periodic axes of any cell
        (triclinic, smaller than the cutoff) images count, an atom's own ones included.
    r_cut : float
        In Å.
    n_threads : int, optional
        None: all allowed cores. The result does not depend on it.

    Returns
    -------
    Pairs

    Raises
    ------
    ValueError
        If ``r_cut`` is not positive, periodic cell vectors do not span a volume, an atom would have
        more than some 4 million neighbours through images, or an atom is more than 1e9 cells away
        from the origin.
    MemoryError
        If the pairs do not fit in memory, with their size in bytes.

    Notes
    -----
    Cost: linear in the number of atoms at constant density (cells as wide as the cutoff from 256
    atoms on and where something is periodic; all pairs below).

    Examples
    --------
    >>> water = ([8, 1, 1], [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    >>> pairs = neighbor_list([water], 1.2)
    >>> pairs.i, pairs.j
    (array([0, 0, 1, 2]), array([1, 2, 0, 0]))
    """
    batch = as_structures(structures)
    checked_threads(n_threads)
    if not isinstance(r_cut, numbers.Real) or isinstance(r_cut, bool):
        raise TypeError(f"r_cut: expected a number, found {r_cut!r}")
    first, i, j, shift, vector, distance = _core.neighbors(
        batch.numbers,
        batch.positions,
        batch.offsets,
        batch.cells,
        batch.pbc,
        float(r_cut),
        _require_memory,
        n_threads,
    )
    return Pairs(i, j, shift, vector, distance, first)


def _require_memory(n_pairs: int) -> None:
    require_bytes((n_pairs,), _PAIR, "neighbor_list")
