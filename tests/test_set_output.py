"""Containers of features: pandas, polars, and features with their structures."""

import copy
import pickle
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler

import molkern as mk
from all_representations import cotangent, every_model, is_atomic, n_rows
from molkern.regression import Features, KernelRidge


@every_model
def test_frames(cls, parameters, structures):
    model = cls(**parameters)
    X = cls(**parameters).fit_transform(structures)
    assert model.set_output(transform="pandas") is model
    for frame in (model.fit_transform(structures), model.transform(list(structures))):
        assert type(frame) is pd.DataFrame
        np.testing.assert_array_equal(frame.to_numpy(), X)
        assert list(frame.columns) == list(model.get_feature_names_out())
        assert frame.index.equals(pd.RangeIndex(n_rows(model, structures)))
        assert set(frame.dtypes) == {X.dtype}
    # Derivatives stay arrays.
    plain = cls(**parameters).fit(structures)
    gX = cotangent(plain, structures)
    np.testing.assert_array_equal(model.vjp(structures, gX), plain.vjp(structures, gX))
    found, expected = model.jacobian(structures[:3]), plain.jacobian(structures[:3])
    np.testing.assert_array_equal(found.values, expected.values)


@every_model
def test_features(cls, parameters, structures):
    model = cls(**parameters).set_output(transform="features")
    features = model.fit_transform(structures)
    assert type(features) is Features
    assert features.structures is structures
    assert features.rows == ("atoms" if is_atomic(model) else "structures")
    np.testing.assert_array_equal(features.X, cls(**parameters).fit_transform(structures))


def test_polars(structures):
    pl = pytest.importorskip("polars")
    model = mk.BagOfBonds(dtype="float32").set_output(transform="polars")
    frame = model.fit_transform(structures)
    assert isinstance(frame, pl.DataFrame)
    assert frame.columns == model.get_feature_names_out().tolist()
    X = mk.BagOfBonds(dtype="float32").fit_transform(structures)
    np.testing.assert_array_equal(frame.to_numpy(), X)
    assert set(frame.dtypes) == {pl.Float32}


def test_polars_is_called_as_it_wants(structures, monkeypatch):
    monkeypatch.setitem(sys.modules, "polars", SimpleNamespace(DataFrame=lambda *a, **k: (a, k)))
    model = mk.CoulombMatrix(size=23).set_output(transform="polars")
    (array,), options = model.fit_transform(structures)
    assert array.shape == (len(structures), 276)
    assert options == {"schema": model.get_feature_names_out().tolist(), "orient": "row"}


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_missing_library(library, structures, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    model = mk.BagOfBonds().set_output(transform=library)
    with pytest.raises(ImportError, match=rf'set_output\(transform="{library}"\) needs {library}'):
        model.fit_transform(structures)


def test_setting_is_changed_and_kept(structures):
    model = mk.BagOfBonds()
    assert type(model.fit_transform(structures)) is np.ndarray
    model.set_output(transform="pandas")
    assert model.set_output() is model.set_output(transform=None) is model
    for other in (clone(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert type(other.fit_transform(structures)) is pd.DataFrame
    assert (
        type(clone(model.set_output(transform="default")).fit_transform(structures)) is np.ndarray
    )
    copied = clone(model.set_output(transform="features")).set_output(transform="default")
    assert type(copied.fit_transform(structures)) is np.ndarray
    assert type(model.fit_transform(structures)) is Features
    for wrong in ("arrow", "Pandas", 1, ["pandas"], True):
        with pytest.raises(
            ValueError, match=r'transform: expected "default", "pandas", "polars", "f'
        ):
            model.set_output(transform=wrong)


def test_out_is_filled_and_returned_in_the_container(structures):
    model = mk.BagOfBonds().fit(structures)
    X = model.transform(structures)
    out = np.full_like(X, np.nan)
    frame = model.set_output(transform="pandas").transform(structures, out=out)
    np.testing.assert_array_equal(out, X)
    assert np.shares_memory(frame.to_numpy(), out)
    soap = mk.SOAP(r_cut=3.0, n_max=2, l_max=1).set_output(transform="features").fit(structures)
    out = np.empty((structures.n_atoms, soap.n_features_out_))
    assert soap.transform(structures, out=out).X is out


def test_centers(structures):
    model = mk.ACSF(r_cut=3.0, g2=[(1.0, 1.0)])
    centers = [0, 2]
    X = model.fit(structures).transform(structures, centers=centers)
    frame = model.set_output(transform="pandas").transform(structures, centers=centers)
    np.testing.assert_array_equal(frame.to_numpy(), X)
    model.set_output(transform="features")
    with pytest.raises(
        ValueError, match=r'centers: expected None with set_output\(transform="feat'
    ):
        model.transform(structures, centers=centers)
    sums = mk.ACSF(r_cut=3.0, g2=[(1.0, 1.0)], average="sum").set_output(transform="features")
    assert sums.fit(structures).transform(structures, centers=centers).rows == "structures"


def test_pipelines(structures):
    X = mk.BagOfBonds().fit_transform(structures)
    expected = StandardScaler().fit_transform(X)
    pipeline = make_pipeline(mk.BagOfBonds(), StandardScaler()).set_output(transform="pandas")
    for made in (pipeline, clone(pipeline)):
        frame = made.fit_transform(structures)
        assert type(frame) is pd.DataFrame
        np.testing.assert_allclose(frame.to_numpy(), expected)
        assert list(frame.columns) == list(made[0].get_feature_names_out())
    assert type(pipeline.set_output(transform="default").fit_transform(structures)) is np.ndarray
    union = FeatureUnion([("bags", mk.BagOfBonds()), ("matrix", mk.CoulombMatrix())])
    frame = union.set_output(transform="pandas").fit_transform(structures)
    assert list(frame.columns) == list(union.get_feature_names_out())
    y = np.arange(len(structures))
    model = make_pipeline(mk.BagOfBonds(), KernelRidge(sigma=10.0, alpha=1e-8))
    predicted = model.fit(structures, y).predict(structures)
    for transform in ("pandas", "features"):
        model.set_output(transform=transform).fit(structures, y)
        np.testing.assert_array_equal(model.predict(structures), predicted)


def test_setting_of_scikit_learn(structures):
    model = mk.BagOfBonds()
    X = model.fit_transform(structures)
    own = mk.BagOfBonds().set_output(transform="default")
    with sklearn.config_context(transform_output="pandas"):
        frame = model.transform(structures)
        assert type(frame) is pd.DataFrame
        assert type(model.fit_transform(structures)) is pd.DataFrame
        assert type(own.fit_transform(structures)) is np.ndarray
    np.testing.assert_array_equal(frame.to_numpy(), X)
    assert type(model.transform(structures)) is np.ndarray


def test_neither_library_is_imported():
    code = (
        "import sys, molkern as mk\n"
        "water = [([8, 1, 1], [[0.0, 0, 0], [1.0, 0, 0], [0, 1.0, 0]])]\n"
        "mk.SOAP(r_cut=3.0).fit_transform(water)\n"
        "mk.BagOfBonds().set_output(transform='features').fit_transform(water)\n"
        "assert not {'sklearn', 'pandas', 'polars', 'scipy'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
