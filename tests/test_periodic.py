"""One crystal, many descriptions: the surroundings of its atoms are the same in each of them."""

import itertools

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, make_supercell, molecule

import molkern as mk
from all_representations import (
    cotangent,
    every_atomic_model,
    every_local_model,
    is_atomic,
)
from definitions import rotation
from molkern import Structures
from molkern.neighbors import neighbor_list

# Of 1, 4, 4, 27 and 7 cells; the cubic cell, sheared by 45 degrees, and one that is left-handed.
MULTIPLES = {
    "sheared": [[1, 1, 0], [0, 1, 0], [0, 0, 1]],
    "cubic": [[-1, 1, 1], [1, -1, 1], [1, 1, -1]],
    "cubic sheared by 45 degrees": [[-1, 1, 1], [0, 0, 2], [1, 1, -1]],
    "3x3x3": [[3, 0, 0], [0, 3, 0], [0, 0, 3]],
    "left-handed": [[3, 0, 1], [0, 1, 2], [1, 1, 0]],
}


@pytest.fixture(scope="module")
def rock_salt():
    """Two atoms; each of them has the symmetry of a cube."""
    return bulk("CO", "rocksalt", a=4.2)


@pytest.fixture(scope="module")
def crystal():
    """Three atoms without any symmetry, in a cell smaller than the cutoffs."""
    atoms = bulk("CO", "zincblende", a=4.1) + Atoms("H", [[1.1, 2.0, 2.3]])
    atoms.rattle(0.05, seed=1)
    return atoms


