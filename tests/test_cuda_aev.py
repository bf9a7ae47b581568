"""Atomic environment vectors on a device, emulated or real: against the host."""

import numpy as np
import pytest

import molkern as mk
from aev_definition import PARAMETERS, cluster
from local_on_device import check_gradient, check_values, close, crystals, ragged


@pytest.fixture(params=PARAMETERS)
def parameters(request):
    return PARAMETERS[request.param]


def clusters(*sizes):
    return mk.Structures.from_arrays([cluster(k, n, spread=3.2) for k, n in enumerate(sizes)])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("average", [None, "sum", "mean"])
def test_values(cuda_module, parameters, average, dtype):
    check_values(mk.AEV(parameters, average=average, dtype=dtype).fit([]), clusters(6, 1, 11))


def test_values_of_random_ragged_batches(cuda_module, qm7):
    for seed in range(2):
        batch = ragged(qm7, seed)
        for average in (None, "mean"):
            check_values(mk.AEV("ani-2x", average=average).fit([]), batch)


def test_values_of_periodic_structures(cuda_module, parameters):
    check_values(mk.AEV(parameters).fit([]), crystals(0))


@pytest.mark.parametrize("average", [None, "mean"])
def test_gradient(cuda_module, parameters, average):
    check_gradient(mk.AEV(parameters, average=average).fit([]), clusters(6, 1, 11))


@pytest.mark.parametrize("average", [None, "sum"])
def test_gradient_of_periodic_structures(cuda_module, average):
    check_gradient(mk.AEV(average=average).fit([]), crystals(1), dtype="float32")


def test_gradient_of_random_ragged_batches(cuda_module, qm7):
    check_gradient(mk.AEV("ani-2x", average="mean").fit([]), ragged(qm7, 3))


@pytest.mark.parametrize("average", [None, "mean"])
def test_some_centers(cuda_module, average):
    batch = clusters(7, 4, 9)
    centers = [0, 3, 8, 12, 19]
    model = mk.AEV(average=average).fit([])
    check_values(model, batch, centers=centers)
    check_gradient(model, batch, centers=centers)


def test_both_orders_of_threads_are_bitwise_equal(emulated_module, monkeypatch):
    monkeypatch.setattr(mk.cuda, "_found", lambda: emulated_module)
    model, batch, results = mk.AEV().fit([]), clusters(20, 9), []
    gX = np.random.default_rng(0).normal(size=(29, 384))
    for backwards in (False, True):
        emulated_module.run_backwards(backwards)
        values = model.transform(batch, device="cuda").to_numpy()
        results.append((values, model.vjp(batch, gX, device="cuda").to_numpy()))
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


def test_nothing_to_do(cuda_module):
    batch = clusters(3, 4)
    model = mk.AEV().fit([])
    assert model.transform(batch[:0], device="cuda").shape == (0, 384)
    assert model.transform(batch, device="cuda", centers=[]).shape == (0, 384)
    assert model.vjp(batch[:0], np.zeros((0, 384)), device="cuda").shape == (0, 3)
    alone = mk.Structures.from_arrays([([1], np.zeros((1, 3)))])
    np.testing.assert_array_equal(model.transform(alone, device="cuda").to_numpy(), 0)


def test_positions_and_cotangents_on_the_device(cuda_module):
    batch = clusters(5, 6)
    moved = mk.Structures(batch.numbers, 1.1 * batch.positions, batch.offsets)
    there = cuda_module.upload(moved.positions, 0, 0)
    model = mk.AEV().fit([])
    expected = model.transform(moved)
    np.testing.assert_allclose(
        model.transform(batch, positions=there).to_numpy(), expected, rtol=0, atol=1e-12
    )
    gX = np.random.default_rng(0).normal(size=expected.shape)
    found = model.vjp(batch, cuda_module.upload(gX, 0, 0), positions=there).to_numpy()
    np.testing.assert_allclose(found, model.vjp(moved, gX), rtol=0, atol=1e-11)


def test_a_new_fit_is_seen(cuda_module):
    batch = clusters(5, 6)
    model = mk.AEV().fit([])
    check_values(model, batch)
    model.set_params(parameters=PARAMETERS["odd"]).fit([])
    check_values(model, batch)


