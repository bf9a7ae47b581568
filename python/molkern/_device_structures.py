"""Structures that stay on a device: what is known of them is checked and copied once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any, NoReturn

from molkern.structures import Structures

__all__ = ["DeviceStructures", "kept"]

# Of the preparations for representations, the latest ones: 24 bytes an atom at most.
_MOST_KEPT = 16


class DeviceStructures(Structures):
    """A batch that representations compute on a device, made by ``cuda.to_device``.

    Everything that ``Structures`` have is there, too, as copies that cannot be changed. What is
    chosen of it, like ``batch[:10]``, stays on the device.

    Attributes
    ----------
    device : int
    """

    __slots__ = ("_kept", "_lock", "device")

    device: int
    _kept: dict[Hashable, Any]
    _lock: threading.Lock

    def __init__(self, structures: Structures, device: int) -> None:
        for name in Structures.__slots__:
            array = getattr(structures, name)
            if array is not None:
                array = array.copy()
                array.flags.writeable = False
            object.__setattr__(self, name, array)
        object.__setattr__(self, "device", device)
        object.__setattr__(self, "_kept", {})
        object.__setattr__(self, "_lock", threading.Lock())

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"{name}: structures on a device do not change; make new ones")

    def __getitem__(self, index: Any) -> DeviceStructures:
        return DeviceStructures(super().__getitem__(index), self.device)

    def __repr__(self) -> str:
        return super().__repr__().replace("Structures(", f"DeviceStructures(device={self.device}, ")

    def __reduce__(self) -> tuple[Any, ...]:
        return DeviceStructures, (super().__getitem__(slice(None)), self.device)

    def _once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """What ``make()`` returned for this key."""
        with self._lock:
            known = key in self._kept
            found = self._kept.pop(key, None)
            if known:
                self._kept[key] = found  # behind all others: the first goes first
        if not known:
            found = make()
            with self._lock:
                self._kept[key] = found
                if len(self._kept) > _MOST_KEPT:
                    del self._kept[next(iter(self._kept))]
        return found


def kept(batch: Structures, key: Hashable, make: Callable[[], Any]) -> Any:
    """``make()``; of a batch that stays on a device once for each key."""
    return batch._once(key, make) if isinstance(batch, DeviceStructures) else make()
