"""Derivatives of atomic environment vectors, and periodic structures."""

import itertools

import numpy as np
import pytest

from aev_definition import ODD, PARAMETERS, cluster, definition, resolved
from molkern import AEV, Structures

STEP = 1e-4


@pytest.fixture(params=PARAMETERS)
def parameters(request):
    return PARAMETERS[request.param]


def diamond(a=3.57, noise=0.0, repeat=1, seed=0):
    """Carbon (and one oxygen in 8 atoms) on diamond's sites, cubic."""
    base = np.array([[0, 0, 0], [0, 2, 2], [2, 0, 2], [2, 2, 0]]) / 4
    sites = np.concatenate((base, base + 0.25))
    sites = sites + np.random.default_rng(seed).normal(scale=noise, size=sites.shape)
    numbers = np.array([6] * 7 + [8])
    cells = np.array(list(itertools.product(range(repeat), repeat=3)), float)
    positions = a * (cells[:, None] + sites).reshape(-1, 3)
    return np.tile(numbers, len(cells)), positions, repeat * a * np.eye(3)


def crystal(numbers, positions, cell, pbc=(True, True, True)):
    return Structures(numbers, positions, [0, len(numbers)], cell[None], np.array([pbc]))


def with_images(numbers, positions, cell, r_cut, pbc=(True, True, True)):
    """The cell's atoms first, then all images that may be in reach."""
    height = np.abs(np.linalg.det(cell)) / np.linalg.norm(
        np.cross(np.roll(cell, -1, 0), np.roll(cell, -2, 0)), axis=1
    )
    n = [int(np.ceil(r_cut / h)) + 1 if p else 0 for h, p in zip(height, pbc, strict=True)]
    shifts = [s for s in itertools.product(*(range(-k, k + 1) for k in n)) if any(s)]
    images = [positions + np.array(s) @ cell for s in shifts]
    return np.tile(numbers, len(shifts) + 1), np.concatenate([positions, *images])


def central(function, x):
    """Derivatives by central differences of fourth order, the shape of x last."""
    result = []
    for index in np.ndindex(x.shape):
        values = []
        for k in (-2, -1, 1, 2):
            moved = x.copy()
            moved[index] += k * STEP
            values.append(function(moved))
        result.append((8 * (values[2] - values[1]) - (values[3] - values[0])) / (12 * STEP))
    return np.moveaxis(np.array(result), 0, -1).reshape(*np.shape(values[0]), *x.shape)


def test_jacobian_against_differences(parameters):
    numbers, positions = cluster(0, 7, spread=2.8)
    model = AEV(parameters).fit([])
    jacobian = model.jacobian([(numbers, positions)])
    assert jacobian.n_atoms == jacobian.n_centers == 7
    expected = central(lambda r: model.transform([(numbers, r)]), positions)
    dense = jacobian.to_dense().transpose(0, 3, 1, 2)
    assert np.abs(expected).max() > 0.5
    np.testing.assert_allclose(dense, expected, rtol=0, atol=3e-10)


@pytest.mark.parametrize("average", [None, "sum", "mean"])
def test_vjp_against_differences(parameters, average):
    structures = Structures.from_arrays([cluster(1, 6, spread=2.8), cluster(2, 9, spread=3.0)])
    model = AEV(parameters, average=average).fit([])
    gX = np.random.default_rng(0).normal(size=model.transform(structures).shape)

    def scalar(positions):
        moved = Structures(structures.numbers, positions, structures.offsets)
        return (gX * model.transform(moved)).sum()

    expected = central(scalar, structures.positions)
    result = model.vjp(structures, gX)
    np.testing.assert_allclose(result, expected, rtol=0, atol=3e-9)
    np.testing.assert_allclose(result[:6].sum(axis=0), 0, atol=1e-12)


def test_vjp_of_chosen_centers():
    structures = Structures.from_arrays([cluster(3, 8), cluster(4, 5)])
    model = AEV(ODD).fit([])
    centers = np.array([1, 4, 9])
    gX = np.random.default_rng(1).normal(size=(3, model.n_features_out_))
    full = np.zeros((13, model.n_features_out_))
    full[centers] = gX
    result = model.vjp(structures, gX, centers=centers)
    np.testing.assert_allclose(result, model.vjp(structures, full), rtol=0, atol=1e-13)
    jacobian = model.jacobian(structures, centers=centers)
    assert jacobian.n_centers == 3
    np.testing.assert_array_equal(
        jacobian.to_dense(), model.jacobian(structures).to_dense()[centers]
    )


@pytest.mark.parametrize("n", [5, 30])
def test_vjp_is_the_jacobians_product(parameters, n):
    """With 30 atoms there are more pairs than the kernel keeps at a time."""
    structures = [cluster(5, n, (1, 6), 3.6)]
    model = AEV(parameters).fit([])
    gX = np.random.default_rng(2).normal(size=(n, model.n_features_out_))
    dense = model.jacobian(structures).to_dense()
    expected = np.einsum("cf,cadf->ad", gX, dense)
    result = model.vjp(structures, gX)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-12 * np.abs(expected).max())
    single = AEV(parameters, dtype="float32").fit([]).jacobian(structures)
    assert single.values.dtype == np.float32
    np.testing.assert_allclose(single.to_dense(), dense, rtol=2e-7, atol=2e-7 * np.abs(dense).max())


