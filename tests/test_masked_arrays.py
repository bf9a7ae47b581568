"""A masked value is a missing one: arrays with a mask are refused wherever they enter."""

from types import SimpleNamespace

import numpy as np
import pytest

import molkern as mk
from all_representations import every_local_model, every_model
from molkern import kernels
from molkern.regression import (
    DeviceKernelRidge,
    KernelRidge,
    fit_baseline,
    predict_in_blocks,
    solve,
    tune,
)

FOUND = "expected no masked values, found one in"
WATER = ([8, 1, 1], [[0.0, 0.0, 0.12], [0.0, 0.76, -0.48], [0.0, -0.76, -0.48]])
METHANE = ([6, 1, 1, 1, 1], np.vstack([np.zeros(3), 1.09 * np.eye(3), [[-0.6, -0.6, -0.6]]]))
BATCH = mk.Structures.from_arrays([WATER, METHANE])


def masked(values, *index):
    """The values with one of them masked, and 1e20 (or a large integer) below the mask."""
    array = np.ma.array(values, copy=True)
    array[index] = 99 if array.dtype.kind in "iu" else 1e20 if array.dtype.kind == "f" else True
    array[index] = np.ma.masked
    return array


def refused(name, place):
    return pytest.raises(ValueError, match=f"^{name}: {FOUND} {place}; leave it out")


