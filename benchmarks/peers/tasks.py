"""What is measured: inputs, contestants and the comparison of values of every task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from peers import adapters, gram_adapters, local_tasks, ours
from peers.molecules import Pair, repeated
from peers.task import Task, available

SIGMA = {"gaussian": 100.0, "laplacian": 1000.0}  # entries of X are in e^2/angstrom
N_PACKED = 10_000
NORM_GAP = 1e-4  # relative; closer norms leave the order of two rows to rounding
Array = NDArray[np.float64]


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
    **local_tasks.BUILDERS,
}
NAMES = tuple(BUILDERS)


def build(name: str, pairs: list[Pair], threads: int) -> Task:
    return BUILDERS[name](name, pairs, threads)
