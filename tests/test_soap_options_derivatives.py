"""SOAP's compression, weights, normalisation and radial functions: derivatives."""

import itertools

import numpy as np
import pytest
from ase.build import bulk

import molkern as mk
from differences import difference, moved, numerical_jacobian, strained
from soap_definition import COMPRESSIONS, RADIAL_BASES, SMALL, WEIGHTINGS

# Central differences: rounding 1e-16 / STEP, truncation STEP^2 times third derivatives of some 100,
# relative to the largest derivative.
RTOL = 3e-8
# Signs differ, so that the sum over species may cancel.
OF_SPECIES = [None, {"H": 0.5, "C": 2.0, "O": -1.5, "Si": 0.7}]
NAMES = ("compression", "weighting", "species_weighting", "normalize", "cutoff_function")
EVERY = [
    dict(zip(NAMES, values, strict=True))
    for values in itertools.product(
        COMPRESSIONS, [None, *WEIGHTINGS], OF_SPECIES, [False, True], [None, "cosine"]
    )
]
# A stride that is prime to the numbers of values: each of them, in changing company.
SOME = EVERY[::9]


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(11)
    molecules = [(rng.choice([1, 6, 8], n), rng.uniform(0, 3.2, (n, 3))) for n in (5, 1, 2)]
    return mk.Structures.from_arrays(molecules)


@pytest.fixture(scope="module")
def crystals():
    frames = [bulk("SiC", "zincblende", a=4.36), bulk("Si", "diamond", a=3.1, cubic=False)]
    for seed, frame in enumerate(frames):
        frame.rattle(0.1, seed=seed)
    frames[1].pbc = [True, True, False]
    return mk.Structures.from_ase(frames)


def close(found, expected, digits):
    np.testing.assert_allclose(found, expected, rtol=0, atol=digits * np.abs(expected).max())


def check_jacobian(model, batch):
    model.fit(batch)
    dense = model.jacobian(batch).to_dense()
    # Nine Gaussians are combined with factors of 1e5, and so are the roundings of their values.
    many = model.n_max == 9
    close(dense, numerical_jacobian(model, batch), 1e-6 if many else RTOL)
    assert np.abs(dense).max() > 0.01
    gX = np.random.default_rng(1).normal(size=model.transform(batch).shape)
    close(model.vjp(batch, gX), np.einsum("cf,cadf->ad", gX, dense), 1e-10 if many else 1e-12)


@pytest.mark.parametrize("options", EVERY)
def test_jacobian_and_vjp(batch, options):
    check_jacobian(mk.SOAP(**SMALL, **options), batch)


@pytest.mark.parametrize("sizes", [(1, 1), (2, 6), (9, 2)])
@pytest.mark.parametrize("basis", RADIAL_BASES)
@pytest.mark.parametrize("options", SOME)
def test_sizes_and_bases(batch, options, basis, sizes):
    sizes = {"n_max": sizes[0], "l_max": sizes[1], "r_cut": 6.0, "radial_basis": basis}
    check_jacobian(mk.SOAP(**SMALL | sizes, **options), batch)


@pytest.mark.parametrize("average", ["sum", "mean", "inner"])
@pytest.mark.parametrize("options", EVERY[::3])
def test_averages(batch, options, average):
    model = mk.SOAP(**SMALL, **options, average=average).fit(batch)
    rows = model.transform(batch)
    gX = np.random.default_rng(3).normal(size=rows.shape)
    found = model.vjp(batch, gX)
    if average != "inner":
        factor = 1 if average == "sum" else 1 / batch.sizes
        expected = mk.SOAP(**SMALL, **options).fit(batch)
        spread = np.repeat(gX * np.reshape(factor, (-1, 1)), batch.sizes, axis=0)
        close(found, expected.vjp(batch, spread), 1e-12)
        return

    def scalar(structures):
        return np.sum(gX * model.transform(structures))

    expected = [
        [difference(scalar, lambda by, i=i, d=d: moved(batch, i, d, by)) for d in range(3)]
        for i in range(batch.n_atoms)
    ]
    close(found, np.array(expected), 3 * RTOL)


