"""The counts of operations behind the floors of benchmarks/floors.py."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import molkern as mk

RATES = {
    "float64_multiply_add_flops": 4e10,
    "float64_absolute_differences": 1e10,
    "float64_exp": 1e9,
    "float64_sqrt": 1e9,
    "float64_divide": 5e9,
    "read_one_thread": 1e10,
    "write_one_thread": 8e9,
    "stream_one_thread": 1e10,
    "first_touch_huge_pages": 5e9,
}


@pytest.fixture
def structures(bench):
    return mk.Structures.from_arrays(bench("peers.molecules").synthetic_pairs(4, seed=3))


def molecules_of(structures):
    for a, b in itertools.pairwise(structures.offsets):
        yield structures.numbers[a:b], structures.positions[a:b]


def test_counts_of_surroundings(bench, structures):
    counts = bench("local_work")
    r_cut, atom, triangles = 2.5, 0, 0
    n_neighbours = counts.neighbours(structures, r_cut)
    around = counts.species_around(structures, r_cut)
    for numbers, positions in molecules_of(structures):
        distance = np.linalg.norm(positions[:, None] - positions, axis=2)
        for i in range(len(numbers)):
            near = [j for j in range(len(numbers)) if j != i and distance[i, j] < r_cut]
            assert n_neighbours[atom] == len(near)
            found = set(structures.species[around[atom]].tolist())
            assert found == {int(numbers[j]) for j in [i, *near]}
            pairs = itertools.combinations(near, 2)
            triangles += sum(distance[j, k] < r_cut for j, k in pairs)
            atom += 1
    assert triangles > 0
    assert counts.triangles(structures, r_cut) == pytest.approx(triangles, rel=1e-12)


def test_soap_counts_of_one_molecule(bench):
    counts = bench("local_work")
    water = [([8, 1, 1], [[0.0, 0.0, 0.0], [0.0, 0.76, 0.59], [0.0, -0.76, 0.59]])]
    structures = mk.Structures.from_arrays(water)
    soap = mk.SOAP(n_max=3, l_max=1, r_cut=4.0).fit(structures)
    # 2 neighbours of 3 atoms; both elements around each; 3 pairs of elements: 6, 9 and 6 products
    spectra = 3 * 4 * (6 + 9 + 6)
    dense = counts.soap_work(structures, soap, 4.0, "dense")
    assert dense.flops == 2 * (6 * 4 * 5 + 3 * 2 * 9 * 4 + spectra)
    assert dense.exps == 6 * 3 * 2
    assert dense.written == 8 * 3 * soap.n_features_out_
    inner = counts.soap_work(structures, soap, 4.0, "inner")
    assert inner.flops == 2 * (6 * 4 * 5 + 2 * 9 * 4 + spectra / 3)
    assert inner.written == 8 * soap.n_features_out_
    vjp = counts.soap_work(structures, soap, 4.0, "vjp")
    assert vjp.flops > dense.flops + 2 * spectra
    # every element is everywhere: the whole cotangent is read
    assert vjp.read == 28 * 3 + 8 * 3 * soap.n_features_out_


def test_local_kernel_counts_half_of_the_pairs_of_one_element(bench):
    structures = mk.Structures.from_arrays([([1, 1, 8], np.eye(3)), ([8, 8, 8], 2 * np.eye(3))])
    work = bench("local_work").local_gaussian_work(structures, 5)
    assert work.exps == 2 * 3 / 2 + 4 * 5 / 2
    assert work.flops == 2 * 5 * work.exps
    assert work.read == 8 * 6 * 5


def test_more_neighbours_are_more_work(bench, structures):
    counts = bench("local_work")
    representations = [
        mk.ACSF(r_cut=r_cut, g2=[(1.0, 0.0)], g4=[(0.1, 2.0, 1)]).fit(structures)
        for r_cut in (2.0, 4.0)
    ]
    works = [counts.acsf_work(structures, r, gradient=False) for r in representations]
    assert works[0].flops < works[1].flops
    assert works[0].exps < works[1].exps
    gradient = counts.acsf_work(structures, representations[1], gradient=True)
    assert gradient.flops > works[1].flops
    assert gradient.written == 24 * structures.n_atoms
    aev = mk.AEV("ani-2x").fit(structures)
    values, gradient = (counts.aev_work(structures, aev, gradient=g) for g in (False, True))
    near = counts.neighbours(structures, 3.5)
    radial = 16 * counts.neighbours(structures, 5.1).sum()
    assert values.exps == gradient.exps == radial + 8 * (near * (near - 1) / 2).sum()
    assert gradient.flops > values.flops


def test_local_entries_are_measured(bench):
    floors = bench("floors")
    pairs = bench("peers.molecules").synthetic_pairs(6)
    rows = floors.measure(floors.local_entries(pairs), RATES, 1)
    found = {(row["kernel"], row["memory"]): row for row in rows}
    assert ("SOAP dense", "out") in found
    assert ("SOAP vjp", "fresh") in found
    assert ("SOAP vjp", "out") not in found
    assert found["kernels.local.gaussian", "out"]["shape"] == (6, 6)
    for row in rows:
        work = floors.Work(**row["operations"])
        floor, bound = floors.floor_seconds(work, RATES, fresh=row["memory"] == "fresh")
        assert (floor, bound) == (row["floor_seconds"], row["bound_by"])
        assert row["distance"] == row["seconds_min"] / floor
    assert found["SOAP dense", "out"]["shape"][0] == sum(len(numbers) for numbers, _ in pairs)


def test_a_floor_is_the_largest_of_three_times(bench):
    floors = bench("floors")
    work = floors.Work(6e10, written=1e10)
    assert floors.floor_seconds(work, RATES, fresh=False) == (1.5, "arithmetic")
    assert floors.floor_seconds(work, RATES, fresh=True) == (2.0, "memory")
    work = floors.Work(4e10, exps=5e8, divisions=1e10)
    assert floors.floor_seconds(work, RATES, fresh=True) == (2.0, "division")
