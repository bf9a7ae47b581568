"""QM9: the published xyz files and their archive, ``gdb9.sdf`` + csv, and array files."""

from __future__ import annotations

import csv
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern.datasets.atomization import QM9_ATOM_ENERGIES, atomization_energies
from molkern.datasets.dataset import Dataset
from molkern.datasets.files import bad_file, packed_pairs
from molkern.datasets.units import conversion_factor
from molkern.structures import Structures, numbers_of

__all__ = ["PROPERTIES", "NotQM9", "leave_out", "qm9_dataset", "read_sdf", "read_xyz"]

CITATION = (
    "L. Ruddigkeit et al., J. Chem. Inf. Model. 52, 2864 (2012), doi:10.1021/ci300415d; "
    "R. Ramakrishnan, P. O. Dral, M. Rupp, O. A. von Lilienfeld, Sci. Data 1, 140022 (2014), "
    "doi:10.1038/sdata.2014.22"
)
# In the order of the second line of the xyz files. U, H and G are at 298.15 K.
PROPERTIES: dict[str, str] = {
    "A": "GHz",
    "B": "GHz",
    "C": "GHz",
    "mu": "debye",
    "alpha": "bohr^3",
    "homo": "hartree",
    "lumo": "hartree",
    "gap": "hartree",
    "r2": "bohr^2",
    "zpve": "hartree",
    "U0": "hartree",
    "U": "hartree",
    "H": "hartree",
    "G": "hartree",
    "Cv": "cal/mol/K",
}
_CSV_NAMES = {"u0": "U0", "u298": "U", "h298": "H", "g298": "G", "cv": "Cv"}
_LIST_NAMES = ("uncharacterized.txt", "qm9_uncharacterized.txt")
_SDF_TITLE = re.compile(r"gdb_(\d+)$")
_SDF_END = re.compile(r"^\$\$\$\$\s*?$\n?", re.MULTILINE)

Molecule = tuple[int, list[int], list[tuple[float, float, float]]]


class NotQM9(ValueError):
    """A file has QM9's layout, and energies that are not QM9's."""


def qm9_dataset(
    path: Path,
    structures: Structures,
    properties: dict[str, npt.NDArray[np.float64]],
    notes: tuple[str, ...] = (),
) -> Dataset:
    """QM9 with atomization energies added.

    Parameters
    ----------
    path : Path
    structures : Structures
    properties : dict of str to ndarray, shape (n_structures,)
        Names and units as in ``PROPERTIES``; NaN where there is no label.
    notes : tuple of str
    """
    targets = dict(properties)
    units = {name: PROPERTIES[name] for name in properties}
    factor = conversion_factor("hartree", "kcal/mol")
    for name, free in QM9_ATOM_ENERGIES.items():
        energies = atomization_energies(structures, properties[name], free)
        targets[f"{name}_atomization"] = energies * factor
        units[f"{name}_atomization"] = "kcal/mol"
    return Dataset(
        name="qm9",
        structures=structures,
        targets=targets,
        units=units,
        default_target="U0_atomization",
        citation=CITATION,
        source=str(path),
        notes=(
            "X_atomization (kcal/mol): energy X (hartree) less the free atoms of QM9's atomref.txt",
            *notes,
        ),
        extensive=frozenset(n for n in targets if n.split("_")[0] in QM9_ATOM_ENERGIES),
    )


def _check_energies(path: Path, dataset: Dataset, stated: npt.NDArray[np.float64] | None) -> None:
    """Raise if energies are not in hartree, or others than those of QM9's atoms are subtracted.

    Who computes the molecules of QM9 anew often keeps its layout, with units of their own.

    Raises
    ------
    NotQM9
        If that is so for more than one in a hundred.
    """
    energies, differences = dataset.targets["U0"], dataset.targets["U0_atomization"]
    ratio = energies / (energies - differences / conversion_factor("hartree", "kcal/mol"))
    agree = (ratio > 0.95) & (ratio < 1.1)
    if stated is not None:
        agree &= ~(np.abs(stated - differences) > 0.05 + 1e-3 * np.abs(differences))
    if agree.mean() < 0.99:
        first = int(agree.argmin())
        raise NotQM9(
            f"{path}: has the layout of QM9, but energies that are not QM9's: molecule {first} has "
            f"U0 {energies[first]:g}, its free atoms {energies[first] / ratio[first]:.3f} hartree"
        )


