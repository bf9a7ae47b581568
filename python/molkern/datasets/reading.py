"""From a path to a data set: what kind it is, whether it is a published one, and what it holds."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

from molkern.datasets import formats, parsed
from molkern.datasets.contents import Contents
from molkern.datasets.dataset import Dataset
from molkern.datasets.door import Options, admit
from molkern.datasets.errors import AskedFor
from molkern.datasets.files import bad_file, digest, in_a_line, sha256_of, sha256_of_named
from molkern.datasets.kinds import kind_of
from molkern.datasets.limits import Limit, stored_bytes
from molkern.datasets.readers.ase_files import read_ase, read_database
from molkern.datasets.readers.deepmd import deepmd_files, read_deepmd
from molkern.datasets.readers.folders import folder_files, other_names, read_folder
from molkern.datasets.readers.hdf5 import read_hdf5
from molkern.datasets.readers.joining import join_tables
from molkern.datasets.readers.npz import read_mat, read_npz_contents
from molkern.datasets.readers.pieces import Progress
from molkern.datasets.readers.sdf import read_sdf_records
from molkern.datasets.readers.tables import explain_table, table_of, tables_beside
from molkern.datasets.readers.xyz import read_xyz
from molkern.datasets.selection import choose
from molkern.datasets.units import length_unit

__all__ = ["KINDS", "read_path", "safely"]

_READERS: dict[str, Callable[[Path, Limit, Progress | None], Contents]] = {
    "xyz": read_xyz,
    "npz": lambda path, limit, _: read_npz_contents(path, limit),
    "mat": lambda path, limit, _: read_mat(path, limit),
    "hdf5": read_hdf5,
    "sdf": read_sdf_records,
    "database": read_database,
    "folder": read_folder,
    "deepmd": lambda path, limit, _: read_deepmd(path, limit),
    "ase": read_ase,
}
KINDS = tuple(_READERS)


def read_path(
    path: Path,
    options: Options,
    *,
    keep_uncharacterized: bool = False,
    max_bytes: int | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Read a file or folder that the user names.

    Raises
    ------
    ValueError
        For anything that cannot be read or used; names the file.
    MemoryError
        If it does not fit in memory; names the file.
    """
    return safely(
        path, lambda: _read_path(path, options, keep_uncharacterized, max_bytes, progress)
    )


def safely(path: Path, read: Callable[[], Dataset]) -> Dataset:
    """What a reader returns; whatever goes wrong in it becomes an error that names the file."""
    try:
        return read()
    except MemoryError as error:
        raise MemoryError(f"{path}: {error or 'it does not fit in memory'}") from error
    except (AskedFor, ImportError, FileNotFoundError, PermissionError):
        raise
    except ValueError as error:
        if str(path) in str(error) and "\n" not in str(error):
            raise
        words = str(error) if str(path) in str(error) else f"{path}: {error}"
        raise ValueError(in_a_line(words)) from error
    except Exception as error:  # A damaged file can lead to anything.
        what = in_a_line(f"{type(error).__name__}: {error}")
        raise bad_file(path, f"cannot be read (damaged?): {what}") from error


def _read_path(
    path: Path,
    options: Options,
    keep_uncharacterized: bool,
    max_bytes: int | None,
    progress: Progress | None,
) -> Dataset:
    kind = kind_of(path)
    form = formats.layout_of(path, kind)
    if form is not None:
        files = formats.files_read(path, form)
        own = sha256_of(files) if path.is_dir() else digest(path)
        dataset = formats.published(path, form, own, keep_uncharacterized)
        if dataset is not None:
            return _of_published(dataset, options, own if files == [path] else sha256_of(files))
    if kind == "table":
        raise explain_table(path)
    if kind == "qm9-xyz":  # by its names, but not by its content
        kind = "xyz" if formats.is_single(path) else "folder"
    files = _files(path, kind)
    sha256 = digest(path) if files == [path] else sha256_of_named(path, files)
    limit = Limit(stored_bytes(files), max_bytes)
    contents = _contents(path, kind, sha256, limit, progress)
    _check_length_unit(path, contents, options)
    if kind not in ("sdf", "folder", "deepmd"):
        contents.notes += [
            f"{file.name} beside it is not read: tables are joined to folders, archives and SDF"
            for file in tables_beside(path)
            if file.suffix in (".csv", ".tsv")
        ]
    if form in formats.SPEAKING:
        contents.notes.append(
            "has the layout of QM9, but not its energies: read as a file of one's own"
        )
    dataset = admit(path, _name(path), contents, options)
    return dataset.replace(sha256=sha256, verified="not verified: no hash is known for this file")


def _check_length_unit(path: Path, contents: Contents, options: Options) -> None:
    """Raise if the user's word on lengths cannot hold, or is needed and was not given."""
    said = options.length_unit
    if contents.asks_length and said is None:
        raise AskedFor(f"length_unit: {path.name}: {contents.asks_length}")
    if contents.fixed_length and said is not None and length_unit(said) != "angstrom":
        raise AskedFor(
            f"length_unit: {path.name}: {contents.fixed_length}; leave out --length-unit, found "
            f"{said!r}"
        )


def _name(path: Path) -> str:
    """Name of the data set: that of the file without its endings of compression and kind."""
    name = path.name or path.resolve().name
    for ending in (".gz", ".bz2", ".xz", ".tar"):
        name = name.removesuffix(ending)
    return name if path.is_dir() else Path(name).stem


def _files(path: Path, kind: str) -> list[Path]:
    """Every file that is read for a path, in a fixed order."""
    if kind == "deepmd":
        return deepmd_files(path)
    if kind == "folder":
        return folder_files(path)
    if kind == "sdf":
        return [path, *tables_beside(path)]
    return [path]


def _contents(
    path: Path, kind: str, sha256: str, limit: Limit, progress: Progress | None
) -> Contents:
    """What a reader finds; from the cache where it took long before."""
    others = other_names(path) if kind == "folder" else []
    key = parsed.key(path, kind, sha256, others)
    kept = parsed.load(key)
    if kept is not None:
        return kept
    start = time.perf_counter()
    contents = _READERS[kind](path, limit, progress)
    if kind == "sdf":
        join_tables(contents, [table_of(file, limit) for file in tables_beside(path)])
    if time.perf_counter() - start > parsed.WORTH_SECONDS and kind in parsed.KINDS:
        parsed.save(key, contents)
    return contents


def _of_published(dataset: Dataset, options: Options, sha256: str) -> Dataset:
    """A published set, as its name gives it."""
    if options.length_unit is not None and options.like is None:
        raise AskedFor(
            f"length_unit: the format of {Path(dataset.source).name} has a known unit; expected "
            f"None, found {options.length_unit!r}"
        )
    if options.species is not None and options.like is None:
        raise AskedFor("species: the file names its elements; leave out --species")
    if dataset.verified.startswith("not verified"):
        dataset = dataset.replace(verified="not verified: no hash is known for this file")
    dataset = dataset.replace(sha256=sha256)
    if options.structures_only:
        return dataclasses.replace(dataset, default_target="")
    like = None if options.like is None else options.like[1]
    return choose(dataset, options.property or like, options.unit)
