"""The tasks of a learning curve: one choice of parameters or one fit each, stored when done.

Cost at QM7's size (7165 structures, N = 5732) on one core: distances of all structures 1 s,
once for each representation and kernel; the factorisation 63 Gflop, 1.3 s, for each fold; sigma
and alpha at 2000 structures about 20 scores of 5 x 1.4 Gflop, 5 s, for each fold; alpha at 5732
structures three factorisations of four fifths of them, 3 s, for each fold. Eight random
copies: 64 times the distances, in one pass for all sigmas that are needed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt

import molkern
from molkern._atom_features import AtomFeatures, atom_features
from molkern.datasets import Dataset
from molkern.regression.baseline import fit_baseline
from molkern.regression.linear import blas_threads, predict_in_blocks, solve_with_larger_alpha
from molkern.regression.similarity import LOCAL_TUNING_ROWS, Similarity, is_local
from molkern.regression.validation import (
    DEFAULT_ALPHAS,
    alpha_of_larger_set,
    default_sigmas,
    tune,
)
from molkern.study import models
from molkern.study.progress import Progress, ProgressCallback
from molkern.study.result import NOT_RECORDED
from molkern.study.splits import Split
from molkern.study.store import Store

__all__ = ["Features", "Plan", "run_model"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Plan:
    """Everything about a study but its models; all of it checked."""

    data: Dataset
    property: str
    data_hash: str
    splits: tuple[Split, ...]
    sizes: tuple[int, ...]
    baseline: str
    n_tune: int
    cv: int
    store: Store | None
    max_bytes: int
    n_threads: int | None
    progress: ProgressCallback | None
    n_models: int

    @cached_property
    def origin(self) -> dict[str, Any]:
        """Threads, instruction set and compiler of this process; see `study.result.ORIGIN`."""
        build = molkern.build_info()
        threads = build["n_threads"] if self.n_threads is None else self.n_threads
        return {"n_threads": threads, "isa": build["isa"], "compiler": build["compiler"]}

    @cached_property
    def y(self) -> Floats:
        """Labels, shape (n_structures, 1)."""
        return np.asarray(self.data.targets[self.property], dtype=np.float64)[:, None]

    @cached_property
    def counts(self) -> npt.NDArray[np.int64] | None:
        """Counts of elements for the baseline that needs them."""
        return self.data.structures.composition() if self.baseline == "elements" else None


class Features:
    """Features of all structures, computed when a task first needs them."""

    def __init__(self, model: Any, plan: Plan) -> None:
        self.model, self.plan = model, plan
        self.label = models.label(model)
        self.specification = models.specification(model)
        self.seconds = 0.0
        parameters = model.get_params()
        random = parameters.get("permutation") == "random"
        self.n_copies = int(parameters["n_copies"]) if random else 1
        self.per_atom = models.per_atom(model)

    @cached_property
    def rows(self) -> Floats | AtomFeatures:
        """Shape (n_structures, n_copies * n_features), float64; or of atoms, as they come."""
        structures = self.plan.data.structures
        start = time.perf_counter()
        features = self.model.fit(structures).transform(structures)
        self.seconds = time.perf_counter() - start
        if self.per_atom:
            return atom_features(f"representation {self.label!r}", features, structures)
        if features.shape[0] != len(structures):
            raise ValueError(
                f"representation {self.label!r}: expected one row for each of "
                f"{len(structures)} structures, found shape {features.shape}"
            )
        return np.ascontiguousarray(features, dtype=np.float64)

    @property
    def n_features(self) -> int:
        """Features of one copy, or of an atom."""
        X = self.rows.X if isinstance(self.rows, AtomFeatures) else self.rows
        return int(X.shape[1]) // self.n_copies


def run_model(plan: Plan, features: Features, kernel: str, number: int) -> list[dict[str, Any]]:
    """All rows of one representation and kernel, in the order of splits and sizes."""
    return _Run(plan, features, kernel, number).rows()


class _Run:
    """One representation with one kernel."""

    def __init__(self, plan: Plan, features: Features, kernel: str, number: int) -> None:
        self.plan, self.features, self.kernel, self.number = plan, features, kernel, number
        self.seconds_shared = 0.0
        self.n_tune = min(plan.n_tune, LOCAL_TUNING_ROWS) if is_local(kernel) else plan.n_tune

    def rows(self) -> list[dict[str, Any]]:
        plan = self.plan
        pairs = [(split, n) for split in plan.splits for n in plan.sizes]
        tunings = [
            (split, m)
            for split in plan.splits
            for m in sorted({min(n, self.n_tune) for n in plan.sizes})
        ]
        tuned: dict[Any, dict[str, Any]] = {}
        self._report("tune", 0, len(tunings))
        for done, (split, m) in enumerate(tunings, 1):
            tuned[split.seed, split.fold, m] = self._stored(
                self._specification("tune", split, m), partial(self._tune, split, m)
            )
            self._report("tune", done, len(tunings))
        found = self._fits(pairs, tuned)
        return [self._row(split, n, found[split.seed, split.fold, n]) for split, n in pairs]

    def _fits(
        self, pairs: Sequence[tuple[Split, int]], tuned: dict[Any, dict[str, Any]]
    ) -> dict[Any, dict[str, Any]]:
        """Results of all fits; those that share a kernel matrix of all structures together."""
        found: dict[Any, dict[str, Any]] = {}
        pending = []
        for split, n in pairs:
            specification = self._specification("fit", split, n)
            choice = tuned[split.seed, split.fold, min(n, self.n_tune)]
            if n > self.n_tune:
                larger = {"sigma": choice["sigma_larger"], "alpha": choice["alpha_larger"]}
                choice = {**choice, **larger}
            stored = self.plan.store.get(specification) if self.plan.store else None
            if stored is None:
                pending.append((split, n, specification, choice))
            else:
                found[split.seed, split.fold, n] = stored
        self._report("fit", len(found), len(pairs))
        if not pending:
            return found
        similarity = self.similarity
        for batch in similarity.batches(sorted({choice["sigma"] for *_, choice in pending})):
            if not similarity.by_distance:
                self._timed_kernel(partial(self._hold, batch))
            for split, n, specification, choice in pending:
                if choice["sigma"] in batch:
                    with blas_threads(None, rows=n):
                        result = self._fit(split, n, choice)
                    if self.plan.store:
                        self.plan.store.put(specification, result)
                    found[split.seed, split.fold, n] = result
                    self._report("fit", len(found), len(pairs))
        return found

    def _hold(self, sigmas: Sequence[float]) -> None:
        """Matrices that the fits share, where that is less work than one for each fit.

        Decided from all fits, not from those that are still to be done: a study that was killed
        ends with the same numbers.
        """
        if not is_local(self.kernel):
            self.similarity.hold(sigmas)
            return
        splits, sizes = self.plan.splits, self.plan.sizes
        needed = [np.r_[split.train[: max(sizes)], split.test] for split in splits]
        rows = np.unique(np.concatenate(needed))
        each = sum(n * (n / 2 + len(split.test)) for split in splits for n in sizes)
        if len(rows) ** 2 / 2 <= each:
            self.similarity.hold(sigmas, rows)

    @cached_property
    def similarity(self) -> Similarity:
        self._report("representation", 0, 1)
        rows = self.features.rows
        self._report("representation", 1, 1)
        similarity = Similarity(
            rows,
            kernel=self.kernel,
            n_copies=self.features.n_copies,
            n_threads=self.plan.n_threads,
            max_bytes=self.plan.max_bytes,
        )
        if similarity.by_distance:
            self._timed_kernel(similarity.prepare)
        return similarity

    def _timed_kernel(self, compute: Callable[[], None]) -> None:
        self._report("kernel", 0, 1)
        start = time.perf_counter()
        compute()
        self.seconds_shared = time.perf_counter() - start
        self._report("kernel", 1, 1)

    def _tune(self, split: Split, m: int) -> dict[str, Any]:
        plan, rows, similarity = self.plan, split.train[:m], self.similarity
        start = time.perf_counter()
        sigmas = default_sigmas(similarity.median_distance(rows))
        tuned = tune(
            similarity.gram_for_tuning(rows, sigmas),
            plan.y[rows],
            sigmas=sigmas,
            alphas=DEFAULT_ALPHAS,
            cv=plan.cv,
            baseline=plan.baseline,
            counts=None if plan.counts is None else plan.counts[rows],
        )
        return {
            "sigma": tuned.sigma,
            "alpha": tuned.alpha,
            "score": tuned.score,
            "sigma_larger": tuned.sigma_larger,
            "alpha_larger": tuned.alpha_larger,
            "seconds_tune": time.perf_counter() - start,
        }

    def _fit(self, split: Split, n: int, choice: dict[str, Any]) -> dict[str, Any]:
        plan, rows, test = self.plan, split.train[:n], split.test
        similarity, sigma = self.similarity, choice["sigma"]
        counts, test_counts = (
            (None, None) if plan.counts is None else (plan.counts[rows], plan.counts[test])
        )
        base = fit_baseline(plan.baseline, plan.y[rows], counts)
        residual = plan.y[rows] - base.predict(n, counts)
        seconds_kernel = 0.0

        def gram() -> Floats:
            nonlocal seconds_kernel
            start = time.perf_counter()
            matrix = similarity.gram(rows, sigma)
            seconds_kernel += time.perf_counter() - start
            return matrix

        start = time.perf_counter()
        smallest, ready = choice["alpha"], []
        if n > self.n_tune:
            ready.append(gram())
            smallest = self._adapted_alpha(ready[0], rows, smallest)
        seconds_adapt = time.perf_counter() - start - seconds_kernel
        alphas = [a for a in DEFAULT_ALPHAS if a >= smallest]
        coefficients, alpha = solve_with_larger_alpha(
            lambda: ready.pop() if ready else gram(), residual, alphas
        )
        solved = time.perf_counter()
        predicted = predict_in_blocks(
            lambda block: similarity.cross(test[block], rows, sigma), len(test), coefficients
        )
        predicted += base.predict(len(test), test_counts)
        finished = time.perf_counter()
        error = np.abs(predicted - plan.y[test])
        return {
            "n_test": len(test),
            "mae": float(error.mean()),
            "rmse": float(np.sqrt((error**2).mean())),
            "max_error": float(error.max()),
            "sigma": sigma,
            "alpha": alpha,
            "n_features": self.features.n_features,
            "seconds_representation": self.features.seconds,
            "seconds_kernel": self.seconds_shared + seconds_kernel,
            "seconds_tune": choice["seconds_tune"] + seconds_adapt,
            "seconds_fit": solved - start - seconds_kernel - seconds_adapt,
            "seconds_predict": finished - solved,
            **plan.origin,
        }

    def _adapted_alpha(self, kernel: Floats, rows: npt.NDArray[np.int64], alpha: float) -> float:
        """What suits these rows, beginning with the choice of a first part of them."""
        plan = self.plan
        return alpha_of_larger_set(
            kernel,
            plan.y[rows],
            alpha=alpha,
            cv=plan.cv,
            baseline=plan.baseline,
            counts=None if plan.counts is None else plan.counts[rows],
        )

    def _row(self, split: Split, n: int, values: dict[str, Any]) -> dict[str, Any]:
        return {
            "dataset": self.plan.data.name,
            "property": self.plan.property,
            "unit": self.plan.data.units[self.plan.property],
            "representation": self.features.label,
            "kernel": self.kernel,
            "baseline": self.plan.baseline,
            "n_train": n,
            "fold": split.fold,
            "seed": split.seed,
            "n_tune": min(n, self.n_tune),
            **NOT_RECORDED,
            **values,
        }

    def _specification(self, task: str, split: Split, n: int) -> dict[str, Any]:
        """All that decides the numbers of a task; a choice and a fit of one size differ."""
        return {
            "task": task,
            "data": self.plan.data_hash,
            "property": self.plan.property,
            "representation": self.features.specification,
            "kernel": self.kernel,
            "baseline": self.plan.baseline,
            "fold": split.fold,
            "seed": split.seed,
            "n_train": n,
            "n_tune": min(n, self.n_tune),
            "cv": self.plan.cv,
        }

    def _stored(
        self, specification: dict[str, Any], compute: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        store = self.plan.store
        result = store.get(specification) if store else None
        if result is None:
            result = compute()
            if store:
                store.put(specification, result)
        return result

    def _report(self, stage: str, completed: int, total: int) -> None:
        if self.plan.progress is not None:
            label = f"{self.features.label}, {self.kernel}"
            n_models = self.plan.n_models
            self.plan.progress(Progress(stage, completed, total, label, self.number, n_models))
