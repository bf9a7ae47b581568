"""Derivatives of the SOAP power spectrum, and the same numbers at every level."""

import os
import subprocess
import sys

import numpy as np
import pytest
from ase.build import bulk

import molkern as mk
from differences import difference, moved, numerical_jacobian, strained
from soap_definition import CUTOFF_FUNCTIONS, RADIAL_BASES, SMALL

# Central differences: rounding 1e-16 / STEP, truncation STEP^2 times third derivatives of some 100,
# relative to the largest derivative.
RTOL = 3e-8
FUNCTIONS = [None, *CUTOFF_FUNCTIONS]


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


def close(found, expected, digits):
    np.testing.assert_allclose(found, expected, rtol=0, atol=digits * np.abs(expected).max())


@pytest.mark.parametrize("f", FUNCTIONS)
@pytest.mark.parametrize("basis", RADIAL_BASES)
@pytest.mark.parametrize("sizes", [(3, 2), (1, 0), (2, 6), (9, 1)])
def test_jacobian_and_vjp(batch, sizes, f, basis):
    n_max, l_max = sizes
    # Nine Gaussians are close to linearly dependent, the more the shorter the cutoff.
    r_cut = 3.0 if n_max < 9 else 6.0
    options = {"r_cut": r_cut, "n_max": n_max, "l_max": l_max, "sigma": 0.4, "radial_basis": basis}
    model = mk.SOAP(**options, cutoff_function=f).fit(batch)
    dense = model.jacobian(batch).to_dense()
    close(dense, numerical_jacobian(model, batch), RTOL if n_max < 9 else 1e-6)
    assert np.abs(dense).max() > 0.1
    gX = np.random.default_rng(1).normal(size=model.transform(batch).shape)
    expected = np.einsum("cf,cadf->ad", gX, dense)
    close(model.vjp(batch, gX), expected, 1e-12 if n_max < 9 else 1e-8)


@pytest.mark.parametrize("f", FUNCTIONS)
@pytest.mark.parametrize("basis", RADIAL_BASES)
@pytest.mark.parametrize("average", [None, "sum", "mean", "inner"])
def test_periodic(crystals, average, f, basis):
    options = SMALL | {"average": average, "radial_basis": basis}
    model = mk.SOAP(**options, cutoff_function=f).fit(crystals)
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
            assert strain[:, axis, along].sum() == pytest.approx(expected, abs=2e-6)
    # No torque: the strain's gradient is symmetric.
    np.testing.assert_allclose(strain, strain.transpose(0, 2, 1), rtol=0, atol=1e-10)
    assert np.abs(gradient).max() > 0.1


def test_periodic_jacobian(crystals):
    model = mk.SOAP(**SMALL, cutoff_function="cosine").fit(crystals)
    dense = model.jacobian(crystals).to_dense()
    close(dense, numerical_jacobian(model, crystals), 3 * RTOL)
    gX = np.random.default_rng(4).normal(size=(crystals.n_atoms, model.n_features_out_))
    close(model.vjp(crystals, gX), np.einsum("cf,cadf->ad", gX, dense), 1e-12)


def test_many_neighbors():
    # More neighbours than are tabulated at a time.
    rng = np.random.default_rng(6)
    grid = np.stack(np.meshgrid(*[np.arange(4) * 1.1] * 3), -1).reshape(-1, 3)
    positions = grid + rng.normal(scale=0.1, size=grid.shape)
    structures = mk.Structures.from_arrays([(rng.choice([1, 8], 64), positions)])
    model = mk.SOAP(**SMALL, cutoff_function="cosine").fit(structures)
    centers = [21, 42]
    assert len(model.jacobian(structures, centers=centers).atom) > 2 * 33
    gX = rng.normal(size=(2, model.n_features_out_))
    found = model.vjp(structures, gX, centers=centers)
    dense = model.jacobian(structures, centers=centers).to_dense()
    close(found, np.einsum("cf,cadf->ad", gX, dense), 1e-12)

    def scalar(moved_structures):
        return np.sum(gX * model.transform(moved_structures, centers=centers))

    for atom in (0, 21, 37, 63):
        for axis in range(3):
            expected = difference(scalar, lambda by, i=atom, d=axis: moved(structures, i, d, by))
            assert found[atom, axis] == pytest.approx(expected, abs=3e-6)


