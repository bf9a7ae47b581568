"""Splits that ask for extrapolation: what is learnt from, what is tested on, and their results."""

import json

import numpy as np
import pytest

import molkern as mk
from molkern.datasets import Dataset, load
from molkern.regression import KernelRidge
from molkern.study import Result, accuracy, compare, make_splits
from molkern.study.extrapolation import Extrapolation, heavy_atoms
from molkern.study.result import ORIGIN
from study_data import chain

ELEMENTS = [1, 6, 8]


def chains(n=80, seed=0, **changes):
    """Chains of 1 to 5 heavy atoms and two H; the energy is a sum over pairs and atoms."""
    rng = np.random.default_rng(seed)
    pairs, energies = [], []
    for k in range(n):
        numbers = np.array([1, *rng.choice([6, 8], k % 5 + 1), 1])
        pair, energy = chain(numbers, rng)
        pairs.append(pair)
        energies.append(energy)
    structures = mk.Structures.from_arrays(pairs)
    targets = {"energy": np.array(energies), "gap": np.ones(n)}
    units = {"energy": "eV", "gap": "eV"}
    given = {"extensive": frozenset({"energy"}), **changes}
    return Dataset("chains", structures, targets, units, "energy", **given)


def frames(energies, numbers=None, **changes):
    """Pairs of atoms of given elements and energies."""
    n = len(energies)
    numbers = np.ones((n, 2), int) if numbers is None else np.asarray(numbers)
    positions = np.zeros((2 * n, 3))
    positions[1::2, 2] = np.linspace(0.7, 1.2, n)
    structures = mk.Structures(numbers.ravel(), positions, 2 * np.arange(n + 1))
    targets = {"energy": np.asarray(energies, float)}
    given = {"extensive": frozenset({"energy"}), **changes}
    return Dataset("frames", structures, targets, {"energy": "eV"}, "energy", **given)


def values(result, *, represented=True):
    """Everything but times, what computed it and, if asked for, of how many structures."""
    frame = result.frame
    names = [name for name in frame if name.startswith("seconds")]
    return frame.drop(columns=[*names, *ORIGIN, *([] if represented else ["n_represented"])])


# Which structures


def test_heavy_atoms_are_those_other_than_hydrogen():
    pairs = [([1, 1], [[0, 0, 0], [0, 0, 1]]), ([8, 1, 6], np.eye(3)), ([26], [[0, 0, 0]])]
    structures = mk.Structures.from_arrays([*pairs, (np.empty(0, int), np.empty((0, 3)))])
    assert heavy_atoms(structures).tolist() == [0, 2, 1, 0]


def test_small_ones_are_learnt_from_and_larger_ones_tested_on():
    data = chains()
    expected = np.array([(numbers > 1).sum() for numbers, _ in data.structures])
    splits = make_splits(data, [0, 1], "heavy_atoms:3")
    for split in splits:
        np.testing.assert_array_equal(np.sort(split.train), np.flatnonzero(expected <= 3))
        np.testing.assert_array_equal(np.sort(split.test), np.flatnonzero(expected > 3))
        assert (split.fold, split.train.dtype) == (0, np.int64)
    assert [split.seed for split in splits] == [0, 1]
    assert not np.array_equal(splits[0].train, splits[1].train)
    again = make_splits(data, [1], "heavy_atoms:3")[0]
    np.testing.assert_array_equal(again.train, splits[1].train)
    np.testing.assert_array_equal(again.test, splits[1].test)


def test_without_a_number_the_largest_are_tested_on():
    (split,) = make_splits(chains(), [0], "heavy_atoms")
    np.testing.assert_array_equal(np.sort(split.test), np.arange(4, 80, 5))


def test_the_first_structures_have_all_elements():
    # Fluorine is in one structure of 60 only: by chance the 20 first would rarely have it.
    numbers = np.full((60, 2), [1, 6])
    numbers[37] = [6, 6]
    numbers[50] = [1, 9]
    large = mk.Structures.from_arrays([([6, 9, 1], np.diag([0, 1.3, 2.5]))] * 2)
    small = frames(np.arange(60.0), numbers).structures
    structures = mk.Structures.concatenate([small, large])
    data = Dataset("fluorine", structures, {"e": np.arange(62.0)}, {"e": "eV"}, "e")
    for split in make_splits(data, range(5), "heavy_atoms"):
        assert set(split.train) == set(np.flatnonzero(heavy_atoms(structures) < 2))
        first = structures[split.train[:3]]
        assert set(first.species) == {1, 6, 9}
        # All others in their order.
        assert 50 in split.train[:3]


