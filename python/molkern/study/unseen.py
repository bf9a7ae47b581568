"""Elements of test structures that a training set lacks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from molkern.elements import symbol_of
from molkern.study.plan import Plan
from molkern.study.splits import presence

__all__ = ["Unseen", "notes_on_unseen", "unseen"]

Flags = npt.NDArray[np.bool_]
# Symbols and number of test structures that hold them, by number of the split, training-set size
# and name of the test set.
Unseen = dict[tuple[int, int, str], tuple[str, int]]


def unseen(plan: Plan) -> Unseen:
    """Elements that models are tested on without having seen them.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    dict
        For each split, size and test set the symbols with commas (empty if there are none), and how
        many of its structures have any of these elements.
    """
    species = plan.data.structures.species
    found = {}
    for key, lacking, holding in _each(plan):
        symbols = ",".join(symbol_of(int(number)) for number in species[lacking])
        found[key] = symbols, int(holding.any(axis=1).sum())
    return found


def _each(plan: Plan) -> Iterator[tuple[tuple[int, int, str], Flags, Flags]]:
    """Of each split, size and test set: which elements are unseen, and which structures hold each.

    Shapes (n_species,) and (n_test, n_species).
    """
    present = presence(plan.data)
    for k, split in enumerate(plan.splits):
        for n in plan.sizes:
            seen = present[split.train[:n]].any(axis=0)
            for name, part in plan.tested(split):
                holding: Flags = present[split.test[part]] & ~seen
                lacking: Flags = np.any(holding, axis=0)
                yield (k, n, name), lacking, holding


def notes_on_unseen(plan: Plan) -> list[str]:
    """A note for each test set whose structures have elements that training sets lack."""
    about: dict[str, dict[int, list[tuple[int, int]]]] = {}
    for (_, n, name), lacking, holding in _each(plan):
        for column in np.flatnonzero(lacking):
            rows = about.setdefault(name, {}).setdefault(int(column), [])
            rows.append((n, int(holding[:, column].sum())))
    return [_note(plan, name, elements) for name, elements in about.items()]


def _note(plan: Plan, name: str, elements: dict[int, list[tuple[int, int]]]) -> str:
    """Words for each element: of rows (training-set size, number of test structures)."""
    species, n_runs = plan.data.structures.species, len(plan.splits)
    words = []
    for column, rows in sorted(elements.items()):
        sizes = [n for n, _ in rows]
        each = [f"{sizes.count(n)} of {n_runs} runs at N = {n}" for n in sorted(set(sizes))]
        if len(rows) == n_runs * len(plan.sizes):
            each = ["all runs"]
        counts = [count for _, count in rows]
        low, high = min(counts), max(counts)
        few = f"{high}" if low == high else f"{low} to {high}"
        of_test = f"{few} test structure{'' if high == 1 else 's'}"
        words.append(f"{symbol_of(int(species[column]))}, in {of_test} ({', '.join(each)})")
    return (
        f"training sets lack elements of {name or 'their test sets'}: {'; '.join(words)}. The "
        "error for an element that a model never saw says nothing about the model: means, slopes "
        "and the recommendation leave these runs out where there are others"
    )
