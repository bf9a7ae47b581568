"""Values of atom-centred symmetry functions."""

import itertools
import pickle
import resource
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from sklearn.base import clone

import molkern as mk
from acsf_definition import CUTOFF_FUNCTIONS, GRIDS, OPTIONS, R_CUT, acsf_definition
from definitions import rotation

REFERENCE = Path(__file__).parent / "reference" / "acsf.npz"


@pytest.fixture(scope="module")
def reference():
    return dict(np.load(REFERENCE))


@pytest.fixture
def model(structures):
    return mk.ACSF(**OPTIONS).fit(structures)


def close(found, expected, digits=1e-13):
    """Roundings of sums of up to some hundred terms, relative to the largest."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=digits * np.abs(expected).max())


@pytest.mark.parametrize("cutoff_function", CUTOFF_FUNCTIONS)
@pytest.mark.parametrize("options", [OPTIONS, GRIDS], ids=["kinds", "grids"])
def test_matches_definition(structures, options, cutoff_function):
    model = mk.ACSF(**options, cutoff_function=cutoff_function).fit(structures)
    expected = acsf_definition(structures, model.species_, **options, f=cutoff_function)
    close(model.transform(structures), expected)


@pytest.mark.parametrize("n_species", [1, 2])
def test_many_neighbors(n_species):
    # More neighbours than a block of 64, more pairs than a block of 128.
    rng = np.random.default_rng(5)
    grid = np.array(list(itertools.product(range(5), repeat=3))) * 1.1
    positions = grid + rng.normal(scale=0.1, size=grid.shape)
    numbers = rng.choice([1, 6][:n_species], len(positions))
    structures = mk.Structures.from_arrays([(numbers, positions)])
    centers = [0, 31, 62, 124]
    model = mk.ACSF(**OPTIONS).fit(structures)
    expected = acsf_definition(structures, model.species_, centers, **OPTIONS)
    close(model.transform(structures, centers=centers), expected)


def test_reference_dscribe(reference):
    structures = mk.Structures(reference["numbers"], reference["positions"], reference["offsets"])
    species = ["S", "O", "N", "C", "H"]
    model = mk.ACSF(species=species, g2=reference["g2"], g4=reference["g4"])
    close(model.fit_transform(structures), reference["g2_g4"])
    model = mk.ACSF(species=species, g2=[(0.5, 1.0)], g3=[1.0, 2.5], g5=[(0.1, 2, 1), (0.1, 2, -1)])
    n = len(reference["g3_g5"])
    assert n > 40
    close(model.fit_transform(structures)[:n], reference["g3_g5"])


def test_reference_dscribe_periodic(reference):
    frame = Atoms(
        "C8", positions=reference["diamond_positions"], cell=reference["diamond_cell"], pbc=True
    )
    model = mk.ACSF(g2=reference["g2"], g4=reference["g4"])
    close(model.fit_transform([frame]), reference["diamond"])


def test_feature_names_define_the_order(structures, model):
    names = model.get_feature_names_out().tolist()
    assert len(names) == model.n_features_out_ == model.transform(structures).shape[1]
    assert names[:6] == [
        "G1(H)",
        "G2(H; eta=0.5, r_s=0)",
        "G2(H; eta=2, r_s=1.2)",
        "G2(H; eta=0, r_s=0.3)",
        "G3(H; kappa=1)",
        "G3(H; kappa=2.5)",
    ]
    first = 6 * len(model.species_)
    assert names[first] == "G4(H,H; eta=0.1, zeta=1, lambda=-1)"
    assert names[first + 6] == "G5(H,H; eta=0.1, zeta=2, lambda=1)"
    assert names[first + 9] == "G4(H,C; eta=0.1, zeta=1, lambda=-1)"
    assert names[first + 18] == "G4(C,C; eta=0.1, zeta=1, lambda=-1)"
    # Each function alone gives the columns that have its name.
    column = dict(zip(names, model.transform(structures).T, strict=True))
    singles = [(key, [f]) for key in ("g2", "g3", "g4", "g5") for f in OPTIONS[key]]
    for key, functions in [("g1", True), *singles]:
        single = mk.ACSF(r_cut=R_CUT, **{"g1": False, key: functions}).fit(structures)
        rows = single.transform(structures)
        for name, values in zip(single.get_feature_names_out(), rows.T, strict=True):
            np.testing.assert_allclose(values, column[name], rtol=1e-13, atol=1e-15)


def test_invariant_to_rotation_and_translation(structures, model):
    moved = structures.positions @ rotation(3).T + [3.0, -20.0, 7.0]
    moved = mk.Structures(structures.numbers, moved, structures.offsets)
    close(model.transform(moved), model.transform(structures), 1e-12)


def test_permutation_of_atoms_permutes_rows(molecules, model):
    for numbers, positions in molecules:
        order = np.random.default_rng(2).permutation(len(numbers))
        rows = model.transform([(numbers, positions)])
        close(model.transform([(numbers[order], positions[order])]), rows[order], 1e-12)


def test_batch_equals_one_by_one(molecules, structures, model):
    alone = np.concatenate([model.transform([molecule]) for molecule in molecules])
    np.testing.assert_array_equal(model.transform(structures), alone)


def test_average_is_a_sum_of_rows(structures, model):
    rows = np.split(model.transform(structures), structures.offsets[1:-1])
    found = mk.ACSF(**OPTIONS, average="sum").fit_transform(structures)
    close(found, np.array([r.sum(axis=0) for r in rows]))
    found = mk.ACSF(**OPTIONS, average="mean").fit_transform(structures)
    close(found, np.array([r.mean(axis=0) for r in rows]))


def test_float32_is_rounded_once(structures, model):
    narrow = mk.ACSF(**OPTIONS, dtype="float32").fit_transform(structures)
    assert narrow.dtype == np.float32
    np.testing.assert_array_equal(narrow, model.transform(structures).astype(np.float32))


def test_centers(structures, model):
    rows = [0, 3, 4, structures.n_atoms - 1]
    expected = model.transform(structures)[rows]
    np.testing.assert_array_equal(model.transform(structures, centers=rows), expected)
    # Averages are over the centres of each structure.
    means = mk.ACSF(**OPTIONS, average="mean").fit(structures).transform(structures, centers=rows)
    assert means.shape == (len(structures), model.n_features_out_)
    m = np.searchsorted(structures.offsets, rows, side="right") - 1
    for k in range(len(structures)):
        mean = expected[m == k].mean(axis=0) if k in m else np.zeros(model.n_features_out_)
        np.testing.assert_allclose(means[k], mean, rtol=1e-13, atol=1e-15)


def test_memory_does_not_grow(structures, model):
    def calls(n):
        for _ in range(n):
            model.vjp(structures, model.transform(structures))
            model.jacobian(structures)
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    before = calls(50)
    assert calls(300) - before < 4096  # kB


def test_out_and_inputs_unchanged(structures, model):
    before = structures.positions.copy()
    out = np.full((structures.n_atoms, model.n_features_out_), np.nan)
    assert model.transform(structures, out=out) is out
    np.testing.assert_array_equal(out, model.transform(structures))
    np.testing.assert_array_equal(structures.positions, before)


def test_images_are_counted():
    # One atom, six images at 2 Å; three straight angles and twelve right ones, of which G4 has
    # none, since r_jk is beyond the cutoff.
    cube = Atoms("Ar", cell=[2.0, 2.0, 2.0], pbc=True)
    model = mk.ACSF(r_cut=2.5, g4=[(0.0, 1, 1)], g5=[(0.0, 1, 1)])
    fc = 0.5 * (1 + np.cos(np.pi * 2.0 / 2.5))
    np.testing.assert_allclose(
        model.fit_transform([cube]), [[6 * fc, 0, 12 * fc**2]], rtol=1e-12, atol=1e-15
    )
    cube.pbc = [True, False, False]
    np.testing.assert_allclose(model.fit_transform([cube]), [[2 * fc, 0, 0]], atol=1e-15)


def test_supercell_equals_cell():
    cell = bulk("SiC", "zincblende", a=4.36)
    cell.rattle(0.1, seed=3)
    model = mk.ACSF(**OPTIONS).fit([cell])
    rows = model.transform([cell])
    close(model.transform([cell.repeat((3, 1, 2))]), np.tile(rows, (6, 1)), 1e-12)


def test_lonely_atoms_and_empty_structures(model):
    nothing = (np.empty(0, int), np.empty((0, 3)))
    far = ([1, 6], [[0.0, 0, 0], [R_CUT, 0, 0]])
    batch = mk.Structures.from_arrays([nothing, ([6], [[1.0, 2, 3]]), nothing, far])
    rows = model.transform(batch)
    assert rows.shape == (3, model.n_features_out_)
    assert not rows.any()
    for average in ("sum", "mean"):
        mean = mk.ACSF(**OPTIONS, species=model.species_, average=average).fit_transform(batch)
        assert mean.shape == (4, model.n_features_out_)
        assert not mean.any()
    assert model.transform(mk.Structures.from_arrays([nothing])).shape[0] == 0


def test_absent_species_have_zero_columns(structures, model):
    wider = mk.ACSF(**OPTIONS, species=[*model.species_.tolist(), 9, 120]).fit(structures)
    names = wider.get_feature_names_out()
    new = np.array([",F" in n or "(F" in n or "120" in n for n in names])
    rows = wider.transform(structures)
    assert not rows[:, new].any()
    np.testing.assert_array_equal(rows[:, ~new], model.transform(structures))


@pytest.mark.parametrize("cutoff_function", CUTOFF_FUNCTIONS)
def test_neighbors_may_coincide_where_they_are_no_centers(cutoff_function):
    numbers, positions = [6, 1, 1, 1], [[0.0, 0, 0], [1, 0, 0], [1, 0, 0], [0, 2, 0]]
    batch = mk.Structures.from_arrays([(numbers, positions)])
    model = mk.ACSF(**OPTIONS, cutoff_function=cutoff_function).fit(batch)
    found = model.transform(batch, centers=[0])
    expected = acsf_definition(batch, model.species_, [0], **OPTIONS, f=cutoff_function)
    # The distance of the two counts as 0.001 Å in the cutoff function.
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-3)
    assert np.isfinite(model.vjp(batch, np.ones_like(found), centers=[0])).all()
    with pytest.raises(ValueError, match="molecule 0 has two atoms"):
        model.transform(batch)


@pytest.mark.parametrize("name", CUTOFF_FUNCTIONS)
def test_cutoff_function(name):
    # The sum over one neighbour is the cutoff function.
    r = np.linspace(0.01, 5.0, 700)
    pairs = [([2, 10], [[0.0, 0, 0], [d, 0, 0]]) for d in r]
    found = mk.ACSF(r_cut=5.0, cutoff_function=name).fit_transform(pairs)[::2, 1]
    expected = np.where(r < 5.0, CUTOFF_FUNCTIONS[name](r / 5.0), 0.0)
    # The terms of the polynomial as written are up to 15.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14)


def test_parameters(structures, model):
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    np.testing.assert_array_equal(copy.fit_transform(structures), model.transform(structures))
    assert model.get_params()["g2"] is OPTIONS["g2"]
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.transform(structures), model.transform(structures))
    assert mk.ACSF().set_params(r_cut=4.0).r_cut == 4.0
    assert repr(mk.ACSF(r_cut=4.0)) == "ACSF(r_cut=4.0)"
    with pytest.raises(ValueError, match="is not fitted: call fit first"):
        mk.ACSF().transform(structures)


def test_rules():
    # Values worked out by hand from the papers' formulas.
    model = mk.ACSF.from_rule("gastegger2018", 2, r_cut=2.0, r_lower=0.5, r_upper=1.0)
    np.testing.assert_allclose(model.g2, [(2.0, 0.0), (0.5, 0.0)])
    model = mk.ACSF.from_rule("gastegger2018", 3, mode="shifted", r_cut=5.0, r_lower=1.0)
    np.testing.assert_allclose(model.g2, [(0.125, 1.0), (0.125, 3.0), (0.125, 5.0)])
    model = mk.ACSF.from_rule("imbalzano2018", 5, r_cut=8.0)
    np.testing.assert_allclose(model.g2, [(2.0**m / 64, 0.0) for m in range(5)])
    model = mk.ACSF.from_rule("imbalzano2018", 2, mode="shifted", r_cut=8.0)
    radii = [8 / 2, 8 / np.sqrt(2), 8.0]
    steps = np.diff(radii)
    np.testing.assert_allclose(model.g2, [(steps[0] ** -2, 4), (steps[1] ** -2, radii[1])])
    model = mk.ACSF.from_rule(
        "imbalzano2018", 3, mode="shifted", r_cut=4.0, n_angular=3, zetas=(1, 4), average="sum"
    )
    assert model.average == "sum"
    assert model.r_cut == 4.0
    assert len(model.g4) == 12
    assert model.g4[:3] == [(0.0625, 1, -1.0), (0.0625, 1, 1.0), (0.0625, 4, -1.0)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("behler", 3), "rule: expected one of gastegger2018, imbalzano2018, found 'behler'"),
        (("imbalzano2018", 1), "n: expected an integer of 2 or more, found 1"),
        (("imbalzano2018", 2, {"mode": "both"}), "mode: expected one of centered, shifted"),
        (("imbalzano2018", 2, {"r_lower": 1.0}), 'expected None for rule "imbalzano2018"'),
        (("imbalzano2018", 2, {"n_angular": 1}), "n_angular: expected an integer of 2 or more"),
        (("imbalzano2018", 2, {"r_cut": 0}), "r_cut: expected a number above 0, found 0"),
        (("gastegger2018", 2), "r_lower: expected a number for rule"),
        (("gastegger2018", 2, {"r_lower": 0.0}), "r_lower: expected a number above 0"),
        (("gastegger2018", 2, {"r_lower": 7.0}), "found 7 and 6"),
        (
            ("gastegger2018", 2, {"r_lower": 0.0, "mode": "shifted", "n_angular": 2}),
            "r_lower: expected more than 0 for angular functions, found 0",
        ),
    ],
)
def test_wrong_rules_raise(arguments, message):
    rule, n, *options = arguments
    with pytest.raises(ValueError, match=message):
        mk.ACSF.from_rule(rule, n, **(options[0] if options else {}))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"r_cut": 0.0}, "r_cut: expected a number above 0, found 0.0"),
        ({"r_cut": np.inf}, "r_cut: expected a number above 0, found inf"),
        ({"cutoff_function": "step"}, "cutoff_function: expected one of cosine, tanh3, polynomial"),
        ({"g1": False}, "g1, g2, g3, g4, g5: expected some functions, found none"),
        ({"g2": [1.0]}, r"g2: expected \(eta, r_s\) in each row, found 1.0"),
        ({"g2": [(1.0, 2.0, 3.0)]}, r"g2: expected \(eta, r_s\) in each row"),
        ({"g2": [(-1.0, 2.0)]}, "g2: eta: expected a number of 0 or more, found -1.0"),
        ({"g2": [(1.0, np.nan)]}, "g2: r_s: expected a number of 0 or more, found nan"),
        ({"g3": [-2.0]}, "g3: kappa: expected a number of 0 or more, found -2.0"),
        ({"g4": [(0.1, 0.5, 1)]}, "g4: zeta: expected a number of 1 or more, found 0.5"),
        ({"g4": [(0.1, 1, -2)]}, "g4: lambda_: expected a number from -1 to 1, found -2"),
        ({"g5": [(0.1, 1, 2)]}, "g5: lambda_: expected a number from -1 to 1, found 2"),
        ({"average": "inner"}, 'average: expected None, "sum" or "mean", found \'inner\''),
        ({"dtype": "int32"}, "dtype: expected"),
        ({"n_threads": 0}, "n_threads: expected"),
        ({"species": []}, r"species: expected a sequence of .* integers, one or more, found \[\]"),
        ({"species": ["H", "C"]}, "molecule 0 has O; expected some of H, C; unknown in all .* S"),
    ],
)
def test_wrong_parameters_raise(structures, options, message):
    with pytest.raises(ValueError, match=message):
        mk.ACSF(**options).fit(structures)
