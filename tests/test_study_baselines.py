"""Baselines of a study: chosen by the data and said why, and the energies of free atoms."""

import json

import numpy as np
import pytest

import molkern as mk
from molkern.datasets import Dataset
from molkern.regression import KernelRidge
from molkern.study import Result, accuracy, compare, cost, make_splits
from molkern.study.baselines import check_given
from study_data import chains

ATOMS = {"H": -2.0, "C": -12.5, "O": -17.0}
FEW = {"sizes": [20], "seeds": [0]}


def renamed(data, name, unit="eV", **changes):
    """The same labels under another name."""
    targets = {name: data.targets[data.default_target]}
    return data.replace(targets=targets, units={name: unit}, default_target=name, **changes)


# Chosen by the data


@pytest.mark.parametrize(("name", "unit"), [("Etot_PBE", "eV"), ("label", "kJ/mol"), ("E0", "?")])
def test_a_sum_over_atoms_gets_elements_whatever_its_name(name, unit):
    result = accuracy(renamed(chains(), name, unit), "bag_of_bonds", **FEW)
    known = accuracy(chains(extensive=frozenset({"energy"})), "bag_of_bonds", **FEW)
    assert set(result.frame["baseline"]) == {"elements"}
    np.testing.assert_array_equal(result.frame["mae"], known.frame["mae"])
    (note,) = [note for note in result.notes if note.startswith("baseline")]
    assert note.startswith(f"baseline elements for {name}: ")
    assert "elements explain" in note
    assert result.metadata["baseline_reason"] == note


def test_mean_is_said_with_the_way_to_elements():
    gap = renamed(chains(), "gap")
    result = accuracy(gap, "bag_of_bonds", **FEW)
    assert set(result.frame["baseline"]) == {"mean"}
    assert (
        "baseline mean for gap: no sum over atoms, by its name or unit; --baseline elements, in "
        'Python baseline="elements", subtracts a linear function of the counts of elements instead'
    ) in result.notes


def test_one_composition_gets_the_mean():
    one = mk.Structures.from_arrays(
        [([1, 8], [[0, 0, 0], [0, 0, 1 + 0.01 * k]]) for k in range(30)]
    )
    labels, units = {"energy": np.arange(30.0)}, {"energy": "eV"}
    for known in (None, frozenset({"energy"})):
        isomers = Dataset("one", one, labels, units, "energy", extensive=known)
        result = accuracy(isomers, "bag_of_bonds", sizes=[10])
        assert set(result.frame["baseline"]) == {"mean"}
        assert "baseline mean for energy: all structures have one composition" in result.notes


def test_what_the_data_set_states_wins():
    result = accuracy(chains(extensive=frozenset()), "bag_of_bonds", **FEW)
    assert set(result.frame["baseline"]) == {"mean"}
    assert "no total energy, as the data set states" in result.metadata["baseline_reason"]


def test_a_baseline_that_was_asked_for_needs_no_note():
    result = accuracy(chains(), "bag_of_bonds", baseline="none", **FEW)
    assert not any("baseline" in note for note in result.notes)
    assert result.metadata["baseline_reason"] == "as asked for"


# Energies of free atoms


def test_rows_with_atoms_match_the_protocol_done_by_hand():
    data = chains()
    result = accuracy(data, "bag_of_bonds", kernel="gaussian", baseline=ATOMS, **FEW)
    (row,) = result.rows
    assert row["baseline"] == "atoms"
    assert result.metadata["atom_energies"] == ATOMS
    X = mk.BagOfBonds().fit_transform(data.structures)
    y = data.targets["energy"] - data.structures.composition() @ list(ATOMS.values())
    (split,) = make_splits(data, [0], sizes=[20])
    rows, test = split.train[:20], split.test
    model = KernelRidge(
        kernel="gaussian", sigma=row["sigma"], alpha=row["alpha"], baseline="mean"
    ).fit(X[rows], y[rows])
    error = np.abs(model.predict(X[test]) - y[test])
    np.testing.assert_allclose(row["mae"], error.mean(), rtol=1e-4)
    by_mean = np.abs(y[test] - y[rows].mean()).mean()
    np.testing.assert_allclose(row["mae_baseline"], by_mean, rtol=1e-12)