def test_errors(cuda_module):
    batch = clusters(3, 4)
    model = mk.AEV().fit([])
    with pytest.raises(ValueError, match=r"gX: expected shape \(7, 384\), found \(7, 3\)"):
        model.vjp(batch, np.zeros((7, 3)), device="cuda")
    with pytest.raises(ValueError, match="out: expected None with positions on a device, or with"):
        model.transform(batch, np.zeros((7, 384)), device="cuda", centers=[1])
    with pytest.raises(TypeError, match="positions: expected an array on a device, found ndarray"):
        model.transform(batch, positions=batch.positions)
    with pytest.raises(ValueError, match=r"positions: expected shape \(7, 3\), found \(2, 3\)"):
        model.transform(batch, positions=cuda_module.upload(np.zeros((2, 3)), 0, 0))
    with pytest.raises(ValueError, match="centers: expected ascending rows below 7, found 1"):
        model.transform(batch, device="cuda", centers=[2, 1])
    wrong = batch.positions.copy()
    wrong[4] = wrong[3]
    there = cuda_module.upload(wrong, 0, 0)
    with pytest.raises(ValueError, match="two atoms of molecule 1 coincide"):
        model.transform(batch, positions=there)
    with pytest.raises(ValueError, match="two atoms of molecule 1 coincide"):
        model.vjp(batch, np.zeros((7, 384)), positions=there)
    # An error leaves nothing behind.
    check_values(model, batch)


@pytest.mark.parametrize("average", [None, "sum"])
def test_batches_stream_through_in_pieces(cuda_module, qm7, average, monkeypatch):
    """A quarter of the memory that is free is for the results of a piece."""
    # As many structures as atoms: rows must not be mistaken for one another.
    batch = ragged(qm7, 3, 16)
    empty = batch.n_atoms - len(batch)
    offsets = np.concatenate([batch.offsets, np.full(empty, batch.n_atoms)])
    batch = mk.Structures(batch.numbers, batch.positions, offsets)
    assert len(batch) == batch.n_atoms
    monkeypatch.setattr(cuda_module, "free_bytes", lambda device: 100_000)
    model, pieces = mk.AEV("ani-2x", average=average).fit([]), []
    compute = mk.AEV._values_on

    def counted(self, place, part, *rest):
        pieces.append(len(part))
        return compute(self, place, part, *rest)

    monkeypatch.setattr(mk.AEV, "_values_on", counted)
    out = np.empty((len(batch), model.n_features_out_))
    assert model.transform(batch, out, device="cuda") is out
    assert sum(pieces) == len(batch)
    assert len(pieces) > 5
    close(out, model.transform(batch))


def test_positions_of_single_precision_are_widened(cuda_module):
    batch = clusters(3, 4)
    single = batch.positions.astype(np.float32)
    rounded = mk.Structures(batch.numbers, single.astype(np.float64), batch.offsets)
    model = mk.AEV().fit([])
    found = model.transform(batch, positions=cuda_module.upload(single, 0, 0)).to_numpy()
    close(found, model.transform(rounded))


def test_pieces_that_do_not_fit_are_halved(cuda_module, qm7, monkeypatch):
    model, pieces = mk.AEV("ani-2x", average="sum").fit([]), []
    compute = mk.AEV._values_on

    def limited(self, place, part, *rest):
        if len(part) > 3:
            raise cuda_module.OutOfMemory("cudaMallocFromPoolAsync: 1 bytes asked for")
        pieces.append(len(part))
        return compute(self, place, part, *rest)

    monkeypatch.setattr(mk.AEV, "_values_on", limited)
    batch = qm7[:14]
    out = np.empty((14, model.n_features_out_))
    close(model.transform(batch, out, device="cuda"), model.transform(batch))
    assert sum(pieces) == 14
    assert max(pieces) <= 3

    def never(self, place, part, *rest):
        raise cuda_module.OutOfMemory("cudaMallocFromPoolAsync: 1 bytes asked for")

    monkeypatch.setattr(mk.AEV, "_values_on", never)
    with pytest.raises(MemoryError, match="cudaMallocFromPoolAsync: 1 bytes asked for"):
        model.transform(batch, out, device="cuda")
