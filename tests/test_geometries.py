"""Geometries at the limits of the formulas: straight lines, poles, great distances, symmetry."""

import itertools

import numpy as np
import pytest
from ase.build import molecule

import molkern as mk
from acsf_definition import acsf_definition
from aev_definition import ODD, definition
from all_representations import (
    ELEMENTS,
    cotangent,
    every_atomic_model,
    every_local_model,
    every_model,
)
from definitions import rotation
from differences import numerical_jacobian
from molkern import AEV, AEVParameters, Structures
from soap_definition import SMALL, soap_definition

ZETAS = [1, 1.5, 2, 3, 4, 7.3, 8, 15, 16, 32, 63.5, 64]
# From the middle atom: neighbours at 180 degrees, at 0 degrees (one behind another), and at 90.
CROSS = ([6, 8, 1, 7, 1], [[0.0, 0, 0], [0, 0, 1.2], [0, 0, -1.1], [0, 0, 2.3], [1.3, 0, 0]])


def close(found, expected, digits=1e-12):
    np.testing.assert_allclose(found, expected, rtol=0, atol=digits * np.abs(expected).max())


@pytest.mark.parametrize("zeta", ZETAS)
@pytest.mark.parametrize("lambda_", [-1.0, 1.0])
def test_symmetry_functions_of_straight_angles(zeta, lambda_):
    """(1 + lambda cos)^zeta is 0 and 2^zeta there: equal to the definition, and smooth."""
    functions = [(0.05, zeta, lambda_), (0.0, zeta, lambda_)]
    options = {"r_cut": 4.0, "g1": False, "g4": functions, "g5": functions}
    batch = Structures.from_arrays([CROSS])
    model = mk.ACSF(**options).fit(batch)
    rows = model.transform(batch)
    # Of each column: factors 2^(1 - zeta) and powers make them as small as 1e-10.
    expected = acsf_definition(batch, model.species_, **options)
    for column, wanted in zip(rows.T, expected.T, strict=True):
        np.testing.assert_allclose(column, wanted, rtol=1e-11, atol=1e-13 * np.abs(wanted).max())
    jacobian = model.jacobian(batch).to_dense()
    assert np.isfinite(jacobian).all()
    # Half powers have no second derivative at 0: differences of first order there.
    tolerance = 1e-8 if zeta == int(zeta) and zeta < 20 else 1e-5
    close(jacobian, numerical_jacobian(model, batch), tolerance)
    gX = cotangent(model, batch)
    close(model.vjp(batch, gX), np.einsum("cf,cadf->ad", gX, jacobian))


@pytest.mark.parametrize("zeta", ZETAS)
def test_environment_vectors_of_straight_angles(zeta):
    own = AEVParameters(
        **{**vars(ODD), "species": ELEMENTS, "zeta": zeta, "sections": [0.0, 1.5, np.pi]}
    )
    batch = Structures.from_arrays([CROSS])
    model = AEV(own).fit([])
    close(model.transform(batch), definition(own, *map(np.array, CROSS)), 1e-13)
    jacobian = model.jacobian(batch).to_dense()
    assert np.isfinite(jacobian).all()
    close(jacobian, numerical_jacobian(model, batch), 1e-8)
    gX = cotangent(model, batch)
    close(model.vjp(batch, gX), np.einsum("cf,cadf->ad", gX, jacobian))


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("l_max", [0, 1, 6, 10])
def test_power_spectrum_at_the_poles(axis, l_max):
    """Where azimuths are not defined: in the coordinate axes, both ways, and close to them."""
    numbers, positions = np.array(CROSS[0]), np.array(CROSS[1])
    positions = np.roll(positions, axis, axis=1)
    options = SMALL | {"l_max": l_max, "n_max": 2, "cutoff_function": "cosine"}
    batch = Structures.from_arrays([(numbers, positions)])
    model = mk.SOAP(**options).fit(batch)
    expected = soap_definition(
        batch, model.species_, **{k: v for k, v in options.items() if k != "cutoff_function"},
        f="cosine",
    )  # fmt: skip
    close(model.transform(batch), expected)
    jacobian = model.jacobian(batch).to_dense()
    close(jacobian, numerical_jacobian(model, batch), 1e-7)
    nearly = [(numbers, positions + 1e-13 * rotation(axis)[[0, 1, 2, 0, 1]])]
    close(model.jacobian(nearly).to_dense(), jacobian)


@every_atomic_model
def test_cutoff_beyond_the_molecule(cls, parameters):
    """No hidden box: a chain of 30 Å, and a cutoff beyond its ends, mean all of its atoms."""
    if parameters.get("radial_basis", "gto") != "gto":
        pytest.skip("the definition integrates numerically, which takes a minute here")
    if cls is AEV:
        own = AEVParameters(**{**vars(ODD), "species": ELEMENTS, "r_cut": 50, "angular_r_cut": 50})
        parameters = {"parameters": own}
    else:
        parameters = parameters | {"r_cut": 50.0}
    rng = np.random.default_rng(0)
    positions = np.stack([1.2 * np.arange(26), *rng.uniform(-1, 1, (2, 26))], axis=1)
    numbers = rng.choice(ELEMENTS, 26)
    chain = Structures.from_arrays([(numbers, positions)])
    model = cls(**parameters).fit(chain)
    rows = model.transform(chain)
    centers = [0, 13, 25]
    if cls is AEV:
        expected = definition(own, numbers, positions, centers)
    else:
        options = {k: v for k, v in parameters.items() if k not in ("cutoff_function", "average")}
        function = parameters.get("cutoff_function", "cosine" if cls is mk.ACSF else None)
        if cls is mk.ACSF:
            expected = acsf_definition(chain, model.species_, centers, **options, f=function)
        else:
            expected = soap_definition(
                chain, model.species_, **options, f=function, centers=centers
            )
    # The condition of the overlap of radial functions up to 50 Å is larger.
    close(rows[centers], expected, 1e-9)
    # The far end matters to the near one.
    moved = positions.copy()
    moved[25] += [0.0, 0.0, 1.0]
    if cls is not AEV:  # of which no radial shift is beyond 3 Å
        assert np.abs(model.transform([(numbers, moved)])[0] - rows[0]).max() > 0