def test_atoms_of_the_data_and_those_given():
    data = chains(atom_energies={"energy": {1: -2.0, 6: -12.5, 8: 99.0}})
    text = "atoms: O = -17.0"
    found = accuracy(data, "bag_of_bonds", baseline=text, **FEW)
    given = accuracy(chains(), "bag_of_bonds", baseline="atoms:H=-2,C=-12.5,O=-17,Cl=-460", **FEW)
    assert found.metadata["atom_energies"] == given.metadata["atom_energies"] == ATOMS
    np.testing.assert_array_equal(found.frame["mae"], given.frame["mae"])
    stored = accuracy(data, "bag_of_bonds", baseline="atoms", **FEW)
    assert stored.metadata["atom_energies"] == {**ATOMS, "O": 99.0}


def test_other_energies_of_atoms_are_another_task(tmp_path):
    for n, atoms in enumerate((ATOMS, {**ATOMS, "O": -17.5}, {1: -2, 6: -12.5, 8: -17}), start=1):
        accuracy(chains(), "bag_of_bonds", baseline=atoms, store=tmp_path, **FEW)
        assert len(list(tmp_path.glob("*.json"))) == 2 * min(n, 2)
    content = json.loads(next(iter(tmp_path.glob("*.json"))).read_text())
    assert content["specification"]["baseline"] == "atoms"
    assert set(content["specification"]["atoms"]) == {"H", "C", "O"}


def test_atoms_are_saved_and_their_cost_is_that_of_the_mean(tmp_path):
    result = accuracy(chains(), "bag_of_bonds", baseline=ATOMS, **FEW)
    for ending in ("json", "csv"):
        assert Result.load(result.save(tmp_path / f"a.{ending}")).frame.equals(result.frame)
    options = {"operations": ["train", "predict"], "n_threads": 1, "repeats": 1, "sizes": [20]}
    costs = cost(chains(), ["bag_of_bonds"], baseline=ATOMS, **options)
    assert costs.frame["operation"].tolist() == ["train", "predict"]


def test_the_same_on_workers():
    options = {"sizes": [10, 20], "seeds": [0], "n_threads": 1, "baseline": ATOMS}
    here = compare(chains(), ["bag_of_bonds"], kernels=["laplacian"], **options)
    there = compare(chains(), ["bag_of_bonds"], kernels=["laplacian"], executor=2, **options)
    assert here.frame["mae"].equals(there.frame["mae"])


@pytest.mark.parametrize(
    ("baseline", "message"),
    [
        ("median", "baseline: expected one of none, mean, elements, atoms or atoms:H=-13.6,"),
        (3, "baseline: expected none, .*, found 3"),
        ("atoms:", "baseline: expected atoms:<symbol>=<energy>, with commas, found ''"),
        ("atoms:H", "with commas, found 'H'"),
        ("atoms:H=-13.6,H=-13.5", "found H twice"),
        ("atoms:H=high", "energy of a free atom of H as a finite number, found 'high'"),
        ("atoms:H=nan", "a finite number, found 'nan'"),
        ("atoms:Hx=1", "energies of free atoms: .*found 'Hx'"),
        ({"H": None}, "a finite number, found None"),
        ({}, "energy of at least one free atom, found none"),
        (
            "atoms:H=-13.6,O=-2041",
            "energy of a free atom of each element, found none of C; give it as --baseline "
            r'atoms:H=-13.6,C=...,O=-2041, in Python baseline=\{"H": -13.6, "C": ..., "O": -2041\}',
        ),
        ("atoms", "found none of H, C, O; give it as --baseline atoms:H=...,C=...,O=..."),
    ],
)
def test_wrong_baselines_raise(baseline, message):
    with pytest.raises(ValueError, match=message):
        accuracy(chains(), "bag_of_bonds", baseline=baseline)


def test_atoms_are_for_energies_only():
    for name, unit, why in (
        ("gap", "eV", "no sum over atoms"),
        ("polarizability", "bohr^3", "sum over atoms"),
        ("label", "unknown", "sum over atoms: .*; --unit, in Python unit=, says the unit"),
    ):
        with pytest.raises(ValueError, match=f"atoms is for energies of whole structures, '{name}'"
                           f".*{why}"):  # fmt: skip
            accuracy(renamed(chains(), name, unit), "bag_of_bonds", baseline=ATOMS)
    # Told by its unit, and by how it grows with the counts of elements.
    result = accuracy(renamed(chains(), "label"), "bag_of_bonds", baseline=ATOMS, **FEW)
    assert set(result.frame["baseline"]) == {"atoms"}


def test_energies_are_read():
    assert check_given("elements") == ("elements", {})
    assert check_given(" atoms:H=1e-3, Cl = -460.2".strip()) == ("atoms", {1: 1e-3, 17: -460.2})
    assert check_given({"O": "-2041.5", 1: -13}) == ("atoms", {8: -2041.5, 1: -13.0})
