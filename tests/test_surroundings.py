"""What users give to representations of surroundings: odd inputs, species, frames, messages."""

import copy
import itertools
import pickle
import re

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

import molkern as mk
from all_representations import (
    ELEMENTS,
    LOCAL_CASES,
    cotangent,
    every_atomic_model,
    every_local_model,
    is_atomic,
    n_rows,
)
from molkern import AEV, AEVParameters, Structures
from molkern.neighbors import neighbor_list

NOTHING = (np.empty(0, int), np.empty((0, 3)))


def calls(model, structures, gX):
    return (
        lambda: model.transform(structures),
        lambda: model.vjp(structures, gX),
        lambda: model.jacobian(structures),
    )


def fitted(cls, parameters, species):
    """A model of these species, whichever are in its data."""
    if cls is AEV and "parameters" in parameters and parameters["parameters"] != "ani-2x":
        own = AEVParameters(**{**vars(parameters["parameters"]), "species": species})
        parameters = parameters | {"parameters": own}
    return cls(**(parameters | {"species": species})).fit([])


def read_only(array):
    frozen = array.copy()
    frozen.flags.writeable = False
    return frozen


def strided(array):
    return np.repeat(array, 2, axis=0)[::2]


@every_local_model
def test_layouts_and_types_of_inputs(cls, parameters, structures):
    """Whatever NumPy can hold: the same bits as from arrays of the own types."""
    model = cls(**parameters).fit(structures)
    expected = model.transform(structures)
    gX = cotangent(model, structures)
    gradient = model.vjp(structures, gX)
    z, r, offsets = structures.numbers, structures.positions, structures.offsets
    for change in (
        read_only,
        strided,
        np.asfortranarray,
        lambda a: a.astype(a.dtype.newbyteorder()),
        lambda a: a.tolist(),
    ):
        same = Structures(change(z), change(r), change(offsets))
        np.testing.assert_array_equal(model.transform(same), expected)
        np.testing.assert_array_equal(model.vjp(same, gX), gradient)
        pairs = neighbor_list(same, 3.0)
        np.testing.assert_array_equal(pairs.j, neighbor_list(structures, 3.0).j)
    for kind in (np.int8, np.uint16, np.int64, float):
        same = Structures(z.astype(kind), r, offsets.astype(np.uint32))
        np.testing.assert_array_equal(model.transform(same), expected)


@every_local_model
def test_float32_positions_are_their_values(cls, parameters, structures):
    model = cls(**parameters).fit(structures)
    narrow = structures.positions.astype(np.float32)
    found = model.transform(Structures(structures.numbers, narrow, structures.offsets))
    wide = Structures(structures.numbers, narrow.astype(float), structures.offsets)
    np.testing.assert_array_equal(found, model.transform(wide))


@every_atomic_model
def test_layouts_of_centers(cls, parameters, structures):
    model = cls(**parameters).fit(structures)
    rows = np.arange(0, structures.n_atoms, 3)
    expected = model.transform(structures)[rows]
    for same in (rows.tolist(), rows.astype(np.uint8), read_only(rows), strided(rows)):
        np.testing.assert_array_equal(model.transform(structures, centers=same), expected)
    assert model.transform(structures, centers=np.empty(0, int)).shape == (0, expected.shape[1])


@every_local_model
def test_unused_species_only_add_named_columns_of_zeros(cls, parameters, structures):
    narrow = fitted(cls, parameters, ELEMENTS)
    wide = fitted(cls, parameters, sorted([*ELEMENTS, 9, 17]))
    expected, found = narrow.transform(structures), wide.transform(structures)
    names, more = narrow.get_feature_names_out().tolist(), wide.get_feature_names_out().tolist()
    assert len(set(more)) == len(more) == found.shape[1]
    columns = [more.index(name) for name in names]
    assert columns == sorted(columns)
    # Terms are added up in another order only where blocks of features begin elsewhere.
    np.testing.assert_allclose(
        found[:, columns], expected, rtol=0, atol=1e-14 * np.abs(expected).max()
    )
    others = np.setdiff1d(np.arange(len(more)), columns)
    # Of the sum of all species there is one, however many they are.
    assert len(others) > 0 or parameters.get("compression") == "mu2"
    assert not found[:, others].any()
    for column in others:
        elements = re.findall(r"[A-Z][a-z]?(?=[,);\- ])", more[column].removeprefix("p"))
        assert {"F", "Cl"} & set(elements), more[column]
    # No derivative, either: whatever their cotangents are.
    gX = cotangent(narrow, structures)
    wider = np.full(found.shape, 7.0)
    wider[:, columns] = gX
    gradient = narrow.vjp(structures, gX)
    np.testing.assert_allclose(
        wide.vjp(structures, wider), gradient, rtol=0, atol=1e-13 * np.abs(gradient).max()
    )


