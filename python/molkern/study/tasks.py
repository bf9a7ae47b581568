"""The tasks of a learning curve: one choice of parameters or one fit each, stored when done.

Cost at QM7's size (7165 structures, N = 5732) on one core: distances of all structures 1 s,
once for each representation and kernel; the factorisation 63 Gflop, 1.3 s, for each fold; sigma
and alpha at 2000 structures about 20 scores of 5 x 1.4 Gflop, 5 s, for each fold; alpha at 5732
structures three factorisations of four fifths of them, 3 s, for each fold. Eight random
copies: 64 times the distances, in one pass for all sigmas that are needed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern._arrays import require_bytes
from molkern._atom_features import AtomFeatures, atom_features
from molkern.regression.baseline import fit_baseline
from molkern.regression.linear import blas_threads, predict_in_blocks, solve_with_larger_alpha
from molkern.regression.similarity import Similarity, is_local
from molkern.regression.validation import (
    DEFAULT_ALPHAS,
    alpha_of_larger_set,
    default_sigmas,
    tune,
)
from molkern.study import models
from molkern.study.plan import Plan
from molkern.study.splits import Split

__all__ = ["Features", "Fits", "Job", "Tune", "compute", "require_features"]

Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]


class Features:
    """Features of the structures that a plan uses, computed when a task first needs them.

    Parameters
    ----------
    model : representation
        Fitted to all structures of the plan, see `require_features`.
    plan : Plan

    Attributes
    ----------
    chosen : ndarray of int64
        Structures of the rows. All of them where one matrix of all may be shared, and for features
        of atoms, whose means over all structures enter the kernels.
    """

    def __init__(self, model: Any, plan: Plan) -> None:
        self.model, self.plan = model, plan
        self.label = models.label(model)
        self.seconds = 0.0
        parameters = model.get_params()
        if parameters.get("n_threads", 0) is None:
            model.set_params(n_threads=plan.n_threads)
        random = parameters.get("permutation") == "random"
        self.n_copies = int(parameters["n_copies"]) if random else 1
        self.per_atom = models.per_atom(model)
        n = len(plan.data)
        self.every = self.per_atom or 8 * n**2 <= plan.max_bytes or len(plan.used) == n
        self.chosen: Index = np.arange(n) if self.every else plan.used

    def places(self, structures: Index) -> Index:
        """Rows of these structures, which are among those chosen."""
        places: Index = np.searchsorted(self.chosen, structures)
        return places

    @cached_property
    def rows(self) -> Floats | AtomFeatures:
        """Shape (n_chosen, n_copies * n_features), float64; or of atoms, as they come."""
        structures = self.plan.data.structures
        start = time.perf_counter()
        if not self.every:
            structures = structures[self.chosen]
        features = self.model.transform(structures)
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


def require_features(model: Any, plan: Plan) -> None:
    """Fit a representation to the structures of a plan; raise where it cannot represent them.

    Raises
    ------
    ValueError
        What the representation says of the structures.
    MemoryError
        If its features do not fit in memory, with their size in bytes.
    """
    model.fit(plan.data.structures)
    chosen = Features(model, plan).chosen
    sizes = plan.data.structures.sizes
    n_rows = int(sizes[chosen].sum()) if models.per_atom(model) else len(chosen)
    shape = (n_rows, int(model.n_features_out_))
    require_bytes(shape, str(model.get_params().get("dtype", "float64")), models.label(model))


@dataclass(frozen=True)
class Tune:
    """Choose parameters of model ``number`` on the first ``n`` rows of a split."""

    number: int
    split: int
    n: int


@dataclass(frozen=True)
class Fits:
    """Fits of model ``number``: (split, n_train, choice of parameters) each."""

    number: int
    fits: tuple[tuple[int, int, dict[str, Any]], ...]


class Job:
    """A plan and its models: all that tasks need; what is computed once is kept for the next.

    Parameters
    ----------
    plan : Plan
    models : sequence of (representation, kernels)
        Numbered one kernel after the other.
    """

    def __init__(self, plan: Plan, models: Sequence[tuple[Any, Sequence[str]]]) -> None:
        self.plan = plan
        self.models = [(model, kernel) for model, kernels in models for kernel in kernels]
        self._features: tuple[Any, Features] | None = None
        self._run: tuple[tuple[int, int | None], _Run] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """For another process: neither results nor callbacks, and the labels that are learnt."""
        name, data = self.plan.property, self.plan.data
        data = data.replace(targets={name: data.targets[name]}, default_target=name)
        plan = replace(self.plan, data=data, store=None, progress=None)
        return {"plan": plan, "models": self.models, "_features": None, "_run": None}

    def run(self, number: int, n_threads: int | None) -> _Run:
        """The run of a model; the last one is kept, the features for all its kernels."""
        if self._run is None or self._run[0] != (number, n_threads):
            self._run = None
            plan = self.plan
            if plan.n_threads != n_threads:
                plan = replace(plan, n_threads=n_threads)
            model, kernel = self.models[number]
            if self._features is None or self._features[0] is not model:
                self._features = None
                self._features = model, Features(model, plan)
            self._run = (number, n_threads), _Run(plan, self._features[1], kernel, number)
        return self._run[1]


def compute(job: Job, task: Tune | Fits, n_threads: int | None) -> Iterator[dict[str, Any]]:
    """Results of a task, in the order of what it asks for; fits with their split and size."""
    run = job.run(task.number, n_threads)
    splits = job.plan.splits
    if isinstance(task, Tune):
        yield run.tune(splits[task.split], task.n)
        return
    similarity = run.similarity
    for batch in similarity.batches(sorted({choice["sigma"] for *_, choice in task.fits})):
        if not similarity.by_distance:
            run.hold(batch)
        for split, n, choice in task.fits:
            if choice["sigma"] in batch:
                with blas_threads(None, rows=n):
                    result = run.fit(splits[split], n, choice)
                yield {"split": split, "n": n, "result": result}


class _Run:
    """One representation with one kernel."""

    def __init__(self, plan: Plan, features: Features, kernel: str, number: int) -> None:
        self.plan, self.features, self.kernel, self.number = plan, features, kernel, number
        self.n_tune = plan.tune_rows(kernel)
        self.seconds_shared = 0.0

    def hold(self, sigmas: Sequence[float]) -> None:
        """Matrices that the fits share, where that is less work than one for each fit.

        Decided from all fits, not from those that are still to be done: a study that was killed
        ends with the same numbers.
        """
        self._timed_kernel(partial(self._hold, sigmas))

    def _hold(self, sigmas: Sequence[float]) -> None:
        if not is_local(self.kernel):
            self.similarity.hold(sigmas)
            return
        rows = self.plan.used
        each = sum(
            n * (n / 2 + len(split.test)) for split in self.plan.splits for n in self.plan.sizes
        )
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
            share=self.features.every,
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

    def tune(self, split: Split, m: int) -> dict[str, Any]:
        """Choice of parameters on the first m rows."""
        plan, rows, similarity = self.plan, split.train[:m], self.similarity
        places = self.features.places(rows)
        start = time.perf_counter()
        sigmas = default_sigmas(similarity.median_distance(places))
        tuned = tune(
            similarity.gram_for_tuning(places, sigmas),
            plan.y[rows],
            sigmas=sigmas,
            alphas=DEFAULT_ALPHAS,
            cv=plan.cv,
            baseline=plan.baseline.fitted,
            counts=None if plan.counts is None else plan.counts[rows],
        )
        return {
            "sigma": tuned.sigma,
            "alpha": tuned.alpha,
            "score": tuned.score,
            "sigma_larger": tuned.sigma_larger,
            "alpha_larger": tuned.alpha_larger,
            "sigma_ends": [sigmas[0], sigmas[-1]],
            "seconds_tune": time.perf_counter() - start,
        }

    def fit(self, split: Split, n: int, choice: dict[str, Any]) -> dict[str, Any]:
        """Errors of a model that is trained on the first n rows."""
        plan, rows, test = self.plan, split.train[:n], split.test
        similarity, sigma = self.similarity, choice["sigma"]
        places, test_places = self.features.places(rows), self.features.places(test)
        counts, test_counts = (
            (None, None) if plan.counts is None else (plan.counts[rows], plan.counts[test])
        )
        base = fit_baseline(plan.baseline.fitted, plan.y[rows], counts)
        residual = plan.y[rows] - base.predict(n, counts)
        seconds_kernel = 0.0

        def gram() -> Floats:
            nonlocal seconds_kernel
            start = time.perf_counter()
            matrix = similarity.gram(places, sigma)
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
            lambda block: similarity.cross(test_places[block], places, sigma),
            len(test),
            coefficients,
        )
        by_baseline = base.predict(len(test), test_counts)
        predicted += by_baseline
        finished = time.perf_counter()
        error, alone = (np.abs(found - plan.y[test])[:, 0] for found in (predicted, by_baseline))
        parts = [
            self._errors(error[part], test[part]) | {"mae_baseline": float(alone[part].mean())}
            for _, part in plan.tested(split)
        ]
        return {
            **({"tests": parts} if plan.tests else parts[0]),
            "sigma": sigma,
            "alpha": alpha,
            "n_features": self.features.n_features,
            "n_represented": len(self.features.chosen),
            "seconds_representation": self.features.seconds,
            "seconds_kernel": self.seconds_shared + seconds_kernel,
            "seconds_tune": choice["seconds_tune"] + seconds_adapt,
            "seconds_fit": solved - start - seconds_kernel - seconds_adapt,
            "seconds_predict": finished - solved,
            **plan.origin,
        }

    def _errors(self, error: Floats, test: Index) -> dict[str, Any]:
        """Summary of the errors on a test set, of shape (n_test,)."""
        each = {name: error / divisor[test] for name, divisor in self.plan.divisors.items()}
        return {
            "n_test": len(test),
            "mae": float(error.mean()),
            "rmse": float(np.sqrt((error**2).mean())),
            "max_error": float(error.max()),
            **{name: float(values.mean()) for name, values in each.items()},
        }

    def _adapted_alpha(self, kernel: Floats, rows: npt.NDArray[np.int64], alpha: float) -> float:
        """What suits these rows, beginning with the choice of a first part of them."""
        plan = self.plan
        return alpha_of_larger_set(
            kernel,
            plan.y[rows],
            alpha=alpha,
            cv=plan.cv,
            baseline=plan.baseline.fitted,
            counts=None if plan.counts is None else plan.counts[rows],
        )

    def _report(self, stage: str, completed: int, total: int) -> None:
        label = f"{self.features.label}, {self.kernel}"
        self.plan.report(stage, completed, total, label, self.number)
