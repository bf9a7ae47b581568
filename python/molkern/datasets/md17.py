"""Trajectories: MD17 and revised MD17, as published and packed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern.datasets.dataset import Dataset, per_atom
from molkern.datasets.files import bad_file, npz_keys, read_npz, structures_of
from molkern.structures import Structures

__all__ = ["read_md17", "read_rmd17", "read_rmd17_packed", "trajectory"]

RMD17_CITATION = (
    "A. S. Christensen, O. A. von Lilienfeld, Mach. Learn.: Sci. Technol. 1, 045018 (2020), "
    "doi:10.1088/2632-2153/abba6f"
)
MD17_CITATION = "S. Chmiela et al., Sci. Adv. 3, e1603015 (2017), doi:10.1126/sciadv.1603015"
_ADVICE = "frames are correlated: train on at most 1000 of them (advice of the authors of rMD17)"
_LABELS = ("energy", "forces", "energy_md17", "forces_md17")

Splits = tuple[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]], ...]


def trajectory(path: Path, numbers: npt.NDArray[Any], positions: npt.NDArray[Any]) -> Structures:
    """Structures of many frames of one molecule.

    Parameters
    ----------
    path : Path
        For error messages.
    numbers : ndarray of int, shape (n_atoms_each,)
    positions : ndarray, shape (n_frames, n_atoms_each, 3), in Å
    """
    if positions.ndim != 3 or positions.shape[1:] != (len(numbers), 3):
        raise bad_file(
            path,
            f"{len(numbers)} numbers need positions of shape (n_frames, {len(numbers)}, 3), "
            f"found {positions.shape}",
        )
    n_frames, n_each = positions.shape[:2]
    return structures_of(
        path,
        np.tile(numbers, n_frames),
        positions.reshape(-1, 3),
        np.arange(n_frames + 1, dtype=np.int64) * n_each,
    )


def _targets(
    path: Path, structures: Structures, values: dict[str, npt.NDArray[Any]]
) -> dict[str, npt.NDArray[np.float64]]:
    """Energies, and forces in packed order."""
    n = len(structures)
    n_each = structures.n_atoms // max(n, 1)
    targets = {}
    for name, array in values.items():
        if per_atom(name):
            if array.size != n * n_each * 3 or array.shape[0] != n:
                raise bad_file(
                    path, f"forces: expected shape {(n, n_each, 3)}, found {array.shape}"
                )
            shape: tuple[int, ...] = (-1, 3)
        else:
            if array.size != n:
                raise bad_file(path, f"energies: expected {n} of them, found shape {array.shape}")
            shape = (n,)
        targets[name] = array.reshape(shape).astype(np.float64)
    return targets


def _dataset(
    path: Path,
    keys: dict[str, str],
    splits: Splits | None,
    notes: tuple[str, ...],
    citation: str,
) -> Dataset:
    """A trajectory with ``keys``: our name of each array -> its name in the file."""
    arrays = read_npz(path, keys.values())
    structures = trajectory(path, arrays[keys["numbers"]], arrays[keys["positions"]])
    labels = {name: arrays[keys[name]] for name in _LABELS if name in keys}
    targets = _targets(path, structures, labels)
    n = len(structures)
    for train, test in splits or ():
        rows = np.concatenate([train, test])
        if rows.size and (rows.min() < 0 or rows.max() >= n):
            raise bad_file(path, f"a split names frame {rows.max()}, the file has {n} frames")
    per_angstrom = {name: "kcal/mol/angstrom" for name in targets if per_atom(name)}
    return Dataset(
        name=path.stem,
        structures=structures,
        targets=targets,
        units=dict.fromkeys(targets, "kcal/mol") | per_angstrom,
        default_target="energy",
        splits=splits,
        citation=citation,
        source=str(path),
        notes=notes,
        extensive=frozenset(name for name in targets if "energy" in name),
    )


def _is_benzene(path: Path) -> bool:
    return "benzene" in path.name and "azobenzene" not in path.name


def read_rmd17_packed(path: Path) -> Dataset:
    """The packed frames of the five official splits, with the labels of MD17 beside them.

    Returns
    -------
    Dataset
        ``energy`` (kcal/mol) and ``forces`` (kcal/mol/angstrom) of rMD17; ``energy_md17`` and
        ``forces_md17`` of MD17; ``splits``.
    """
    indices = read_npz(path, ["train_splits", "test_splits"])
    splits = tuple(
        (train.astype(np.int64), test.astype(np.int64))
        for train, test in zip(indices["train_splits"], indices["test_splits"], strict=True)
    )
    keys = {
        "numbers": "Z",
        "positions": "R",
        "energy": "E",
        "forces": "F",
        "energy_md17": "E_md17",
        "forces_md17": "F_md17",
    }
    notes: tuple[str, ...] = (
        "only the frames of the five official splits, 1000 for training and 1000 for testing each",
        "positions stored as float32",
        "energy_md17, forces_md17: noisier labels of the original MD17 for the same frames",
        _ADVICE,
    )
    if _is_benzene(path):
        # The frame numbers go to 627,901; the version of 2018 has 49,863 frames.
        notes += ("energy_md17, forces_md17: the MD17 version of 2017, not of 2018 (FHI-aims)",)
    return _dataset(path, keys, splits, notes, f"{RMD17_CITATION}; {MD17_CITATION}")


def read_rmd17(path: Path) -> Dataset:
    """``rmd17_<molecule>.npz`` as published: nuclear_charges, coords, energies, forces.

    Returns
    -------
    Dataset
        Targets as :func:`read_rmd17_packed`; ``splits`` if the published index files
        ``index_train_01.csv`` ... ``index_test_05.csv`` lie beside the file or in ``splits/``.
    """
    keys = {"numbers": "nuclear_charges", "positions": "coords"}
    keys |= {"energy": "energies", "forces": "forces"}
    present = npz_keys(path)
    old = {"energy_md17": "old_energies", "forces_md17": "old_forces"}
    keys |= {name: key for name, key in old.items() if key in present}
    files = split_files(path)
    splits = None if files is None else tuple((_indices(a), _indices(b)) for a, b in files)
    notes: tuple[str, ...] = (_ADVICE,)
    if splits is None:
        notes += ("no official splits: index_train_01.csv ... not found beside the file",)
    return _dataset(path, keys, splits, notes, f"{RMD17_CITATION}; {MD17_CITATION}")


def split_files(path: Path) -> tuple[tuple[Path, Path], ...] | None:
    """The published index files (train, test) of the five splits, if they are all there."""
    for folder in (path.parent, path.parent / "splits", path.parent.parent / "splits"):
        pairs = tuple(
            (folder / f"index_train_{k:02d}.csv", folder / f"index_test_{k:02d}.csv")
            for k in range(1, 6)
        )
        if all(file.is_file() for pair in pairs for file in pair):
            return pairs
    return None


def _indices(path: Path) -> npt.NDArray[np.int64]:
    try:
        return np.loadtxt(path, dtype=np.int64, delimiter=",").reshape(-1)
    except ValueError as error:
        raise bad_file(path, f"expected one frame number a line: {error}") from error


def read_md17(path: Path) -> Dataset:
    """``md17_<molecule>.npz`` as published: z, R, E, F in kcal/mol and Å.

    Only for files known to be MD17 by their content: the keys say nothing about units.
    """
    keys = {"numbers": "z", "positions": "R", "energy": "E"}
    if "F" in npz_keys(path):
        keys["forces"] = "F"
    notes: tuple[str, ...] = (
        "labels of the original MD17 are noisier than those of rMD17",
        _ADVICE,
    )
    if _is_benzene(path):
        other = "2018 (FHI-aims)" if "2018" not in path.name else "2017"
        notes += (f"benzene exists in two versions, 2017 and 2018 (FHI-aims); not the {other} one",)
    return _dataset(path, keys, None, notes, MD17_CITATION)
