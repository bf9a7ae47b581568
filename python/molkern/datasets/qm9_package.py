"""Complete QM9 from the package qm9pack: its CSV files, converted once into the cache.

The package is not imported, since its import needs more than its data do; pip's record of what it
installed says where the files are.
"""

from __future__ import annotations

import csv
import importlib.metadata
import json
import uuid
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern.datasets.dataset import Dataset
from molkern.datasets.files import Arrays, bad_file, read_npz, structures_of
from molkern.datasets.qm9 import PROPERTIES, qm9_dataset
from molkern.datasets.qm9_arrays import G4MP2_CITATION
from molkern.datasets.units import conversion_factor
from molkern.elements import SYMBOLS

__all__ = ["FILES", "PACKAGE", "csv_files", "installed", "read_package", "with_g4mp2"]

PACKAGE = "qm9pack"
G4MP2 = "G4MP2_atomization"
FILES = ("qm9_part1.csv", "qm9_part2.csv", "qm9_part3.csv", "qm9_polarizability.csv")
_VERSION = 1  # of the conversion
# Columns of the package in the order of PROPERTIES; its units are QM9's.
_COLUMNS = (
    "RotA_GHz RotB_GHz RotC_GHz Dipole_debye Polarizability_bohr3 HOMO_au LUMO_au "
    "HOMO_LUMO_gap_au R2_bohr2 ZPVE_au InternalEnergy_0K_au InternalEnergy_298K_au "
    "Enthalphy_298K_au GibbsFreeEnergy_298K_au Heatcapacity_Cv_cal_mol_K"
).split()
_TENSOR = ("A_xx", "A_xy", "A_yy", "A_xz", "A_yz", "A_zz")
_NUMBER = {symbol: number for number, symbol in enumerate(SYMBOLS)}
_NOTES = (
    "the 130,831 molecules that passed QM9's consistency check, with all labels; polarizability "
    "tensors (bohr^3) and Mulliken charges beside the 15 properties",
)


