"""A file of finished tasks, a line each, so that a killed build loses only what was running."""

from __future__ import annotations

import json
import os
import reprlib
from pathlib import Path
from types import TracebackType
from typing import Any

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["Journal"]

Record = dict[str, Any]


class Journal:
    """Finished tasks of a build: one line of JSON for what is built, then one for each task.

    A line is flushed to disk before the next task is handed out. A line that was cut off (a killed
    process, a full disk) is removed when the journal is opened again, and its task done again.

    Parameters
    ----------
    path : Path
        Made if it does not exist.
    specification : dict
        All that the results depend on. JSON values only.

    Attributes
    ----------
    records : dict of str to dict
        The finished tasks by their keys, those of earlier runs included.

    Raises
    ------
    ValueError
        If the file belongs to another specification; says which value differs.
    OSError
        If it can not be read or written, or another process is writing it.
    """

    def __init__(self, path: Path, specification: Record) -> None:
        self.path = path
        self.records: dict[str, Record] = {}
        header = json.loads(json.dumps(specification, allow_nan=False))
        try:
            self._file = open(path, "ab")
        except OSError as error:
            raise self._unwritten(error) from error
        try:
            self._lock()
            size = self._read(header)
            self._file.truncate(size)
            if size == 0:
                self._write(header)
        except BaseException as error:
            self.close()
            if isinstance(error, OSError) and not isinstance(error, BlockingIOError):
                raise self._unwritten(error) from error
            raise

    def _lock(self) -> None:
        if fcntl is None:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            words = "another build is writing it"
            raise BlockingIOError(error.errno, words, str(self.path)) from error

    def _read(self, header: Record) -> int:
        """Take over the whole lines; the size of the file up to the last of them."""
        size = 0
        with open(self.path, "rb") as file:
            for number, line in enumerate(file):
                if not line.endswith(b"\n"):
                    break
                try:
                    content = json.loads(line)
                    if number == 0:
                        self._check(content, header)
                    else:
                        self.records[str(content["key"])] = content["record"]
                except (json.JSONDecodeError, TypeError, KeyError, UnicodeDecodeError) as error:
                    raise ValueError(
                        f"{self.path}: line {number + 1} is no line of a journal ({error}); "
                        "delete the file to build from the beginning"
                    ) from error
                size += len(line)
        return size

    def _check(self, found: Record, expected: Record) -> None:
        if found == expected:
            return
        for name in {**expected, **found}:
            if found.get(name) != expected.get(name):
                raise ValueError(
                    f"{self.path}: holds another build: {name} is "
                    f"{reprlib.repr(found.get(name))} there, {reprlib.repr(expected.get(name))} "
                    "here; delete it, or choose another output"
                )

    def add(self, key: str, record: Record) -> None:
        """Write a finished task.

        Raises
        ------
        OSError
            If it can not be written, a full disk for instance.
        """
        try:
            self._write({"key": key, "record": record})
        except OSError as error:
            raise self._unwritten(error) from error
        self.records[key] = record

    def _write(self, content: Record) -> None:
        line = json.dumps(content, separators=(",", ":"), allow_nan=False) + "\n"
        self._file.write(line.encode())
        self._file.flush()
        os.fsync(self._file.fileno())

    def _unwritten(self, error: OSError) -> OSError:
        return OSError(
            error.errno,
            f"can not write: {error.strerror}; the same command continues from what is there",
            str(self.path),
        )

    def close(self) -> None:
        """Close the file; what is in it stays."""
        try:
            self._file.close()
        except OSError:
            # What could not be flushed was reported when it was added.
            return

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