STRUCTURES = {
    "numbers": (masked(BATCH.numbers, 4), "atom 1 of structure 1"),
    "positions": (masked(BATCH.positions, 1, 2), "atom 1 of structure 0"),
    "offsets": (masked(BATCH.offsets, 1), "row 1"),
    "cells": (masked(np.stack([np.eye(3)] * 2), 1, 0, 0), "structure 1"),
    "pbc": (masked(np.ones((2, 3), bool), 0, 1), "structure 0"),
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_structures(name):
    arrays = {
        "numbers": BATCH.numbers,
        "positions": BATCH.positions,
        "offsets": BATCH.offsets,
        "cells": np.stack([np.eye(3)] * 2),
        "pbc": np.ones((2, 3), bool),
    }
    array, place = STRUCTURES[name]
    with refused(name, place):
        mk.Structures(**arrays | {name: array})
    # Nothing is masked in an array of the same class.
    same = mk.Structures(**arrays | {name: np.ma.array(arrays[name])})
    assert same == mk.Structures(**arrays)
    assert type(getattr(same, name)) is np.ndarray


@pytest.mark.parametrize(
    ("pair", "name", "place"),
    [
        ((masked(np.array([8, 1, 1]), 1), WATER[1]), "numbers", "atom 1 of structure 1"),
        (([8, np.ma.masked, 1], WATER[1]), "numbers", "atom 1 of structure 1"),
        ((WATER[0], masked(np.array(WATER[1]), 2, 0)), "positions", "atom 2 of structure 1"),
        ((WATER[0], [*masked(np.array(WATER[1]), 2, 0)]), "positions", "atom 2 of structure 1"),
        ((masked(np.array(["O", "H", "H"]), 0), WATER[1]), "numbers", "atom 0 of structure 1"),
    ],
)
def test_pairs(pair, name, place):
    with refused(name, place):
        mk.Structures.from_arrays([METHANE, pair])
    with refused(name, place):
        mk.BagOfBonds().fit([METHANE, pair])
    with refused(name, place):
        mk.neighbors.neighbor_list([METHANE, pair], 2.0)


def test_pairs_without_a_set_mask():
    plain = mk.Structures.from_arrays([METHANE, WATER])
    wrapped = [(np.ma.array(z), np.ma.array(r)) for z, r in (METHANE, WATER)]
    assert mk.Structures.from_arrays(wrapped) == plain


def test_frames():
    frame = SimpleNamespace(
        numbers=[1], positions=[[0.0, 0.0, 0.0]], cell=np.eye(3), pbc=[True] * 3
    )
    for name, change in (
        ("cells", {"cell": masked(np.eye(3), 0, 0)}),
        ("pbc", {"pbc": masked(np.ones(3, bool), 2)}),
    ):
        other = SimpleNamespace(**vars(frame) | change)
        with refused(name, "structure 1"):
            mk.Structures.from_ase([frame, other])
    other = SimpleNamespace(**vars(frame) | {"positions": masked(np.zeros((1, 3)), 0, 0)})
    with refused("positions", "atom 0 of structure 1"):
        mk.Structures.from_ase([frame, other])


def test_index():
    with refused("index", "row 1"):
        BATCH[masked(np.array([0, 1]), 1)]


class Variable:
    """As variables of netCDF files: a masked array comes out of it."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array


X = np.random.default_rng(0).normal(size=(8, 3))
ROWS = [
    masked(X, 5, 1),
    [*masked(X, 5, 1)],
    tuple(masked(X, 5, 1)),
    Variable(masked(X, 5, 1)),
    masked(X.astype("float32"), 5, 1),
    masked((10 * X).astype(int), 5, 1),
]


@pytest.mark.parametrize("rows", ROWS)
def test_rows_of_kernels(rows):
    calls = [
        lambda x, y=None: kernels.gaussian(x, y, sigma=1.0),
        lambda x, y=None: kernels.laplacian(x, y, sigma=1.0),
        kernels.linear,
        kernels.polynomial,
        kernels.euclidean_distances,
        kernels.manhattan_distances,
        lambda x, y=None: kernels.local.gaussian(x, BATCH, y, y and BATCH, sigma=1.0),
        lambda x, y=None: kernels.local.polynomial(x, BATCH, y, y and BATCH),
    ]
    for call in calls[:6]:
        with refused("Y", "row 5"):
            call(X, rows)
    for call in calls:
        with refused("X", "row 5"):
            call(rows)
    with refused("Y", "row 5"):
        kernels.local.gaussian(X, BATCH, rows, BATCH, sigma=1.0)
    with refused("X", "row 5"):
        kernels.local.gaussian_diagonal(rows, BATCH, sigma=1.0)


def test_other_arguments_of_kernels():
    with refused("sigma", "row 1"):
        kernels.gaussian(X, sigma=masked(np.ones(2), 1))
    with refused("sigma", "row 1"):
        kernels.laplacian(X, sigma=[1.0, np.ma.masked])
    with pytest.raises(ValueError, match=r"^sigma: expected no masked values, found one; leave"):
        kernels.laplacian(X, sigma=np.ma.masked)
    with refused("distances", "row 0"):
        kernels.from_distances(masked(np.ones((2, 2)), 0, 1), kernel="laplacian", sigma=1.0)
    with refused("out", "row 7"):
        kernels.gaussian(X, sigma=1.0, out=masked(np.ones((8, 8)), 7, 0))
    same = kernels.gaussian(np.ma.array(X), sigma=np.ma.array([1.0]))
    np.testing.assert_array_equal(same, kernels.gaussian(X, sigma=[1.0]))
    assert type(same) is np.ndarray


def test_regression():
    y = X[:, 0] + 1.0
    model = KernelRidge(sigma=1.0, alpha=1e-6).fit(X, y)
    expected = model.predict(X)
    hidden = masked(y, 3)
    objects = y.astype(object)
    objects[3] = np.ma.masked
    for labels in (hidden, [*hidden], tuple(hidden), Variable(hidden), objects, hidden[:, None]):
        for call in (model.fit, model.score):
            with refused("y", "row 3"):
                call(X, labels)
    for rows in ROWS:
        for call in (lambda X: model.fit(X, y), model.predict, lambda X: model.score(X, y)):
            with refused("X", "row 5"):
                call(rows)
    for name in ("sigma", "alpha"):
        with refused(name, "row 0"):
            KernelRidge(**{name: masked(np.ones(2), 0)}).fit(X, y)
    model.fit(np.ma.array(X), np.ma.array(y))
    np.testing.assert_array_equal(model.predict(np.ma.array(X)), expected)


def test_regression_on_a_device():
    model = DeviceKernelRidge(sigma=1.0)
    with refused("X", "row 5"):
        model.fit(masked(X, 5, 1), X[:, 0])


def test_parts_of_regression():
    y, K = np.ones((4, 1)), np.eye(4)
    with refused("y", "row 2"):
        fit_baseline("mean", masked(y, 2, 0))
    with refused("counts", "row 2"):
        fit_baseline("elements", y, masked(np.ones((4, 2)), 2, 0))
    with refused("y", "row 2"):
        tune(lambda m, sigma: K[:m, :m], masked(y, 2, 0), sigmas=[1.0], cv=2)
    with refused("gram", "row 1"):
        solve(masked(K, 1, 0), y, 1.0)
    with refused("coefficients", "row 3"):
        predict_in_blocks(lambda rows: K[rows], 4, masked(y, 3, 0))


@every_model
def test_cotangents(cls, parameters):
    model = cls(**parameters)
    features = model.fit_transform(BATCH)
    cotangent = np.ones(features.shape)
    gradient = model.vjp(BATCH, cotangent)
    for dtype in ("float64", "float32"):
        with refused("gX", "row 1"):
            model.vjp(BATCH, masked(cotangent.astype(dtype), 1, 0))
    np.testing.assert_array_equal(model.vjp(BATCH, np.ma.array(cotangent)), gradient)
    with refused("out", "row 0"):
        model.transform(BATCH, out=masked(features, 0, 0))


@every_local_model
def test_centers(cls, parameters):
    model = cls(**parameters).fit(BATCH)
    for call in (model.transform, model.jacobian):
        with refused("centers", "row 1"):
            call(BATCH, centers=masked(np.array([0, 1]), 1))


@pytest.mark.parametrize("cls", [mk.SOAP, mk.ACSF])
def test_species(cls):
    with refused("species", "row 1"):
        cls(species=masked(np.array([1, 6, 8]), 1)).fit(BATCH)
    assert cls(species=np.ma.array([1, 6, 8])).fit(BATCH).species_.tolist() == [1, 6, 8]
