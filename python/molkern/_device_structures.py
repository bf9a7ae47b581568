"""Structures that stay on a device: what is known of them is checked and copied once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from molkern.structures import Structures

__all__ = ["DeviceStructures", "kept"]

# Of the preparations for representations, the latest ones: some 50 bytes an atom each.
_MOST_KEPT = 16


class DeviceStructures(Structures):
    """A batch that representations compute on a device, made by ``cuda.to_device``.

    Everything that ``Structures`` have is there, too: on the host it is one of them.

    Attributes
    ----------
    device : int
    """

    __slots__ = ("_kept", "device")

    def __init__(self, structures: Structures, device: int) -> None:
        for name in Structures.__slots__:
            setattr(self, name, getattr(structures, name))
        self.device = device
        self._kept: dict[Hashable, Any] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return DeviceStructures, (self[:], self.device)

    def _once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """What ``make()`` returned for this key."""
        found = self._kept.get(key, self)
        if found is self:
            found = make()
            while len(self._kept) >= _MOST_KEPT:
                self._kept.pop(next(iter(self._kept)), None)
            self._kept[key] = found
        return found


def kept(batch: Structures, key: Hashable, make: Callable[[], Any]) -> Any:
    """``make()``; of a batch that stays on a device once for each key."""
    return batch._once(key, make) if isinstance(batch, DeviceStructures) else make()
