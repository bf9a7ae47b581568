"""Everything that ASE reads, and ASE's databases."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern.datasets.contents import Column, Contents
from molkern.datasets.files import bad_file, needed
from molkern.datasets.limits import Limit
from molkern.datasets.names import KINDS, is_forces_name, is_gradient_name
from molkern.datasets.readers.pieces import Progress

__all__ = ["read_ase", "read_database"]

Array = npt.NDArray[Any]

# Programs whose output ASE reads, and converts to its own units while it does so.
_PROGRAMS = re.compile(
    r"vasp-(out|xml)|aims-output|espresso-out|gaussian-out|castep-(castep|md|geom)|gpaw-out|"
    r"nwchem-out|orca-output|abinit-out|cp2k-(output|dcd)|dmol-car|elk|exciting|octopus|qbox|"
    r"siesta-xv|turbomole(-gradient)?|gamess-us-out|gamess-us-punch|mopac|cfg"
)
_MOST_WIDTH = 9
_TYPES = "the file calls atoms by numbers of types, not by elements"


class _Frames:
    """Atoms and values of frames, packed as they come."""

    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self.numbers, self.positions = array("i"), array("d")
        self.sizes: list[int] = []
        self.cells: list[Array] = []
        self.pbc: list[Array] = []
        self.values: dict[str, dict[int, Array]] = {}
        self.forces: dict[str, dict[int, Array]] = {}
        self.texts: dict[str, dict[int, str]] = {}

    def add(self, numbers: Any, positions: Any, cell: Any, pbc: Any, values: Any) -> None:
        """One frame; values may be anything."""
        k = len(self.sizes)
        n = len(numbers)
        self.numbers.extend(np.asarray(numbers, np.intc).tolist())
        self.positions.frombytes(np.ascontiguousarray(positions, np.float64).tobytes())
        self.sizes.append(n)
        self.cells.append(np.array(cell, dtype=np.float64).reshape(3, 3))
        self.pbc.append(np.broadcast_to(np.asarray(pbc, dtype=bool), (3,)))
        for name, value in values:
            self._add_value(k, n, str(name), value)
        self._limit.require(16 * len(self.positions), "what it holds")

    def _add_value(self, k: int, n: int, name: str, value: Any) -> None:
        if isinstance(value, str | bytes):
            text = value.decode("latin-1") if isinstance(value, bytes) else value
            self.texts.setdefault(name, {})[k] = text
            return
        if value is None or isinstance(value, Mapping):
            return
        try:
            found = np.asarray(value)
        except ValueError:  # rows of different lengths
            return
        if found.dtype.kind not in "fiu":
            return
        if found.shape == (n, 3) and (is_forces_name(name) or is_gradient_name(name)):
            self.forces.setdefault(name, {})[k] = found
        elif 0 < found.size <= _MOST_WIDTH:
            self.values.setdefault(name, {})[k] = found.reshape(-1)

    def contents(self) -> Contents:
        """All frames, with a column for each name."""
        n = len(self.sizes)
        contents = Contents(
            np.frombuffer(self.numbers, np.intc).astype(np.int64),
            np.frombuffer(self.positions).reshape(-1, 3),
            np.concatenate(([0], np.cumsum(self.sizes, dtype=np.int64))),
            sources={"positions": "positions"},
        )
        cells, pbc = np.array(self.cells), np.array(self.pbc)
        if cells.any() or pbc.any():
            contents.cells, contents.pbc = cells, pbc
            contents.sources |= {"cell": "cell", "pbc": "pbc"}
        for name, found in self.forces.items():
            parts = [found.get(k, np.full((m, 3), np.nan)) for k, m in enumerate(self.sizes)]
            missing = sum(m for k, m in enumerate(self.sizes) if k not in found)
            contents.columns[name] = Column.of(
                np.concatenate(parts, dtype=np.float64), per_atom=True, n_missing=missing
            )
        for name, found in self.values.items():
            self._add_column(contents, name, found, n)
        for name, texts in self.texts.items():
            if name.lower() in KINDS:
                contents.kinds = np.array([texts.get(k, "") for k in range(n)], dtype=object)
                continue
            if len(texts) == n and len(set(texts.values())) == 1:
                contents.words[name] = texts[0]
            if name not in contents.columns:
                example = next(iter(texts.values()))[:40]
                contents.unused[name] = f"{name}: expected numbers, found text such as {example!r}"
        return contents

    def _add_column(self, contents: Contents, name: str, found: dict[int, Array], n: int) -> None:
        widths = {values.size for values in found.values()}
        if len(widths) > 1:
            contents.unused[name] = f"{name}: expected equally many numbers in each frame"
            return
        width = widths.pop()
        values = np.full((n, width), np.nan)
        for k, row in found.items():
            values[k] = row
        column = values[:, 0] if width == 1 else values
        contents.columns[name] = Column.of(column, n_missing=n - len(found))


def _values(frame: Any) -> Iterable[tuple[str, Any]]:
    """Names and values of a frame: of its own, of its calculator, of its atoms."""
    results = getattr(frame.calc, "results", {}) if frame.calc is not None else {}
    arrays = {
        name: values
        for name, values in frame.arrays.items()
        if is_forces_name(name) or is_gradient_name(name)
    }
    yield from {**arrays, **frame.info, **results}.items()


def read_ase(path: Path, limit: Limit, progress: Progress | None = None) -> Contents:
    """A file that ASE reads.

    Raises
    ------
    ValueError
        If ASE knows no such kind of file, or cannot read it; names the file and the frame.
    """
    formats = needed("ase.io.formats", f"reading {path.name}")
    try:
        kind = formats.filetype(str(path))
        if kind not in formats.ioformats:
            raise ValueError(f"no format of ASE: {kind}")
    except Exception as error:
        raise bad_file(
            path,
            "not a kind of file that is known here or to ASE; extended XYZ, .npz, HDF5, SDF, ASE "
            f"databases and folders of DeePMD-kit are read ({type(error).__name__}: {error})",
        ) from error
    frames, number = _Frames(limit), 0
    try:
        for number, frame in enumerate(formats.iread(str(path), index=":", format=kind)):
            frames.add(frame.numbers, frame.positions, frame.cell.array, frame.pbc, _values(frame))
            if progress is not None:
                progress(f"reading {path.name}", number + 1, 0)
    except ValueError as error:
        raise bad_file(path, f"frame {len(frames.sizes)}: {error}") from error
    except MemoryError:
        raise
    except Exception as error:  # ASE's readers raise whatever their parsing runs into.
        what = str(error) if str(error) else type(error).__name__
        ends = " (truncated?)" if isinstance(error, (EOFError, IndexError, StopIteration)) else ""
        raise bad_file(
            path, f"ASE cannot read frame {len(frames.sizes)}{ends}: {type(error).__name__}: {what}"
        ) from error
    if not frames.sizes:
        raise bad_file(path, "holds no structures")
    contents = frames.contents()
    contents.name_of = lambda k: f"frame {k}"
    contents.types = _types(path, kind)
    contents.usual_length = "angstrom"
    if _PROGRAMS.fullmatch(kind):
        contents.words["energy unit"] = "eV"
        contents.words["forces unit"] = "eV/angstrom"
        contents.notes.append(f"units: ASE converts the output of this program ({kind}) to its own")
    return contents


def _types(path: Path, kind: str) -> str:
    """Where the format has numbers of types in the place of elements."""
    if kind == "lammps-dump-text":
        with path.open(encoding="latin-1") as lines:
            columns = next((line for line in lines if line.startswith("ITEM: ATOMS")), "")
        return "" if " element" in columns else _TYPES
    if kind == "lammps-data":
        with path.open(encoding="latin-1") as lines:
            return "" if any(line.startswith("Masses") for line in lines) else _TYPES
    return _TYPES if kind == "lammps-dump-binary" else ""


def read_database(path: Path, limit: Limit, progress: Progress | None = None) -> Contents:
    """A database of ASE; SchNetPack's keep labels in the data of the rows.

    Raises
    ------
    ValueError
        If it is damaged or holds no structures; names the file and the row.
    """
    ase = needed("ase.db", f"reading {path.name}")
    frames, number = _Frames(limit), 0
    try:
        # ASE tells databases by the ending of their names.
        with ase.connect(path, type="db") as database:
            metadata, total = dict(database.metadata), len(database)
            for number, row in enumerate(database.select(), 1):
                frames.add(row.numbers, row.positions, row.cell, row.pbc, _values_of_row(row))
                if progress is not None and number % 100 == 0:
                    progress(f"reading {path.name}", number, total)
    except MemoryError:
        raise
    except Exception as error:  # SQLite's, JSON's and ASE's own.
        what = f"{type(error).__name__}: {error}"
        raise bad_file(path, f"ASE cannot read row {number + 1} of the database: {what}") from error
    if not frames.sizes:
        raise bad_file(path, "holds no structures")
    contents = frames.contents()
    contents.name_of = lambda k: f"row {k + 1}"
    contents.usual_length = "angstrom"
    contents.words |= {str(k): v for k, v in metadata.items() if isinstance(v, str | dict)}
    return contents


def _values_of_row(row: Any) -> Iterable[tuple[str, Any]]:
    """Names and values of a row: results of its calculator, key-value pairs, data."""
    for name in ("energy", "free_energy", "forces", "stress", "dipole", "magmom"):
        value = row.get(name)
        if value is not None and not callable(value):
            yield name, value
    yield from row.key_value_pairs.items()
    yield from row.data.items()
