"""Atom-centred symmetry functions on a device, emulated or real: against the host."""

import numpy as np
import pytest

import molkern as mk
from local_on_device import check_gradient, check_values, crystals, ragged

G2 = [(0.5, 0.0), (2.0, 1.5), (0.0, 0.3)]
G3 = [0.4, 1.7]
# Two etas of which one is a multiple of the other, zetas that are whole and not, lambda within.
G4 = [(0.05, 1.0, 1.0), (0.05, 2.0, -1.0), (0.1, 4.7, 1.0), (0.05, 16.0, 0.4)]
G5 = [(0.07, 1.0, -1.0), (0.03, 3.0, 1.0), (0.0, 2.5, -0.3)]
PARAMETERS = {
    "all": {"g2": G2, "g3": G3, "g4": G4, "g5": G5, "r_cut": 4.5},
    "radial": {"g2": G2, "g3": G3},
    "cutoffs alone": {},
    "angular": {"g1": False, "g4": G4[2:], "cutoff_function": "tanh3"},
    "polynomial": {"g2": G2, "g5": G5, "cutoff_function": "polynomial"},
}


@pytest.fixture(params=PARAMETERS)
def parameters(request):
    return PARAMETERS[request.param]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("average", [None, "sum", "mean"])
def test_values(cuda_module, structures, parameters, average, dtype):
    check_values(mk.ACSF(average=average, dtype=dtype, **parameters).fit(structures), structures)


@pytest.mark.parametrize("average", [None, "mean"])
def test_random_ragged_batches(cuda_module, qm7, average):
    batch = ragged(qm7, 7)
    model = mk.ACSF(average=average, **PARAMETERS["all"]).fit(batch)
    check_values(model, batch)
    check_gradient(model, batch)


def test_periodic_structures(cuda_module, parameters):
    batch = crystals(2)
    model = mk.ACSF(**{**parameters, "r_cut": 3.5}).fit(batch)
    check_values(model, batch)
    check_gradient(model, batch, dtype="float32")


@pytest.mark.parametrize("average", [None, "mean"])
def test_gradient(cuda_module, structures, parameters, average):
    check_gradient(mk.ACSF(average=average, **parameters).fit(structures), structures)


def test_some_centers(cuda_module, structures):
    model = mk.ACSF(**PARAMETERS["all"]).fit(structures)
    centers = np.arange(0, structures.n_atoms, 2)
    check_values(model, structures, centers=centers)
    check_gradient(model, structures, centers=centers)


def test_both_orders_of_threads_are_bitwise_equal(emulated_module, monkeypatch, structures):
    monkeypatch.setattr(mk.cuda, "_found", lambda: emulated_module)
    model, results = mk.ACSF(**PARAMETERS["all"]).fit(structures), []
    gX = np.random.default_rng(0).normal(size=(structures.n_atoms, model.n_features_out_))
    for backwards in (False, True):
        emulated_module.run_backwards(backwards)
        values = model.transform(structures, device="cuda").to_numpy()
        results.append((values, model.vjp(structures, gX, device="cuda").to_numpy()))
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


def test_nothing_to_do(cuda_module, structures):
    model = mk.ACSF(**PARAMETERS["all"]).fit(structures)
    n = model.n_features_out_
    assert model.transform(structures[:0], device="cuda").shape == (0, n)
    assert model.vjp(structures[:0], np.zeros((0, n)), device="cuda").shape == (0, 3)


def test_features_too_many_for_shared_memory(emulated, structures):
    many = [(0.001 * k, 1.0, 1.0) for k in range(600)]
    model = mk.ACSF(g4=many, average="sum").fit(structures)
    check_values(model, structures)
    check_gradient(model, structures)
