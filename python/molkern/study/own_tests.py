"""Data sets that are tested on, beside the one that is learnt from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from molkern import datasets
from molkern.datasets import Dataset
from molkern.datasets.units import UNKNOWN, conversion_factor
from molkern.structures import Structures

__all__ = ["OwnTest", "decisions_of", "joined", "own_tests"]


@dataclass(frozen=True)
class OwnTest:
    """A data set that models are tested on, beside the one that they learn from.

    Attributes
    ----------
    name : str
        Different from those of other test sets and of the data that are learnt from.
    n_structures : int
    about : dict
        ``source``, ``sha256``, ``verified`` and ``citation`` of the data set, and its
        ``decisions`` as [what, source, words] each.
    """

    name: str
    n_structures: int
    about: dict[str, Any]

    @classmethod
    def of(cls, name: str, data: Dataset) -> OwnTest:
        """What is kept of a data set under this name."""
        about: dict[str, Any] = {
            key: getattr(data, key) for key in ("source", "sha256", "verified", "citation")
        }
        return cls(name, len(data), about | {"decisions": decisions_of(data)})


def decisions_of(data: Dataset) -> list[list[str]]:
    """What in a file was taken for what, as JSON content: [what, source, words] each."""
    return [[one.what, one.source, one.words] for one in data.decisions]


def own_tests(test: Any, data: Dataset, property: str) -> list[tuple[str, Dataset]]:
    """The test sets that are meant, with names of their own and labels in the unit of the data.

    Parameters
    ----------
    test : Dataset, str, Path, mapping, or sequence of Dataset, str or Path
        Data sets, or names or paths for `molkern.datasets.load`. The keys of a mapping are names.
    data : Dataset
        What is learnt from.
    property : str
        What is learnt.

    Returns
    -------
    list of (name, Dataset)

    Raises
    ------
    ValueError
        For none, a set without this property, in another unit that does not convert, or with an
        unknown one where the other is known, or two of one name.
    TypeError
        For anything else.
    """
    # A file's property is the one that is learnt, under the name that it has in the data's file.
    data = data.replace(default_target=property)
    if isinstance(test, Mapping):
        named = [(str(name), _loaded(one, data)) for name, one in test.items()]
    else:
        several = isinstance(test, Iterable) and not isinstance(test, str | Path | Dataset)
        named = _named([_loaded(one, data) for one in (test if several else [test])], data)
    if not named:
        raise ValueError(f"test: expected at least one data set, found {test!r}")
    return [(name, _in_unit_of(data, name, one, property)) for name, one in named]


def _loaded(test: Any, data: Dataset) -> Dataset:
    if isinstance(test, Dataset):
        return test
    if isinstance(test, str | Path):
        return datasets.load(test, like=data)
    raise TypeError(
        "test: expected a data set, a name or path, a sequence of these, or a mapping from names "
        f"to them, found {type(test).__name__}"
    )


def _named(tests: Sequence[Dataset], data: Dataset) -> list[tuple[str, Dataset]]:
    """Data sets with their names; where these are not different, with that of the folder, too."""
    names = [data.name, *(test.name for test in tests)]
    found = []
    for test in tests:
        name = test.name
        if names.count(name) > 1 and test.source:
            name = f"{Path(test.source).absolute().parent.name}/{name}"
        found.append((name, test))
    taken = [name for name, _ in found]
    for name in taken:
        if taken.count(name) > 1:
            raise ValueError(
                f"test: expected sets of different names, found {name!r} twice; in Python a "
                "mapping gives names"
            )
    return found


def _in_unit_of(data: Dataset, name: str, test: Dataset, property: str) -> Dataset:
    """The structures of a test set that have a label, with labels in the unit of the data."""
    if property not in test.targets:
        listed = ", ".join(sorted(test.targets)) or "none"
        raise ValueError(
            f"test: expected {property!r}, as {data.name!r} has, found none in {name!r}; it has: "
            f"{listed}"
        )
    ours, theirs = data.units[property], test.units[property]
    if (ours == UNKNOWN) != (theirs == UNKNOWN):
        # A factor of 27 or 627 would pass for a bad model: nobody should have to guess.
        silent, known = (data.name, theirs) if ours == UNKNOWN else (name, ours)
        raise ValueError(
            f"test: the unit of {property} is known for one of {data.name!r} ({ours}) and {name!r} "
            f"({theirs}) only; if {silent!r} is in {known}, too, say --unit {known}, in Python "
            f'datasets.load(..., unit="{known}")'
        )
    if ours == theirs:
        return test
    try:
        factor = conversion_factor(theirs, ours)
    except ValueError as error:
        raise ValueError(
            f"test: {property} of {name!r} is in {theirs}, that of {data.name!r} in {ours}: {error}"
        ) from error
    targets = test.targets | {property: factor * test.targets[property]}
    note = f"{property} converted from {theirs} to {ours}, the unit of {data.name}"
    return test.replace(targets=targets, units=test.units | {property: ours}).with_notes(note)


def joined(data: Dataset, tests: Sequence[tuple[str, Dataset]], property: str) -> Dataset:
    """One data set of the structures to learn from and, after them, of all to be tested on.

    It has the name and the provenance of the first, notes of all, and no official splits.
    """
    if not tests:
        return data
    parts = [data, *(test for _, test in tests)]
    notes = [
        f"{name}: {note}" for name, test in tests for note in test.notes if note not in data.notes
    ]
    return data.replace(
        structures=Structures.concatenate([part.structures for part in parts]),
        targets={property: np.concatenate([part.targets[property] for part in parts])},
        units={property: data.units[property]},
        default_target=property,
        folds=None,
        splits=None,
        molecules=None,
        notes=(*data.notes, *notes),
    )
