"""Derivatives of every representation with every option: one another, differences, mechanics."""

import numpy as np
import pytest
from ase.build import bulk, molecule

import molkern as mk
from all_representations import (
    cotangent,
    every_atomic_model,
    every_local_model,
    every_model,
    is_local,
    n_rows,
)
from definitions import rotation
from molkern import CoulombMatrix, Structures

# Fourth order: errors of STEP^4 times fifth derivatives, and 1e-16 / STEP of the scalar.
STEP = 3e-4
RTOL = 1e-8


def central(function):
    """Derivative of a function of one number at 0."""
    values = [function(k * STEP) for k in (-2, -1, 1, 2)]
    return (8 * (values[2] - values[1]) - (values[3] - values[0])) / (12 * STEP)


def displaced(structures, by, strain=None):
    """Atoms moved, cells and positions strained: one 3 x 3 matrix for each structure."""
    positions, cells = structures.positions + by, structures.cells
    if strain is not None:
        of_atom = np.repeat(strain, structures.sizes, axis=0)
        positions = positions + np.einsum("na,nab->nb", positions, of_atom)
        cells = None if cells is None else cells + cells @ strain
    return Structures(structures.numbers, positions, structures.offsets, cells, structures.pbc)


@pytest.fixture(scope="module")
def crystals():
    """A crystal, a slab, a wire and a molecule; cells smaller than the cutoffs, and skewed."""
    frames = [
        bulk("SiC", "zincblende", a=4.36),
        bulk("C", "diamond", a=3.57, cubic=True)[:5],
        bulk("NaCl", "rocksalt", a=5.64),
        molecule("CH3SH"),
    ]
    for seed, frame in enumerate(frames):
        frame.numbers = np.resize([6, 8, 1, 7, 16], len(frame))
        frame.rattle(0.1, seed=seed)
    frames[1].pbc = [True, True, False]
    frames[2].pbc = [False, True, False]
    return Structures.from_ase(frames)


def products(jacobian, gX):
    """Sums over the blocks: gX of a row times the derivative of that row."""
    gradient = np.zeros((jacobian.n_atoms, 3))
    np.add.at(
        gradient, jacobian.atom, np.einsum("bdf,bf->bd", jacobian.values, gX[jacobian.center])
    )
    return gradient


@every_model
def test_vjp_is_the_jacobians_product(cls, parameters, structures):
    if parameters.get("average") == "inner":
        pytest.skip("the jacobian is that of atoms, of which an inner average is not linear")
    model = cls(**parameters).fit(structures)
    gX = cotangent(model, structures)
    rows = gX
    if n_rows(model, structures) != structures.n_atoms and is_local(cls):
        weights = 1 / structures.sizes if model.average == "mean" else np.ones(len(structures))
        rows = np.repeat(gX * weights[:, None], structures.sizes, axis=0)
    expected = products(model.jacobian(structures), rows)
    scale = np.abs(expected).max()
    assert scale > 0.1
    # Derivatives of single eigenvalues have their smallest gap in the denominator.
    np.testing.assert_allclose(model.vjp(structures, gX), expected, rtol=0, atol=1e-11 * scale)


@every_model
def test_vjp_against_differences(cls, parameters, structures):
    """Along random directions of all atoms at once: each of them sees every component."""
    model = cls(**parameters).fit(structures)
    gX = cotangent(model, structures)
    gradient = model.vjp(structures, gX)
    rng = np.random.default_rng(1)
    for _ in range(3):
        direction = rng.normal(scale=0.3, size=structures.positions.shape)

        def scalar(t, along=direction):
            return np.sum(gX * model.transform(displaced(structures, t * along)))

        expected = central(scalar)
        scale = np.linalg.norm(gradient) * np.linalg.norm(direction)
        assert np.sum(gradient * direction) == pytest.approx(expected, abs=RTOL * scale)


@every_model
def test_no_force_and_no_torque_on_a_molecule(cls, parameters, structures):
    model = cls(**parameters).fit(structures)
    gradient = model.vjp(structures, cotangent(model, structures))
    first = structures.offsets[:-1]
    scale = np.abs(gradient).max()
    forces = np.add.reduceat(gradient, first)
    np.testing.assert_allclose(forces, 0, rtol=0, atol=1e-12 * scale)
    torques = np.add.reduceat(np.cross(structures.positions, gradient), first)
    np.testing.assert_allclose(torques, 0, rtol=0, atol=1e-11 * scale)


@every_model
def test_gradients_turn_with_the_structures(cls, parameters, structures):
    q = rotation(5)
    model = cls(**parameters).fit(structures)
    gX = cotangent(model, structures)
    expected = model.vjp(structures, gX) @ q.T
    turned = Structures(structures.numbers, structures.positions @ q.T, structures.offsets)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(model.vjp(turned, gX), expected, rtol=0, atol=1e-11 * scale)


