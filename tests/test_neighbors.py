"""Neighbour lists: against a plain search over images, ASE and vesin, for any cell."""

import itertools

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.neighborlist import neighbor_list as ase_neighbor_list

import molkern as mk
from molkern.neighbors import neighbor_list

TRICLINIC = np.array([[4.0, 0.3, -0.2], [1.5, 3.5, 0.1], [-0.7, 0.9, 5.0]])


def random_structure(seed, n, cell=None, pbc=False, spread=6.0, beyond=1.5):
    random = np.random.default_rng(seed)
    if cell is None:
        positions = random.uniform(0, spread, (n, 3))
    else:
        # Outside of the cell, too.
        positions = random.uniform(-beyond, 1 + beyond, (n, 3)) @ cell
    return Atoms(random.choice([1, 6, 8], n), positions, cell=cell, pbc=pbc)


def plain(atoms, r_cut):
    """Every image of every atom within the cutoff; a loop over whole shells of cells."""
    cell, pbc = np.array(atoms.cell), np.array(atoms.pbc)
    fractions = np.zeros((len(atoms), 3))
    reach = np.zeros(3, int)
    if pbc.any():
        full = np.array(atoms.cell.complete())
        inverse = np.linalg.inv(full)
        fractions = atoms.positions @ inverse
        spread = np.ptp(fractions, axis=0) if len(atoms) else np.zeros(3)
        reach = np.where(pbc, np.ceil(r_cut * np.linalg.norm(inverse, axis=0) + spread), 0)
    found = []
    for shift in itertools.product(*(range(-int(k), int(k) + 1) for k in reach)):
        vectors = atoms.positions + np.array(shift) @ cell - atoms.positions[:, None]
        near = np.linalg.norm(vectors, axis=-1) < r_cut
        if shift == (0, 0, 0):
            np.fill_diagonal(near, False)
        found += [(int(i), int(j), *shift) for i, j in np.argwhere(near)]
    return sorted(found)


def rows(pairs):
    return [
        (int(i), int(j), *map(int, s))
        for i, j, s in zip(pairs.i, pairs.j, pairs.shift, strict=True)
    ]


