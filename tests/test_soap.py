"""Values of the SOAP power spectrum."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from sklearn.base import clone

import molkern as mk
from definitions import rotation
from molkern.representations._radial import polynomials
from soap_definition import CUTOFF_FUNCTIONS, RADIAL_BASES, SMALL, soap_definition

REFERENCE = Path(__file__).parent / "reference" / "soap.npz"
SPECIES = ["S", "O", "N", "C", "H"]
AWAY = np.array([100.0, 0, 0])
REACH = SMALL["r_cut"] + SMALL["sigma"] * np.sqrt(-2 * np.log(0.001))


@pytest.fixture(scope="module")
def reference():
    return dict(np.load(REFERENCE))


@pytest.fixture
def model(structures):
    return mk.SOAP(**SMALL).fit(structures)


def close(found, expected, digits=1e-12):
    """Roundings of sums of some hundred terms, relative to the largest."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=digits * np.abs(expected).max())


def molecules_of(reference, kind):
    for name, expected in reference.items():
        if name.startswith(kind):
            m = name.removeprefix(kind)
            yield reference[f"numbers/{m}"], reference[f"positions/{m}"], expected


@pytest.mark.parametrize("basis", RADIAL_BASES)
@pytest.mark.parametrize("f", [None, *CUTOFF_FUNCTIONS])
def test_matches_definition(structures, basis, f):
    model = mk.SOAP(**SMALL, cutoff_function=f, radial_basis=basis).fit(structures)
    expected = soap_definition(structures, model.species_, **SMALL, f=f, radial_basis=basis)
    close(model.transform(structures), expected, 1e-12 if basis == "gto" else 1e-10)


@pytest.mark.parametrize(("sigma", "l_max"), [(0.15, 3), (1.0, 8)])
def test_tables_match_definition(sigma, l_max):
    options = {"r_cut": 4.0, "n_max": 4, "l_max": l_max, "sigma": sigma}
    positions = np.random.default_rng(3).uniform(0, 3, (9, 3))
    structures = mk.Structures.from_arrays([(np.full(9, 6), positions)])
    found = mk.SOAP(**options, radial_basis="polynomial").fit_transform(structures)
    expected = soap_definition(structures, [6], **options, radial_basis="polynomial")
    # The overlap has a condition number of 6e6, and the definition orthonormalises in float64.
    close(found, expected, 1e-9)


@pytest.mark.parametrize(("n_max", "l_max"), [(1, 0), (2, 1), (5, 3), (8, 4), (9, 1), (2, 9)])
def test_sizes_match_definition(molecules, n_max, l_max):
    options = {"r_cut": 4.0, "n_max": n_max, "l_max": l_max, "sigma": 0.3}
    structures = mk.Structures.from_arrays(molecules[:5])
    model = mk.SOAP(**options).fit(structures)
    expected = soap_definition(structures, model.species_, **options)
    # Of nine Gaussians, whose overlap has a condition number of 1e10, which the definition
    # orthonormalises in float64.
    close(model.transform(structures), expected, 1e-7 if n_max > 5 else 1e-12)


@pytest.mark.parametrize("n_species", [1, 2])
def test_many_neighbors(n_species):
    # More neighbours than are tabulated at a time.
    rng = np.random.default_rng(5)
    positions = rng.uniform(0, 5, (80, 3))
    numbers = rng.choice([1, 6][:n_species], len(positions))
    structures = mk.Structures.from_arrays([(numbers, positions)])
    centers = [0, 31, 79]
    model = mk.SOAP(**SMALL, cutoff_function="cosine").fit(structures)
    expected = soap_definition(structures, model.species_, **SMALL, f="cosine", centers=centers)
    close(model.transform(structures, centers=centers), expected)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("small/", {"n_max": 4, "l_max": 3}),
        ("mean/", {"n_max": 4, "l_max": 3, "average": "outer"}),
        ("inner/", {"n_max": 4, "l_max": 3, "average": "inner"}),
        ("large/", {}),
    ],
)
def test_reference_dscribe(reference, kind, options):
    model = mk.SOAP(species=SPECIES, **options).fit([])
    found = list(molecules_of(reference, kind))
    assert len(found) >= 2
    for numbers, positions, expected in found:
        rows = model.transform([(numbers, positions)])
        rows = rows[0] if "average" in options else rows[: len(expected)]
        # DScribe orthonormalises in float64: 5e-10 with n_max 8.
        close(rows, expected, 1e-9)


