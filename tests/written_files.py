"""Files in every format that is read, with the names and habits of a random dialect."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import tarfile
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from molkern.elements import symbol_of

LENGTHS = {"angstrom": 1.0, "bohr": 0.529177210544}

# What each format can be called; the first of each is the plainest.
ENERGY_KEYS = (
    "energy",
    "E",
    "REF_energy",
    "dft_energy",
    "TotEnergy",
    "U0",
    "Total Energy",
    "pbe.E0",
)
FORCES_KEYS = ("forces", "force", "REF_forces", "dft_forces", "F", "gradient")
NUMBERS_KEYS = ("numbers", "Z", "z", "nuclear_charges", "atomic_numbers", "species", "elements")
POSITIONS_KEYS = ("positions", "R", "coords", "coordinates", "xyz", "geometries")
CELL_KEYS = ("cell", "cells", "lattice", "box")
FORMATS = ("xyz", "npz-packed", "npz-counts", "npz-padded", "npz-trajectory", "hdf5", "hdf5-flat",
           "database", "sdf", "folder", "tar", "zip", "deepmd", "mat")  # fmt: skip


@dataclass(frozen=True)
class Content:
    """Structures with labels, in angstrom and in any unit of energy."""

    numbers: list[list[int]]
    positions: list[np.ndarray]
    energy: np.ndarray
    forces: list[np.ndarray] | None = None
    cell: np.ndarray | None = None  # one for all


@dataclass(frozen=True)
class Dialect:
    """How a file is written."""

    format: str = "xyz"
    energy: str = "energy"
    forces: str = "forces"
    numbers: str = "numbers"
    positions: str = "positions"
    cell: str = "cell"
    length: str = "angstrom"
    unit: str = ""  # stated in the file
    symbols: bool = False
    padding: int = 0
    compressed: str = ""
    newline: str = "\n"
    blank_lines: int = 0
    mark: bool = False  # a byte order mark
    extra: dict[str, float] = field(default_factory=dict)

    def stored(self, content: Content) -> Content:
        """The numbers as the file has them: in its unit of length, gradients for forces."""
        factor = LENGTHS[self.length]
        sign = -1.0 if self.forces == "gradient" else 1.0
        forces = None if content.forces is None else [sign * f for f in content.forces]
        cell = None if content.cell is None else content.cell / factor
        return replace(
            content, positions=[r / factor for r in content.positions], forces=forces, cell=cell
        )


def write(folder: Path, content: Content, dialect: Dialect) -> Path:
    """Write a file, or a folder, and return its path."""
    stored = dialect.stored(content)
    kind, _, layout = dialect.format.partition("-")
    return _WRITERS[kind](folder, stored, dialect, layout)


def xyz_frames(content: Content, dialect: Dialect) -> list[str]:
    """Text of each frame."""
    frames = []
    for k, (numbers, positions) in enumerate(zip(content.numbers, content.positions, strict=True)):
        properties = "species:S:1:pos:R:3"
        columns = [positions]
        if content.forces is not None:
            properties += f":{dialect.forces}:R:3"
            columns.append(content.forces[k])
        key = dialect.energy if " " not in dialect.energy else f'"{dialect.energy}"'
        words = [f"Properties={properties}", f"{key}={float(content.energy[k])!r}"]
        if content.cell is not None:
            flat = " ".join(map(repr, content.cell.reshape(-1).tolist()))
            words.append(f'Lattice="{flat}"')
        if dialect.unit:
            words.append(f"energy_unit={dialect.unit}")
        if dialect.length != "angstrom":
            words.append(f"length_unit={dialect.length}")
        words += [f"{name}={value!r}" for name, value in dialect.extra.items()]
        lines = [str(len(numbers)), " ".join(words)]
        table = np.concatenate(columns, axis=1) if len(numbers) else np.empty((0, 3))
        for number, row in zip(numbers, table.tolist(), strict=True):
            lines.append(" ".join([symbol_of(number), *map(repr, row)]))
        frames.append("".join(line + dialect.newline for line in lines))
    return frames


def _xyz(folder: Path, content: Content, dialect: Dialect, layout: str) -> Path:
    blank = dialect.newline * dialect.blank_lines
    text = blank.join(xyz_frames(content, dialect)).encode("utf-8-sig" if dialect.mark else "utf-8")
    path = folder / "written.xyz"
    if dialect.compressed == "gz":
        path, text = folder / "written.xyz.gz", gzip.compress(text)
    if dialect.compressed == "bz2":
        path, text = folder / "written.xyz.bz2", bz2.compress(text)
    path.write_bytes(text)
    return path


def _labels(content: Content, dialect: Dialect) -> dict[str, np.ndarray]:
    arrays = {dialect.energy: content.energy}
    for name, value in dialect.extra.items():
        arrays[name] = np.full(len(content.energy), value) + np.arange(len(content.energy)) / 7
    if content.cell is not None:
        arrays[dialect.cell] = content.cell
        arrays["pbc"] = np.ones(3, bool)
    return arrays


def _words(dialect: Dialect) -> dict[str, np.ndarray]:
    words = {}
    if dialect.unit:
        words["e_unit"] = np.array(dialect.unit)
    if dialect.length != "angstrom":
        words["r_unit"] = np.array(dialect.length)
    return words


def named(numbers: np.ndarray, dialect: Dialect) -> np.ndarray:
    """Numbers, or symbols, as the dialect has them."""
    if not dialect.symbols:
        return numbers
    flat = ["" if z <= 0 else symbol_of(int(z)) for z in numbers.reshape(-1)]
    return np.array(flat).reshape(numbers.shape)


def arrays_of(content: Content, dialect: Dialect, layout: str) -> dict[str, np.ndarray]:
    """Named arrays in a layout."""
    sizes = np.array([len(z) for z in content.numbers])
    labels = _labels(content, dialect) | _words(dialect)
    if layout in ("packed", "counts"):
        arrays = {
            dialect.numbers: named(np.concatenate(content.numbers).astype(int), dialect),
            dialect.positions: np.concatenate(content.positions),
        }
        if layout == "packed":
            arrays["offsets"] = np.concatenate(([0], np.cumsum(sizes)))
        else:
            arrays["N"] = sizes
        if content.forces is not None:
            arrays[dialect.forces] = np.concatenate(content.forces)
        return arrays | labels
    if layout == "trajectory":
        arrays = {
            dialect.numbers: named(np.array(content.numbers[0]), dialect),
            dialect.positions: np.array(content.positions),
        }
        if content.forces is not None:
            arrays[dialect.forces] = np.array(content.forces)
        return arrays | labels
    size = sizes.max() + 1
    numbers = np.full((len(sizes), size), dialect.padding)
    positions, forces = np.zeros((len(sizes), size, 3)), np.zeros((len(sizes), size, 3))
    for k, n in enumerate(sizes):
        numbers[k, :n], positions[k, :n] = content.numbers[k], content.positions[k]
        if content.forces is not None:
            forces[k, :n] = content.forces[k]
    arrays = {dialect.numbers: named(numbers, dialect), dialect.positions: positions}
    if content.forces is not None:
        arrays[dialect.forces] = forces
    return arrays | labels


def _npz(folder: Path, content: Content, dialect: Dialect, layout: str) -> Path:
    path = folder / "written.npz"
    save = np.savez_compressed if dialect.compressed else np.savez
    save(path, **arrays_of(content, dialect, layout))
    return path


def _mat(folder: Path, content: Content, dialect: Dialect, layout: str) -> Path:
    from scipy.io import savemat

    plain = replace(dialect, symbols=False, unit="", length="angstrom")
    arrays = arrays_of(content, plain, "padded")
    arrays.pop("pbc", None)
    savemat(folder / "written.mat", {k: v[None] if v.ndim == 1 else v for k, v in arrays.items()})
    return folder / "written.mat"


def _hdf5(folder: Path, content: Content, dialect: Dialect, layout: str) -> Path:
    import h5py

    path = folder / "written.h5"
    with h5py.File(path, "w") as file:
        if layout == "flat":
            arrays = arrays_of(content, replace(dialect, unit="", length="angstrom"), "padded")
            for name, values in arrays.items():
                file[name] = values.astype("S") if values.dtype.kind == "U" else values
            _state(file, dialect)
            return path
        for k, numbers in enumerate(content.numbers):
            group = file.create_group(f"molecule {k:03}")
            z = named(np.array(numbers), dialect)
            group[dialect.numbers] = z.astype("S") if z.dtype.kind == "U" else z
            group[dialect.positions] = content.positions[k][None]
            group[dialect.energy] = content.energy[k : k + 1]
            if content.forces is not None:
                group[dialect.forces] = content.forces[k][None]
            if content.cell is not None:
                group[dialect.cell] = content.cell
            _state(group, dialect)
    return path


def _state(group, dialect: Dialect) -> None:
    """Units as attributes of the arrays."""
    if dialect.unit:
        group[dialect.energy].attrs["units"] = dialect.unit
    if dialect.length != "angstrom":
        group[dialect.positions].attrs["units"] = dialect.length


def _database(folder: Path, content: Content, dialect: Dialect, layout: str) -> Path:
    from ase import Atoms
    from ase.db import connect

    path = folder / "written.db"
    path.unlink(missing_ok=True)
    with connect(path) as database:
        for k, numbers in enumerate(content.numbers):
            atoms = Atoms(numbers, content.positions[k])
            if content.cell is not None:
                atoms.cell, atoms.pbc = content.cell, True
            data = {dialect.energy: content.energy[k : k + 1]}
            if content.forces is not None:
                data[dialect.forces] = content.forces[k]
            database.write(atoms, data=data, key_value_pairs=dialect.extra)
        metadata = {}
        if dialect.unit:
            metadata["_property_unit_dict"] = {dialect.energy: dialect.unit}
        if dialect.length != "angstrom":
            metadata["_distance_unit"] = dialect.length
        database.metadata = metadata
    return path


def _sdf(folder: Path, content: Content, dialect: Dialect, layout: str) -> Path:
    records = []
    for k, numbers in enumerate(content.numbers):
        atoms = "".join(
            f"{x:10.4f}{y:10.4f}{z:10.4f} {symbol_of(number):3} 0\n"
            for number, (x, y, z) in zip(numbers, content.positions[k].tolist(), strict=True)
        )
        fields = {dialect.energy: float(content.energy[k]), **dialect.extra}
        text = "".join(f">  <{name}>\n{value!r}\n\n" for name, value in fields.items())
        head = f"record {k}\n  written\n\n{len(numbers):3}  0  0  0  0  0  0  0  0  0999 V2000\n"
        records.append(f"{head}{atoms}M  END\n{text}$$$$\n")
    (folder / "written.sdf").write_text("".join(records))
    return folder / "written.sdf"


def _files(content: Content, dialect: Dialect) -> dict[str, str]:
    frames = xyz_frames(content, dialect)
    return {f"m{k}.xyz": frame for k, frame in enumerate(frames)}


def _folder(folder: Path, content: Content, dialect: Dialect, layout: str) -> Path:
    path = folder / "written"
    path.mkdir(exist_ok=True)
    for file in path.iterdir():
        file.unlink()
    for name, text in _files(content, dialect).items():
        (path / name).write_text(text, newline="")
    return path


def _tar(folder: Path, content: Content, dialect: Dialect, layout: str) -> Path:
    ending = f".{dialect.compressed}" if dialect.compressed else ""
    path = folder / f"written.tar{ending}"
    with tarfile.open(path, f"w:{dialect.compressed}") as archive:
        for name, text in _files(content, dialect).items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return path


def _zip(folder: Path, content: Content, dialect: Dialect, layout: str) -> Path:
    with zipfile.ZipFile(folder / "written.zip", "w") as archive:
        for name, text in _files(content, dialect).items():
            archive.writestr(name, text)
    return folder / "written.zip"


def _deepmd(folder: Path, content: Content, dialect: Dialect, layout: str) -> Path:
    path = folder / "written deepmd"
    species = sorted({z for numbers in content.numbers for z in numbers})
    for k, numbers in enumerate(content.numbers):
        part = path / f"system{k:03}" / "set.000"
        part.mkdir(parents=True, exist_ok=True)
        types = [str(species.index(z)) for z in numbers]
        (part.parent / "type.raw").write_text("\n".join(types))
        (part.parent / "type_map.raw").write_text("\n".join(map(symbol_of, species)))
        np.save(part / "coord.npy", content.positions[k].reshape(1, -1))
        np.save(part / "energy.npy", content.energy[k : k + 1])
        if content.forces is not None:
            np.save(part / "force.npy", content.forces[k].reshape(1, -1))
        if content.cell is None:
            (part.parent / "nopbc").touch()
        else:
            np.save(part / "box.npy", content.cell.reshape(1, 9))
    return path


_WRITERS = {
    "xyz": _xyz,
    "npz": _npz,
    "mat": _mat,
    "hdf5": _hdf5,
    "database": _database,
    "sdf": _sdf,
    "folder": _folder,
    "tar": _tar,
    "zip": _zip,
    "deepmd": _deepmd,
}


def example(seed: int = 0, n: int = 8, *, equal: bool = False, cell: bool = True) -> Content:
    """A content without special values."""
    rng = np.random.default_rng(seed)
    choices = [[8, 1, 1], [6, 1, 1, 1, 1], [7, 1, 1, 1], [1, 9], [6, 8]]
    numbers = [choices[0 if equal else k % len(choices)] for k in range(n)]
    energies = {1: -13.6, 6: -1036.0, 7: -1489.0, 8: -2043.0, 9: -2713.0}
    return Content(
        numbers=numbers,
        positions=[rng.normal(size=(len(z), 3)).round(4) for z in numbers],
        energy=np.array([sum(energies[a] for a in z) for z in numbers]) + rng.normal(size=n),
        forces=[rng.normal(size=(len(z), 3)) for z in numbers],
        cell=np.diag([7.0, 8.0, 9.0]) if cell else None,
    )


def as_json(dialect: Dialect) -> str:
    """A dialect in a line, for reports."""
    return json.dumps({k: v for k, v in vars(dialect).items() if v})
