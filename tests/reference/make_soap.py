"""SOAP by DScribe, a part of the project's reference numbers, stored for the tests.

    python tests/reference/make_soap.py FOLDER

FOLDER holds inputs.npz, dscribe.npz and params.json. Writes soap.npz beside this file, with the
molecules and the version. Needs ASE, for the periodic structure.
"""

import json
import sys
from pathlib import Path

import numpy as np
from ase.build import bulk

SMALL = [3, 5, 21, 23]  # all atoms, n_max 4, l_max 3
LARGE = [5, 21]  # the first three atoms, n_max 8, l_max 6
GRADIENTS = [3, 20, 21]  # n_max 3, l_max 2
HERE = Path(__file__).resolve().parent


def main():
    folder = Path(sys.argv[1])
    versions = json.loads((folder / "params.json").read_text())["versions"]
    inputs, rows = np.load(folder / "inputs.npz"), np.load(folder / "dscribe.npz")
    diamond = bulk("C", "diamond", a=3.567, cubic=True)
    diamond.rattle(0.05, seed=1)
    parts = {f"small/{m}": rows[f"soap_gto_small/{m}"] for m in SMALL}
    parts |= {f"mean/{m}": rows[f"soap_gto_small_outer/{m}"] for m in SMALL}
    parts |= {f"inner/{m}": rows[f"soap_gto_small_inner/{m}"] for m in SMALL}
    parts |= {f"large/{m}": rows[f"soap_gto/{m}"] for m in LARGE}
    parts |= {f"small_polynomial/{m}": rows[f"soap_polynomial_small/{m}"] for m in SMALL[-2:]}
    parts |= {"large_polynomial/21": rows["soap_polynomial/21"]}
    parts |= {f"gradients/{m}": rows[f"soap_gto_grad/{m}"] for m in GRADIENTS}
    for m in {*SMALL, *LARGE, *GRADIENTS}:
        parts |= {f"numbers/{m}": inputs[f"Z/{m}"], f"positions/{m}": inputs[f"R/{m}"]}
    np.savez_compressed(
        HERE / "soap.npz",
        **parts,
        diamond_positions=diamond.positions,
        diamond_cell=diamond.cell.array,
        diamond=rows["soap_gto_periodic/diamond"],
        version=f"dscribe={versions['dscribe']}",
    )


if __name__ == "__main__":
    main()
