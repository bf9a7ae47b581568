"""An error about what was asked for."""

from __future__ import annotations

__all__ = ["AskedFor"]


class AskedFor(ValueError):
    """Something is wrong with an argument, such as a property or a unit, not with a file."""