def test_reference_dscribe_polynomial(reference):
    for kind, n_max, l_max, digits in (
        ("small_polynomial/", 4, 3, 1e-10),
        # In float64 eight polynomials are orthonormal to 1e-5 only, and DScribe's features right to
        # 2e-6; here they are to 1e-13 (test_soap_options.py).
        ("large_polynomial/", 8, 6, 5e-6),
    ):
        model = mk.SOAP(species=SPECIES, n_max=n_max, l_max=l_max, radial_basis="polynomial")
        model.fit([])
        found = list(molecules_of(reference, kind))
        assert found
        for numbers, positions, expected in found:
            rows = model.transform([(numbers, positions)])[: len(expected)]
            close(rows, expected, digits)


@pytest.mark.parametrize("n_max", [1, 8, 12])
def test_polynomials_are_orthonormal(n_max):
    points, weights, functions = polynomials(5.0, n_max, 60)
    overlap = (functions * weights * points**2) @ functions.T
    np.testing.assert_allclose(overlap, np.eye(n_max), rtol=0, atol=1e-12)


def test_reference_dscribe_gradients(reference):
    # Of the features of atoms that stay; DScribe's other blocks are for centres that do not move.
    model = mk.SOAP(species=SPECIES, n_max=3, l_max=2).fit([])
    for numbers, positions, expected in molecules_of(reference, "gradients/"):
        dense = model.jacobian([(numbers, positions)]).to_dense()
        other = ~np.eye(len(numbers), dtype=bool)
        close(dense[other], expected[other], 1e-10)


def test_reference_dscribe_periodic(reference):
    frame = Atoms(
        "C8", positions=reference["diamond_positions"], cell=reference["diamond_cell"], pbc=True
    )
    close(mk.SOAP().fit_transform([frame]), reference["diamond"], 1e-9)


def test_feature_names_define_the_order(structures, model):
    names = model.get_feature_names_out().tolist()
    rows = model.transform(structures)
    assert len(set(names)) == len(names) == model.n_features_out_ == rows.shape[1]
    assert names[:3] == ["p(H,H; l=0, n=0, n'=0)", "p(H,H; l=0, n=0, n'=1)", names[2]]
    first = 6 * 3
    assert names[first : first + 2] == ["p(H,C; l=0, n=0, n'=0)", "p(H,C; l=0, n=0, n'=1)"]
    assert names[first + 3] == "p(H,C; l=0, n=1, n'=0)"
    # With fewer l or species the same names have the same values.
    column = dict(zip(names, rows.T, strict=True))
    less = mk.SOAP(**(SMALL | {"l_max": 1})).fit(structures)
    for name, values in zip(
        less.get_feature_names_out(), less.transform(structures).T, strict=True
    ):
        np.testing.assert_allclose(values, column[name], rtol=1e-13, atol=1e-15)
    # Symmetric for one species: n of H and n' of C are exchanged with the labels.
    exchanged = structures.numbers.copy()
    exchanged[structures.numbers == 1], exchanged[structures.numbers == 6] = 6, 1
    turned = mk.Structures(exchanged, structures.positions, structures.offsets)
    turned_rows = model.transform(turned)
    a = names.index("p(H,C; l=1, n=0, n'=2)")
    b = names.index("p(H,C; l=1, n=2, n'=0)")
    np.testing.assert_allclose(turned_rows[:, a], rows[:, b], rtol=1e-12, atol=1e-14)


def test_invariant_to_rotation_and_translation(structures):
    model = mk.SOAP(r_cut=4.0, n_max=4, l_max=9).fit(structures)
    moved = structures.positions @ rotation(3).T + [3.0, -20.0, 7.0]
    moved = mk.Structures(structures.numbers, moved, structures.offsets)
    close(model.transform(moved), model.transform(structures))


def test_permutation_of_atoms_permutes_rows(molecules, model):
    for numbers, positions in molecules:
        order = np.random.default_rng(2).permutation(len(numbers))
        rows = model.transform([(numbers, positions)])
        close(model.transform([(numbers[order], positions[order])]), rows[order])


def test_batch_equals_one_by_one(molecules, structures, model):
    alone = np.concatenate([model.transform([molecule]) for molecule in molecules])
    np.testing.assert_array_equal(model.transform(structures), alone)


def summed(rows):
    return np.array([r.sum(axis=0) for r in rows])