@every_model
def test_linear_in_the_cotangent(cls, parameters, structures):
    model = cls(**parameters).fit(structures)
    a, b = cotangent(model, structures, 1), cotangent(model, structures, 2)
    expected = 2 * model.vjp(structures, a) - 3 * model.vjp(structures, b)
    result = model.vjp(structures, 2 * a - 3 * b)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-11 * np.abs(expected).max())
    assert not model.vjp(structures, 0 * a).any()


@every_model
def test_other_structures_do_not_matter(cls, parameters, structures):
    """Bitwise, in a batch of any order."""
    model = cls(**parameters).fit(structures)
    gX = cotangent(model, structures)
    gradient, first = model.vjp(structures, gX), structures.offsets
    split = np.split(gX, first[1:-1]) if len(gX) == structures.n_atoms else gX[:, None]
    order = np.random.default_rng(0).permutation(len(structures))
    result = model.vjp(structures[order], np.concatenate([split[k] for k in order]))
    expected = np.concatenate([gradient[first[k] : first[k + 1]] for k in order])
    np.testing.assert_array_equal(result, expected)
    for k in range(len(structures)):
        alone = model.vjp(structures[k], split[k])
        np.testing.assert_array_equal(alone, gradient[first[k] : first[k + 1]])


@every_model
def test_layouts_and_types_of_cotangents(cls, parameters, structures):
    model = cls(**parameters, dtype="float32").fit(structures)
    gX = cotangent(model, structures).astype(np.float32)
    expected = model.vjp(structures, gX.astype(float))
    assert expected.dtype == np.float64
    frozen = gX.copy()
    frozen.flags.writeable = False
    strided = np.repeat(gX, 2, axis=1)[:, ::2]
    for same in (gX, frozen, strided, np.asfortranarray(gX), gX.astype(">f8"), gX.tolist()):
        np.testing.assert_array_equal(model.vjp(structures, same), expected)
    for wrong in (gX[:-1], gX[:, :-1], gX[0], gX[None]):
        with pytest.raises(ValueError, match="gX: expected shape"):
            model.vjp(structures, wrong)
    with pytest.raises(TypeError, match="gX: expected real numbers, found complex64"):
        model.vjp(structures, gX + 0j)


@every_local_model
def test_strain_of_molecules_is_the_motion_of_their_atoms(cls, parameters, structures):
    model = cls(**parameters).fit(structures)
    gradient, strain = model.vjp(structures, cotangent(model, structures), strain=True)
    assert strain.shape == (len(structures), 3, 3)
    outer = np.einsum("na,nb->nab", structures.positions, gradient)
    expected = np.add.reduceat(outer, structures.offsets[:-1])
    np.testing.assert_allclose(strain, expected, rtol=0, atol=1e-11 * np.abs(expected).max())


@every_local_model
def test_periodic_gradient_and_strain_against_differences(cls, parameters, crystals):
    model = cls(**parameters).fit(crystals)
    gX = cotangent(model, crystals)
    gradient, strain = model.vjp(crystals, gX, strain=True)
    np.testing.assert_array_equal(model.vjp(crystals, gX), gradient)
    scale = np.linalg.norm(gradient)
    rng = np.random.default_rng(2)
    for _ in range(3):
        direction = rng.normal(scale=0.3, size=crystals.positions.shape)

        def moved(t, along=direction):
            return np.sum(gX * model.transform(displaced(crystals, t * along)))

        bound = RTOL * scale * np.linalg.norm(direction)
        assert np.sum(gradient * direction) == pytest.approx(central(moved), abs=bound)
    for row in range(3):
        for column in range(3):
            unit = np.zeros((3, 3))
            unit[row, column] = 1.0

            # Each structure by another amount, so that none can take another's place.
            def strained(t, unit=unit):
                amounts = t * np.array([1.0, -0.7, 0.4, 0.2])
                return np.sum(
                    gX * model.transform(displaced(crystals, 0, amounts[:, None, None] * unit))
                )

            expected = central(strained)
            found = strain[:, row, column] @ [1.0, -0.7, 0.4, 0.2]
            assert found == pytest.approx(expected, abs=10 * RTOL * np.abs(strain).max())
    # No force on the whole cell, and no torque: the derivative by strain is symmetric.
    sums = np.add.reduceat(gradient, crystals.offsets[:-1])
    np.testing.assert_allclose(sums, 0, rtol=0, atol=1e-12 * scale)
    bound = 1e-11 * np.abs(strain).max()
    np.testing.assert_allclose(strain, strain.transpose(0, 2, 1), rtol=0, atol=bound)


