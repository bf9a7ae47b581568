"""What is measured: inputs, contestants and the comparison of values of every task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peers import adapters, gram_adapters, ours
from peers.molecules import Pair, repeated
from peers.race import Contestant

SIGMA = {"gaussian": 100.0, "laplacian": 1000.0}  # entries of X are in e^2/angstrom
N_PACKED = 10_000
NORM_GAP = 1e-4  # relative; closer norms leave the order of two rows to rounding
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Task:
    """A question of the comparison, ready to run.

    source: what every contestant starts from.
    n_items: molecules (or rows of the Gram matrix) in the source; costs are per item.
    contestants: ours first.
    skipped: library -> why it takes no part.
    comparable: mask of the rows whose values every definition agrees on; None: all.
    """

    name: str
    description: str
    source: Any
    n_items: int
    contestants: list[Contestant]
    skipped: dict[str, str]
    comparable: NDArray[np.bool_] | None = None


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


def separated_norms(X: Array, size: int) -> NDArray[np.bool_]:
    """Molecules whose row norms all differ: their sorted matrix does not depend on rounding."""
    rows, columns = np.tril_indices(size)
    matrices = np.zeros((len(X), size, size))
    matrices[:, rows, columns] = matrices[:, columns, rows] = X
    norms = np.linalg.norm(matrices, axis=2)
    higher, lower = norms[:, :-1], norms[:, 1:]
    return np.all((lower == 0) | (higher - lower > NORM_GAP * higher), axis=1)


def coulomb_task(name: str, permutation: str, pairs: list[Pair], threads: int) -> Task:
    builders = [
        adapters.qmllib_coulomb,
        adapters.dscribe_coulomb,
        adapters.molml_coulomb,
        adapters.numpy_coulomb,
    ]
    bound = [partial(builder, permutation) for builder in builders]
    peers, skipped = available(bound, pairs, threads)
    make = partial(ours.coulomb_matrix, permutation)
    contestants = ours.representation_contestants(make, pairs, threads)
    comparable = None
    if permutation == "row_norm":
        size = adapters.largest(pairs)
        X = contestants[0].run(contestants[0].convert(pairs))
        comparable = separated_norms(X, size)
    description = f"Coulomb matrix, permutation {permutation}, one row per molecule"
    return Task(name, description, pairs, len(pairs), contestants + peers, skipped, comparable)


def bags_task(name: str, pairs: list[Pair], threads: int) -> Task:
    peers, skipped = available([adapters.qmllib_bags, adapters.molml_bags], pairs, threads)
    mine = ours.representation_contestants(
        ours.bag_of_bonds, pairs, threads, values=adapters.by_value
    )
    description = "Bag of bonds, bags learnt from all molecules of the task"
    return Task(name, description, pairs, len(pairs), mine + peers, skipped)


def gram_task(name: str, pairs: list[Pair], threads: int) -> Task:
    X = ours.coulomb_matrix("row_norm", pairs, threads).transform(pairs)
    peers, skipped = available(list(gram_adapters.PEERS[name]), name, SIGMA[name])
    mine = ours.gram_contestants(name, SIGMA[name], len(X), threads)
    description = (
        f"Gram matrix {len(X)} x {len(X)} on {X.shape[1]} features "
        f"(sorted Coulomb matrices), sigma {SIGMA[name]:g}"
    )
    return Task(name, description, X, len(X), mine + peers, skipped)


def packing_task(name: str, pairs: list[Pair], threads: int) -> Task:
    many = repeated(pairs, N_PACKED)
    builders = [
        partial(adapters.qmllib_coulomb, "row_norm"),
        partial(adapters.dscribe_coulomb, "row_norm"),
    ]
    peers, skipped = available(builders, many, threads)
    matrices = [
        replace(peer, values=None, note="its sorted Coulomb matrices of the same molecules")
        for peer in peers
    ]
    contestants = ours.packing_contestants() + matrices
    description = "Packing into Structures, beside sorted Coulomb matrices of these molecules"
    return Task(name, description, many, len(many), contestants, skipped)


BUILDERS: dict[str, Callable[[str, list[Pair], int], Task]] = {
    "coulomb_sorted": lambda name, *rest: coulomb_task(name, "row_norm", *rest),
    "coulomb_eigenspectrum": lambda name, *rest: coulomb_task(name, "eigenspectrum", *rest),
    "coulomb_unsorted": lambda name, *rest: coulomb_task(name, "none", *rest),
    "bag_of_bonds": bags_task,
    "packing": packing_task,
    "gaussian": gram_task,
    "laplacian": gram_task,
}
NAMES = tuple(BUILDERS)


def build(name: str, pairs: list[Pair], threads: int) -> Task:
    return BUILDERS[name](name, pairs, threads)


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
        return agreement(reference, values, contestant.rows, task.comparable)
    except ValueError as error:
        return f"not comparable: {error}"


def reference_of(task: Task) -> Any:
    """Our own values, in the layout that is compared."""
    first = task.contestants[0]
    assert first.values is not None
    return first.values(first.run(first.convert(task.source)))
