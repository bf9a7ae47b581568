"""Features of atoms, kernels between two of them, and the calls of the compiled module."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern import _core
from molkern import _kernel_inputs as inputs
from molkern import _kernel_products as products
from molkern import _kernel_scaling as scaling
from molkern._arrays import checked_threads, joined_ranges
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
    largest : float
        No absolute value in X is larger.
    kept : tuple, optional
        Centres to use, see `with_centres`.
    """

    X: Matrix
    structures: Structures
    chosen: Rows
    largest: float
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
        offsets, chosen = self.structures.offsets, self.chosen
        return joined_ranges(offsets[chosen], offsets[chosen + 1] - offsets[chosen])

    def packed(self) -> tuple[Any, ...]:
        """What the compiled module takes."""
        return self.X, self.structures.numbers, self.structures.offsets, self.chosen

    def centres(self, n_threads: int | None = None) -> Centres:
        """Elements of the chosen structures, and the means of their features; or those kept."""
        if self.kept is not None:
            return self.kept
        elements = np.unique(self.structures.numbers[self.atoms()])
        means = np.empty((len(elements), self.X.shape[1]), self.X.dtype)
        exponent = scaling.for_means(self.largest, len(self.X), self.X.dtype)
        part = self if exponent == 0 else self.divided(exponent)
        _core.atom_centres(part.packed(), (elements, means), checked_threads(n_threads))
        return elements, means if exponent == 0 else np.ldexp(means, exponent)

    def divided(self, exponent: int) -> AtomFeatures:
        """The same, divided by 2 to a power."""
        with np.errstate(under="ignore"):
            kept = self.kept
            if kept is not None:
                kept = kept[0], np.ldexp(kept[1], -exponent)
            largest = float(np.ldexp(self.largest, -exponent))
            return replace(self, X=np.ldexp(self.X, -exponent), largest=largest, kept=kept)


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
    widths: Doubles | None = None  # of a Gaussian

    def divided(self, exponent: int) -> AtomSimilarity:
        """The same kernel of features that are divided by 2 to a power."""
        if self.widths is not None:
            scales = scaling.gaussian_factors(self.widths, exponent, np.float64)
            return replace(self, scales=scales)
        with np.errstate(over="ignore", under="ignore"):
            return replace(self, scales=np.ldexp(self.scales, 2 * exponent))


def gaussian_similarity(sigma: Sigma) -> AtomSimilarity:
    """Gaussian kernels of checked widths."""
    widths, single = inputs.widths(sigma)
    scales = scaling.gaussian_factors(widths, 0, np.float64)
    return AtomSimilarity("gaussian", scales, single, widths=widths)


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
    largest = inputs.largest_of(x)
    if largest is None:
        atom = int(np.argmin(np.isfinite(x).all(axis=1)))
        molecule = int(np.searchsorted(batch.offsets, atom, side="right")) - 1
        raise ValueError(
            f"{name}: expected finite values, found NaN or infinity for atom "
            f"{atom - int(batch.offsets[molecule])} of molecule {molecule}"
        )
    return AtomFeatures(x, batch, np.arange(len(batch)), largest)


def require_rows(name: str, n_rows: int, structures: Structures) -> None:
    """Raise unless there is one row for each atom."""
    n_atoms = len(structures.numbers)
    if n_rows != n_atoms:
        hint = ", the number of structures" if n_rows == len(structures) else ""
        raise ValueError(
            f"{name}: expected one row for each of {n_atoms} atoms of the structures (a "
            f"representation with average=None gives them), found {n_rows} rows{hint}"
        )


def in_range(
    x: AtomFeatures, y: AtomFeatures | None, similarity: AtomSimilarity
) -> tuple[AtomFeatures, AtomFeatures | None, AtomSimilarity]:
    """The same kernel of features whose products neither overflow nor vanish.

    Both sides are divided by one power of two; ordinary features are left alone.
    """
    dtype, n_features = x.X.dtype, x.X.shape[1]
    limits = scaling.square_limits(dtype, n_features)
    if dtype == np.float32:  # what is multiplied by the scales is float64
        double = scaling.square_limits(np.dtype(np.float64), n_features)
        limits = replace(limits, narrowest=double.narrowest, widest=double.widest)
    largest = x.largest if y is None else max(x.largest, y.largest)
    exponent = scaling.shift(largest, limits, similarity.widths)
    if exponent == 0:
        return x, y, similarity
    return (
        x.divided(exponent),
        None if y is None else y.divided(exponent),
        similarity.divided(exponent),
    )


def require_finite(
    result: Matrix, x: AtomFeatures, y: AtomFeatures | None, similarity: AtomSimilarity
) -> None:
    """Raise ValueError for sums of powers that overflowed."""
    if similarity.widths is not None:  # sums of numbers up to 1
        return
    columns = x if y is None else y
    sides = inputs.Sides(x.X, columns.X, x.largest, columns.largest)
    scale, degree = float(similarity.scales[0]), similarity.degree
    pairs = len(x.X) * len(columns.X)
    if not products.fits_power(sides, scale, similarity.offset, degree, pairs):
        sides.require_finite(result, f"sums of powers of degree {degree}")


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
