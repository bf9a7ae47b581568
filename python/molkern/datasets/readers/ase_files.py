"""Everything that ASE reads, and ASE's databases."""

from __future__ import annotations

import contextlib
import dataclasses
import glob
import json
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from molkern.datasets.contents import Contents, Stated
from molkern.datasets.files import bad_file, in_a_line, needed
from molkern.datasets.limits import Limit
from molkern.datasets.names import is_forces_name, is_gradient_name
from molkern.datasets.readers import lammps
from molkern.datasets.readers.frames import Frames, Value
from molkern.datasets.readers.pieces import Progress, opened
from molkern.datasets.readers.whole import holds_several, what_lacks
from molkern.datasets.readers.xyz import read_xyz

__all__ = ["read_ase", "read_database"]

# Programs whose output ASE reads, and converts to its own units while it does so.
_PROGRAMS = frozenset(
    "vasp-out vasp-xml aims-output espresso-out gaussian-out castep-castep castep-md castep-geom "
    "gpaw-out gpw nwchem-out orca-output abinit-out abinit-gsr dacapo-text turbomole-gradient "
    "gamess-us-out gamess-us-punch onetep-out acemolecule-out xsf".split()
)
_UNITS = {"energy": "eV", "free_energy": "eV", "forces": "eV/angstrom", "stress": "eV/angstrom^3",
          "dipole": "e*angstrom", "bandgap": "eV"}  # fmt: skip
# Formats that hold lengths as their author has them.
_OF_LAMMPS = (*lammps.DUMPS, "lammps-data")
_ANY_LENGTH = ("traj", "bundletrajectory", "dlp4", "dlp-history", *_OF_LAMMPS)
# Formats that call atoms by names, which ASE takes the elements from.
_NAMES = ("gromacs", "gromos", "proteindatabank")
_NAMED = (
    "elements are those that ASE takes from the names of the atoms, where CA may be carbon or "
    "calcium"
)
_ATOMIC = {"energy": "hartree", "forces": "hartree/bohr"}  # of Qbox, which ASE does not convert
_RUNNER = (
    "atoms of RuNNer's input.data are in bohr, those of n2p2 in any unit, and the file does not "
    "say: expected --length-unit bohr or --length-unit angstrom (in Python length_unit=)"
)
# Arrays of atoms that tell how they are called, or move.
_ABOUT_ATOMS = frozenset(
    "numbers positions tags type id momenta masses mol-id residuenumbers occupancy bfactor".split()
)
_NO_PROPERTIES = ("occupancy", "spacegroup", "unit_cell")
_OF_ATOMS = ("initial_magmoms", "initial_charges")
_RESULTS = ("energy", "free_energy", "forces", "stress", "dipole", "magmom", "charges", "magmoms")
_START = 65536


def read_ase(path: Path, limit: Limit, progress: Progress | None = None) -> Contents:
    """A file that ASE reads.

    Raises
    ------
    ValueError
        If ASE knows no such kind of file, or cannot read it; names the file and the frame.
    """
    formats = needed("ase.io.formats", f"reading {path.name}")
    kind = _format(path, formats)
    if kind in ("xyz", "extxyz"):  # the parser says what it found
        return read_xyz(path, limit, progress)
    frames, types, partial = Frames(limit), [], 0
    try:
        if kind == "lammps-dump-text":
            lammps.check_counts(path)
        images = formats.iread(
            _name(path, kind), ":", kind, do_not_split_by_at_sign=True, **_options(kind)
        )
        for number, frame in enumerate(images):
            if kind == "proteindatabank" and len(frame) == 0:  # after the last ENDMDL
                continue
            partial += _is_partial(frame.info.get("occupancy"))
            frames.add(
                frame.numbers, frame.positions, frame.cell.array, frame.pbc, _values(frame, kind)
            )
            if kind in _OF_LAMMPS:
                types.append(lammps.types_of(frame))
            if progress is not None:
                progress(f"reading {path.name}", number + 1, 0)
    except ValueError as error:
        raise bad_file(path, f"frame {len(frames.sizes)}: {in_a_line(error)}") from error
    except MemoryError:
        raise
    except Exception as error:  # ASE's readers raise whatever their parsing runs into.
        what = in_a_line(error) or type(error).__name__
        ends = " (truncated?)" if isinstance(error, (EOFError, IndexError, StopIteration)) else ""
        raise bad_file(
            path, f"ASE cannot read frame {len(frames.sizes)}{ends}: {type(error).__name__}: {what}"
        ) from error
    if not frames.sizes:
        raise bad_file(path, f"holds no structures, read by ASE as {kind}")
    lacks = what_lacks(path, kind, frames.sizes[0]) if len(frames.sizes) == 1 else ""
    if lacks:
        raise bad_file(path, lacks)
    if len(frames.sizes) == 1 and holds_several(path, kind, formats.read):
        raise bad_file(
            path,
            f"holds several structures one after another, where a file of this kind ({kind}) has "
            "one; write them as extended XYZ, or each in a file of its own",
        )
    contents = frames.contents(lambda k: f"frame {k}")
    contents.usual_length = "angstrom"
    if kind in _OF_LAMMPS:
        lammps.add_elements(contents, path, kind, types)
    if kind in _NAMES and not (kind == "proteindatabank" and _has_elements(path)):
        contents.notes.append(_NAMED)
    if partial:
        contents.notes.append(
            f"{partial} structures have sites that are occupied in part, or by several elements: "
            "they are read as full, with the first or main element"
        )
    _state_units(contents, kind)
    return contents