@every_atomic_model
def test_periodic_vjp_is_the_jacobians_product(cls, parameters, crystals):
    model = cls(**parameters).fit(crystals)
    gX = cotangent(model, crystals)
    jacobian = model.jacobian(crystals)
    assert len(jacobian.atom) > crystals.n_atoms**2 / 4  # images have blocks of their own
    expected = products(jacobian, gX)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(model.vjp(crystals, gX), expected, rtol=0, atol=1e-11 * scale)
    dense = np.einsum("cf,cadf->ad", gX, jacobian.to_dense())
    np.testing.assert_allclose(dense, expected, rtol=0, atol=1e-11 * scale)


@every_local_model
def test_compact_blocks_are_the_dense_ones(cls, parameters, crystals):
    model = cls(**parameters).fit(crystals)
    dense, compact = model.jacobian(crystals), model.jacobian(crystals, compact=True)
    # Sums of all species, the only features of mu2, depend on every neighbour.
    of_all = parameters.get("compression") == "mu2"
    assert (
        compact.values.size == dense.values.size
        if of_all
        else (compact.values.size < 0.9 * dense.values.size)
    )
    np.testing.assert_array_equal(compact.center, dense.center)
    np.testing.assert_array_equal(compact.atom, dense.atom)
    for k in range(len(dense.atom)):
        columns, values = compact.block(k)
        np.testing.assert_array_equal(values, dense.values[k][:, columns])
        others = np.delete(dense.values[k], columns, axis=1)
        assert not others.any()


@every_atomic_model
def test_chosen_centers(cls, parameters, structures):
    """All atoms are moved, whichever are represented."""
    model = cls(**parameters).fit(structures)
    centers = np.arange(1, structures.n_atoms, 4)
    gX = np.random.default_rng(0).normal(size=(len(centers), model.n_features_out_))
    everywhere = np.zeros((structures.n_atoms, model.n_features_out_))
    everywhere[centers] = gX
    expected = model.vjp(structures, everywhere)
    result = model.vjp(structures, gX, centers=centers)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-13 * np.abs(expected).max())
    found = products(model.jacobian(structures, centers=centers), gX)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11 * np.abs(expected).max())


@every_local_model
def test_average_of_chosen_centers(cls, parameters, structures):
    """Structures without a chosen atom have rows of zeros and no gradient."""
    model = cls(**parameters).fit(structures)
    centers = np.arange(structures.offsets[2], structures.offsets[4], 2)
    rows = model.transform(structures, centers=centers)
    gX = np.cos(np.arange(rows.size)).reshape(rows.shape)
    gradient = model.vjp(structures, gX, centers=centers)
    inside = np.zeros(structures.n_atoms, bool)
    inside[structures.offsets[2] : structures.offsets[4]] = True
    assert not gradient[~inside].any()
    assert (np.abs(gradient[inside]).max(axis=1) > 0).all()
    if len(rows) == len(structures):
        assert not rows[[0, 1, *range(4, 10)]].any()
    direction = np.random.default_rng(3).normal(scale=0.3, size=structures.positions.shape)

    def scalar(t):
        return np.sum(gX * model.transform(displaced(structures, t * direction), centers=centers))

    bound = RTOL * np.linalg.norm(gradient) * np.linalg.norm(direction)
    assert np.sum(gradient * direction) == pytest.approx(central(scalar), abs=bound)


def test_a_tolerance_that_can_fail(structures):
    """The differences above see an error of a millionth in one component."""
    model = CoulombMatrix(permutation="none").fit(structures)
    gX = cotangent(model, structures)
    gradient = model.vjp(structures, gX)
    direction = np.random.default_rng(1).normal(scale=0.3, size=gradient.shape)
    expected = central(lambda t: np.sum(gX * model.transform(displaced(structures, t * direction))))
    bound = RTOL * np.linalg.norm(gradient) * np.linalg.norm(direction)
    assert abs(np.sum(gradient * direction) - expected) < bound
    largest = np.unravel_index(np.argmax(np.abs(gradient * direction)), gradient.shape)
    gradient[largest] *= 1 + 1e-6
    assert abs(np.sum(gradient * direction) - expected) > bound


@pytest.mark.parametrize("cls", [mk.ACSF, mk.AEV, mk.SOAP])
def test_wrong_strain_flag_does_not_pass_unseen(cls, structures):
    """strain and centers are keywords: a third position could mean either."""
    model = cls(**({"parameters": "ani-2x"} if cls is mk.AEV else {})).fit(structures)
    with pytest.raises(TypeError, match="positional argument"):
        model.vjp(structures, cotangent(model, structures), True)
