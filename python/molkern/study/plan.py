"""What a study is to do, checked before anything is computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

import molkern
from molkern._numbers import whole_number
from molkern.datasets import Dataset
from molkern.datasets.dataset import per_atom
from molkern.regression.similarity import LOCAL_TUNING_ROWS, is_local
from molkern.study import splits as rules
from molkern.study.baselines import StudyBaseline, check_given, chosen_baseline
from molkern.study.extrapolation import Extrapolation, heavy_atoms
from molkern.study.own_tests import OwnTest, joined, own_tests
from molkern.study.progress import Progress, ProgressCallback
from molkern.study.splits import Split, default_sizes
from molkern.study.store import Store, data_hash

__all__ = ["Plan", "checked_plan"]

Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]

# Squares of such labels are still finite, as are sums of them.
LARGEST_LABEL = 1e100


@dataclass(frozen=True)
class Plan:
    """Everything about a study but its models; all of it checked.

    Attributes
    ----------
    data : Dataset
        Structures to learn from and to be tested on; those of test sets of their own come last.
    tests : tuple of OwnTest
        Test sets of their own, in the order in which the test part of every split holds them.
    baseline : StudyBaseline
    error_per_atom : bool
        Whether errors are also stated for each atom.
    """

    data: Dataset
    property: str
    data_hash: str
    splits: tuple[Split, ...]
    sizes: tuple[int, ...]
    split: Extrapolation | None
    tests: tuple[OwnTest, ...]
    baseline: StudyBaseline
    error_per_atom: bool
    n_tune: int
    cv: int
    store: Store | None
    max_bytes: int
    n_threads: int | None
    progress: ProgressCallback | None
    n_models: int = 1

    @cached_property
    def origin(self) -> dict[str, Any]:
        """Threads, instruction set and compiler of this process; see `study.result.ORIGIN`."""
        build = molkern.build_info()
        threads = build["n_threads"] if self.n_threads is None else self.n_threads
        return {"n_threads": threads, "isa": build["isa"], "compiler": build["compiler"]}

    @cached_property
    def labels(self) -> Floats:
        """Labels as they are, shape (n_structures, 1)."""
        return np.asarray(self.data.targets[self.property], dtype=np.float64)[:, None]

    @cached_property
    def y(self) -> Floats:
        """Labels less the energies of free atoms, where these are the baseline; shape as labels."""
        return self.labels - self.baseline.of_atoms(self.data)[:, None]

    @cached_property
    def counts(self) -> npt.NDArray[np.int64] | None:
        """Counts of elements for the baseline that needs them."""
        return self.data.structures.composition() if self.baseline.name == "elements" else None

    @cached_property
    def used(self) -> Index:
        """Structures that any split learns from or is tested on, in the order of the data."""
        needed = [np.r_[part.train[: max(self.sizes)], part.test] for part in self.splits]
        return np.unique(np.concatenate(needed))

    @cached_property
    def divisors(self) -> dict[str, Index]:
        """What errors are divided by, shape (n_structures,), by the column of the result."""
        found = {}
        if self.split is not None and self.split.kind == "heavy_atoms":
            found["mae_per_heavy_atom"] = heavy_atoms(self.data.structures)
        if self.error_per_atom:
            # The error of a structure without atoms counts as it is.
            found["mae_per_atom"] = np.maximum(self.data.structures.sizes, 1)
        return found

    @cached_property
    def n_own(self) -> int:
        """Structures in test sets of their own."""
        return sum(test.n_structures for test in self.tests)

    def tested(self, split: Split) -> list[tuple[str, slice]]:
        """Name and rows of each test set in the test part of a split; one of no name if no own."""
        if not self.tests:
            return [("", slice(0, len(split.test)))]
        ends = np.cumsum([test.n_structures for test in self.tests]).tolist()
        parts = zip(self.tests, [0, *ends], ends, strict=False)
        return [(test.name, slice(start, end)) for test, start, end in parts]

    def report(self, stage: str, completed: int, total: int, label: str, number: int) -> None:
        """Tell how far a stage of a model is."""
        if self.progress is not None:
            self.progress(Progress(stage, completed, total, label, number, self.n_models))

    def tune_rows(self, kernel: str) -> int:
        """Most rows on which parameters are chosen."""
        return min(self.n_tune, LOCAL_TUNING_ROWS) if is_local(kernel) else self.n_tune


def checked_plan(
    data: Dataset,
    *,
    sizes: Sequence[int] | None,
    property: str | None,
    baseline: str | Mapping[Any, float] | None,
    seeds: Sequence[int] | None,
    split: str | None,
    test: Any,
    n_tune: int,
    cv: int,
    **options: Any,
) -> Plan:
    """Check everything that can be checked before computing."""
    name = data.default_target if property is None else property
    if baseline is not None:
        check_given(baseline)
    labelled = _labelled(data, name)
    if n_tune < cv or cv < 2:
        raise ValueError(f"cv and n_tune: expected 2 <= cv <= n_tune, found {cv} and {n_tune}")
    if split is not None and test is not None:
        raise ValueError(
            "split, test: expected one of them, found both: with test sets of their own all of the "
            f"data are learnt from, and {split!r} has nothing to divide"
        )
    tests = [] if test is None else _tests(test, labelled, name)
    rule = None if split is None else Extrapolation.parse(split, labelled.structures)
    if rule is not None:
        labelled = labelled.with_notes(rule.note(labelled, name))
    splits = _drawn(labelled, seeds, split, name, sum(len(one) for _, one in tests))
    chosen_sizes = _checked_sizes(sizes, splits, cv)
    found = labelled.extensivity(name)
    everything = joined(labelled, tests, name)
    structures = everything.structures
    periodic = structures.pbc is not None and bool(structures.pbc.any())
    differ = len(np.unique(structures.sizes)) > 1
    return Plan(
        data=everything,
        property=name,
        data_hash=data_hash(everything, name),
        splits=rules.elements_early(splits, rules.presence(everything), min(chosen_sizes)),
        sizes=chosen_sizes,
        split=rule,
        tests=tuple(OwnTest.of(*named) for named in tests),
        baseline=chosen_baseline(baseline, labelled, name, found, structures.species),
        error_per_atom=(found.extensive or labelled.is_energy(name)) and (periodic or differ),
        n_tune=n_tune,
        cv=cv,
        **options,
    )


def _tests(test: Any, data: Dataset, name: str) -> list[tuple[str, Dataset]]:
    """Test sets of their own, by name: the structures that have a label."""
    found = []
    for name_of_test, one in own_tests(test, data, name):
        labelled = _labelled(one, name)
        if not len(labelled):
            raise ValueError(f"test: no structure of {name_of_test!r} has a finite {name}")
        found.append((name_of_test, labelled))
    return found


def _drawn(
    data: Dataset, seeds: Sequence[int] | None, split: str | None, name: str, n_own: int
) -> tuple[Split, ...]:
    """Splits in the order of a random draw; ``n_own`` structures in test sets of their own."""
    if seeds is None:
        official = data.folds is not None or data.splits is not None
        seeds = (0,) if official and split is None and not n_own else (0, 1, 2)
    if n_own:
        return rules.splits_of_all(data, seeds, n_own)
    return rules.drawn_splits(data, seeds, split, name)


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
            f"property: {name!r} has shape {values.shape} in {data.name!r}; a learning curve needs "
            "one number for each structure"
        )
    finite = np.isfinite(values)
    huge = finite & (np.abs(values) > LARGEST_LABEL)
    if huge.any():
        k = int(huge.argmax())
        raise ValueError(
            f"property: {name} of structure {k} of {data.name!r} is {values[k]:g}; expected "
            f"numbers of at most {LARGEST_LABEL:g} in magnitude"
        )
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
