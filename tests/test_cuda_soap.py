"""SOAP on a device, emulated or real: against that of the host."""

import numpy as np
import pytest
from ase.build import bulk

import molkern as mk
from soap_definition import (
    COMBINATIONS,
    CUTOFF_FUNCTIONS,
    RADIAL_BASES,
    SMALL,
    WEIGHTINGS,
    options_of,
)

AVERAGES = [None, "sum", "mean", "inner"]
TOLERANCE = {"float64": 2e-12, "float32": 5e-7}


@pytest.fixture
def structures(molecules):
    """Some of them, with all species, and one atom alone."""
    return mk.Structures.from_arrays([molecules[m] for m in (0, 4, 6, 8)])


@pytest.fixture(scope="module")
def crystals():
    """Two periodic structures, one with fewer atoms than neighbours, and one that is not."""
    salt, copper = bulk("NaCl", "rocksalt", a=4.0), bulk("Cu", "fcc", a=3.0)
    salt.rattle(0.05, seed=1)
    slab = copper.repeat((2, 2, 1))
    slab.rattle(0.05, seed=2)
    slab.pbc = (True, True, False)
    return mk.Structures.from_ase([salt, slab, copper.repeat(2) * 1])


def close(found, expected, dtype="float64"):
    """Roundings of sums of some hundred terms, relative to the largest."""
    assert found.shape == expected.shape
    atol = TOLERANCE[str(dtype)] * np.abs(expected).max(initial=0)
    np.testing.assert_allclose(found, expected, rtol=0, atol=atol)


def compare(model, structures, **options):
    """Values, and gradients of both types of cotangents."""
    model.fit(structures)
    found = model.transform(structures, device="cuda", **options)
    expected = model.transform(structures, **options)
    assert found.dtype == model.dtype
    close(found.to_numpy(), expected, model.dtype)
    gX = np.random.default_rng(0).normal(size=expected.shape).astype(model.dtype)
    found = model.vjp(structures, gX, device="cuda", strain=True, **options)
    expected = model.vjp(structures, gX, strain=True, **options)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == np.float64
        close(one.to_numpy(), other)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("combination", COMBINATIONS)
def test_equal_to_the_host(cuda_module, structures, combination, dtype):
    compare(mk.SOAP(**SMALL, **options_of(combination), dtype=dtype), structures)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("average", AVERAGES[1:])
@pytest.mark.parametrize("combination", COMBINATIONS[::5])
def test_averages(cuda_module, structures, combination, average, dtype):
    options = options_of(combination)
    compare(mk.SOAP(**SMALL, **options, average=average, dtype=dtype), structures)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("f", [None, "cosine"])
def test_weighting(cuda_module, structures, weighting, f):
    compare(mk.SOAP(**SMALL, weighting=weighting, cutoff_function=f), structures)


@pytest.mark.parametrize("basis", RADIAL_BASES)
@pytest.mark.parametrize("f", [None, *CUTOFF_FUNCTIONS])
def test_radial_bases_and_cutoffs(cuda_module, structures, basis, f):
    compare(mk.SOAP(n_max=5, l_max=4, radial_basis=basis, cutoff_function=f), structures)


@pytest.mark.parametrize(("n_max", "l_max"), [(1, 0), (9, 1), (2, 10)])
def test_sizes(cuda_module, structures, n_max, l_max):
    """Of this basis, since many functions of Gaussian type enlarge roundings."""
    compare(mk.SOAP(n_max=n_max, l_max=l_max, radial_basis="polynomial"), structures)


@pytest.mark.parametrize("average", AVERAGES)
def test_random_ragged_batches(cuda_module, qm7, average):
    random = np.random.default_rng(0)
    batch = qm7[random.integers(0, len(qm7), 6)]
    compare(mk.SOAP(average=average, dtype="float32"), batch)
    compare(mk.SOAP(n_max=4, l_max=3, average=average), batch)


@pytest.mark.parametrize("average", AVERAGES)
def test_periodic(cuda_module, crystals, average):
    """Also of centres with more neighbours of a species than are tabulated at a time."""
    compare(mk.SOAP(**SMALL, average=average), crystals)


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("normalize", [False, True])
def test_some_centers(cuda_module, structures, average, normalize):
    model = mk.SOAP(**SMALL, average=average, normalize=normalize)
    compare(model, structures, centers=[0, 2, 3, 5])


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("normalize", [False, True])
def test_a_large_structure_among_small_ones(cuda_module, molecules, average, normalize):
    """It is summed in several chunks, and has a piece of its own."""
    random = np.random.default_rng(3)
    cloud = 2.5 * np.stack(np.unravel_index(np.arange(150), (5, 5, 6)), axis=1)
    cloud = cloud + random.normal(scale=0.1, size=cloud.shape)
    large = (random.choice([1, 6, 8], 150), cloud)
    batch = mk.Structures.from_arrays([molecules[0], large, molecules[2], molecules[3]])
    compare(mk.SOAP(**SMALL, average=average, normalize=normalize), batch)