def test_average_is_a_sum_of_rows(structures, model):
    rows = np.split(model.transform(structures), structures.offsets[1:-1])
    found = mk.SOAP(**SMALL, average="sum").fit_transform(structures)
    close(found, summed(rows))
    found = mk.SOAP(**SMALL, average="mean").fit_transform(structures)
    close(found, np.array([r.mean(axis=0) for r in rows]))
    outer = mk.SOAP(**SMALL, average="outer").fit_transform(structures)
    np.testing.assert_array_equal(outer, found)
    # Copies far from each other: one atom after another, in groups of 16 and blocks of 64.
    copies = 12
    crowd = [
        (np.tile(z, copies), np.concatenate([r + k * AWAY for k in range(copies)]))
        for z, r in structures
    ]
    close(mk.SOAP(**SMALL, average="sum").fit(structures).transform(crowd), copies * summed(rows))


def test_inner_average(structures, model):
    inner = mk.SOAP(**SMALL, average="inner").fit(structures)
    # One atom alone is its own mean; far copies have the mean of one.
    single = [([6], [[0.0, 0, 0]])]
    close(inner.transform(single), model.transform(single))
    numbers, positions = next(iter(structures))
    far = np.concatenate([positions, positions + AWAY])
    close(inner.transform([(np.tile(numbers, 2), far)]), inner.transform([(numbers, positions)]))
    # Of some centres: for one, the features of that.
    batch = structures[2]
    rows = model.transform(batch)
    close(inner.transform(batch, centers=[3]), rows[3:4])


def test_float32_is_rounded_once(structures, model):
    narrow = mk.SOAP(**SMALL, dtype="float32").fit_transform(structures)
    assert narrow.dtype == np.float32
    np.testing.assert_array_equal(narrow, model.transform(structures).astype(np.float32))


def test_centers(structures, model):
    rows = [0, 3, 4, structures.n_atoms - 1]
    expected = model.transform(structures)[rows]
    np.testing.assert_array_equal(model.transform(structures, centers=rows), expected)


def test_out_and_inputs_unchanged(structures, model):
    before = structures.positions.copy()
    memory = np.full((structures.n_atoms + 2, model.n_features_out_), np.nan)
    out = memory[1:-1]
    assert model.transform(structures, out=out) is out
    np.testing.assert_array_equal(out, model.transform(structures))
    np.testing.assert_array_equal(structures.positions, before)
    assert np.isnan(memory[[0, -1]]).all()


def test_images_are_counted():
    # One atom with six images at 2 Å: l = 0 sees how many they are, l = 1 that they cancel.
    options = SMALL | {"r_cut": 2.2, "l_max": 1}
    cube = Atoms("Ar", cell=[2.0, 2.0, 2.0], pbc=True)
    model = mk.SOAP(**options, cutoff_function="cosine")
    found = model.fit_transform([cube])[0]
    star = 2.0 * np.concatenate([np.zeros((1, 3)), np.eye(3), -np.eye(3)])
    numbers = np.full(7, 18)
    close(found, model.transform([(numbers, star)])[0])
    assert np.abs(found[6:]).max() < 1e-14 < np.abs(found[:6]).min()
    cube.pbc = [True, False, False]
    close(model.transform([cube])[0], model.transform([(numbers[:3], star[[0, 1, 4]])])[0])


@pytest.mark.parametrize("f", [None, "cosine"])
def test_supercell_equals_cell(f):
    cell = bulk("SiC", "zincblende", a=4.36)
    cell.rattle(0.1, seed=3)
    model = mk.SOAP(**SMALL, cutoff_function=f).fit([cell])
    rows = model.transform([cell])
    close(model.transform([cell.repeat((3, 1, 2))]), np.tile(rows, (6, 1)))


def test_lonely_atoms_and_empty_structures(model):
    nothing = (np.empty(0, int), np.empty((0, 3)))
    far = ([1, 6], [[0.0, 0, 0], [REACH, 0, 0]])
    batch = mk.Structures.from_arrays([nothing, ([6], [[1.0, 2, 3]]), nothing, far])
    rows = model.transform(batch)
    names = model.get_feature_names_out()
    own = np.array([name.startswith("p(C,C; l=0") for name in names])
    assert rows.shape == (3, model.n_features_out_)
    assert (rows[0, own] != 0).all()
    assert not rows[0, ~own].any()
    np.testing.assert_array_equal(rows[2], rows[0])
    expected = soap_definition([([6], np.zeros((1, 3)))], model.species_, **SMALL)
    close(rows[:1], expected)
    options = SMALL | {"species": model.species_.tolist()}
    for average, factor in (("sum", 1.0), ("mean", 0.5)):
        mean = mk.SOAP(**options, average=average).fit_transform(batch)
        assert mean.shape == (4, model.n_features_out_)
        assert not mean[[0, 2]].any()
        close(mean[1], rows[0])
        close(mean[3], factor * (rows[1] + rows[2]))
    assert model.transform(mk.Structures.from_arrays([nothing])).shape[0] == 0


