"""Data sets of the package's own builder: arrays with their provenance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from molkern.datasets.dataset import Dataset, per_atom
from molkern.datasets.files import Arrays, bad_file, read_npz, structures_of
from molkern.datasets.md17 import trajectory

__all__ = ["PROVENANCE", "provenance_of", "read_built"]

PROVENANCE = "molkern_provenance"  # name of the array that holds it, as JSON
_CITATION = (
    "labels: GFN2-xTB, C. Bannwarth, S. Ehlert, S. Grimme, J. Chem. Theory Comput. 15, 1652 "
    "(2019), doi:10.1021/acs.jctc.8b01176"
)
_NOTE = (
    "labels are computed by {method}, a semi-empirical method: good for comparing representations, "
    "no replacement for density functional theory or experiment"
)


def read_built(path: Path) -> Dataset:
    """A file of ``molkern data build``: molecules (packed) or a trajectory.

    Returns
    -------
    Dataset
        Targets and units as the provenance in the file names them.

    Raises
    ------
    ValueError
        If the file is damaged, or lacks a target that its provenance names.
    """
    arrays = read_npz(path)
    provenance = _provenance(path, arrays)
    if "z" in arrays:
        structures = trajectory(path, arrays["z"], arrays["R"].astype(np.float64))
    else:
        positions = arrays["positions"].astype(np.float64)
        structures = structures_of(path, arrays["numbers"], positions, arrays["offsets"])
    units = {str(name): str(unit) for name, unit in provenance["units"].items()}
    missing = sorted(units.keys() - arrays.keys())
    if missing:
        raise bad_file(path, f"lacks the targets {missing}; found {sorted(arrays)}")
    targets = {}
    for name in units:
        values = arrays[name].astype(np.float64)
        if name == "forces" and values.ndim == 3:
            values = values.reshape(-1, 3)
        rows = structures.n_atoms if per_atom(name) else len(structures)
        if values.shape[:1] != (rows,):
            raise bad_file(path, f"{name}: expected {rows} rows, found shape {values.shape}")
        targets[name] = values
    return Dataset(
        name=path.stem,
        structures=structures,
        targets=targets,
        units=units,
        default_target=str(provenance["default_target"]),
        citation=_CITATION,
        source=str(path),
        notes=(_NOTE.format(method=provenance["method"]),),
        extensive=frozenset(provenance["extensive"]),
    )


def provenance_of(path: str | Path) -> dict[str, Any]:
    """How a file was built: method, command, versions, options, what failed and why."""
    path = Path(path)
    return _provenance(path, read_npz(path, [PROVENANCE]))


def _provenance(path: Path, arrays: Arrays) -> dict[str, Any]:
    try:
        found = json.loads(str(arrays[PROVENANCE]))
        wanted = {"method", "units", "default_target", "extensive"}
        missing = sorted(wanted - found.keys())
    except (ValueError, AttributeError) as error:
        raise bad_file(path, f"provenance is no JSON object: {error}") from error
    if missing:
        raise bad_file(path, f"provenance lacks {missing}")
    return dict(found)
