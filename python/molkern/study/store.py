"""Results store: one small file for each finished task, so that a killed study resumes."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import molkern
from molkern.datasets import Dataset
from molkern.structures import Structures

__all__ = ["VALUES_VERSION", "Store", "arrays_hash", "canonical", "data_hash", "structures_hash"]

# Raised with every change that alters numbers: stored results of another version are not used.
VALUES_VERSION = 3
STALE_SECONDS = 3600.0


def canonical(specification: dict[str, Any]) -> str:
    """JSON text of a specification: sorted keys, no spaces, no NaN; equal for equal content.

    Examples
    --------
    >>> canonical({"b": 1, "a": [1.5, None]})
    '{"a":[1.5,null],"b":1}'
    """
    return json.dumps(specification, sort_keys=True, separators=(",", ":"), allow_nan=False)


def data_hash(data: Dataset, name: str) -> str:
    """SHA-256 of all that a result depends on in a data set.

    Numbers, positions, offsets, cells, periodicity, the labels of property ``name``, folds and
    splits; not names, units or comments.
    """
    structures = data.structures
    arrays: list[npt.NDArray[Any] | None] = [structures.numbers, structures.positions]
    arrays += [structures.offsets]
    arrays += [data.targets[name], structures.cells, structures.pbc]
    arrays += list(data.folds or ())
    arrays += [part for split in data.splits or () for part in split]
    return arrays_hash(arrays)


def structures_hash(structures: Structures) -> str:
    """SHA-256 of numbers, positions, offsets, cells and periodicity."""
    s = structures
    return arrays_hash([s.numbers, s.positions, s.offsets, s.cells, s.pbc])


def arrays_hash(arrays: Sequence[npt.NDArray[Any] | None]) -> str:
    """SHA-256 of types, shapes and values, the same on every machine."""
    digest = hashlib.sha256()
    for values in arrays:
        if values is None:
            digest.update(b"none;")
            continue
        array = np.ascontiguousarray(values)
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        digest.update(f"{little.dtype.str}{little.shape};".encode())
        digest.update(little.tobytes())
    return digest.hexdigest()


class Store:
    """A folder of finished tasks.

    A task is known by its specification; the file's name is the SHA-256 of the canonical JSON of
    the specification and `VALUES_VERSION`. Files are written beside their place, flushed to disk
    and then renamed, so that a file is there completely or not at all.

    Parameters
    ----------
    folder : str or Path
        Made if it does not exist.

    Raises
    ------
    OSError
        (at once, before anything is computed) when the folder cannot be made or written.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            probe = self.folder / f".probe.{os.getpid()}.tmp"
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise OSError(
                f"store: cannot write to the folder {self.folder}: {error.strerror or error}"
            ) from error
        self._remove_leftovers()

    def path(self, specification: dict[str, Any]) -> Path:
        """File of a task, whether it exists or not."""
        key = {"specification": specification, "values_version": VALUES_VERSION}
        return self.folder / f"{_digest(key)}.json"

    def get(self, specification: dict[str, Any]) -> dict[str, Any] | None:
        """Result of a task, or None when there is none that can be read.

        Warns
        -----
        RuntimeWarning
            When there is a file but it is damaged, or belongs to another task.
        """
        path = self.path(specification)
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            _warn_unusable(path, str(error))
            return None
        try:
            content = json.loads(text)
            if canonical(content["specification"]) != canonical(specification):
                raise ValueError("it belongs to another task")
            if content["result_sha256"] != _digest(content["result"]):
                raise ValueError("its result was changed")
            return {str(name): value for name, value in content["result"].items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            _warn_unusable(path, f"{type(error).__name__}: {error}")
            return None

    def put(self, specification: dict[str, Any], result: dict[str, Any]) -> None:
        """Write the result of a task: all of it or, when the process dies, nothing."""
        path = self.path(specification)
        content = {
            "specification": specification,
            "values_version": VALUES_VERSION,
            "molkern": molkern.__version__,
            "host": platform.node(),
            "result": result,
            "result_sha256": _digest(result),
        }
        temporary = self.folder / f".{path.stem}.{os.getpid()}.tmp"
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1, allow_nan=False)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)

    def _remove_leftovers(self) -> None:
        """Remove unfinished files that a killed process left, not those of a running one."""
        for path in self.folder.glob(".*.tmp"):
            try:
                if time.time() - path.stat().st_mtime > STALE_SECONDS:
                    path.unlink()
            except OSError:
                continue  # Another process was faster, or may keep it.


def _digest(content: dict[str, Any]) -> str:
    """SHA-256 of the canonical JSON."""
    return hashlib.sha256(canonical(content).encode()).hexdigest()


def _warn_unusable(path: Path, reason: str) -> None:
    warnings.warn(
        f"store: the file {path.name} is not usable and will be computed again ({reason})",
        RuntimeWarning,
        stacklevel=3,
    )