def test_averages(batch):
    model = mk.SOAP(**SMALL).fit(batch)
    gX = np.random.default_rng(3).normal(size=(len(batch), model.n_features_out_))
    for average, factor in (("sum", np.ones(len(batch))), ("mean", 1 / batch.sizes)):
        rows = np.repeat(gX * factor[:, None], batch.sizes, axis=0)
        found = mk.SOAP(**SMALL, average=average).fit(batch).vjp(batch, gX)
        np.testing.assert_allclose(found, model.vjp(batch, rows), rtol=0, atol=1e-12)


@pytest.mark.parametrize("basis", RADIAL_BASES)
@pytest.mark.parametrize("f", FUNCTIONS)
def test_inner_average(batch, f, basis):
    options = SMALL | {"cutoff_function": f, "radial_basis": basis}
    model = mk.SOAP(**options, average="inner").fit(batch)
    rows = model.transform(batch)
    gX = np.random.default_rng(8).normal(size=rows.shape)

    def scalar(structures):
        return np.sum(gX * model.transform(structures))

    found = model.vjp(batch, gX)
    expected = [
        [difference(scalar, lambda by, i=i, d=d: moved(batch, i, d, by)) for d in range(3)]
        for i in range(batch.n_atoms)
    ]
    close(found, np.array(expected), 3 * RTOL)
    # Of one centre, the mean is its features.
    alone = mk.SOAP(**options).fit(batch)
    single, gX = batch[0], gX[:1]
    close(model.vjp(single, gX, centers=[2]), alone.vjp(single, gX, centers=[2]), 1e-12)


def test_blocks(batch):
    model = mk.SOAP(**SMALL).fit(batch)
    jacobian = model.jacobian(batch)
    assert jacobian.values.shape == (len(jacobian.atom), 3, model.n_features_out_)
    own = jacobian.center == jacobian.atom
    np.testing.assert_array_equal(jacobian.center[own], np.arange(batch.n_atoms))
    np.testing.assert_allclose(jacobian.to_dense().sum(axis=1), 0, atol=1e-12)
    centers = [1, 9, 12]
    few = model.jacobian(batch, centers=centers)
    np.testing.assert_array_equal(few.to_dense(), jacobian.to_dense()[centers])
    narrow = mk.SOAP(**SMALL, dtype="float32").fit(batch).jacobian(batch)
    assert narrow.values.dtype == np.float32
    np.testing.assert_array_equal(narrow.values, jacobian.values.astype(np.float32))


@pytest.mark.parametrize("n_threads", [2, 7])
def test_same_bits_for_any_number_of_threads(batch, n_threads):
    many = mk.Structures.concatenate([batch] * 20)
    one = mk.SOAP(**SMALL, n_threads=1).fit(many)
    more = mk.SOAP(**SMALL, n_threads=n_threads).fit(many)
    gX = np.random.default_rng(5).normal(size=(many.n_atoms, one.n_features_out_))
    expected = one.vjp(many, gX, strain=True)
    for found, array in zip(more.vjp(many, gX, strain=True), expected, strict=True):
        np.testing.assert_array_equal(found, array)
    np.testing.assert_array_equal(more.jacobian(many).values, one.jacobian(many).values)
    # Nor do other structures of the batch matter.
    n = batch.n_atoms
    np.testing.assert_array_equal(one.vjp(batch, gX[:n]), expected[0][:n])
    one.average = more.average = "inner"
    gX = gX[: len(many)]
    np.testing.assert_array_equal(more.vjp(many, gX), one.vjp(many, gX))


@pytest.mark.parametrize("basis", RADIAL_BASES)
@pytest.mark.parametrize("f", CUTOFF_FUNCTIONS)
def test_smooth_at_r_cut(f, basis):
    model = mk.SOAP(**SMALL, cutoff_function=f, radial_basis=basis).fit([([1, 6], np.eye(2, 3))])

    def at(r):
        # The third atom goes through the cutoff of the first, then through that of the second.
        atoms = mk.Structures.from_arrays([([6, 1, 6], [[0.0, 0, 0], [-1, 0.3, 0], [r, 0, 0]])])
        return model.transform(atoms), model.jacobian(atoms).to_dense()

    r_cut = SMALL["r_cut"]
    for r in (r_cut, np.sqrt(r_cut**2 - 0.3**2) - 1):
        (below, slope_below), (above, slope_above) = at(r - 1e-7), at(r + 1e-7)
        np.testing.assert_allclose(above, below, rtol=0, atol=1e-5)
        # Slopes are continuous, to first order in the step.
        np.testing.assert_allclose(slope_above, slope_below, rtol=0, atol=1e-4)
    values, slopes = at(r_cut - 1e-9)
    lonely, _ = at(r_cut + 1)
    np.testing.assert_allclose(values[0], lonely[0], rtol=0, atol=1e-14)
    np.testing.assert_allclose(slopes[0, 2], 0, atol=1e-6)


