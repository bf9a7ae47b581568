"""Structures of any size, with distances as in real ones: inputs for timing, not for chemistry."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

DIAMOND_EDGE = 3.567  # angstrom
WATER_EDGE = 3.1074  # of the cube of one molecule at 0.997 g/cm3, angstrom
WATER = np.array([[0.0, 0.0, 0.0], [0.7569, 0.5859, 0.0], [-0.7569, 0.5859, 0.0]])


class System(NamedTuple):
    """numbers (n,), positions (n, 3) and the edge of the periodic cube or None, angstrom."""

    numbers: NDArray[np.int64]
    positions: NDArray[np.float64]
    edge: float | None


def cube(n_sites: int) -> NDArray[np.float64]:
    """The n_sites^3 points (0, 0, 0), (0, 0, 1) ..."""
    axes = np.meshgrid(*[np.arange(n_sites)] * 3, indexing="ij")
    return np.stack(axes, axis=-1).reshape(-1, 3).astype(np.float64)


def diamond(n_cells: int, seed: int = 0) -> System:
    """Periodic diamond of 8 n_cells^3 atoms, displaced by 0.05 angstrom."""
    corners = np.array([[0, 0, 0], [0, 2, 2], [2, 0, 2], [2, 2, 0]]) / 4
    basis = np.concatenate([corners, corners + 0.25])
    positions = DIAMOND_EDGE * (cube(n_cells)[:, None] + basis).reshape(-1, 3)
    positions += np.random.default_rng(seed).normal(scale=0.05, size=positions.shape)
    return System(np.full(len(positions), 6), positions, n_cells * DIAMOND_EDGE)


def water(n_sites: int, seed: int = 0) -> System:
    """Periodic box of n_sites^3 molecules, turned at random, at the density of water."""
    rng = np.random.default_rng(seed)
    turns = np.linalg.qr(rng.normal(size=(n_sites**3, 3, 3)))[0]
    molecules = np.einsum("nij,aj->nai", turns, WATER)
    positions = (molecules + WATER_EDGE * cube(n_sites)[:, None]).reshape(-1, 3)
    return System(np.tile([8, 1, 1], n_sites**3), positions, n_sites * WATER_EDGE)


def stored(path: str | Path, name: str) -> System:
    """A structure of a packed file with names, not periodic."""
    with np.load(path, allow_pickle=False) as data:
        which = data["names"].tolist().index(name)
        rows = slice(*data["offsets"][which : which + 2])
        return System(data["Z"][rows].astype(np.int64), data["R"][rows].astype(np.float64), None)