def _is_partial(occupancy: Any) -> bool:
    """Whether sites of a crystal hold several elements, or none in some cells."""
    if not isinstance(occupancy, Mapping):
        return False
    sites = (site for site in occupancy.values() if isinstance(site, Mapping))
    return any(len(site) != 1 or min(site.values()) < 1 for site in sites)


def _has_elements(path: Path) -> bool:
    """Whether every atom of a PDB file has its element in columns 77 and 78."""
    with path.open("rb") as raw, opened(raw) as file:
        atoms = (line for line in file if line.startswith((b"ATOM", b"HETATM")))
        return all(line[76:78].strip().isalpha() for line in atoms)


def _format(path: Path, formats: Any) -> str:
    """ASE's name of the format.

    Raises
    ------
    ValueError
        If it is none that ASE reads.
    """
    with path.open("rb") as raw, opened(raw) as file:
        if lammps.is_data(file.read(_START)):
            return "lammps-data"
    try:
        kind = str(formats.filetype(str(path.absolute())))
        if kind not in formats.ioformats or not formats.ioformats[kind].can_read:
            raise ValueError(f"no format of ASE: {kind}")
    except Exception as error:
        raise bad_file(
            path,
            "not a kind of file that is known here or to ASE; extended XYZ, .npz, HDF5, SDF, ASE "
            "databases and folders of DeePMD-kit are read "
            f"({type(error).__name__}: {in_a_line(error)})",
        ) from error
    return kind


def _name(path: Path, kind: str) -> str:
    """What ASE is told to open: the file itself, whatever its name looks like."""
    name = str(path.absolute())  # names that begin with postgres are databases to ASE
    return glob.escape(name) if kind == "res" else name


def _options(kind: str) -> dict[str, Any]:
    """What a reader of ASE is told."""
    if kind != "runnerdata":
        return {}
    units = needed("ase.io.runner.runneratoms", "reading input.data").Units
    return {"input_units": units.ASE, "output_units": units.ASE}  # converts nothing


def _values(frame: Any, kind: str) -> Iterable[Value]:
    """Names and values of a frame: of its own, of its calculator, of its atoms."""
    results = dict(getattr(frame.calc, "results", {})) if frame.calc is not None else {}
    if kind in lammps.DUMPS:
        results.pop("energy", None)  # ASE puts 0 in its place: a dump has none
    for name, value in frame.arrays.items():
        if is_forces_name(name) or is_gradient_name(name) or name not in _ABOUT_ATOMS:
            if getattr(value, "dtype", None) is not None and value.dtype.kind in "fiub":
                yield "atoms", name, value
    for name, value in frame.info.items():
        if name not in _NO_PROPERTIES:
            yield "info", name, value
    for name, value in results.items():
        yield "calculator", name, value


