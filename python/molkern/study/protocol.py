"""Learning curves by one protocol for every representation, kernel and data set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import molkern
from molkern import datasets
from molkern._numbers import whole_number
from molkern.datasets import Dataset
from molkern.datasets.dataset import per_atom
from molkern.regression.baseline import check_baseline
from molkern.regression.linear import blas_threads
from molkern.regression.similarity import LOCAL_KERNELS, MAX_BYTES, check_kernel, is_local
from molkern.study import curves, models
from molkern.study.checks import exact, learnt_nothing, notes_on, require_spread
from molkern.study.executor import as_executor
from molkern.study.extrapolation import Extrapolation
from molkern.study.progress import ProgressCallback
from molkern.study.result import Result
from molkern.study.splits import Split, default_sizes, make_splits
from molkern.study.store import VALUES_VERSION, Store, canonical, data_hash
from molkern.study.tasks import Job, Plan

__all__ = ["accuracy", "compare"]


def accuracy(
    data: Dataset | str | Path,
    representation: Any,
    *,
    kernel: str = "laplacian",
    sizes: Sequence[int] | None = None,
    property: str | None = None,
    baseline: str | None = None,
    seeds: Sequence[int] | None = None,
    split: str | None = None,
    store: Store | str | Path | None = None,
    n_tune: int = 2000,
    cv: int = 5,
    max_bytes: int = MAX_BYTES,
    n_threads: int | None = None,
    executor: Any = None,
    progress: ProgressCallback | None = None,
) -> Result:
    """Learning curve of one representation with one kernel.

    Parameters
    ----------
    data : Dataset, or name or path for `molkern.datasets.load`
    representation : representation, str or mapping
        An object such as ``molkern.BagOfBonds()``, a name of `models.REPRESENTATIONS`, or
        ``{"name": ..., parameters}``. A fresh copy is fitted to the compositions of all
        structures; labels play no part in it.
    kernel : {"laplacian", "gaussian", "local.gaussian"}
        The last for a representation with one row for each atom (``average=None``).
    sizes : sequence of int, optional
        Training-set sizes, at least ``cv``. None: see `default_sizes`.
    property : str, optional
        None: the data set's default target. Structures without a label are left out, and noted.
    baseline : {"none", "mean", "elements"}, optional
        Fitted on each training set. None: ``"elements"`` for an extensive energy where
        compositions differ, else ``"mean"``.
    seeds : sequence of int, optional
        None: 0 where the data have official folds or splits, else 0, 1 and 2.
    split : str, optional
        What training and test sets are. None: official folds or splits, else a fifth of the
        structures, drawn for each seed. ``"heavy_atoms:6"``: structures of up to 6 atoms other than
        hydrogen to learn from, larger ones to be tested on; without the number one fewer than the
        largest has; errors are stated for each heavy atom, too. ``"energy:0.5"``: that share of
        each molecule's structures to learn from which is lowest in energy (up to the quantile of
        the property), the others to be tested on; of one molecule are structures of the same atoms
        in the same order, unless the data say so (``Dataset.molecules``); without the number a
        half. For each seed 10 000 of the structures to be tested on, if there are more.
    store : Store or path, optional
        Folder of finished tasks: those found there are not computed again. None: no folder.
    n_tune : int, default=2000
        ``sigma`` and ``alpha`` are chosen by cross-validation inside each training set up to this
        size; larger sets take those of their first ``n_tune`` structures, with the narrowest kernel
        that is within 2 % of the best there (`molkern.regression.Tuned`), and adapt ``alpha`` by
        one left-out fold of all their structures. At most 1000 with local kernels.
    cv : int, default=5
        Folds of that cross-validation.
    max_bytes : int, default=2 GiB
        Largest matrix, or stack of matrices, of all structures that is kept for sharing.
    n_threads : int, optional
        Of each worker. None: all allowed cores, shared among workers on this machine.
    executor : None, int, str, Executor or dask.distributed.Client, optional
        Where tasks run. None: in this process. An integer: on so many processes of this machine.
        The address of a Dask scheduler, or a client of it: on its workers. This process alone
        reads the data and writes the store. Each worker holds the features of a model and up to
        ``max_bytes`` of its matrices. Times are those of the workers, which may disturb each
        other.
    progress : callable, optional
        Called with a `Progress` at each step.

    Returns
    -------
    Result

    Raises
    ------
    ValueError
        For wrong parameters, forces, too few structures, or a size that the data do not have; with
        ``split`` also for an element that the training part lacks, or a property that is no energy.
    OSError
        When the store's folder cannot be written; nothing is computed then. When a Dask scheduler
        cannot be reached.
    RuntimeError
        When a task ends its worker again and again.
    """
    return compare(
        data,
        [representation],
        kernels=(kernel,),
        sizes=sizes,
        property=property,
        baseline=baseline,
        seeds=seeds,
        split=split,
        store=store,
        n_tune=n_tune,
        cv=cv,
        max_bytes=max_bytes,
        n_threads=n_threads,
        executor=executor,
        progress=progress,
    )


def compare(
    data: Dataset | str | Path,
    representations: Any = None,
    *,
    kernels: Sequence[str] | None = None,
    sizes: Sequence[int] | None = None,
    property: str | None = None,
    baseline: str | None = None,
    seeds: Sequence[int] | None = None,
    split: str | None = None,
    store: Store | str | Path | None = None,
    n_tune: int = 2000,
    cv: int = 5,
    max_bytes: int = MAX_BYTES,
    n_threads: int | None = None,
    executor: Any = None,
    progress: ProgressCallback | None = None,
) -> Result:
    """Learning curves of several representations and kernels on the same splits.

    Parameters
    ----------
    data : Dataset, or name or path for `molkern.datasets.load`
    representations : representation, str, mapping or sequence of them, optional
        As in `accuracy`. None: the sorted Coulomb matrix, the randomly sorted one with 8 copies,
        its eigenspectrum, and bag of bonds; where all structures are the same atoms in the same
        order, the unsorted and the sorted Coulomb matrix, and bag of bonds.
    kernels : sequence of {"laplacian", "gaussian", "local.gaussian"}, optional
        Those of atoms go with representations with one row for each atom, the others with the
        other representations. None: all.
    sizes, property, baseline, seeds, split, store, n_tune, cv, max_bytes, n_threads, executor
        As in `accuracy`.
    progress
        As in `accuracy`.

    Returns
    -------
    Result
        Rows in the order of representations, kernels, splits and sizes.

    Raises
    ------
    ValueError, OSError, RuntimeError
        As in `accuracy`.

    Examples
    --------
    >>> import numpy as np
    >>> import molkern as mk
    >>> rng = np.random.default_rng(0)
    >>> pairs = [([1, 9], [[0, 0, 0], [0, 0, d]]) for d in rng.uniform(0.7, 1.5, 40)]
    >>> structures = mk.Structures.from_arrays(pairs)
    >>> bond = structures.positions[1::2, 2]
    >>> data = mk.datasets.Dataset(
    ...     "springs", structures, {"energy": (bond - 1) ** 2}, {"energy": "eV"}, "energy"
    ... )
    >>> result = mk.study.compare(data, ["bag_of_bonds"], kernels=["gaussian"], seeds=[0])
    >>> result.frame[["n_train", "n_test"]].to_numpy().tolist()
    [[8, 8], [16, 8], [32, 8]]
    """
    if not isinstance(data, Dataset):
        data = datasets.load(data, property=property)
    chosen = representations
    if chosen is None:
        chosen = models.default_representations(data.structures)
    fresh = models.representations(chosen)
    kernels = _fitting(fresh) if kernels is None else [check_kernel(name) for name in kernels]
    if not kernels:
        raise ValueError(f"kernels: expected at least one, found {kernels!r}")
    pairs = _pairs(fresh, kernels)
    _require_different("representations", fresh, [models.label(model) for model in fresh])
    _require_different("kernels", kernels, kernels)
    store = store if store is None or isinstance(store, Store) else Store(store)
    plan = checked_plan(
        data,
        sizes=sizes,
        property=property,
        baseline=baseline,
        seeds=seeds,
        split=split,
        store=store,
        n_tune=n_tune,
        cv=cv,
        max_bytes=max_bytes,
        n_threads=n_threads,
        progress=progress,
        n_models=sum(len(names) for _, names in pairs),
    )
    require_spread(plan)
    with blas_threads(n_threads):
        rows, choices = curves.run(Job(plan, pairs), as_executor(executor))
    about = notes_on(plan.data.structures, fresh)
    notes = (*plan.data.notes, *about, *choices, *learnt_nothing(rows), *exact(plan, rows))
    return Result(tuple(rows), notes, _metadata(plan, fresh, kernels))


def _fitting(fresh: Sequence[Any]) -> list[str]:
    """All kernels that any of the representations can go with."""
    kinds = {models.per_atom(model) for model in fresh}
    return [name for name in ("laplacian", "gaussian", *LOCAL_KERNELS) if is_local(name) in kinds]


def _pairs(fresh: Sequence[Any], kernels: Sequence[str]) -> list[tuple[Any, list[str]]]:
    """Representations with their kernels: of atoms with local ones."""
    pairs = []
    for model in fresh:
        local = models.per_atom(model)
        names = [name for name in kernels if is_local(name) == local]
        if not names:
            need = f"one row for each atom, which needs one of {LOCAL_KERNELS}"
            if not local:
                need = "one row for each structure, which local kernels cannot take; average=None?"
            raise ValueError(f"kernels: {models.label(model)} has {need}, found {list(kernels)}")
        pairs.append((model, names))
    unused = [name for name in kernels if not any(name in names for _, names in pairs)]
    if unused:
        raise ValueError(
            f"kernels: {unused[0]} goes with no representation; local kernels need one with "
            "average=None, others one row for each structure"
        )
    return pairs


def _require_different(name: str, items: Sequence[Any], words: Sequence[str]) -> None:
    texts = [x if isinstance(x, str) else canonical(models.specification(x)) for x in items]
    for text, word in zip(texts, words, strict=True):
        if texts.count(text) > 1:
            raise ValueError(f"{name}: expected different ones, found twice: {word}")


def checked_plan(
    data: Dataset,
    *,
    sizes: Sequence[int] | None,
    property: str | None,
    baseline: str | None,
    seeds: Sequence[int] | None,
    split: str | None,
    n_tune: int,
    cv: int,
    **options: Any,
) -> Plan:
    """Check everything that can be checked before computing."""
    name = data.default_target if property is None else property
    labelled = _labelled(data, name)
    if seeds is None:
        official = labelled.folds is not None or labelled.splits is not None
        seeds = (0,) if official and split is None else (0, 1, 2)
    if n_tune < cv or cv < 2:
        raise ValueError(f"cv and n_tune: expected 2 <= cv <= n_tune, found {cv} and {n_tune}")
    splits = make_splits(labelled, seeds, split, name)
    rule = None if split is None else Extrapolation.parse(split, labelled.structures)
    if rule is not None:
        labelled = labelled.with_notes(rule.note(labelled, name))
    if baseline is None:
        baseline = labelled.extensivity(name).baseline
    return Plan(
        data=labelled,
        property=name,
        data_hash=data_hash(labelled, name),
        splits=splits,
        sizes=_checked_sizes(sizes, splits, cv),
        split=rule,
        baseline=check_baseline(baseline),
        n_tune=n_tune,
        cv=cv,
        **options,
    )


def _labelled(data: Dataset, name: str) -> Dataset:
    """The structures that have a finite label of this property."""
    if name == "forces":
        raise ValueError(
            "property: forces are foreseen in the schema of a study, but cannot be learnt yet"
        )
    if name not in data.targets:
        raise ValueError(
            f"property: expected one of {sorted(data.targets)} of {data.name!r}, found {name!r}"
        )
    values = data.targets[name]
    if values.ndim != 1 or per_atom(name):
        raise ValueError(
            f"property: {name!r} has shape {values.shape}; a learning curve needs one number "
            "for each structure"
        )
    finite = np.isfinite(values)
    if finite.all():
        return data
    missing = int((~finite).sum())
    note = f"{missing} of {len(data)} structures have no finite {name} and were left out"
    return data.select(finite).with_notes(note)


def _checked_sizes(
    sizes: Sequence[int] | None, splits: Sequence[Split], cv: int
) -> tuple[int, ...]:
    available = min(len(split.train) for split in splits)
    if sizes is None:
        sizes = [n for n in default_sizes(available) if n >= cv]
    if isinstance(sizes, str) or not isinstance(sizes, Iterable):
        raise TypeError(f"sizes: expected a sequence of integers, found {sizes!r}")
    wanted = sorted({whole_number("sizes", n, 1) for n in sizes})
    if not wanted or wanted[0] < cv or wanted[-1] > available:
        raise ValueError(
            f"sizes: expected training-set sizes from {cv} (one structure for each of the cv "
            f"folds) to {available} (all the training part), found {list(sizes)}"
        )
    return tuple(wanted)


def _metadata(plan: Plan, fresh: Sequence[Any], kernels: Sequence[str]) -> dict[str, Any]:
    data = plan.data
    return {
        "molkern": molkern.__version__,
        "values_version": VALUES_VERSION,
        "dataset": data.name,
        "n_structures": len(data),
        "citation": data.citation,
        "source": data.source,
        "sha256": data.sha256,
        "verified": data.verified,
        "data_hash": plan.data_hash,
        "representations": [models.specification(model) for model in fresh],
        "kernels": list(kernels),
        "sizes": list(plan.sizes),
        "seeds": sorted({split.seed for split in plan.splits}),
        "n_tune": plan.n_tune,
        "cv": plan.cv,
        "baseline": plan.baseline,
        **({} if plan.split is None else {"split": str(plan.split)}),
    }