@every_local_model
def test_unknown_species_are_listed(cls, parameters, molecules):
    model = fitted(cls, parameters, ["H", "C", "O"])
    gX = np.empty((0, model.n_features_out_))
    # CH3SH is molecule 4, HCN the next.
    for call in calls(model, molecules, gX):
        with pytest.raises(
            ValueError,
            match="species: molecule 4 has S; expected some of H, C, O; "
            "unknown in all molecules: N, S",
        ):
            call()
    with pytest.raises(ValueError, match="species: molecule 4 has S; expected some of"):
        model.fit(molecules)
    model.transform(molecules[:4])


@every_local_model
def test_wrong_centers_and_out_raise(cls, parameters, structures):
    model = fitted(cls, parameters, ELEMENTS)
    with pytest.raises(ValueError, match="species: molecule 1 has F, Cl; expected some of H, C"):
        model.transform([([1], [[0.0, 0, 0]]), ([9, 17], [[0.0, 0, 0], [2, 0, 0]])])
    n = n_rows(model, structures)
    gX = cotangent(model, structures)
    for centers in ([3, 1], [-1], [structures.n_atoms]):
        for call in (
            lambda c: model.transform(structures, centers=c),
            lambda c: model.jacobian(structures, centers=c),
        ):
            with pytest.raises(ValueError, match="centers: expected ascending rows below"):
                call(centers)
        some = gX[: len(centers)] if is_atomic(model) else gX
        with pytest.raises(ValueError, match="centers: expected ascending rows below"):
            model.vjp(structures, some, centers=centers)
    with pytest.raises(ValueError, match="centers: expected a list of rows, found float64"):
        model.transform(structures, centers=[0.5])
    with pytest.raises(ValueError, match=rf"out: expected shape \({n}, \d+\) and type float64"):
        model.transform(structures, out=np.empty((2, 2)))


@every_local_model
def test_order_and_spelling_of_species(cls, parameters, structures):
    expected = fitted(cls, parameters, ELEMENTS).transform(structures)
    for species in (["S", "O", "N", "C", "H"], ELEMENTS[::-1], np.array(ELEMENTS)):
        same = cls(**(parameters | {"species": species})).fit([])
        assert same.species_.tolist() == ELEMENTS
        np.testing.assert_array_equal(same.transform(structures), expected)


@every_local_model
def test_positions_that_became_nonsense_raise(cls, parameters, structures):
    """Arrays are shared with their owner, whose dynamics may have exploded since."""
    model = cls(**parameters).fit(structures)
    gX = cotangent(model, structures)
    for bad in (np.nan, np.inf, -np.inf):
        structures.positions[structures.offsets[3] + 2, 1] = bad
        for call in calls(model, structures, gX):
            with pytest.raises(ValueError, match=r"positions: expected finite .* in molecule 3"):
                call()
        with pytest.raises(ValueError, match=r"positions: expected finite .* in molecule 3"):
            neighbor_list(structures, 3.0)


@every_local_model
def test_cells_that_became_nonsense_raise(cls, parameters, structures):
    n = len(structures)
    cells = np.tile(9 * np.eye(3), (n, 1, 1))
    batch = Structures(
        structures.numbers, structures.positions, structures.offsets, cells, np.ones((n, 3), bool)
    )
    model = cls(**parameters).fit(batch)
    gX = cotangent(model, batch)
    cells[6, 1, 1] = np.nan
    for call in calls(model, batch, gX):
        with pytest.raises(ValueError, match="vectors of structure 6 do not span a volume"):
            call()


@pytest.mark.parametrize("shift", [0.0, 1e-160, 5e-4])
@every_local_model
def test_coincident_atoms_raise(cls, parameters, shift, molecules):
    positions = molecules[2][1]
    positions[4] = positions[1] + shift
    batch = Structures.from_arrays(molecules)
    model = cls(**parameters).fit(batch)
    for call in calls(model, batch, cotangent(model, batch)):
        with pytest.raises(ValueError, match=r"molecule 2 has two atoms .* closer than 0\.001"):
            call()