@pytest.mark.parametrize("angle", [0.0, 1.0])
def test_smooth_at_the_cutoffs(parameters, angle):
    """Values go to 0 with the square of what is left to the cutoff, slopes with itself."""
    p = resolved(parameters)
    model = AEV(parameters).fit([])
    n_radial = len(p.species) * len(p.shifts)
    direction = np.array([np.sin(angle), 0.0, np.cos(angle)])
    for r_cut, columns, others in (
        (p.r_cut, slice(0, n_radial), []),
        (p.angular_r_cut, slice(n_radial, None), [[0.0, 0.0, 1.0]]),
    ):
        largest = []
        for left in (1e-3, 1e-4, 0.0, -1e-9):
            positions = np.array([[0, 0, 0], *others, (r_cut - left) * direction])
            numbers = np.full(len(positions), 1)
            dense = model.jacobian([(numbers, positions)], centers=[0]).to_dense()
            row = model.transform([(numbers, positions)], centers=[0])[0, columns]
            largest.append((row.max(), np.abs(dense[0, -1, :, columns]).max()))
        far, near, at, beyond = np.array(largest)
        assert near[0] < 0.02 * far[0]
        assert near[1] < 0.2 * far[1]
        assert not at.any()
        assert not beyond.any()


@pytest.mark.parametrize("pbc", [(True, True, True), (True, False, True)])
def test_periodic_matches_images(parameters, pbc):
    """The cell is smaller than the cutoffs: atoms are neighbours of their own images."""
    numbers, positions, cell = diamond(noise=0.02)
    numbers, positions = numbers[[0, 4, 7]], positions[[0, 4, 7]]
    cell = cell + np.array([[0.0, 0.3, 0.0], [0.0, 0.0, -0.4], [0.2, 0.0, 0.0]])
    p = resolved(parameters)
    result = AEV(parameters).fit_transform(crystal(numbers, positions, cell, pbc))
    all_numbers, all_positions = with_images(
        numbers, positions, cell, max(p.r_cut, p.angular_r_cut), pbc
    )
    near = (np.linalg.norm(all_positions[:, None] - positions, axis=2) < 5.3).any(axis=1)
    expected = definition(parameters, all_numbers[near], all_positions[near], range(3))
    np.testing.assert_allclose(result, expected, rtol=0, atol=3e-14 * expected.max())


def test_supercell_equals_cell():
    model = AEV().fit([])
    cell = model.transform(crystal(*diamond(noise=0.01)))
    large = model.transform(crystal(*diamond(noise=0.01, repeat=2)))
    np.testing.assert_allclose(large, np.tile(cell, (8, 1)), rtol=0, atol=1e-13 * cell.max())
    average = AEV(average="mean").fit([]).transform(crystal(*diamond(noise=0.01, repeat=2)))
    np.testing.assert_allclose(average[0], cell.mean(axis=0), rtol=0, atol=1e-13 * cell.max())


def test_diamonds_neighbours_are_counted():
    """Shells of 4, 12, 12, 6, 12 neighbours within 4 Å."""
    p = resolved("ani-1x")
    _, positions, cell = diamond()
    row = AEV().fit_transform(crystal(np.full(8, 6), positions, cell))[0]
    r = 3.57 * np.array([np.sqrt(3) / 4, 1 / np.sqrt(2), np.sqrt(11) / 4, 1.0, np.sqrt(19) / 4])
    count = np.array([4, 12, 12, 6, 12])
    weight = count * 0.25 * (0.5 + 0.5 * np.cos(np.pi * np.minimum(r, p.r_cut) / p.r_cut))
    expected = (weight[:, None] * np.exp(-p.eta * (r[:, None] - p.shifts) ** 2)).sum(axis=0)
    # The next shell is at 4.37 Å: shifts up to 3 Å see exp(-30) of it.
    np.testing.assert_allclose(row[16:24], expected[:8], rtol=1e-9)


@pytest.mark.parametrize("average", [None, "mean"])
def test_strain_against_finite_strain(average):
    first = diamond(noise=0.02)
    second = cluster(7, 6, spread=3.0)
    numbers = np.concatenate((first[0], second[0]))
    positions = np.concatenate((first[1], second[1]))
    cells = np.array([first[2], np.zeros((3, 3))])
    pbc = np.array([[True, True, False], [False, False, False]])
    offsets = [0, 8, 14]
    model = AEV(ODD, average=average).fit([])
    structures = Structures(numbers, positions, offsets, cells, pbc)
    gX = np.random.default_rng(3).normal(size=model.transform(structures).shape)

    def scalar(strain):
        of_atom = np.repeat(strain, [8, 6], axis=0)
        moved = positions + np.einsum("na,nab->nb", positions, of_atom)
        cell = cells + cells @ strain
        return (gX * model.transform(Structures(numbers, moved, offsets, cell, pbc))).sum()

    gradient, strain = model.vjp(structures, gX, strain=True)
    np.testing.assert_allclose(strain, central(scalar, np.zeros((2, 3, 3))), rtol=0, atol=2e-8)

    def moved_atoms(moved):
        return (gX * model.transform(Structures(numbers, moved, offsets, cells, pbc))).sum()

    np.testing.assert_allclose(gradient, central(moved_atoms, positions), rtol=0, atol=2e-8)
    # Without periodicity strain is no more than the motion of the atoms.
    np.testing.assert_allclose(strain[1], positions[8:].T @ gradient[8:], rtol=0, atol=1e-12)
