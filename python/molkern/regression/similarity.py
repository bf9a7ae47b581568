"""Kernel matrices among the rows of one feature matrix, computed once and sliced often."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from molkern import _atom_features, kernels
from molkern._arrays import require_bytes
from molkern._atom_features import AtomFeatures
from molkern.regression.validation import Gram

__all__ = [
    "KERNELS",
    "LOCAL_KERNELS",
    "PRECOMPUTED",
    "Similarity",
    "check_kernel",
    "check_model_kernel",
    "distances",
    "is_local",
    "kernel_matrix",
]

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
Inputs = Floats | AtomFeatures

LOCAL_KERNELS = ("local.gaussian",)
KERNELS = ("gaussian", "laplacian", *LOCAL_KERNELS)
# The kernel of a model whose matrix the user computes.
PRECOMPUTED = "precomputed"
MAX_BYTES = 2 * 2**30
MEDIAN_ROWS = 500
MEDIAN_ATOMS = 1000
# Beyond, the width of a local kernel is not searched for: a matrix costs a hundred times as much
# as one of the features of whole molecules.
LOCAL_TUNING_ROWS = 1000


def check_kernel(kernel: str) -> str:
    """Return ``kernel`` when it is one of `KERNELS`.

    Raises
    ------
    ValueError
        For any other value.

    Examples
    --------
    >>> check_kernel("laplacian")
    'laplacian'
    """
    if kernel not in KERNELS:
        raise ValueError(f"kernel: expected one of {KERNELS}, found {kernel!r}")
    return kernel


def check_model_kernel(kernel: str) -> str:
    """Return ``kernel`` when it is one of `KERNELS`, or ``"precomputed"``.

    Raises
    ------
    ValueError
        For any other value.

    Examples
    --------
    >>> check_model_kernel("precomputed")
    'precomputed'
    """
    if kernel not in (*KERNELS, PRECOMPUTED):
        raise ValueError(f"kernel: expected one of {(*KERNELS, PRECOMPUTED)}, found {kernel!r}")
    return kernel


def is_local(kernel: str) -> bool:
    """Whether a kernel compares atoms: its rows are `AtomFeatures`.

    Examples
    --------
    >>> is_local("local.gaussian"), is_local("gaussian")
    (True, False)
    """
    return check_kernel(kernel) in LOCAL_KERNELS


def distances(
    X: Floats, Y: Floats | None = None, *, kernel: str, n_threads: int | None = None
) -> Floats:
    """Distances that a kernel rests on: Manhattan for Laplacian, Euclidean for Gaussian.

    Parameters
    ----------
    X : ndarray of float64, shape (n, n_features)
    Y : ndarray of float64, shape (m, n_features), optional
        None: the rows of X among themselves.
    kernel : {"gaussian", "laplacian"}
    n_threads : int, optional

    Returns
    -------
    ndarray of float64, shape (n, m)
    """
    function = (
        kernels.manhattan_distances
        if check_kernel(kernel) == "laplacian"
        else kernels.euclidean_distances
    )
    result: Floats = function(X, Y, n_threads=n_threads)
    return result


def kernel_matrix(
    X: Inputs,
    Y: Inputs | None = None,
    *,
    kernel: str,
    sigma: Any,
    n_copies: int = 1,
    n_threads: int | None = None,
) -> Floats:
    """Kernel matrix by name; see `molkern.kernels` for the definitions.

    Local kernels take `AtomFeatures`, also of float32.

    Returns
    -------
    ndarray of float64, shape (n, m), or (n_sigmas, n, m) for a sequence of sigmas
    """
    if isinstance(X, AtomFeatures):
        assert not isinstance(Y, np.ndarray)
        return _local_matrix(X, Y, sigma, n_threads)
    assert not isinstance(Y, AtomFeatures)
    function = kernels.laplacian if check_kernel(kernel) == "laplacian" else kernels.gaussian
    result: Floats = function(X, Y, sigma=sigma, n_copies=n_copies, n_threads=n_threads)
    return result


def _local_matrix(
    X: AtomFeatures, Y: AtomFeatures | None, sigma: Any, n_threads: int | None
) -> Floats:
    similarity = _atom_features.gaussian_similarity(sigma)
    X, Y, similarity = _atom_features.in_range(X, Y, similarity)
    columns = X if Y is None else Y
    shape = (len(similarity.scales), len(X), len(columns))
    require_bytes(shape, np.float64, "local.gaussian")
    out = np.empty(shape)
    centres = columns.centres(n_threads)
    _atom_features.gram(X, Y, similarity, centres, out, n_threads=n_threads)
    return out[0] if similarity.single else out


class Similarity:
    """Kernel matrices among chosen rows of X for any ``sigma``.

    One copy per structure: the distance matrix of all rows is computed once, when it is first
    needed, and every subset and ``sigma`` is a slice of it. Several copies, or local kernels: sums
    over pairs of copies or of atoms come after the exponential, so whole kernel matrices are held
    instead, for the values of ``sigma`` given to `hold`. What would need more than ``max_bytes``
    is computed for the rows that are asked for, each time.

    Parameters
    ----------
    X : ndarray of float64, shape (n, n_copies * n_features), or AtomFeatures
    kernel : {"gaussian", "laplacian", "local.gaussian"}
    n_copies : int, default=1
    n_threads : int, optional
    max_bytes : int, default=2 GiB
        Largest matrix, or stack of matrices, that is kept.
    share : bool, default=True
        Whether a matrix of all rows may be kept. The values do not depend on it, but for the
        rounding of sums in another order.
    """

    def __init__(
        self,
        X: Inputs,
        *,
        kernel: str,
        n_copies: int = 1,
        n_threads: int | None = None,
        max_bytes: int = MAX_BYTES,
        share: bool = True,
    ) -> None:
        # With one set of centres the values do not depend on which rows are asked for, but for the
        # rounding of sums in another order.
        self.X = X.with_centres(n_threads) if isinstance(X, AtomFeatures) else X
        self.kernel, self.n_copies = check_kernel(kernel), n_copies
        self.n_threads, self.max_bytes, self.share = n_threads, max_bytes, share
        self._distances: Floats | None = None
        self._held: dict[float, Floats] = {}
        self._places = np.arange(0)  # of every row in the matrices held

    @property
    def by_distance(self) -> bool:
        """Whether the kernels of every width are functions of one distance matrix."""
        return self.n_copies == 1 and not is_local(self.kernel)

    @property
    def shares_distances(self) -> bool:
        """Whether one distance matrix of all rows serves every request."""
        return self.share and self.by_distance and 8 * len(self.X) ** 2 <= self.max_bytes

    def prepare(self) -> None:
        """Compute the shared distance matrix now, if there is to be one."""
        if self.shares_distances and self._distances is None:
            self._distances = distances(self._matrix, kernel=self.kernel, n_threads=self.n_threads)

    def batches(self, sigmas: Sequence[float]) -> list[tuple[float, ...]]:
        """Groups of sigmas whose kernel matrices can be held at one time."""
        size = self.max_bytes // max(1, 8 * len(self.X) ** 2)
        if self.by_distance or size == 0 or not self.share:
            return [tuple(sigmas)] if len(sigmas) else []
        return [tuple(sigmas[k : k + size]) for k in range(0, len(sigmas), size)]

    def hold(self, sigmas: Sequence[float], rows: Rows | None = None) -> None:
        """Keep the kernel matrices of these rows (None: all) for these sigmas, and forget others.

        One pass over the pairs of rows serves them all. Does nothing where distances are shared,
        or where a single matrix would exceed ``max_bytes``.
        """
        held = np.arange(len(self.X)) if rows is None else rows
        if self.by_distance or 8 * len(held) ** 2 > self.max_bytes:
            return
        if rows is None and not self.share:
            return
        self._held = {}
        stack = self._direct(self.X if rows is None else self.X[rows], None, list(sigmas))
        self._held = dict(zip(sigmas, stack, strict=True))
        self._places = np.full(len(self.X), -1)
        self._places[held] = np.arange(len(held))

    def median_distance(self, rows: Rows) -> float:
        """Median distance between the first 500 of these rows (of their first copies).

        Local kernels: between atoms of equal element, of a fixed random sample of 1000 of their
        atoms.

        Returns
        -------
        float
            NaN for fewer than two rows.
        """
        if isinstance(self.X, AtomFeatures):
            return _median_between_atoms(self.X[rows[:MEDIAN_ROWS]], self.n_threads)
        rows = rows[:MEDIAN_ROWS]
        if len(rows) < 2:
            return float("nan")
        if self.shares_distances:
            block = self._distances_between(rows, rows)
        else:
            n_features = self._matrix.shape[1] // self.n_copies
            first = np.ascontiguousarray(self._matrix[rows, :n_features])
            block = distances(first, kernel=self.kernel, n_threads=self.n_threads)
        return _median(block[np.triu_indices(len(rows), 1)])

    def gram(self, rows: Rows, sigma: float) -> Floats:
        """Kernel matrix among these rows, shape (n_rows, n_rows); the caller may overwrite it."""
        if self.shares_distances or self._holds(sigma, rows):
            return self.cross(rows, rows, sigma)
        return self._direct(self.X[rows], None, sigma)

    def cross(self, rows: Rows, columns: Rows, sigma: float) -> Floats:
        """Kernel matrix between rows and columns, shape (n_rows, n_columns), a fresh array."""
        if self.shares_distances:
            block = self._distances_between(rows, columns)
            return self._exponential(block, sigma)
        if self._holds(sigma, rows) and self._holds(sigma, columns):
            places = self._places
            return np.take(self._held[sigma][places[rows]], places[columns], axis=1)
        return self._direct(self.X[rows], self.X[columns], sigma)

    def gram_for_tuning(self, rows: Rows, sigmas: Sequence[float]) -> Gram:
        """What `tune` takes, for the rows in this order.

        The distances (several copies and local kernels: the kernel matrices of all sigmas, in one
        pass) are computed here when they fit into ``max_bytes``, else as they are asked for.
        """
        if self.by_distance and (self.shares_distances or 8 * len(rows) ** 2 <= self.max_bytes):
            block = (
                self._distances_between(rows, rows)
                if self.shares_distances
                else distances(self._matrix[rows], kernel=self.kernel, n_threads=self.n_threads)
            )
            return lambda m, sigma: self._exponential(block[:m, :m].copy(), sigma)
        if 8 * len(sigmas) * len(rows) ** 2 <= self.max_bytes:
            stack = dict(zip(sigmas, self._direct(self.X[rows], None, list(sigmas)), strict=True))
            return lambda m, sigma: stack[sigma][:m, :m]
        return self._gram_on_demand(rows)

    def _gram_on_demand(self, rows: Rows) -> Gram:
        """Kernel matrices computed when asked for; the last ones are kept up to ``max_bytes``."""
        kept: dict[tuple[int, float], Floats] = {}

        def gram(m: int, sigma: float) -> Floats:
            if (m, sigma) not in kept:
                while kept and sum(k.nbytes for k in kept.values()) + 8 * m * m > self.max_bytes:
                    kept.pop(next(iter(kept)))
                kept[m, sigma] = self._direct(self.X[rows[:m]], None, sigma)
            return kept[m, sigma]

        return gram

    def _holds(self, sigma: float, rows: Rows) -> bool:
        return sigma in self._held and bool((self._places[rows] >= 0).all())

    @property
    def _matrix(self) -> Floats:
        """X, which is a matrix where distances of rows are asked for."""
        assert not isinstance(self.X, AtomFeatures)
        return self.X

    def _distances_between(self, rows: Rows, columns: Rows) -> Floats:
        self.prepare()
        assert self._distances is not None
        return np.take(self._distances[rows], columns, axis=1)

    def _exponential(self, block: Floats, sigma: float) -> Floats:
        name = cast(Literal["gaussian", "laplacian"], self.kernel)
        result: Floats = kernels.from_distances(
            block, kernel=name, sigma=sigma, out=block, n_threads=self.n_threads
        )
        return result

    def _direct(self, X: Inputs, Y: Inputs | None, sigma: Any) -> Floats:
        return kernel_matrix(
            X, Y, kernel=self.kernel, sigma=sigma, n_copies=self.n_copies, n_threads=self.n_threads
        )


def _median_between_atoms(features: AtomFeatures, n_threads: int | None) -> float:
    """Median distance between atoms of equal element, in a sample that is always the same."""
    atoms = features.atoms()
    if len(atoms) > MEDIAN_ATOMS:
        chosen = np.random.default_rng(0).choice(len(atoms), MEDIAN_ATOMS, replace=False)
        atoms = atoms[np.sort(chosen)]
    numbers = features.structures.numbers[atoms]
    found = [np.empty(0)]
    for element in np.unique(numbers):
        rows = features.X[atoms[numbers == element]]
        block = kernels.euclidean_distances(rows, n_threads=n_threads)
        found.append(block[np.triu_indices(len(rows), 1)])
    pairs = np.concatenate(found)
    return _median(pairs) if len(pairs) else float("nan")


def _median(distances: Floats) -> float:
    with np.errstate(over="ignore"):
        median = float(np.median(distances))
    # Of an even number it is the mean of two, whose sum may overflow.
    return median if np.isfinite(median) else 2 * float(np.median(0.5 * distances))
