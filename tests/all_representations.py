"""Every representation with every option, for the tests that go over all of them."""

import itertools

import numpy as np
import pytest

from acsf_definition import GRIDS, OPTIONS
from aev_definition import ODD
from molkern import ACSF, AEV, SOAP, AEVParameters, BagOfBonds, CoulombMatrix
from molkern.structures import as_structures
from soap_definition import SMALL

DTYPES = ["float64", "float32"]
# What the molecules of the tests are made of; ANI-2x knows no more than F and Cl besides.
ELEMENTS = [1, 6, 7, 8, 16]


def _coulomb_matrices():
    for permutation, unit in itertools.product(
        ["row_norm", "random", "eigenspectrum", "none"], ["bohr", "angstrom"]
    ):
        parameters = {"permutation": permutation, "length_unit": unit}
        if permutation == "random":
            parameters |= {"n_copies": 3, "random_state": 7, "noise": 0.5}
        yield f"CoulombMatrix-{permutation}-{unit}", CoulombMatrix, parameters


def _bags_of_bonds():
    for unit in ("bohr", "angstrom"):
        yield f"BagOfBonds-{unit}", BagOfBonds, {"length_unit": unit}


def _symmetry_functions():
    # Each function once, so that names are unique.
    kinds = OPTIONS | {"g5": OPTIONS["g5"][:2]}
    yield "ACSF-atoms", ACSF, kinds
    yield "ACSF-sum-tanh3", ACSF, kinds | {"average": "sum", "cutoff_function": "tanh3"}
    yield "ACSF-mean-polynomial", ACSF, GRIDS | {"average": "mean", "cutoff_function": "polynomial"}


def _environment_vectors():
    own = AEVParameters(**{**vars(ODD), "species": ELEMENTS})
    yield "AEV-atoms", AEV, {"parameters": own}
    yield "AEV-ani-2x-sum", AEV, {"parameters": "ani-2x", "average": "sum"}
    yield "AEV-mean", AEV, {"parameters": own, "average": "mean", "species": ELEMENTS}


def _power_spectra():
    def case(average, basis, function, **more):
        options = {"radial_basis": basis, "cutoff_function": function, "average": average} | more
        names = (average or "atoms", basis, function or "jump", more.get("compression"))
        return f"SOAP-{'-'.join(filter(None, names))}", SOAP, SMALL | options

    yield case(None, "gto", None)
    yield case(None, "polynomial", "cosine")
    yield case("sum", "gto", "tanh3")
    yield case("mean", "polynomial", None)
    yield case("inner", "gto", "polynomial")
    weights = {"function": "poly", "r0": 3.5, "c": 1.2, "m": 2.0}
    yield case(None, "laplacian_eigenstates", "cosine", normalize=True)
    yield case("sum", "gto", "cosine", compression="mu1nu1", weighting=weights)
    yield case("mean", "gto", None, compression="mu2", normalize=True)
    yield case("inner", "laplacian_eigenstates", "tanh3", compression="crossover")


GLOBAL_CASES = [*_coulomb_matrices(), *_bags_of_bonds()]
LOCAL_CASES = [*_symmetry_functions(), *_environment_vectors(), *_power_spectra()]
CASES = [*GLOBAL_CASES, *LOCAL_CASES]
IDS = [name for name, _, _ in CASES]
MODELS = [(cls, parameters) for _, cls, parameters in CASES]


def _over(cases):
    models = [(cls, parameters) for _, cls, parameters in cases]
    return pytest.mark.parametrize(
        ("cls", "parameters"), models, ids=[name for name, _, _ in cases]
    )


every_model = _over(CASES)
every_local_model = _over(LOCAL_CASES)
every_atomic_model = _over([c for c in LOCAL_CASES if c[2].get("average") is None])


def is_local(cls):
    return cls in (ACSF, AEV, SOAP)


def is_atomic(model):
    """Whether the rows are atoms."""
    return is_local(type(model)) and model.average is None


def rows_of(model, structures, index):
    """Rows of the result that belong to the structures of an index."""
    chosen = np.arange(len(structures))[index]
    if not is_atomic(model):
        return chosen
    first = structures.offsets
    return np.concatenate([np.arange(first[k], first[k + 1]) for k in np.atleast_1d(chosen)])


def n_rows(model, structures):
    batch = as_structures(structures)
    return batch.n_atoms if is_atomic(model) else len(batch)


def cotangent(model, structures, seed=0):
    shape = (n_rows(model, structures), model.n_features_out_)
    return np.random.default_rng(seed).normal(size=shape)