def close(found, expected, digits=1e-12):
    """Roundings of positions, relative to the largest feature."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=digits * np.abs(expected).max())


def supercell(atoms, multiples):
    """A supercell, and the atom of the first cell that each of its atoms is an image of."""
    large = make_supercell(atoms, multiples)
    fractions = (large.positions[:, None] - atoms.positions) @ np.linalg.inv(atoms.cell)
    off = np.abs(fractions - np.round(fractions)).max(axis=2)
    assert (np.sort(off, axis=1)[:, :2] < [1e-9, np.inf]).all()
    return large, off.argmin(axis=1)


def expected_rows(model, rows, origin, n_cells):
    if is_atomic(model):
        return rows[origin]
    return rows * (n_cells if model.average == "sum" else 1)


@pytest.mark.parametrize("name", MULTIPLES)
@every_local_model
def test_supercells(cls, parameters, name, crystal):
    model = cls(**parameters).fit([crystal])
    large, origin = supercell(crystal, MULTIPLES[name])
    n_cells = len(large) // len(crystal)
    handed = np.sign(np.linalg.det(large.cell) * np.linalg.det(crystal.cell))
    assert n_cells * handed == pytest.approx(np.linalg.det(MULTIPLES[name]))
    expected = expected_rows(model, model.transform([crystal]), origin, n_cells)
    close(model.transform([large]), expected)


@pytest.mark.parametrize("name", MULTIPLES)
@every_atomic_model
def test_equivalent_atoms_are_equal(cls, parameters, name, rock_salt):
    model = cls(**parameters).fit([rock_salt])
    carbon, oxygen = model.transform([rock_salt])
    assert np.abs(carbon - oxygen).max() > 1e-3 * carbon.max()
    large, _ = supercell(rock_salt, MULTIPLES[name])
    rows = model.transform([large])
    close(rows[large.numbers == 6], np.tile(carbon, (len(large) // 2, 1)))
    close(rows[large.numbers == 8], np.tile(oxygen, (len(large) // 2, 1)))


@every_local_model
def test_gradient_and_strain_of_supercells(cls, parameters, crystal):
    if parameters.get("average") == "inner":
        pytest.skip("not linear in the atoms")
    model = cls(**parameters).fit([crystal])
    large, origin = supercell(crystal, MULTIPLES["cubic"])
    gX = cotangent(model, [crystal])
    gradient, strain = model.vjp([crystal], gX, strain=True)
    n_cells = len(large) // len(crystal)
    factor = 1 / n_cells if model.average == "mean" else 1
    rows = gX[origin] if is_atomic(model) else gX
    found, found_strain = model.vjp([large], rows, strain=True)
    close(found, factor * gradient[origin], 1e-11)
    close(found_strain, factor * n_cells * strain, 1e-11)


@every_local_model
def test_atoms_outside_of_the_cell(cls, parameters, crystal):
    """Any image of an atom stands for all; wrapping changes nothing."""
    model = cls(**parameters).fit([crystal])
    gX = cotangent(model, [crystal])
    expected, gradient = model.transform([crystal]), model.vjp([crystal], gX)
    rng = np.random.default_rng(4)
    for reach in (1, 30):
        moved = crystal.copy()
        moved.positions += rng.integers(-reach, reach + 1, (len(crystal), 3)) @ crystal.cell
        close(model.transform([moved]), expected)
        close(model.vjp([moved], gX), gradient, 1e-11)
        moved.wrap()
        close(model.transform([moved]), expected)


@every_local_model
def test_rotation_and_translation_of_crystals(cls, parameters, crystal):
    model = cls(**parameters).fit([crystal])
    gX = cotangent(model, [crystal])
    expected = model.transform([crystal])
    gradient, strain = model.vjp([crystal], gX, strain=True)
    q = rotation(2)
    turned = Atoms(
        crystal.numbers,
        crystal.positions @ q.T + [11.0, -7.0, 3.0],
        cell=np.array(crystal.cell) @ q.T,
        pbc=True,
    )
    close(model.transform([turned]), expected)
    turned_gradient, turned_strain = model.vjp([turned], gX, strain=True)
    close(turned_gradient, gradient @ q.T, 1e-11)
    close(turned_strain, q @ strain @ q.T, 1e-11)


def images(atoms, reach):
    """A finite piece of the crystal: its atoms first, then all images that may be in reach."""
    cell, pbc = np.array(atoms.cell), atoms.pbc
    heights = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    counts = [int(np.ceil(reach / h)) + 1 if p else 0 for h, p in zip(heights, pbc, strict=True)]
    shifts = [s for s in itertools.product(*(range(-n, n + 1) for n in counts)) if any(s)]
    others = np.concatenate([atoms.positions + np.array(s) @ cell for s in shifts])
    numbers = np.tile(atoms.numbers, len(shifts))
    distances = np.linalg.norm(others[:, None] - atoms.positions, axis=2).min(axis=1)
    near = distances < reach
    return (
        np.concatenate((atoms.numbers, numbers[near])),
        np.concatenate((atoms.positions, others[near])),
    )


@pytest.mark.parametrize("pbc", [True, [True, False, True], [False, False, True]])
@every_atomic_model
def test_a_finite_piece_of_the_crystal(cls, parameters, pbc, crystal):
    """No periodicity is involved in what is expected. The cutoffs are larger than the cell."""
    atoms = crystal.copy()
    atoms.pbc = pbc
    piece = images(atoms, 6.0)
    assert len(piece[0]) > (200 if pbc is True else 10)
    centers = np.arange(len(atoms))
    model = cls(**parameters).fit([atoms])
    close(model.transform([atoms]), model.transform([piece], centers=centers))


@pytest.mark.parametrize("r_cut", [9.0, 14.0])
def test_cutoffs_many_times_the_cell(r_cut):
    """One atom in a tiny cell: shells of images, counted by the definition of G1."""
    atom = Atoms("C", cell=[[2.0, 0.1, 0], [0.3, 2.1, 0], [-0.2, 0.4, 2.2]], pbc=True)
    _, positions = images(atom, r_cut)
    distances = np.linalg.norm(positions[1:] - positions[0], axis=1)
    expected = (0.5 * (1 + np.cos(np.pi * distances / r_cut))).sum()
    assert len(distances) > 300
    found = mk.ACSF(r_cut=r_cut).fit_transform([atom])
    np.testing.assert_allclose(found, [[expected]], rtol=1e-12)


@every_local_model
def test_batch_of_mixed_periodicity_equals_one_by_one(cls, parameters, crystal):
    """A molecule, a crystal, a slab, a wire, and one with a cell that is not periodic. Bitwise."""
    frames = [molecule("CH3OH"), *(crystal.copy() for _ in range(4)), molecule("H2O")]
    frames[2].pbc = [True, True, False]
    frames[3].pbc = [False, False, True]
    frames[4].pbc = False
    model = cls(**parameters).fit(frames)
    together = model.transform(frames)
    alone = [model.transform([frame]) for frame in frames]
    np.testing.assert_array_equal(together, np.concatenate(alone))
    for a, b in itertools.combinations(alone[1:5], 2):
        assert np.abs(a - b).max() > 1e-6
    gX = cotangent(model, frames)
    gradient, strain = model.vjp(frames, gX, strain=True)
    ends = np.cumsum([len(rows) for rows in alone])[:-1]
    parts = [
        model.vjp([frame], rows, strain=True)
        for frame, rows in zip(frames, np.split(gX, ends), strict=True)
    ]
    np.testing.assert_array_equal(gradient, np.concatenate([part for part, _ in parts]))
    np.testing.assert_array_equal(strain, np.concatenate([part for _, part in parts]))


@every_local_model
def test_box_larger_than_all_cutoffs(cls, parameters):
    """In vacuum a periodic molecule is a molecule, wherever in its box it is."""
    atoms = molecule("CH3CONH2")
    model = cls(**parameters).fit([atoms])
    expected = model.transform([atoms])
    boxed = atoms.copy()
    boxed.set_cell([[40.0, 0, 0], [12.0, 38.0, 0], [-9.0, 7.0, 45.0]])
    boxed.pbc = True
    close(model.transform([boxed]), expected)
    # Over the edges: its atoms are at all corners of the box.
    boxed.positions -= boxed.positions.mean(axis=0)
    boxed.wrap()
    assert np.ptp(boxed.positions, axis=0).max() > 20
    close(model.transform([boxed]), expected)


@pytest.mark.parametrize("name", MULTIPLES)
def test_neighbors_in_supercells(name, crystal):
    pairs = neighbor_list([crystal], 4.5)
    large, origin = supercell(crystal, MULTIPLES[name])
    found = neighbor_list([large], 4.5)
    for atom in range(len(large)):
        mine = slice(*found.first[atom : atom + 2])
        same = slice(*pairs.first[origin[atom] : origin[atom] + 2])
        np.testing.assert_allclose(
            np.sort(found.distance[mine]), np.sort(pairs.distance[same]), rtol=1e-13
        )
        assert sorted(large.numbers[found.j[mine]]) == sorted(crystal.numbers[pairs.j[same]])


@pytest.mark.parametrize(
    ("cell", "pbc"),
    [
        (np.zeros((3, 3)), [True] * 3),
        ([[3.0, 0, 0], [6.0, 0, 0], [0, 0, 4]], [True, True, False]),
        ([[3.0, 0, 0], [0, 3, 0], [0, 0, 0]], [True] * 3),
    ],
)
@every_local_model
def test_cell_without_volume_raises(cls, parameters, cell, pbc, molecules):
    batch = Structures.from_arrays(molecules)
    cells, flags = np.tile(4 * np.eye(3), (10, 1, 1)), np.zeros((10, 3), bool)
    cells[7], flags[7] = cell, pbc
    model = cls(**parameters).fit(batch)
    gX = cotangent(model, batch)
    broken = Structures(batch.numbers, batch.positions, batch.offsets, cells, flags)
    for call in (
        lambda: model.transform(broken),
        lambda: model.vjp(broken, gX),
        lambda: model.jacobian(broken),
    ):
        with pytest.raises(ValueError, match="structure 7 do not span a volume"):
            call()
