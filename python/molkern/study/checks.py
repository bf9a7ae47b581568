"""What in a data set deserves a word before its results are believed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

import molkern
from molkern.structures import Structures
from molkern.study import models

if TYPE_CHECKING:
    from molkern.study.plan import Plan

__all__ = ["exact", "learnt_nothing", "notes_on", "require_spread"]

# Errors below this part of the spread of the labels are those of rounding.
ROUNDING = 1e-9
DIGITS = 4  # Å: copies that went through a file with few decimals are copies


def notes_on(plan: Plan, representations: Sequence[Any]) -> list[str]:
    """Notes on the structures of a study.

    On structures without atoms, on copies, and on periodic structures that a representation does
    not see as such.

    Parameters
    ----------
    plan : Plan
    representations : sequence of representations

    Returns
    -------
    list of str
    """
    structures = plan.data.structures
    copies = _leaks(plan) if plan.tests else _copies(structures)
    return [*_empty(plan), *copies, *_periodicity(plan, representations)]


def _which(plan: Plan, k: int) -> str:
    """Number of a structure in its own data set, which is named if it is one to test on."""
    start = len(plan.data) - plan.n_own
    if k < start:
        return str(k)
    for test in plan.tests:
        if k < start + test.n_structures:
            return f"{k - start} of {test.name}"
        start += test.n_structures
    raise IndexError(f"no structure {k} among {len(plan.data)}")


def _empty(plan: Plan) -> list[str]:
    structures = plan.data.structures
    empty = structures.sizes == 0
    if not empty.any():
        return []
    are = "is" if empty.sum() == 1 else "are"
    return [
        f"{int(empty.sum())} of {len(structures)} structures {are} without atoms (the first: "
        f"structure {_which(plan, int(empty.argmax()))})"
    ]


def _keys(structures: Structures) -> list[bytes]:
    """Equal for copies of a structure, also for those that are shifted."""
    keys = []
    for k, (numbers, positions) in enumerate(structures):
        # -0.0 and 0.0 differ in bytes
        shape = np.round(positions - positions.mean(axis=0), DIGITS) + 0.0 if len(numbers) else ()
        key = [numbers.tobytes(), np.asarray(shape).tobytes()]
        for extra in (structures.cells, structures.pbc):
            key.append(b"" if extra is None else extra[k].tobytes())
        keys.append(b"|".join(key))
    return keys


def _copies(structures: Structures) -> list[str]:
    """A note where structures are copies of others: both may be learnt from and tested on.

    Examples
    --------
    >>> import molkern as mk
    >>> pair = ([1, 1], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.74]])
    >>> _copies(mk.Structures.from_arrays([pair, pair]))[0][:55]
    '1 of 2 structures is a copy of another (1 of 0, up to a'
    """
    first: dict[bytes, int] = {}
    pairs = enumerate(first.setdefault(key, k) for k, key in enumerate(_keys(structures)))
    copies = [(k, earlier) for k, earlier in pairs if earlier != k]
    if not copies:
        return []
    k, earlier = copies[0]
    are = "is a copy" if len(copies) == 1 else "are copies"
    return [
        f"{len(copies)} of {len(structures)} structures {are} of another ({k} of {earlier}, up to "
        "a shift): what is learnt from and tested on makes errors look smaller than they are"
    ]


def _leaks(plan: Plan) -> list[str]:
    """A note for each test set that holds structures of the training part."""
    keys, split = _keys(plan.data.structures), plan.splits[0]
    first: dict[bytes, int] = {}
    for k in np.sort(split.train).tolist():
        first.setdefault(keys[k], k)
    notes = []
    for name, part in plan.tested(split):
        of_test = [keys[k] for k in split.test[part].tolist()]
        copies = [(k, first[key]) for k, key in enumerate(of_test) if key in first]
        if copies:
            k, earlier = copies[0]
            are = "is a copy" if len(copies) == 1 else "are copies"
            notes.append(
                f"{len(copies)} of {len(of_test)} structures of {name} {are} of structures to "
                f"learn from ({k} of {earlier}, up to a shift): errors on {name} look smaller than "
                "they are"
            )
    return notes


def _periodicity(plan: Plan, representations: Sequence[Any]) -> list[str]:
    structures = plan.data.structures
    if structures.pbc is None or not structures.pbc.any():
        return []
    periodic = structures.pbc.any(axis=1)
    notes = []
    if not periodic.all():
        first = f"{_which(plan, int(periodic.argmax()))} and {_which(plan, int(periodic.argmin()))}"
        notes.append(
            f"{int(periodic.sum())} of {len(structures)} structures are periodic, the others are "
            f"not (the first of each: {first}): check whether that is meant"
        )
    blind = [
        models.label(model)
        for model in representations
        if isinstance(model, molkern.CoulombMatrix | molkern.BagOfBonds)
    ]
    if blind:
        see = "sees" if len(blind) == 1 else "see"
        notes.append(
            f"periodic structures: {', '.join(blind)} {see} the atoms of one cell only, not their "
            "images; acsf, ani-2x and soap see both"
        )
    return notes


def require_spread(plan: Plan) -> None:
    """Raise where all structures have the same label."""
    # Labels of test sets of their own, the last ones, are not learnt from.
    labels = plan.labels[: len(plan.data) - plan.n_own]
    if (labels == labels[0]).all():
        raise ValueError(
            f"data: all {len(labels)} structures of {plan.data.name!r} have the same "
            f"{plan.property}, {labels[0, 0]:g}: there is nothing to learn"
        )


def exact(plan: Plan, rows: Sequence[dict[str, Any]]) -> list[str]:
    """A note where errors are so small that the order of models means nothing."""
    spread = float(np.abs(plan.labels - np.median(plan.labels)).mean())
    smallest = min(row["mae"] for row in rows)
    if smallest > ROUNDING * spread:
        return []
    return [
        f"the smallest error, {smallest:.1e}, is rounding beside the spread of {plan.property}, "
        f"{spread:.3g}: the baseline {plan.baseline.name!r} or a model is exact, and neither "
        "slopes nor the order of models at that level mean anything"
    ]


def learnt_nothing(rows: Iterable[dict[str, Any]]) -> list[str]:
    """A note where models predict no better than their baseline alone."""
    worse: dict[str, list[int]] = {}
    for row in rows:
        # Stored results of a user may be older than this column.
        if row["mae"] >= row.get("mae_baseline", np.inf):
            where = f", on {row['test']}" if "test" in row else ""
            model = f"{row['representation']}, {row['kernel']}{where}"
            worse.setdefault(model, []).append(row["n_train"])
    if not worse:
        return []
    each = (
        f"{model} ({', '.join(f'{sizes.count(n)} at N = {n}' for n in sorted(set(sizes)))})"
        for model, sizes in worse.items()
    )
    return [f"runs that predict no better than their baseline alone: {'; '.join(each)}"]