@pytest.mark.parametrize("average", [None, "sum", "inner"])
@pytest.mark.parametrize("options", EVERY[::7])
def test_periodic(crystals, options, average):
    model = mk.SOAP(**SMALL, **options, average=average).fit(crystals)
    features = model.transform(crystals)
    gX = np.random.default_rng(2).normal(size=features.shape)

    def scalar(structures):
        return np.sum(gX * model.transform(structures))

    gradient, strain = model.vjp(crystals, gX, strain=True)
    expected = [
        [difference(scalar, lambda by, i=i, d=d: moved(crystals, i, d, by)) for d in range(3)]
        for i in range(crystals.n_atoms)
    ]
    close(gradient, np.array(expected), 3 * RTOL)
    expected = [
        [difference(scalar, lambda by, a=a, b=b: strained(crystals, a, b, by)) for b in range(3)]
        for a in range(3)
    ]
    close(strain.sum(axis=0), np.array(expected), 3 * RTOL)
    if average is None:
        dense = model.jacobian(crystals).to_dense()
        close(gradient, np.einsum("cf,cadf->ad", gX, dense), 1e-11)


@pytest.mark.parametrize("options", SOME)
def test_same_bits_for_any_number_of_threads(batch, options):
    many = mk.Structures.concatenate([batch] * 20)
    one = mk.SOAP(**SMALL, **options, n_threads=1).fit(many)
    gX = np.random.default_rng(5).normal(size=(many.n_atoms, one.n_features_out_))
    expected = one.vjp(many, gX, strain=True)
    blocks = one.jacobian(many).values
    for n_threads in (2, 7):
        more = mk.SOAP(**SMALL, **options, n_threads=n_threads).fit(many)
        for found, array in zip(more.vjp(many, gX, strain=True), expected, strict=True):
            np.testing.assert_array_equal(found, array)
        np.testing.assert_array_equal(more.jacobian(many).values, blocks)
    # Nor do other structures of the batch matter.
    n = batch.n_atoms
    np.testing.assert_array_equal(one.vjp(batch, gX[:n]), expected[0][:n])
    narrow = mk.SOAP(**SMALL, **options, dtype="float32").fit(many).jacobian(many)
    np.testing.assert_array_equal(narrow.values, blocks.astype(np.float32))


def test_many_neighbors():
    # More neighbours than are tabulated at a time.
    rng = np.random.default_rng(6)
    grid = np.stack(np.meshgrid(*[np.arange(4) * 1.1] * 3), -1).reshape(-1, 3)
    positions = grid + rng.normal(scale=0.1, size=grid.shape)
    structures = mk.Structures.from_arrays([(rng.choice([1, 8], 64), positions)])
    options = {"compression": "mu1nu1", "weighting": WEIGHTINGS[2], "normalize": True}
    options |= {"species_weighting": {"H": 1.2, "O": -0.4}}
    model = mk.SOAP(**SMALL, **options).fit(structures)
    centers = [21, 42]
    dense = model.jacobian(structures, centers=centers).to_dense()
    close(dense, numerical_jacobian(model, structures, centers=centers), RTOL)
    gX = rng.normal(size=(2, model.n_features_out_))
    found = model.vjp(structures, gX, centers=centers)
    close(found, np.einsum("cf,cadf->ad", gX, dense), 1e-12)


@pytest.mark.parametrize("m", [1, 2])
@pytest.mark.parametrize("normalize", [False, True])
def test_smooth_where_poly_ends(m, normalize):
    weighting = {"function": "poly", "c": 1.0, "m": m, "r0": 2.5}
    options = SMALL | {"weighting": weighting, "normalize": normalize}
    model = mk.SOAP(**options).fit([([1, 6], np.eye(2, 3))])

    def at(r):
        atoms = mk.Structures.from_arrays([([6, 1, 6], [[0.0, 0, 0], [-1, 0.3, 0], [r, 0, 0]])])
        return model.transform(atoms), model.jacobian(atoms).to_dense()

    (below, slope_below), (above, slope_above) = at(2.5 - 1e-7), at(2.5 + 1e-7)
    np.testing.assert_allclose(above[0], below[0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(slope_above[0], slope_below[0], rtol=0, atol=1e-5)
    assert np.abs(slope_above[0]).max() > 1e-3
