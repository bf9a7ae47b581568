"""Test sets of one's own: learnt from one data set, tested on others."""

import json

import numpy as np
import pytest

import molkern as mk
from molkern.datasets import Dataset
from molkern.regression import KernelRidge
from molkern.study import Result, accuracy, compare, cost
from study_data import chains

FEW = {"kernels": ["gaussian"], "sizes": [20, 40], "seeds": [0, 1]}
TIMES = ("seconds", "n_threads", "isa", "compiler")


def training():
    return chains(40, seed=1)


def named(name, n, seed, **changes):
    return chains(n, seed, **changes).replace(name=name)


def values(result):
    frame = result.frame
    return frame.drop(columns=[name for name in frame if name.startswith(TIMES)])


def test_rows_match_the_protocol_done_by_hand():
    data, tests = training(), [named("near", 12, 2), named("far", 7, 3)]
    result = compare(data, ["bag_of_bonds"], test=tests, baseline="mean", **FEW)
    assert result.tests == ("near", "far")
    assert result.frame["test"].tolist() == ["near", "far"] * 4
    assert result.frame["n_test"].tolist() == [12, 7] * 4
    everything = mk.Structures.concatenate([one.structures for one in (data, *tests)])
    bags = mk.BagOfBonds().fit(everything)
    X, y = bags.transform(data.structures), data.targets["energy"]
    for row in result.rows:
        rows = np.random.default_rng(row["seed"]).permutation(40)[: row["n_train"]]
        test = tests[row["test"] == "far"]
        model = KernelRidge(kernel="gaussian", sigma=row["sigma"], alpha=row["alpha"],
                            baseline="mean").fit(X[rows], y[rows])  # fmt: skip
        error = np.abs(model.predict(bags.transform(test.structures)) - test.targets["energy"])
        check = {"rtol": 1e-4, "atol": 1e-7}
        np.testing.assert_allclose(row["mae"], error.mean(), **check)
        np.testing.assert_allclose(row["max_error"], error.max(), **check)
        per_atom = (error / test.structures.sizes).mean()
        np.testing.assert_allclose(row["mae_per_atom"], per_atom, **check)
        by_mean = np.abs(test.targets["energy"] - y[rows].mean()).mean()
        np.testing.assert_allclose(row["mae_baseline"], by_mean, rtol=1e-12)


def test_each_set_has_the_score_that_it_has_alone():
    """One fit for all sets: the same numbers as a study of each."""
    data, tests = training(), {"one": chains(9, 5), "two": chains(14, 6)}
    both = values(compare(data, ["coulomb_matrix"], test=tests, **FEW))
    for name, test in tests.items():
        alone = values(compare(data, ["coulomb_matrix"], test={name: test}, **FEW))
        part = both[both["test"] == name].reset_index(drop=True)
        columns = ["n_train", "seed", "n_test", "sigma", "alpha"]
        assert part[columns].equals(alone[columns])
        # Shapes come from the structures of both sets.
        np.testing.assert_allclose(part["mae"], alone["mae"], rtol=1e-6)


def test_summary_slopes_and_metadata_are_those_of_each_set():
    data = training().replace(source="a/train.xyz")
    tests = [named("b", 12, 2, citation="Someone 2020"), named("c", 30, 3)]
    result = compare(data, ["bag_of_bonds", "coulomb_matrix"], test=tests, **FEW)
    summary = result.summary()
    assert summary[["n_train", "test"]].to_numpy().tolist()[:4] == [
        [20, "b"], [20, "c"], [40, "b"], [40, "c"]
    ]  # fmt: skip
    for name in result.tests:
        part = result.of_test(name)
        assert part.tests == (name,)
        np.testing.assert_array_equal(
            summary[summary["test"] == name]["mae"], part.summary()["mae"]
        )
        slope = result.slope("Bag of bonds", test=name)
        assert slope == part.slope("Bag of bonds", "gaussian")
    with pytest.raises(ValueError, match=r"found 2 for representation='Bag of bonds', kernel=None, "
                       r"test=None; there are \[\('Bag of bonds', 'gaussian', 'b'\)"):  # fmt: skip
        result.slope("Bag of bonds")
    about = result.metadata
    assert (about["n_structures"], about["source"], about["dataset"]) == (
        40, "a/train.xyz", "chains"
    )  # fmt: skip
    assert [test["name"] for test in about["tests"]] == ["b", "c"]
    assert [test["n_structures"] for test in about["tests"]] == [12, 30]
    assert about["tests"][0]["citation"] == "Someone 2020"
    assert about["seeds"] == [0, 1]