def leave_out(dataset: Dataset, uncharacterized: npt.NDArray[np.bool_]) -> Dataset:
    """The data set without its uncharacterized molecules, saying how many they were."""
    return dataset.select(~uncharacterized).with_notes(
        f"{int(uncharacterized.sum())} uncharacterized molecules left out "
        "(failed QM9's consistency check)"
    )


def _leave_out_listed(dataset: Dataset, gdb_id: npt.NDArray[np.int64], path: Path) -> Dataset:
    file = uncharacterized_list(path)
    if file is None:
        return dataset.with_notes(
            "uncharacterized molecules NOT left out: no uncharacterized.txt beside the file"
        )
    return leave_out(dataset, np.isin(gdb_id, read_uncharacterized(file)))


def uncharacterized_list(path: Path) -> Path | None:
    """The list of uncharacterized molecules beside a file or in a folder, if there is one."""
    folder = path if path.is_dir() else path.parent
    return next((folder / name for name in _LIST_NAMES if (folder / name).is_file()), None)


def read_uncharacterized(path: Path) -> npt.NDArray[np.int64]:
    """The published list of the 3054 molecules that failed the consistency check.

    Raises
    ------
    ValueError
        If no line starts with a QM9 number.
    """
    first = (line.split(maxsplit=1)[:1] for line in _text(path).splitlines())
    listed = [int(word[0]) for word in first if word and word[0].isdigit()]
    if not listed:
        raise bad_file(path, "no QM9 numbers found; expected the published uncharacterized.txt")
    return np.array(listed, dtype=np.int64)


def read_xyz(path: Path, keep_uncharacterized: bool = False) -> Dataset:
    """``dsgdb9nsd_*.xyz``: one file, a folder of them, or the published ``.tar.bz2``.

    Parameters
    ----------
    path : Path
    keep_uncharacterized : bool, default=False
        Keep the molecules in the ``uncharacterized.txt`` beside the file.

    Returns
    -------
    Dataset
        The 15 properties, and atomization energies in kcal/mol. Ordered by QM9 number.

    Raises
    ------
    ValueError
        For a file that is damaged or not in this format; names the file and the molecule.
    """
    molecules: list[Molecule] = []
    values: list[list[float]] = []
    for name, text in _xyz_texts(path):
        try:
            number, properties, numbers, positions = parse_xyz(text)
        except (ValueError, IndexError, KeyError) as error:
            raise bad_file(path, f"{name}: not a QM9 xyz file (truncated?): {error}") from error
        molecules.append((number, numbers, positions))
        values.append(properties)
    if not molecules:
        raise bad_file(path, "no dsgdb9nsd_*.xyz found in it")
    table = np.array(values)
    order = np.argsort([molecule[0] for molecule in molecules], kind="stable")
    gdb_id = np.array([molecules[k][0] for k in order], dtype=np.int64)
    if len(np.unique(gdb_id)) < len(gdb_id):
        raise bad_file(path, "two molecules have the same QM9 number")
    structures = packed_pairs(path, ((molecules[k][1], molecules[k][2]) for k in order))
    columns = {name: table[order, k] for k, name in enumerate(PROPERTIES)}
    dataset = qm9_dataset(path, structures, columns)
    _check_energies(path, dataset, None)
    return dataset if keep_uncharacterized else _leave_out_listed(dataset, gdb_id, path)


