"""Derivatives of atom-centred symmetry functions, and the same numbers at every level."""

import os
import subprocess
import sys

import numpy as np
import pytest
from ase.build import bulk

import molkern as mk
from acsf_definition import CUTOFF_FUNCTIONS, GRIDS, OPTIONS, R_CUT
from differences import difference, moved, numerical_jacobian, strained

# Central differences: rounding 1e-16 / STEP, truncation STEP^2 times third derivatives of some 100.
ATOL = 3e-8


@pytest.fixture
def batch():
    rng = np.random.default_rng(11)
    molecules = [(rng.choice([1, 6, 8], n), rng.uniform(0, 3.2, (n, 3))) for n in (8, 1, 5, 2)]
    return mk.Structures.from_arrays(molecules)


@pytest.fixture
def crystals():
    frames = [bulk("SiC", "zincblende", a=4.36), bulk("Si", "diamond", a=3.1, cubic=False)]
    for seed, frame in enumerate(frames):
        frame.rattle(0.1, seed=seed)
    frames[1].pbc = [True, True, False]
    return mk.Structures.from_ase(frames)


@pytest.mark.parametrize("cutoff_function", CUTOFF_FUNCTIONS)
@pytest.mark.parametrize("options", [OPTIONS, GRIDS], ids=["kinds", "grids"])
def test_jacobian_and_vjp(batch, options, cutoff_function):
    model = mk.ACSF(**options, cutoff_function=cutoff_function).fit(batch)
    dense = model.jacobian(batch).to_dense()
    np.testing.assert_allclose(dense, numerical_jacobian(model, batch), rtol=0, atol=ATOL)
    assert np.abs(dense).max() > 0.1
    gX = np.random.default_rng(1).normal(size=model.transform(batch).shape)
    expected = np.einsum("cf,cadf->ad", gX, dense)
    np.testing.assert_allclose(model.vjp(batch, gX), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("average", [None, "sum", "mean"])
def test_periodic(crystals, average):
    model = mk.ACSF(**OPTIONS, average=average).fit(crystals)
    features = model.transform(crystals)
    gX = np.random.default_rng(2).normal(size=features.shape)

    def scalar(structures):
        return np.sum(gX * model.transform(structures))

    gradient, strain = model.vjp(crystals, gX, strain=True)
    for atom in range(crystals.n_atoms):
        for axis in range(3):
            expected = difference(scalar, lambda by, i=atom, d=axis: moved(crystals, i, d, by))
            assert gradient[atom, axis] == pytest.approx(expected, abs=1e-6)
    for axis in range(3):
        for along in range(3):
            expected = difference(scalar, lambda by, a=axis, b=along: strained(crystals, a, b, by))
            assert strain[:, axis, along].sum() == pytest.approx(expected, abs=1e-6)
    # No force on the whole, no torque: the strain's gradient is symmetric.
    np.testing.assert_allclose(strain, strain.transpose(0, 2, 1), rtol=0, atol=1e-11)
    assert np.abs(gradient).max() > 0.1


def test_periodic_jacobian(crystals):
    model = mk.ACSF(**OPTIONS).fit(crystals)
    dense = model.jacobian(crystals).to_dense()
    np.testing.assert_allclose(dense, numerical_jacobian(model, crystals), rtol=0, atol=2 * ATOL)
    gX = np.random.default_rng(4).normal(size=(crystals.n_atoms, model.n_features_out_))
    expected = np.einsum("cf,cadf->ad", gX, dense)
    np.testing.assert_allclose(model.vjp(crystals, gX), expected, rtol=0, atol=1e-11)


def test_many_neighbors():
    # Runs of pairs are cut where a block of 128 is full.
    rng = np.random.default_rng(6)
    grid = np.stack(np.meshgrid(*[np.arange(4) * 1.1] * 3), -1).reshape(-1, 3)
    positions = grid + rng.normal(scale=0.1, size=grid.shape)
    structures = mk.Structures.from_arrays([(rng.choice([1, 8], 64), positions)])
    model = mk.ACSF(**OPTIONS).fit(structures)
    centers = [21, 42]
    gX = rng.normal(size=(2, model.n_features_out_))
    found = model.vjp(structures, gX, centers=centers)
    dense = model.jacobian(structures, centers=centers).to_dense()
    np.testing.assert_allclose(found, np.einsum("cf,cadf->ad", gX, dense), rtol=0, atol=1e-11)

    def scalar(moved_structures):
        return np.sum(gX * model.transform(moved_structures, centers=centers))

    for atom in (0, 21, 37, 63):
        for axis in range(3):
            expected = difference(scalar, lambda by, i=atom, d=axis: moved(structures, i, d, by))
            assert found[atom, axis] == pytest.approx(expected, abs=1e-6)


def test_averages(batch):
    model = mk.ACSF(**OPTIONS).fit(batch)
    gX = np.random.default_rng(3).normal(size=(len(batch), model.n_features_out_))
    for average, factor in (("sum", np.ones(len(batch))), ("mean", 1 / batch.sizes)):
        rows = np.repeat(gX * factor[:, None], batch.sizes, axis=0)
        found = mk.ACSF(**OPTIONS, average=average).fit(batch).vjp(batch, gX)
        np.testing.assert_allclose(found, model.vjp(batch, rows), rtol=0, atol=1e-12)


def test_blocks(batch):
    model = mk.ACSF(**OPTIONS).fit(batch)
    jacobian = model.jacobian(batch)
    assert jacobian.values.shape == (len(jacobian.atom), 3, model.n_features_out_)
    own = jacobian.center == jacobian.atom
    np.testing.assert_array_equal(jacobian.center[own], np.arange(batch.n_atoms))
    np.testing.assert_allclose(jacobian.to_dense().sum(axis=1), 0, atol=1e-12)
    centers = [1, 9, 12]
    few = model.jacobian(batch, centers=centers)
    np.testing.assert_array_equal(few.to_dense(), jacobian.to_dense()[centers])
    narrow = mk.ACSF(**OPTIONS, dtype="float32").fit(batch).jacobian(batch)
    assert narrow.values.dtype == np.float32
    np.testing.assert_array_equal(narrow.values, jacobian.values.astype(np.float32))


@pytest.mark.parametrize("n_threads", [2, 7])
def test_same_bits_for_any_number_of_threads(batch, n_threads):
    many = mk.Structures.concatenate([batch] * 20)
    one = mk.ACSF(**OPTIONS, n_threads=1).fit(many)
    more = mk.ACSF(**OPTIONS, n_threads=n_threads).fit(many)
    gX = np.random.default_rng(5).normal(size=(many.n_atoms, one.n_features_out_))
    expected = one.vjp(many, gX, strain=True)
    for found, array in zip(more.vjp(many, gX, strain=True), expected, strict=True):
        np.testing.assert_array_equal(found, array)
    np.testing.assert_array_equal(more.jacobian(many).values, one.jacobian(many).values)
    # Nor do other structures of the batch matter.
    n = batch.n_atoms
    np.testing.assert_array_equal(one.vjp(batch, gX[:n]), expected[0][:n])


@pytest.mark.parametrize("cutoff_function", CUTOFF_FUNCTIONS)
def test_smooth_at_r_cut(cutoff_function):
    model = mk.ACSF(**OPTIONS, cutoff_function=cutoff_function).fit([([1, 6], np.eye(2, 3))])

    def at(r):
        # The third atom goes through the cutoff of the first, then through that of the second.
        atoms = mk.Structures.from_arrays([([6, 1, 6], [[0.0, 0, 0], [-1, 0.3, 0], [r, 0, 0]])])
        return model.transform(atoms), model.jacobian(atoms).to_dense()

    second = np.sqrt(R_CUT**2 - 0.3**2) - 1
    for r in (R_CUT, second):
        (below, slope_below), (above, slope_above) = at(r - 1e-7), at(r + 1e-7)
        np.testing.assert_allclose(above, below, rtol=0, atol=1e-6)
        # Slopes are continuous, to first order in the step.
        np.testing.assert_allclose(slope_above, slope_below, rtol=0, atol=1e-5)
    values, slopes = at(R_CUT - 1e-9)
    lonely, _ = at(R_CUT + 1)
    np.testing.assert_allclose(values[0], lonely[0], rtol=0, atol=1e-15)
    np.testing.assert_allclose(slopes[0, 2], 0, atol=1e-7)


def test_straight_angles():
    line = ([8, 6, 8, 1], [[0.0, 0, 0], [1.2, 0, 0], [2.4, 0, 0], [3.3, 0, 0]])
    structures = mk.Structures.from_arrays([line])
    model = mk.ACSF(**OPTIONS).fit(structures)
    found = model.jacobian(structures).to_dense()
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[..., 1:, :], 0, atol=1e-12)  # by symmetry
    # zeta 1.3 has no second derivative at a straight angle: the difference is less exact there.
    expected = numerical_jacobian(model, structures)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_empty_and_lonely():
    nothing = (np.empty(0, int), np.empty((0, 3)))
    structures = mk.Structures.from_arrays([nothing, ([6], [[1.0, 2, 3]]), nothing])
    model = mk.ACSF(**OPTIONS).fit(structures)
    gradient, strain = model.vjp(structures, np.ones((1, model.n_features_out_)), strain=True)
    np.testing.assert_array_equal(gradient, np.zeros((1, 3)))
    np.testing.assert_array_equal(strain, np.zeros((3, 3, 3)))
    jacobian = model.jacobian(structures)
    np.testing.assert_array_equal(jacobian.values, np.zeros((1, 3, model.n_features_out_)))
    empty = mk.Structures.from_arrays([nothing])
    assert model.vjp(empty, np.empty((0, model.n_features_out_))).shape == (0, 3)
    assert model.jacobian(empty).values.shape == (0, 3, model.n_features_out_)