def test_the_whole_of_the_data_can_be_learnt_from():
    folds = tuple(np.arange(40)[k::4] for k in range(4))
    data = training().replace(folds=folds)
    result = compare(data, ["bag_of_bonds"], test=named("t", 10, 4), kernels=["gaussian"])
    assert sorted(set(result.frame["n_train"])) == [10, 20, 40]
    assert sorted(set(result.frame["seed"])) == [0, 1, 2]
    assert set(result.frame["fold"]) == {0}


@pytest.mark.parametrize("ending", ["csv", "json"])
def test_saved_and_loaded(tmp_path, ending):
    tests = [named("a, b", 12, 2), named("c", 9, 3)]
    result = compare(training(), ["bag_of_bonds"], test=tests, **FEW)
    loaded = Result.load(result.save(tmp_path / f"r.{ending}"))
    assert loaded.frame.equals(result.frame)
    assert loaded.tests == ("a, b", "c")


def test_stored_results_are_those_of_their_tests(tmp_path):
    options = {"kernel": "gaussian", "sizes": [20], "seeds": [0], "store": tmp_path}
    data, a, b = training(), named("a", 12, 2), named("b", 9, 3)
    first = accuracy(data, "bag_of_bonds", test=[a, b], **options)
    assert len(list(tmp_path.glob("*.json"))) == 2
    again = accuracy(data, "bag_of_bonds", test=[a, b.replace(name="other")], **options)
    assert len(list(tmp_path.glob("*.json"))) == 2
    assert again.frame["mae"].equals(first.frame["mae"])
    assert again.tests == ("a", "other")
    # The same structures, divided otherwise, and none of their own.
    whole = Dataset("whole", mk.Structures.concatenate([a.structures, b.structures]),
                    {"energy": np.r_[a.targets["energy"], b.targets["energy"]]}, {"energy": "eV"},
                    "energy")  # fmt: skip
    one = accuracy(data, "bag_of_bonds", test=whole, **options)
    np.testing.assert_allclose(one.frame["max_error"], first.frame["max_error"].max(), rtol=1e-12)
    accuracy(data, "bag_of_bonds", **options)
    assert len(list(tmp_path.glob("*.json"))) == 6
    keys = [json.loads(path.read_text())["specification"] for path in tmp_path.glob("*.json")]
    assert sorted(str(key.get("tests")) for key in keys) == sorted(
        ["[12, 9]"] * 2 + ["[21]"] * 2 + ["None"] * 2
    )


def test_the_same_on_workers():
    tests = [named("a", 12, 2), named("b", 9, 3)]
    here = compare(training(), ["bag_of_bonds"], test=tests, n_threads=1, **FEW)
    there = compare(training(), ["bag_of_bonds"], test=tests, n_threads=1, executor=2, **FEW)
    assert values(there).equals(values(here))


def test_cost_is_that_of_the_same_training_sets():
    data, test = training(), named("t", 10, 4)
    options = {"operations": ["train", "predict"], "sizes": [20], "n_threads": 1, "repeats": 1}
    frame = cost(data, ["bag_of_bonds"], test=test, max_structures=15, **options).frame
    rows = np.random.default_rng(0).permutation(40)[:20]
    n_atoms = frame.query("operation == 'train'")["n_atoms"].item()
    assert n_atoms == data.structures[rows].n_atoms
    # Ten structures, repeated to 15.
    predicted = frame.query("operation == 'predict'")["n_atoms"].item()
    assert predicted == test.structures.n_atoms + test.structures[:5].n_atoms