def _xyz_texts(path: Path) -> Iterator[tuple[str, str]]:
    """Name and content of every xyz file of a file, folder or archive."""
    if path.is_dir():
        for file in sorted(path.glob("dsgdb9nsd_*.xyz")):
            yield file.name, _text(file)
    elif path.name.endswith((".tar.bz2", ".tar.gz", ".tar")):
        try:
            with tarfile.open(path) as archive:
                for member in archive:
                    if member.isfile() and member.name.endswith(".xyz"):
                        content = archive.extractfile(member)
                        if content is not None:
                            yield member.name, content.read().decode("ascii")
        except (tarfile.TarError, EOFError, OSError, UnicodeDecodeError) as error:
            raise bad_file(path, f"damaged or truncated archive: {error}") from error
    else:
        yield path.name, _text(path)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except UnicodeDecodeError as error:
        raise bad_file(path, f"not a text file: {error}") from error


def parse_xyz(
    text: str,
) -> tuple[int, list[float], list[int], list[tuple[float, float, float]]]:
    """QM9 number, the 15 properties, atomic numbers and positions (Å) of one xyz file.

    Exponents written ``*^`` as in ``2.1997*^-6`` are understood. The Mulliken charges, frequencies,
    SMILES and InChI that follow are checked for, not returned.

    Raises
    ------
    ValueError
        If a line is missing or has another number of columns.
    """
    lines = text.replace("*^", "e").splitlines()
    n_atoms = int(lines[0])
    while lines and not lines[-1].strip():
        lines.pop()
    if n_atoms < 1 or len(lines) != n_atoms + 5:
        raise ValueError(f"expected {n_atoms + 5} lines for {n_atoms} atoms, found {len(lines)}")
    words = lines[1].split()
    if len(words) != 2 + len(PROPERTIES) or words[0] != "gdb":
        raise ValueError(f"line 2: expected 'gdb', a number and 15 values, found {lines[1]!r}")
    symbols, positions = [], []
    for k, line in enumerate(lines[2 : 2 + n_atoms], start=3):
        columns = line.split()
        if len(columns) != 5:
            raise ValueError(f"line {k}: expected element, x, y, z, charge, found {line!r}")
        symbols.append(columns[0])
        positions.append((float(columns[1]), float(columns[2]), float(columns[3])))
        float(columns[4])
    # The number of vibrations says once more how many atoms there are.
    n_modes = len(lines[2 + n_atoms].split())
    if n_modes not in {max(3 * n_atoms - k, 0) for k in (5, 6)}:
        raise ValueError(f"line {3 + n_atoms}: {n_modes} frequencies of {n_atoms} atoms")
    values = [float(word) for word in words[2:]]
    return int(words[1]), values, numbers_of(symbols), positions


def read_sdf(path: Path, keep_uncharacterized: bool = False) -> Dataset:
    """``gdb9.sdf`` (geometries, 4 decimals) with the properties of the csv beside it.

    Parameters
    ----------
    path : Path
        The ``.sdf`` or the ``.sdf.csv``; the other one is looked for beside it.
    keep_uncharacterized : bool, default=False

    Returns
    -------
    Dataset
        As :func:`read_xyz`. Molecules and rows are joined by their ``gdb_`` name.

    Raises
    ------
    ValueError
        If one of the two is missing or damaged, or a molecule has no row.
    """
    sdf, table = sdf_pair(path)
    molecules = list(_sdf_molecules(sdf))
    if not molecules:
        raise bad_file(sdf, "no molecules found; expected records that end with $$$$")
    gdb_id = np.array([molecule[0] for molecule in molecules], dtype=np.int64)
    rows = _csv_rows(table)
    absent = [number for number in gdb_id.tolist() if number not in rows]
    if absent:
        raise bad_file(
            table, f"no row for {len(absent)} molecules of {sdf.name}, first gdb_{absent[0]}"
        )
    values = np.array([rows[number] for number in gdb_id.tolist()])
    structures = packed_pairs(sdf, ((numbers, positions) for _, numbers, positions in molecules))
    columns = {name: values[:, k] for k, name in enumerate(PROPERTIES)}
    stated = values[:, len(PROPERTIES)]
    notes = ("geometries of gdb9.sdf have 4 decimals",)
    dataset = qm9_dataset(sdf, structures, columns, notes)
    _check_energies(sdf, dataset, stated)
    return dataset if keep_uncharacterized else _leave_out_listed(dataset, gdb_id, sdf)


