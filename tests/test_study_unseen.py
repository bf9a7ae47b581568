"""Rows of models that are tested on elements that they never saw: columns, means, notes, keys."""

import json
import re

import numpy as np
import pytest

import molkern as mk
from molkern.study import Result, accuracy, compare, make_splits
from study_data import chain


def chains_with(rare, n=60, seed=0, **changes):
    """Bent chains of H, C and N; at the places given, with one atom of another element."""
    rng = np.random.default_rng(seed)
    pairs, energies = [], []
    for k in range(n):
        numbers = rng.choice([1, 6, 7], rng.integers(3, 6))
        if k in rare:
            numbers[1] = rare[k]
        pair, energy = chain(numbers, rng)
        pairs.append(pair)
        energies.append(energy)
    structures = mk.Structures.from_arrays(pairs)
    labels = {"energy": np.array(energies)}
    return mk.datasets.Dataset("rare", structures, labels, {"energy": "eV"}, "energy", **changes)


OPTIONS = {"kernels": ["gaussian"], "seeds": [0]}
HALVES = (np.arange(40), np.arange(40, 60))


def test_nothing_is_unseen_where_it_can_be_avoided():
    data = chains_with({4: 35, 21: 35, 33: 15})
    result = compare(data, ["bag_of_bonds"], sizes=[12, 24, 40], kernels=["gaussian"])
    assert set(result.frame["unseen"]) == {""}
    assert set(result.frame["n_unseen"]) == {0}
    assert not any("lack elements" in note for note in result.notes)
    # Without P or Br among the first 12, by chance, the error is that of a guess of hundreds.
    assert result.frame["mae"].max() < 20


def test_an_element_of_official_test_sets_only():
    data = chains_with({45: 35, 50: 35, 58: 17}, splits=(HALVES,))
    result = compare(data, ["bag_of_bonds"], sizes=[10, 40], **OPTIONS)
    assert result.frame["unseen"].tolist() == ["Cl,Br"] * 2
    assert result.frame["n_unseen"].tolist() == [3, 3]
    assert result.summary()["unseen"].tolist() == ["Cl,Br"] * 2
    assert np.isnan(result.slope())
    (note,) = [note for note in result.notes if "lack elements" in note]
    assert note.startswith(
        "training sets lack elements of their test sets: Cl, in 1 test structure (all runs); Br, "
        "in 2 test structures (all runs). The error for an element that a model never saw "
    )


def test_sizes_below_the_number_of_elements():
    # 5 structures cannot hold 9 elements that are in structures of their own.
    rare = dict(zip(range(0, 60, 5), [2, 3, 4, 5, 9, 11] * 2, strict=True))
    data = chains_with(rare)
    result = compare(data, ["bag_of_bonds"], sizes=[5, 20, 40], kernels=["gaussian"])
    frame = result.frame
    (note,) = [note for note in result.notes if "lack elements" in note]
    for symbol in ("He", "Li", "Be", "B", "F", "Na"):
        runs = sum(symbol in text.split(",") for text in frame["unseen"])
        words = re.search(
            rf"[:;] {symbol}, in \d test structures? \((\d) of 3 runs at N = 5\)", note
        )
        assert (int(words.group(1)) if words else 0) == runs
    assert (frame[frame["n_train"] == 5]["unseen"] != "").any()
    assert (frame[frame["n_train"] > 5]["unseen"] == "").all()
    for split in make_splits(data, [0, 1, 2], sizes=[5]):
        (row,) = frame.query(f"n_train == 5 and seed == {split.seed}").to_dict("records")
        seen = set(data.structures[split.train[:5]].species)
        unknown = sorted(set(data.structures[split.test].species) - seen)
        assert row["unseen"] == ",".join(mk.elements.symbol_of(int(z)) for z in unknown)
        held = [bool(set(numbers) & set(unknown)) for numbers, _ in data.structures[split.test]]
        assert row["n_unseen"] == sum(held)