def test_at_most_10000_are_tested_on():
    numbers = np.full((10_100, 2), [1, 6])
    numbers[:10_050] = [6, 6]
    data = frames(np.arange(10_100.0), numbers)
    a, b = make_splits(data, [0, 1], "heavy_atoms:1")
    assert (len(a.train), len(a.test)) == (50, 10_000)
    assert set(a.test) != set(b.test)
    assert len(set(a.test)) == 10_000
    assert a.test.max() < 10_050


def test_low_energies_of_each_molecule_are_learnt_from():
    rng = np.random.default_rng(0)
    numbers = rng.permutation([[1, 1]] * 9 + [[1, 6]] * 8 + [[6, 1]] * 7 + [[8, 8]])
    energy = rng.normal(size=25) - 100.0 * numbers.sum(axis=1)
    (split,) = make_splits(frames(energy, numbers), [3], "energy:0.25")
    expected = np.zeros(25, bool)
    for atoms in np.unique(numbers, axis=0):
        rows = (numbers == atoms).all(axis=1)
        expected |= rows & (energy <= np.quantile(energy[rows], 0.25))
    np.testing.assert_array_equal(np.sort(split.train), np.flatnonzero(expected))
    np.testing.assert_array_equal(np.sort(split.test), np.flatnonzero(~expected))


def test_molecules_that_the_data_state_are_used():
    energy = np.r_[np.arange(10.0), 100 + np.arange(10.0)]
    one = make_splits(frames(energy), [0], "energy")[0]
    assert set(one.train) == set(range(10))
    stated = frames(energy, molecules=np.repeat([5, 2], 10))
    two = make_splits(stated, [0], "energy")[0]
    assert set(two.train) == {*range(5), *range(10, 15)}
    chosen = stated.select(np.arange(19, -1, -1))
    assert chosen.molecules.tolist() == [2] * 10 + [5] * 10
    with pytest.raises(ValueError, match=r"molecules: expected one number .* 20 .*shape \(3,\)"):
        frames(energy, molecules=np.arange(3))


def test_equal_energies_are_on_one_side():
    (split,) = make_splits(frames([1.0] * 6 + [2.0] * 6 + [3.0]), [0], "energy:0.25")
    assert sorted(split.train) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("size", "split: expected heavy_atoms, heavy_atoms:<number>, energy or .* found 'size'"),
        ("heavy_atoms:0", "split: heavy_atoms:<number> needs an integer of 1 or more, found '0'"),
        ("heavy_atoms:inf", "needs an integer of 1 or more, found 'inf'"),
        ("heavy_atoms:", "needs an integer of 1 or more, found ''"),
        ("heavy_atoms:2.5", "needs an integer of 1 or more, found '2.5'"),
        ("energy:1", "split: energy:<share> needs a number between 0 and 1, found '1'"),
        ("energy:low", "needs a number between 0 and 1, found 'low'"),
        (
            "heavy_atoms:5",
            "split: heavy_atoms:5: 80 structures of 'chains' to learn from and 0 larger ones; they "
            "have 1 to 5 heavy atoms",
        ),
    ],
)
def test_wrong_split_raises(text, message):
    with pytest.raises(ValueError, match=message):
        make_splits(chains(), [0], text)


def test_an_element_that_only_large_ones_have_raises():
    large = mk.Structures.from_arrays([([6, 6, 1], np.eye(3)), ([16, 9, 1], np.eye(3))])
    structures = mk.Structures.concatenate(
        [frames(np.arange(20.0), [[1, 6]] * 20).structures, large]
    )
    data = Dataset("sulphur", structures, {"e": np.arange(22.0)}, {"e": "eV"}, "e")
    words = "among structures of up to 1 heavy atom, found none with F, S, which structure 21 has"
    with pytest.raises(ValueError, match=f"split: heavy_atoms:1: expected all elements {words}"):
        make_splits(data, [0], "heavy_atoms:1")


