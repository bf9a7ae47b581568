"""Which structures a study trains on and tests on."""

import numpy as np
import pytest

import molkern as mk
from molkern.datasets import Dataset
from molkern.study import default_sizes, make_splits


def hydrogens(n=60, **changes):
    structures = mk.Structures(np.ones(n, int), np.zeros((n, 3)), np.arange(n + 1))
    targets, units = {"energy": np.arange(float(n))}, {"energy": "eV"}
    return Dataset("hydrogens", structures, targets, units, "energy", **changes)


def test_folds_are_test_sets_and_training_sets_are_nested():
    folds = tuple(np.arange(60)[k::4] for k in range(4))
    splits = make_splits(hydrogens(folds=folds), seeds=(0, 7))
    assert [(split.seed, split.fold) for split in splits] == [
        (s, k) for s in (0, 7) for k in range(4)
    ]
    for split in splits:
        np.testing.assert_array_equal(split.test, folds[split.fold])
        assert set(split.train) == set(range(60)) - set(split.test)
    first, again = make_splits(hydrogens(folds=folds), seeds=(0,))[0], splits[0]
    np.testing.assert_array_equal(first.train, again.train)
    assert not np.array_equal(splits[0].train, splits[4].train)
    assert not np.array_equal(np.sort(splits[0].train), splits[0].train)


def test_official_pairs_are_kept():
    pairs = ((np.arange(20), np.arange(30, 40)), (np.arange(40, 60), np.arange(10)))
    splits = make_splits(hydrogens(splits=pairs), seeds=(1,))
    for split, (train, test) in zip(splits, pairs, strict=True):
        np.testing.assert_array_equal(np.sort(split.train), train)
        np.testing.assert_array_equal(split.test, test)


def test_hold_out_is_a_fifth_and_depends_on_the_seed():
    a, b = make_splits(hydrogens(), seeds=(0, 1))
    assert (len(a.train), len(a.test)) == (48, 12)
    assert not set(a.train) & set(a.test)
    assert set(a.test) != set(b.test)


def test_hold_out_of_a_large_set_is_10000():
    (split,) = make_splits(hydrogens(60_000), seeds=(0,))
    assert (len(split.train), len(split.test)) == (50_000, 10_000)


@pytest.mark.parametrize(
    ("available", "sizes"),
    [
        (5732, (100, 200, 500, 1000, 2000, 5732)),
        (1000, (100, 200, 500, 1000)),
        (1001, (100, 200, 500, 1000, 1001)),
        (200, (100, 200)),
        (199, (49, 99, 199)),
        (8, (8,)),
        (10_000, (100, 200, 500, 1000, 2000, 10_000)),
        (100_000, (100, 200, 500, 1000, 2000, 5000, 10_000)),
    ],
)
def test_default_sizes(available, sizes):
    assert default_sizes(available) == sizes


@pytest.mark.parametrize("seeds", [(), (1, 1), (-1,)])
def test_wrong_seeds_raise(seeds):
    with pytest.raises(ValueError, match="seeds: expected different non-negative integers"):
        make_splits(hydrogens(), seeds=seeds)


# Elements


def with_rare(rare, n=60):
    """Pairs of H and C; at the places given, of H and an element of their own."""
    numbers = np.full((n, 2), [1, 6])
    for place, element in rare.items():
        numbers[place] = [1, element]
    positions = np.zeros((2 * n, 3))
    positions[1::2, 2] = np.linspace(0.8, 1.4, n)
    structures = mk.Structures(numbers.ravel(), positions, 2 * np.arange(n + 1))
    labels = {"energy": -37.0 * numbers[:, 1] + positions[1::2, 2]}
    return Dataset("rare", structures, labels, {"energy": "eV"}, "energy")


def elements(data, rows):
    return set(data.structures[np.asarray(rows)].species.tolist())


def plain(n, seed):
    """Test set and training part as they are drawn, whatever the elements."""
    order = np.random.default_rng(seed).permutation(n)
    return order[: n // 5], order[n // 5 :]


def test_a_hold_out_leaves_one_structure_of_each_element_to_learn_from():
    test, train = plain(60, 4)
    data = with_rare({int(test[3]): 35, int(test[7]): 35, int(test[5]): 53})
    (split,) = make_splits(data, seeds=(4,), sizes=[40])
    # The first of the two with Br and the one with I change sides; the second Br is tested on.
    assert split.test.tolist() == np.delete(test, [3, 5]).tolist()
    assert set(split.train) == {*train, test[3], test[5]}
    assert elements(data, split.train[:4]) == {1, 6, 35, 53}
    assert split.rearranged
    (again,) = make_splits(data, seeds=(4,), sizes=[40])
    np.testing.assert_array_equal(again.train, split.train)


def test_orders_that_lack_nothing_stay_as_they_were():
    test, train = plain(60, 1)
    data = with_rare({int(train[9]): 17, int(test[2]): 17, int(train[30]): 14})
    for sizes, early in (([31, 48], False), ([30, 48], True), ([12, 40], True)):
        (split,) = make_splits(data, seeds=(1,), sizes=sizes)
        assert split.rearranged == early
        np.testing.assert_array_equal(split.test, test)
        first = [train[0], train[9], train[30]]  # H and C, Cl, Si
        expected = [*first, *np.delete(train, [0, 9, 30])] if early else train
        assert split.train.tolist() == list(expected)


def test_default_sizes_decide_without_sizes():
    _, train = plain(60, 1)
    for place, early in ((11, False), (12, True)):  # 12, 24 and 48 are the sizes
        (split,) = make_splits(with_rare({int(train[place]): 9}), seeds=(1,))
        assert split.rearranged == early


def test_official_parts_keep_their_structures():
    rare = {3: 16, 45: 16, 50: 34}
    data = with_rare(rare).replace(splits=((np.arange(40), np.arange(40, 60)),))
    (split,) = make_splits(data, seeds=(0,), sizes=[5])
    assert set(split.train) == set(range(40))
    assert split.test.tolist() == list(range(40, 60))
    assert 3 in split.train[:2]
    usual = np.random.default_rng([0, 0]).permutation(40)
    assert [k for k in split.train if k not in split.train[:2]] == [
        k for k in usual if k not in split.train[:2]
    ]


def test_a_test_set_is_left_where_every_structure_has_its_own_element():
    numbers = np.arange(1, 21)
    structures = mk.Structures(numbers, np.zeros((20, 3)), np.arange(21))
    labels = {"energy": numbers * 1.5}
    data = Dataset("own", structures, labels, {"energy": "eV"}, "energy")
    (split,) = make_splits(data, seeds=(0,), sizes=[5])
    assert (len(split.train), len(split.test)) == (19, 1)
    assert {*split.train, *split.test} == set(range(20))
