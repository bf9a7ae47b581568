"""A question of the comparison, and how its contestants' values are compared with ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peers.molecules import atom_rows
from peers.race import Contestant


@dataclass(frozen=True)
class Task:
    """A question of the comparison, ready to run.

    source: what every contestant starts from.
    n_items: molecules (or rows of the Gram matrix) in the source; costs are per item.
    contestants: ours first.
    skipped: library -> why it takes no part.
    comparable: mask of the rows whose values every definition agrees on; None: all.
    of_atoms: whether values have a row for each atom of the source, not for each molecule.
    precision: of the results.
    """

    name: str
    description: str
    source: Any
    n_items: int
    contestants: list[Contestant]
    skipped: dict[str, str]
    comparable: NDArray[np.bool_] | None = None
    of_atoms: bool = False
    precision: str = "float64"


def available(
    builders: list[Callable[..., Contestant]], *arguments: Any
) -> tuple[list[Contestant], dict[str, str]]:
    """Contestants of the libraries that are installed, and the reasons of the others."""
    contestants, skipped = [], {}
    for builder in builders:
        try:
            contestants.append(builder(*arguments))
        except ImportError as error:
            inner = builder.func if isinstance(builder, partial) else builder
            skipped[inner.__name__.split("_")[0]] = str(error)
    return contestants, skipped


def agreement(
    reference: Any, values: Any, rows: NDArray[np.intp] | None, comparable: Any
) -> dict[str, Any]:
    """Largest deviation from ours, relative to the largest entry of ours.

    Works row block by row block: a Gram matrix of 7165 molecules has 411 MB.
    """
    selected = np.arange(len(reference)) if rows is None else rows
    if len(values) != len(selected):
        raise ValueError(f"{len(values)} rows, expected {len(selected)}")
    kept = np.ones(len(selected), bool) if comparable is None else comparable[selected]
    largest = deviation = 0.0
    for start in range(0, len(selected), 512):
        part = slice(start, start + 512)
        mine = np.asarray(reference[selected[part]])[kept[part]]
        theirs = np.asarray(values[part], dtype=np.float64)[kept[part]]
        width = min(mine.shape[1], theirs.shape[1])  # padding may differ in width
        if np.any(mine[:, width:]) or np.any(theirs[:, width:]):
            raise ValueError(f"{theirs.shape[1]} features, ours has {mine.shape[1]}")
        if mine.size:
            difference = np.abs(mine[:, :width] - theirs[:, :width])
            deviation = max(deviation, float(difference.max()))
            largest = max(largest, float(np.abs(mine).max()))
    return {
        "rows_compared": int(kept.sum()),
        "rows_left_out": int(len(kept) - kept.sum()),
        "max_deviation": deviation / largest if largest else deviation,
    }


def compare_values(contestant: Contestant, result: Any, reference: Any, task: Task) -> Any:
    """The agreement of one contestant with ours, or the word why there is none."""
    if contestant.values is None:
        return "not compared"
    try:
        values = contestant.values(result)
        rows = contestant.rows
        if task.of_atoms and rows is not None:
            rows = atom_rows(task.source, rows)
        found = agreement(reference, values, rows, task.comparable)
        return {**found, "tolerance": contestant.tolerance}
    except ValueError as error:
        return f"not comparable: {error}"


def reference_of(task: Task) -> Any:
    """Our own values, in the layout that is compared."""
    first = task.contestants[0]
    assert first.values is not None
    return first.values(first.run(first.convert(task.source)))