@every_local_model
def test_far_molecules_are_alone(cls, parameters, molecules):
    """Far from one another and from the origin, in one structure: rows as of each alone."""
    model = cls(**parameters).fit(molecules)
    (z, r), (other_z, other_r) = molecules[2], molecules[5]
    alone = [model.transform([pair]) for pair in ((z, r), (other_z, other_r))]
    for away in (50.0, 1e4, 1e6):
        both = (np.concatenate((z, other_z)), np.concatenate((r, other_r + away * np.eye(3)[1])))
        found = model.transform([both])
        # Positions are rounded to 1e-16 of their size.
        digits = 1e-12 + 1e-14 * away
        if model.average is None:
            close(found, np.concatenate(alone), digits)
        elif model.average == "sum":
            close(found, alone[0] + alone[1], digits)
        elif model.average == "mean":
            weights = np.array([len(z), len(other_z)]) / (len(z) + len(other_z))
            close(found, weights[0] * alone[0] + weights[1] * alone[1], digits)
        assert np.isfinite(found).all()


def _symmetric_molecules():
    ring = np.exp(2j * np.pi * np.arange(6) / 6)
    hexagon = np.stack([ring.real, ring.imag, 0 * ring.real], axis=1)
    tetrahedron = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3)
    centre = np.zeros((1, 3))
    yield "methane", [6, 1, 1, 1, 1], np.concatenate((centre, 1.09 * tetrahedron))
    yield "tetrahedron", [16] * 4, 1.3 * tetrahedron
    yield "benzene", [6] * 6 + [1] * 6, np.concatenate((1.4 * hexagon, 2.49 * hexagon))
    yield "carbon dioxide", [6, 8, 8], np.array([[0.0, 0, 0], [0, 0, 1.16], [0, 0, -1.16]])
    yield "methane's opposite", [8] * 4 + [7] * 4, np.concatenate((tetrahedron, -2 * tetrahedron))


SYMMETRIC = {name: (np.array(z), r) for name, z, r in _symmetric_molecules()}


@pytest.mark.parametrize("name", SYMMETRIC)
@every_local_model
def test_symmetric_molecules(cls, parameters, name):
    """Equivalent atoms have equal rows; gradients point along the symmetry axes."""
    numbers, positions = SYMMETRIC[name]
    turned = positions @ rotation(1).T
    model = cls(**parameters).fit([(numbers, turned)])
    rows = model.transform([(numbers, turned)])
    gradient = model.vjp([(numbers, turned)], np.ones_like(rows))
    scale = np.abs(gradient).max()
    assert scale > 1e-3
    # Each atom is on an axis through the centre.
    np.testing.assert_allclose(np.cross(gradient, turned), 0, rtol=0, atol=1e-11 * scale)
    radial = np.sum(gradient * turned, axis=1)
    for number in np.unique(numbers):
        same = numbers == number
        np.testing.assert_allclose(radial[same], radial[same][0], rtol=0, atol=1e-11 * scale)
        if len(rows) == len(numbers):
            close(rows[same], np.tile(rows[same][0], (same.sum(), 1)), 1e-12)


@pytest.mark.parametrize("name", SYMMETRIC)
@every_model
def test_ties_are_finite(cls, parameters, name):
    """Equal norms, bags of equal distances, degenerate eigenvalues: some order, never NaN."""
    molecule = [SYMMETRIC[name]]
    model = cls(**parameters).fit(molecule)
    rows = model.transform(molecule)
    assert np.isfinite(rows).all()
    assert np.isfinite(model.vjp(molecule, cotangent(model, molecule))).all()
    assert np.isfinite(model.jacobian(molecule).values).all()


@every_local_model
def test_smooth_along_a_path(cls, parameters):
    """Two atoms pass through one another's surroundings: values are what their slopes sum to."""
    if cls is mk.SOAP and parameters["cutoff_function"] is None:
        pytest.skip("jumps at the end of its padding, by definition")
    numbers, positions = molecule("CH3OH").numbers, molecule("CH3OH").positions
    start, stop = np.array([-7.0, 0.9, 0.4]), np.array([7.0, 1.4, 0.9])
    nodes, weights = np.polynomial.legendre.leggauss(12)

    def frame(t):
        path = np.vstack([positions - np.array([0, 0.9, 0]), start + t * (stop - start)])
        return [(np.append(numbers, 8), path)]

    model = cls(**parameters).fit(frame(0))
    gX = cotangent(model, frame(0))
    middle, total = 0.55, 0.0
    for low, high in itertools.pairwise(np.linspace(0, middle, 41)):
        for node, weight in zip(nodes, 0.5 * (high - low) * weights, strict=True):
            t = 0.5 * (low + high) + 0.5 * (high - low) * node
            total += weight * (model.vjp(frame(t), gX)[-1] @ (stop - start))
    change = np.sum(gX * (model.transform(frame(middle)) - model.transform(frame(0))))
    assert abs(change) > 1e-3
    # Where second derivatives jump at a cutoff the rule of 12 points is less exact.
    assert total == pytest.approx(change, rel=3e-5)
