"""QM9 in array files: the packed ones, and the format of Cormorant and EGNN."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern.datasets.dataset import Dataset
from molkern.datasets.files import bad_file, read_npz, structures_of, unpadded
from molkern.datasets.qm9 import CITATION, PROPERTIES, leave_out, qm9_dataset
from molkern.datasets.units import conversion_factor

__all__ = ["read_egnn", "read_packed", "read_packed_g4mp2"]

G4MP2_CITATION = (
    "B. Narayanan, P. C. Redfern, R. S. Assary, L. A. Curtiss, Chem. Sci. 10, 7449 (2019), "
    "doi:10.1039/c9sc02834j"
)


def read_packed(path: Path, keep_uncharacterized: bool = False) -> Dataset:
    """The packed ``qm9.npz``: all geometries, and the labels that were found.

    Parameters
    ----------
    path : Path
    keep_uncharacterized : bool, default=False

    Returns
    -------
    Dataset
        The 15 properties, ``U0_atomization`` ... (kcal/mol), and ``G4MP2_atomization``
        (kcal/mol). NaN where a molecule has no label.
    """
    keys = ["R", "Z", "offsets", "geom_10dec", "prop_names", "props", "label_source"]
    arrays = read_npz(path, [*keys, "g4mp2_atomization_ha", "uncharacterized"])
    structures = structures_of(path, arrays["Z"], arrays["R"], arrays["offsets"])
    n = len(structures)
    rounded = int((arrays["label_source"] == 2).sum())
    notes = (
        "homo, lumo and gap only from the fully labelled molecules: the other set of them that "
        "exists had been filtered by its authors",
        f"{rounded} of the labelled molecules have float32 labels (energies rounded to about "
        "0.01 kcal/mol)",
        f"positions stored as float32; those of {n - int(arrays['geom_10dec'].sum())} molecules "
        "have 4 decimals",
    )
    properties = _table(path, arrays["prop_names"], arrays["props"], n)
    dataset = qm9_dataset(path, structures, properties, notes)
    factor = conversion_factor("hartree", "kcal/mol")
    g4mp2 = arrays["g4mp2_atomization_ha"].astype(np.float64) * factor
    dataset = dataset.replace(
        targets=dataset.targets | {"G4MP2_atomization": g4mp2},
        units=dataset.units | {"G4MP2_atomization": "kcal/mol"},
        extensive=(dataset.extensive or frozenset()) | {"G4MP2_atomization"},
        citation=f"{CITATION}; G4MP2: {G4MP2_CITATION}",
    )
    if keep_uncharacterized:
        return dataset
    return leave_out(dataset, arrays["uncharacterized"].astype(bool))


def _table(
    path: Path, names: npt.NDArray[Any], values: npt.NDArray[Any], n: int
) -> dict[str, npt.NDArray[np.float64]]:
    short = {"u0": "U0", "u298": "U", "h298": "H", "g298": "G", "cv": "Cv"}
    columns = [short.get(str(name), str(name)) for name in names]
    if values.shape != (n, len(columns)) or columns != list(PROPERTIES):
        raise bad_file(path, f"props: expected {n} rows of {list(PROPERTIES)}, found {columns}")
    return {name: values[:, k].astype(np.float64) for k, name in enumerate(columns)}


def read_packed_g4mp2(path: Path) -> Dataset:
    """The packed C7H10O2 isomers of QM9 with G4MP2 energies (hartree).

    The default target is ``U0``, a total energy: the isomers have one composition.
    """
    arrays = read_npz(path, ["R", "Z", "offsets", "prop_names", "props"])
    structures = structures_of(path, arrays["Z"], arrays["R"], arrays["offsets"])
    return Dataset(
        name="qm9-g4mp2",
        structures=structures,
        targets=_table(path, arrays["prop_names"], arrays["props"], len(structures)),
        units=dict(PROPERTIES),
        default_target="U0",
        citation=CITATION,
        source=str(path),
        notes=(
            "U0, U, H and G are G4MP2 total energies in hartree; all molecules are C7H10O2",
            "positions stored as float32; ordered by isomer number, not by QM9 number",
        ),
        extensive=frozenset({"U0", "U", "H", "G"}),
    )


def read_egnn(path: Path) -> Dataset:
    """A split of QM9 as Cormorant and EGNN store it: charges, positions, and an array each.

    Returns
    -------
    Dataset
        As for the other forms of QM9, in hartree as stored there; labels are float32. The splits
        were made without the uncharacterized molecules.
    """
    arrays = read_npz(path, ["charges", "positions", *PROPERTIES])
    structures, _ = unpadded(path, arrays["charges"], arrays["positions"])
    n = len(structures)
    properties = {}
    for name in PROPERTIES:
        if arrays[name].shape != (n,):
            raise bad_file(path, f"{name}: expected shape ({n},), found {arrays[name].shape}")
        properties[name] = arrays[name].astype(np.float64)
    notes = ("positions and labels stored as float32: energies rounded to about 0.01 kcal/mol",)
    return qm9_dataset(path, structures, properties, notes)
