"""Atomic environment vectors: definition, torchani's numbers, invariances, limits."""

import itertools
import pickle
import subprocess
import sys

import numpy as np
import pytest

from aev_definition import ODD, PARAMETERS, angular, cluster, definition, radial, resolved
from definitions import rotation
from molkern import AEV, AEVParameters, Structures
from molkern.elements import numbers_of


@pytest.fixture(params=PARAMETERS)
def parameters(request):
    return PARAMETERS[request.param]


def test_matches_definition(parameters):
    numbers, positions = cluster()
    result = AEV(parameters).fit_transform([(numbers, positions)])
    expected = definition(parameters, numbers, positions)
    assert np.count_nonzero(expected) > 0.3 * expected.size or parameters == "ani-2x"
    np.testing.assert_allclose(result, expected, rtol=0, atol=3e-14 * expected.max())


def test_many_pairs_and_species():
    """More than fit into what the kernel keeps at a time: 300 pairs of one kind, 78 kinds."""
    wide = AEVParameters(**{**vars(ODD), "species": range(1, 13), "angular_r_cut": 9.0})
    for species in ([4], range(1, 13)):
        numbers, positions = cluster(1, 26, species, 4.0)
        result = AEV(wide).fit_transform([(numbers, positions)])
        expected = definition(wide, numbers, positions)
        np.testing.assert_allclose(result, expected, rtol=0, atol=3e-14 * expected.max())


@pytest.mark.parametrize(("name", "key"), [("ani-1x", "aev1x"), ("ani-2x", "aev2x")])
def test_reference_torchani(request, name, key):
    """torchani keeps its shifts and sections in single precision."""
    p = resolved(name)
    lists = {
        field: np.float32(getattr(p, field)).astype(float)
        for field in ("shifts", "angular_shifts", "sections", "eta", "angular_eta", "zeta")
    }
    lists |= {field: float(lists[field]) for field in ("eta", "angular_eta", "zeta")}
    rounded = AEVParameters(**{**vars(p), **lists})
    with np.load(request.path.parent / "reference" / "aev.npz") as stored:
        molecules = [k.split("/")[1] for k in stored if k.startswith(key)]
        assert len(molecules) == 3
        for m in molecules:
            molecule = [(stored[f"Z/{m}"], stored[f"R/{m}"])]
            expected = stored[f"{key}/{m}"]
            result = AEV(rounded).fit_transform(molecule)
            np.testing.assert_allclose(result, expected, rtol=0, atol=3e-14 * expected.max())
            result = AEV(name).fit_transform(molecule)
            np.testing.assert_allclose(result, expected, rtol=0, atol=1e-6)


def test_feature_names_tell_the_feature():
    numbers, positions = cluster(3)
    model = AEV(ODD)
    rows = model.fit_transform([(numbers, positions)])
    names = model.get_feature_names_out()
    assert names[:2].tolist() == ["O r=0.5", "O r=0.9"]
    assert names[15].startswith("O-O r=1.1 theta=0.2")
    assert len(set(names)) == len(names) == model.n_features_out_ == rows.shape[1] == 105
    p = resolved(ODD)
    vectors = positions[1:] - positions[0]
    for column, name in enumerate(names):
        kind, *values = name.split()
        values = [float(v.split("=")[1]) for v in values]
        elements = numbers_of(kind.split("-"))
        if len(values) == 1:
            of_kind = vectors[numbers[1:] == elements[0]]
            expected = radial(p, of_kind)[p.shifts.index(values[0])]
        else:
            where = p.angular_shifts.index(values[0]), p.sections.index(values[1])
            expected = sum(
                angular(p, vectors[j], vectors[k])[where]
                for j, k in itertools.combinations(range(len(vectors)), 2)
                if sorted((numbers[j + 1], numbers[k + 1])) == sorted(elements)
            )
        np.testing.assert_allclose(rows[0, column], expected, rtol=1e-12, atol=1e-14)


def test_shape_of_the_named_models():
    for name, elements, n in (("ani-1x", 4, 384), ("ani-2x", 7, 1008)):
        model = AEV(name).fit([])
        assert len(model.species_) == elements
        assert model.transform([]).shape == (0, n)


def test_invariances(parameters):
    numbers, positions = cluster(4)
    model = AEV(parameters).fit([])
    expected = model.transform([(numbers, positions)])
    close = {"rtol": 0, "atol": 1e-13 * expected.max()}
    turned = positions @ rotation(0).T
    np.testing.assert_allclose(model.transform([(numbers, turned)]), expected, **close)
    moved = positions + np.array([10.0, -3.0, 5.5])
    np.testing.assert_allclose(model.transform([(numbers, moved)]), expected, **close)
    order = np.random.default_rng(0).permutation(len(numbers))
    permuted = model.transform([(numbers[order], positions[order])])
    np.testing.assert_allclose(permuted, expected[order], **close)


