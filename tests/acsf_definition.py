"""Symmetry functions of Behler, written from the formulas, and functions to try them with."""

import itertools

import numpy as np

R_CUT = 3.4
# Every kind of function; zeta whole or not, eta 0, multiples of one another and the same twice.
OPTIONS = {
    "r_cut": R_CUT,
    "g2": [(0.5, 0.0), (2.0, 1.2), (0.0, 0.3)],
    "g3": [1.0, 2.5],
    "g4": [(0.1, 1, -1), (0.5, 4, 1), (0.1, 1, 1), (0.0, 1.3, -1), (0.03, 2.5, 0.7), (0.1, 9, 1)],
    "g5": [(0.1, 2, 1), (0.3, 1, -1), (0.1, 2, 1)],
}
# Two by four, and what is left over: the functions that are summed in blocks.
GRIDS = {
    "r_cut": R_CUT,
    "g1": False,
    "g4": list(itertools.product([0.01, 0.05, 0.2], [1, 2, 3, 5, 8], [-1.0, 1.0])),
    "g5": list(itertools.product([0.02, 0.14], [1, 6], [-1.0, 1.0])),
}
CUTOFF_FUNCTIONS = {
    "cosine": lambda x: 0.5 * (1 + np.cos(np.pi * x)),
    "tanh3": lambda x: np.tanh(1 - x) ** 3,
    "polynomial": lambda x: 1 - 10 * x**3 + 15 * x**4 - 6 * x**5,
}


def acsf_row(kinds, vectors, n_species, *, r_cut, g1=True, g2=(), g3=(), g4=(), g5=(), f="cosine"):
    """Features of one atom. kinds: index of the species of each neighbour."""
    inside = np.linalg.norm(vectors, axis=1) < r_cut
    kinds, vectors = np.asarray(kinds)[inside], vectors[inside]

    def fc(r):
        return CUTOFF_FUNCTIONS[f](r / r_cut) if r < r_cut else 0.0

    distances = np.linalg.norm(vectors, axis=1)
    radial = {s: np.zeros(g1 + len(g2) + len(g3)) for s in range(n_species)}
    pairs = {(a, b): np.zeros(len(g4) + len(g5)) for b in range(n_species) for a in range(b + 1)}
    for s, r in zip(kinds, distances, strict=True):
        values = [1.0] * g1 + [np.exp(-eta * (r - shift) ** 2) for eta, shift in g2]
        values += [np.cos(kappa * r) for kappa in g3]
        radial[s] += fc(r) * np.array(values)
    for j, k in itertools.combinations(range(len(kinds)), 2):
        rj, rk, rjk = distances[j], distances[k], np.linalg.norm(vectors[j] - vectors[k])
        cosine = vectors[j] @ vectors[k] / (rj * rk)
        values = [
            2 ** (1 - zeta)
            * max(1 + sign * cosine, 0.0) ** zeta
            * np.exp(-eta * (rj**2 + rk**2 + closed * rjk**2))
            * (fc(rj) * fc(rk) * (fc(rjk) if closed else 1.0))
            for closed, functions in ((True, g4), (False, g5))
            for eta, zeta, sign in functions
        ]
        pairs[tuple(sorted((kinds[j], kinds[k])))] += values
    return np.concatenate([*radial.values(), *pairs.values()])


def acsf_definition(structures, species, centers=None, **options):
    """Features of the atoms of structures without cells."""
    kinds = np.searchsorted(species, structures.numbers)
    rows = []
    for m in range(len(structures)):
        atoms = np.arange(structures.offsets[m], structures.offsets[m + 1])
        for i in atoms:
            if centers is not None and i not in centers:
                continue
            others = atoms[atoms != i]
            vectors = structures.positions[others] - structures.positions[i]
            rows.append(acsf_row(kinds[others], vectors, len(species), **options))
    return np.array(rows)
