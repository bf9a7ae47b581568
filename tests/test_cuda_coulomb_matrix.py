"""Coulomb matrices on a device, emulated or real: against those of the host."""

import numpy as np
import pytest

import molkern as mk

PARAMETERS = [
    {"permutation": "none"},
    {"permutation": "row_norm"},
    {"permutation": "row_norm", "length_unit": "angstrom"},
    {"permutation": "random", "n_copies": 3, "random_state": 4},
]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("parameters", PARAMETERS)
def test_equal_to_the_host(cuda_module, structures, parameters, dtype):
    model = mk.CoulombMatrix(dtype=dtype, **parameters).fit(structures)
    found = model.transform(structures, device="cuda")
    assert found.dtype == dtype
    expected = model.transform(structures)
    rtol = 1e-13 if dtype == "float64" else 2e-7
    np.testing.assert_allclose(found.to_numpy(), expected, rtol=rtol, atol=0)


def test_random_ragged_batches(cuda_module, qm7):
    random = np.random.default_rng(0)
    for _ in range(3):
        batch = qm7[random.integers(0, len(qm7), 40)]
        model = mk.CoulombMatrix(size=23).fit(batch)
        found = model.transform(batch, device="cuda").to_numpy()
        np.testing.assert_allclose(found, model.transform(batch), rtol=1e-13)


SPECTRUM = {"permutation": "eigenspectrum"}


def test_eigenvalues_of_ragged_batches(cuda_module, qm7):
    """To rounding of the largest one, as Jacobi's method and QL both promise."""
    batch = qm7[np.random.default_rng(1).integers(0, len(qm7), 40)]
    model = mk.CoulombMatrix(size=23, **SPECTRUM).fit(batch)
    found, expected = model.transform(batch, device="cuda").to_numpy(), model.transform(batch)
    np.testing.assert_allclose(found / expected[:, :1], expected / expected[:, :1], atol=1e-14)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_eigenvalues_against_numpy(cuda_module, structures):
    model = mk.CoulombMatrix(**SPECTRUM, length_unit="angstrom").fit(structures)
    found = model.transform(structures, device="cuda").to_numpy()
    lower = np.tril_indices(model.size_)
    matrices = np.zeros((len(structures), model.size_, model.size_))
    plain = mk.CoulombMatrix(permutation="none", length_unit="angstrom").fit(structures)
    matrices[:, *lower] = plain.transform(structures)
    for m, values in enumerate(np.linalg.eigvalsh(matrices)):
        expected = values[np.argsort(-np.abs(values), kind="stable")]
        np.testing.assert_allclose(found[m], expected, rtol=1e-12, atol=1e-13)


def test_degenerate_eigenvalues(cuda_module):
    """Methane, and 40 atoms so far from each other that the matrix is all but diagonal."""
    corners = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) * 0.63
    methane = ([6, 1, 1, 1, 1], np.concatenate([np.zeros((1, 3)), corners]))
    far = (np.repeat([1, 8], 20), np.arange(40)[:, None] * [1e9, 0, 0])
    model = mk.CoulombMatrix(**SPECTRUM).fit([methane, far])
    found = model.transform([methane, far], device="cuda").to_numpy()
    np.testing.assert_allclose(found, model.transform([methane, far]), rtol=1e-12)


def test_the_order_of_threads_does_not_matter(emulated_module, monkeypatch, structures):
    monkeypatch.setattr("molkern.cuda._found", lambda: emulated_module)
    for parameters in [*PARAMETERS, SPECTRUM]:
        model, results = mk.CoulombMatrix(**parameters).fit(structures), []
        for backwards in (False, True):
            emulated_module.run_backwards(backwards)
            results.append(model.transform(structures, device="cuda").to_numpy())
        np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("parameters", PARAMETERS)