def installed() -> Path | None:
    """The first of the package's CSV files, or None if it is not installed."""
    try:
        found = importlib.metadata.distribution(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in found.files or ():
        if file.name == FILES[0]:
            path = Path(str(found.locate_file(file)))
            return path if path.is_file() else None
    return None


def csv_files(path: Path) -> list[Path]:
    """The four files, of which ``path`` is the first."""
    return [path.with_name(name) for name in FILES]


def read_package(path: Path, keep_uncharacterized: bool = False) -> Dataset:
    """QM9 with all its labels, from the package's files; the first time they are converted.

    Parameters
    ----------
    path : Path
        The first of the CSV files.
    keep_uncharacterized : bool, default=False
        Not possible: the package leaves these molecules out.

    Raises
    ------
    ValueError
        If the files are damaged; names file and line.
    """
    if keep_uncharacterized:
        raise bad_file(path, "holds no uncharacterized molecules; the original archive does")
    arrays = _converted(path)
    structures = structures_of(path, arrays["numbers"], arrays["positions"], arrays["offsets"])
    columns = {name: arrays["props"][:, k] for k, name in enumerate(PROPERTIES)}
    dataset = qm9_dataset(path, structures, columns, _NOTES)
    extra = {
        "polarizability_tensor": arrays["polarizability"],
        "partial_charges": arrays["partial_charges"],
    }
    return dataset.replace(
        targets=dataset.targets | extra,
        units=dataset.units | {"polarizability_tensor": "bohr^3", "partial_charges": "e"},
    )


def with_g4mp2(dataset: Dataset, packed: Path) -> Dataset:
    """With the G4MP2 atomization energies that the packed file has for most molecules.

    Parameters
    ----------
    dataset : Dataset
        Of `read_package`.
    packed : Path
        ``qm9.npz``.
    """
    ids = _converted(Path(dataset.source))["gdb_id"]
    arrays = read_npz(packed, ["gdb_id", "g4mp2_atomization_ha"])
    every = np.full(int(max(ids.max(), arrays["gdb_id"].max())) + 1, np.nan)
    factor = conversion_factor("hartree", "kcal/mol")
    every[arrays["gdb_id"]] = arrays["g4mp2_atomization_ha"].astype(np.float64) * factor
    return dataset.replace(
        targets=dataset.targets | {G4MP2: every[ids]},
        units=dataset.units | {G4MP2: "kcal/mol"},
        extensive=(dataset.extensive or frozenset()) | {G4MP2},
        citation=f"{dataset.citation}; G4MP2: {G4MP2_CITATION}",
    ).with_notes(f"{G4MP2} joined from {packed.name} by QM9's numbers")


def _converted(path: Path) -> Arrays:
    """Arrays of the package, from the cache or made now."""
    from molkern.datasets.cache import cache_folder

    stats = [file.stat() for file in csv_files(path)]
    source = json.dumps([[s.st_size, s.st_mtime_ns] for s in stats])
    target = cache_folder() / "qm9" / f"{PACKAGE}-{_VERSION}.npz"
    if target.is_file():
        try:
            found = read_npz(target)
            if str(found.pop("source")) == source:
                return found
        except (ValueError, KeyError):
            pass  # damaged or of another version: made again
    arrays = _convert(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
    content: dict[str, Any] = {**arrays, "source": np.array(source)}
    try:
        with temporary.open("wb") as file:
            np.savez(file, **content)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return arrays


def _convert(path: Path) -> Arrays:
    numbers, positions, charges, values = array("B"), array("d"), array("d"), array("d")
    sizes, ids = array("q"), array("q")
    names: list[str] = []
    for file in csv_files(path)[:3]:
        for line, row in _rows(file):
            try:
                elements = row["Elements"].strip("[]").replace("'", "").split(",")
                atoms, mulliken = _floats(row["XYZ_Ang"]), _floats(row["Mulliken_pop"])
                if not 3 * len(elements) == len(atoms) == 3 * len(mulliken):
                    raise ValueError("elements, positions and charges of different lengths")
                numbers.extend(_NUMBER[symbol] for symbol in elements)
                positions.extend(atoms)
                charges.extend(mulliken)
                values.extend(float(row[name]) for name in _COLUMNS)
                ids.append(int(row["Index"]))
            except (KeyError, TypeError, ValueError) as error:
                raise bad_file(file, f"line {line}: {error}") from error
            sizes.append(len(elements))
            names.append(row["XYZ_file"])
    return {
        "gdb_id": np.frombuffer(ids, np.int64),
        "numbers": np.frombuffer(numbers, np.uint8),
        "positions": np.frombuffer(positions).reshape(-1, 3),
        "offsets": np.concatenate(([0], np.cumsum(np.frombuffer(sizes, np.int64)))),
        "props": np.frombuffer(values).reshape(-1, len(_COLUMNS)),
        "partial_charges": np.frombuffer(charges),
        "polarizability": _tensors(csv_files(path)[3], names),
    }


def _floats(text: str) -> list[float]:
    """Numbers of nested brackets, written as Mathematica and Python write them."""
    plain = text.replace("[", "").replace("]", "").replace("*^", "e")
    return [float(word) for word in plain.split(",")]


def _tensors(file: Path, names: list[str]) -> npt.NDArray[np.float64]:
    """Polarizability tensors, shape (n_structures, 3, 3)."""
    place = {name: k for k, name in enumerate(names)}
    tensors = np.full((len(names), 3, 3), np.nan)
    rows, columns = [0, 0, 1, 0, 1, 2], [0, 1, 1, 2, 2, 2]
    for line, row in _rows(file):
        try:
            entries = [float(row[name]) for name in _TENSOR]
            k = place[row["XYZ_file"]]
        except (KeyError, TypeError, ValueError) as error:
            raise bad_file(file, f"line {line}: {error}") from error
        tensors[k, rows, columns] = entries
        tensors[k, columns, rows] = entries
    return tensors


def _rows(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows of a table by name, with the number of the line."""
    with file.open(encoding="ascii", newline="") as text:
        yield from enumerate(csv.DictReader(text), 2)
