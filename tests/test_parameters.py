"""What users give as parameters, over all representations: types, nothing to fit, no fit."""

import re

import numpy as np
import pytest
from sklearn.utils.validation import check_is_fitted

import molkern as mk
from all_representations import every_local_model, every_model, is_local
from molkern import ACSF, AEV, SOAP, BagOfBonds, CoulombMatrix, NotFittedError, kernels
from molkern.neighbors import neighbor_list

WATER = [([8, 1, 1], [[0.0, 0.0, 0.12], [0.0, 0.76, -0.48], [0.0, -0.76, -0.48]])]
NO_NUMBERS = (True, "1", None, [1.0], 1j, np.bool_(True))
# Class, other parameters, parameter, what is expected of it.
NUMBERS = [
    (SOAP, {}, "r_cut", "a number above 1"),
    (SOAP, {}, "sigma", "a number above 0"),
    (SOAP, {}, "n_max", "an integer of 1 or more"),
    (SOAP, {}, "l_max", "an integer from 0 to 30"),
    (ACSF, {}, "r_cut", "a number above 0"),
    (CoulombMatrix, {}, "size", "an integer of 0 or more"),
    (CoulombMatrix, {"permutation": "random"}, "n_copies", "an integer of 1 or more"),
    (CoulombMatrix, {"permutation": "random"}, "noise", "a number of 0 or more"),
    (CoulombMatrix, {"permutation": "random"}, "random_state", "an integer of 0 or more"),
    *((cls, {}, "n_threads", "None or an integer from 1 to 4096")
      for cls in (SOAP, ACSF, AEV, CoulombMatrix, BagOfBonds)),
]  # fmt: skip


@pytest.mark.parametrize(("cls", "others", "name", "expected"), NUMBERS)
def test_types_of_numbers(cls, others, name, expected):
    default = cls().get_params()[name]
    wrong = [value for value in NO_NUMBERS if value is not None or default is not None]
    for value in [*wrong, 8.5, np.float64(2.0)] if "integer" in expected else wrong:
        message = re.escape(f"{name}: expected {expected}, found {value!r}")
        with pytest.raises(TypeError, match=message):
            cls(**others, **{name: value}).fit(WATER)
    # Scalars of NumPy are numbers.
    rows = cls(**others, **{name: 4}).fit_transform(WATER)
    if name != "random_state":  # the same noise
        cls(**others, **{name: np.int16(4)}).fit(WATER)
    same = cls(**others, **{name: np.uint8(4)}).fit_transform(WATER)
    assert same.shape == rows.shape
    if "integer" not in expected:
        cls(**others, **{name: np.float32(4)}).fit(WATER)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"g1": 1}, "g1: expected True or False, found 1"),
        ({"g2": 4.0}, r"g2: expected a sequence of \(eta, r_s\) or None, found 4\.0"),
        ({"g2": [("1", 2.0)]}, "g2: eta: expected a number of 0 or more, found '1'"),
        ({"g3": "12"}, "g3: expected a sequence of kappa or None, found '12'"),
        ({"g3": ["a"]}, "g3: kappa: expected a number of 0 or more, found 'a'"),
        ({"g4": True}, r"g4: expected a sequence of \(eta, zeta, lambda_\) or None, found True"),
        ({"g5": [(0.1, 1, None)]}, "g5: lambda_: expected a number from -1 to 1, found None"),
    ],
)
def test_types_of_symmetry_functions(options, message):
    with pytest.raises(TypeError, match=message):
        ACSF(**options).fit(WATER)


def test_types_of_rules():
    with pytest.raises(TypeError, match="r_upper: expected a number of 0 or more, found 'far'"):
        ACSF.from_rule("gastegger2018", 2, r_lower=1.0, r_upper="far")
    with pytest.raises(TypeError, match=r"n: expected an integer of 2 or more, found 2\.0"):
        ACSF.from_rule("imbalzano2018", 2.0)


@pytest.mark.parametrize("cls", [SOAP, ACSF, AEV])
def test_species_are_a_sequence(cls):
    for wrong in (6, np.int64(6), "C", b"C", True, {"H": 1}, np.array(8), (z for z in (1, 8))):
        with pytest.raises(
            TypeError, match="species: expected a sequence of symbols or integers, found"
        ):
            cls(species=wrong).fit(WATER)
    with pytest.raises(
        ValueError, match="species: expected a sequence of symbols or integers, one or more, found"
    ):
        cls(species=[]).fit(WATER)
    for item in (True, 1.0, None, [1], np.float64(8)):
        with pytest.raises(
            TypeError, match="species: expected a chemical symbol or a positive integer, found"
        ):
            cls(species=["H", item]).fit(WATER)
    for same in (("O", 1), {8, 1}, np.array([1, 8]), ["H", np.int8(8)]):
        assert cls(species=same).fit(WATER).species_.tolist() == [1, 8]