def batch(n=60):
    return Structures.from_arrays(
        [cluster(seed, int(size)) for seed, size in enumerate(np.arange(n) % 12)]
    )


@pytest.mark.parametrize("average", [None, "sum", "mean"])
def test_batch_equals_one_by_one(average):
    structures = batch()
    model = AEV(ODD, average=average).fit(structures)
    together = model.transform(structures)
    alone = np.concatenate([model.transform([molecule]) for molecule in structures])
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_threads_are_bitwise_equal(dtype):
    structures = batch()

    def results(n_threads):
        models = [
            AEV(average=average, dtype=dtype, n_threads=n_threads).fit(structures)
            for average in (None, "sum")
        ]
        rows = [model.transform(structures) for model in models]
        yield from rows
        for model, X in zip(models, rows, strict=True):
            yield from model.vjp(
                structures, np.cos(np.arange(X.size).reshape(X.shape)), strain=True
            )
        yield models[0].jacobian(structures[:20]).values

    expected = list(results(1))
    for n_threads in (2, 7):
        for result, wanted in zip(results(n_threads), expected, strict=True):
            np.testing.assert_array_equal(result, wanted)


@pytest.mark.parametrize("average", ["sum", "mean"])
def test_average_is_over_the_rows(average):
    structures = Structures.from_arrays([cluster(1, 9), cluster(2, 90, spread=9.0), cluster(3, 1)])
    rows = AEV().fit_transform(structures)
    reduce = {"sum": np.sum, "mean": np.mean}[average]
    expected = [
        reduce(rows[a:b], axis=0) for a, b in itertools.pairwise(structures.offsets.tolist())
    ]
    result = AEV(average=average).fit_transform(structures)
    np.testing.assert_allclose(result, expected, rtol=1e-13, atol=1e-15)


def test_centers_choose_rows():
    structures = batch(8)
    model = AEV(ODD).fit(structures)
    chosen = np.arange(1, structures.n_atoms, 3)
    np.testing.assert_array_equal(
        model.transform(structures, centers=chosen), model.transform(structures)[chosen]
    )


def test_species_choose_columns():
    numbers, positions = cluster(5)
    full = AEV("ani-2x").fit([])
    some = AEV("ani-2x", species=["O", 6, "H"]).fit([])
    assert some.species_.tolist() == [1, 6, 8]
    names = full.get_feature_names_out().tolist()
    columns = [names.index(name) for name in some.get_feature_names_out()]
    np.testing.assert_array_equal(
        some.transform([(numbers, positions)]), full.transform([(numbers, positions)])[:, columns]
    )


def test_float32_is_float64_rounded(parameters):
    molecule = [cluster(6)]
    double = AEV(parameters).fit_transform(molecule)
    single = AEV(parameters, dtype="float32").fit_transform(molecule)
    assert single.dtype == np.float32
    np.testing.assert_array_equal(single, double.astype(np.float32))


def test_out_is_filled():
    molecule = [cluster(7)]
    model = AEV().fit(molecule)
    expected = model.transform(molecule)
    out = np.full_like(expected, np.nan)
    assert model.transform(molecule, out=out) is out
    np.testing.assert_array_equal(out, expected)
    with pytest.raises(ValueError, match=r"out: expected shape \(14, 384\)"):
        model.transform(molecule, out=out[:3])


def test_inputs_are_unchanged():
    structures = batch(5)
    numbers, positions = structures.numbers.copy(), structures.positions.copy()
    model = AEV(average="sum").fit(structures)
    gX = np.ones((5, 384))
    model.transform(structures)
    model.vjp(structures, gX)
    model.jacobian(structures)
    np.testing.assert_array_equal(structures.numbers, numbers)
    np.testing.assert_array_equal(structures.positions, positions)
    assert (gX == 1).all()


