"""How much memory a file may take: what it declares is believed as far as its size supports it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from molkern._arrays import available_bytes

__all__ = ["Limit", "stored_bytes"]

FACTOR = 3
FREE = 64 * 2**20


def stored_bytes(paths: Iterable[Path]) -> int:
    """Size of files on disk."""
    return sum(path.stat().st_size for path in paths if path.is_file())


@dataclasses.dataclass
class Limit:
    """Bytes that reading may take: three times those stored, and 64 MB, unless the user says more.

    A file of some kilobytes can declare arrays of gigabytes.
    """

    stored: int
    max_bytes: int | None = None
    taken: int = 0

    @property
    def bytes(self) -> int:
        """The limit."""
        return FACTOR * self.stored + FREE if self.max_bytes is None else self.max_bytes

    def take(self, n_bytes: int, what: str) -> None:
        """Raise if ``what`` needs more, together with what was taken before."""
        self.require(self.taken + n_bytes, what)
        self.taken += n_bytes

    def require(self, needed: int, what: str) -> None:
        """Raise if ``what`` needs more.

        Raises
        ------
        ValueError
            Names the option that raises the limit.
        MemoryError
            If it is allowed, but more than the machine has.
        """
        if needed > self.bytes:
            raise ValueError(
                f"{what} would take {needed} bytes of memory, but the file has {self.stored} bytes "
                f"on disk; up to {self.bytes} are taken, more with --max-bytes {needed}, in Python "
                f"max_bytes={needed}"
            )
        if needed <= FREE:
            return
        available = available_bytes()
        if available is not None and needed > max(available, FREE):
            raise MemoryError(
                f"{what} would take {needed} bytes of memory, {available} are available"
            )