CASES = {
    "water": (molecule("H2O"), 1.2),
    "one atom": (Atoms("H"), 3.0),
    "no neighbours": (molecule("CH4"), 0.5),
    "300 atoms": (random_structure(0, 300, spread=14.0), 3.0),
    "300 atoms on a line": (Atoms("H300", [[0.7 * k, 0, 0] for k in range(300)]), 2.0),
    "far apart": (Atoms("H300", [[1e3 * k, -2e3 * k, 0] for k in range(300)]), 5.0),
    "triclinic": (random_structure(1, 8, TRICLINIC, True), 3.0),
    "cell smaller than the cutoff": (bulk("Cu"), 7.0),
    "one atom, long cutoff": (Atoms("H", cell=[1.1, 1.0, 1.2], pbc=True), 4.0),
    "needle": (random_structure(2, 5, np.diag([2.0, 2.0, 30.0]), True), 5.0),
    "flat cell": (random_structure(3, 6, [[4, 0, 0], [3.8, 0.9, 0], [0, 0, 4]], True), 3.0),
    "slab": (random_structure(4, 30, TRICLINIC, [True, True, False]), 3.5),
    "wire": (random_structure(5, 30, TRICLINIC, [False, True, False]), 3.5),
    "slab without third vector": (
        Atoms("C4", np.random.default_rng(6).uniform(0, 3, (4, 3)),
              cell=[[3, 0, 0], [1, 3, 0], [0, 0, 0]], pbc=[1, 1, 0]), 4.0),
    "left-handed": (random_structure(7, 8, TRICLINIC[[1, 0, 2]], True), 3.0),
    "cell without periodicity": (random_structure(8, 10, TRICLINIC, False), 3.0),
    "large cell": (random_structure(9, 300, np.diag([14.0, 16.0, 20.0]), True, beyond=0.3), 3.0),
    "large slab": (
        random_structure(10, 400, np.diag([20.0, 22, 9]), [True, True, False], beyond=0.3), 3.0),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_matches_a_plain_search(name):
    atoms, r_cut = CASES[name]
    pairs = neighbor_list([atoms], r_cut)
    assert rows(pairs) == plain(atoms, r_cut)
    expected = atoms.positions[pairs.j] + pairs.shift @ np.array(atoms.cell)
    np.testing.assert_allclose(pairs.vector, expected - atoms.positions[pairs.i], atol=1e-9)
    np.testing.assert_allclose(
        pairs.distance, np.linalg.norm(pairs.vector, axis=1), rtol=1e-14, atol=0
    )
    assert np.array_equal(np.diff(pairs.first), np.bincount(pairs.i, minlength=len(atoms)))


@pytest.mark.parametrize("name", CASES)
def test_reference_ase(name):
    atoms, r_cut = CASES[name]
    i, j, shift = ase_neighbor_list("ijS", atoms, r_cut)
    expected = sorted((int(a), int(b), *map(int, s)) for a, b, s in zip(i, j, shift, strict=True))
    assert rows(neighbor_list([atoms], r_cut)) == expected


# The same periodicity along every axis. Not the long ones: vesin 0.6 ends the process.
ALIKE = [n for n, (atoms, _) in CASES.items() if atoms.pbc.all() or not atoms.pbc.any()]


@pytest.mark.parametrize("name", sorted({*ALIKE} - {"far apart", "300 atoms on a line"}))
def test_reference_vesin(name):
    vesin = pytest.importorskip("vesin")
    atoms, r_cut = CASES[name]
    calculator = vesin.NeighborList(cutoff=r_cut, full_list=True)
    i, j, shift = calculator.compute(
        points=atoms.positions,
        box=np.array(atoms.cell),
        periodic=bool(atoms.pbc.all()),
        quantities="ijS",
    )
    expected = sorted((int(a), int(b), *map(int, s)) for a, b, s in zip(i, j, shift, strict=True))
    assert rows(neighbor_list([atoms], r_cut)) == expected


@pytest.mark.parametrize("name", ["triclinic", "300 atoms", "slab", "wire", "large cell"])
def test_rotation_and_translation(name):
    atoms, r_cut = CASES[name]
    before = neighbor_list([atoms], r_cut)
    rotation = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    moved = atoms.copy()
    moved.set_cell(np.array(atoms.cell) @ rotation)
    moved.positions = atoms.positions @ rotation + [1.3, -7.1, 20.2]
    after = neighbor_list([moved], r_cut)
    assert rows(before) == rows(after)
    np.testing.assert_allclose(before.vector @ rotation, after.vector, atol=1e-9)


def test_batch_equals_one_by_one():
    structures = mk.Structures.concatenate(
        [mk.Structures.from_ase([atoms]) for atoms, _ in CASES.values()]
    )
    together = neighbor_list(structures, 3.0)
    for m in range(len(structures)):
        begin, end = structures.offsets[m : m + 2]
        alone = neighbor_list(structures[m : m + 1], 3.0)
        part = slice(together.first[begin], together.first[end])
        assert np.array_equal(together.i[part] - begin, alone.i)
        assert np.array_equal(together.j[part] - begin, alone.j)
        assert np.array_equal(together.shift[part], alone.shift)
        assert np.array_equal(together.vector[part], alone.vector)
        assert np.array_equal(together.distance[part], alone.distance)


@pytest.mark.parametrize("n_threads", [1, 2, 7])
def test_same_for_any_number_of_threads(n_threads):
    atoms = [CASES[name][0] for name in ("300 atoms", "triclinic", "large cell")]
    expected, found = (neighbor_list(atoms, 3.0, n_threads=n) for n in (1, n_threads))
    for name in ("i", "j", "shift", "vector", "distance", "first"):
        assert np.array_equal(getattr(expected, name), getattr(found, name))


def test_empty_batch_and_empty_structure():
    assert len(neighbor_list([], 3.0)) == 0
    nothing = mk.Structures(np.zeros(0, int), np.zeros((0, 3)), [0, 0])
    assert len(neighbor_list(nothing, 3.0)) == 0


def test_labels_above_the_periodic_table_are_species():
    assert len(neighbor_list([([500, 1], [[0, 0, 0], [1, 0, 0]])], 2.0)) == 2


@pytest.mark.parametrize("r_cut", [0.0, -1.0, np.nan, np.inf])
def test_wrong_cutoff_raises(r_cut):
    with pytest.raises(ValueError, match="r_cut: expected a positive number, found"):
        neighbor_list([molecule("H2O")], r_cut)


@pytest.mark.parametrize("cell", [np.zeros((3, 3)), [[1, 0, 0], [2, 0, 0], [0, 0, 1]]])
def test_cell_without_volume_raises(cell):
    structures = mk.Structures(
        [1, 1, 1], np.eye(3), [0, 1, 3], cells=[np.eye(3) * 9, cell], pbc=np.ones((2, 3), bool)
    )
    with pytest.raises(ValueError, match="vectors of structure 1 do not span a volume"):
        neighbor_list(structures, 2.0)


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.37])
@pytest.mark.parametrize("a", [3.567, 3.61, 4.05, 5.43])
def test_both_orders_of_a_pair_at_the_cutoff(a, shift):
    # Rounding decides whether a distance of exactly the cutoff is below it, for both alike.
    atoms = bulk("Cu", "fcc", a=a, cubic=True)
    atoms.positions += shift
    for r_cut in (a, 2 * a):
        found = set(rows(neighbor_list([atoms], r_cut)))
        assert found == {(j, i, -p, -q, -r) for i, j, p, q, r in found}


