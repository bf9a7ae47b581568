"""Arrays in ``.npz`` archives and MATLAB files: the headers first, then only what is needed."""

from __future__ import annotations

import dataclasses
import zipfile
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern.datasets.contents import Contents
from molkern.datasets.files import ARCHIVE_ERRORS, bad_file
from molkern.datasets.headers import LAYOUTS, Header, Missing
from molkern.datasets.layouts import contents_of
from molkern.datasets.limits import Limit
from molkern.datasets.names import POSITIONS, is_forces_name
from molkern.datasets.readers.matlab import matlab_arrays

__all__ = ["npz_headers", "read_mat", "read_npz_contents"]

Array = npt.NDArray[Any]

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read_npz_contents(path: Path, limit: Limit) -> Contents:
    """An ``.npz`` file: packed, padded, a trajectory, or counts of atoms.

    Raises
    ------
    ValueError
        For another layout (lists the arrays), or a damaged file; names it.
    """
    try:
        return contents_of(npz_headers(path, limit))
    except Missing as error:
        raise bad_file(path, str(error)) from error


def read_mat(path: Path, limit: Limit) -> Contents:
    """A MATLAB file with arrays laid out as those of an ``.npz``."""
    arrays, texts, others = matlab_arrays(path)
    headers = {
        name: Header(values.shape, values.dtype, partial(np.asarray, values))
        for name, values in arrays.items()
    }
    limit.require(sum(values.nbytes for values in arrays.values()), "what it declares")
    for name, text in texts.items():
        headers[name] = Header((), np.dtype(str), partial(np.array, text))
    # MATLAB knows no vectors: what is one has a second axis of length 1.
    padded = {header.shape[:2] for header in headers.values() if len(header.shape) == 3}
    for name, header in headers.items():
        if header.shape in padded or _is_position(name, header):
            continue
        if len(header.shape) == 2 and 1 in header.shape:
            headers[name] = _vector(header)
    contents = contents_of(headers)
    for name in others:
        contents.unused[name] = f"{name}: expected numbers or text, found a structure or a cell"
    return contents


def _is_position(name: str, header: Header) -> bool:
    """Whether a row is the position of one atom."""
    return header.shape == (1, 3) and (name.lower() in POSITIONS or is_forces_name(name))


def _vector(header: Header) -> Header:
    size = header.size
    return dataclasses.replace(header, shape=(size,), read=lambda: header.read().reshape(size))


def npz_headers(path: Path, limit: Limit) -> dict[str, Header]:
    """The arrays of an archive, none of them read yet.

    Raises
    ------
    ValueError
        For a damaged archive, and one with two arrays of one name.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = Counter(name.removesuffix(".npy") for name in archive.namelist())
            twice = [name for name, count in names.items() if count > 1]
            if twice:
                raise bad_file(path, f"holds two arrays of the name {twice[0]!r}")
            members = [info for info in archive.infolist() if info.filename.endswith(".npy")]
            return {
                info.filename.removesuffix(".npy"): _header(path, archive, info, limit)
                for info in members
            }
    except ARCHIVE_ERRORS as error:
        raise bad_file(path, f"not a readable .npz archive (truncated?): {error}") from error


def _header(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: Limit) -> Header:
    name = info.filename.removesuffix(".npy")
    try:
        with archive.open(info) as member:
            version = np.lib.format.read_magic(member)
            if version not in _HEADERS:
                return _with_names(path, name)
            shape, _, dtype = _HEADERS[version](member)
            begin = member.tell()
    except (ValueError, TypeError, OverflowError, *ARCHIVE_ERRORS) as error:
        raise bad_file(path, f"array {name!r} is damaged: {error}") from error
    needed = int(np.prod([*map(int, shape), dtype.itemsize], dtype=object))
    if not dtype.hasobject and (min(shape, default=0) < 0 or needed > info.file_size - begin):
        raise bad_file(
            path,
            f"array {name!r} is damaged: it declares shape {shape} of {dtype}, {needed} bytes, and "
            f"holds {info.file_size - begin}",
        )
    return Header(shape, dtype, partial(_read, path, name, needed, limit))


def _with_names(path: Path, name: str) -> Header:
    """An array of a later version of the format, which has names of fields beyond ASCII."""
    values = _read(path, name, 0, Limit(path.stat().st_size))
    return Header(values.shape, values.dtype, partial(np.asarray, values))


def _read(path: Path, name: str, needed: int, limit: Limit) -> Array:
    limit.take(needed, f"array {name!r}")
    with path.open("rb") as file:  # NumPy leaves a damaged file open.
        try:
            archive = np.load(file, allow_pickle=False)
            values: Array = archive[name]
        except ValueError as error:
            if "allow_pickle" in str(error) or "Object arrays" in str(error):
                raise bad_file(
                    path,
                    f"array {name!r} holds Python objects, which are not read because "
                    "unpickling can run code; save arrays of numbers instead, molecules one after "
                    "another by np.concatenate, with offsets or counts of atoms beside them: "
                    f"{LAYOUTS}",
                ) from error
            raise bad_file(path, f"array {name!r} is damaged: {error}") from error
        except ARCHIVE_ERRORS as error:
            raise bad_file(path, f"array {name!r} is damaged: {error}") from error
    return values