# Names, units, properties


def test_sets_of_one_name_take_that_of_their_folder():
    data = training().replace(name="data", source="water/train/data.xyz")
    tests = [named("data", 9, seed, source=f"water/{folder}/data.xyz")
             for seed, folder in enumerate(("300K", "600K"))]  # fmt: skip
    result = compare(data, ["bag_of_bonds"], test=[*tests, named("ice", 8, 7)], **FEW)
    assert result.tests == ("300K/data", "600K/data", "ice")
    with pytest.raises(ValueError, match="sets of different names, found '300K/data' twice"):
        compare(data, ["bag_of_bonds"], test=[tests[0], tests[0]], **FEW)
    given = {"cold": tests[0], "the same": tests[0]}
    assert compare(data, ["bag_of_bonds"], test=given, **FEW).tests == ("cold", "the same")


def test_units_are_converted():
    test = named("t", 10, 4)
    in_meV = test.replace(targets={"energy": 1000 * test.targets["energy"]},
                          units={"energy": "meV"})  # fmt: skip
    expected = compare(training(), ["bag_of_bonds"], test=test, **FEW)
    found = compare(training(), ["bag_of_bonds"], test=in_meV, **FEW)
    np.testing.assert_allclose(found.frame["mae"], expected.frame["mae"], rtol=1e-6)
    assert "t: energy converted from meV to eV, the unit of chains" in found.notes


def test_unknown_units_go_with_unknown_ones_only():
    silent = {"units": {"energy": "unknown"}}
    both = compare(training().replace(**silent), ["bag_of_bonds"],
                   test=named("t", 10, 4).replace(**silent), **FEW)  # fmt: skip
    assert set(both.frame["unit"]) == {"unknown"}
    for data, test, which in (
        (training().replace(**silent), named("t", 10, 4), "chains"),
        (training(), named("t", 10, 4).replace(**silent), "t"),
    ):
        message = f"unit of energy is known for one of .* only; if '{which}' is in eV, too, say"
        with pytest.raises(ValueError, match=message):
            compare(data, ["bag_of_bonds"], test=test, **FEW)


def test_wrong_tests_raise():
    data, test = training(), named("t", 10, 4)

    def failing(message, kind=ValueError, **options):
        with pytest.raises(kind, match=message):
            compare(data, ["bag_of_bonds"], **{"test": test, **FEW, **options})

    gap = test.replace(targets={"gap": np.ones(10)}, units={"gap": "eV"}, default_target="gap")
    failing("test: expected 'energy', as 'chains' has, found none in 't'; it has: gap", test=gap)
    debye = test.replace(units={"energy": "debye"})
    failing("energy of 't' is in debye, that of 'chains' in eV: unit: cannot convert", test=debye)
    failing(
        "split, test: .* found both: .*'heavy_atoms' has nothing to divide", split="heavy_atoms"
    )
    failing(r"test: expected at least one data set, found \[\]", test=[])
    failing("test: expected a data set, a name or path, .* found int", TypeError, test=3)
    nothing = test.replace(targets={"energy": np.full(10, np.nan)})
    failing("test: no structure of 't' has a finite energy", test=nothing)
    wide = test.replace(targets={"energy": np.ones((10, 3))})
    failing(r"'energy' has shape \(10, 3\) in 't'", test=wide)
    failing(r"sizes from 5 .* to 40 \(all the training part\), found \[41\]", sizes=[41])


