"""Symmetry functions by DScribe, a part of the project's reference numbers, stored for the tests.

    python tests/reference/make_acsf.py FOLDER

FOLDER holds inputs.npz, dscribe.npz and params.json. Writes acsf.npz beside this file, with the
molecules, the parameters and the version. Needs ASE, for the periodic structure.
"""

import json
import sys
from pathlib import Path

import numpy as np
from ase.build import bulk

MOLECULES = [3, 0, 5, 20, 21, 22, 23, 4]  # hydrogen to sulphur, up to 23 atoms
HERE = Path(__file__).resolve().parent


def main():
    folder = Path(sys.argv[1])
    parameters = json.loads((folder / "params.json").read_text())
    inputs, rows = np.load(folder / "inputs.npz"), np.load(folder / "dscribe.npz")
    diamond = bulk("C", "diamond", a=3.567, cubic=True)
    diamond.rattle(0.05, seed=1)
    chosen = [m for m in MOLECULES if f"acsf_g3g5/{m}" in rows]
    np.savez_compressed(
        HERE / "acsf.npz",
        numbers=np.concatenate([inputs[f"Z/{m}"] for m in MOLECULES]).astype(np.int32),
        positions=np.concatenate([inputs[f"R/{m}"] for m in MOLECULES]),
        offsets=np.cumsum([0] + [len(inputs[f"Z/{m}"]) for m in MOLECULES]),
        g2_g4=np.concatenate([rows[f"acsf/{m}"] for m in MOLECULES]),
        g3_g5=np.concatenate([rows[f"acsf_g3g5/{m}"] for m in chosen]),
        diamond_positions=diamond.positions,
        diamond_cell=diamond.cell.array,
        diamond=rows["acsf_periodic/diamond"],
        g2=np.array(parameters["dscribe"]["acsf"]["g2_params"]),
        g4=np.array(parameters["dscribe"]["acsf"]["g4_params"], dtype=float),
        version=f"dscribe={parameters['versions']['dscribe']}",
    )


if __name__ == "__main__":
    main()
