"""Atomic environment vectors: every message."""

import numpy as np
import pytest

from aev_definition import ODD, cluster
from molkern import AEV, AEVParameters, _core


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"species": []}, r"species: expected a sequence of .* integers, one or more, found \[\]"),
        ({"species": ["H", 1]}, r"species: expected each of them once, found \['H', 1\]"),
        ({"species": ["Hh"]}, "species: expected a chemical symbol, found 'Hh'"),
        ({"r_cut": 0.0}, r"r_cut: expected a number above 0 to 1e\+06, found 0.0"),
        ({"angular_r_cut": -1}, "angular_r_cut: expected a number above 0"),
        ({"eta": np.nan}, "eta: expected a number above 0 to .*, found nan"),
        ({"angular_eta": np.inf}, "angular_eta: expected a number above 0 to .*, found inf"),
        ({"zeta": 0.5}, r"zeta: expected a number from 1 to 1e\+06, found 0.5"),
        ({"shifts": []}, r"shifts: expected a list of numbers, one or more and finite, found \[\]"),
        ({"angular_shifts": [np.nan]}, "angular_shifts: expected a list of numbers"),
        ({"sections": [[1.0]]}, "sections: expected a list of numbers"),
    ],
)
def test_wrong_parameters_raise(changed, message):
    with pytest.raises(ValueError, match=message):
        AEVParameters(**{**vars(ODD), **changed})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"species": "HC"}, "species: expected a sequence of symbols or integers, found 'HC'"),
        ({"eta": "16"}, "eta: expected a number above 0 to .*, found '16'"),
        ({"r_cut": True}, "r_cut: expected a number above 0 to .*, found True"),
        ({"zeta": None}, "zeta: expected a number from 1 to .*, found None"),
        ({"sections": ["a"]}, r"sections: expected a list of numbers, .* found \['a'\]"),
        ({"shifts": [True]}, r"shifts: expected a list of numbers, .* found \[True\]"),
        ({"shifts": [[1.0], [1.0, 2.0]]}, "shifts: expected a list of numbers"),
    ],
)
def test_parameters_of_wrong_types_raise(changed, message):
    with pytest.raises(TypeError, match=message):
        AEVParameters(**{**vars(ODD), **changed})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"parameters": "ani-3x"}, 'parameters: expected "ani-1x", "ani-2x" or AEVParameters'),
        ({"average": "inner"}, 'average: expected None, "sum" or "mean", found \'inner\''),
        ({"dtype": "int32"}, 'dtype: expected "float64" or "float32", found \'int32\''),
        ({"n_threads": 0}, "n_threads: expected None or an integer from 1 to 4096, found 0"),
        ({"species": ["H", "S"]}, "species: the parameters have no S; they have H, C, N, O"),
    ],
)
def test_wrong_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        AEV(**arguments).fit([cluster()])


def test_wrong_types_raise():
    model = AEV().fit([])
    with pytest.raises(TypeError, match=r"expected Structures, a list of ase\.Atoms"):
        model.transform(3.0)
    with pytest.raises(TypeError, match="out: expected an ndarray, found list"):
        model.transform([cluster()], out=[])
    with pytest.raises(ValueError, match=r"type float64, found .* float32"):
        model.transform([cluster()], out=np.empty((14, 384), np.float32))
    with pytest.raises(ValueError, match="out: expected a writeable C-contiguous"):
        model.transform([cluster()], out=np.empty((14, 384), order="F"))


def test_wrong_structures_raise():
    hydrogen = ([1, 1], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.7]])
    sulphur = ([1, 16], [[0.0, 0.0, 0.0], [0.0, 0.0, 1.3]])
    same = ([1, 1], [[0.0, 0.0, 0.0], [0.0, 0.0, 1e-5]])
    with pytest.raises(ValueError, match="AEV is not fitted: call fit first"):
        AEV().transform([hydrogen])
    with pytest.raises(ValueError, match="species: molecule 1 has S; expected some of H, C, N, O"):
        AEV().fit([hydrogen, sulphur])
    model = AEV().fit([hydrogen])
    with pytest.raises(ValueError, match="species: molecule 1 has S"):
        model.transform([hydrogen, sulphur])
    gX = np.ones((4, 384))
    calls = [model.transform, lambda x: model.vjp(x, gX), model.jacobian]
    for call in calls:
        with pytest.raises(ValueError, match=r"molecule 1 has two atoms .* closer than 0\.001"):
            call([hydrogen, same])
    with pytest.raises(ValueError, match=r"gX: expected shape \(2, 384\), found \(4, 384\)"):
        model.vjp([hydrogen], gX)
    with pytest.raises(ValueError, match="centers: expected ascending rows below 2, found 2"):
        model.transform([hydrogen], centers=[2])
    with pytest.raises(ValueError, match="centers: expected a list of rows, found float64"):
        model.transform([hydrogen], centers=[0.5])


def test_not_fitted_vjp_and_jacobian_raise():
    for call in (lambda m: m.vjp([], np.empty((0, 384))), lambda m: m.jacobian([])):
        with pytest.raises(ValueError, match="AEV is not fitted: call fit first"):
            call(AEV())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"species": np.array([], np.int32)}, "species: expected at least one"),
        ({"species": np.array([1, 8, 1], np.int32)}, "species: expected different ones"),
        (
            {"species": np.array([[1]], np.int32)},
            r"species: expected shape \(any,\), found \(1, 1\)",
        ),
        ({"r_cut": -1.0}, "r_cut: expected a positive number, found -1"),
        ({"eta": np.nan}, "eta: expected a positive number, found"),
        ({"angular_r_cut": np.inf}, "angular_r_cut: expected a positive number, found inf"),
        ({"angular_eta": 0.0}, "angular_eta: expected a positive number, found 0"),
        ({"zeta": 0.5}, "zeta: expected a number of 1 or more, found 0.5"),
        ({"shifts": np.array([])}, "shifts: expected at least one"),
        ({"sections": np.array(1.0)}, r"sections: expected shape \(any,\), found \(\)"),
    ],
)
def test_wrong_arguments_of_the_compiled_kernel_raise(changed, message):
    arguments = vars(ODD) | {
        name: np.array(getattr(ODD, name)) for name in ("shifts", "angular_shifts", "sections")
    }
    arguments |= {"species": np.array(ODD.species, np.int32)}
    _core.aev_kernel(**arguments)
    with pytest.raises(ValueError, match=message):
        _core.aev_kernel(**{**arguments, **changed})
