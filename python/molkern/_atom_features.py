"""Features of atoms, kernels between two of them, and the calls of the compiled module."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern import _core
from molkern import _kernel_inputs as inputs
from molkern._arrays import checked_threads
from molkern._kernel_inputs import Matrix, Sigma
from molkern.structures import Structures, as_structures

Rows = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]
Centres = tuple[npt.NDArray[np.int32], Matrix]


@dataclass(frozen=True)
class AtomFeatures:
    """Checked features of the atoms of a batch, and the structures of it that take part.

    Attributes
    ----------
    X : ndarray, shape (n_atoms, n_features)
    structures : Structures
    chosen : ndarray of int64, shape (n,)
    kept : tuple, optional
        Centres to use, see `with_centres`.
    """

    X: Matrix
    structures: Structures
    chosen: Rows
    kept: Centres | None = None

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, rows: Any) -> AtomFeatures:
        """The same features, for some of the structures; nothing is copied."""
        return replace(self, chosen=np.ascontiguousarray(self.chosen[rows]))

    def with_centres(self, n_threads: int | None = None) -> AtomFeatures:
        """The same, with centres that stay those of all these structures for every part of them."""
        return replace(self, kept=self.centres(n_threads))

    def atoms(self) -> Rows:
        """Rows of X that belong to the chosen structures."""
        first = self.structures.offsets
        parts = [np.arange(first[k], first[k + 1]) for k in self.chosen]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    def packed(self) -> tuple[Any, ...]:
        """What the compiled module takes."""
        return self.X, self.structures.numbers, self.structures.offsets, self.chosen

    def centres(self, n_threads: int | None = None) -> Centres:
        """Elements of the chosen structures, and the means of their features; or those kept."""
        if self.kept is not None:
            return self.kept
        elements = np.unique(self.structures.numbers[self.atoms()])
        means = np.empty((len(elements), self.X.shape[1]), self.X.dtype)
        _core.atom_centres(self.packed(), (elements, means), checked_threads(n_threads))
        return elements, means


def positive_roots(name: str, found: Doubles) -> Doubles:
    """Square roots of the self-similarities (n_scales, n) of the structures ``name``, all > 0."""
    good = np.isfinite(found) & (found > 0)
    if not good.all():
        molecule = int(np.argmin(good.all(axis=0)))
        raise ValueError(
            f"normalize: molecule {molecule} of {name} has self-similarity "
            f"{found[:, molecule][~good[:, molecule]][0]:g}, expected a positive and finite one "
            "(atoms, and features other than 0)"
        )
    return np.sqrt(found)


@dataclass(frozen=True)
class AtomSimilarity:
    """Kernel of two atoms, as the compiled module takes it."""

    name: str
    scales: Doubles
    single: bool = True
    offset: float = 0.0
    degree: int = 1


def gaussian_similarity(sigma: Sigma) -> AtomSimilarity:
    """Gaussian kernels of checked widths."""
    scales, single = inputs.scales(sigma, np.float64, lambda s: 0.5 / s**2)
    return AtomSimilarity("gaussian", scales, single)


def polynomial_similarity(degree: int, scale: float, offset: float) -> AtomSimilarity:
    """Polynomial kernel of checked parameters."""
    inputs.check_polynomial(degree, scale, offset)
    return AtomSimilarity(
        "polynomial", np.array([scale], np.float64), True, float(offset), int(degree)
    )


def atom_features(name: str, X: npt.ArrayLike, structures: Any) -> AtomFeatures:
    """Features with one row for each atom of the structures, all finite."""
    x = inputs.matrix(name, X)
    batch = as_structures(structures)
    require_rows(name, len(x), batch)
    if x.size and not (x.min() > -np.inf and x.max() < np.inf):
        atom = int(np.argmin(np.isfinite(x).all(axis=1)))
        molecule = int(np.searchsorted(batch.offsets, atom, side="right")) - 1
        raise ValueError(
            f"{name}: expected finite values, found NaN or infinity for atom "
            f"{atom - int(batch.offsets[molecule])} of molecule {molecule}"
        )
    return AtomFeatures(x, batch, np.arange(len(batch)))


def require_rows(name: str, n_rows: int, structures: Structures) -> None:
    """Raise unless there is one row for each atom."""
    n_atoms = len(structures.numbers)
    if n_rows != n_atoms:
        hint = ", the number of structures" if n_rows == len(structures) else ""
        raise ValueError(
            f"{name}: expected one row for each of {n_atoms} atoms of the structures (a "
            f"representation with average=None gives them), found {n_rows} rows{hint}"
        )


def centres_for(
    similarity: AtomSimilarity, reference: AtomFeatures, n_threads: int | None
) -> Centres:
    """Centres over ``reference`` for a kernel of distances, none for one of products."""
    if similarity.name == "gaussian":
        return reference.centres(n_threads)
    return np.empty(0, np.int32), np.empty((0, reference.X.shape[1]), reference.X.dtype)


def gram(
    x: AtomFeatures,
    y: AtomFeatures | None,
    similarity: AtomSimilarity,
    centres: Centres,
    out: Matrix,
    *,
    roots: tuple[Doubles, Doubles] | None = None,
    n_threads: int | None = None,
) -> None:
    """Write the matrix of every scale to ``out`` (n_scales, n, m), float64 or as the features.

    ``centres`` are subtracted from the features of each element: rounding shrinks, distances stay.
    ``roots``: square roots of the self-similarities of both sides, (n_scales, n) and (n_scales, m),
    to divide by.
    """
    _core.local_kernel(
        x.packed(),
        None if y is None else y.packed(),
        centres,
        similarity.name,
        similarity.scales,
        similarity.offset,
        similarity.degree,
        roots,
        out,
        checked_threads(n_threads),
    )


def diagonal(
    x: AtomFeatures, similarity: AtomSimilarity, centres: Centres, n_threads: int | None
) -> Doubles:
    """Self-similarities, shape (n_scales, n)."""
    out = np.empty((len(similarity.scales), len(x)))
    _core.local_kernel_diagonal(
        x.packed(),
        centres,
        similarity.name,
        similarity.scales,
        similarity.offset,
        similarity.degree,
        out,
        checked_threads(n_threads),
    )
    return out
