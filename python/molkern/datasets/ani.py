"""ANI-1 and COMP6: the published HDF5 files and the packed ones; large structures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern.datasets.dataset import Dataset
from molkern.datasets.files import Arrays, bad_file, needed, npz_keys, read_npz, structures_of
from molkern.datasets.md17 import trajectory
from molkern.datasets.units import UNKNOWN
from molkern.structures import Structures, numbers_of

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
_COMP6_KEYS = {"cm5", "hirdipole", "hirshfeld", "spindensities", "forces"}
_SPECIES_KEYS = ("species", "atomic_numbers")


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
    return _dataset(path, structures, targets, "hartree", ()).replace(molecules=molecules)


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
    unit: str,
    notes: tuple[str, ...],
) -> Dataset:
    units = {name: unit if name == "energy" else UNKNOWN for name in targets}
    citation = ANI_CITATION
    if "forces" in targets:
        citation = COMP6_CITATION
        units["forces"] = UNKNOWN if unit == UNKNOWN else f"{unit}/angstrom"
        if unit != UNKNOWN:
            notes += (_GRADIENT_NOTE,)
    if unit != UNKNOWN:
        notes += ("energy: total energies, wB97x/6-31G(d), in hartree (not kcal/mol)",)
    return Dataset(
        name=path.stem,
        structures=structures,
        targets=targets,
        units=units,
        default_target="energy" if "energy" in targets else "",
        citation=citation if unit != UNKNOWN else "",
        source=str(path),
        notes=notes,
        extensive=frozenset({"energy"}) if unit != UNKNOWN else None,
    )


def read_h5(path: Path) -> Dataset:
    """Conformers in HDF5: groups that hold ``coordinates``, ``species`` and labels.

    Parameters
    ----------
    path : Path
        A file of ANI-1 or COMP6, or one laid out like them: every group has ``coordinates``
        (n_conformers, n_atoms, 3) in Å, ``species`` (n_atoms,) as symbols or ``atomic_numbers``,
        and one value per conformer in each other data set of shape (n_conformers,).

    Returns
    -------
    Dataset
        ``energies`` become ``energy``. In hartree if the groups are named and laid out as those of
        ANI-1 or COMP6, else unknown. The high-energy groups ``coordinatesHE`` are left out.
        ``molecules``: the conformers of a group are those of one molecule.

    Raises
    ------
    ValueError
        If the file is damaged, has no such groups, or shapes do not match.
    """
    h5py = needed("h5py", "reading HDF5 files")
    batches: list[Structures] = []
    labels: list[dict[str, npt.NDArray[Any]]] = []
    try:
        with h5py.File(path, "r") as file:
            items: list[Any] = [file]
            file.visititems(lambda _, item: items.append(item))
            top = [str(name) for name in file]
            for item in items:
                if isinstance(item, h5py.Group) and "coordinates" in item:
                    batch, values = _conformers(path, item)
                    batches.append(batch)
                    labels.append(values)
    except (OSError, RuntimeError, KeyError) as error:
        raise bad_file(path, f"not a readable HDF5 file (truncated?): {error}") from error
    if not batches:
        raise bad_file(path, f"no group holds 'coordinates' and 'species'; found {top}")
    comp6 = all(_COMP6_KEYS <= values.keys() for values in labels)
    known = comp6 or all(name.startswith("gdb11_s") for name in top)
    notes = ("groups coordinatesHE, energiesHE (high energy) left out",) if known else ()
    targets = _common_labels(labels, batches)
    if comp6:
        targets["forces"] = -targets["forces"]
        targets = {name: targets[name] for name in ("energy", "forces")}
        notes = ()
    structures = Structures.concatenate(batches)
    molecules = np.repeat(np.arange(len(batches)), [len(batch) for batch in batches])
    dataset = _dataset(path, structures, targets, "hartree" if known else UNKNOWN, notes)
    return dataset.replace(molecules=molecules)


def _conformers(path: Path, group: Any) -> tuple[Structures, dict[str, npt.NDArray[Any]]]:
    """Structures and labels of one group; the labels under their names in the file."""
    found = [key for key in _SPECIES_KEYS if key in group]
    if not found:
        raise bad_file(path, f"group {group.name}: no 'species'; found {sorted(group)}")
    species = np.asarray(group[found[0]])
    if species.dtype.kind in "SO":
        symbols = [s.decode("ascii") if isinstance(s, bytes) else str(s) for s in species.tolist()]
        try:
            species = np.array(numbers_of(symbols))
        except ValueError as error:
            raise bad_file(path, f"group {group.name}: {error}") from error
    try:
        structures = trajectory(path, species, np.asarray(group["coordinates"]))
    except ValueError as error:
        raise ValueError(f"{error} (group {group.name})") from error
    n, n_each = len(structures), len(species)
    labels = {}
    for key, item in group.items():
        shape = getattr(item, "shape", None)
        if key == "energies" and shape != (n,):
            raise bad_file(path, f"group {group.name}: {n} conformers, energies of shape {shape}")
        if key == "forces" and shape != (n, n_each, 3):
            raise bad_file(path, f"group {group.name}: {n} conformers, forces of shape {shape}")
        is_label = shape in ((n,), (n, n_each, 3)) and item.dtype.kind in "fiu"
        if (is_label and key not in ("coordinates", *_SPECIES_KEYS)) or key in _COMP6_KEYS:
            labels[key] = np.asarray(item)
    return structures, labels


def _common_labels(
    labels: list[dict[str, npt.NDArray[Any]]], batches: list[Structures]
) -> dict[str, npt.NDArray[np.float64]]:
    """Labels that every group has: one value per conformer, and forces."""
    common = set.intersection(*(set(values) for values in labels))
    targets = {}
    for key in sorted(common):
        parts = [values[key] for values in labels]
        if key == "forces":
            flat = [part.reshape(-1, 3) for part in parts]
            targets["forces"] = np.concatenate(flat).astype(np.float64)
        elif all(p.shape == (len(b),) for p, b in zip(parts, batches, strict=True)):
            name = "energy" if key == "energies" else key
            targets[name] = np.concatenate(parts).astype(np.float64)
    return targets


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