def test_absent_species_have_zero_columns(structures, model):
    wider = mk.SOAP(**SMALL, species=[*model.species_.tolist(), 9, 120]).fit(structures)
    names = wider.get_feature_names_out()
    new = np.array([",F;" in n or "(F" in n or "120" in n for n in names])
    rows = wider.transform(structures)
    assert not rows[:, new].any()
    np.testing.assert_array_equal(rows[:, ~new], model.transform(structures))


def test_jump_without_cutoff_function():
    # A Gaussian at the end of the padding has decayed to 0.001 at r_cut: a small step, not none.
    def row(r):
        return model.transform([([6, 6], [[0.0, 0, 0], [r, 0, 0]])])[0]

    model = mk.SOAP(**SMALL).fit([([6], [[0.0, 0, 0]])])
    inside, outside = row(REACH - 1e-9), row(REACH + 1e-9)
    step = np.abs(inside - outside).max() / np.abs(outside).max()
    assert 0 < step < 2e-3


def test_neighbors_may_coincide_where_they_are_no_centers():
    numbers, positions = [6, 1, 1, 1], np.array([[0.0, 0, 0], [1, 0, 0], [1, 0, 0], [0, 2, 0]])
    batch = mk.Structures.from_arrays([(numbers, positions)])
    model = mk.SOAP(**SMALL).fit(batch)
    found = model.transform(batch, centers=[0])
    arrays = [(np.array(numbers), positions)]
    close(found, soap_definition(arrays, model.species_, **SMALL, centers=[0]))
    assert np.isfinite(model.vjp(batch, np.ones_like(found), centers=[0])).all()
    with pytest.raises(ValueError, match="molecule 0 has two atoms"):
        model.transform(batch)


@pytest.mark.parametrize("basis", RADIAL_BASES)
def test_parameters(structures, basis):
    model = mk.SOAP(**SMALL, radial_basis=basis).fit(structures)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    np.testing.assert_array_equal(copy.fit_transform(structures), model.transform(structures))
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.transform(structures), model.transform(structures))
    assert mk.SOAP().set_params(r_cut=4.0).r_cut == 4.0
    assert repr(mk.SOAP(r_cut=4.0)) == "SOAP(r_cut=4.0)"
    with pytest.raises(ValueError, match="is not fitted: call fit first"):
        mk.SOAP().transform(structures)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"r_cut": 1.0}, r"r_cut: expected a number above 1, found 1\.0"),
        ({"r_cut": np.inf}, "r_cut: expected a number above 1, found inf"),
        ({"sigma": 0}, "sigma: expected a number above 0, found 0"),
        ({"n_max": 0}, "n_max: expected an integer of 1 or more, found 0"),
        ({"n_max": 40}, "n_max: 40 radial functions up to r_cut = 5 are linearly dependent"),
        ({"l_max": -1}, "l_max: expected an integer from 0 to 30, found -1"),
        ({"l_max": 31}, "l_max: expected an integer from 0 to 30, found 31"),
        (
            {"radial_basis": "spline"},
            "radial_basis: expected one of gto, polynomial, laplacian_eigenstates, found 'spline'",
        ),
        (
            {"cutoff_function": "step"},
            "cutoff_function: expected one of None, cosine, tanh3, polynomial, found 'step'",
        ),
        ({"average": "all"}, 'average: expected None, "sum", "mean", "inner" or "outer", found'),
        ({"dtype": "int32"}, "dtype: expected"),
        ({"n_threads": 0}, "n_threads: expected"),
        ({"species": []}, r"species: expected a sequence of .* integers, one or more, found \[\]"),
        ({"species": ["H", "C"]}, "molecule 0 has O; expected some of H, C; unknown in all .* S"),
    ],
)
def test_wrong_parameters_raise(structures, options, message):
    with pytest.raises(ValueError, match=message):
        mk.SOAP(**options).fit(structures)