def test_gradient_is_that_of_the_host(cuda_module, qm7, parameters, dtype):
    random = np.random.default_rng(2)
    batch = qm7[random.integers(0, len(qm7), 20)]
    model = mk.CoulombMatrix(size=24, **parameters).fit(batch)
    gX = random.normal(size=(20, model.n_features_out_)).astype(dtype)
    found = model.vjp(batch, cuda_module.upload(gX, 0, 0))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found.to_numpy(), model.vjp(batch, gX), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_gradient_of_eigenvalues(cuda_module, qm7, dtype):
    """Without symmetry: no two eigenvalues are so close that their vectors are not known."""
    random = np.random.default_rng(4)
    batch = qm7[random.integers(0, len(qm7), 20)]
    moved = batch.positions + random.normal(scale=0.1, size=batch.positions.shape)
    batch = mk.Structures(batch.numbers, moved, batch.offsets)
    model = mk.CoulombMatrix(**SPECTRUM, size=24).fit(batch)
    gX = random.normal(size=(20, 24)).astype(dtype)
    found = model.vjp(batch, cuda_module.upload(gX, 0, 0)).to_numpy()
    expected = model.vjp(batch, gX)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10 * np.abs(expected).max())


def test_gradient_follows_positions_of_the_device(cuda_module, structures):
    model = mk.CoulombMatrix().fit(structures)
    moved = 1.5 * structures.positions
    there = mk.Structures(structures.numbers, moved, structures.offsets)
    gX = np.random.default_rng(3).normal(size=(len(structures), model.n_features_out_))
    found = model.vjp(structures, gX, positions=cuda_module.upload(moved, 0, 0)).to_numpy()
    np.testing.assert_allclose(found, model.vjp(there, gX), rtol=1e-11, atol=1e-12)


def test_ties_are_as_on_the_host(cuda_module):
    """Benzene: equivalent atoms keep their order."""
    angles = np.arange(6) * np.pi / 3
    ring = np.stack([np.cos(angles), np.sin(angles), np.zeros(6)], axis=1)
    benzene = ([6] * 6 + [1] * 6, np.concatenate([1.39 * ring, 2.48 * ring]))
    model = mk.CoulombMatrix().fit([benzene])
    found = model.transform([benzene], device="cuda").to_numpy()
    np.testing.assert_allclose(found, model.transform([benzene]), rtol=1e-13)


def test_empty_structures_and_batches(cuda_module):
    water = ([8, 1, 1], [[0.0, 0.0, 0.12], [0.0, 0.76, -0.48], [0.0, -0.76, -0.48]])
    batch = mk.Structures.from_arrays([([], np.empty((0, 3))), water])
    model = mk.CoulombMatrix().fit(batch)
    found = model.transform(batch, device="cuda").to_numpy()
    np.testing.assert_allclose(found, model.transform(batch), rtol=1e-13)
    assert model.transform(batch[:0], device="cuda").to_numpy().shape == (0, 6)
    gradient = model.vjp(batch, found, device="cuda").to_numpy()
    np.testing.assert_allclose(gradient, model.vjp(batch, found), rtol=1e-13, atol=1e-15)
    spectrum = mk.CoulombMatrix(**SPECTRUM).fit(batch)
    found = spectrum.transform(batch, device="cuda").to_numpy()
    np.testing.assert_allclose(found, spectrum.transform(batch), rtol=1e-12)


