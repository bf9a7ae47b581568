"""Derivatives of the eigenvalues of Coulomb matrices, by NumPy's eigenvectors.

With the normalised eigenvector v of the eigenvalue, d(eigenvalue) = v dM v (Hellmann and Feynman).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from molkern.structures import Structures

# Elements of the matrices that are worked on together: arrays of at most about 25 MB.
_ELEMENTS_AT_A_TIME = 1 << 18


class _Group(NamedTuple):
    """Structures of n atoms each, m of them."""

    rows: npt.NDArray[np.int64]  # (m,) of the batch
    atoms: npt.NDArray[np.int64]  # (m, n) of the batch
    vectors: npt.NDArray[np.float64]  # (m, n, n) atom, eigenvalue
    slopes: npt.NDArray[np.float64]  # (m, n, 3, n) derivative of M_ij with respect to atom i


def vjp(
    structures: Structures,
    values: npt.NDArray[np.float64],
    unit_length: float,
    gX: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Gradient of ``sum(gX * values)``, shape (n_atoms, 3).

    Parameters
    ----------
    structures : Structures
    values : ndarray, shape (n_structures, size)
        Eigenvalues in the order in which they are features.
    unit_length : float
        What 1/Å is multiplied by to be 1/unit.
    gX : ndarray, shape (n_structures, size)
    """
    gradient = np.zeros((structures.n_atoms, 3))
    for rows, atoms, vectors, slopes in _groups(structures, values, unit_length):
        g = gX[rows, None, : atoms.shape[1]]
        matrix = (vectors * g) @ vectors.transpose(0, 2, 1)
        # Twice: atom i moves both its row and its column.
        gradient[atoms] = 2 * np.einsum("mixj,mij->mix", slopes, matrix)
    return gradient


def jacobian(
    structures: Structures,
    values: npt.NDArray[np.float64],
    unit_length: float,
    out: npt.NDArray[Any],
) -> None:
    """Derivatives of the eigenvalues, written to ``out`` (n_atoms, 3, size); else as ``vjp``."""
    out[...] = 0
    for _, atoms, vectors, slopes in _groups(structures, values, unit_length):
        m, n = atoms.shape
        products = (slopes.reshape(m, 3 * n, n) @ vectors).reshape(m, n, 3, n)
        out[atoms, :, :n] = 2 * vectors[:, :, None, :] * products


def _groups(
    structures: Structures, values: npt.NDArray[np.float64], unit_length: float
) -> Iterator[_Group]:
    sizes = structures.sizes
    for n in np.unique(sizes[sizes > 0]).tolist():
        members = np.flatnonzero(sizes == n)
        step = max(_ELEMENTS_AT_A_TIME // n**2, 1)
        for start in range(0, len(members), step):
            rows = members[start : start + step]
            atoms = structures.offsets[rows, None] + np.arange(n)
            matrices, slopes = _matrices(
                structures.numbers[atoms], structures.positions[atoms], unit_length
            )
            _, vectors = np.linalg.eigh(matrices)
            # Both sets of eigenvalues in ascending order belong together one by one, whatever
            # rounding makes of their magnitudes.
            place = np.argsort(np.argsort(values[rows, :n], axis=1, kind="stable"), axis=1)
            vectors = np.take_along_axis(vectors, place[:, None, :], axis=2)
            yield _Group(rows, atoms, vectors, slopes)


def _matrices(
    numbers: npt.NDArray[np.int32], positions: npt.NDArray[np.float64], unit_length: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Coulomb matrices of (m, n) atoms, and the derivative of element (i, j) by atom i."""
    diagonal = np.arange(numbers.shape[1])
    charges = numbers.astype(np.float64)
    # (m, n, 3, n): atom i minus atom j.
    vectors = positions[:, :, :, None] - positions.transpose(0, 2, 1)[:, None]
    squares = np.einsum("mixj,mixj->mij", vectors, vectors)
    squares[:, diagonal, diagonal] = 1.0
    matrices = unit_length * charges[:, :, None] * charges[:, None, :] / np.sqrt(squares)
    vectors *= -(matrices / squares)[:, :, None, :]
    matrices[:, diagonal, diagonal] = 0.5 * charges**2.4
    return matrices, vectors
