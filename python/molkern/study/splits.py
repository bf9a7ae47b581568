"""Which structures a model learns from and which it is tested on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from molkern.datasets import Dataset
from molkern.study.extrapolation import Extrapolation, elements_first

__all__ = [
    "Split",
    "default_sizes",
    "drawn_splits",
    "elements_early",
    "make_splits",
    "presence",
    "splits_of_all",
]

Index = npt.NDArray[np.int64]
Presence = npt.NDArray[np.bool_]

MIN_STRUCTURES = 10
MAX_HOLD_OUT = 10_000
DEFAULT_SIZES = (100, 200, 500, 1000, 2000)
# Without a list of sizes the last one is all the training part up to here: a kernel matrix of
# 10 000 structures takes 0.8 GB and its factorisation some seconds.
MAX_DEFAULT_SIZE = 10_000


@dataclass(frozen=True)
class Split:
    """One training part, in the order in which training sets grow, and its test set.

    Attributes
    ----------
    fold : int
        Number of the official fold or split; else 0.
    seed : int
        Seed of the order (and of a random hold-out).
    train, test : ndarray of int64
        The training set of size n is ``train[:n]``: sets are nested.
    rearranged : bool
        Whether structures changed place so that training sets have all elements.
    """

    fold: int
    seed: int
    train: Index
    test: Index
    rearranged: bool = False


def make_splits(
    data: Dataset,
    seeds: Sequence[int],
    split: str | None = None,
    property: str | None = None,
    sizes: Sequence[int] | None = None,
) -> tuple[Split, ...]:
    """Splits of a data set: official ones where it has them, else a random hold-out per seed.

    Folds (QM7): the test set is the fold, the training part everything else. Official pairs of
    training and test sets (rMD17): as they are. Else: for each seed one test set of a fifth of the
    structures, 10 000 at most. The order of the training part is a permutation from (seed, fold).

    Training sets have all elements as soon as they can. A hold-out does not keep all structures of
    an element: the first of them goes to the end of the training part. And where the smallest
    training set lacks an element that the training part has, the first structures with each element
    come first. Where no element is missing, nothing changes.

    With ``split`` the test set lies beyond the training part, see `molkern.study.compare`: for each
    seed another order of the training part, and 10 000 structures at most of what lies beyond it.
    The first structures with each element always come first.

    Parameters
    ----------
    data : Dataset
    seeds : sequence of int
        Non-negative, all different.
    split : str, optional
        ``"heavy_atoms:6"``, ``"energy:0.5"``, or without the number.
    property : str, optional
        Whose energies divide the structures. None: the default target.
    sizes : sequence of int, optional
        Sizes of the training sets; the smallest counts. None: see `default_sizes`.

    Returns
    -------
    tuple of Split
        Folds of the first seed, of the second, and so on.

    Raises
    ------
    ValueError
        For fewer than 10 structures, no seed, a negative or a repeated one, an empty part, or, with
        ``split``, an element that the training part lacks or a property that is no energy.
    """
    splits = drawn_splits(data, seeds, split, property)
    if sizes is None:
        sizes = default_sizes(min(len(made.train) for made in splits))
    return elements_early(splits, presence(data), min(sizes, default=0))


def drawn_splits(
    data: Dataset, seeds: Sequence[int], split: str | None = None, property: str | None = None
) -> tuple[Split, ...]:
    """As `make_splits`, before it is known which training sets are wanted."""
    require_enough(data)
    check_seeds(seeds)
    if split is not None:
        name = data.default_target if property is None else property
        return _extrapolating(data, seeds, Extrapolation.parse(split, data.structures), name)
    present = presence(data)
    splits = tuple(made for seed in seeds for made in _splits_of_seed(data, int(seed), present))
    for made in splits:
        if not len(made.train) or not len(made.test):
            raise ValueError(
                f"data: fold {made.fold} of {data.name!r} has {len(made.train)} training and "
                f"{len(made.test)} test structures with a label"
            )
    return splits


def splits_of_all(data: Dataset, seeds: Sequence[int], n_test: int) -> tuple[Split, ...]:
    """All structures to learn from, in another order for each seed; those behind them to test on.

    Parameters
    ----------
    data : Dataset
    seeds : sequence of int
    n_test : int
        Structures of all test sets together.
    """
    require_enough(data)
    check_seeds(seeds)
    n = len(data)
    test = np.arange(n, n + n_test)
    orders = (np.random.default_rng(int(seed)).permutation(n) for seed in seeds)
    return tuple(Split(0, int(seed), o, test) for seed, o in zip(seeds, orders, strict=True))


def elements_early(
    splits: Sequence[Split], present: Presence, n_smallest: int
) -> tuple[Split, ...]:
    """Splits whose training sets of this size have all elements, as far as they can.

    Parameters
    ----------
    splits : sequence of Split
    present : ndarray of bool, shape (n_structures, n_species)
    n_smallest : int
        Size of the smallest training set.

    Returns
    -------
    tuple of Split
        The same splits, but for those whose smallest training set lacks an element that their
        training part has.
    """
    made = []
    for split in splits:
        lacking = present[split.train].any(axis=0) & ~present[split.train[:n_smallest]].any(axis=0)
        order = elements_first(split.train, present) if lacking.any() else split.train
        # With fewer structures than elements they may be first already.
        same = np.array_equal(order, split.train)
        made.append(split if same else replace(split, train=order, rearranged=True))
    return tuple(made)


def presence(data: Dataset) -> Presence:
    """Which elements each structure has, shape (n_structures, n_species)."""
    present: Presence = data.structures.composition() > 0
    return present


def require_enough(data: Dataset) -> None:
    """Raise ValueError for fewer than 10 structures."""
    if len(data) < MIN_STRUCTURES:
        raise ValueError(
            f"data: a learning curve needs at least {MIN_STRUCTURES} structures with a label, "
            f"found {len(data)} in {data.name!r}"
        )


def check_seeds(seeds: Sequence[int]) -> None:
    """Raise ValueError for no seed, a negative or a repeated one."""
    if not len(seeds) or len(set(seeds)) < len(seeds) or min(seeds) < 0:
        raise ValueError(f"seeds: expected different non-negative integers, found {list(seeds)}")


def _extrapolating(
    data: Dataset, seeds: Sequence[int], rule: Extrapolation, name: str
) -> tuple[Split, ...]:
    train, test = rule.parts(data, name)
    present = presence(data)
    splits = []
    for seed in seeds:
        rng = np.random.default_rng(int(seed))
        order = elements_first(train[rng.permutation(len(train))], present)
        drawn = test[rng.permutation(len(test))[:MAX_HOLD_OUT]]
        splits.append(Split(0, int(seed), order, drawn))
    return tuple(splits)


def _splits_of_seed(data: Dataset, seed: int, present: Presence) -> list[Split]:
    n = len(data)
    if data.splits is not None:
        parts = [(np.asarray(train), np.asarray(test)) for train, test in data.splits]
    elif data.folds is not None:
        everything = np.arange(n)
        parts = [(np.setdiff1d(everything, test), np.asarray(test)) for test in data.folds]
    else:
        order = np.random.default_rng(seed).permutation(n)
        n_test = min(MAX_HOLD_OUT, n // 5)
        return [_holding_out(seed, order[n_test:], order[:n_test], present)]
    splits = []
    for fold, (train, test) in enumerate(parts):
        order = np.random.default_rng([seed, fold]).permutation(len(train))
        splits.append(Split(fold, seed, train[order].astype(np.int64), test.astype(np.int64)))
    return splits


def _holding_out(seed: int, train: Index, test: Index, present: Presence) -> Split:
    """A hold-out that leaves at least one structure with each element to learn from."""
    only = present[test].any(axis=0) & ~present[train].any(axis=0)
    # Some structure must be left to test on, even if all of them have elements of their own.
    first = np.unique(present[test][:, only].argmax(axis=0))[: len(test) - 1]
    if not len(first):
        return Split(0, seed, train, test)
    return Split(0, seed, np.r_[train, test[first]], np.delete(test, first), rearranged=True)


def default_sizes(n_available: int) -> tuple[int, ...]:
    """Training-set sizes for a training part of ``n_available`` structures.

    100, 200, 500, 1000, 2000 as far as there are more structures than that, then all of them; of
    more than 10 000 structures 5000 and 10 000. Fewer than 200 structures: quarters and halves.

    Examples
    --------
    >>> default_sizes(5732)
    (100, 200, 500, 1000, 2000, 5732)
    >>> default_sizes(80)
    (20, 40, 80)
    """
    if n_available < 2 * DEFAULT_SIZES[0]:
        parts = (n_available // 4, n_available // 2, n_available)
        return tuple(n for n in parts if n >= 5)
    if n_available > MAX_DEFAULT_SIZE:
        return (*DEFAULT_SIZES, 5000, MAX_DEFAULT_SIZE)
    return (*(n for n in DEFAULT_SIZES if n < n_available), n_available)
