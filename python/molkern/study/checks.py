"""What in a data set deserves a word before its results are believed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

import molkern
from molkern.structures import Structures
from molkern.study import models

if TYPE_CHECKING:
    from molkern.study.tasks import Plan

__all__ = ["exact", "learnt_nothing", "notes_on", "require_spread"]

# Errors below this part of the spread of the labels are those of rounding.
ROUNDING = 1e-9
DIGITS = 4  # Å: copies that went through a file with few decimals are copies


def notes_on(structures: Structures, representations: Sequence[Any]) -> tuple[str, ...]:
    """Notes on copies, and on periodic structures that a representation does not see as such.

    Parameters
    ----------
    structures : Structures
    representations : sequence of representations

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> import molkern as mk
    >>> pair = ([1, 1], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.74]])
    >>> notes_on(mk.Structures.from_arrays([pair, pair]), [])[0][:55]
    '1 of 2 structures is a copy of another (1 of 0, up to a'
    """
    return (*_copies(structures), *_periodicity(structures, representations))


def _copies(structures: Structures) -> list[str]:
    first: dict[bytes, int] = {}
    copies = []
    for k, (numbers, positions) in enumerate(structures):
        # -0.0 and 0.0 differ in bytes
        shape = np.round(positions - positions.mean(axis=0), DIGITS) + 0.0 if len(numbers) else ()
        key = [numbers.tobytes(), np.asarray(shape).tobytes()]
        for extra in (structures.cells, structures.pbc):
            key.append(b"" if extra is None else extra[k].tobytes())
        earlier = first.setdefault(b"|".join(key), k)
        if earlier != k:
            copies.append((k, earlier))
    if not copies:
        return []
    k, earlier = copies[0]
    are = "is a copy" if len(copies) == 1 else "are copies"
    return [
        f"{len(copies)} of {len(structures)} structures {are} of another ({k} of {earlier}, up to "
        "a shift): what is learnt from and tested on makes errors look smaller than they are"
    ]


def _periodicity(structures: Structures, representations: Sequence[Any]) -> list[str]:
    if structures.pbc is None or not structures.pbc.any():
        return []
    periodic = structures.pbc.any(axis=1)
    notes = []
    if not periodic.all():
        notes.append(
            f"{int(periodic.sum())} of {len(structures)} structures are periodic, the others are "
            f"not (the first of each: {int(periodic.argmax())} and {int(periodic.argmin())}): "
            "check whether that is meant"
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
    labels = plan.y
    if (labels == labels[0]).all():
        raise ValueError(
            f"data: all {len(labels)} structures of {plan.data.name!r} have the same "
            f"{plan.property}, {labels[0, 0]:g}: there is nothing to learn"
        )


def exact(plan: Plan, rows: Sequence[dict[str, Any]]) -> list[str]:
    """A note where errors are so small that the order of models means nothing."""
    spread = float(np.abs(plan.y - np.median(plan.y)).mean())
    smallest = min(row["mae"] for row in rows)
    if smallest > ROUNDING * spread:
        return []
    return [
        f"the smallest error, {smallest:.1e}, is rounding beside the spread of {plan.property}, "
        f"{spread:.3g}: the baseline {plan.baseline!r} or a model is exact, and neither slopes nor "
        "the order of models at that level mean anything"
    ]


def learnt_nothing(rows: Iterable[dict[str, Any]]) -> list[str]:
    """A note where models predict no better than their baseline alone."""
    worse: dict[str, list[int]] = {}
    for row in rows:
        # Stored results of a user may be older than this column.
        if row["mae"] >= row.get("mae_baseline", np.inf):
            worse.setdefault(f"{row['representation']}, {row['kernel']}", []).append(row["n_train"])
    if not worse:
        return []
    each = (
        f"{model} ({', '.join(f'{sizes.count(n)} at N = {n}' for n in sorted(set(sizes)))})"
        for model, sizes in worse.items()
    )
    return [f"runs that predict no better than their baseline alone: {'; '.join(each)}"]
