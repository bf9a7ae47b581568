"""The molecules every contestant receives: pairs of NumPy arrays."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Pair = tuple[NDArray[np.int64], NDArray[np.float64]]


def read_pairs(path: str | Path) -> list[Pair]:
    """Read a packed ``.npz`` (numbers or Z, positions or R, offsets; angstrom).

    Returns one ``(numbers, positions)`` pair per molecule, each array a copy of its own, as a
    program that builds its molecules one by one would hold them.
    """
    with np.load(path, allow_pickle=False) as data:
        names = ("numbers", "positions") if "numbers" in data else ("Z", "R")
        missing = {*names, "offsets"} - set(data.files)
        if missing:
            raise ValueError(f"{Path(path).name} has no {sorted(missing)}; found {data.files}")
        numbers = data[names[0]].astype(np.int64)
        positions = data[names[1]].astype(np.float64)
        offsets = data["offsets"].astype(np.int64)
    return [(numbers[a:b].copy(), positions[a:b].copy()) for a, b in pairwise(offsets)]


def synthetic_pairs(n_structures: int, *, seed: int = 0, max_atoms: int = 23) -> list[Pair]:
    """Random H, C, N, O, S clusters with distances and sizes like those of small molecules.

    Atoms sit on distinct sites of a cubic grid (spacing 1.5 angstrom, jitter 0.15), so no two are
    closer than about 1 angstrom. They are inputs for timing, not chemistry.
    """
    rng = np.random.default_rng(seed)
    edge = int(np.ceil(max_atoms ** (1 / 3)))
    grid = np.stack(np.meshgrid(*[np.arange(edge)] * 3), axis=-1).reshape(-1, 3) * 1.5
    pairs = []
    for _ in range(n_structures):
        n_atoms = int(rng.integers(max_atoms // 2, max_atoms + 1))
        sites = rng.permutation(len(grid))[:n_atoms]
        numbers = rng.choice([1, 6, 7, 8, 16], size=n_atoms, p=[0.52, 0.34, 0.06, 0.07, 0.01])
        positions = grid[sites] + rng.normal(scale=0.15, size=(n_atoms, 3)).clip(-0.25, 0.25)
        pairs.append((numbers.astype(np.int64), positions))
    return pairs


def evenly_spaced(pairs: list[Pair], n_structures: int) -> NDArray[np.intp] | None:
    """Rows of so many molecules, or None for all: data sets are often sorted by size."""
    if len(pairs) <= n_structures:
        return None
    return np.linspace(0, len(pairs) - 1, n_structures).astype(np.intp)


def atom_rows(pairs: list[Pair], rows: NDArray[np.intp] | None) -> NDArray[np.intp]:
    """Rows of the atoms of some molecules in a matrix with one row for each atom."""
    first = np.concatenate([[0], np.cumsum([len(numbers) for numbers, _ in pairs])])
    chosen = range(len(pairs)) if rows is None else rows
    return np.concatenate([np.arange(first[i], first[i + 1]) for i in chosen])


def repeated(pairs: list[Pair], n_structures: int) -> list[Pair]:
    """The first ``n_structures`` of the molecules, starting again at the first when they end."""
    return [
        (pairs[i % len(pairs)][0].copy(), pairs[i % len(pairs)][1].copy())
        for i in range(n_structures)
    ]