def test_opposite_pairs_have_opposite_vectors():
    atoms, r_cut = CASES["triclinic"]
    pairs = neighbor_list([atoms], r_cut)
    vector = dict(zip(rows(pairs), pairs.vector, strict=True))
    for (i, j, p, q, r), v in vector.items():
        assert np.array_equal(vector[j, i, -p, -q, -r], -v)


def periodic(positions, cell, pbc=True):
    n = len(positions)
    return mk.Structures(np.ones(n, int), positions, [0, n], cells=[cell], pbc=np.full((1, 3), pbc))


@pytest.mark.parametrize(
    ("cell", "r_cut"), [(np.eye(3) * 3, 1e4), (np.eye(3) * 1e-12, 1.0), (np.diag([1, 1, 1e-9]), 5)]
)
def test_cutoff_of_too_many_images_raises(cell, r_cut):
    crystal = periodic(np.zeros((1, 3)), cell)
    message = r"r_cut: .* is too long for the cell of structure 0: .* at most 4.194e\+06"
    with pytest.raises(ValueError, match=message):
        neighbor_list(crystal, r_cut)
    with pytest.raises(ValueError, match=message):
        mk.ACSF(r_cut=r_cut).fit_transform(crystal)
    # Where nothing repeats any cutoff and any cell will do.
    assert len(neighbor_list(periodic(np.eye(3), cell, pbc=False), 1e200)) == 6


def test_atoms_too_far_from_their_cell_raise():
    near, far = [0.0, 0.0, 0.0], [4e9, 0.0, 0.0]
    batch = mk.Structures(
        [1, 1, 1], [near, near, far], [0, 1, 3], cells=[np.eye(3) * 3] * 2, pbc=[[True] * 3] * 2
    )
    with pytest.raises(ValueError, match="structure 1 has an atom more than 1e9 cells away"):
        neighbor_list(batch, 2.0)
    slab = periodic([near, far], np.diag([0.0, 3, 3]), [False, True, True])
    assert np.array_equal(np.diff(neighbor_list(slab, 3.5).first), [4, 4])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("kind", ["small", "large", "crystal"])
def test_positions_spoilt_after_their_check_raise(kind, value):
    cube = np.random.default_rng(0).uniform(0, 9, (300 if kind == "large" else 20, 3))
    structures = periodic(cube, np.eye(3) * 9, kind == "crystal")
    model = mk.ACSF().fit(structures)
    structures.positions[3, 1] = value
    for function in (lambda batch: neighbor_list(batch, 4.0), model.transform):
        with pytest.raises(ValueError, match="positions: expected finite values below 1e100"):
            function(structures)


def test_pairs_that_do_not_fit_in_memory_raise(monkeypatch):
    monkeypatch.setattr("molkern._arrays.available_bytes", lambda: 1 << 20)
    line = np.linspace(0, 20, 20_000)[:, None] * [1.0, 0.0, 0.0]
    with pytest.raises(MemoryError, match=r"neighbor_list: the result of shape .* needs \d+ bytes"):
        neighbor_list([(np.ones(len(line), int), line)], 0.25)


def test_fewer_than_no_threads_raises():
    with pytest.raises(ValueError, match="n_threads: expected"):
        neighbor_list([molecule("H2O")], 2.0, n_threads=0)
