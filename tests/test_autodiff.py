"""Gradients through features in torch and JAX, against vjp and central differences."""

import numpy as np
import pytest

import molkern as mk

MODELS = [
    mk.CoulombMatrix(permutation="none"),
    mk.BagOfBonds(),
    mk.SOAP(r_cut=3.0, n_max=2, l_max=1, average="sum"),
    mk.AEV("ani-1x", species=["H", "C", "O"]),
]


@pytest.fixture
def batch():
    water = ([8, 1, 1], [[0.0, 0.0, 0.12], [0.1, 0.76, -0.48], [0.0, -0.71, -0.5]])
    carbonic = ([6, 8, 8], [[0.0, 0.0, 0.0], [1.1, 0.1, 0.0], [-0.2, 1.2, 0.3]])
    return mk.Structures.from_arrays([water, carbonic])


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_torch(model, batch):
    torch = pytest.importorskip("torch")
    from molkern.torch import features

    model = model.fit(batch)
    positions = torch.tensor(batch.positions, requires_grad=True)
    X = features(model, batch, positions)
    np.testing.assert_array_equal(X.detach().numpy(), model.transform(batch))
    weights = torch.tensor(np.random.default_rng(0).normal(size=X.shape))
    (weights * X).sum().backward()
    np.testing.assert_array_equal(positions.grad.numpy(), model.vjp(batch, weights.numpy()))
    assert torch.autograd.gradcheck(lambda r: features(model, batch, r), positions, atol=1e-4)


def test_torch_keeps_the_type_and_refuses_a_second_derivative(batch):
    torch = pytest.importorskip("torch")
    from molkern.torch import features

    model = mk.CoulombMatrix().fit(batch)
    positions = torch.tensor(batch.positions, dtype=torch.float32, requires_grad=True)
    X = features(model, batch, positions)
    assert X.dtype == torch.float32
    half = torch.tensor(batch.positions, dtype=torch.bfloat16, requires_grad=True)
    features(model, batch, half).sum().backward()
    assert half.grad.dtype == torch.bfloat16
    assert torch.isfinite(half.grad).all()
    # The gradient of a sum does not depend on anything but positions: it must raise, too.
    for scalar in (X.pow(2).sum(), X.sum()):
        (gradient,) = torch.autograd.grad(scalar, positions, create_graph=True, retain_graph=True)
        assert gradient.dtype == torch.float32
        with pytest.raises(RuntimeError, match="features has no second derivatives"):
            gradient.pow(2).sum().backward()


def test_torch_takes_what_transform_takes_and_checks_it(batch):
    torch = pytest.importorskip("torch")
    from molkern.torch import features

    model = mk.CoulombMatrix().fit(batch)
    positions = torch.tensor(batch.positions)
    pairs = [(batch[k].numbers, batch[k].positions) for k in range(len(batch))]
    assert torch.equal(features(model, pairs, positions), features(model, batch, positions))
    with pytest.raises(TypeError, match=r"positions: expected a floating-point torch\.Tensor"):
        features(model, batch, batch.positions)
    with pytest.raises(TypeError, match=r"found torch\.int64"):
        features(model, batch, positions.long())
    with pytest.raises(TypeError, match="structures: expected Structures, a list of"):
        features(model, 3, positions)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_jax(model, batch):
    jax = pytest.importorskip("jax")
    from molkern.jax import features

    model = model.fit(batch)
    weights = np.random.default_rng(0).normal(size=model.transform(batch).shape)
    with jax.enable_x64(True):
        positions = jax.numpy.asarray(batch.positions)
        energy = lambda r: (weights * features(model, batch, r)).sum()  # noqa: E731
        np.testing.assert_array_equal(features(model, batch, positions), model.transform(batch))
        expected = model.vjp(batch, weights)
        np.testing.assert_allclose(jax.grad(energy)(positions), expected, rtol=1e-12)
        np.testing.assert_allclose(jax.jit(jax.grad(energy))(positions), expected, rtol=1e-12)
        both = jax.vmap(energy)(jax.numpy.stack([positions, 1.1 * positions]))
        np.testing.assert_allclose(both, [energy(positions), energy(1.1 * positions)], rtol=1e-12)
