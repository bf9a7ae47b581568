"""Kernel matrices among the rows of one feature matrix, computed once and sliced often."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from molkern import kernels
from molkern.regression.validation import Gram

__all__ = ["KERNELS", "Similarity", "check_kernel", "distances", "kernel_matrix"]

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

KERNELS = ("gaussian", "laplacian")
MAX_BYTES = 2 * 2**30
MEDIAN_ROWS = 500


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
    X: Floats,
    Y: Floats | None = None,
    *,
    kernel: str,
    sigma: Any,
    n_copies: int = 1,
    n_threads: int | None = None,
) -> Floats:
    """Kernel matrix by name; see `molkern.kernels` for the definitions.

    Returns
    -------
    ndarray of float64, shape (n, m), or (n_sigmas, n, m) for a sequence of sigmas
    """
    function = kernels.laplacian if check_kernel(kernel) == "laplacian" else kernels.gaussian
    result: Floats = function(X, Y, sigma=sigma, n_copies=n_copies, n_threads=n_threads)
    return result


class Similarity:
    """Kernel matrices among chosen rows of X for any ``sigma``.

    One copy per structure: the distance matrix of all rows is computed once, when it is first
    needed, and every subset and ``sigma`` is a slice of it. Several copies: the average over pairs
    of copies comes after the exponential, so whole kernel matrices are held instead, for the
    values of ``sigma`` given to `hold`. What would need more than ``max_bytes`` is computed for
    the rows that are asked for, each time.

    Parameters
    ----------
    X : ndarray of float64, shape (n, n_copies * n_features)
    kernel : {"gaussian", "laplacian"}
    n_copies : int, default=1
    n_threads : int, optional
    max_bytes : int, default=2 GiB
        Largest matrix, or stack of matrices, that is kept.
    """

    def __init__(
        self,
        X: Floats,
        *,
        kernel: str,
        n_copies: int = 1,
        n_threads: int | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self.X, self.kernel, self.n_copies = X, check_kernel(kernel), n_copies
        self.n_threads, self.max_bytes = n_threads, max_bytes
        self._distances: Floats | None = None
        self._held: dict[float, Floats] = {}

    @property
    def shares_distances(self) -> bool:
        """Whether one distance matrix of all rows serves every request."""
        return self.n_copies == 1 and 8 * len(self.X) ** 2 <= self.max_bytes

    def prepare(self) -> None:
        """Compute the shared distance matrix now, if there is to be one."""
        if self.shares_distances and self._distances is None:
            self._distances = distances(self.X, kernel=self.kernel, n_threads=self.n_threads)

    def batches(self, sigmas: Sequence[float]) -> list[tuple[float, ...]]:
        """Groups of sigmas whose kernel matrices can be held at one time."""
        size = self.max_bytes // max(1, 8 * len(self.X) ** 2)
        if self.n_copies == 1 or size == 0:
            return [tuple(sigmas)] if len(sigmas) else []
        return [tuple(sigmas[k : k + size]) for k in range(0, len(sigmas), size)]

    def hold(self, sigmas: Sequence[float]) -> None:
        """Keep the kernel matrices of all rows for these sigmas, and forget others.

        One pass over the pairs of rows serves them all. Does nothing where distances are shared,
        or where a single matrix would exceed ``max_bytes``.
        """
        if self.n_copies == 1 or 8 * len(self.X) ** 2 > self.max_bytes:
            return
        self._held = {}
        stack = self._direct(self.X, None, list(sigmas))
        self._held = dict(zip(sigmas, stack, strict=True))

    def median_distance(self, rows: Rows) -> float:
        """Median distance between the first 500 of these rows (of their first copies).

        Returns
        -------
        float
            NaN for fewer than two rows.
        """
        rows = rows[:MEDIAN_ROWS]
        if len(rows) < 2:
            return float("nan")
        if self.shares_distances:
            block = self._distances_between(rows, rows)
        else:
            n_features = self.X.shape[1] // self.n_copies
            first = np.ascontiguousarray(self.X[rows, :n_features])
            block = distances(first, kernel=self.kernel, n_threads=self.n_threads)
        return float(np.median(block[np.triu_indices(len(rows), 1)]))

    def gram(self, rows: Rows, sigma: float) -> Floats:
        """Kernel matrix among these rows, shape (n_rows, n_rows); the caller may overwrite it."""
        if self.shares_distances or sigma in self._held:
            return self.cross(rows, rows, sigma)
        return self._direct(self.X[rows], None, sigma)

    def cross(self, rows: Rows, columns: Rows, sigma: float) -> Floats:
        """Kernel matrix between rows and columns, shape (n_rows, n_columns), a fresh array."""
        if self.shares_distances:
            block = self._distances_between(rows, columns)
            return self._exponential(block, sigma)
        if sigma in self._held:
            return np.take(self._held[sigma][rows], columns, axis=1)
        return self._direct(self.X[rows], self.X[columns], sigma)

    def gram_for_tuning(self, rows: Rows, sigmas: Sequence[float]) -> Gram:
        """What `tune` takes, for the rows in this order.

        The distances (several copies: the kernel matrices of all sigmas, in one pass) are computed
        here when they fit into ``max_bytes``, else as they are asked for.
        """
        if self.n_copies == 1 and (self.shares_distances or 8 * len(rows) ** 2 <= self.max_bytes):
            block = (
                self._distances_between(rows, rows)
                if self.shares_distances
                else distances(self.X[rows], kernel=self.kernel, n_threads=self.n_threads)
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

    def _direct(self, X: Floats, Y: Floats | None, sigma: Any) -> Floats:
        return kernel_matrix(
            X, Y, kernel=self.kernel, sigma=sigma, n_copies=self.n_copies, n_threads=self.n_threads
        )
