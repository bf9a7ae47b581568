"""Coulomb matrices and bags of bonds by qmllib and DScribe, stored for the tests.

    python tests/reference/make_reference.py

Needs qmllib, DScribe and ASE (the environment of benchmarks/peers). Writes coulomb_matrix.npz and
bag_of_bonds.npz beside this file, with the molecules, the parameters and the versions.
"""

import importlib.metadata
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import molecule

NAMES = ["CH3CH2OH", "CH3SH", "HCN", "CH3CONH2", "C5H5N", "H2O", "C2H6CHOH", "CH3CH2SH"]
SIZE = 14
HERE = Path(__file__).resolve().parent
# Largest number of atoms of each element, from which qmllib takes the sizes of its bags.
ELEMENT_COUNTS = {"H": 8, "C": 5, "N": 1, "O": 1, "S": 1}


def distorted():
    rng = np.random.default_rng(20260101)
    for name in NAMES:
        atoms = molecule(name)
        yield atoms.numbers.astype(np.int32), atoms.positions + rng.normal(0, 0.05, (len(atoms), 3))


def main():
    from dscribe.descriptors import CoulombMatrix
    from qmllib import representations as qmllib

    molecules = list(distorted())
    common = {
        "numbers": np.concatenate([z for z, _ in molecules]),
        "positions": np.concatenate([r for _, r in molecules]),
        "offsets": np.cumsum([0] + [len(z) for z, _ in molecules]),
    }
    versions = " ".join(f"{p}={importlib.metadata.version(p)}" for p in ("qmllib", "dscribe"))
    frames = [Atoms(z, positions=r) for z, r in molecules]
    results = {
        "qmllib_row_norm": [
            qmllib.generate_coulomb_matrix(z, r, size=SIZE, sorting="row-norm")
            for z, r in molecules
        ],
        "qmllib_none": [
            qmllib.generate_coulomb_matrix(z, r, size=SIZE, sorting="unsorted")
            for z, r in molecules
        ],
        "qmllib_eigenspectrum": [
            qmllib.generate_coulomb_matrix_eigenvalue(z, r, size=SIZE) for z, r in molecules
        ],
    }
    for ours, theirs in (
        ("row_norm", "sorted_l2"),
        ("none", "none"),
        ("eigenspectrum", "eigenspectrum"),
    ):
        descriptor = CoulombMatrix(n_atoms_max=SIZE, permutation=theirs)
        results[f"dscribe_{ours}"] = descriptor.create(frames)
    np.savez_compressed(
        HERE / "coulomb_matrix.npz",
        **common,
        **{name: np.array(rows) for name, rows in results.items()},
        versions=versions,
    )
    bags = [qmllib.generate_bob(z, r, None, size=SIZE, asize=ELEMENT_COUNTS) for z, r in molecules]
    np.savez_compressed(
        HERE / "bag_of_bonds.npz",
        **common,
        qmllib=np.array(bags),
        elements=np.array(list(ELEMENT_COUNTS)),
        counts=np.array(list(ELEMENT_COUNTS.values())),
        versions=versions,
    )


if __name__ == "__main__":
    main()
