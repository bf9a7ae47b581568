"""Reading array files safely: no pickle, and errors that name the file."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern.structures import Structures

__all__ = [
    "ARCHIVE_ERRORS",
    "LAYOUTS",
    "bad_file",
    "digest",
    "in_a_line",
    "needed",
    "npz_keys",
    "packed_pairs",
    "read_npz",
    "sha256_of",
    "sha256_of_named",
    "structures_of",
    "unpadded",
]

LAYOUTS = "packed (numbers, positions, offsets), padded (Z, R) or trajectory (z, R)"

Arrays = dict[str, npt.NDArray[Any]]
_MOST_WORDS = 1000

ARCHIVE_ERRORS = (OSError, EOFError, zipfile.BadZipFile, zlib.error, KeyError, NotImplementedError)


def bad_file(path: Path, what: str) -> ValueError:
    """The error for a file that can not be used."""
    return ValueError(f"{path}: {what}")


def in_a_line(error: BaseException | str) -> str:
    """A message in one line, of at most a thousand characters.

    Examples
    --------
    >>> in_a_line("not a gzip file:\\n\\n  see above")
    'not a gzip file: see above'
    """
    text = " ".join(str(error).split())
    return text if len(text) <= _MOST_WORDS else f"{text[:_MOST_WORDS]} ..."


def needed(module: str, what: str, extra: str = "study") -> Any:
    """A module of an extra, imported when it is needed.

    Raises
    ------
    ImportError
        If it is not installed; says what it is for, and how to install it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.split(".")[0]
        raise ImportError(f'{what} needs {package}: pip install "molkern[{extra}]"') from error


def digest(path: Path, algorithm: str = "sha256") -> str:
    """Hexadecimal hash of a file, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def sha256_of(paths: Iterable[Path]) -> str:
    """SHA-256 of one file; for several, of the lines of their SHA-256 values in this order."""
    digests = [digest(path) for path in paths]
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def sha256_of_named(path: Path, files: Iterable[Path]) -> str:
    """SHA-256 of files that belong together: of their names and contents.

    Parameters
    ----------
    path : Path
        The folder that they are in, or the file that the others lie beside.
    files : iterable of Path
    """
    folder = path if path.is_dir() else path.parent
    lines = [f"{digest(file)}  {file.relative_to(folder).as_posix()}" for file in files]
    return hashlib.sha256("\n".join(lines).encode("utf-8", "replace")).hexdigest()


@contextlib.contextmanager
def _open_npz(path: Path) -> Iterator[Any]:
    with path.open("rb") as file:  # NumPy leaves a damaged file open.
        try:
            archive = np.load(file, allow_pickle=False)
        except (ValueError, *ARCHIVE_ERRORS) as error:
            raise bad_file(path, f"not a readable .npz archive (truncated?): {error}") from error
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise bad_file(path, "holds a single array; expected an .npz archive of named arrays")
        with archive:
            yield archive


def npz_keys(path: Path) -> list[str]:
    """Names of the arrays of an ``.npz`` file."""
    with _open_npz(path) as archive:
        return list(archive.files)


def read_npz(path: Path, keys: Iterable[str] | None = None) -> Arrays:
    """Arrays of an ``.npz`` file, never unpickled.

    Parameters
    ----------
    path : Path
    keys : iterable of str, optional
        Which arrays; None: all.

    Returns
    -------
    dict of str to ndarray

    Raises
    ------
    ValueError
        For a file that is damaged, lacks a key, or holds Python objects; names the file.
    """
    arrays: Arrays = {}
    with _open_npz(path) as archive:
        wanted = list(archive.files if keys is None else keys)
        missing = [key for key in wanted if key not in archive.files]
        if missing:
            raise bad_file(path, f"lacks the arrays {missing}; found {archive.files}")
        for key in wanted:
            try:
                arrays[key] = archive[key]
            except ValueError as error:
                if "allow_pickle" in str(error) or "Object arrays" in str(error):
                    raise bad_file(
                        path,
                        f"array {key!r} holds Python objects, which are not read because "
                        f"unpickling can run code; save arrays of numbers: {LAYOUTS}",
                    ) from error
                raise bad_file(path, f"array {key!r} is damaged: {error}") from error
            except ARCHIVE_ERRORS as error:
                raise bad_file(path, f"array {key!r} is damaged: {error}") from error
    return arrays


def structures_of(
    path: Path,
    numbers: npt.NDArray[Any],
    positions: npt.NDArray[Any],
    offsets: npt.NDArray[Any],
    **cells: Any,
) -> Structures:
    """``Structures`` whose errors name the file."""
    try:
        return Structures(numbers, positions, offsets, **cells)
    except (TypeError, ValueError) as error:
        raise bad_file(path, str(error)) from error


def packed_pairs(path: Path, pairs: Iterable[tuple[Any, Any]]) -> Structures:
    """``Structures`` of ``(numbers, positions)`` pairs whose errors name the file."""
    try:
        return Structures.from_arrays(pairs)
    except (TypeError, ValueError) as error:
        raise bad_file(path, str(error)) from error


def unpadded(
    path: Path, numbers: npt.NDArray[Any], positions: npt.NDArray[Any]
) -> tuple[Structures, npt.NDArray[np.bool_]]:
    """Structures of padded arrays, where a zero number means no atom, and the mask of atoms.

    Parameters
    ----------
    path : Path
        For error messages.
    numbers : ndarray, shape (n_structures, size)
    positions : ndarray, shape (n_structures, size, 3), in Å
    """
    if positions.shape != (*numbers.shape, 3):
        raise bad_file(
            path,
            f"numbers of shape {numbers.shape} need positions of shape {(*numbers.shape, 3)}, "
            f"found {positions.shape}",
        )
    mask = numbers != 0
    offsets = np.concatenate(([0], np.cumsum(mask.sum(axis=1))))
    return structures_of(path, numbers[mask], positions[mask], offsets), mask