def test_errors(batch):
    model = mk.ACSF(**OPTIONS).fit(batch)
    n = model.n_features_out_
    with pytest.raises(ValueError, match=rf"gX: expected shape \(16, {n}\), found \(2, {n}\)"):
        model.vjp(batch, np.ones((2, n)))
    same = mk.Structures.from_arrays([([1, 1], np.zeros((2, 3)))])
    for call in (lambda: model.jacobian(same), lambda: model.vjp(same, np.ones((2, n)))):
        with pytest.raises(ValueError, match="molecule 0 has two atoms"):
            call()
    with pytest.raises(MemoryError, match=r"ACSF\.jacobian"):
        mk.ACSF(g2=[(0.1 * k, 0) for k in range(20000)]).fit(batch).jacobian(
            mk.Structures.concatenate([batch] * 20000)
        )


CODE = """
import sys
import numpy as np
import molkern as mk
from acsf_definition import CUTOFF_FUNCTIONS, GRIDS, OPTIONS

rng = np.random.default_rng(1)
molecules = [(rng.integers(6, 9, n), rng.uniform(0, 4, (n, 3))) for n in rng.integers(0, 24, 12)]
structures = mk.Structures.from_arrays(molecules)
results = {}
for name in CUTOFF_FUNCTIONS:
    for options in (OPTIONS, GRIDS):
        model = mk.ACSF(**options, cutoff_function=name)
        rows = model.fit_transform(structures)
        results[f"{name} {len(options)} values"] = rows
        gX = np.cos(np.arange(rows.size)).reshape(rows.shape)
        results[f"{name} {len(options)} vjp"] = model.vjp(structures, gX)
        results[f"{name} {len(options)} jacobian"] = model.jacobian(structures).values
assert mk.build_info()["isa"] == sys.argv[2]
np.savez(sys.argv[1], **results)
"""


