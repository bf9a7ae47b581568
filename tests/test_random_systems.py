"""Symmetry functions and environment vectors of systems that nobody would write down.

Cells that are small, flat, skewed or left-handed, periodic along some axes, with atoms far outside;
atoms in a line, in a plane, on a lattice with distances of exactly the cutoff; parameters at the
ends of their ranges. Against the definitions, and derivatives against each other.
"""

import itertools

import numpy as np
import pytest

import aev_definition
import molkern as mk
from acsf_definition import CUTOFF_FUNCTIONS, acsf_row
from molkern.neighbors import neighbor_list

SPECIES = [1, 6, 8]
# Above, the definition takes too long.
MOST_NEIGHBORS = 30


def random_cell(random):
    size = random.uniform(1.2, 6.0)
    skew = random.normal(size=3) * 2 * size
    cells = {
        "cube": np.eye(3) * size,
        "any": random.normal(size=(3, 3)) + np.linalg.qr(random.normal(size=(3, 3)))[0] * size,
        "skewed": np.array([[size, 0, 0], [skew[0], size, 0], [skew[1], skew[2], size]]),
        "inverted": -np.diag(random.uniform(1.2, 6.0, 3)),
        "needle": np.diag([size, 1.3, 20.0])[random.permutation(3)],
    }
    return cells[random.choice(list(cells))]


def random_molecule(random, n):
    line = np.arange(n)[:, None] * [1.1, 0.0, 0.0]
    shapes = {
        "line": line @ np.linalg.qr(random.normal(size=(3, 3)))[0],
        "axis": line[random.permutation(n)],
        "plane": random.uniform(0, 3, (n, 3)) * [1, 1, 0],
        "lattice": np.unique(random.integers(0, 4, (n, 3)), axis=0).astype(float),
    }
    return shapes[random.choice(list(shapes))]


def random_system(random):
    n = int(random.integers(1, 9))
    cell, pbc = random_cell(random), random.random(3) < 0.6
    if random.random() < 0.3:
        pbc[:] = False
        positions = random_molecule(random, n)
    else:
        positions = random.uniform(-1, 2, (n, 3)) @ cell
    positions += random.choice([0.0, 10.0, 1000.0]) * random.normal(size=3)
    n = len(positions)
    return mk.Structures(random.choice(SPECIES, n), positions, [0, n], [cell], [pbc])


def systems(seed, n, r_cut):
    """Random systems, the neighbours of each, and the generator; `r_cut` is a function of it."""
    for random in map(np.random.default_rng, range(seed, seed + n)):
        structures = random_system(random)
        chosen = r_cut(random)
        pairs = neighbor_list(structures, chosen)
        few = len(pairs) == 0 or np.diff(pairs.first).max() <= MOST_NEIGHBORS
        if few and (pairs.distance > 0.1).all():
            yield structures, chosen, pairs, random


def rows_of(pairs, row):
    """row(neighbours, vectors) of each atom."""
    ends = itertools.pairwise(pairs.first)
    return np.array([row(pairs.j[a:b], pairs.vector[a:b]) for a, b in ends])


def derivatives_agree(model, structures, random, rtol):
    X = model.transform(structures)
    cotangent = random.normal(size=X.shape)
    gradient, strain = model.vjp(structures, cotangent, strain=True)
    jacobian = model.jacobian(structures).to_dense()
    expected = np.einsum("cf,cadf->ad", cotangent, jacobian)
    scale = max(1, np.abs(expected).max())
    np.testing.assert_allclose(gradient, expected, rtol=0, atol=rtol * scale)
    # A rotation changes nothing: the derivative by strain is symmetric.
    scale = max(1, np.abs(strain).max())
    np.testing.assert_allclose(strain, strain.transpose(0, 2, 1), rtol=0, atol=rtol * scale)


def random_functions(random):
    etas = [0, 1e-3, 0.05, 0.1, 0.15, 1, 8, 50]
    zetas = [1, 1 + 1e-7, 1.3, 2, 2.5, 3, 7, 8, 9, 16, 33.3, 64, 200]

    def angular(most):
        return [
            (random.choice(etas), random.choice(zetas), random.choice([-1, 1, 0, 0.3, -0.7]))
            for _ in range(random.integers(0, most))
        ]

    g2 = [(random.choice(etas), random.choice([0, 1, 4, 9])) for _ in range(random.integers(0, 12))]
    g3 = random.choice([0, 0.5, 3, 40], random.integers(0, 3))
    return {"g2": g2, "g3": g3, "g4": angular(14), "g5": angular(6)}


@pytest.mark.parametrize("cutoff_function", CUTOFF_FUNCTIONS)
def test_acsf(cutoff_function):
    tried = 0
    for structures, r_cut, pairs, random in systems(
        0, 60, lambda random: random.choice([0.4, 1.1, 2.2, 3.0, 4.4])
    ):
        options = {"r_cut": r_cut, **random_functions(random)}
        model = mk.ACSF(species=SPECIES, cutoff_function=cutoff_function, **options).fit(structures)
        kinds = np.searchsorted(SPECIES, structures.numbers)
        expected = rows_of(
            pairs,
            lambda j, vectors, kinds=kinds, options=options: acsf_row(
                kinds[j], vectors, len(SPECIES), **options, f=cutoff_function
            ),
        )
        found = model.transform(structures)
        scale = max(1, np.abs(expected).max())
        # zeta roundings of the base of the power.
        np.testing.assert_allclose(found, expected, rtol=0, atol=200 * 2e-16 * scale)
        derivatives_agree(model, structures, random, 1e-11)
        tried += 1
    assert tried > 40


def random_parameters(random, r_cut):
    n_shifts, n_angular_shifts, n_sections = random.integers(1, 12, 3)
    return mk.AEVParameters(
        species=[8, 1, 6],
        r_cut=random.choice([1.0, r_cut]),
        eta=random.choice([1e-3, 1.0, 30.0]),
        shifts=random.uniform(0, 6, n_shifts),
        angular_r_cut=r_cut,
        angular_eta=random.choice([0.1, 8.0]),
        zeta=random.choice([1, 1.5, 2, 14.1, 32, 33, 200]),
        angular_shifts=random.uniform(0, 5, n_angular_shifts),
        sections=random.uniform(-4, 7, n_sections),
    )


def aev_row(p, kinds, vectors):
    n = len(p.species)
    row = [aev_definition.radial(p, vectors[kinds == s]) for s in range(n)]
    pairs = list(itertools.combinations_with_replacement(range(n), 2))
    blocks = np.zeros((len(pairs), len(p.angular_shifts), len(p.sections)))
    for j, k in itertools.combinations(range(len(vectors)), 2):
        pair = tuple(sorted((kinds[j], kinds[k])))
        blocks[pairs.index(pair)] += aev_definition.angular(p, vectors[j], vectors[k])
    return np.concatenate([*row, blocks.ravel()])


def test_aev():
    tried = 0
    for structures, r_cut, pairs, random in systems(
        1000, 120, lambda random: random.choice([1.1, 2.2, 3.0, 4.4])
    ):
        p = random_parameters(random, r_cut)
        model = mk.AEV(p).fit(structures)
        kinds = np.array([p.species.index(z) for z in structures.numbers])
        expected = rows_of(
            pairs, lambda j, vectors, p=p, kinds=kinds: aev_row(p, kinds[j], vectors)
        )
        scale = max(1, np.abs(expected).max())
        found = model.transform(structures)
        np.testing.assert_allclose(found, expected, rtol=0, atol=200 * 2e-16 * scale)
        derivatives_agree(model, structures, random, 1e-11)
        tried += 1
    assert tried > 80