def test_paths_are_loaded(tmp_path):
    rng = np.random.default_rng(0)
    for name, n in (("train", 30), ("cold", 8)):
        d = rng.uniform(0.7, 1.5, n)
        R = np.zeros((n, 2, 3))
        R[:, 1, 2] = d
        np.savez(tmp_path / f"{name}.npz", z=[1, 9], R=R, E=(d - 1) ** 2, other=d)
    options = {"kernels": ["gaussian"], "sizes": [10], "seeds": [0], "property": "energy"}
    path = str(tmp_path / "cold.npz")
    for test in (path, [tmp_path / "cold.npz"], {"cold": path}):
        result = compare(tmp_path / "train.npz", ["bag_of_bonds"], test=test, **options)
        assert result.tests == ("cold",)
        assert set(result.frame["n_test"]) == {8}


# Notes


def test_structures_of_both_are_counted():
    data = training()
    shifted = mk.Structures.from_arrays(
        [(z, r + np.array([3.0, 0.0, -1.0])) for z, r in data.structures[:3]]
    )
    test = chains(8, 9)
    leaking = Dataset(
        "leaking", mk.Structures.concatenate([test.structures, shifted]),
        {"energy": np.r_[test.targets["energy"], data.targets["energy"][:3]]}, {"energy": "eV"},
        "energy",
    )  # fmt: skip
    twice = data.select(np.r_[np.arange(40), 7])
    result = compare(twice, ["bag_of_bonds"], test=[named("clean", 9, 8), leaking], **FEW)
    (note,) = [note for note in result.notes if "up to a shift" in note]
    assert note == (
        "3 of 11 structures of leaking are copies of structures to learn from (8 of 0, up to a "
        "shift): errors on leaking look smaller than they are"
    )


def test_elements_that_the_data_lack_are_named():
    numbers = [17, 6, 1, 1, 1]
    positions = np.random.default_rng(0).uniform(0, 3, (4, 5, 3))
    chloro = mk.Structures.from_arrays([(numbers, r) for r in positions])
    test = Dataset("chloro", chloro, {"energy": np.full(4, -30.0)}, {"energy": "eV"}, "energy")
    result = compare(training(), ["bag_of_bonds"], test=[named("t", 10, 4), test], **FEW)
    for name, symbols, count in (("t", "", 0), ("chloro", "Cl", 4)):
        part = result.of_test(name).frame
        assert set(part["unseen"]) == {symbols}
        assert set(part["n_unseen"]) == {count}
    assert np.isnan(result.slope(test="chloro"))
    assert not np.isnan(result.slope(test="t"))
    (note,) = [note for note in result.notes if "lack elements" in note]
    assert "lack elements of chloro: Cl, in 4 test structures (all runs). " in note


def test_notes_of_all_data_sets_and_places_in_them():
    data = training().with_notes("positions taken to be in angstrom", "first")
    empty = mk.Structures.from_arrays([([1], [[0.0, 0.0, 0.0]]), ([], np.empty((0, 3)))])
    test = Dataset("odd", empty, {"energy": np.array([-2.0, 0.0])}, {"energy": "eV"}, "energy",
                   notes=("positions taken to be in angstrom", "second"))  # fmt: skip
    notes = compare(data, ["bag_of_bonds"], test=[named("t", 5, 3), test], **FEW).notes
    assert notes[:3] == ("positions taken to be in angstrom", "first", "odd: second")
    assert "1 of 47 structures is without atoms (the first: structure 1 of odd)" in notes


def test_free_atoms_of_an_element_that_only_a_test_has():
    test = named("t", 10, 4)
    atoms = {"H": -2.0, "C": -12.0, "O": -16.0}
    result = compare(training(), ["bag_of_bonds"], test=test, baseline=atoms, **FEW)
    assert result.metadata["atom_energies"] == atoms
    fluorine = Dataset("f", mk.Structures.from_arrays([([9, 1], np.eye(3)[:2])]),
                       {"energy": np.array([-20.0])}, {"energy": "eV"}, "energy")  # fmt: skip
    with pytest.raises(ValueError, match="found none of F; give it as"):
        compare(training(), ["bag_of_bonds"], test=fluorine, baseline=atoms, **FEW)