def run(level, path):
    tests = os.path.dirname(os.path.abspath(__file__))
    return subprocess.run(
        [sys.executable, "-c", CODE, str(path), level],
        env={**os.environ, "MOLKERN_ISA": level, "PYTHONPATH": tests},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.parametrize("level", ["x86-64-v3", "x86-64-v4"])
def test_every_instruction_set_equals_baseline(level, tmp_path):
    result = run(level, tmp_path / "level.npz")
    if "is not supported by this processor" in result.stderr or "expected one of" in result.stderr:
        pytest.skip(result.stderr.strip().splitlines()[-1])
    assert result.returncode == 0, result.stderr
    result = run("baseline", tmp_path / "baseline.npz")
    assert result.returncode == 0, result.stderr
    with np.load(tmp_path / "level.npz") as found, np.load(tmp_path / "baseline.npz") as baseline:
        assert set(found) == set(baseline)
        for name in baseline:
            scale = np.abs(baseline[name]).max()
            assert scale > 0.1
            np.testing.assert_allclose(
                found[name], baseline[name], rtol=0, atol=1e-13 * scale, err_msg=name
            )


MEMORY = """
import resource, numpy as np, molkern as mk
n = 8000
line = np.arange(n)[:, None] * [0.01, 0.0, 0.0]
model = mk.ACSF(r_cut=100.0).fit([([1], [[0, 0, 0]])])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
gX = np.ones((2048, 1))
model.vjp([(np.ones(n, int), line)], gX, centers=range(2048))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_of_vjp_does_not_grow_with_neighbors():
    # All at once, the gradients of 2048 centres with 8000 neighbours each would be 524 MB.
    command = [sys.executable, "-c", MEMORY]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) < 300_000  # kB
