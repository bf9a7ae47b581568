"""Derivatives of features as the blocks that are not zero."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern._arrays import require_bytes

__all__ = ["Jacobian"]


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
