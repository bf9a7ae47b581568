"""Structures that stay on a device: the same results, checked and copied once."""

import pickle

import numpy as np
import pytest

import molkern as mk
from local_on_device import close, crystals

MODELS = {
    "Coulomb matrix": lambda: mk.CoulombMatrix(),
    "eigenvalues": lambda: mk.CoulombMatrix(permutation="eigenspectrum"),
    "bag of bonds": lambda: mk.BagOfBonds(),
    "ACSF": lambda: mk.ACSF(g2=[(0.5, 0.0)], g4=[(0.05, 1.0, 1.0)], average="sum"),
    "AEV": lambda: mk.AEV("ani-2x"),
    "SOAP": lambda: mk.SOAP(r_cut=4.0, n_max=3, l_max=2, average="inner"),
}


@pytest.fixture
def batch(qm7):
    moved = qm7[np.arange(0, 60, 5)]
    random = np.random.default_rng(0).normal(scale=0.05, size=moved.positions.shape)
    return mk.Structures(moved.numbers, moved.positions + random, moved.offsets)


@pytest.mark.parametrize("name", MODELS)
def test_equal_to_the_host(cuda_module, batch, name):
    model = MODELS[name]().fit(batch)
    there = mk.cuda.to_device(batch)
    moved = mk.Structures(batch.numbers, 1.1 * batch.positions, batch.offsets)
    positions = cuda_module.upload(moved.positions, 0, 0)
    expected, at_moved = model.transform(batch), model.transform(moved)
    gX = np.random.default_rng(1).normal(size=expected.shape)
    for _ in range(2):
        close(model.transform(there).to_numpy(), expected)
        close(model.transform(there, positions=positions).to_numpy(), at_moved)
        close(model.vjp(there, gX).to_numpy(), model.vjp(batch, gX))
        close(model.vjp(there, gX, positions=positions).to_numpy(), model.vjp(moved, gX))
    out = np.empty_like(expected)
    close(model.transform(there, out, device="cuda"), expected)
    # A fit that other structures fit to asks again.
    model.fit(batch[:6])
    if name == "Coulomb matrix":
        model.set_params(size=30).fit(batch)
    else:
        model.fit(batch)
    close(model.transform(there).to_numpy(), model.transform(batch))


@pytest.mark.parametrize("name", MODELS)
def test_checked_and_copied_once(cuda_module, batch, name, monkeypatch):
    model, calls = MODELS[name]().fit(batch), []
    for function in ("molecules", "surroundings", "upload"):
        make = getattr(cuda_module, function)

        def counted(*arguments, make=make, function=function):
            calls.append(function)
            return make(*arguments)

        monkeypatch.setattr(cuda_module, function, counted)
    there = mk.cuda.to_device(batch, "cuda:0")
    assert calls == []
    for _ in range(3):
        model.transform(there)
    assert len(calls) == 2
    for _ in range(3):
        model.transform(batch, device="cuda")
    assert len(calls) == 8


def test_centers_and_strain(cuda_module):
    batch = crystals(3)
    model = mk.ACSF(g2=[(0.5, 0.0)], g4=[(0.05, 1.0, 1.0)]).fit(batch)
    there, centers = mk.cuda.to_device(batch), [0, 4, 9]
    for _ in range(2):
        close(
            model.transform(there, centers=centers).to_numpy(),
            model.transform(batch, centers=centers),
        )
        X = model.transform(batch)
        close(model.transform(there).to_numpy(), X)
        found = model.vjp(there, X, strain=True)
        for one, other in zip(found, model.vjp(batch, X, strain=True), strict=True):
            close(one.to_numpy(), other)


def test_wrong_structures_are_wrong_every_time(cuda_module, batch):
    there = mk.cuda.to_device(batch)
    hydrogen = mk.Structures.from_arrays([([1, 1], [[0, 0, 0], [0, 0, 0.8]])])
    for _ in range(2):
        with pytest.raises(ValueError, match="species: molecule 0 has C; expected some of H"):
            mk.SOAP(r_cut=3.0, n_max=2, l_max=1).fit(hydrogen).transform(there)
        with pytest.raises(ValueError, match=r"molecule 0 has \d+ atoms, size is 2"):
            mk.CoulombMatrix().fit(hydrogen).transform(there)
        with pytest.raises(ValueError, match="structures: no bag for C"):
            mk.BagOfBonds().fit(hydrogen).transform(there)
        with pytest.raises(ValueError, match=r"positions: expected shape \(\d+, 3\), found"):
            mk.CoulombMatrix(size=30).fit(batch).transform(
                there, positions=cuda_module.upload(np.zeros((2, 3)), 0, 0)
            )