def test_errors(cuda_module, structures):
    model = mk.CoulombMatrix().fit(structures)
    close = mk.Structures.from_arrays(
        [([1, 1], [[0, 0, 0], [0, 0, 1]]), ([1, 1], np.zeros((2, 3)))]
    )
    with pytest.raises(ValueError, match="two atoms of molecule 1 coincide"):
        model.transform(close, device="cuda")
    with pytest.raises(ValueError, match="two atoms of molecule 1 coincide"):
        model.vjp(close, np.ones((2, model.n_features_out_)), device="cuda")
    spectrum = mk.CoulombMatrix(**SPECTRUM).fit(close)
    with pytest.raises(ValueError, match="two atoms of molecule 1 coincide"):
        spectrum.transform(close, device="cuda")
    with pytest.raises(ValueError, match="two atoms of molecule 1 coincide"):
        spectrum.vjp(close, np.ones((2, 2)), device="cuda")
    with pytest.raises(ValueError, match=r"gX: expected shape \(2, \d+\), found \(2, 2\)"):
        model.vjp(close, np.ones((2, 2)), device="cuda")
    small = mk.CoulombMatrix().fit(close[:1])
    with pytest.raises(ValueError, match=r"molecule 0 has \d+ atoms, size is 2"):
        small.transform(structures, device="cuda")
    with pytest.raises(ValueError, match='device: expected None, "cpu", "cuda" or'):
        model.transform(structures, device="gpu")
    n = cuda_module.n_devices()
    with pytest.raises(ValueError, match=f"device: expected a number below {n}, found 'cuda:{n}'"):
        model.transform(structures, device=f"cuda:{n}")
    with pytest.raises(ValueError, match=r"out: expected shape \(10, \d+\) and type float64"):
        model.transform(structures, np.empty((1, 1)), device="cuda")
    with pytest.raises(TypeError, match="positions: expected an array on a device, found ndarray"):
        model.transform(structures, positions=structures.positions)
    wrong = cuda_module.upload(np.zeros((2, 3)), 0, 0)
    with pytest.raises(ValueError, match="out: expected None with positions on a device"):
        model.transform(structures, np.empty((1, 1)), positions=wrong)
    with pytest.raises(ValueError, match=r"positions: expected shape \(\d+, 3\), found \(2, 3\)"):
        model.transform(structures, positions=wrong)


def test_positions_on_the_device_come_first(cuda_module, structures):
    model = mk.CoulombMatrix(permutation="none").fit(structures)
    moved = cuda_module.upload(2 * structures.positions, 0, 0)
    found = model.transform(structures, positions=moved).to_numpy()
    doubled = mk.Structures(structures.numbers, 2 * structures.positions, structures.offsets)
    np.testing.assert_allclose(found, model.transform(doubled), rtol=1e-13)


def test_molecules_too_large_for_shared_memory(emulated):
    """Of 64 KiB: unsorted, 1000 atoms need more; the entries or the eigenvectors of 130 do, too."""
    random = np.random.default_rng(0)
    large, small = 5 * random.normal(size=(1200, 3)), 5 * random.normal(size=(130, 3))
    for positions, parameters in ((large, {"permutation": "none"}), (small, {})):
        batch = mk.Structures.from_arrays([(random.integers(1, 9, len(positions)), positions)])
        model = mk.CoulombMatrix(**parameters).fit(batch)
        X = model.transform(batch)
        np.testing.assert_allclose(model.transform(batch, device="cuda").to_numpy(), X, rtol=1e-13)
        found = model.vjp(batch, X, device="cuda").to_numpy()
        expected = model.vjp(batch, X)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_batches_stream_through_in_pieces(emulated, qm7, dtype, monkeypatch):
    """The emulated device has a mebibyte."""
    batch, pieces = qm7[:500], []
    model = mk.CoulombMatrix(size=23, dtype=dtype).fit(batch)
    compute = mk.CoulombMatrix._compute_on_device

    def counted(self, part, place, positions):
        pieces.append(len(part))
        return compute(self, part, place, positions)

    monkeypatch.setattr(mk.CoulombMatrix, "_compute_on_device", counted)
    out = np.empty((500, model.n_features_out_), dtype)
    assert model.transform(batch, out, device="cuda") is out
    assert sum(pieces) == 500
    assert 4 * max(pieces) * out[0].nbytes <= emulated.free_bytes(0)
    assert len(pieces) > 2
    rtol = 1e-13 if dtype == "float64" else 2e-7
    np.testing.assert_allclose(out, model.transform(batch), rtol=rtol)
