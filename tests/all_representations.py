"""Every representation with every option, for the tests that go over all of them."""

import itertools

from molkern import BagOfBonds, CoulombMatrix

DTYPES = ["float64", "float32"]


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


CASES = [*_coulomb_matrices(), *_bags_of_bonds()]
IDS = [name for name, _, _ in CASES]
MODELS = [(cls, parameters) for _, cls, parameters in CASES]