def test_empty_and_lonely():
    nothing = (np.empty(0, int), np.empty((0, 3)))
    structures = mk.Structures.from_arrays([nothing, ([6], [[1.0, 2, 3]]), nothing])
    model = mk.SOAP(**SMALL).fit(structures)
    gradient, strain = model.vjp(structures, np.ones((1, model.n_features_out_)), strain=True)
    np.testing.assert_array_equal(gradient, np.zeros((1, 3)))
    np.testing.assert_array_equal(strain, np.zeros((3, 3, 3)))
    jacobian = model.jacobian(structures)
    np.testing.assert_array_equal(jacobian.values, np.zeros((1, 3, model.n_features_out_)))
    empty = mk.Structures.from_arrays([nothing])
    assert model.vjp(empty, np.empty((0, model.n_features_out_))).shape == (0, 3)
    assert model.jacobian(empty).values.shape == (0, 3, model.n_features_out_)


def test_errors(batch):
    model = mk.SOAP(**SMALL).fit(batch)
    n = model.n_features_out_
    with pytest.raises(ValueError, match=rf"gX: expected shape \(16, {n}\), found \(2, {n}\)"):
        model.vjp(batch, np.ones((2, n)))
    same = mk.Structures.from_arrays([([1, 1], np.zeros((2, 3)))])
    for call in (lambda: model.jacobian(same), lambda: model.vjp(same, np.ones((2, n)))):
        with pytest.raises(ValueError, match="molecule 0 has two atoms"):
            call()
    with pytest.raises(MemoryError, match=r"SOAP\.jacobian"):
        mk.SOAP().fit(batch).jacobian(mk.Structures.concatenate([batch] * 20000))


CODE = """
import sys
import numpy as np
import molkern as mk
from soap_definition import COMPRESSIONS, CUTOFF_FUNCTIONS, SMALL, WEIGHTINGS

rng = np.random.default_rng(1)
molecules = [(rng.integers(6, 9, n), rng.uniform(0, 4, (n, 3))) for n in rng.integers(0, 24, 12)]
structures = mk.Structures.from_arrays(molecules)
few = structures[:4]  # Jacobians of all of them are hundreds of megabytes
assert max(few.sizes) > 16
results = {}
many = [{"cutoff_function": f} for f in (None, *CUTOFF_FUNCTIONS)]
many += [{"weighting": weighting} for weighting in WEIGHTINGS]
many += [{"compression": name, "normalize": True} for name in COMPRESSIONS]
for k, more in enumerate(many):
    for options in (SMALL, SMALL | {"n_max": 5, "l_max": 4, "radial_basis": "polynomial"}):
        model = mk.SOAP(**options, **more)
        rows = model.fit_transform(structures)
        case = f"{k} {options['n_max']}"
        results[f"{case} values"] = rows
        gX = np.cos(np.arange(rows.size)).reshape(rows.shape)
        results[f"{case} vjp"] = model.vjp(structures, gX)
        results[f"{case} jacobian"] = model.jacobian(few).values
        results[f"{case} compact"] = model.jacobian(few, compact=True).values
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


@pytest.fixture(scope="module")
def baseline_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("baseline") / "baseline.npz"
    result = run("baseline", path)
    assert result.returncode == 0, result.stderr
    return path


@pytest.mark.parametrize("level", ["x86-64-v3", "x86-64-v4"])
def test_every_instruction_set_equals_baseline(level, baseline_path, tmp_path):
    result = run(level, tmp_path / "level.npz")
    if "is not supported by this processor" in result.stderr or "expected one of" in result.stderr:
        pytest.skip(result.stderr.strip().splitlines()[-1])
    assert result.returncode == 0, result.stderr
    with np.load(tmp_path / "level.npz") as found, np.load(baseline_path) as baseline:
        assert set(found) == set(baseline)
        for name in baseline:
            scale = np.abs(baseline[name]).max()
            assert scale > 0.1
            np.testing.assert_allclose(
                found[name], baseline[name], rtol=0, atol=1e-13 * scale, err_msg=name
            )
