"""Items of the comment lines of XYZ frames, by their keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern.datasets.contents import Column, Stated
from molkern.datasets.named_units import is_unit
from molkern.datasets.stated import agreed

__all__ = ["NUMBER", "WORD", "Items", "decoded"]

Array = npt.NDArray[Any]

WORD, NUMBER = range(2)  # kinds as in cpp/formats/comment.hpp; then numbers, text
_MOST_UNITS = 100  # different words after one value that are looked at


def decoded(text: bytes) -> str:
    """Text in UTF-8, or in Latin-1, which every text is in."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")


class Items:
    """Items of all comment lines, by key."""

    def __init__(self, found: dict[str, Any]) -> None:
        self.n_frames = len(found["offsets"]) - 1
        self.lines = found["lines"]
        self.frame, self.key, self.kind = found["frame"], found["key"], found["kind"]
        self.value, self.count, self.numbers = found["value"], found["count"], found["numbers"]
        self.keys = [decoded(key) for key in found["keys"]]
        self.texts = found["texts"]
        order = np.argsort(self.key, kind="stable")
        ends = np.searchsorted(self.key[order], np.arange(len(self.keys) + 1))
        self._rows = [order[a:b] for a, b in pairwise(ends.tolist())]

    def rows(self, key: int) -> Array:
        """Items of a key that are no words, in the order of frames."""
        rows = self._rows[key]
        found: Array = rows[self.kind[rows] != WORD]
        return found

    def words(self, key: int) -> Array:
        """Items that are this word, in the order of frames."""
        rows = self._rows[key]
        found: Array = rows[self.kind[rows] == WORD]
        return found

    def said(self, rows: Array) -> list[str]:
        """The text of each frame; empty where it has none."""
        texts = [""] * self.n_frames
        for frame, value in zip(self.frame[rows].tolist(), self.value[rows].tolist(), strict=True):
            texts[frame] = decoded(self.texts[value])
        return texts

    def units_after(self, row: int, most: int) -> list[str]:
        """Units that follow an item as words, without the marks between them."""
        found: list[str] = []
        for after in range(row + 1, min(row + 1 + most, len(self.frame))):
            text = self.keys[int(self.key[after])].strip("()[].;,")
            inside = self.frame[after] == self.frame[row] and self.kind[after] == WORD
            if not inside or not is_unit(text):
                break
            found.append(text)
        return found

    def unit_after(self, rows: Array, name_of: Callable[[int], str]) -> Stated | None:
        """The unit that follows the values: "E = -76.1 Eh".

        Raises
        ------
        ValueError
            If it differs between frames.
        """
        after = rows + 1
        there = after < len(self.frame)
        there[there] &= self.frame[after[there]] == self.frame[rows[there]]
        there[there] &= self.kind[after[there]] == WORD
        found = after[there]
        which = np.unique(self.key[found])
        if len(which) > _MOST_UNITS:  # titles
            return None
        units = {int(k): self.keys[k].strip("()[].;") for k in which.tolist()}
        units = {k: text for k, text in units.items() if is_unit(text)}
        if not units:
            return None
        texts = {int(self.frame[row]): units.get(int(self.key[row]), "") for row in found.tolist()}
        frames = self.frame[rows].tolist()
        said = agreed("unit", [texts.get(k, "") for k in frames], lambda k: name_of(int(frames[k])))
        return Stated(said, "the word after it")

    def text(self, row: int) -> str:
        """The text of an item that is one."""
        return decoded(self.texts[int(self.value[row])])

    def named(self) -> Iterator[tuple[str, Array]]:
        """Keys and their items."""
        for k, key in enumerate(self.keys):
            rows = self.rows(k)
            if key and len(rows):
                yield key, rows

    def once(self, key: str, rows: Array) -> Array:
        """Items of different frames; the same said twice counts once.

        Raises
        ------
        ValueError
            If a frame says two things; names the line.
        """
        frames = self.frame[rows]
        again = np.flatnonzero(frames[1:] == frames[:-1])
        for k in again:
            if self._content(rows[k]) != self._content(rows[k + 1]):
                raise ValueError(
                    f"line {int(self.lines[frames[k]]) + 1} (frame {int(frames[k])}): {key}= "
                    "stands there twice, with different values"
                )
        return np.delete(rows, again)

    def _content(self, row: int) -> object:
        if self.count[row] == 0:
            return self.text(row)
        first = int(self.value[row])
        return self.numbers[first : first + int(self.count[row])].tolist()

    def column(self, rows: Array, name_of: Callable[[int], str]) -> Column | str:
        """A column of the items that are numbers, or why there is none."""
        counts = np.unique(self.count[rows])
        width = int(counts[-1])
        if width == 0:
            return f"expected numbers, found text such as {self.text(rows[0])[:40]!r}"
        if len(counts[counts > 0]) > 1:
            return f"expected equally many numbers in each frame, found {counts.tolist()}"
        rows = rows[self.count[rows] > 0]
        shape = (self.n_frames,) if width == 1 else (self.n_frames, width)

        def read() -> Array:
            values = np.full((self.n_frames, width), np.nan)
            values[self.frame[rows]] = self.numbers[self.value[rows][:, None] + np.arange(width)]
            return values.reshape(shape)

        unit = self.unit_after(rows, name_of)
        return Column(shape, read, stated=unit, n_missing=self.n_frames - len(rows))

    def more_after(self, rows: Array) -> Array:
        """Items of one value that another number, or a flag, follows without a key."""
        after = rows + 1
        inside = after < len(self.frame)
        rows, after = rows[inside], after[inside]
        names = np.array([key.lower() in ("", "t", "f", "true", "false") for key in self.keys])
        single = (self.count[rows] <= 1) & (self.frame[after] == self.frame[rows])
        loose = (self.kind[after] == WORD) | (self.kind[after] == NUMBER)
        found: Array = rows[single & loose & names[self.key[after]]]
        return found

    def where(self, row: int) -> str:
        """Line and frame of an item."""
        frame = int(self.frame[row])
        return f"line {int(self.lines[frame]) + 1} (frame {frame})"
