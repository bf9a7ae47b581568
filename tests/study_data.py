"""Data made for the tests of studies."""

import numpy as np

import molkern as mk
from molkern.datasets import Dataset


def chain(numbers, rng):
    """A bent chain of these atoms, and its energy: a sum over pairs and over atoms."""
    steps = np.stack([rng.uniform(0.9, 1.5, len(numbers)), rng.normal(size=len(numbers))], 1)
    positions = np.pad(np.cumsum(steps, axis=0), ((0, 0), (0, 1)))
    distances = np.linalg.norm(positions[:, None] - positions, axis=-1)
    return (numbers, positions), np.exp(-distances).sum() - 2.0 * numbers.sum()


def chains(n=60, seed=0, **changes):
    """Bent chains of H, C and O; the energy is a sum over pairs and over atoms."""
    rng = np.random.default_rng(seed)
    pairs, energies = [], []
    for _ in range(n):
        numbers = rng.choice([1, 6, 8], rng.integers(3, 6))
        pair, energy = chain(numbers, rng)
        pairs.append(pair)
        energies.append(energy)
    structures = mk.Structures.from_arrays(pairs)
    given = {"targets": {"energy": np.array(energies)}, "units": {"energy": "eV"}, **changes}
    return Dataset(
        "chains", structures, given.pop("targets"), given.pop("units"), "energy", **given
    )
