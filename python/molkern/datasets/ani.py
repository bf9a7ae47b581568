"""ANI-1 and COMP6: the published HDF5 files and the packed ones; large structures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern.datasets.dataset import Dataset
from molkern.datasets.files import Arrays, bad_file, npz_keys, read_npz, structures_of
from molkern.datasets.limits import Limit, stored_bytes
from molkern.datasets.readers.hdf5 import read_hdf5
from molkern.structures import Structures

__all__ = ["read_h5", "read_large", "read_packed"]

ANI_CITATION = (
    "J. S. Smith, O. Isayev, A. E. Roitberg, Sci. Data 4, 170193 (2017), doi:10.1038/sdata.2017.193"
)
COMP6_CITATION = (
    "J. S. Smith, B. Nebgen, N. Lubbers, O. Isayev, A. E. Roitberg, J. Chem. Phys. 148, 241733 "
    "(2018), doi:10.1063/1.5023802"
)
_GRADIENT_NOTE = (
    "forces: sign flipped, COMP6 files store the energy gradient under that name; treat with care"
)


def read_packed(path: Path) -> Dataset:
    """Packed conformers: ANI-1 s01, the hydrocarbons of s02, or COMP6 S66x8.

    Returns
    -------
    Dataset
        ``energy`` in hartree, total energies, wB97x/6-31G(d); COMP6 also ``forces`` in
        hartree/angstrom, with the sign turned to that of a force. ``molecules`` as in the file.
    """
    keys = ["R", "offsets", "mol_index", "mol_Z", "mol_offsets", "E"]
    has_gradient = "F" in npz_keys(path)
    arrays = read_npz(path, [*keys, "F"] if has_gradient else keys)
    numbers = _numbers_of_conformers(path, arrays)
    structures = structures_of(path, numbers, arrays["R"], arrays["offsets"])
    targets = {"energy": arrays["E"].astype(np.float64)}
    if has_gradient:
        targets["forces"] = -arrays["F"].astype(np.float64)
    molecules = arrays["mol_index"].astype(np.int64)
    return _dataset(path, structures, targets, ()).replace(molecules=molecules)


def _numbers_of_conformers(path: Path, arrays: Arrays) -> npt.NDArray[Any]:
    molecule, first = arrays["mol_index"].astype(np.int64), arrays["mol_offsets"]
    if molecule.size and (molecule.min() < 0 or molecule.max() >= len(first) - 1):
        raise bad_file(path, f"mol_index: {molecule.max()} for {len(first) - 1} molecules")
    sizes = np.diff(first)[molecule]
    if not np.array_equal(sizes, np.diff(arrays["offsets"])):
        raise bad_file(path, "offsets do not match the sizes of the molecules in mol_offsets")
    ends = np.cumsum(sizes)
    rows = np.arange(int(sizes.sum())) + np.repeat(first[:-1][molecule] - (ends - sizes), sizes)
    numbers: npt.NDArray[Any] = arrays["mol_Z"][rows]
    return numbers


def _dataset(
    path: Path,
    structures: Structures,
    targets: dict[str, npt.NDArray[np.float64]],
    notes: tuple[str, ...],
) -> Dataset:
    units, citation = {"energy": "hartree"}, ANI_CITATION
    if "forces" in targets:
        citation = COMP6_CITATION
        units["forces"] = "hartree/angstrom"
        notes += (_GRADIENT_NOTE,)
    return Dataset(
        name=path.stem,
        structures=structures,
        targets=targets,
        units=units,
        default_target="energy",
        citation=citation,
        source=str(path),
        notes=(*notes, "energy: total energies, wB97x/6-31G(d), in hartree (not kcal/mol)"),
        extensive=frozenset({"energy"}),
    )


def read_h5(path: Path) -> Dataset:
    """The published HDF5 files of ANI-1 and COMP6.

    Returns
    -------
    Dataset
        As `read_packed`. The high-energy groups ``coordinatesHE`` of ANI-1 are left out.
    """
    contents = read_hdf5(path, Limit(stored_bytes([path])))
    structures = structures_of(path, contents.numbers, contents.positions, contents.offsets)
    targets = {"energy": contents.columns["energies"].read().astype(np.float64)}
    if "forces" in contents.columns:
        targets["forces"] = -contents.columns["forces"].read().astype(np.float64)
    return _dataset(path, structures, targets, tuple(contents.notes)).replace(
        molecules=contents.molecules
    )


def read_large(path: Path) -> Dataset:
    """The packed large structures: geometries for scaling tests, without labels."""
    arrays = read_npz(path, ["R", "Z", "offsets", "names"])
    structures = structures_of(path, arrays["Z"], arrays["R"], arrays["offsets"])
    names = ", ".join(str(name) for name in arrays["names"])
    return Dataset(
        name="large-structures",
        structures=structures,
        targets={},
        units={},
        source=str(path),
        citation="derived from public Protein Data Bank entries and force-field boxes",
        notes=(f"in this order: {names}", "no energies, no periodic cells"),
    )
