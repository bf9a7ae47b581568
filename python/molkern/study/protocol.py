"""Learning curves by one protocol for every representation, kernel and data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import molkern
from molkern import datasets
from molkern.datasets import Dataset
from molkern.regression.linear import blas_threads
from molkern.regression.similarity import LOCAL_KERNELS, MAX_BYTES, check_kernel, is_local
from molkern.study import curves, models
from molkern.study.checks import exact, learnt_nothing, notes_on, require_spread
from molkern.study.executor import as_executor
from molkern.study.own_tests import decisions_of
from molkern.study.plan import Plan, checked_plan
from molkern.study.progress import ProgressCallback
from molkern.study.result import Result
from molkern.study.store import VALUES_VERSION, Store, canonical
from molkern.study.tasks import Job, require_features
from molkern.study.unseen import notes_on_unseen

__all__ = ["accuracy", "compare"]


def accuracy(
    data: Dataset | str | Path,
    representation: Any,
    *,
    kernel: str = "laplacian",
    sizes: Sequence[int] | None = None,
    property: str | None = None,
    baseline: str | Mapping[Any, float] | None = None,
    seeds: Sequence[int] | None = None,
    split: str | None = None,
    test: Any = None,
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
    baseline : str or mapping, optional
        What is subtracted before learning: ``"none"``; ``"mean"`` or ``"elements"`` (a linear
        function of the counts of elements), fitted on each training set; ``"atoms"``, the energies
        of free atoms and then the mean of the training set: what is learnt is the atomization
        energy less its mean. Their energies are those of the data set (``Dataset.atom_energies``),
        or given in the unit of the property: ``"atoms:H=-13.6,C=-1029.3"`` or ``{"H": -13.6, "C":
        -1029.3}``. None: the data decide (``Dataset.extensivity``) between ``"elements"`` for a sum
        over atoms where compositions differ, and ``"mean"``; a note says why.
    seeds : sequence of int, optional
        None: 0 where the data have official folds or splits, else 0, 1 and 2.
    split : str, optional
        What training and test sets are. None: official folds or splits, else a fifth of the
        structures, drawn for each seed, so that training sets have all elements as soon as they can
        (see `make_splits`). ``"heavy_atoms:6"``: structures of up to 6 atoms other than
        hydrogen to learn from, larger ones to be tested on; without the number one fewer than the
        largest has; errors are stated for each heavy atom, too. ``"energy:0.5"``: that share of
        each molecule's structures to learn from which is lowest in energy (up to the quantile of
        the property), the others to be tested on; of one molecule are structures of the same atoms
        in the same order, unless the data say so (``Dataset.molecules``); without the number a
        half. For each seed 10 000 of the structures to be tested on, if there are more.
    test : Dataset, str, Path, mapping, or sequence of Dataset, str or Path, optional
        Test sets of their own, or names or paths for `molkern.datasets.load`; the keys of a mapping
        are their names. All structures of ``data`` are then the training part, in another order for
        each seed; official folds and splits play no part. Models are fitted once and tested on each
        set as a whole. All sets need the same property, in units that convert or are all unknown.
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
        For wrong parameters, forces, labels beyond 1e100, too few structures, or a size that the
        data do not have; with ``split`` also for an element that the training part lacks, or a
        property that is no energy; with ``test`` also for a set without the property, in a unit
        that does not convert, or of the same name as another; for a representation that cannot
        represent the structures.
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
        test=test,
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
    baseline: str | Mapping[Any, float] | None = None,
    seeds: Sequence[int] | None = None,
    split: str | None = None,
    test: Any = None,
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
        order, the unsorted and the sorted Coulomb matrix, and bag of bonds; where any structure is
        periodic, those that see its images: ACSF, SOAP, and AEV (ANI-2x) where its elements allow.
        One that cannot represent the structures (an element that it does not know, features that
        do not fit in memory) is left out with a note, if any other can.
    kernels : sequence of {"laplacian", "gaussian", "local.gaussian"}, optional
        Those of atoms go with representations with one row for each atom, the others with the
        other representations. None: all.
    sizes, property, baseline, seeds, split, test, store
        As in `accuracy`.
    n_tune, cv, max_bytes, n_threads, executor, progress
        As in `accuracy`.

    Returns
    -------
    Result
        Rows in the order of representations, kernels, splits, sizes and test sets.

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
    fresh = None if representations is None else models.representations(representations)
    store = store if store is None or isinstance(store, Store) else Store(store)
    plan = checked_plan(
        data,
        sizes=sizes,
        property=property,
        baseline=baseline,
        seeds=seeds,
        split=split,
        test=test,
        store=store,
        n_tune=n_tune,
        cv=cv,
        max_bytes=max_bytes,
        n_threads=n_threads,
        progress=progress,
    )
    if fresh is None:
        fresh = models.representations(models.default_representations(plan.data.structures))
    pairs = _checked_pairs(fresh, kernels)
    require_spread(plan)
    suitable, left_out = models.suitable(fresh, lambda model: require_features(model, plan))
    pairs = [(model, names) for model, names in pairs if any(model is kept for kept in suitable)]
    plan = replace(plan, n_models=sum(len(names) for _, names in pairs))
    with blas_threads(n_threads):
        rows, choices = curves.run(Job(plan, pairs), as_executor(executor))
    notes = [*plan.data.notes, *filter(None, [plan.baseline.reason]), *left_out]
    notes += [*notes_on_unseen(plan), *notes_on(plan, suitable)]
    notes += [*choices, *learnt_nothing(rows), *exact(plan, rows)]
    return Result(tuple(rows), tuple(notes), _metadata(plan, pairs))


def _checked_pairs(
    fresh: Sequence[Any], kernels: Sequence[str] | None
) -> list[tuple[Any, list[str]]]:
    """Representations with their kernels; raise where they are wrong, or there twice."""
    names = _fitting(fresh) if kernels is None else [check_kernel(name) for name in kernels]
    if not names:
        raise ValueError(f"kernels: expected at least one, found {kernels!r}")
    pairs = _pairs(fresh, names)
    _require_different("representations", fresh, [models.label(model) for model in fresh])
    _require_different("kernels", names, names)
    return pairs


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


def _metadata(plan: Plan, pairs: Sequence[tuple[Any, Sequence[str]]]) -> dict[str, Any]:
    data, pbc = plan.data, plan.data.structures.pbc
    further: dict[str, Any] = {}
    if plan.split is not None:
        further["split"] = str(plan.split)
    if plan.baseline.atoms:
        further["atom_energies"] = plan.baseline.energies
    if plan.tests:
        further["tests"] = [
            {"name": test.name, "n_structures": test.n_structures, **test.about}
            for test in plan.tests
        ]
    return {
        "molkern": molkern.__version__,
        "values_version": VALUES_VERSION,
        "dataset": data.name,
        "n_structures": len(data) - plan.n_own,
        "periodic": pbc is not None and bool(pbc.any()),
        "citation": data.citation,
        "source": data.source,
        "sha256": data.sha256,
        "verified": data.verified,
        "decisions": decisions_of(data),
        "data_hash": plan.data_hash,
        "representations": [models.specification(model) for model, _ in pairs],
        "kernels": list(dict.fromkeys(name for _, names in pairs for name in names)),
        "sizes": list(plan.sizes),
        "seeds": sorted({split.seed for split in plan.splits}),
        "n_tune": plan.n_tune,
        "cv": plan.cv,
        "baseline": plan.baseline.name,
        "baseline_reason": plan.baseline.reason or "as asked for",
        **further,
    }