@every_local_model
def test_atom_at_its_own_image_raises(cls, parameters):
    """An axis that is shorter than 0.001 Å, which is a mistake in units."""
    atom = Atoms("C", cell=[5e-4, 5, 5], pbc=True)
    model = fitted(cls, parameters, ELEMENTS)
    with pytest.raises(ValueError, match="an atom and an image"):
        model.transform([atom])


@every_local_model
def test_no_atoms_one_atom_and_absent_centers(cls, parameters):
    model = fitted(cls, parameters, ELEMENTS)
    batch = Structures.from_arrays([NOTHING, ([6], [[1.0, 2, 3]]), NOTHING, NOTHING])
    rows = model.transform(batch)
    assert rows.shape == (n_rows(model, batch), model.n_features_out_)
    assert np.isfinite(rows).all()
    if not is_atomic(model):
        assert not rows[[0, 2, 3]].any()
    # Centres that are not there: as if there were no atoms.
    none = model.transform(batch, centers=[])
    assert none.shape == ((0 if is_atomic(model) else 4), model.n_features_out_)
    assert not none.any()
    gradient, strain = model.vjp(batch, cotangent(model, batch), strain=True)
    np.testing.assert_array_equal(gradient, np.zeros((1, 3)))
    np.testing.assert_array_equal(strain, np.zeros((4, 3, 3)))
    for empty in ([], [NOTHING], [NOTHING, NOTHING]):
        rows = model.transform(empty)
        assert rows.shape == (n_rows(model, empty), model.n_features_out_)
        assert not rows.any()
        gradient, strain = model.vjp(empty, rows, strain=True)
        assert gradient.shape == (0, 3)
        np.testing.assert_array_equal(strain, np.zeros((len(empty), 3, 3)))
        jacobian = model.jacobian(empty)
        assert jacobian.to_dense().shape == (0, 0, 3, model.n_features_out_)


@every_local_model
def test_frames_with_more_than_atoms(cls, parameters):
    """Constraints, charges, momenta, a calculator's results and tags are nobody's business."""
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.constraints import FixAtoms

    frame = molecule("CH3CONH2")
    model = fitted(cls, parameters, ELEMENTS)
    expected = model.transform([frame])
    rich = frame.copy()
    rich.set_tags(range(len(rich)))
    rich.set_initial_charges(np.linspace(-1, 1, len(rich)))
    rich.set_momenta(np.ones((len(rich), 3)))
    rich.set_constraint(FixAtoms([0, 1]))
    rich.calc = SinglePointCalculator(rich, energy=1.0)
    rich.info["name"] = "acetamide"
    kept = rich.copy()
    np.testing.assert_array_equal(model.transform([rich]), expected)
    assert rich == kept
    for wrong in (frame, molecule("H2O")):
        with pytest.raises(TypeError, match="found a single Atoms; put it in a list"):
            model.transform(wrong)


@every_local_model
def test_same_bits_every_time(cls, parameters, structures):
    """Also with another model, and another batch, in between."""
    model = cls(**parameters).fit(structures)
    gX = cotangent(model, structures)
    rows, gradient = model.transform(structures), model.vjp(structures, gX)
    for _ in range(5):
        mk.SOAP(r_cut=6.0, n_max=9, l_max=8).fit_transform(structures[7])
        np.testing.assert_array_equal(model.transform(structures), rows)
        np.testing.assert_array_equal(model.vjp(structures, gX), gradient)
    again = cls(**parameters).fit(structures)
    np.testing.assert_array_equal(again.transform(structures), rows)


@pytest.mark.parametrize("case", [case for case in LOCAL_CASES if "AEV" not in case[0]],
                         ids=lambda case: case[0])  # fmt: skip
