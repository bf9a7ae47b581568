"""A local kernel of FCHL19 features by qmllib, stored for the tests.

    python tests/reference/make_local_kernels.py

Needs qmllib and ASE. Writes local_kernels.npz beside this file: numbers and offsets of the
molecules (as ASE builds them), the features of their atoms, the kernel, its width, the version.
"""

import importlib.metadata
from pathlib import Path

import numpy as np
from ase.build import molecule
from qmllib.kernels import get_local_kernel
from qmllib.representations import generate_fchl19

NAMES = ["CH3CH2OH", "CH3SH", "HCN", "H2O", "CH4", "CO2", "H2"]
SIGMA = 2.0


def main():
    molecules = [(atoms.numbers, atoms.positions) for atoms in map(molecule, NAMES)]
    largest = max(len(z) for z, _ in molecules)
    padded = np.array(
        [
            generate_fchl19(z, r, elements=[1, 6, 7, 8, 16], pad=largest, nRs2=6, nRs3=4)
            for z, r in molecules
        ]
    )
    numbers = [z for z, _ in molecules]
    K = get_local_kernel(padded, padded, numbers, numbers, SIGMA)
    np.savez_compressed(
        Path(__file__).resolve().parent / "local_kernels.npz",
        numbers=np.concatenate(numbers),
        offsets=np.cumsum([0] + [len(z) for z in numbers]),
        X=np.concatenate([x[: len(z)] for x, z in zip(padded, numbers, strict=True)]),
        K=K,
        sigma=SIGMA,
        version=f"qmllib={importlib.metadata.version('qmllib')}",
    )


if __name__ == "__main__":
    main()
