"""SOAP's compression, weights and normalisation: values."""

import itertools
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from sklearn.base import clone

import molkern as mk
from definitions import rotation
from soap_definition import (
    COMBINATIONS,
    COMPRESSIONS,
    CUTOFF_FUNCTIONS,
    RADIAL_BASES,
    SMALL,
    SPECIES_WEIGHTING,
    WEIGHTINGS,
    options_of,
    soap_definition,
)

REFERENCE = Path(__file__).parent / "reference" / "soap_options.npz"
SPECIES = ["H", "C", "N", "O"]
OF_NUMBER = {1: 0.5, 6: 2.0, 7: 0.0, 8: -1.5, 16: 1.0}


@pytest.fixture
def structures(molecules):
    """Some of them, with all species, and one atom alone."""
    return mk.Structures.from_arrays([molecules[m] for m in (0, 4, 6, 8)])


def close(found, expected, digits=1e-12):
    """Roundings of sums of some hundred terms, relative to the largest."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=digits * np.abs(expected).max())


def defined(structures, model, options, **more):
    known = options | {"species_weighting": OF_NUMBER if options["species_weighting"] else None}
    return soap_definition(structures, model.species_.tolist(), **SMALL, **known, **more)


@pytest.mark.parametrize("f", [None, "cosine"])
@pytest.mark.parametrize("combination", COMBINATIONS)
def test_matches_definition(structures, combination, f):
    options = options_of(combination)
    model = mk.SOAP(**SMALL, **options, cutoff_function=f).fit(structures)
    close(model.transform(structures), defined(structures, model, options, f=f))


# Each two of the three together; without weighting all three are in test_soap.
@pytest.mark.parametrize(
    ("f", "basis"),
    [(f, "gto") for f in (None, *CUTOFF_FUNCTIONS)]
    + [("cosine", basis) for basis in RADIAL_BASES if basis != "gto"],
)
@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_weighting_matches_definition(structures, weighting, f, basis):
    options = {"weighting": weighting, "cutoff_function": f, "radial_basis": basis}
    model = mk.SOAP(**SMALL, **options).fit(structures)
    options |= {"f": options.pop("cutoff_function")}
    expected = soap_definition(structures, model.species_, **SMALL, **options)
    close(model.transform(structures), expected, 1e-12 if basis == "gto" else 1e-10)


@pytest.fixture(scope="module")
def reference():
    return dict(np.load(REFERENCE))


def reference_names():
    with np.load(REFERENCE) as stored:
        return list(json.loads(str(stored["settings"]))["cases"])


@pytest.mark.parametrize("name", reference_names())
def test_reference_dscribe(reference, name):
    settings = json.loads(str(reference["settings"]))
    options = settings["cases"][name]
    compression = options.get("compression", {"mode": "off"})
    model = mk.SOAP(
        species=SPECIES,
        **settings["common"],
        compression=None if compression["mode"] == "off" else compression["mode"],
        species_weighting=compression.get("species_weighting"),
        weighting=options.get("weighting"),
        radial_basis=options.get("rbf", "gto"),
        average=None if options.get("average", "off") == "off" else options["average"],
    ).fit([])
    rows = model.transform([(reference["numbers"], reference["positions"])])
    expected = np.atleast_2d(reference[name])
    assert np.abs(expected).max() > 0.1
    # DScribe sums in another way.
    close(rows[: len(expected)], expected, 1e-10)


@pytest.mark.parametrize("basis", ["gto", "polynomial"])
def test_reference_without_rounding_errors(reference, basis):
    # Eight functions; the overlaps have condition numbers of 1e8 and 1e18.
    options = json.loads(str(reference["settings"]))["exact"]
    assert options["n_max"] == 8
    molecule = (reference["exact_numbers"], reference["exact_positions"])
    row = mk.SOAP(**options, radial_basis=basis).fit_transform([molecule])[0]
    close(row, reference[f"exact {basis}"], 1e-11)


def test_normalize(structures):
    plain = mk.SOAP(**SMALL).fit(structures).transform(structures)
    unit = mk.SOAP(**SMALL, normalize=True).fit(structures)
    rows = unit.transform(structures)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-14)
    close(rows, plain / np.linalg.norm(plain, axis=1)[:, None], 1e-14)
    # Atoms are normalised before they are summed; the mean of coefficients is normalised once.
    of_molecules = np.split(rows, structures.offsets[1:-1])
    for average, function in (("sum", np.sum), ("mean", np.mean)):
        found = mk.SOAP(**SMALL, normalize=True, average=average).fit_transform(structures)
        close(found, np.array([function(r, axis=0) for r in of_molecules]))
    inner = mk.SOAP(**SMALL, average="inner").fit_transform(structures)
    found = mk.SOAP(**SMALL, average="inner", normalize=True).fit_transform(structures)
    close(found, inner / np.linalg.norm(inner, axis=1)[:, None])


@pytest.mark.parametrize("average", [None, "sum", "mean", "inner"])
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_zeros_stay_zeros(average, compression):
    # An atom with neither neighbours nor itself.
    options = SMALL | {"average": average, "compression": compression, "weighting": {"w0": 0}}
    model = mk.SOAP(**options, normalize=True, cutoff_function="cosine")
    lonely = mk.Structures.from_arrays([([6], [[0.0, 0, 0]]), ([1, 6], [[0.0, 0, 0], [9, 0, 0]])])
    rows = model.fit_transform(lonely)
    assert not rows.any()
    np.testing.assert_array_equal(model.vjp(lonely, np.ones_like(rows)), np.zeros((3, 3)))
    assert not model.jacobian(lonely).values.any()


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_averages(structures, combination):
    options = SMALL | options_of(combination)
    rows = np.split(mk.SOAP(**options).fit_transform(structures), structures.offsets[1:-1])
    for average, function in (("sum", np.sum), ("mean", np.mean)):
        found = mk.SOAP(**options, average=average).fit_transform(structures)
        close(found, np.array([function(r, axis=0) for r in rows]))
    # Of some centres: for one, the features of that.
    inner = mk.SOAP(**options, average="inner").fit(structures)
    close(inner.transform(structures[2], centers=[3]), rows[2][3:4])


@pytest.mark.parametrize("basis", ["gto", "polynomial"])
@pytest.mark.parametrize("combination", COMBINATIONS)
def test_inner_average_of_pairs(structures, combination, basis):
    """Pairs of a molecule are seen once, those of a crystal from both atoms."""
    rng = np.random.default_rng(5)
    grid = np.stack(np.meshgrid(*[1.2 * np.arange(4)] * 3), -1).reshape(-1, 3)
    crowd = rng.choice([1, 6], 64), grid + rng.uniform(-0.2, 0.2, grid.shape)
    molecules = mk.Structures.from_arrays([*structures, crowd])
    boxed = mk.Structures(
        molecules.numbers,
        molecules.positions,
        molecules.offsets,
        cells=np.tile(100 * np.eye(3), (len(molecules), 1, 1)),
        pbc=np.ones((len(molecules), 3), bool),
    )
    options = SMALL | options_of(combination) | {"radial_basis": basis, "average": "inner"}
    model = mk.SOAP(**options).fit(molecules)
    close(model.transform(molecules), model.transform(boxed))


def test_inner_average_needs_distinct_places():
    good, bad = ([6, 1], [[0.0, 0, 0], [1, 0, 0]]), ([6, 1, 6], [[0.0, 0, 0], [1, 0, 0], [0, 0, 0]])
    model = mk.SOAP(**SMALL, average="inner").fit([good])
    with pytest.raises(ValueError, match=r"molecule 1 has two atoms .* closer than 0\.001"):
        model.transform([good, bad])


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_symmetries_and_batches(structures, combination):
    model = mk.SOAP(**SMALL, **options_of(combination), radial_basis="laplacian_eigenstates")
    rows = model.fit_transform(structures)
    moved = structures.positions @ rotation(3).T + [3.0, -20.0, 7.0]
    moved = mk.Structures(structures.numbers, moved, structures.offsets)
    close(model.transform(moved), rows)
    numbers, positions = next(iter(structures))
    order = np.random.default_rng(2).permutation(len(numbers))
    close(model.transform([(numbers[order], positions[order])]), rows[: len(numbers)][order])
    alone = np.concatenate([model.transform([molecule]) for molecule in structures])
    np.testing.assert_array_equal(rows, alone)
    narrow = mk.SOAP(**model.get_params() | {"dtype": "float32"}).fit_transform(structures)
    np.testing.assert_array_equal(narrow, rows.astype(np.float32))


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_supercell_equals_cell(combination):
    cell = bulk("SiC", "zincblende", a=4.36)
    cell.rattle(0.1, seed=3)
    options = options_of(combination)
    if options["species_weighting"]:
        options["species_weighting"] = {"Si": 1.5, "C": -0.5}
    model = mk.SOAP(**SMALL, **options).fit([cell])
    close(model.transform([cell.repeat((3, 1, 2))]), np.tile(model.transform([cell]), (6, 1)))


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_feature_names_say_what_is_multiplied(structures, compression):
    # Every compressed feature is a sum of features of the full power spectrum.
    full = mk.SOAP(**SMALL).fit(structures)
    column = dict(zip(full.get_feature_names_out(), full.transform(structures).T, strict=True))
    symbols = ["H", "C", "N", "O", "S"]
    assert full.species_.tolist() == [1, 6, 7, 8, 16]
    model = mk.SOAP(**SMALL, compression=compression).fit(structures)
    names = model.get_feature_names_out().tolist()
    rows = model.transform(structures)
    assert len(set(names)) == len(names) == model.n_features_out_ == rows.shape[1]
    s, n = 5, 3
    sizes = {None: s * n * (s * n + 1) // 2, "mu2": 6, "mu1nu1": s * n * n, "crossover": s * 6}
    assert len(names) == sizes[compression] * (SMALL["l_max"] + 1)
    for name, values in zip(names, rows.T, strict=True):
        (a, b), (degree, n, k) = name[2:-1].split("; ")[0].split(","), numbers_in(name)
        total = 0
        for z, y in itertools.product(symbols if a == "*" else [a], symbols if b == "*" else [b]):
            key = f"p({z},{y}; l={degree}, n={n}, n'={k})"
            if symbols.index(z) > symbols.index(y) or (z == y and n > k):
                key = f"p({y},{z}; l={degree}, n={k}, n'={n})"
            total = total + column[key]
        close(values, total, 1e-13)


def numbers_in(name):
    """l, n, n' of a feature."""
    return [int(part.split("=")[1]) for part in name[2:-1].split("; ")[1].split(", ")]


