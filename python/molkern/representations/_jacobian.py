"""Derivatives of features as the blocks that are not zero."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern import _core
from molkern._arrays import require_bytes

__all__ = ["CompactJacobian", "Jacobian", "Layout"]


@dataclasses.dataclass(frozen=True, eq=False)
class Jacobian:
    """Derivatives of features with respect to positions, the blocks that are not zero.

    Attributes
    ----------
    center : ndarray of int64, shape (n_blocks,)
        Row of the features: of an atom, or of a structure.
    atom : ndarray of int64, shape (n_blocks,)
        Row of the batch that is moved. Periodic images of one atom have blocks of their own, to be
        added up.
    values : ndarray, shape (n_blocks, 3, n_features)
        Per Å.
    n_centers, n_atoms : int
        Rows of the features, and atoms of the batch.
    """

    center: npt.NDArray[np.int64]
    atom: npt.NDArray[np.int64]
    values: npt.NDArray[Any]
    n_centers: int
    n_atoms: int

    def to_dense(self) -> npt.NDArray[Any]:
        """All derivatives, shape (n_centers, n_atoms, 3, n_features).

        Raises
        ------
        MemoryError
            If they do not fit in memory, with their size in bytes.
        """
        shape = (self.n_centers, self.n_atoms, *self.values.shape[1:])
        require_bytes(shape, self.values.dtype, "Jacobian.to_dense")
        dense = np.zeros(shape, self.values.dtype)
        np.add.at(dense, (self.center, self.atom), self.values)
        return dense


@dataclasses.dataclass(frozen=True, eq=False)
class CompactJacobian:
    """Derivatives of features with respect to positions, without features of absent species.

    Block k is the derivative of the features ``columns[pattern[k]]`` of one centre with respect to
    the position of one atom; its other features do not depend on that atom. It is
    ``values[offsets[k]:offsets[k + 1]]`` with shape (3, n_columns): see ``block``.

    Attributes
    ----------
    center : ndarray of int64, shape (n_blocks,)
        Row of the features.
    atom : ndarray of int64, shape (n_blocks,)
        Row of the batch that is moved. Periodic images of one atom have blocks of their own, to be
        added up.
    values : ndarray, shape (offsets[-1],)
        Per Å; block after block.
    offsets : ndarray of int64, shape (n_blocks + 1,)
    pattern : ndarray of int64, shape (n_blocks,)
    columns : tuple of ndarray of int64
        Features of each pattern, ascending.
    n_centers, n_atoms, n_features : int
        Rows of the features, atoms of the batch, and features.
    """

    center: npt.NDArray[np.int64]
    atom: npt.NDArray[np.int64]
    values: npt.NDArray[Any]
    offsets: npt.NDArray[np.int64]
    pattern: npt.NDArray[np.int64]
    columns: tuple[npt.NDArray[np.int64], ...]
    n_centers: int
    n_atoms: int
    n_features: int

    def block(self, k: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
        """Features of block ``k``, shape (n_columns,), and a view of it, (3, n_columns)."""
        k = range(len(self.pattern))[k]
        columns = self.columns[self.pattern[k]]
        start = self.offsets[k]
        return columns, self.values[start : start + 3 * len(columns)].reshape(3, -1)

    def to_dense(self) -> npt.NDArray[Any]:
        """All derivatives, shape (n_centers, n_atoms, 3, n_features).

        Raises
        ------
        MemoryError
            If they do not fit in memory, with their size in bytes.
        """
        shape = (self.n_centers, self.n_atoms, 3, self.n_features)
        require_bytes(shape, self.values.dtype, "CompactJacobian.to_dense")
        dense = np.zeros(shape, self.values.dtype)
        for k, (center, atom) in enumerate(zip(self.center, self.atom, strict=True)):
            columns, values = self.block(k)
            dense[center, atom][:, columns] += values
        return dense


@dataclasses.dataclass(frozen=True, eq=False)
class Layout:
    """Where the values of every block go, from the neighbours of each species of each centre.

    Attributes
    ----------
    n_features : int
    first, start : ndarray of int64, shape (n_centers + 1,)
        Where the blocks of each centre begin, and their values.
    pattern, offsets, columns
        As in :class:`CompactJacobian`; None where all blocks have all columns.
    """

    n_features: int
    first: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    pattern: npt.NDArray[np.int64] | None = None
    offsets: npt.NDArray[np.int64] | None = None
    columns: tuple[npt.NDArray[np.int64], ...] = ()

    @classmethod
    def dense(cls, counts: npt.NDArray[np.int64], kernel: Any) -> Layout:
        """Of blocks with all columns; ``counts`` has the shape (n_centers, n_species)."""
        first = _running(counts.sum(axis=1) + 1)
        return cls(kernel.n_features, first, first * (3 * kernel.n_features))

    @classmethod
    def compact(
        cls, counts: npt.NDArray[np.int64], kernel: Any, center: npt.NDArray[np.int64]
    ) -> Layout:
        """Of compact blocks; ``center`` is the species of each centre, as its place in the kernel.

        Which columns a block has depends on the species around the centre, on that of the centre
        where it counts as there, and on that of the neighbour (-1: the centre itself is moved).
        """
        around = np.column_stack([counts > 0, center if kernel.own else np.zeros_like(center)])
        kinds, kind = np.unique(around, axis=0, return_inverse=True)
        columns: list[npt.NDArray[np.int64]] = []
        patterns = np.zeros((len(kinds), counts.shape[1] + 1), np.int64)
        for k, row in enumerate(kinds):
            neighbors = row[:-1].astype(bool)
            for species in (-1, *np.flatnonzero(neighbors).tolist()):
                patterns[k, species + 1] = len(columns)
                columns.append(_core.local_columns(kernel, neighbors, int(row[-1]), species))
        n_blocks = np.column_stack([np.ones(len(counts), np.int64), counts])
        pattern = np.repeat(patterns[kind.reshape(-1)].ravel(), n_blocks.ravel())
        sizes = np.array([3 * len(found) for found in columns], np.int64)
        offsets = _running(sizes[pattern])
        first = _running(n_blocks.sum(axis=1))
        return cls(kernel.n_features, first, offsets[first], pattern, offsets, tuple(columns))

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the values."""
        if self.pattern is None:
            return (int(self.first[-1]), 3, self.n_features)
        return (int(self.start[-1]),)

    def jacobian(
        self,
        center: npt.NDArray[np.int64],
        atom: npt.NDArray[np.int64],
        values: npt.NDArray[Any],
        n_atoms: int,
    ) -> Jacobian | CompactJacobian:
        """The result."""
        n_centers = len(self.first) - 1
        if self.pattern is None or self.offsets is None:
            return Jacobian(center, atom, values, n_centers, n_atoms)
        sizes = (n_centers, n_atoms, self.n_features)
        return CompactJacobian(
            center, atom, values, self.offsets, self.pattern, self.columns, *sizes
        )


def _running(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Sums of all entries before each, and of all."""
    return np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