@pytest.mark.parametrize(
    "kernel",
    [
        lambda sigma: kernels.gaussian(np.eye(3), sigma=sigma),
        lambda sigma: kernels.laplacian(np.eye(3), sigma=sigma),
        lambda sigma: kernels.local.gaussian(np.eye(3), WATER, sigma=sigma),
    ],
)
def test_types_of_widths(kernel):
    for wrong in (True, "1", None, 1j, [True], [1.0, "2"], [None], {"sigma": 1}, [[1.0], []]):
        with pytest.raises(TypeError, match="sigma: expected a number or a sequence of them, f"):
            kernel(wrong)
    for same in (np.float32(2), np.int64(2), np.array(2)):
        np.testing.assert_array_equal(kernel(same), kernel(2.0))


def test_types_of_polynomials():
    for name, expected in (
        ("degree", "an integer from 1 to 2147483647"),
        ("scale", "a number above 0"),
        ("offset", "a number of 0 or more"),
    ):
        for wrong in NO_NUMBERS:
            with pytest.raises(TypeError, match=re.escape(f"{name}: expected {expected}, found")):
                kernels.polynomial(np.eye(3), **{name: wrong})


@pytest.mark.parametrize("cls", [CoulombMatrix, BagOfBonds])
def test_length_unit_of_another_type(cls):
    for wrong in (["bohr"], 1.0, None):
        with pytest.raises(ValueError, match='length_unit: expected "bohr" or "angstrom", found'):
            cls(length_unit=wrong).fit(WATER)


@every_model
def test_before_fit(cls, parameters):
    model = cls(**parameters)
    for ask in (
        lambda: model.n_features_out_,
        model.get_feature_names_out,
        lambda: model.transform(WATER),
        lambda: model.jacobian(WATER),
        lambda: model.vjp(WATER, np.ones((1, 1))),
    ):
        # As scikit-learn's error does, it counts as both.
        for kind in (NotFittedError, ValueError, AttributeError):
            with pytest.raises(kind, match=f"^{cls.__name__} is not fitted: call fit first$"):
                ask()
    assert not hasattr(model, "n_features_out_")
    with pytest.raises(Exception, match="not fitted yet"):
        check_is_fitted(model)
    assert model.fit(WATER).n_features_out_ == len(model.get_feature_names_out())


def test_regression_before_fit():
    with pytest.raises(NotFittedError, match="KernelRidge is not fitted: call fit first"):
        mk.regression.KernelRidge().predict(np.eye(3))


@pytest.mark.parametrize("empty", [[], [([], [])]])
@every_model
def test_nothing_to_learn_from(cls, parameters, empty):
    """Clear where something has to be learnt, fine where it is given."""
    learnt = "size" if cls is CoulombMatrix else "bags" if cls is BagOfBonds else "species"
    if cls is not AEV and parameters.get("species") is None:
        message = (
            f"structures: expected atoms to learn {learnt} from, found {len(empty)} structures"
        )
        for call in (cls(**parameters).fit, cls(**parameters).fit_transform):
            with pytest.raises(ValueError, match=f"{message} without any; or give {learnt}"):
                call(empty)
    given = {"size": 3, "bags": {"H": 2, "H-H": 1}, "species": [1, 8]}[learnt]
    if cls is AEV:
        given = parameters.get("species")
    model = cls(**parameters | {learnt: given}).fit(empty)
    atomic = is_local(cls) and parameters.get("average") is None
    assert model.n_features_out_ > 0
    rows = model.transform(empty)
    assert rows.shape == (0 if atomic else len(empty), model.n_features_out_)
    assert not rows.any()


@every_local_model
def test_parameters_that_are_kept_do_not_change(cls, parameters):
    before = repr(parameters)
    model = cls(**parameters).fit(WATER)
    model.transform(WATER)
    assert repr(parameters) == before
    assert all(model.get_params()[name] is value for name, value in parameters.items())


def test_wrong_types_are_named():
    water = [([8, 1, 1], np.eye(3))]
    model = mk.ACSF(g2=[(1.0, 1.0)]).fit(water)
    X = model.transform(water)
    with pytest.raises(TypeError, match="strain: expected True or False, found 'no'"):
        model.vjp(water, X, strain="no")
    with pytest.raises(TypeError, match="compact: expected True or False, found 'no'"):
        model.jacobian(water, compact="no")
    with pytest.raises(ValueError, match=r"average: expected None, .* found \['sum'\]"):
        mk.ACSF(g2=[(1.0, 1.0)], average=["sum"]).fit(water)
    for r_cut in (None, "5", [5.0], True):
        with pytest.raises(TypeError, match="r_cut: expected a number, found"):
            neighbor_list(water, r_cut)
