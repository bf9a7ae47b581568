"""Learning curves: what is said of data and parameters, and labels that teach nothing."""

import numpy as np
import pytest

import molkern as mk
from molkern.study import Result, accuracy, compare
from study_data import chains


def test_missing_labels_are_left_out_and_noted():
    data = chains()
    energy = data.targets["energy"].copy()
    energy[[3, 5, 8]] = np.nan
    partial = data.replace(targets={"energy": energy}, folds=(np.arange(6), np.arange(6, 60)))
    result = accuracy(partial, "bag_of_bonds", sizes=[4], cv=2)
    assert result.notes[0] == "3 of 60 structures have no finite energy and were left out"
    assert sorted(result.frame["n_test"]) == [4, 53]


def test_labels_that_are_all_the_same_raise():
    flat = chains().replace(targets={"energy": np.full(60, -1.5)})
    message = "all 60 structures of 'chains' have the same energy, -1.5: there is nothing to learn"
    with pytest.raises(ValueError, match=message):
        accuracy(flat, "bag_of_bonds")


def test_errors_of_rounding_are_noted():
    data = chains()
    counts = data.structures.composition()
    linear = data.replace(targets={"energy": counts @ [1.5, -2.0, 30.0]})
    options = {"kernel": "gaussian", "sizes": [40], "seeds": [0]}
    result = accuracy(linear, "bag_of_bonds", baseline="elements", **options)
    (note,) = [note for note in result.notes if "rounding" in note]
    assert "the baseline 'elements' or a model is exact, and neither slopes nor the order" in note
    other = accuracy(linear, "bag_of_bonds", baseline="mean", **options)
    assert not any("rounding" in note for note in other.notes)


def test_widths_at_the_end_of_their_grid_are_noted(monkeypatch):
    data, options = chains(), {"kernels": ["gaussian"], "sizes": [20, 40], "seeds": [0]}
    options["baseline"] = "mean"
    names = ["bag_of_bonds", "coulomb_matrix"]
    for grid, which in (((1e4, 1e5), "smallest"), ((1e-2, 1e-1), "largest")):
        monkeypatch.setattr("molkern.study.tasks.default_sigmas", lambda _, grid=grid: grid)
        result = compare(data, names, **options)
        chosen = result.frame.query("n_train == 40")["sigma"].tolist()
        assert chosen == [grid[which == "largest"]] * 2
        assert result.notes[0] == (
            "sigma at N = 40 is at an end of its grid, beyond which nothing was tried: Bag of "
            f"bonds, gaussian ({which}, 1 of 1 runs); Coulomb matrix (sorted), gaussian ({which}, "
            "1 of 1 runs). The largest is 512 times the median distance, where kernels hardly "
            "change with sigma any more"
        )
    monkeypatch.setattr("molkern.study.tasks.default_sigmas", lambda _: (1e-2, 20.0, 1e9))
    result = compare(data, names, **options)
    assert set(result.frame["sigma"]) == {20.0}
    assert not any(note.startswith("sigma") for note in result.notes)


def test_models_that_learn_nothing_are_noted():
    data, options = chains(), {"kernels": ["gaussian"], "sizes": [20, 40], "baseline": "mean"}
    labels = np.random.default_rng(0).normal(size=60)
    noise = data.replace(targets={"energy": labels})
    result = compare(noise, ["bag_of_bonds", "coulomb_matrix"], seeds=[0, 1], **options)
    worse = result.frame.query("mae >= mae_baseline")
    assert 0 < len(worse) < len(result.frame)
    (note,) = [note for note in result.notes if "no better" in note]
    start = "runs that predict no better than their baseline alone: Bag of bonds, gaussian ("
    assert note.startswith(start)
    for (label, n), part in worse.groupby(["representation", "n_train"]):
        about = note[note.index(f"{label}, gaussian (") :].partition(", gaussian (")[2]
        assert f"{len(part)} at N = {n}" in about.partition(")")[0]
    learnt = compare(data, ["bag_of_bonds"], seeds=[0], **options)
    assert (learnt.frame["mae"] < learnt.frame["mae_baseline"]).all()
    assert not any("no better" in note for note in learnt.notes)


