"""What kind of file it is: by what it holds, not by its name."""

from __future__ import annotations

import zipfile
from pathlib import Path

from molkern.datasets.files import bad_file
from molkern.datasets.readers.deepmd import is_deepmd
from molkern.datasets.readers.folders import members
from molkern.datasets.readers.pieces import as_utf8, opened
from molkern.datasets.readers.xyz import looks_like_xyz

__all__ = ["kind_of"]

_START = 65536
_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")

# Kinds that are not read, by their first bytes, and what to do.
_REFUSED: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x93NUMPY", "a single NumPy array; save the arrays by name in one .npz: np.savez"),
    (0, b"PAR1", "a Parquet table; read it with pandas or pyarrow, and save numbers, positions and "
     "labels as .npz or extended XYZ"),
    (16, b"\xde\xc0\xef\xbe", "an LMDB database (.lmdb, .aselmdb); read it with ase-db-backends or "
     "fairchem-core, and write extended XYZ with ase.io.write"),
    (0, b"\x80\x02", "a pickle, which can run code and is never read; save the arrays as .npz"),
    (0, b"\x80\x03", "a pickle, which can run code and is never read; save the arrays as .npz"),
    (0, b"\x80\x04", "a pickle, which can run code and is never read; save the arrays as .npz"),
    (0, b"\x80\x05", "a pickle, which can run code and is never read; save the arrays as .npz"),
    (0, b"%PDF", "a PDF document"),
    (0, b"\x89PNG", "a picture"),
)  # fmt: skip
_PAGES = (b"<!doctype html", b"<html", b'<?xml version="1.0" encoding="utf-8"?>\n<!doctype')


def kind_of(path: Path) -> str:
    """The kind of a file or folder.

    Returns
    -------
    str
        ``"xyz"``, ``"npz"``, ``"hdf5"``, ``"mat"``, ``"sdf"``, ``"database"``, ``"folder"``
        (archives, too), ``"deepmd"``, ``"qm9-xyz"``, ``"table"``, or ``"ase"`` for anything else.

    Raises
    ------
    ValueError
        If it is empty, damaged, or of a kind that is not read; names the file, and what to do.
    """
    if path.is_dir():
        return _kind_of_folder(path)
    start = _start(path)
    if not start:
        raise bad_file(path, "is empty")
    for place, magic, what in _REFUSED:
        if start[place : place + len(magic)] == magic:
            raise bad_file(path, f"not a kind of file that is read: {what}")
    if start.startswith(b"\x89HDF\r\n\x1a\n"):
        return "hdf5"
    if start.startswith(b"SQLite format 3\0"):
        return "database"
    if start.startswith(b"MATLAB 5.0") or path.suffix.lower() == ".mat":
        return "mat"
    if start.startswith(b"PK\x03\x04") or start.startswith(b"PK\x05\x06"):
        return _kind_of_zip(path)
    if path.suffix.lower() in (".npz", ".h5", ".hdf5"):
        return {".npz": "npz"}.get(path.suffix.lower(), "hdf5")  # damaged: say so by its name
    return _kind_of_text(path, start)


def _start(path: Path) -> bytes:
    """The first bytes of a file; of what is compressed, if it is one compressed file."""
    try:
        with path.open("rb") as raw, opened(raw) as file:
            return b"".join(as_utf8(iter([file.read(_START)])))
    except (OSError, EOFError, UnicodeDecodeError) as error:
        if isinstance(error, PermissionError):
            raise
        with path.open("rb") as raw:
            compressed = raw.read(2) in (b"\x1f\x8b", b"BZ", b"\xfd7")
        if compressed:
            raise bad_file(path, f"damaged or truncated: {error}") from error
        with path.open("rb") as raw:
            return raw.read(_START)


def _kind_of_folder(path: Path) -> str:
    if next(path.glob("dsgdb9nsd_*.xyz"), None) is not None:
        return "qm9-xyz"
    return "deepmd" if is_deepmd(path) else "folder"


def _kind_of_zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        kind = "readable .npz archive" if path.suffix.lower() == ".npz" else "readable archive"
        raise bad_file(path, f"not a {kind} (truncated?): {error}") from error
    if any(name.endswith("data.pkl") for name in names):
        raise bad_file(
            path,
            "not a kind of file that is read: a file of torch.save, whose pickle can run code; "
            "save the arrays as .npz",
        )
    if path.suffix.lower() == ".npz" or all(name.endswith(".npy") for name in names):
        return "npz"
    return "folder"


def _kind_of_text(path: Path, start: bytes) -> str:
    if start[257:262] == b"ustar" or path.name.lower().endswith(_ARCHIVES):
        return _kind_of_archive(path)
    text = start.lstrip()
    if text[:200].lower().startswith(_PAGES):
        raise bad_file(path, "a web page, not the data: the download went wrong")
    name = path.name.lower()
    if looks_like_xyz(start):
        return "qm9-xyz" if _is_qm9(start) else "xyz"
    if name.endswith((".sdf", ".mol")) or b"\n$$$$" in start or b"V2000" in start[:1000]:
        return "sdf"
    if name.endswith((".csv", ".tsv")):
        return "table"
    # A file of this name that does not begin as one: the parser says what it found.
    return "xyz" if name.removesuffix(".gz").endswith((".xyz", ".extxyz")) else "ase"


def _is_qm9(start: bytes) -> bool:
    second = start.partition(b"\n")[2]
    return second.startswith((b"gdb ", b"gdb\t"))


def _kind_of_archive(path: Path) -> str:
    for member in members(path):
        if member.name.endswith(".xyz"):
            first = next(member.pieces(), b"")
            return "qm9-xyz" if _is_qm9(first[:_START]) else "folder"
    return "folder"
