"""Bags of bonds on a device, emulated or real: against those of the host."""

import numpy as np
import pytest

import molkern as mk

RTOL = {"float64": 1e-13, "float32": 2e-7}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("unit", ["bohr", "angstrom"])
def test_equal_to_the_host(cuda_module, structures, unit, dtype):
    model = mk.BagOfBonds(length_unit=unit, dtype=dtype).fit(structures)
    found = model.transform(structures, device="cuda")
    assert found.dtype == dtype
    expected = model.transform(structures)
    np.testing.assert_allclose(found.to_numpy(), expected, rtol=RTOL[dtype], atol=0)


def test_random_ragged_batches(cuda_module, qm7):
    """Bags are larger than the molecules need."""
    model = mk.BagOfBonds().fit(qm7)
    random = np.random.default_rng(0)
    for _ in range(3):
        batch = qm7[random.integers(0, len(qm7), 30)]
        found = model.transform(batch, device="cuda").to_numpy()
        np.testing.assert_allclose(found, model.transform(batch), rtol=1e-13)
        gX = random.normal(size=found.shape)
        gradient = model.vjp(batch, gX, device="cuda").to_numpy()
        np.testing.assert_allclose(gradient, model.vjp(batch, gX), rtol=1e-11, atol=1e-12)


def test_the_order_of_equal_bonds_is_that_of_the_host(cuda_module):
    """Benzene, a square of hydrogen: the gradient goes to the bonds that the host gives it to."""
    angles = np.arange(6) * np.pi / 3
    ring = np.stack([np.cos(angles), np.sin(angles), np.zeros(6)], axis=1)
    benzene = ([6] * 6 + [1] * 6, np.concatenate([1.39 * ring, 2.48 * ring]))
    square = ([1] * 4, [[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]])
    batch = [square, benzene]
    model = mk.BagOfBonds().fit(batch)
    found = model.transform(batch, device="cuda").to_numpy()
    np.testing.assert_allclose(found, model.transform(batch), rtol=1e-13)
    gX = np.random.default_rng(0).normal(size=found.shape)
    gradient = model.vjp(batch, gX, device="cuda").to_numpy()
    np.testing.assert_allclose(gradient, model.vjp(batch, gX), rtol=1e-11, atol=1e-12)


def test_cotangents_of_the_device_and_of_single_precision(cuda_module, structures):
    model = mk.BagOfBonds().fit(structures)
    shape = (len(structures), model.n_features_out_)
    gX = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    expected = model.vjp(structures, gX)
    moved = cuda_module.upload(structures.positions, 0, 0)
    there = cuda_module.upload(gX, 0, 0)
    for options in (
        {"gX": there},
        {"gX": there, "positions": moved},
        {"gX": gX, "positions": moved},
    ):
        found = model.vjp(structures, **options).to_numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)


def test_empty_structures_and_batches(cuda_module):
    water = ([8, 1, 1], [[0.0, 0.0, 0.12], [0.0, 0.76, -0.48], [0.0, -0.76, -0.48]])
    batch = mk.Structures.from_arrays([([], np.empty((0, 3))), water, ([8], [[0.0, 0.0, 0.0]])])
    model = mk.BagOfBonds().fit(batch)
    found = model.transform(batch, device="cuda").to_numpy()
    np.testing.assert_allclose(found, model.transform(batch), rtol=1e-13)
    gX = np.ones(found.shape)
    gradient = model.vjp(batch, gX, device="cuda").to_numpy()
    np.testing.assert_allclose(gradient, model.vjp(batch, gX), rtol=1e-13, atol=1e-15)
    none = batch[:0]
    assert model.transform(none, device="cuda").to_numpy().shape == (0, found.shape[1])
    assert model.vjp(none, gX[:0], device="cuda").to_numpy().shape == (0, 3)


def test_the_order_of_threads_does_not_matter(emulated_module, monkeypatch, structures):
    monkeypatch.setattr("molkern.cuda._found", lambda: emulated_module)
    model, results = mk.BagOfBonds().fit(structures), []
    for backwards in (False, True):
        emulated_module.run_backwards(backwards)
        found = model.transform(structures, device="cuda").to_numpy()
        gradient = model.vjp(structures, found, device="cuda").to_numpy()
        results.append((found, gradient))
    for forwards, backwards in zip(*results, strict=True):
        np.testing.assert_array_equal(forwards, backwards)


def test_errors(cuda_module, structures):
    model = mk.BagOfBonds().fit(structures)
    shape = (len(structures), model.n_features_out_)
    close = mk.Structures.from_arrays(
        [([1, 1], [[0, 0, 0], [0, 0, 1]]), ([1, 1], np.zeros((2, 3)))]
    )
    pairs = mk.BagOfBonds().fit(close)
    with pytest.raises(ValueError, match="two atoms of molecule 1 coincide"):
        pairs.transform(close, device="cuda")
    with pytest.raises(ValueError, match="two atoms of molecule 1 coincide"):
        pairs.vjp(close, np.ones((2, 3)), device="cuda")
    with pytest.raises(ValueError, match="structures: no bag for "):
        pairs.transform(structures, device="cuda")
    three = [([1, 1, 1], np.eye(3))]
    with pytest.raises(ValueError, match="molecule 0 needs 3 values in the bag of element 1"):
        pairs.transform(three, device="cuda")
    with pytest.raises(ValueError, match=r"gX: expected shape \(\d+, \d+\), found \(2, 3\)"):
        model.vjp(structures, np.ones((2, 3)), device="cuda")
    with pytest.raises(TypeError, match="gX: expected real numbers"):
        model.vjp(structures, np.ones(shape, complex), device="cuda")
    with pytest.raises(TypeError, match="positions: expected an array on a device, found ndarray"):
        model.vjp(structures, np.ones(shape), positions=structures.positions)


def test_a_molecule_too_large_for_shared_memory(emulated):
    """The 7140 pairs of 120 atoms, with their slopes, need more than 64 KiB."""
    random = np.random.default_rng(0)
    large = (random.integers(1, 4, 120), random.uniform(0, 20, (120, 3)))
    model = mk.BagOfBonds().fit([large])
    X = model.transform([large])
    np.testing.assert_allclose(model.transform([large], device="cuda").to_numpy(), X, rtol=1e-13)
    found, expected = model.vjp([large], X, device="cuda").to_numpy(), model.vjp([large], X)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * np.abs(expected).max())