def test_energies_that_divide_nothing_raise():
    with pytest.raises(ValueError, match=r"one of \['energy'\], found 'gap'"):
        accuracy(chains(), "bag_of_bonds", split="energy", property="gap")
    with pytest.raises(ValueError, match="no two structures of 'frames' are of one molecule and"):
        make_splits(frames([1.0] * 12), [0], "energy")
    with pytest.raises(ValueError, match="heavy_atoms without a number needs structures"):
        Extrapolation.parse("heavy_atoms")


# Results


def test_rows_match_the_protocol_done_by_hand():
    data = chains()
    result = accuracy(data, "bag_of_bonds", sizes=[20, 40], split="heavy_atoms:4", seeds=[2])
    X, y = mk.BagOfBonds().fit_transform(data.structures), data.targets["energy"]
    (split,) = make_splits(data, [2], "heavy_atoms:4")
    for row in result.rows:
        rows, test = split.train[: row["n_train"]], split.test
        model = KernelRidge(sigma=row["sigma"], alpha=row["alpha"], baseline="elements")
        model.fit(X[rows], y[rows], structures=data.structures[rows])
        error = np.abs(model.predict(X[test], structures=data.structures[test]) - y[test])
        np.testing.assert_allclose(row["mae"], error.mean(), rtol=1e-4)
        each = error / heavy_atoms(data.structures)[test]
        np.testing.assert_allclose(row["mae_per_heavy_atom"], each.mean(), rtol=1e-4)
        assert (row["split"], row["n_test"], row["seed"]) == ("heavy_atoms:4", 16, 2)
    assert result.metadata["split"] == "heavy_atoms:4"
    assert result.notes[0] == (
        "split heavy_atoms:4: 64 structures of up to 4 heavy atoms to learn from, 16 of 5 to be "
        "tested on"
    )
    mean = result.summary()["mae_per_heavy_atom"]
    np.testing.assert_allclose(mean, result.frame["mae_per_heavy_atom"])


def test_energy_rows_and_notes():
    energy = np.linspace(0, 1, 40) ** 2
    result = accuracy(frames(energy), "bag_of_bonds", kernel="gaussian", sizes=[10], split="energy")
    assert list(result.frame["seed"]) == [0, 1, 2]
    assert set(result.frame["split"]) == {"energy:0.5"}
    assert set(result.frame["n_test"]) == {20}
    assert "mae_per_heavy_atom" not in result.frame
    low, high = energy[19], energy[20]
    assert result.notes == (
        f"split energy:0.5: 20 structures up to {low:.3g} eV above the lowest of their molecule to "
        f"learn from, 20 of {high:.3g} to 1 eV above it to be tested on; 1 molecule",
        "baseline mean for energy: all structures have one composition",
    )


def test_official_folds_give_way():
    folds = tuple(np.arange(80)[k::4] for k in range(4))
    result = accuracy(chains(folds=folds), "bag_of_bonds", sizes=[20], split="heavy_atoms")
    assert list(result.frame["fold"]) == [0, 0, 0]
    assert list(result.frame["seed"]) == [0, 1, 2]


def test_stored_results_are_those_of_their_split(tmp_path):
    data = chains()
    usual = accuracy(data, "bag_of_bonds", sizes=[20], seeds=[0], store=tmp_path)
    specifications = [json.loads(p.read_text())["specification"] for p in tmp_path.glob("*.json")]
    assert {key for one in specifications for key in one} == {
        "task", "data", "property", "representation", "kernel", "baseline", "fold", "seed",
        "n_train", "n_tune", "cv",
    }  # fmt: skip
    assert "split" not in usual.frame
    assert "split" not in usual.metadata
    large = accuracy(
        data, "bag_of_bonds", sizes=[20], seeds=[0], store=tmp_path, split="heavy_atoms:3"
    )
    assert len(list(tmp_path.glob("*.json"))) == 4
    again = accuracy(
        data, "bag_of_bonds", sizes=[20], seeds=[0], store=tmp_path, split="heavy_atoms:3"
    )
    assert again.frame.equals(large.frame)
    assert large.rows[0]["mae"] != usual.rows[0]["mae"]


