"""Choice of ``sigma`` and ``alpha`` by cross-validation inside a training set.

Cost. One score is ``cv`` factorisations of (1 - 1/cv) n rows: 0.3 s at n = 2000 on one core, 50 s
for the default grid of 169 points. The search goes from a first part of the set to the whole of
it: about 20 scores at n = 2000. Measured on QM7 (three representations, two kernels, n = 1000) it
found the minimum of the whole grid in 4 of 6 cases and one within 3 % of it in the others.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern._arrays import unmasked
from molkern.regression.baseline import fit_baseline
from molkern.regression.linear import blas_threads, solve

__all__ = ["DEFAULT_ALPHAS", "Tuned", "alpha_of_larger_set", "default_sigmas", "tune"]

Floats = npt.NDArray[np.float64]
Point = tuple[int, int]
Gram = Callable[[int, float], Floats]

# Without gaps: half the width asks for 4 to 16 times the alpha, and a search from neighbour to
# neighbour does not get over a larger step. Up to the diagonal of a kernel matrix, which is 1.
DEFAULT_ALPHAS: tuple[float, ...] = tuple(10.0**k for k in range(-12, 1))
FULL_GRID_ROWS = 500
GROWTH = 4
N_FINALISTS = 4
# Largest relative loss of score for which a narrower kernel is taken to larger training sets.
NARROWER = 0.02
# A part of the set says something about sigma where its best score is below this share of what the
# baseline alone scores.
LEARNT = 0.9
# A move must lower the error by this much: neighbours that differ by rounding are not followed.
TOLERANCE = 1e-3


@dataclass(frozen=True)
class Tuned:
    """Outcome of `tune`.

    Attributes
    ----------
    sigma, alpha : float
        The chosen pair.
    score : float
        Its cross-validated error on the whole training set (see `tune`).
    sigma_larger, alpha_larger : float
        The pair to use for training sets much larger than this one: the smallest ``sigma`` whose
        score is within 2 % of the best. The minimum is flat, and the best width falls as
        sets grow: bag of bonds with a Laplacian on QM7, 8192 (here 2048) at n = 2000 and 1024 at
        5732, where 8192 gives 2.62 and 2048 gives 2.49 kcal/mol.
    table : tuple of (n_rows, sigma, alpha, score)
        Every pair that was tried, in order. The score is infinite where the kernel matrix was
        not positive definite in a fold.
    """

    sigma: float
    alpha: float
    score: float
    sigma_larger: float
    alpha_larger: float
    table: tuple[tuple[int, float, float, float], ...]


def default_sigmas(median_distance: float) -> tuple[float, ...]:
    """Powers of two around the median distance, from 1/8 to 512 times it.

    Whole powers of two, so that training sets of one data set share their values, from 2^-1022 to
    2^1023. A median that is zero or not finite (duplicates only, one structure) counts as 1.

    Examples
    --------
    >>> default_sigmas(100.0)[:4]
    (16.0, 32.0, 64.0, 128.0)
    """
    usable = np.isfinite(median_distance) and median_distance > 0
    middle = round(float(np.log2(median_distance))) if usable else 0
    middle = min(max(middle, -1019), 1014)  # so that all of them are normal numbers
    return tuple(2.0**k for k in range(middle - 3, middle + 10))


def tune(
    gram: Gram,
    y: Floats,
    *,
    sigmas: Sequence[float],
    alphas: Sequence[float] = DEFAULT_ALPHAS,
    cv: int = 5,
    baseline: str = "none",
    counts: npt.NDArray[Any] | None = None,
    full: bool = False,
) -> Tuned:
    """Choose ``sigma`` and ``alpha`` by k-fold cross-validation.

    The score is the mean absolute error over all left-out structures, of each target divided by
    the mean absolute deviation of that target from its median, averaged over the targets.

    Parameters
    ----------
    gram : callable
        ``gram(m, sigma)`` returns the kernel matrix of the first ``m`` structures, shape (m, m),
        float64. It is not modified.
    y : ndarray of float64, shape (n, n_targets)
        Labels in the order of ``gram``. The order must be random: folds are consecutive blocks
        and subsets are first parts.
    sigmas, alphas : sequence of float
        The grid.
    cv : int, default=5
        Number of folds, 2 to n.
    baseline : {"none", "mean", "elements"}
        Fitted anew on the training part of every fold.
    counts : ndarray, shape (n, n_species), optional
        Counts of elements, for ``baseline="elements"``.
    full : bool, default=False
        True: every point of the grid on all n structures. False: see Notes.

    Returns
    -------
    Tuned

    Raises
    ------
    ValueError
        For n < cv or an empty grid.
    numpy.linalg.LinAlgError
        (a ValueError) when no pair of the grid gives a positive definite matrix.

    Notes
    -----
    Sets of up to 500 are searched completely. For larger ones the sizes n, n/4, n/16 ... down to
    500 or less are used, smallest first: the whole grid; from each set the 4 (then 2, then 1) best
    values of ``sigma``, each with its best ``alpha``, go to the next. A set that teaches nothing
    yet (no score is 10 % below that of the baseline alone, or of the mean) says nothing about
    ``sigma``: the next one is then searched completely too. On all n structures then every
    ``alpha`` is tried with the best ``sigma``, and the search moves to the best neighbour on the
    grid — the next ``sigma`` or ``alpha``, or both in opposite directions, in which they
    compensate each other — while that lowers the score by more than 0.1 %.

    Below 3000 structures the BLAS runs in one thread (through threadpoolctl, where it is
    installed), so that the choice does not depend on the number of threads. On equal scores the
    larger ``alpha``, then the larger ``sigma`` wins.
    """
    if not 2 <= cv <= len(y):
        raise ValueError(f"cv={cv}: expected 2 <= cv <= {len(y)} structures")
    if not len(sigmas) or not len(alphas):
        raise ValueError("sigmas and alphas: expected at least one value of each, found none")
    search = _Search(gram, y, sorted(sigmas), sorted(alphas), cv, baseline, counts)
    with blas_threads(None, rows=len(y)):
        best = search.best(full)
        score = search.score(len(y), best)
        if not np.isfinite(score):
            raise np.linalg.LinAlgError(
                f"no kernel matrix is positive definite for alpha in {list(search.alphas)}: "
                "include a larger alpha"
            )
        narrow = search.narrowest(len(y), best)
    return Tuned(*search.values(best), score, *search.values(narrow), tuple(search.table()))


def alpha_of_larger_set(
    kernel: Floats,
    y: Floats,
    *,
    alpha: float,
    alphas: Sequence[float] = DEFAULT_ALPHAS,
    cv: int = 5,
    baseline: str = "none",
    counts: npt.NDArray[Any] | None = None,
) -> float:
    """Adapt an ``alpha`` that was chosen on a first part of a training set to the whole of it.

    From ``alpha`` to the neighbour on the grid while that lowers the mean absolute error of the
    last of ``cv`` folds by more than 0.1 %: one left-out fold instead of all, since sets are large
    here and only the step from one value to the next is judged. The fold is part of the training
    set.

    Parameters
    ----------
    kernel : ndarray of float64, shape (n, n)
        Symmetric, rows in random order. It is not modified.
    y : ndarray of float64, shape (n, n_targets)
    alpha : float
        One of ``alphas``.
    alphas, cv, baseline, counts
        As in `tune`.

    Returns
    -------
    float
        One of ``alphas``.

    Raises
    ------
    ValueError
        For an ``alpha`` that is not one of ``alphas``.

    Notes
    -----
    Each value tried costs one factorisation of (1 - 1/cv) n rows; there are three to five of them.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.random.default_rng(0).normal(size=(50, 1))
    >>> alpha_of_larger_set(np.eye(50), y, alpha=1e-3, alphas=[1e-3, 1.0, 1e3])
    0.001
    """
    if alpha not in alphas:
        raise ValueError(f"alpha: expected one of {list(alphas)}, found {alpha!r}")
    search = _Search(lambda m, sigma: kernel, y, [1.0], sorted(alphas), cv, baseline, counts)
    search.n_scored = 1
    with blas_threads(None, rows=len(y)):
        best = search.walk(len(y), (0, search.alphas.index(alpha)))
    return search.values(best)[1]


class _Search:
    """Scores on a grid, each computed once."""

    def __init__(
        self,
        gram: Gram,
        y: Floats,
        sigmas: Sequence[float],
        alphas: Sequence[float],
        cv: int,
        baseline: str,
        counts: npt.NDArray[Any] | None,
    ) -> None:
        unmasked("y", y)
        unmasked("counts", counts)
        self.gram, self.y, self.cv = gram, y, cv
        self.sigmas, self.alphas = tuple(sigmas), tuple(alphas)
        self.baseline, self.counts = baseline, counts
        self.n_scored = cv  # Of the folds, the last so many are left out in turn.
        spread = np.abs(y - np.median(y, axis=0)).mean(axis=0)
        self.scale = np.where(spread > 0, spread, 1.0)
        self.points = [(i, j) for i in range(len(self.sigmas)) for j in range(len(self.alphas))]
        self.scores: dict[tuple[int, int, int], float] = {}
        self.current: tuple[int, int, Floats] | None = None

    def values(self, point: Point) -> tuple[float, float]:
        return self.sigmas[point[0]], self.alphas[point[1]]

    def table(self) -> list[tuple[int, float, float, float]]:
        return [(m, *self.values((i, j)), score) for (m, i, j), score in self.scores.items()]

    def best(self, full: bool) -> Point:
        """The search described in `tune`."""
        n = len(self.y)
        levels = [n]
        while not full and levels[0] > FULL_GRID_ROWS:
            levels.insert(0, -(-levels[0] // GROWTH))
        points, n_best = self.points, N_FINALISTS
        for m in levels[:-1]:
            found = self.best_of(m, points, n_best)
            if n_best == N_FINALISTS and not self.learnt(m, found[0]):
                continue
            points, n_best = found, max(1, n_best // 2)
        best = self.best_of(n, points, 1)[0]
        if full:
            return best
        line = [(best[0], j) for j in range(len(self.alphas))]
        return self.walk(n, self.best_of(n, line, 1)[0])

    def learnt(self, m: int, best: Point) -> bool:
        """Whether the first m structures teach more than the baseline or their mean."""
        kinds = {self.baseline, "mean"}
        return self.score(m, best) < LEARNT * min(self._baseline_score(m, kind) for kind in kinds)

    def best_of(self, m: int, points: Sequence[Point], n_best: int) -> list[Point]:
        """The best alpha of each sigma on the first m structures; of these the best few.

        Sigma and alpha compensate each other along a valley, so a small set says well which alpha
        goes with a sigma, and not so well which sigma is best.
        """
        chosen: dict[int, Point] = {}
        for point in sorted(points, key=lambda point: self._rank(m, point)):
            chosen.setdefault(point[0], point)
        return list(chosen.values())[:n_best]

    def walk(self, m: int, best: Point) -> Point:
        """From neighbour to better neighbour until none is better."""
        while True:
            near = self._neighbours(best)
            if not near:
                return best
            candidate = min(near, key=lambda point: self._rank(m, point))
            if not self.score(m, candidate) < (1 - TOLERANCE) * self.score(m, best):
                return best
            best = candidate

    def narrowest(self, m: int, best: Point) -> Point:
        """Step by step to smaller sigmas while the score stays within 2 % of the best."""
        limit = (1 + NARROWER) * self.score(m, best)
        while True:
            i, j = best
            near = [point for point in self.points if point[0] == i - 1 and abs(point[1] - j) <= 1]
            candidate = min(near, key=lambda point: self._rank(m, point), default=None)
            if candidate is None or not self.score(m, candidate) <= limit:
                return best
            best = candidate

    def _neighbours(self, point: Point) -> list[Point]:
        """Next sigmas and alphas, and both where they compensate: a wider kernel, less alpha."""
        i, j = point
        near = [(i, j - 1), (i, j + 1), (i - 1, j), (i + 1, j), (i - 1, j + 1), (i + 1, j - 1)]
        return [(i, j) for i, j in near if (i, j) in self.points]

    def _rank(self, m: int, point: Point) -> tuple[float, int, int]:
        return self.score(m, point), -point[1], -point[0]

    def score(self, m: int, point: Point) -> float:
        key = (m, *point)
        if key not in self.scores:
            self.scores[key] = self._cross_validate(m, self._kernel(m, point[0]), point[1])
        return self.scores[key]

    def _kernel(self, m: int, i: int) -> Floats:
        if self.current is None or self.current[:2] != (m, i):
            self.current = None
            self.current = (m, i, self.gram(m, self.sigmas[i]))
        return self.current[2]

    def _cross_validate(self, m: int, kernel: Floats, j: int) -> float:
        return self._mean_over_folds(
            m, lambda start, stop: self._left_out_error(m, kernel, self.alphas[j], start, stop)
        )

    def _baseline_score(self, m: int, kind: str) -> float:
        """What predicting the baseline alone scores."""

        def left_out(start: int, stop: int) -> Floats:
            error: Floats = np.abs(self._residual(m, start, stop, kind)[start:stop]).sum(axis=0)
            return error

        return self._mean_over_folds(m, left_out)

    def _mean_over_folds(self, m: int, left_out: Callable[[int, int], Floats | None]) -> float:
        total = np.zeros(self.y.shape[1])
        bounds = np.linspace(0, m, self.cv + 1).astype(int)
        for start, stop in list(itertools.pairwise(bounds.tolist()))[-self.n_scored :]:
            if start == stop:
                continue
            error = left_out(start, stop)
            if error is None:
                return float("inf")
            total += error
        score = float(np.mean(total / (m - bounds[-1 - self.n_scored]) / self.scale))
        return score if np.isfinite(score) else float("inf")

    def _residual(self, m: int, start: int, stop: int, kind: str) -> Floats:
        """Labels of the first m rows less the baseline of those outside start .. stop - 1."""
        kept = np.r_[0:start, stop:m]
        y, counts = self.y[:m], None if self.counts is None else self.counts[:m]
        base = fit_baseline(kind, y[kept], None if counts is None else counts[kept])
        residual: Floats = y - base.predict(m, counts)
        return residual

    def _left_out_error(
        self, m: int, kernel: Floats, alpha: float, start: int, stop: int
    ) -> Floats | None:
        """Sum of the absolute errors of rows start .. stop - 1, one per target."""
        kept = np.r_[0:start, stop:m]
        residual = self._residual(m, start, stop, self.baseline)
        try:
            coefficients = solve(_without(kernel, start, stop), residual[kept], alpha)
        except np.linalg.LinAlgError:
            return None
        left_out = kernel[start:stop]
        predicted = left_out[:, :start] @ coefficients[:start]
        predicted += left_out[:, stop:] @ coefficients[start:]
        error: Floats = np.abs(predicted - residual[start:stop]).sum(axis=0)
        return error


def _without(kernel: Floats, start: int, stop: int) -> Floats:
    """Upper triangle of the kernel matrix without the rows and columns start .. stop - 1."""
    m = len(kernel)
    out = np.empty((m - stop + start, m - stop + start))
    out[:start, :start] = kernel[:start, :start]
    out[:start, start:] = kernel[:start, stop:]
    out[start:, start:] = kernel[stop:, stop:]
    return out
