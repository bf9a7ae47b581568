"""Folders and archives of files that hold a structure, or some, each."""

from __future__ import annotations

import itertools
import os
import re
import tarfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from molkern.datasets.contents import Contents
from molkern.datasets.files import ARCHIVE_ERRORS, bad_file, in_a_line
from molkern.datasets.limits import Limit
from molkern.datasets.readers.joining import join_tables
from molkern.datasets.readers.pieces import PIECE, Progress, opened
from molkern.datasets.readers.tables import ENDINGS, Table, table_of, tables_beside
from molkern.datasets.readers.xyz import read_xyz_files

__all__ = ["Member", "folder_files", "members", "other_names", "read_folder"]

_XYZ = tuple(e + c for e in (".xyz", ".extxyz") for c in ("", ".gz", ".bz2", ".xz"))
_OTHERS = (
    ".cif .pdb .mol .vasp .poscar .traj .npz .h5 .hdf5 .sdf .db .data .lammpstrj .dump .gen .gro "
    "poscar contcar outcar .xml .out .log"
).split()


class Member:
    """A file of a folder or an archive."""

    def __init__(self, name: str, size: int, content: BinaryIO | Path) -> None:
        self.name, self.size, self._content = name, size, content

    def pieces(self) -> Iterator[bytes]:
        """Its content, decompressed, some megabytes at a time."""
        raw = self._content.open("rb") if isinstance(self._content, Path) else self._content
        with raw, opened(raw) as file:
            while part := file.read(PIECE):
                yield part

    def read(self, limit: Limit) -> bytes:
        """All of its content."""
        limit.take(self.size, self.name)
        parts, total = [], 0
        for part in self.pieces():
            total += len(part)
            limit.require(limit.taken - self.size + total, self.name)
            parts.append(part)
        return b"".join(parts)


