"""MATLAB files, checked before SciPy sees them.

SciPy's reader is fast and trusts its input: a damaged type code indexes an array in C without a
check, and ends the process. So the elements of the file are walked first, and only arrays of
numbers whose sizes and types are consistent are let through.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern.datasets.files import bad_file, needed

__all__ = ["matlab_arrays"]

# Types of the elements of the format: code, bytes of one number.
_NUMBERS = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8}
_INT8, _INT32, _UINT32, _MATRIX, _COMPRESSED = 1, 5, 6, 14, 15
_UINT16, _UTF8, _UTF16 = 4, 16, 17
_CHAR = 4  # class of texts
_DOUBLE, _UINT64 = 6, 15  # classes of arrays of numbers: double, single, int8 to uint64
_MOST_INFLATED = 1000  # times the compressed bytes, zlib's own limit is 1032


class _Damaged(ValueError):
    """What the elements of a file say does not fit together."""


class _Elements:
    """Elements of a part of a file, one after another."""

    def __init__(self, content: bytes, order: str) -> None:
        self.content, self.order, self.place = content, order, 0

    def __bool__(self) -> bool:
        return self.place < len(self.content)

    def next(self) -> tuple[int, bytes]:
        """Type and content of the next element."""
        if self.place + 8 > len(self.content):
            raise _Damaged("ends inside of an element")
        kind, size = struct.unpack_from(f"{self.order}II", self.content, self.place)
        if kind >> 16:  # a small element: size and type in one word, content in the next
            size, kind = kind >> 16, kind & 0xFFFF
            if size > 4:
                raise _Damaged(f"a small element declares {size} bytes")
            begin, step = self.place + 4, 8
        else:
            begin = self.place + 8
            step = 8 + size + (0 if kind == _COMPRESSED else -size % 8)
        if begin + size > len(self.content):
            raise _Damaged(f"an element declares {size} bytes, beyond the end")
        self.place += step
        return kind, self.content[begin : begin + size]


def matlab_arrays(path: Path) -> tuple[dict[str, npt.NDArray[Any]], dict[str, str], list[str]]:
    """Arrays of numbers of a MATLAB 5 file, its texts, and names of variables that are neither.

    Raises
    ------
    ValueError
        For a file that is damaged, or of another version; names it.
    """
    loadmat = needed("scipy.io", "reading MATLAB files").loadmat
    try:
        names, texts, others = _names(path.read_bytes())
    except (_Damaged, zlib.error, struct.error) as error:
        raise bad_file(path, f"not a readable MATLAB file: {error}") from error
    try:
        content = loadmat(str(path), variable_names=names)
    except Exception as error:  # SciPy raises many kinds, TypeError and zlib.error among them.
        raise bad_file(path, f"not a readable MATLAB file: {error}") from error
    found = {name: content[name] for name in names if isinstance(content.get(name), np.ndarray)}
    return (
        {name: values for name, values in found.items() if values.dtype.kind in "fiu"},
        texts,
        others,
    )


def _names(content: bytes) -> tuple[list[str], dict[str, str], list[str]]:
    """Names of the real arrays of numbers, texts, and names of other variables.

    Raises where anything is damaged.
    """
    if not content.startswith(b"MATLAB 5.0") or len(content) < 128:
        raise _Damaged("expected a file of MATLAB 5.0 format (save -v6 or -v7)")
    order = "<" if content[126:128] == b"IM" else ">"
    elements = _Elements(content[128:], order)
    names: list[str] = []
    texts: dict[str, str] = {}
    others: list[str] = []
    while elements:
        kind, part = elements.next()
        if kind == _COMPRESSED:
            kind, part = _inflated(part, order)
        if kind != _MATRIX:
            raise _Damaged(f"expected a variable, found an element of type {kind}")
        name, text, is_numbers = _checked(part, order)
        if text is not None:
            texts[name] = text
        else:
            (names if is_numbers else others).append(name)
    return names, texts, others


def _inflated(part: bytes, order: str) -> tuple[int, bytes]:
    stream = zlib.decompressobj()
    content = stream.decompress(part, _MOST_INFLATED * len(part) + 1024)
    if not stream.eof:
        raise _Damaged("a compressed variable is truncated")
    elements = _Elements(content, order)
    found = elements.next()
    if elements:
        raise _Damaged("a compressed variable holds more than one")
    return found


def _checked(part: bytes, order: str) -> tuple[str, str | None, bool]:
    """Name of a variable, its text if it is one, and whether it is a real array of numbers."""
    elements = _Elements(part, order)
    kind, flags = elements.next()
    if kind != _UINT32 or len(flags) != 8:
        raise _Damaged("a variable lacks its flags")
    word = struct.unpack_from(f"{order}I", flags)[0]
    array_class, is_complex = word & 0xFF, bool(word & 0x0800)
    kind, shape = elements.next()
    if kind != _INT32 or len(shape) % 4 or not 8 <= len(shape) <= 128:
        raise _Damaged("a variable lacks its dimensions")
    sizes = struct.unpack(f"{order}{len(shape) // 4}i", shape)
    kind, name = elements.next()
    if kind != _INT8 or min(sizes) < 0:
        raise _Damaged("a variable lacks its name or its dimensions")
    shown = name.decode("latin-1")
    if array_class == _CHAR and elements:
        return shown, _text(*elements.next(), order), False
    if not _DOUBLE <= array_class <= _UINT64 or is_complex:
        return shown, None, False
    kind, values = elements.next()
    count = int(np.prod(sizes, dtype=object))
    if kind not in _NUMBERS or len(values) != count * _NUMBERS[kind]:
        raise _Damaged(f"variable {shown!r} declares {count} numbers in {len(values)} bytes")
    if elements:
        raise _Damaged(f"variable {shown!r} holds more than its numbers")
    return shown, None, True


def _text(kind: int, content: bytes, order: str) -> str:
    """A text, which SciPy need not see."""
    end = "le" if order == "<" else "be"
    encoding = {_UINT16: f"utf-16-{end}", _UTF16: f"utf-16-{end}", _UTF8: "utf-8"}.get(kind)
    return content.decode(encoding or "latin-1", "replace")
