"""Neighbours on a device, emulated or real: those of the host, in its order."""

import numpy as np
import pytest

import molkern as mk
from molkern.neighbors import neighbor_list

WATER = ([8, 1, 1], [[0.0, 0.0, 0.12], [0.0, 0.76, -0.48], [0.0, -0.76, -0.48]])


def found(module, structures, r_cut, centers=None, positions=None):
    """first, begin, species, atom, vectors, distance, most; the structure that is wrong."""
    positions = structures.positions if positions is None else positions
    arrays = structures.numbers, structures.offsets, structures.cells, structures.pbc, centers
    surroundings = module.surroundings(structures.species.tolist(), r_cut, *arrays, 0, 0)
    there = module.upload(np.ascontiguousarray(positions), 0, 0)
    lists, wrong = module.neighbors(surroundings, there, 0)
    if wrong is not None:
        return None, wrong
    first, begin, species, atom, x, y, z, distance, most = lists
    return (first, begin, species, atom, np.stack([x, y, z], axis=1), distance, most), None


def check(module, structures, r_cut, centers=None):
    """Against the host's list, as sets of neighbours of each centre; returns their number."""
    (first, begin, species, atom, vectors, distance, most), _ = found(
        module, structures, r_cut, centers
    )
    expected = neighbor_list(structures, r_cut)
    rows = np.arange(structures.n_atoms) if centers is None else centers
    n_species = len(structures.species)
    assert len(first) == len(rows) + 1
    np.testing.assert_array_equal(begin[::n_species] if n_species else first, first)
    kinds = np.searchsorted(structures.species, structures.numbers)
    np.testing.assert_array_equal(kinds[atom], species)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), distance, rtol=1e-15)
    assert most == np.diff(first).max(initial=0)
    for c, row in enumerate(rows):
        own = slice(first[c], first[c + 1])
        assert (np.diff(species[own]) >= 0).all()
        there = expected.i == row
        mine = np.column_stack([atom[own], vectors[own]])
        theirs = np.column_stack([expected.j[there], expected.vector[there]])
        assert len(mine) == len(theirs)
        order = [np.lexsort(np.round(a, 6).T) for a in (mine, theirs)]
        np.testing.assert_allclose(mine[order[0]], theirs[order[1]], rtol=0, atol=1e-12)
    return len(atom)


def random_structures(seed, sizes, pbc, edge=6.0):
    random = np.random.default_rng(seed)
    n = sum(sizes)
    cells = edge * np.eye(3) + random.uniform(-1, 1, (len(sizes), 3, 3))
    positions = random.uniform(-edge, 2 * edge, (n, 3))
    numbers = random.choice([1, 6, 8], n)
    offsets = np.cumsum([0, *sizes])
    return mk.Structures(numbers, positions, offsets, cells, np.array(pbc, dtype=bool))


@pytest.mark.parametrize("r_cut", [1.5, 4.0])
def test_molecules(cuda_module, qm7, r_cut):
    random = np.random.default_rng(1)
    batch = qm7[random.integers(0, len(qm7), 25)]
    assert check(cuda_module, batch, r_cut) > 0
    check(cuda_module, batch, r_cut, np.sort(random.choice(batch.n_atoms, 30, replace=False)))


def test_periodic_and_not_in_one_batch(cuda_module):
    pbc = [[1, 1, 1], [0, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 0]]
    batch = random_structures(2, [9, 12, 7, 15, 0], pbc)
    for r_cut in (2.0, 7.0):
        assert check(cuda_module, batch, r_cut) > 0


def test_large_structures_in_bins(cuda_module):
    batch = random_structures(3, [300, 5, 270], [[0, 0, 0], [0, 0, 0], [1, 0, 1]], edge=10.0)
    assert check(cuda_module, batch, 3.0) > 1000


def test_no_atoms_and_no_centers(cuda_module):
    water = mk.Structures.from_arrays([([], np.empty((0, 3))), WATER])
    assert check(cuda_module, water, 3.0) == 6
    assert check(cuda_module, water, 3.0, np.empty(0, np.int64)) == 0
    assert check(cuda_module, water[:0], 3.0) == 0


def test_both_orders_of_threads_are_bitwise_equal(emulated_module):
    batch = random_structures(4, [280, 20], [[0, 0, 0], [1, 1, 1]], edge=8.0)
    results = []
    for backwards in (False, True):
        emulated_module.run_backwards(backwards)
        results.append(found(emulated_module, batch, 4.0)[0])
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1e101])
def test_positions_that_are_no_numbers(cuda_module, value):
    batch = mk.Structures.from_arrays([WATER, WATER, WATER])
    positions = batch.positions.copy()
    positions[5, 1] = value
    assert found(cuda_module, batch, 3.0, positions=positions) == (None, 1)


def test_atoms_that_coincide_or_are_too_far_away(cuda_module):
    batch = random_structures(5, [4, 6, 5], [[0, 0, 0], [1, 1, 1], [1, 1, 1]])
    positions = batch.positions.copy()
    positions[6] = positions[8] + batch.cells[1, 0] + 1e-4
    assert found(cuda_module, batch, 3.0, positions=positions) == (None, 1)
    # Atoms 6 and 8 are out of sight.
    far = np.array([0, 1])
    assert found(cuda_module, batch, 3.0, far, positions)[1] is None
    positions = batch.positions.copy()
    positions[12, 0] = 1e14
    assert found(cuda_module, batch, 3.0, positions=positions) == (None, 2)
