"""What a build leaves: an ``.npz`` with its provenance, there completely or not at all."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern.datasets.built import PROVENANCE
from molkern.datasets.files import needed

__all__ = ["journal_of", "needed_to_build", "prepared", "versions", "write"]

PACKAGES = ("ase", "networkx", "numpy", "rdkit", "tblite")


def needed_to_build() -> None:
    """Import what a build needs, before it begins.

    Raises
    ------
    ImportError
        Names the package, and how to install it.
    """
    for package in (*PACKAGES, "threadpoolctl"):
        needed(package, "building data sets", "build")


def versions() -> dict[str, str]:
    """Versions of all that the numbers depend on."""
    found = {name: importlib.metadata.version(name) for name in ("molkern", *PACKAGES)}
    return {"python": platform.python_version(), **found}


def prepared(out: str | Path) -> Path:
    """The path of the result, whose folder is made and can be written.

    Raises
    ------
    ValueError
        If the name does not end in ``.npz``.
    FileExistsError
        If the file is there: a data set is not overwritten.
    OSError
        If the folder can not be made or written.
    """
    path = Path(out).expanduser()
    if path.suffix != ".npz":
        raise ValueError(f"out: expected a file name that ends in .npz, found {str(out)!r}")
    if path.exists():
        raise FileExistsError(f"out: {path} exists; delete it, or choose another name")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        probe = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise OSError(
            f"out: can not write to the folder {path.parent}: {error.strerror}"
        ) from error
    return path


def journal_of(path: Path) -> Path:
    """The file of finished tasks beside the result."""
    return path.with_name(f"{path.stem}.journal")


def write(
    path: Path, arrays: Mapping[str, npt.NDArray[Any]], provenance: Mapping[str, Any]
) -> None:
    """Write arrays and provenance beside their place, flush them, and rename.

    Parameters
    ----------
    path : Path
    arrays : mapping of str to ndarray
    provenance : mapping
        JSON values; stored as text.

    Raises
    ------
    OSError
        If the disk is full, say; nothing is left then.
    """
    text = json.dumps(provenance, indent=1, allow_nan=False)
    content: dict[str, Any] = {**arrays, PROVENANCE: np.array(text)}
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with _removed_on_error(temporary, path):
        with open(temporary, "wb") as file:
            np.savez_compressed(file, **content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)


@contextlib.contextmanager
def _removed_on_error(temporary: Path, path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OSError(error.errno, f"can not write: {error.strerror}", str(path)) from error
        raise