def test_labels_above_the_periodic_table(case, molecules):
    """Atoms of one element told apart by the user's own numbers (isotopes, atom types)."""
    _, cls, parameters = case
    numbers, positions = molecules[2]
    labelled = numbers.copy()
    labelled[np.flatnonzero(numbers == 1)[:3]] = 1001
    model = cls(**parameters).fit([(labelled, positions)])
    assert model.species_.tolist() == [1, 6, 8, 1001]
    rows = model.transform([(labelled, positions)])
    assert rows.any()
    # The same atoms under a label that is an element, last in the order as 1001 is.
    renamed = np.where(labelled == 1001, 9, labelled)
    same = cls(**parameters).fit([(renamed, positions)])
    np.testing.assert_array_equal(same.transform([(renamed, positions)]), rows)
    names = model.get_feature_names_out()
    assert sum("1001" in name for name in names) == sum(
        "F" in name for name in same.get_feature_names_out()
    )


def test_pairs_of_elements_are_all_there():
    """Each unordered pair of (element, radial function) once for each l, and none is a copy."""
    rng = np.random.default_rng(3)
    numbers = np.array([1, 6, 8, 1, 6, 8, 8, 6, 1])
    batch = [(rng.permutation(numbers), rng.uniform(0, 3.5, (9, 3))) for _ in range(4)]
    for n_max, l_max in ((1, 0), (3, 2), (4, 5)):
        model = mk.SOAP(r_cut=4.0, n_max=n_max, l_max=l_max, sigma=0.4).fit(batch)
        functions = list(itertools.product(("H", "C", "O"), range(n_max)))
        pairs = list(itertools.combinations_with_replacement(functions, 2))
        assert model.n_features_out_ == len(pairs) * (l_max + 1)
        found = [
            re.fullmatch(r"p\((\w+),(\w+); l=(\d+), n=(\d+), n'=(\d+)\)", name).groups()
            for name in model.get_feature_names_out()
        ]
        assert {((a, int(n)), (b, int(k)), int(degree)) for a, b, degree, n, k in found} == {
            (*pair, degree) for pair in pairs for degree in range(l_max + 1)
        }
        rows = model.transform(batch)
        assert (np.abs(rows).max(axis=0) > 1e-9).all()
        assert len(np.unique(rows, axis=1).T) == model.n_features_out_


@every_local_model
def test_result_too_large_says_its_bytes(cls, parameters):
    model = fitted(cls, parameters, ELEMENTS)
    # Smaller results are not asked about.
    atoms = (1 << 28) // (8 * model.n_features_out_) + 1
    batch = Structures(np.ones(atoms, int), np.zeros((atoms, 3)), np.arange(atoms + 1))
    model.n_threads = 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("molkern._arrays.available_bytes", lambda: 10_000_000)
        size = n_rows(model, batch) * model.n_features_out_ * 8
        with pytest.raises(MemoryError, match=rf"{cls.__name__}\.transform: .* needs {size} bytes"):
            model.transform(batch)
        size = atoms * 3 * model.n_features_out_ * 8
        with pytest.raises(MemoryError, match=rf"{cls.__name__}\.jacobian: .* needs {size} bytes"):
            model.jacobian(batch)


@pytest.mark.parametrize(
    ("model", "changes"),
    [
        (mk.SOAP(n_max=4, l_max=2), {"n_max": 6}),
        (mk.ACSF(g2=[(1.0, 1.0)]), {"g2": [(1.0, 1.0), (2.0, 1.0)]}),
    ],
)
def test_parameters_set_after_fit_wait_for_the_next(model, changes):
    water = [([8, 1, 1], np.eye(3))]
    expected = model.fit(water).transform(water)
    names = model.get_feature_names_out().tolist()
    model.set_params(**changes)
    for same in (model, pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(same.transform(water), expected)
        assert same.get_feature_names_out().tolist() == names
    assert model.fit(water).transform(water).shape[1] > expected.shape[1]


def test_callers_weights_changed_after_fit_do_not_matter():
    water = [([8, 1, 1], np.eye(3))]
    weighting = {"function": "pow", "c": 1.0, "d": 1.0, "m": 2.0, "r0": 1.0}
    model = mk.SOAP(n_max=3, l_max=2, weighting=weighting).fit(water)
    expected = model.transform(water)
    weighting["c"] = 5.0
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).transform(water), expected)


def test_blocks_count_from_the_end_too():
    water = [([8, 1, 1], np.eye(3))]
    blocks = mk.SOAP(n_max=2, l_max=1).fit(water).jacobian(water, compact=True)
    n = len(blocks.center)
    for found, expected in zip(blocks.block(-1), blocks.block(n - 1), strict=True):
        np.testing.assert_array_equal(found, expected)
    with pytest.raises(IndexError):
        blocks.block(n)
