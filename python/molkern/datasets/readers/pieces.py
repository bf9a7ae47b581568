"""Text files piece by piece: compressed or not, in UTF-8 or UTF-16."""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

__all__ = ["PIECE", "Progress", "as_utf8", "opened", "pieces"]

PIECE = 4 * 2**20
Progress = Callable[[str, int, int], None]  # what, bytes done, bytes in all

_UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_OPENERS: tuple[tuple[bytes, Callable[..., Any]], ...] = (
    (b"\x1f\x8b", gzip.open),
    (b"BZh", bz2.open),
    (b"\xfd7zXZ\x00", lzma.open),
)


def opened(file: BinaryIO) -> BinaryIO:
    """A file, decompressed where its first bytes say that it is compressed."""
    start = file.read(6)
    file.seek(0)
    for magic, opener in _OPENERS:
        if start.startswith(magic):
            found: BinaryIO = opener(file, "rb")
            return found
    return file


def as_utf8(parts: Iterator[bytes]) -> Iterator[bytes]:
    """The same text without a byte order mark, in UTF-8 if it was in UTF-16."""
    first = next(parts, b"")
    while first and len(first) < 3:
        more = next(parts, b"")
        if not more:
            break
        first += more
    if first[:2] in _UTF16:
        decoder = codecs.getincrementaldecoder(_UTF16[first[:2]])()
        yield decoder.decode(first[2:]).encode()
        for part in parts:
            yield decoder.decode(part).encode()
        yield decoder.decode(b"", final=True).encode()
        return
    yield first.removeprefix(codecs.BOM_UTF8)
    yield from parts


def pieces(path: Path, progress: Progress | None = None) -> Iterator[bytes]:
    """The text of a file, some megabytes at a time.

    Parameters
    ----------
    path : Path
    progress : callable, optional
        Told after each piece how much of the file on disk is read.
    """
    total = path.stat().st_size
    with path.open("rb") as raw, opened(raw) as file:
        while part := file.read(PIECE):
            yield part
            if progress is not None:
                progress(f"reading {path.name}", raw.tell(), total)
