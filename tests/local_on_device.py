"""Checks that all representations of surroundings share on a device, emulated or real."""

import numpy as np

import molkern as mk

TOLERANCE = {"float64": 1e-11, "float32": 2e-6}


def ragged(qm7, seed, n=12):
    """Random molecules, one without atoms among them."""
    random = np.random.default_rng(seed)
    batch = qm7[random.integers(0, len(qm7), n)]
    offsets = np.insert(batch.offsets, n // 2, batch.offsets[n // 2])
    return mk.Structures(batch.numbers, batch.positions, offsets)


def crystals(seed, species=(1, 6, 8)):
    """Periodic along three, two and no axes."""
    random = np.random.default_rng(seed)
    sizes = [5, 7, 6]
    cells = 4.5 * np.eye(3) + random.uniform(-0.5, 0.5, (3, 3, 3))
    positions = random.uniform(0, 4.5, (sum(sizes), 3))
    pbc = np.array([[1, 1, 1], [1, 0, 1], [0, 0, 0]], dtype=bool)
    return mk.Structures(
        random.choice(species, sum(sizes)), positions, np.cumsum([0, *sizes]), cells, pbc
    )


def close(found, expected, dtype="float64"):
    """Relative to the largest number of the host's result."""
    scale = np.abs(expected).max(initial=1e-300)
    np.testing.assert_allclose(np.asarray(found), expected, rtol=0, atol=TOLERANCE[dtype] * scale)


def check_values(model, structures, **options):
    found = model.transform(structures, device="cuda", **options)
    assert found.dtype == model.dtype
    expected = model.transform(structures, **options)
    assert found.shape == expected.shape
    assert np.abs(expected).max() > 1e-5
    close(found.to_numpy(), expected, model.dtype)


def check_gradient(model, structures, seed=0, dtype="float64", **options):
    shape = model.transform(structures, **options).shape
    gX = np.random.default_rng(seed).normal(size=shape).astype(dtype)
    found = model.vjp(structures, gX, device="cuda", **options)
    assert found.dtype == "float64"
    expected = model.vjp(structures, gX, **options)
    assert np.abs(expected).max() > 1e-5
    close(found.to_numpy(), expected)
