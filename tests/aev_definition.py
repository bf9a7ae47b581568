"""Plain NumPy transcription of atomic environment vectors, and parameters to try it with."""

import itertools

import numpy as np

from molkern import AEV, AEVParameters
from molkern.elements import numbers_of

# Nothing in it is even, a multiple of 8, or a whole number; the angular cutoff is the larger.
ODD = AEVParameters(
    species=["O", "H", "C"],
    r_cut=2.8,
    eta=3.1,
    shifts=[0.5, 0.9, 1.7, 1.8, 2.6],
    angular_r_cut=3.3,
    angular_eta=1.7,
    zeta=2.5,
    angular_shifts=[1.1, 1.4, 2.9],
    sections=[0.2, 0.9, 1.3, 2.2, 2.9],
)
# The roles of shifts and sections exchanged, and a zeta without a power below it.
LONG = AEVParameters(
    species=[1, 6, 8],
    r_cut=3.0,
    eta=16.0,
    shifts=np.linspace(0.8, 2.8, 9),
    angular_r_cut=2.5,
    angular_eta=8.0,
    zeta=1,
    angular_shifts=np.linspace(0.8, 2.4, 11),
    sections=[0.7, 2.0],
)
PARAMETERS = {"ani-1x": "ani-1x", "ani-2x": "ani-2x", "odd": ODD, "long": LONG}


def resolved(parameters):
    return AEV(parameters).fit([]).parameters_


def cluster(seed=0, n=14, species=(1, 6, 8), spread=4.5):
    """Random atoms, at least 0.7 Å apart."""
    rng = np.random.default_rng(seed)
    positions = np.empty((0, 3))
    while len(positions) < n:
        new = rng.uniform(0, spread, 3)
        if (np.linalg.norm(positions - new, axis=1) > 0.7).all():
            positions = np.vstack((positions, new))
    return rng.choice(species, n).astype(np.int32), positions


def cutoff(r, r_cut):
    return np.where(r < r_cut, 0.5 + 0.5 * np.cos(np.pi * r / r_cut), 0.0)


def radial(p, vectors):
    """(n_shifts,) of the neighbours of one species."""
    r = np.linalg.norm(vectors, axis=1)[:, None]
    return (0.25 * np.exp(-p.eta * (r - p.shifts) ** 2) * cutoff(r, p.r_cut)).sum(axis=0)


def angular(p, a, b):
    """(n_angular_shifts, n_sections) of one pair of neighbours."""
    r_a, r_b = np.linalg.norm(a), np.linalg.norm(b)
    theta = np.arccos(0.95 * (a @ b) / (r_a * r_b))
    sections = ((1 + np.cos(theta - np.array(p.sections))) / 2) ** p.zeta
    shifts = np.exp(-p.angular_eta * ((r_a + r_b) / 2 - np.array(p.angular_shifts)) ** 2)
    weight = 2 * cutoff(r_a, p.angular_r_cut) * cutoff(r_b, p.angular_r_cut)
    return weight * np.outer(shifts, sections)


def definition(parameters, numbers, positions, centers=None):
    """Rows of `centers` (all atoms), in the order of the model's species."""
    p = resolved(parameters)
    species = numbers_of(p.species)
    pairs = list(itertools.combinations_with_replacement(range(len(species)), 2))
    kinds = [species.index(z) for z in numbers]
    rows = []
    for i in range(len(numbers)) if centers is None else centers:
        others = [j for j in range(len(numbers)) if j != i]
        vectors = positions - positions[i]
        row = [
            radial(p, vectors[[j for j in others if kinds[j] == s]]) for s in range(len(species))
        ]
        blocks = np.zeros((len(pairs), len(p.angular_shifts), len(p.sections)))
        for j, k in itertools.combinations(others, 2):
            pair = tuple(sorted((kinds[j], kinds[k])))
            blocks[pairs.index(pair)] += angular(p, vectors[j], vectors[k])
        rows.append(np.concatenate([*row, blocks.ravel()]))
    return np.array(rows)
