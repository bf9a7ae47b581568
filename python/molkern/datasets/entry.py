"""What the registry says of a data set: its files, their hashes, what they must hold."""

from __future__ import annotations

import dataclasses

__all__ = ["Content", "Entry", "File"]


@dataclasses.dataclass(frozen=True)
class Content:
    """What a file must hold, for files without a known SHA-256.

    ``n_structures`` lists the allowed numbers; ``formula`` is that of every structure;
    ``ranges`` are of targets, in the units they are loaded in.
    """

    n_structures: tuple[int, ...]
    n_atoms: int | None = None
    species: tuple[int, ...] | None = None
    formula: tuple[tuple[int, int], ...] | None = None
    ranges: tuple[tuple[str, float, float], ...] = ()
    n_folds: int = 0


@dataclasses.dataclass(frozen=True)
class File:
    """A file of a data set: its path below a data folder, reader, hashes and address."""

    path: str
    format: str
    source: str
    sha256: str | None = None
    md5: str | None = None
    url: str | None = None
    content: Content | None = None
    companions: tuple[File, ...] = ()


@dataclasses.dataclass(frozen=True)
class Entry:
    """A registered data set. ``files`` in the order of preference."""

    name: str
    title: str
    target: str
    unit: str
    files: tuple[File, ...]
