"""What kind of file it is: by what it holds, not by its name."""

from __future__ import annotations

import re
import stat
import zipfile
from pathlib import Path

from molkern.datasets.files import bad_file, in_a_line
from molkern.datasets.readers.deepmd import advice, is_deepmd
from molkern.datasets.readers.folders import members
from molkern.datasets.readers.pieces import as_utf8, opened
from molkern.datasets.readers.xyz import looks_like_xyz

__all__ = ["kind_of"]

_START = 65536
_FEWEST_WORDS = 12  # of QM9's 17: a damaged file is still one
_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_PICKLE = "a pickle, which can run code and is never read; save the arrays as .npz"
_UNPACK = "unpack it, and give what was in it"

# Kinds that are not read, by their first bytes, and what to do.
_REFUSED: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x93NUMPY", "a single NumPy array; save the arrays by name in one .npz: np.savez"),
    (0, b"PAR1", "a Parquet table; read it with pandas or pyarrow, and save numbers, positions and "
     "labels as .npz or extended XYZ"),
    (16, b"\xde\xc0\xef\xbe", "an LMDB database (.lmdb, .aselmdb); read it with ase-db-backends or "
     "fairchem-core, and write extended XYZ with ase.io.write"),
    (0, b"\x80\x02", _PICKLE),
    (0, b"\x80\x03", _PICKLE),
    (0, b"\x80\x04", _PICKLE),
    (0, b"\x80\x05", _PICKLE),
    (0, b"%PDF", "a PDF document"),
    (0, b"\x89PNG", "a picture"),
    (0, b"\x28\xb5\x2f\xfd", "a file compressed by zstd; decompress it with zstd -d"),
    (0, b"7z\xbc\xaf\x27\x1c", f"a 7z archive; {_UNPACK}"),
    (0, b"Rar!\x1a\x07", f"a RAR archive; {_UNPACK}"),
    (0, b"\xd0\xcf\x11\xe0", "an Excel sheet or the like; save it as CSV beside the geometries"),
    (0, b"version https://git-lfs", "a pointer of Git LFS, not the data; git lfs pull gets them"),
)  # fmt: skip
_BINARY = (b"\x89HDF\r\n\x1a\n", b"SQLite format 3\0", b"MATLAB 5.0", b"PK\x03\x04")
_PAGES = (b"<!doctype html", b"<html", b'<?xml version="1.0" encoding="utf-8"?>\n<!doctype')
# Texts that are not read, by what they begin with.
_TEXTS: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"\s*BEGIN_CFG"), "configurations of MLIP (.cfg), whose atoms are types without "
     "elements; write extended XYZ, for instance with the converter of MLIP or with dpdata"),
    (re.compile(rb"[ \t]*\d+([ \t][^\n]*)?\n([ \t]*[-+\d.]+(\s+[-+\d.]+){5}[ \t\r]*\n)?"
                rb"[ \t]*1[ \t]+[A-Za-z]\S*([ \t]+[-+\d.eE]+){3}[ \t]+\d+[^\n]*\n"
                rb"[ \t]*2[ \t]+[A-Za-z]"),
     "XYZ of Tinker; write plain XYZ, for instance with Open Babel: obabel -itxyz FILE -oxyz"),
    (re.compile(rb"([ \t]*[A-Z][a-z]?([ \t]+[-+]?\d*\.\d+([eE][-+]?\d+)?){3}[ \t\r]*(\n|$)){2}"),
     "atoms without the two lines that XYZ begins with: the number of atoms, and a comment"),
)  # fmt: skip
_DATABASE = re.compile(rb'\s*\{\s*"(\d+|ids|nextid)"\s*:')
_JSON = re.compile(rb'\s*(\{\s*["}]|\[\s*[\[{"\d\]-])')
_ENDINGS = {
    ".smi": "SMILES, which have no geometries: molkern data build molecules --smiles makes them",
    ".smiles": "SMILES, which have no geometries: molkern data build molecules --smiles makes them",
    ".yaml": "YAML; save the arrays as .npz, or write extended XYZ",
    ".yml": "YAML; save the arrays as .npz, or write extended XYZ",
    ".toml": "TOML; save the arrays as .npz, or write extended XYZ",
}


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
    if not stat.S_ISREG(path.stat().st_mode):
        raise bad_file(
            path, "a pipe, socket or device, not a file: save what it gives in a file first"
        )
    start = _start(path)
    if not start:
        raise bad_file(path, "is empty")
    for place, magic, what in _REFUSED:
        if start[place : place + len(magic)] == magic:
            raise bad_file(path, f"not a kind of file that is read: {what}")
    if start.startswith(_BINARY) and _is_compressed(path):
        raise bad_file(path, "compressed once more: decompress it first, with gunzip or the like")
    if start.startswith(b"\x89HDF\r\n\x1a\n"):
        if b"type.raw" in start and b"set.0" in start:
            raise bad_file(
                path,
                "DeePMD-kit's system in HDF5, which is not read; write it as a folder with "
                "type.raw and set.*/coord.npy, for instance with dpdata",
            )
        return "hdf5"
    if start.startswith(b"SQLite format 3\0"):
        return "database"
    if start.startswith(b"MATLAB 5.0"):
        return "mat"
    if start.startswith(b"PK\x03\x04") or start.startswith(b"PK\x05\x06"):
        return _kind_of_zip(path)
    if start.lstrip()[:200].lower().startswith(_PAGES):
        raise bad_file(path, "a web page, not the data: the download went wrong")
    suffix = path.suffix.lower()
    if suffix in (".npz", ".mat", ".h5", ".hdf5") and not looks_like_xyz(start):
        if suffix == ".npz":
            raise bad_file(path, "not a readable .npz archive (truncated?): it begins as none")
        return "mat" if suffix == ".mat" else "hdf5"  # damaged: say so by its name
    return _kind_of_text(path, start)


