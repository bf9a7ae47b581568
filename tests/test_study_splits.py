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
