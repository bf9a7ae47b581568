"""Folders and archives of files that hold a structure, or some, each."""

from __future__ import annotations

import re
import tarfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from molkern.datasets.contents import Contents
from molkern.datasets.files import ARCHIVE_ERRORS, bad_file
from molkern.datasets.limits import Limit
from molkern.datasets.readers.pieces import PIECE, Progress, opened
from molkern.datasets.readers.tables import ENDINGS, add_table, read_table
from molkern.datasets.readers.xyz import read_xyz_files

__all__ = ["Member", "folder_files", "members", "read_folder"]

_XYZ = (".xyz", ".extxyz", ".xyz.gz", ".extxyz.gz")
_OTHERS = (".cif", ".pdb", ".mol", ".vasp", ".poscar", ".traj", ".npz", ".h5", ".hdf5", ".sdf")


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
        return b"".join(self.pieces())


def _in_order(name: str) -> list[tuple[int, int, str]]:
    """Numbers in names by their value: m2 before m10."""
    parts = re.findall(r"\d+|\D+", name)
    return [(0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts]


def members(path: Path) -> Iterator[Member]:
    """Files of a folder (in the order of their names) or of an archive (in its own).

    Nothing is extracted. The content of a member must be read before the next is asked for.

    Raises
    ------
    ValueError
        For a damaged archive; names it.
    """
    if path.is_dir():
        files = [file for file in path.rglob("*") if file.is_file()]
        for file in sorted(files, key=lambda file: _in_order(file.relative_to(path).as_posix())):
            if not any(part.startswith(".") for part in file.relative_to(path).parts):
                yield Member(file.relative_to(path).as_posix(), file.stat().st_size, file)
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
        raise bad_file(path, f"damaged or truncated archive: {error}") from error


def folder_files(path: Path) -> list[Path]:
    """Every file of a folder that may be read, in a fixed order."""
    if not path.is_dir():
        return [path]
    return [
        path / member.name
        for member in members(path)
        if member.name.lower().endswith((*_XYZ, *ENDINGS))
    ]


def read_folder(path: Path, limit: Limit, progress: Progress | None = None) -> Contents:
    """XYZ files one by one, joined with a table beside them.

    Raises
    ------
    ValueError
        If there are none, or one is damaged; names the folder or archive and the file.
    """
    tables: list[tuple[str, bytes]] = []
    others: Counter[str] = Counter()
    total = 0

    def texts() -> Iterator[tuple[str, Iterator[bytes]]]:
        nonlocal total
        for member in members(path):
            name = member.name.lower()
            if PurePosixPath(name).name.startswith("."):
                continue
            if name.endswith(_XYZ):
                yield member.name, member.pieces()
                total += member.size
                if progress is not None:
                    progress(f"reading {path.name}", total, 0)
            elif name.endswith(ENDINGS):
                tables.append((member.name, member.read(limit)))
            else:
                others[PurePosixPath(name).suffix or PurePosixPath(name).name] += 1

    found = texts()
    first = next(found, None)
    if first is None:
        raise _nothing(path, others, [name for name, _ in tables])
    contents = read_xyz_files(path, _chained(first, found), limit)
    for name, text in [*tables, *_beside(path)]:
        add_table(contents, read_table(text), name)
    if others:
        listed = ", ".join(f"{count} {ending}" for ending, count in others.most_common(5))
        contents.notes.append(f"other files in it are not read: {listed}")
    return contents


def _chained(
    first: tuple[str, Iterator[bytes]], rest: Iterator[tuple[str, Iterator[bytes]]]
) -> Iterator[tuple[str, Iterator[bytes]]]:
    yield first
    yield from rest


def _beside(path: Path) -> list[tuple[str, bytes]]:
    """Tables beside an archive that bear its name."""
    if path.is_dir():
        return []
    stem = path.name.split(".")[0]
    files = [path.with_name(stem + ending) for ending in ENDINGS]
    return [(file.name, file.read_bytes()) for file in files if file.is_file() and file != path]


def _nothing(path: Path, others: Counter[str], tables: list[str]) -> ValueError:
    kind = "a folder" if path.is_dir() else "an archive"
    held = ", ".join([*(f"{n} {e}" for e, n in others.most_common(5)), *tables[:5]]) or "nothing"
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