def test_default_cutoff_of_laplacian_eigenstates(structures):
    options = SMALL | {"radial_basis": "laplacian_eigenstates"}
    smooth = mk.SOAP(**options, cutoff_function="cosine").fit_transform(structures)
    np.testing.assert_array_equal(mk.SOAP(**options).fit_transform(structures), smooth)


def test_weight_of_one_changes_nothing(structures):
    plain = mk.SOAP(**SMALL).fit_transform(structures)
    for same in (
        {"weighting": {"function": "pow", "c": 2.0, "d": 1.0, "m": 0, "r0": 1.0}},
        {"weighting": {"w0": 1.0}},
        {"species_weighting": dict.fromkeys(SPECIES_WEIGHTING, 1.0)},
    ):
        close(mk.SOAP(**SMALL, **same).fit_transform(structures), plain, 1e-15)


def test_dictionaries_are_not_modified(structures):
    weighting, of_species = dict(WEIGHTINGS[5]), dict(SPECIES_WEIGHTING)
    model = mk.SOAP(**SMALL, weighting=weighting, species_weighting=of_species)
    assert model.weighting is weighting
    rows = model.fit_transform(structures)
    assert weighting == WEIGHTINGS[5]
    assert of_species == SPECIES_WEIGHTING
    assert model.species_weighting is of_species
    np.testing.assert_array_equal(clone(model).fit_transform(structures), rows)
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.transform(structures), rows)