def test_few_atoms():
    alone = ([8], [[1.0, 2.0, 3.0]])
    empty = ([], np.empty((0, 3)))
    pair = ([8, 1], [[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    rows = AEV(average="mean").fit_transform([alone, empty, pair])
    assert (rows[:2] == 0).all()
    assert (rows[2, 64:] == 0).all()
    assert np.count_nonzero(rows[2, :64]) == 32
    model = AEV().fit([])
    assert model.transform([empty]).shape == (0, 384)
    assert model.vjp([alone], np.ones((1, 384))).tolist() == [[0.0, 0.0, 0.0]]
    jacobian = model.jacobian([alone, empty])
    assert jacobian.values.shape == (1, 3, 384)
    assert (jacobian.values == 0).all()


def test_atoms_in_a_line_and_far_away():
    numbers = [6, 6, 6, 1]
    positions = np.array([[0, 0, -1.2], [0, 0, 0], [0, 0, 1.2], [1e4, 0, 0]])
    model = AEV().fit([])
    rows = model.transform([(numbers, positions)])
    np.testing.assert_allclose(rows, definition("ani-1x", numbers, positions), atol=1e-14)
    gradient = model.vjp([(numbers, positions)], np.ones((4, 384)))
    assert np.isfinite(gradient).all()
    np.testing.assert_allclose(gradient[:, :2], 0, atol=1e-14)


def test_pickle_and_parameters():
    molecule = [cluster(9)]
    model = AEV(ODD, average="sum", species=["C", "O", "H"]).fit(molecule)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.transform(molecule), model.transform(molecule))
    assert again.get_params() == model.get_params()
    other = AEV().set_params(**model.get_params())
    assert repr(other) == repr(model)
    assert repr(AEV("ani-2x", dtype="float32")) == "AEV(parameters='ani-2x', dtype='float32')"
    with pytest.raises(ValueError, match="AEV has no parameter 'eta'"):
        other.set_params(eta=1.0)


def test_frames_of_ase():
    structures = batch(6)[1:]
    model = AEV(average="sum", dtype=np.float32).fit(structures)
    expected = model.transform(structures)
    assert expected.dtype == np.float32
    np.testing.assert_array_equal(model.transform(structures.to_ase()), expected)


def test_pipeline():
    pytest.importorskip("sklearn")
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline

    structures = batch(12)
    search = GridSearchCV(
        make_pipeline(AEV(average="sum"), Ridge()), {"aev__parameters": ["ani-1x", ODD]}, cv=2
    )
    search.fit(structures.to_ase(), structures.sizes.astype(float))
    assert search.best_params_["aev__parameters"] in ("ani-1x", ODD)


def test_clone():
    sklearn = pytest.importorskip("sklearn.base")
    model = AEV(ODD, average="mean")
    copy = sklearn.clone(model)
    assert copy is not model
    assert copy.get_params() == model.get_params()
    assert repr(model).startswith("AEV(parameters=AEVParameters(species=(8, 1, 6), r_cut=2.8,")


CODE = """
import sys
import numpy as np, molkern as mk

rng = np.random.default_rng(1)
grid = np.array([[i, j, k] for i in range(4) for j in range(4) for k in range(3)], float)
molecule = (rng.choice([1, 6, 8], len(grid)), 1.2 * grid + rng.uniform(-0.3, 0.3, grid.shape))
odd = mk.AEVParameters(
    species=[1, 6, 8], r_cut=4.0, eta=3.0, shifts=[1.0, 2.0, 2.5], angular_r_cut=4.5,
    angular_eta=2.0, zeta=3.7, angular_shifts=[1.0, 1.5, 2.0, 2.5, 3.0], sections=[0.5, 1.0, 2.0],
)
results = {}
for name, parameters in {"1x": "ani-1x", "2x": "ani-2x", "odd": odd}.items():
    model = mk.AEV(parameters).fit([molecule])
    X = model.transform([molecule])
    results[f"{name} values"] = X
    results[f"{name} vjp"] = model.vjp([molecule], np.cos(np.arange(X.size)).reshape(X.shape))
    results[f"{name} jacobian"] = model.jacobian([molecule], centers=[0, 20]).values
assert mk.build_info()["isa"] == sys.argv[2]
np.savez(sys.argv[1], **results)
"""


def run(level, path, monkeypatch):
    monkeypatch.setenv("MOLKERN_ISA", level)
    return subprocess.run(
        [sys.executable, "-c", CODE, str(path), level], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("level", ["x86-64-v3", "x86-64-v4"])
def test_instruction_sets_equal_baseline(level, tmp_path, monkeypatch):
    result = run("baseline", tmp_path / "baseline.npz", monkeypatch)
    assert result.returncode == 0, result.stderr
    result = run(level, tmp_path / "level.npz", monkeypatch)
    if "is not supported by this processor" in result.stderr or "expected one of" in result.stderr:
        pytest.skip(result.stderr.strip().splitlines()[-1])
    assert result.returncode == 0, result.stderr
    with np.load(tmp_path / "baseline.npz") as expected, np.load(tmp_path / "level.npz") as rows:
        assert len(rows) == 9
        for name in rows:
            atol = 2e-14 * np.abs(expected[name]).max()
            np.testing.assert_allclose(rows[name], expected[name], rtol=0, atol=atol, err_msg=name)