def row(n, seed, mae, unseen=None, **changes):
    seconds = {f"seconds_{s}": 0.0 for s in ("representation", "kernel", "tune", "fit", "predict")}
    found = {"representation": "A", "kernel": "k", "n_train": n, "seed": seed, "mae": mae,
             "rmse": mae, "max_error": mae, **seconds, **changes}  # fmt: skip
    return found if unseen is None else {**found, "unseen": unseen, "n_unseen": 2 * bool(unseen)}


def test_means_leave_out_what_was_never_seen():
    rows = [row(10, 0, 500.0, "Cl"), row(10, 1, 2.0, ""), row(20, 0, 1.0, ""), row(20, 1, 1.0, "")]
    summary = Result(tuple(rows)).summary()
    assert summary["mae"].tolist() == [2.0, 1.0]
    assert summary["n_runs"].tolist() == [1, 2]
    assert summary["unseen"].tolist() == ["", ""]
    assert Result(tuple(rows)).slope() == pytest.approx(-1.0)


def test_slopes_leave_out_sizes_of_nothing_else():
    rows = [row(5, k, 900.0, "F") for k in (0, 1)]
    rows += [row(10, 0, 4.0, ""), row(20, 0, 2.0, ""), row(40, 0, 1.0, "")]
    result = Result(tuple(rows))
    assert result.summary()["unseen"].tolist() == ["F", "", "", ""]
    assert result.summary()["mae"].tolist() == [900.0, 4.0, 2.0, 1.0]
    assert result.slope() == pytest.approx(-1.0)
    mixed = Result((row(5, 0, 3.0, "I"), row(5, 1, 3.0, "F,Br"), row(5, 2, 3.0, "Br")))
    assert mixed.summary()["unseen"].tolist() == ["F,Br,I"]


def test_results_without_the_columns_are_read(tmp_path):
    old = Result((row(10, 0, 2.0), row(20, 0, 1.0)))
    assert old.summary()["unseen"].tolist() == ["", ""]
    assert old.slope() == pytest.approx(-1.0)
    both = Result((*old.rows, row(20, 1, 3.0, "Cl"), row(40, 1, 0.5, "")))
    assert both.summary()["mae"].tolist() == [2.0, 1.0, 0.5]
    loaded = Result.load(old.save(tmp_path / "old.csv"))
    assert loaded.slope() == pytest.approx(-1.0)


def test_rows_are_saved_and_loaded(tmp_path):
    data = chains_with({45: 35, 58: 17}, splits=(HALVES, (HALVES[0][::-1], np.arange(41, 44))))
    result = compare(data, ["bag_of_bonds"], sizes=[10, 40], **OPTIONS)
    assert result.frame["unseen"].tolist() == ["Cl,Br"] * 2 + [""] * 2
    for ending in ("csv", "json"):
        assert Result.load(result.save(tmp_path / f"r.{ending}")).frame.equals(result.frame)


def test_changed_orders_are_other_tasks(tmp_path):
    """What a store holds of the order as drawn is not taken for that with elements first."""

    def keys():
        return {json.dumps(json.loads(path.read_text())["specification"], sort_keys=True)
                for path in tmp_path.glob("*.json")}  # fmt: skip

    _, train = plain = np.split(np.random.default_rng(0).permutation(60), [12])
    data = chains_with({int(train[20]): 35, int(plain[0][1]): 35})
    options = {"kernel": "gaussian", "seeds": [0], "store": tmp_path}
    late = accuracy(data, "bag_of_bonds", sizes=[30, 48], **options)
    assert not any("split_sha256" in key for key in keys())
    early = accuracy(data, "bag_of_bonds", sizes=[12, 30], **options)
    assert sum("split_sha256" in key for key in keys()) == 4
    assert early.rows[1]["mae"] != late.rows[0]["mae"]
    again = accuracy(data, "bag_of_bonds", sizes=[30], **options)
    assert again.rows[0] == late.rows[0]
    assert len(keys()) == 8
