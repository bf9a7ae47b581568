"""Atomic environment vectors by torchani, stored for the tests.

    python tests/reference/make_aev.py FOLDER

FOLDER holds inputs.npz (molecules of QM7), torchani.npz (torchani's float64 features of them,
`AEVComputer.like_1x()` and `like_2x()`) and params.json (versions). Writes a few small molecules of
these, as they are, to aev.npz beside this file.
"""

import json
import sys
from pathlib import Path

import numpy as np

CHOSEN = ["aev1x/3", "aev1x/9", "aev1x/20", "aev2x/3", "aev2x/5", "aev2x/21"]


def main(folder):
    inputs = np.load(folder / "inputs.npz")
    torchani = np.load(folder / "torchani.npz")
    versions = json.loads((folder / "params.json").read_text(encoding="utf-8"))["versions"]
    stored = {"versions": f"torchani={versions['torchani']} torch={versions['torch']}"}
    for key in CHOSEN:
        molecule = key.split("/")[1]
        stored[key] = torchani[key]
        stored[f"Z/{molecule}"] = inputs[f"Z/{molecule}"]
        stored[f"R/{molecule}"] = inputs[f"R/{molecule}"]
    np.savez_compressed(Path(__file__).resolve().parent / "aev.npz", **stored)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