def _start(path: Path) -> bytes:
    """The first bytes of a file; of what is compressed, if it is one compressed file."""
    try:
        with path.open("rb") as raw, opened(raw) as file:
            return b"".join(as_utf8(iter([file.read(_START)])))
    except (OSError, EOFError, UnicodeDecodeError) as error:
        if isinstance(error, PermissionError):
            raise
        if _is_compressed(path):
            raise bad_file(path, f"damaged or truncated: {in_a_line(error)}") from error
        with path.open("rb") as raw:
            return raw.read(_START)


def _is_compressed(path: Path) -> bool:
    with path.open("rb") as raw:
        return raw.read(2) in (b"\x1f\x8b", b"BZ", b"\xfd7")


def _kind_of_folder(path: Path) -> str:
    first = next(path.glob("dsgdb9nsd_*.xyz"), None)
    if first is not None and first.is_file() and _is_qm9(_start(first)):
        return "qm9-xyz"
    if is_deepmd(path):
        return "deepmd"
    words = advice(path)
    if words:
        raise bad_file(path, words)
    return "folder"


def _kind_of_zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        kind = "readable .npz archive" if path.suffix.lower() == ".npz" else "readable archive"
        raise bad_file(path, f"not a {kind} (truncated?): {in_a_line(error)}") from error
    if any(name.endswith("data.pkl") for name in names):
        raise bad_file(
            path,
            "not a kind of file that is read: a file of torch.save, whose pickle can run code; "
            "save the arrays as .npz",
        )
    if any(name.startswith("xl/") for name in names):
        raise bad_file(
            path,
            "not a kind of file that is read: an Excel sheet; save it as CSV beside the geometries",
        )
    if path.suffix.lower() == ".npz" or all(name.endswith(".npy") for name in names):
        return "npz"
    return "folder"


def _kind_of_text(path: Path, start: bytes) -> str:
    if start[257:262] == b"ustar" or path.name.lower().endswith(_ARCHIVES):
        return _kind_of_archive(path)
    name = path.name.lower()
    for ending in (".gz", ".bz2", ".xz"):
        name = name.removesuffix(ending)
    if looks_like_xyz(start) and not _TEXTS[1][0].match(start):
        return "qm9-xyz" if _is_qm9(start) else "xyz"
    for pattern, what in _TEXTS:
        if pattern.match(start):
            raise bad_file(path, f"not a kind of file that is read: {what}")
    if name.endswith((".sdf", ".mol")) or b"\n$$$$" in start or b"V2000" in start[:1000]:
        return "sdf"
    if _JSON.match(start) and not name.endswith((".cjson", ".nomad-json")):
        return _kind_of_json(path, start)
    if name.endswith((".csv", ".tsv")):
        return "table"
    for ending, what in _ENDINGS.items():
        if name.endswith(ending):
            raise bad_file(path, f"not a kind of file that is read: {what}")
    # A file of this name that does not begin as one: the parser says what it found.
    return "xyz" if name.endswith((".xyz", ".extxyz")) else "ase"


def _kind_of_json(path: Path, start: bytes) -> str:
    if _DATABASE.match(start):
        return "database"
    raise bad_file(
        path,
        "not a kind of file that is read: JSON that is no database of ASE; save numbers, positions "
        "and labels as .npz, or write extended XYZ",
    )


def _is_qm9(start: bytes) -> bool:
    """Whether the first comment is one of QM9: gdb, a number, and 15 values."""
    comment = start.split(b"\n", 2)[1:2]
    words = comment[0].replace(b"*^", b"e").split() if comment else []
    if len(words) < _FEWEST_WORDS or words[0] != b"gdb":
        return False
    return all(re.fullmatch(rb"[-+]?\d*\.?\d*([eE][-+]?\d+)?", word) for word in words[1:])


def _kind_of_archive(path: Path) -> str:
    for member in members(path):
        if member.name.endswith(".xyz"):
            first = next(member.pieces(), b"")
            return "qm9-xyz" if _is_qm9(first[:_START]) else "folder"
    return "folder"