@pytest.mark.parametrize("average", AVERAGES)
def test_empty_structures_and_batches(cuda_module, molecules, average):
    nothing = ([], np.empty((0, 3)))
    batch = mk.Structures.from_arrays([nothing, molecules[0], nothing, ([6], np.zeros((1, 3)))])
    model = mk.SOAP(**SMALL, average=average)
    compare(model, batch)
    n_features = model.n_features_out_
    found = model.transform(batch[:0], device="cuda").to_numpy()
    assert found.shape == (0, n_features)
    found = model.transform(batch[:1], device="cuda").to_numpy()
    np.testing.assert_array_equal(found, np.zeros((0 if average is None else 1, n_features)))
    assert model.vjp(batch[:0], np.empty((0, n_features)), device="cuda").shape == (0, 3)


@pytest.mark.parametrize("normalize", [False, True])
def test_coefficients_too_many_for_a_block(emulated, structures, normalize):
    """Five species with 1200 numbers of 8 bytes each are more than 64 KiB hold."""
    model = mk.SOAP(n_max=12, l_max=9, radial_basis="polynomial", normalize=normalize)
    compare(model, structures)


@pytest.mark.parametrize("average", [None, "sum", "inner"])
def test_sums_too_many_for_shared_memory(emulated, molecules, average):
    """The 3528 sums and harmonics of l up to 20 need more than 64 KiB; they lie elsewhere."""
    parameters = {"n_max": 8, "l_max": 20, "radial_basis": "polynomial", "average": average}
    compare(mk.SOAP(**parameters), mk.Structures.from_arrays([molecules[0], molecules[4]]))


def test_pairs_of_species_too_many_for_shared_memory(cuda_module, molecules):
    """The list of 20100 pairs of channels needs more than 64 KiB."""
    species = range(1, 201)
    for average in (None, "inner"):
        model = mk.SOAP(
            species=species, r_cut=4.0, n_max=1, l_max=0, radial_basis="polynomial", average=average
        )
        compare(model, mk.Structures.from_arrays([molecules[0], molecules[4]]))


def test_species_that_are_not_there(cuda_module, molecules):
    """Blocks of features are zero, in memory that was NaN."""
    model = mk.SOAP(species=["H", "C", "O", "S"], **SMALL).fit([molecules[0]])
    found = model.transform([molecules[0]], device="cuda").to_numpy()
    expected = model.transform([molecules[0]])
    close(found, expected)
    np.testing.assert_array_equal(found == 0, expected == 0)


@pytest.mark.parametrize("average", AVERAGES)
def test_the_order_of_threads_does_not_matter(emulated_module, monkeypatch, crystals, average):
    monkeypatch.setattr("molkern.cuda._found", lambda: emulated_module)
    model = mk.SOAP(**SMALL, average=average, normalize=True, compression="mu1nu1").fit(crystals)
    gX, results = np.random.default_rng(1).normal(size=model.transform(crystals).shape), []
    for backwards in (False, True):
        emulated_module.run_backwards(backwards)
        values = model.transform(crystals, device="cuda").to_numpy()
        results.append((values, model.vjp(crystals, gX, device="cuda").to_numpy()))
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


def test_arrays_on_the_device_come_first(cuda_module, structures):
    model = mk.SOAP(**SMALL).fit(structures)
    doubled = mk.Structures(structures.numbers, 2 * structures.positions, structures.offsets)
    moved = cuda_module.upload(doubled.positions, 0, 0)
    close(model.transform(structures, positions=moved).to_numpy(), model.transform(doubled))
    gX = np.random.default_rng(2).normal(size=model.transform(doubled).shape)
    found = model.vjp(structures, cuda_module.upload(gX, 0, 0), positions=moved).to_numpy()
    close(found, model.vjp(doubled, gX))


def test_errors(cuda_module, structures):
    model = mk.SOAP(**SMALL).fit(structures)
    close_ones = mk.Structures.from_arrays(
        [([1, 1], [[0, 0, 0], [0, 0, 1]]), ([1, 1], np.zeros((2, 3)))]
    )
    with pytest.raises(ValueError, match="two atoms of molecule 1 coincide"):
        model.transform(close_ones, device="cuda")
    gX = np.zeros((structures.n_atoms, model.n_features_out_))
    with pytest.raises(ValueError, match=r"gX: expected shape \(\d+, \d+\), found \(\d+, 3\)"):
        model.vjp(structures, gX[:, :3], device="cuda")
    # An error leaves nothing behind.
    assert model.transform(structures, device="cuda").shape == gX.shape
