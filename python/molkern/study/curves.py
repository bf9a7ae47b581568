"""Learning curves from tasks: which are left to do, where their results go, and the rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from molkern.regression import DEFAULT_ALPHAS
from molkern.study import models
from molkern.study.executor import Executor, Task
from molkern.study.plan import Plan
from molkern.study.result import NOT_RECORDED
from molkern.study.splits import Split
from molkern.study.store import arrays_hash
from molkern.study.tasks import Fits, Job, Tune, compute
from molkern.study.unseen import Unseen, unseen

__all__ = ["run"]

_SIGMA_AT_ENDS = (
    "sigma at N = {} is at an end of its grid, beyond which nothing was tried: {}. The largest is "
    "512 times the median distance, where kernels hardly change with sigma any more"
)
# The other end is no limit: less than 1e-12 beside a diagonal of 1 is rounding.
_LARGEST_ALPHA = (
    "alpha at N = {} is the largest of its grid, {:g}, as large as the diagonal of the kernel "
    "matrix: {}. Such a model takes little from its training set"
)


def run(job: Job, executor: Executor) -> tuple[list[dict[str, Any]], list[str]]:
    """All rows, in the order of models, splits, sizes and test sets, and notes on parameters.

    Several workers get tasks of all models, those of the first before those of the next; alone,
    one model is finished after the other.
    """
    curves = [_Curve(job, number, executor.parallel) for number in range(len(job.models))]
    for part in [curves] if executor.parallel else [[curve] for curve in curves]:
        executor.run(
            compute,
            job,
            [task for curve in part for task in curve.begin()],
            lambda task, result: curves[task.argument.number].finished(task, result),
            n_threads=job.plan.n_threads,
        )
    lacking = unseen(job.plan)
    rows = [row for curve in curves for row in curve.rows(lacking)]
    n, notes = max(job.plan.sizes), []
    if ends := [words for curve in curves for words in curve.sigma_at_ends()]:
        notes.append(_SIGMA_AT_ENDS.format(n, "; ".join(ends)))
    if largest := [words for curve in curves for words in curve.largest_alpha()]:
        notes.append(_LARGEST_ALPHA.format(n, max(DEFAULT_ALPHAS), "; ".join(largest)))
    return rows, notes


class _Curve:
    """The tasks of one representation and kernel, in the process that writes the store."""

    def __init__(self, job: Job, number: int, parallel: bool) -> None:
        model, self.kernel = job.models[number]
        self.plan: Plan = job.plan
        self.number, self.parallel = number, parallel
        self.label = models.label(model)
        self.representation = models.specification(model)
        permuted = model.get_params()
        self.by_distance = permuted.get("permutation") != "random" and not models.per_atom(model)
        self.n_tune = self.plan.tune_rows(self.kernel)
        splits = range(len(self.plan.splits))
        self.pairs = [(k, n) for k in splits for n in self.plan.sizes]
        choices = sorted({min(n, self.n_tune) for n in self.plan.sizes})
        self.choices = [(k, m) for k in splits for m in choices]
        self.tuned: dict[tuple[int, int], dict[str, Any]] = {}
        self.fitted: dict[tuple[int, int], dict[str, Any]] = {}

    def begin(self) -> Iterator[Task]:
        """Tasks that can be done now."""
        self.tuned = dict(self._stored("tune", self.choices))
        self._report("tune")
        for k, m in self.choices:
            if (k, m) not in self.tuned:
                yield self._task(0, f"choice of parameters at N = {m}", Tune(self.number, k, m))
        yield from self._fits()

    def finished(self, task: Task, result: dict[str, Any]) -> Iterable[Task]:
        """Keep a result; the tasks that it makes possible."""
        if isinstance(task.argument, Tune):
            k, m = task.argument.split, task.argument.n
            self.tuned[k, m] = self._store("tune", k, m, result)
            self._report("tune")
            return list(self._fits())
        k, n = result["split"], result["n"]
        self.fitted[k, n] = self._store("fit", k, n, result["result"])
        self._report("fit")
        return []

    def _fits(self) -> Iterator[Task]:
        """All fits that are not stored, when all parameters are chosen."""
        if len(self.tuned) < len(self.choices):
            return
        self.fitted = dict(self._stored("fit", self.pairs))
        self._report("fit")
        fits = [(k, n, self._choice(k, n)) for k, n in self.pairs if (k, n) not in self.fitted]
        for part in self._parts(fits):
            sizes = ", ".join(str(n) for n in sorted({n for _, n, _ in part}))
            yield self._task(1, f"fit at N = {sizes}", Fits(self.number, tuple(part)))

    def _parts(self, fits: list[Any]) -> list[list[Any]]:
        """Fits that are done together: what shares a matrix, or all where nobody waits for them."""
        if not self.parallel:
            return [fits] if fits else []
        if self.by_distance:
            return [[fit] for fit in fits]
        sigmas = sorted({choice["sigma"] for *_, choice in fits})
        return [[fit for fit in fits if fit[2]["sigma"] == sigma] for sigma in sigmas]

    def _choice(self, k: int, n: int) -> dict[str, Any]:
        choice = self.tuned[k, min(n, self.n_tune)]
        if n > self.n_tune:
            larger = {"sigma": choice["sigma_larger"], "alpha": choice["alpha_larger"]}
            choice = {**choice, **larger}
        return choice

    def _task(self, stage: int, what: str, argument: Tune | Fits) -> Task:
        return Task((self.number, stage), f"{self.label}, {self.kernel}: {what}", argument)

    def rows(self, lacking: Unseen) -> Iterator[dict[str, Any]]:
        """Rows of the result, in the order of splits, sizes and test sets."""
        for k, n in self.pairs:
            split = self.plan.splits[k]
            fitted = dict(self.fitted[k, n])
            tests = fitted.pop("tests", [{}])
            for (test, _), errors in zip(self.plan.tested(split), tests, strict=True):
                symbols, count = lacking[k, n, test]
                yield {
                    "dataset": self.plan.data.name,
                    "property": self.plan.property,
                    "unit": self.plan.data.units[self.plan.property],
                    "representation": self.label,
                    "kernel": self.kernel,
                    "baseline": self.plan.baseline.name,
                    "n_train": n,
                    **({"test": test} if test else {}),
                    "fold": split.fold,
                    "seed": split.seed,
                    "n_tune": min(n, self.n_tune),
                    **({} if self.plan.split is None else {"split": str(self.plan.split)}),
                    "unseen": symbols,
                    "n_unseen": count,
                    "n_represented": len(self.plan.data),
                    **NOT_RECORDED,
                    **errors,
                    **fitted,
                }

    def sigma_at_ends(self) -> Iterator[str]:
        """Where the width for the largest training sets is at an end of its grid."""
        choices = [self._choice(k, max(self.plan.sizes)) for k in range(len(self.plan.splits))]
        for which, place in (("smallest", 0), ("largest", 1)):
            # Older stores do not have the ends.
            count = sum(c["sigma"] == c["sigma_ends"][place] for c in choices if "sigma_ends" in c)
            if count:
                yield f"{self.label}, {self.kernel} ({which}, {count} of {len(choices)} runs)"

    def largest_alpha(self) -> Iterator[str]:
        """Where alpha for the largest training sets, as used, is the largest of its grid."""
        n = max(self.plan.sizes)
        used = [self.fitted[k, n]["alpha"] for k in range(len(self.plan.splits))]
        if count := used.count(max(DEFAULT_ALPHAS)):
            yield f"{self.label}, {self.kernel} ({count} of {len(used)} runs)"

    def _specification(self, task: str, split: Split, n: int) -> dict[str, Any]:
        """All that decides the numbers of a task; a choice and a fit of one size differ."""
        plan = self.plan
        further: dict[str, Any] = {}
        if plan.split is not None:
            further["split"] = str(plan.split)
        if plan.tests:
            further["tests"] = [test.n_structures for test in plan.tests]
        if plan.split is not None or plan.tests or split.rearranged:
            # The data alone do not decide it: which structures are of one molecule may be stated,
            # and the smallest training set decides whether elements come first.
            further["split_sha256"] = arrays_hash([split.train, split.test])
        if plan.baseline.atoms:
            further["atoms"] = plan.baseline.energies
        return {
            **further,
            "task": task,
            "data": plan.data_hash,
            "property": plan.property,
            "representation": self.representation,
            "kernel": self.kernel,
            "baseline": plan.baseline.name,
            "fold": split.fold,
            "seed": split.seed,
            "n_train": n,
            "n_tune": min(n, self.n_tune),
            "cv": plan.cv,
        }

    def _stored(
        self, task: str, keys: Iterable[tuple[int, int]]
    ) -> Iterator[tuple[tuple[int, int], dict[str, Any]]]:
        """What the store holds already."""
        if self.plan.store is None:
            return
        for k, n in keys:
            found = self.plan.store.get(self._specification(task, self.plan.splits[k], n))
            if found is not None:
                yield (k, n), found

    def _store(self, task: str, k: int, n: int, result: dict[str, Any]) -> dict[str, Any]:
        if self.plan.store is not None:
            self.plan.store.put(self._specification(task, self.plan.splits[k], n), result)
        return result

    def _report(self, stage: str) -> None:
        done, total = (
            (len(self.tuned), len(self.choices))
            if stage == "tune"
            else (len(self.fitted), len(self.pairs))
        )
        label = f"{self.label}, {self.kernel}"
        self.plan.report(stage, done, total, label, self.number)