def _state_units(contents: Contents, kind: str) -> None:
    """Units that ASE, or the program that wrote the file, has for what is in it."""
    if kind == "runnerdata":
        contents.usual_length, contents.asks_length = "", _RUNNER
        return
    units, source = _UNITS, f"ASE, which converts the output of this program ({kind})"
    if kind == "qbox":
        units, source = _ATOMIC, "Qbox's own units"
        contents.length = Stated("bohr", source)
    elif kind not in _ANY_LENGTH:
        contents.fixed_length = f"ASE already gives angstrom for this kind of file ({kind})"
        contents.length = Stated("angstrom", f"ASE, which converts lengths of this format ({kind})")
    if kind not in _PROGRAMS and kind != "qbox":
        return
    stated = {name: Stated(unit, source) for name, unit in units.items()}
    for name, column in contents.columns.items():
        if name in stated:
            contents.columns[name] = dataclasses.replace(column, stated=stated[name])
    if kind in _PROGRAMS:
        contents.notes.append(f"units: ASE converts the output of this program ({kind}) to its own")


def read_database(path: Path, limit: Limit, progress: Progress | None = None) -> Contents:
    """A database of ASE, in SQLite or JSON; SchNetPack's keep labels in the data of the rows.

    Raises
    ------
    ValueError
        If it is damaged or holds no structures; names the file and the row.
    """
    ase = needed("ase.db", f"reading {path.name}")
    with path.open("rb") as file:
        # ASE tells databases by the ending of their names.
        kind = "db" if file.read(6) == b"SQLite" else "json"
    frames, number = Frames(limit), 0
    try:
        if kind == "db":
            _check_tables(path)
        with ase.connect(str(path), type=kind) as database:
            total = len(database)
            for number, row in enumerate(database.select(), 1):
                frames.add(row.numbers, row.positions, row.cell, row.pbc, _values_of_row(row))
                if progress is not None and number % 100 == 0:
                    progress(f"reading {path.name}", number, total)
            metadata = dict(database.metadata)
    except (MemoryError, _NotASE):
        raise
    except Exception as error:  # SQLite's, JSON's and ASE's own.
        what = in_a_line(f"{type(error).__name__}: {error}")
        raise bad_file(path, f"ASE cannot read row {number + 1} of the database: {what}") from error
    if not frames.sizes:
        raise bad_file(path, "holds no structures")
    try:
        contents = frames.contents(lambda k: f"row {k + 1}")
    except ValueError as error:
        raise bad_file(path, str(error)) from error
    contents.usual_length = "angstrom"
    contents.words |= {str(k): v for k, v in metadata.items() if isinstance(v, str | Mapping)}
    described = _described_units(metadata.get("key_descriptions"), contents)
    if described:
        contents.words["units of key_descriptions"] = described
    return contents


def _check_tables(path: Path) -> None:
    """Raise if a database is not ASE's, which would write its own tables into it."""
    uri = f"{path.resolve().as_uri()}?mode=ro"
    with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
        found = connection.execute("SELECT name FROM sqlite_master WHERE type='table'").fetchall()
    names = [str(row[0]) for row in found]
    if "systems" not in names:
        held = ", ".join(names[:10]) or "none"
        raise _NotASE(f"an SQLite database that is not ASE's; its tables: {held}")


class _NotASE(ValueError):
    """A database of something else."""


def _values_of_row(row: Any) -> Iterable[Value]:
    """Names and values of a row: results of its calculator, key-value pairs, data."""
    for where, names in (("calculator", _RESULTS), ("atoms", _OF_ATOMS)):
        for name in names:
            value = row.get(name)
            if value is not None and not callable(value):
                yield where, name, value
    yield from (("key_value_pairs", name, value) for name, value in row.key_value_pairs.items())
    yield from (("data", name, value) for name, value in row.data.items())


def _described_units(described: Any, contents: Contents) -> dict[str, str]:
    """Units that ASE's descriptions of keys have: a short name, a long one, a unit."""
    if isinstance(described, str):
        try:
            described = json.loads(described)
        except ValueError:
            return {}
    if not isinstance(described, Mapping):
        return {}
    return {
        str(name): str(words[2])
        for name, words in described.items()
        if name in contents.columns and isinstance(words, list | tuple)
        if len(words) == 3 and str(words[2]).strip()
    }