POLY = {"function": "poly", "c": 1, "m": 1, "r0": 3}
POW = {"function": "pow", "c": 1, "d": 1, "m": 2, "r0": 3}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"compression": "mu3"}, "compression: expected one of None, mu2, mu1nu1, crossover, f"),
        (
            {"weighting": {"function": "power"}},
            r"pow \(with c, d, m, r0\), .*, found the function 'power'",
        ),
        (
            {"weighting": POLY | {"threshold": 0.01, "d": 1}},
            "keys c, m, r0 beside \"function\": \"poly\", .* 'threshold' unknown, 'd' unknown",
        ),
        (
            {"weighting": {"function": "pow", "c": 1, "r0": 3}},
            """keys c, d, m, r0 beside "function": "pow", and w0 .*; found no 'd', no 'm'""",
        ),
        ({"weighting": {"r0": 1}}, "expected \"function\", one of poly .* found {'r0': 1}"),
        ({"weighting": {}}, r'expected "function", one of poly .* or "w0", or both, found {}'),
        ({"weighting": {"function": None}}, "or both, found {'function': None}"),
        ({"weighting": POLY | {"r0": 0}}, 'expected "r0", a number above 0, found 0'),
        ({"weighting": POLY | {"m": -1}}, 'expected "m", a number of 0 or more, found -1'),
        ({"weighting": POLY | {"c": None}}, 'expected "c", a number of 0 or more, found None'),
        ({"weighting": POW | {"d": np.inf}}, 'expected "d", a number of 0 or more, found inf'),
        ({"weighting": {"w0": "1"}}, "expected \"w0\", a number of 0 or more, found '1'"),
        ({"weighting": POW | {"d": 0}}, 'weighting: infinite at the centre; expected "w0", or "d"'),
        (
            {"weighting": POW | {"d": 0, "w0": 1, "m": 99}},
            r"expected finite weights, found infinity at 0\.001 Å",
        ),
        ({"species_weighting": {"H": 1}}, "species_weighting: expected a weight of C, N, O, S"),
        (
            {"species_weighting": SPECIES_WEIGHTING | {"D": 1}},
            "species_weighting: expected one weight for H, found several",
        ),
        (
            {"species_weighting": SPECIES_WEIGHTING | {"C": np.nan}},
            "species_weighting: expected finite numbers, found nan for 'C'",
        ),
    ],
)
def test_wrong_parameters_raise(structures, options, message):
    with pytest.raises(ValueError, match=message):
        mk.SOAP(**options).fit(structures)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weighting": "poly"}, "weighting: expected a dictionary or None, found 'poly'"),
        ({"species_weighting": [1]}, r"species_weighting: expected a dictionary .* found \[1\]"),
        ({"normalize": "yes"}, "normalize: expected True or False, found 'yes'"),
    ],
)
def test_wrong_types_raise(structures, options, message):
    with pytest.raises(TypeError, match=message):
        mk.SOAP(**options).fit(structures)
