"""What representations cost: time and memory of every operation, by one measurement each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern import datasets
from molkern._arrays import checked_threads
from molkern._measuring import OPERATIONS, SOURCES, Request, Worker
from molkern.datasets import Dataset
from molkern.regression.similarity import KERNELS, check_kernel, is_local
from molkern.representations._base import real_type
from molkern.structures import Structures
from molkern.study import models
from molkern.study.measurements import Measurements, machine, measured, threads
from molkern.study.plan import Plan, checked_plan
from molkern.study.progress import Progress, ProgressCallback
from molkern.study.store import Store

__all__ = ["cost"]

_LEARNING = OPERATIONS[2:]
_AS_IT_IS = "as it is"  # None is a value of `average`
# What a plan holds for a running comparison, and measurements do not need.
_UNUSED: dict[str, Any] = {
    "store": None, "max_bytes": 0, "n_threads": None, "progress": None
}  # fmt: skip


@dataclass(frozen=True)
class _Input:
    """What all measurements of one call of `cost` share."""

    name: str
    fitted_to: Structures
    sample: Structures
    plan: Plan | None
    sizes: tuple[int, ...]
    kernels: tuple[str, ...]
    operations: tuple[str, ...]
    sources: tuple[str, ...]
    repeats: int
    most: int


def cost(
    data: Dataset | Structures | str | Path,
    representations: Any = None,
    *,
    operations: Sequence[str] | None = None,
    dtypes: Sequence[str] | None = None,
    averages: Sequence[str | None] | None = None,
    sources: Sequence[str] = ("structures",),
    kernels: Sequence[str] | None = ("laplacian",),
    sizes: Sequence[int] | None = None,
    n_threads: int | Sequence[int] | None = None,
    property: str | None = None,
    baseline: str | Mapping[Any, float] | None = None,
    split: str | None = None,
    test: Any = None,
    n_tune: int = 2000,
    cv: int = 5,
    max_structures: int = 1000,
    repeats: int = 3,
    store: Store | str | Path | None = None,
    progress: ProgressCallback | None = None,
) -> Measurements:
    """Time and memory of representations, of kernel matrices, of training and of prediction.

    Parameters
    ----------
    data : Dataset, Structures, or name or path for `molkern.datasets.load`
        Structures have no labels: nothing can be trained on them.
    representations : representation, str, mapping or sequence of them, optional
        As in `molkern.study.compare`; those that cannot represent the structures are left out with
        a note, if any other can.
    operations : sequence, optional
        What is inside the clock:

        - ``"values"``: ``transform`` of the sample into a fresh array.
        - ``"vjp"``: the gradient through the representation of the sample.
        - ``"gram"``: the kernel matrix of the first N training structures from their features.
        - ``"tune"``: the choice of sigma and alpha by cross-validation on the features of N
          structures, and the solution with them; up to N = ``n_tune``, as larger sets take theirs.
        - ``"train"``: from N structures to a fitted model with given sigma and alpha: their
          representation, the kernel matrix, its solution.
        - ``"predict"``: from the sample's structures to their predictions by a model of N.

        None: all; of `Structures` the first two. ``fit`` of the representation is outside.
    dtypes : sequence of {"float64", "float32"}, optional
        Each representation is measured with each. None: as the representation is.
    averages : sequence of str or None, optional
        Where a representation has an ``average``: measured with each of them. None: as the
        representation is.
    sources : sequence of {"structures", "arrays", "ase"}
        What "values" starts from: a `Structures`, made before; a list of (numbers, positions) or of
        ``ase.Atoms``, the conversion inside the clock. Arrays only for systems without a cell.
    kernels : sequence of {"laplacian", "gaussian", "local.gaussian"}, optional
        Local ones for rows that are atoms, the others for rows that are structures. None: all.
    sizes : sequence of int, optional
        Training sizes N. None: as in `molkern.study.compare`.
    n_threads : int or sequence of int, optional
        None: all allowed cores.
    property, baseline, split, test, n_tune, cv
        As in `molkern.study.compare`.
    max_structures : int, default=1000
        Size of the sample, drawn with a fixed seed; of predictions, from the test set, whose
        structures are repeated where they are fewer.
    repeats : int, default=3
        Least number of timed calls; more until 0.1 s have passed, one where it takes 1 s.
    store : Store or path, optional
        Folder of finished measurements. The same on another processor, with another build or
        version, is another measurement.
    progress : callable, optional

    Returns
    -------
    Measurements
        Columns: see `Measurements.frame`. The measurements run one after the other, in a process
        that does nothing else.

    Raises
    ------
    ValueError, TypeError
        For wrong parameters.

    Examples
    --------
    >>> import molkern as mk
    >>> water = ([8, 1, 1], [[0.0, 0.0, 0.12], [0.0, 0.76, -0.48], [0.0, -0.76, -0.48]])
    >>> structures = mk.Structures.from_arrays([water] * 10)
    >>> found = mk.study.cost(structures, ["bag_of_bonds"], n_threads=1)
    >>> found.frame[["operation", "n_structures", "n_features", "bytes"]].to_numpy().tolist()
    [['values', 10, 6, 480], ['vjp', 10, 6, 720]]
    """
    counts = _thread_counts(n_threads)
    shared = _input(
        data,
        operations=operations,
        sources=sources,
        kernels=kernels,
        max_structures=max_structures,
        repeats=repeats,
        plan_options={
            "sizes": sizes, "property": property, "baseline": baseline, "split": split,
            "test": test, "n_tune": n_tune, "cv": cv,
        },
    )  # fmt: skip
    chosen = representations
    if chosen is None:
        chosen = models.default_representations(shared.fitted_to)
    fresh, notes = models.suitable(
        models.representations(chosen), lambda model: model.fit(shared.fitted_to)
    )
    store = store if store is None or isinstance(store, Store) else Store(store)
    rows: list[dict[str, Any]] = []
    with Worker() as worker:
        for k, base in enumerate(fresh):
            label = models.label(base)
            requests = [
                request
                for model in _variants(base, dtypes, averages, counts)
                for request in _requests(model.fit(shared.fitted_to), shared)
            ]
            for done, request in enumerate(requests):
                _report(progress, done, len(requests), label, k, len(fresh))
                try:
                    rows.append(measured(worker, request, store, system=shared.name, label=label))
                except MemoryError as error:
                    notes.append(f"{label}, {request.operation}: {error}")
            _report(progress, len(requests), len(requests), label, k, len(fresh))
    about = {**machine(), "n_structures": len(shared.fitted_to), "n_sample": len(shared.sample)}
    return Measurements(tuple(rows), tuple(dict.fromkeys(notes)), about)


def _thread_counts(n_threads: int | Sequence[int] | None) -> tuple[int, ...]:
    given = n_threads if isinstance(n_threads, Sequence) else [n_threads]
    counts = tuple(threads(checked_threads(n)) for n in given)
    if not counts or len(set(counts)) < len(counts):
        raise ValueError(f"n_threads: expected different numbers of threads, found {n_threads!r}")
    return counts


def _input(
    data: Dataset | Structures | str | Path,
    *,
    operations: Sequence[str] | None,
    sources: Sequence[str],
    kernels: Sequence[str] | None,
    max_structures: int,
    repeats: int,
    plan_options: dict[str, Any],
) -> _Input:
    """Everything checked before the first measurement."""
    if not isinstance(data, Dataset | Structures):
        data = datasets.load(data, property=plan_options["property"])
    labelled = isinstance(data, Dataset)
    if operations is None:
        operations = OPERATIONS if labelled else OPERATIONS[:2]
    for name, values, known in (
        ("operations", operations, OPERATIONS), ("sources", sources, SOURCES)
    ):  # fmt: skip
        if not len(values) or not set(values) <= set(known):
            raise ValueError(f"{name}: expected some of {list(known)}, found {list(values)}")
    kernels = KERNELS if kernels is None else [check_kernel(kernel) for kernel in kernels]
    for name, value in (("max_structures", max_structures), ("repeats", repeats)):
        if value < 1:
            raise ValueError(f"{name}: expected an integer of 1 or more, found {value!r}")
    plan = None
    if set(operations) & set(_LEARNING):
        if not isinstance(data, Dataset):
            raise ValueError(
                f"operations: {', '.join(_LEARNING)} need a data set with labels, found Structures"
            )
        plan = checked_plan(data, seeds=None, **plan_options, **_UNUSED)
        data = plan.data
    structures = data.structures if isinstance(data, Dataset) else data
    if not len(structures):
        raise ValueError("data: expected at least one structure, found none")
    return _Input(
        name=data.name if isinstance(data, Dataset) else "",
        fitted_to=structures,
        sample=structures[_drawn(np.arange(len(structures)), max_structures)],
        plan=plan,
        sizes=() if plan is None else plan.sizes,
        kernels=tuple(kernels),
        operations=tuple(operations),
        sources=tuple(sources),
        repeats=repeats,
        most=max_structures,
    )


def _drawn(rows: npt.NDArray[np.int64], most: int) -> npt.NDArray[np.int64]:
    """So many of these rows, in their order; always the same ones."""
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, most, replace=False))


def _variants(
    base: Any,
    dtypes: Sequence[str] | None,
    averages: Sequence[str | None] | None,
    counts: Sequence[int],
) -> Iterator[Any]:
    """The representation with each combination of the options that it has."""
    has_average = "average" in base.get_params()
    for average in averages if averages is not None and has_average else (_AS_IT_IS,):
        for dtype in dtypes if dtypes is not None else (base.get_params()["dtype"],):
            for n_threads in counts:
                changed = {"dtype": str(real_type(dtype)), "n_threads": n_threads}
                if average != _AS_IT_IS:
                    changed["average"] = average
                yield type(base)(**base.get_params()).set_params(**changed)


def _requests(model: Any, shared: _Input) -> Iterator[Request]:
    if "values" in shared.operations:
        for source in shared.sources:
            if source != "arrays" or shared.sample.cells is None:
                yield Request("values", model, shared.sample, source, shared.repeats)
    if "vjp" in shared.operations:
        yield Request("vjp", model, shared.sample, repeats=shared.repeats)
    if shared.plan is not None:
        for kernel in (name for name in shared.kernels if is_local(name) == models.per_atom(model)):
            for n in shared.sizes:
                yield from _learning(model, shared, shared.plan, kernel, n)


def _learning(model: Any, shared: _Input, plan: Plan, kernel: str, n: int) -> Iterator[Request]:
    """Kernel matrix, training and prediction with the first n structures of the first split."""
    parameters, split = model.get_params(), plan.splits[0]
    random = parameters.get("permutation") == "random"
    ridge = {
        "n_copies": parameters["n_copies"] if random else 1,
        "baseline": plan.baseline.fitted,
        "cv": plan.cv,
    }
    rows = split.train[:n]
    train = plan.data.structures[rows]
    options: dict[str, Any] = {
        "kernel": kernel, "ridge": ridge, "labels": plan.y[rows, 0], "repeats": shared.repeats
    }  # fmt: skip
    for operation in ("gram", "tune", "train"):
        if operation in shared.operations and (operation != "tune" or n <= plan.n_tune):
            yield Request(operation, model, train, **options)
    if "predict" in shared.operations:
        # A baseline of elements has nothing to say about those that the training set lacks.
        counts = plan.data.structures.composition()
        known = counts[rows].any(axis=0)
        test = split.test[~counts[split.test][:, ~known].any(axis=1)]
        if len(test):
            # As many as a user would predict at one time: of few, the time is mostly overhead.
            several = np.resize(_drawn(test, shared.most), shared.most)
            sample = plan.data.structures[several]
            yield Request("predict", model, sample, train=train, **options)


def _report(
    progress: ProgressCallback | None, done: int, total: int, label: str, k: int, n: int
) -> None:
    if progress is not None:
        progress(Progress("cost", done, total, f"cost of {label}", k, n))