def test_the_largest_alpha_is_noted():
    data, options = chains(), {"kernels": ["gaussian"], "sizes": [40], "baseline": "mean"}
    noise = data.replace(targets={"energy": np.random.default_rng(2).normal(size=60)})
    result = compare(noise, ["bag_of_bonds"], seeds=range(4), **options)
    largest = int((result.frame["alpha"] == 1.0).sum())
    assert 0 < largest
    (note,) = [note for note in result.notes if note.startswith("alpha")]
    assert note == (
        "alpha at N = 40 is the largest of its grid, 1, as large as the diagonal of the kernel "
        f"matrix: Bag of bonds, gaussian ({largest} of 4 runs). Such a model takes little from "
        "its training set"
    )
    learnt = compare(data, ["bag_of_bonds"], seeds=[0], **options)
    assert not any(note.startswith("alpha") for note in learnt.notes)


def test_structures_without_atoms_are_counted():
    data = chains()
    nothing = mk.Structures.from_arrays([([], np.empty((0, 3)))])
    for places in ([7], [7, 40]):
        parts, energy = [data.structures[k] for k in range(60)], data.targets["energy"].copy()
        for k in places:
            parts[k], energy[k] = nothing, 0.0
        with_empty = data.replace(
            structures=mk.Structures.concatenate(parts), targets={"energy": energy}
        )
        result = compare(with_empty, ["bag_of_bonds"], sizes=[20], seeds=[0])
        (note,) = [note for note in result.notes if "without atoms" in note]
        are = "is" if len(places) == 1 else "are"
        assert (
            note == f"{len(places)} of 60 structures {are} without atoms (the first: structure 7)"
        )
        assert result.frame["mae_per_atom"].notna().all()


@pytest.mark.parametrize("value", [1e300, -2e100])
def test_labels_beyond_what_can_be_squared_raise(value):
    data = chains()
    energy = data.targets["energy"].copy()
    energy[[2, 23]] = np.nan, value
    huge = data.replace(targets={"energy": energy}, name="failed")
    message = f"property: energy of structure 23 of 'failed' is {value:g}; expected numbers of at "
    with pytest.raises(ValueError, match=message.replace("+", r"\+")):
        accuracy(huge, "bag_of_bonds")


def test_large_labels_are_learnt():
    data = chains()
    large = data.replace(targets={"energy": 1e90 * data.targets["energy"]})
    result = accuracy(large, "bag_of_bonds", kernel="gaussian", sizes=[40], seeds=[0])
    usual = accuracy(data, "bag_of_bonds", kernel="gaussian", sizes=[40], seeds=[0])
    np.testing.assert_allclose(result.frame["mae"], 1e90 * usual.frame["mae"], rtol=1e-6)


def test_errors_per_atom():
    data = chains()
    energies = ["energy", "gap"]
    both = data.replace(targets=dict.fromkeys(energies, data.targets["energy"]),
                        units=dict.fromkeys(energies, "eV"))  # fmt: skip
    options = {"kernel": "gaussian", "sizes": [20], "seeds": [0]}
    row = accuracy(both, "bag_of_bonds", **options).rows[0]
    assert 0.2 * row["mae"] < row["mae_per_atom"] < row["mae"] / 3
    assert "mae_per_atom" not in accuracy(both, "bag_of_bonds", property="gap", **options).frame
    # All of one size: only where periodic.
    numbers, positions = np.tile([1, 6, 8], 40), np.random.default_rng(0).normal(size=(120, 3))
    for cells in (None, np.tile(9.0 * np.eye(3), (40, 1, 1))):
        pbc = None if cells is None else np.ones((40, 3), bool)
        triangles = mk.Structures(numbers, positions, 3 * np.arange(41), cells, pbc)
        energy = np.linalg.norm(positions[::3] - positions[1::3], axis=1)
        frames = mk.datasets.Dataset("t", triangles, {"energy": energy}, {"energy": "eV"}, "energy")
        found = accuracy(frames, "soap", **options).frame
        assert ("mae_per_atom" in found) == (cells is not None)
    np.testing.assert_allclose(3 * found["mae_per_atom"], found["mae"], rtol=1e-12)


def test_older_stores_have_no_errors_per_atom(tmp_path, monkeypatch):
    options = {"sizes": [20], "seeds": [0], "store": tmp_path}
    monkeypatch.setattr("molkern.study.plan.Plan.divisors", {})
    accuracy(chains(), "bag_of_bonds", **options)
    monkeypatch.undo()
    both = compare(chains(), ["bag_of_bonds"], kernels=["laplacian", "gaussian"], **options)
    assert both.frame["mae_per_atom"].isna().tolist() == [True, False]
    assert both.summary()["mae_per_atom"].isna().tolist() == [True, False]
    loaded = Result.load(both.save(tmp_path / "both.csv"))
    assert loaded.summary().equals(both.summary())
