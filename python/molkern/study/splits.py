"""Which structures a model learns from and which it is tested on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from molkern.datasets import Dataset
from molkern.study.extrapolation import Extrapolation, elements_first

__all__ = ["Split", "default_sizes", "make_splits"]

Index = npt.NDArray[np.int64]

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
    """

    fold: int
    seed: int
    train: Index
    test: Index


def make_splits(
    data: Dataset,
    seeds: Sequence[int],
    split: str | None = None,
    property: str | None = None,
) -> tuple[Split, ...]:
    """Splits of a data set: official ones where it has them, else a random hold-out per seed.

    Folds (QM7): the test set is the fold, the training part everything else. Official pairs of
    training and test sets (rMD17): as they are. Else: for each seed one test set of a fifth of the
    structures, 10 000 at most. The order of the training part is a permutation from (seed, fold).

    With ``split`` the test set lies beyond the training part, see `molkern.study.compare`: for each
    seed another order of the training part, and 10 000 structures at most of what lies beyond it.
    ``"heavy_atoms"``: the first structures with each element come first, so that every training
    set has all elements as soon as it has as many structures.

    Parameters
    ----------
    data : Dataset
    seeds : sequence of int
        Non-negative, all different.
    split : str, optional
        ``"heavy_atoms:6"``, ``"energy:0.5"``, or without the number.
    property : str, optional
        Whose energies divide the structures. None: the default target.

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
    n = len(data)
    if n < MIN_STRUCTURES:
        raise ValueError(
            f"data: a learning curve needs at least {MIN_STRUCTURES} structures with a label, "
            f"found {n} in {data.name!r}"
        )
    if not len(seeds) or len(set(seeds)) < len(seeds) or min(seeds) < 0:
        raise ValueError(f"seeds: expected different non-negative integers, found {list(seeds)}")
    if split is not None:
        name = data.default_target if property is None else property
        return _extrapolating(data, seeds, Extrapolation.parse(split, data.structures), name)
    splits = tuple(made for seed in seeds for made in _splits_of_seed(data, int(seed)))
    for made in splits:
        if not len(made.train) or not len(made.test):
            raise ValueError(
                f"data: fold {made.fold} of {data.name!r} has {len(made.train)} training and "
                f"{len(made.test)} test structures with a label"
            )
    return splits


def _extrapolating(
    data: Dataset, seeds: Sequence[int], rule: Extrapolation, name: str
) -> tuple[Split, ...]:
    train, test = rule.parts(data, name)
    splits = []
    for seed in seeds:
        rng = np.random.default_rng(int(seed))
        order = elements_first(train[rng.permutation(len(train))], data.structures)
        drawn = test[rng.permutation(len(test))[:MAX_HOLD_OUT]]
        splits.append(Split(0, int(seed), order, drawn))
    return tuple(splits)


def _splits_of_seed(data: Dataset, seed: int) -> list[Split]:
    n = len(data)
    if data.splits is not None:
        parts = [(np.asarray(train), np.asarray(test)) for train, test in data.splits]
    elif data.folds is not None:
        everything = np.arange(n)
        parts = [(np.setdiff1d(everything, test), np.asarray(test)) for test in data.folds]
    else:
        order = np.random.default_rng(seed).permutation(n)
        n_test = min(MAX_HOLD_OUT, n // 5)
        return [Split(0, seed, order[n_test:], order[:n_test])]
    splits = []
    for fold, (train, test) in enumerate(parts):
        order = np.random.default_rng([seed, fold]).permutation(len(train))
        splits.append(Split(fold, seed, train[order].astype(np.int64), test.astype(np.int64)))
    return splits


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