def test_other_molecules_are_another_task(tmp_path):
    energy = np.random.default_rng(0).normal(size=60)
    for molecules in (None, np.arange(60) // 30):
        data = frames(energy, molecules=molecules)
        accuracy(data, "bag_of_bonds", sizes=[10], seeds=[0], store=tmp_path, split="energy")
    assert len(list(tmp_path.glob("*.json"))) == 4


def test_the_same_on_workers():
    data, options = chains(), {"sizes": [20], "seeds": [0, 1], "split": "heavy_atoms:4"}
    here = compare(data, ["bag_of_bonds"], n_threads=1, **options)
    there = compare(data, ["bag_of_bonds"], n_threads=1, executor=2, **options)
    assert values(there).equals(values(here))


def test_result_is_read_back(tmp_path):
    result = accuracy(chains(), "bag_of_bonds", sizes=[20], seeds=[0, 1], split="heavy_atoms")
    for ending in ("csv", "json"):
        found = Result.load(result.save(tmp_path / f"result.{ending}"))
        assert found.frame.equals(result.frame)


# Features of what is used


@pytest.mark.parametrize("max_bytes", [0, 8 * 79**2])
@pytest.mark.parametrize("name", ["bag_of_bonds", "coulomb_matrix_random", "acsf"])
def test_features_of_what_is_used_give_the_same_results(monkeypatch, name, max_bytes):
    # With all structures in one matrix of distances (max_bytes large enough) there is no choice.
    data, transformed, fitted = chains(), [], []
    cls = type(mk.study.models.representation(name))
    transform, fit = cls.transform, cls.fit
    monkeypatch.setattr(
        cls, "transform", lambda self, s, *a, **k: transformed.append(len(s)) or transform(self, s)
    )
    monkeypatch.setattr(
        cls, "fit", lambda self, s, *a, **k: fitted.append(len(s)) or fit(self, s, *a, **k)
    )
    options = {
        "kernels": ["laplacian", "gaussian"], "sizes": [10, 20], "seeds": [0, 1], "n_tune": 10,
        "max_bytes": max_bytes, "split": "heavy_atoms:4",
    }  # fmt: skip
    part = compare(data, [name], **options)
    used = {*range(4, 80, 5)}
    for split in make_splits(data, [0, 1], "heavy_atoms:4"):
        used |= set(split.train[:20])
    assert len(used) < 60
    assert (transformed, fitted) == ([len(used)], [80])
    assert set(part.frame["n_represented"]) == {len(used)}
    monkeypatch.setattr(
        mk.study.tasks.Plan, "used", property(lambda plan: np.arange(len(plan.data)))
    )
    whole = compare(data, [name], **options)
    assert transformed[1:] == [80]
    assert set(whole.frame["n_represented"]) == {80}
    assert values(part, represented=False).equals(values(whole, represented=False))


def test_features_of_all_where_one_matrix_is_shared():
    result = accuracy(chains(), "bag_of_bonds", sizes=[20], seeds=[0], max_bytes=8 * 80**2)
    assert set(result.frame["n_represented"]) == {80}


def test_shapes_are_those_of_all_structures():
    # One seed needs no molecule of the largest size to learn from; the bags have room for it.
    data = chains()
    result = accuracy(data, "bag_of_bonds", sizes=[10], seeds=[0], max_bytes=0)
    assert result.rows[0]["n_represented"] < 80
    assert result.rows[0]["n_features"] == mk.BagOfBonds().fit(data.structures).n_features_out_


# Data of the package


def test_larger_molecules_of_the_package():
    data = load("mini-molecules")
    result = accuracy(data, "bag_of_bonds", sizes=[100, 400], seeds=[0], split="heavy_atoms:6")
    frame = result.frame
    assert set(frame["n_test"]) == {2063}
    np.testing.assert_allclose(7 * frame["mae_per_heavy_atom"], frame["mae"], rtol=1e-12)
    # Measured: 9.4 and 5.6 kcal/mol; 4.4 at N = 400 on molecules of all sizes.
    assert frame["mae"].is_monotonic_decreasing
    usual = accuracy(data, "bag_of_bonds", sizes=[400], seeds=[0])
    assert usual.rows[0]["mae"] < frame["mae"].iloc[1] < 10


def test_higher_energies_are_harder():
    data = load("mini-ethanol").select(np.arange(800))
    options = {"kernel": "gaussian", "sizes": [200], "seeds": [0]}
    usual = accuracy(data, "coulomb_matrix_unsorted", **options).rows[0]
    high = accuracy(data, "coulomb_matrix_unsorted", split="energy", **options).rows[0]
    assert (usual["n_test"], high["n_test"]) == (160, 400)
    assert high["mae"] > 1.5 * usual["mae"]  # Measured: 4.4 and 1.7 kcal/mol.