def is_sdf_with_table(path: Path) -> bool:
    """Whether an SDF has QM9's titles, and a table with QM9's columns lies beside it."""
    with path.open("rb") as file:
        if _SDF_TITLE.match(file.readline(200).decode("latin-1").strip()) is None:
            return False
    tables = (path.with_name(path.name + ".csv"), path.with_suffix(".csv"))
    return any(table.is_file() and _is_table(table) for table in tables)


def is_table_with_sdf(path: Path) -> bool:
    """Whether a table has QM9's columns, and the SDF that it belongs to lies beside it."""
    if not _is_table(path):
        return False
    try:
        return is_sdf_with_table(sdf_pair(path)[0])
    except ValueError:
        return False


def _is_table(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.readline(10_000).decode("latin-1").strip().split(",")
    names = {_CSV_NAMES.get(name, name) for name in head}
    return {"mol_id", *PROPERTIES} <= names


def sdf_pair(path: Path) -> tuple[Path, Path]:
    """The sdf and the csv that belong together."""
    if path.suffix == ".csv":
        sdf = path.with_suffix("") if path.name.endswith(".sdf.csv") else path.with_suffix(".sdf")
        if not sdf.is_file():
            raise bad_file(path, f"holds labels without geometries; {sdf.name} is not beside it")
        return sdf, path
    for table in (path.with_name(path.name + ".csv"), path.with_suffix(".csv")):
        if table.is_file():
            return path, table
    raise bad_file(path, f"geometries without labels: {path.name}.csv is not beside it")


def _sdf_molecules(path: Path) -> Iterator[Molecule]:
    records = _SDF_END.split(_text(path))
    if records[-1].strip():
        raise bad_file(path, "truncated: the last record does not end with $$$$")
    for k, record in enumerate(records[:-1]):
        lines = record.splitlines()
        try:
            title = _SDF_TITLE.match(lines[0].strip())
            if title is None:
                raise ValueError(f"expected a title such as gdb_1, found {lines[0]!r}")
            n_atoms = int(lines[3][:3])
            atoms = [line.split() for line in lines[4 : 4 + n_atoms]]
            positions = [(float(a[0]), float(a[1]), float(a[2])) for a in atoms]
            numbers = numbers_of(a[3] for a in atoms)
            if len(numbers) != n_atoms:
                raise ValueError(f"expected {n_atoms} atoms, found {len(numbers)}")
        except (ValueError, IndexError) as error:
            raise bad_file(path, f"record {k + 1}: not a V2000 record of QM9: {error}") from error
        yield int(title[1]), numbers, positions


def _csv_rows(path: Path) -> dict[int, list[float]]:
    """QM9 number -> the 15 properties, and the atomization energy that is stated, or NaN."""
    lines = _text(path).splitlines()
    reader = csv.DictReader(lines)
    names: dict[str, Any] = {_CSV_NAMES.get(n, n): n for n in reader.fieldnames or ()}
    missing = [name for name in ("mol_id", *PROPERTIES) if name not in names]
    if missing:
        raise bad_file(path, f"lacks the columns {missing}; found {reader.fieldnames}")
    rows = {}
    for k, row in enumerate(reader, start=2):
        try:
            number = int(row[names["mol_id"]].removeprefix("gdb_"))
            rows[number] = [float(row[names[name]]) for name in PROPERTIES]
            rows[number].append(float(row.get("u0_atom") or "nan"))
        except (TypeError, ValueError, AttributeError) as error:
            raise bad_file(path, f"line {k}: {error} (truncated?)") from error
    return rows
