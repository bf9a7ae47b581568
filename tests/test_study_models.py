"""Which models are compared: by default, and of those that are asked for."""

import numpy as np
import pytest

import molkern as mk
from molkern.datasets import Dataset
from molkern.study import accuracy, compare, cost
from molkern.study.models import default_representations, representation
from study_data import chains

FEW = {"sizes": [20], "seeds": [0]}
AEV = "AEV (ANI-2x, sum)"


def crystals(numbers=(14, 14, 8), n=40, pbc=True):
    """Random cells of three atoms; the energy is that of the nearest images."""
    rng = np.random.default_rng(4)
    positions = rng.uniform(0, 4, (n, 3, 3))
    cells = np.tile(4.0 * np.eye(3), (n, 1, 1)) + rng.normal(0, 0.1, (n, 3, 3))
    structures = mk.Structures(
        np.tile(numbers, n), positions.reshape(-1, 3), 3 * np.arange(n + 1), cells,
        np.full((n, 3), pbc),
    )  # fmt: skip
    apart = positions[:, 0] - positions[:, 1]
    images = apart - 4.0 * np.round(apart / 4.0)
    energy = np.exp(-np.linalg.norm(images, axis=1)) - 100.0
    return Dataset("crystals", structures, {"energy": energy}, {"energy": "eV"}, "energy")


def classes(result):
    return [entry["class"] for entry in result.metadata["representations"]]


# By default


def test_periodic_structures_are_compared_by_what_sees_their_images():
    result = compare(crystals(), kernels=["gaussian"], **FEW)
    assert classes(result) == ["ACSF", "SOAP"]
    assert result.metadata["periodic"]
    assert not any("images" in note or "left out" in note for note in result.notes)
    organic = compare(crystals((6, 8, 1)), kernels=["gaussian"], **FEW)
    assert classes(organic) == ["ACSF", "AEV", "SOAP"]


def test_one_periodic_structure_is_enough():
    data = crystals((6, 1, 1), pbc=False)
    pbc = np.zeros((40, 3), bool)
    s = data.structures
    assert "bag_of_bonds" in default_representations(
        mk.Structures(s.numbers, s.positions, s.offsets)
    )
    assert "bag_of_bonds" in default_representations(s)
    pbc[17, 2] = True
    wire = mk.Structures(s.numbers, s.positions, s.offsets, s.cells, pbc)
    assert default_representations(wire) == ("acsf", "ani-2x", "soap")


def test_a_periodic_test_set_decides_too():
    cells = crystals((6, 8, 1))
    flat = cells.replace(structures=mk.Structures.from_arrays(list(cells.structures)), name="flat")
    result = compare(flat, test=cells, kernels=["gaussian"], **FEW)
    assert classes(result) == ["ACSF", "AEV", "SOAP"]
    silicon = crystals(n=5)
    result = compare(flat, test=silicon, kernels=["gaussian"], **FEW)
    assert classes(result) == ["ACSF", "SOAP"]


def test_blind_ones_on_request():
    result = compare(crystals(), ["bag_of_bonds", "soap"], kernels=["gaussian"], **FEW)
    assert classes(result) == ["BagOfBonds", "SOAP"]
    assert any("Bag of bonds sees the atoms of one cell only" in note for note in result.notes)


# Unsuitable ones


def silanes(n=40):
    data = chains(n)
    numbers = np.where(data.structures.numbers == 8, 14, data.structures.numbers)
    s = mk.Structures(numbers, data.structures.positions, data.structures.offsets)
    return data.replace(structures=s, name="silanes")


def test_an_element_that_a_representation_lacks_does_not_end_the_comparison():
    names = ["ani-2x", "bag_of_bonds", "coulomb_matrix"]
    result = compare(silanes(), names, **FEW)
    assert classes(result) == ["BagOfBonds", "CoulombMatrix"]
    (note,) = [note for note in result.notes if "left out" in note]
    assert note.startswith(f"{AEV} was left out: species: molecule ")
    assert "has Si; expected some of H, C, N, O, S, F, Cl" in note
    alone = compare(silanes(), names[1:], **FEW)
    assert result.frame["mae"].equals(alone.frame["mae"])


def test_the_only_one_raises():
    with pytest.raises(ValueError, match=r"species: molecule \d+ has Si; expected some of H, C, N"):
        accuracy(silanes(), "ani-2x", **FEW)
    with pytest.raises(ValueError, match="has Si; expected some of"):
        compare(silanes(), ["ani-2x", mk.AEV("ani-1x", average="sum")], **FEW)
    with pytest.raises(ValueError, match="has Si; expected some of"):
        cost(silanes(), ["ani-2x"], operations=["values"], n_threads=1, repeats=1)


def test_kernels_of_what_was_left_out():
    kernels = ["gaussian", "local.gaussian"]
    result = compare(silanes(), ["ani-2x", "soap-local"], kernels=kernels, **FEW)
    assert set(result.frame["kernel"]) == {"local.gaussian"}
    assert result.metadata["kernels"] == ["local.gaussian"]
    with pytest.raises(ValueError, match="kernels: laplacian goes with no representation"):
        compare(silanes(), ["soap-local"], kernels=["laplacian", "local.gaussian"], **FEW)


def test_features_that_do_not_fit_are_told_before_anything_is_computed(monkeypatch):
    monkeypatch.setattr("molkern._arrays.available_bytes", lambda: 1 << 28)
    computed = []
    transform = mk.SOAP.transform
    monkeypatch.setattr(mk.SOAP, "transform", lambda s, *a, **k: computed.append(s) or
                        transform(s, *a, **k))  # fmt: skip
    large = {"name": "soap", "n_max": 30, "l_max": 20, "radial_basis": "polynomial"}
    data = chains(450)
    result = compare(data, [large, "bag_of_bonds"], kernels=["gaussian"], **FEW)
    assert classes(result) == ["BagOfBonds"]
    (note,) = [note for note in result.notes if "left out" in note]
    assert "needs" in note
    assert "bytes" in note
    assert computed == []
    with pytest.raises(MemoryError, match="SOAP"):
        compare(data, [large], kernels=["gaussian"], **FEW)


def test_progress_counts_what_is_computed():
    steps = []
    compare(silanes(), ["ani-2x", "bag_of_bonds"], kernels=["gaussian"], progress=steps.append,
            **FEW)  # fmt: skip
    assert {step.n_models for step in steps} == {1}
    assert {step.model for step in steps} == {0}


def test_cost_leaves_out_the_same():
    options = {"operations": ["values"], "n_threads": 1, "repeats": 1}
    found = cost(silanes(), ["ani-2x", "bag_of_bonds"], **options)
    assert found.frame["representation"].tolist() == ["Bag of bonds"]
    assert found.notes[0].startswith(f"{AEV} was left out: species")


def test_a_user_s_own_object_keeps_its_settings():
    given = mk.SOAP(r_cut=3.0, n_max=2, l_max=2, average="sum")
    compare(chains(30), [given, "bag_of_bonds"], kernels=["gaussian"], **FEW)
    with pytest.raises(ValueError, match="not fitted"):
        given.transform(chains(30).structures)
    assert representation(given).get_params() == given.get_params()
