"""Checks of what is given on the command line, and of the folders that it names."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

__all__ = [
    "DASK",
    "WORKERS",
    "at_least",
    "executor",
    "integers",
    "names",
    "no_empty_folders",
    "one_of",
    "writable",
]

WORKERS = "Local processes that share the work, and the cores. Default: this process alone."
DASK = "Address of the scheduler of a Dask cluster that shares the work: tcp://host:8786."


def names(option: str, text: str | None, known: list[str]) -> list[str] | None:
    """Names with commas, each of them known and there once; None for None."""
    if text is None:
        return None
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise ValueError(f"--{option}: expected one of {', '.join(known)}, found {text!r}")
    for name in names:
        one_of(option, name, known)
        if names.count(name) > 1:
            raise ValueError(f"--{option}: expected different ones, found {name} twice")
    return names


def one_of(option: str, name: str | None, known: list[str]) -> str | None:
    """A known name, or None."""
    if name is not None and name not in known:
        raise ValueError(f"--{option}: expected one of {', '.join(known)}, found {name!r}")
    return name


def integers(option: str, text: str | None, least: int) -> list[int] | None:
    """Integers with commas; None for None."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) >= least for part in parts):
        raise ValueError(
            f"--{option}: expected integers of at least {least} with commas, found {text!r}"
        )
    return [int(part) for part in parts]


def at_least(option: str, value: int | None, least: int, why: str = "") -> int | None:
    """A number that is large enough, or None."""
    if value is not None and value < least:
        raise ValueError(f"--{option}: expected at least {least}{why}, found {value}")
    return value


def executor(workers: int | None, dask: str | None) -> int | str | None:
    """Where tasks run, as `molkern.study.accuracy` takes it."""
    if workers is not None and dask is not None:
        raise ValueError("--workers, --dask: expected one of them, found both")
    return at_least("workers", workers, 1) if dask is None else dask


@contextlib.contextmanager
def no_empty_folders(*folders: Path) -> Iterator[None]:
    """Remove at the end what was made of these folders, and of those around them, and is empty."""
    around = {place for folder in folders for place in (folder, *folder.parents)}
    new = sorted((p for p in around if not p.exists()), key=lambda p: len(p.parts), reverse=True)
    try:
        yield
    finally:
        for place in new:
            with contextlib.suppress(OSError):  # not made, or not empty
                place.rmdir()


def writable(folder: Path) -> Path:
    """The folder, made; find out before computing that the report can be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe.{os.getpid()}.tmp"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise OSError(f"--out: cannot write to the folder {folder}: {error.strerror}") from error
    return folder