def test_they_are_structures(cuda_module, batch):
    there = mk.cuda.to_device(batch)
    assert there == batch
    assert there.device == 0
    assert repr(there).startswith("DeviceStructures(device=0, n_structures=12, n_atoms=")
    model = mk.CoulombMatrix().fit(there)
    model.transform(there)
    again = pickle.loads(pickle.dumps(there))
    assert type(again) is type(there)
    assert again == batch
    np.testing.assert_allclose(
        model.transform(again).to_numpy(), model.transform(batch), rtol=1e-13
    )
    np.testing.assert_array_equal(model.jacobian(there).values, model.jacobian(batch).values)


def test_parts_stay_on_the_device(cuda_module, batch):
    there, model = mk.cuda.to_device(batch), mk.BagOfBonds().fit(batch)
    expected = model.transform(batch)
    for index in (slice(2, 5), [7, 1], np.arange(12) < 3):
        part = there[index]
        assert part.device == 0
        close(model.transform(part).to_numpy(), expected[index])
    np.testing.assert_array_equal(model.transform(there, device="cpu"), expected)


@pytest.mark.parametrize("model", [mk.CoulombMatrix(), mk.BagOfBonds(), mk.ACSF(average="sum")])
def test_errors_of_pieces_name_structures_of_the_batch(cuda_module, qm7, monkeypatch, model):
    batch = qm7[:300]
    model = model.fit(batch)
    of_twenty = 20 * 8 * model.n_features_out_
    monkeypatch.setattr(cuda_module, "free_bytes", lambda device: 4 * of_twenty)
    positions = batch.positions.copy()
    positions[batch.offsets[250] + 1] = positions[batch.offsets[250]]
    wrong = mk.Structures(batch.numbers, positions, batch.offsets)
    out = np.empty((300, model.n_features_out_))
    with pytest.raises(ValueError, match="two atoms of molecule 250 coincide") as raised:
        model.transform(wrong, out, device="cuda")
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)
    numbers = batch.numbers.copy()
    numbers[batch.offsets[200]] = 9
    other = mk.Structures(numbers, batch.positions, batch.offsets)
    if not isinstance(model, mk.CoulombMatrix):
        with pytest.raises(ValueError, match="molecule 200"):
            model.fit(batch).transform(other, out, device="cuda")


def test_they_do_not_change(cuda_module, batch):
    mine = mk.Structures(batch.numbers, batch.positions.copy(), batch.offsets)
    there, model = mk.cuda.to_device(mine), mk.CoulombMatrix().fit(batch)
    expected = model.transform(batch)
    with pytest.raises(ValueError, match="read-only"):
        there.positions[0] += 1
    with pytest.raises(AttributeError, match="positions: structures on a device do not change"):
        there.positions = 2 * there.positions
    mine.positions[:] *= 1.5
    close(model.transform(there).to_numpy(), expected)


def test_only_the_latest_preparations_stay(cuda_module, batch):
    there = mk.cuda.to_device(batch)
    for k in range(40):
        model = mk.CoulombMatrix(size=30 + k).fit(batch)
        close(model.transform(there).to_numpy(), model.transform(batch))
    assert len(there._kept) == 16


def test_errors(emulated, batch, monkeypatch):
    with pytest.raises(ValueError, match="device: expected None"):
        mk.cuda.to_device(batch, "gpu")
    with pytest.raises(ValueError, match="device: expected a number below 1, found 'cuda:1'"):
        mk.cuda.to_device(batch, "cuda:1")
    monkeypatch.setattr(mk.cuda, "_found", lambda: "nothing is installed")
    with pytest.raises(RuntimeError, match="no CUDA device can be used: nothing is installed"):
        mk.cuda.to_device(batch)