def _in_order(name: str) -> list[tuple[int, int, str]]:
    """Numbers in names by their value: m2 before m10."""
    parts = re.findall(r"\d+|\D+", name)
    return [(0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts]


def members(path: Path, passed: list[str] | None = None) -> Iterator[Member]:
    """Files of a folder (in the order of their names) or of an archive (in its own).

    Nothing is extracted. The content of a member must be read before the next is asked for.

    Parameters
    ----------
    path : Path
    passed : list of str, optional
        Gets the names of what is no file: links to folders, broken links, pipes.

    Raises
    ------
    ValueError
        For a damaged archive or a folder that cannot be listed; names it.
    """
    if path.is_dir():
        yield from _of_folder(path, [] if passed is None else passed)
        return
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for info in archive.infolist():
                    if not info.is_dir():
                        yield Member(info.filename, info.file_size, archive.open(info))  # type: ignore[arg-type]
            return
        with tarfile.open(path) as tar:
            for member in tar:
                content = tar.extractfile(member) if member.isfile() else None
                if content is not None:
                    yield Member(member.name, member.size, content)  # type: ignore[arg-type]
    except (tarfile.TarError, RuntimeError, *ARCHIVE_ERRORS) as error:
        raise bad_file(path, f"damaged or truncated archive: {in_a_line(error)}") from error


def _of_folder(path: Path, passed: list[str]) -> Iterator[Member]:
    """Files of a folder and of those in it; hidden ones are left out."""

    def refuse(error: OSError) -> None:
        raise bad_file(
            path, f"{error.filename} cannot be read: {error.strerror}; allow it, or move it away"
        )

    found: list[tuple[str, Path]] = []
    others: list[str] = []
    for folder, folders, files in os.walk(path, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        links = [name for name in folders if Path(folder, name).is_symlink()]
        for name in [*files, *links]:
            file = Path(folder, name)
            if name.startswith("."):
                continue
            if file.is_file():
                found.append((file.relative_to(path).as_posix(), file))
            else:
                others.append(file.relative_to(path).as_posix())
    passed += sorted(others)
    for name, file in sorted(found, key=lambda item: _in_order(item[0])):
        yield Member(name, file.stat().st_size, file)


def folder_files(path: Path) -> list[Path]:
    """Every file that is read for a folder or archive, in a fixed order."""
    if not path.is_dir():
        return [path, *tables_beside(path)]
    return [
        path / member.name
        for member in members(path)
        if member.name.lower().endswith((*_XYZ, *ENDINGS))
    ]


def other_names(path: Path) -> list[str]:
    """Names of what is in a folder and not read."""
    if not path.is_dir():
        return []
    passed: list[str] = []
    names = [member.name for member in members(path, passed)]
    return [*passed, *(n for n in names if not n.lower().endswith((*_XYZ, *ENDINGS)))]


def read_folder(path: Path, limit: Limit, progress: Progress | None = None) -> Contents:
    """XYZ files one by one, joined with the tables beside them.

    Raises
    ------
    ValueError
        If there are none, or one is damaged; names the folder or archive and the file.
    """
    found = _Found(path, limit, progress)
    texts = found.texts()
    first = next(texts, None)
    if first is None:
        raise _nothing(path, found.others, [table.source for table in found.tables])
    contents = read_xyz_files(path, itertools.chain([first], texts), limit)
    if contents.titles is None:  # of a single file
        contents.titles = [found.names[0]] * len(contents)
    for file in [] if path.is_dir() else tables_beside(path):
        found.tables.append(table_of(file, limit))
    join_tables(contents, found.tables)
    contents.notes += found.notes()
    return contents


class _Found:
    """What a folder or an archive holds, as it is gone through."""

    def __init__(self, path: Path, limit: Limit, progress: Progress | None) -> None:
        self._path, self._limit, self._progress = path, limit, progress
        self.names: list[str] = []
        self.tables: list[Table] = []
        self.others: Counter[str] = Counter()
        self._empty: list[str] = []
        self._passed: list[str] = []

    def texts(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Names and contents of the XYZ files; the rest is noted down."""
        total = 0
        for member in members(self._path, self._passed):
            name = member.name.lower()
            if PurePosixPath(name).name.startswith(".") or "__macosx/" in name:
                continue
            if name.endswith(_XYZ):
                self.names.append(member.name)
                yield member.name, self._pieces(member)
                total += member.size
                if self._progress is not None:
                    self._progress(f"reading {self._path.name}", total, 0)
            elif name.endswith(ENDINGS):
                self.tables.append(Table(member.read(self._limit), member.name))
            else:
                self.others[PurePosixPath(name).suffix or PurePosixPath(name).name] += 1

    def _pieces(self, member: Member) -> Iterator[bytes]:
        blank = True
        for part in member.pieces():
            blank = blank and not part.strip()
            yield part
        if blank:
            self._empty.append(member.name)

    def notes(self) -> list[str]:
        """What was not read."""
        notes = []
        if self.others:
            listed = ", ".join(f"{count} {ending}" for ending, count in self.others.most_common(5))
            notes.append(f"other files in it are not read: {listed}")
        for what, names in (("empty", self._empty), ("no files or links to folders", self._passed)):
            if names:
                more = f" and {len(names) - 5} more" if len(names) > 5 else ""
                notes.append(f"{what}, and not read: {', '.join(names[:5])}{more}")
        return notes


def _nothing(path: Path, others: Counter[str], tables: list[str]) -> ValueError:
    kind = "a folder" if path.is_dir() else "an archive"
    held = ", ".join([*(f"{n} {e}" for e, n in others.most_common(5)), *tables[:5]]) or "nothing"
    if others[".raw"] and others[".npy"]:
        return bad_file(
            path, f"{kind} of DeePMD-kit's files: unpack it, and give the folder with type.raw"
        )
    readable = [ending for ending in others if ending in _OTHERS]
    if readable:
        return bad_file(
            path,
            f"{kind} without XYZ files (it holds {held}); give one of its {readable[0]} files, or "
            "join them into one file of extended XYZ, for instance with ase.io.write",
        )
    return bad_file(
        path,
        f"{kind} without geometries; expected XYZ files (*.xyz), QM9's dsgdb9nsd_*.xyz, or the "
        f"type.raw and set.*/coord.npy of DeePMD-kit; it holds {held}",
    )
