"""QM7: ``qm7.mat`` as published, the packed ``qm7.npz``, and the variant of the QML code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern.datasets.dataset import Dataset
from molkern.datasets.files import Arrays, bad_file, read_npz, structures_of, unpadded
from molkern.datasets.readers.matlab import matlab_arrays
from molkern.datasets.units import BOHR

__all__ = ["read_mat", "read_packed", "read_packed_qml"]

CITATION = (
    "L. C. Blum, J.-L. Reymond, J. Am. Chem. Soc. 131, 8732 (2009), doi:10.1021/ja902302h; "
    "M. Rupp, A. Tkatchenko, K.-R. Mueller, O. A. von Lilienfeld, Phys. Rev. Lett. 108, 058301 "
    "(2012), doi:10.1103/PhysRevLett.108.058301"
)
QML_CITATION = "A. S. Christensen et al., QML: a Python toolkit for quantum machine learning (2017)"

_NOTES = (
    "positions converted from bohr (the file's unit) to angstrom",
    "energy: atomization energies, PBE0, stored as float32",
)


def read_mat(path: Path) -> Dataset:
    """``qm7.mat``: R (bohr), Z, T (kcal/mol) and P, with or without the Coulomb matrices X.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Dataset
        Target ``energy`` in kcal/mol; ``folds`` holds the five test sets of P.

    Raises
    ------
    ValueError
        If the file is damaged, lacks a key, or has other shapes.
    """
    arrays, *_ = matlab_arrays(path)
    missing = [key for key in ("R", "Z", "T") if key not in arrays]
    if missing:
        raise bad_file(path, f"lacks the keys {missing} of qm7.mat; found {sorted(arrays)}")
    numbers, positions = arrays["Z"], arrays["R"]
    if numbers.ndim != 2 or numbers.dtype.kind not in "iuf":
        raise bad_file(path, f"Z: expected shape (n_structures, size), found {numbers.shape}")
    structures, _ = unpadded(path, numbers, positions.astype(np.float64) * BOHR)
    energy = arrays["T"].reshape(-1).astype(np.float64)
    if energy.shape != (len(structures),):
        raise bad_file(path, f"T has {len(energy)} energies for {len(structures)} molecules")
    folds = None
    if "P" in arrays:
        folds = _folds(path, arrays["P"], len(structures))
    return _dataset(structures, energy, folds, path)


def _folds(path: Path, folds: npt.NDArray[Any], n: int) -> tuple[npt.NDArray[np.int64], ...]:
    flat = np.sort(folds.reshape(-1).astype(np.int64))
    if folds.ndim != 2 or not np.array_equal(flat, np.arange(n)):
        raise bad_file(path, f"P of shape {folds.shape} does not divide {n} molecules into folds")
    return tuple(np.ascontiguousarray(fold, dtype=np.int64) for fold in folds)


def _dataset(structures: Any, energy: npt.NDArray[np.float64], folds: Any, path: Path) -> Dataset:
    notes = _NOTES if folds is not None else (*_NOTES, "no folds: the file lacks P")
    return Dataset(
        name="qm7",
        structures=structures,
        targets={"energy": energy},
        units={"energy": "kcal/mol"},
        default_target="energy",
        folds=folds,
        citation=CITATION,
        source=str(path),
        notes=notes,
        extensive=frozenset({"energy"}),
    )


def read_packed(path: Path) -> Dataset:
    """The packed ``qm7.npz``; the same numbers as :func:`read_mat` gives."""
    arrays = read_npz(path, ["R_bohr", "Z", "offsets", "E", "P"])
    positions = arrays["R_bohr"].astype(np.float64) * BOHR
    structures = structures_of(path, arrays["Z"], positions, arrays["offsets"])
    folds = _folds(path, arrays["P"], len(structures))
    return _dataset(structures, _column(path, arrays, "E", len(structures)), folds, path)


def read_packed_qml(path: Path) -> Dataset:
    """The packed QM7 variant of the QML code: 7101 molecules, other geometries and energies.

    Returns
    -------
    Dataset
        Targets ``energy`` (PBE0/def2-TZVP) and ``energy_dftb`` (DFTB3), both kcal/mol.
    """
    arrays = read_npz(path, ["R", "Z", "offsets", "E", "E_dftb"])
    structures = structures_of(path, arrays["Z"], arrays["R"], arrays["offsets"])
    n = len(structures)
    return Dataset(
        name="qm7-qml",
        structures=structures,
        targets={
            "energy": _column(path, arrays, "E", n),
            "energy_dftb": _column(path, arrays, "E_dftb", n),
        },
        units={"energy": "kcal/mol", "energy_dftb": "kcal/mol"},
        default_target="energy",
        citation=QML_CITATION + "; " + CITATION,
        source=str(path),
        notes=(
            "the QM7 variant of the QML code: geometries and energies differ from qm7.mat, so "
            "results do not compare with those on QM7",
        ),
        extensive=frozenset({"energy", "energy_dftb"}),
    )


def _column(path: Path, arrays: Arrays, key: str, n: int) -> npt.NDArray[np.float64]:
    if arrays[key].shape != (n,):
        raise bad_file(path, f"{key}: expected shape ({n},), found {arrays[key].shape}")
    return arrays[key].astype(np.float64)
