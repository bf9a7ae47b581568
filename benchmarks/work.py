"""Operations and bytes of each kernel, counted for given molecules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from peers.molecules import Pair


@dataclass(frozen=True)
class Work:
    """What a kernel must do, whatever the program.

    flops: additions and multiplications. inverse_sqrts: 1/sqrt(x), as division and root or as
    two Newton steps (14 flops). read, written: bytes that have to cross the memory bus.
    """

    flops: float
    absolute_differences: float = 0.0
    exps: float = 0.0
    inverse_sqrts: float = 0.0
    divisions: float = 0.0
    read: float = 0.0
    written: float = 0.0
    how: str = ""


def coulomb_work(sizes: NDArray[np.int64], permutation: str) -> Work:
    n = sizes.astype(float)
    pairs = float((n * (n - 1) / 2).sum())
    size = int(sizes.max())
    flops = 9 * pairs  # three differences, three products, two sums, Z_i Z_j
    written = 8.0 * len(n) * size * (size + 1) / 2
    how = "9 flops and one 1/sqrt per pair"
    divisions = 0.0
    if permutation == "row_norm":
        flops += 4 * pairs + 2 * float((n * np.log2(n)).sum())
        how += "; squares into two row norms; 2 n log2 n to sort"
    if permutation == "eigenspectrum":
        rotations = 0.85 * n**2  # 1.7 iterations per eigenvalue, half the length on average
        flops += float((4 / 3 * n**3 + 9 * rotations).sum())
        divisions = float(rotations.sum())
        written = 8.0 * len(n) * size
        how += "; 4/3 n^3 to tridiagonalise; 0.85 n^2 QL steps of 9 flops and one division"
    return Work(flops, 0.0, 0.0, pairs, divisions, 28.0 * float(n.sum()), written, how)


def bags_work(pairs_of_arrays: list[Pair], n_features: int) -> Work:
    n_pairs = comparisons = n_atoms = 0.0
    for numbers, _ in pairs_of_arrays:
        counts = np.unique(numbers, return_counts=True)[1].astype(float)
        bags = np.outer(counts, counts)[np.triu_indices(len(counts), 1)]
        bags = np.concatenate([bags, counts * (counts - 1) / 2])
        n_pairs += bags.sum()
        comparisons += (bags * np.log2(np.maximum(bags, 1))).sum()
        n_atoms += counts.sum()
    return Work(
        9 * n_pairs + 2 * comparisons,
        inverse_sqrts=n_pairs,
        read=28 * n_atoms,
        written=8.0 * len(pairs_of_arrays) * n_features,
        how="9 flops and one 1/sqrt per pair; 2 m log2 m to sort a bag of m",
    )


def gram_work(n: int, n_features: int, kernel: str) -> Work:
    half = n * (n + 1) / 2
    read, written = 8.0 * n * n_features, 8.0 * n * n
    if kernel == "laplacian":
        how = "|a - b| for half of the pairs, one exponential each"
        return Work(0.0, half * n_features, half, read=read, written=written, how=how)
    how = "2 flops per feature for half of the pairs, one exponential each"
    return Work(2 * half * n_features, 0.0, half, read=read, written=written, how=how)
