"""Arrays on a device: where work goes, and how arrays of other libraries come and go.

An array is taken by DLPack, on the stream that its library works on, and a result is given back to
that library the same way, without a copy.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern import cuda
from molkern._arrays import unmasked
from molkern._device_structures import DeviceStructures, kept
from molkern.structures import Structures

__all__ = [
    "Place",
    "deliver",
    "in_pieces",
    "library_of",
    "on_device",
    "place_of",
    "positions_on",
    "prepared",
    "require_apart",
    "require_none",
    "taken",
    "without_gradient",
]

# DLPack's numbers of CUDA devices, and of memory that they share with the host.
_CUDA, _CUDA_MANAGED = 2, 13


@dataclass(frozen=True)
class Place:
    """Where work is done, and for whom.

    Attributes
    ----------
    module : module
        The compiled one.
    device : int
    stream : int
        The caller's, as an address; 0 is the default one.
    library : str
        ``"torch"``, ``"cupy"`` or ``"jax"``, whose arrays were given, else empty.
    """

    module: Any
    device: int
    stream: int
    library: str


def place_of(device: Any, structures: Structures | None = None, /, **arrays: Any) -> Place | None:
    """Where work on these arguments is done; None: on the host.

    Parameters
    ----------
    device : None, "cpu", "cuda", "cuda:<number>" or a torch.device
        None: where the arrays or, without any, the structures are.
    structures : Structures, optional
    **arrays : array or None
        Arguments by name.

    Raises
    ------
    ValueError
        For an unknown device, arrays on different ones, or some on a device and some not.
    RuntimeError
        Where no device can be used.
    """
    kind = _device_kind()
    given = {name: array for name, array in arrays.items() if array is not None}
    there = {name: _number(array, kind) for name, array in given.items()}
    numbers = {name: number for name, number in there.items() if number is not None}
    if device is not None and str(device) == "cpu":
        for name in numbers:
            raise ValueError(f'{name}: expected no array on a device with device="cpu"')
        return None
    first = next((given[name] for name in numbers), None)
    if isinstance(structures, DeviceStructures):
        numbers = {"structures": structures.device, **numbers}
    if device is None and not numbers:
        return None
    wanted = None if device is None else cuda.device_number(device)
    for name in given:
        if numbers and name not in numbers:
            raise ValueError(f"{name}: expected an array on a device as {next(iter(numbers))} is")
    for name, number in numbers.items():
        if wanted is not None and number != wanted:
            raise ValueError(f"{name}: expected on device {wanted}, found on {number}")
        wanted = number
    module = cuda.extension()
    if why := module.unsupported(wanted):
        raise RuntimeError(f"device: {why}")
    return Place(module, int(wanted or 0), _stream_of(first), library_of(first))


def on_device(array: Any) -> bool:
    """Whether an argument is an array on a device."""
    return _number(array, _device_kind()) is not None


def taken(place: Place, name: str, array: Any, *, double: bool = False) -> Any:
    """An argument as an array of the compiled module; what is on the host is copied.

    ``double``: in float64 whatever it was.
    """
    module = place.module
    if _number(array, module.device_kind) is None:
        host = np.ascontiguousarray(unmasked(name, array), dtype=np.float64 if double else None)
        return module.upload(host, place.device, place.stream)
    if not isinstance(array, module.DeviceArray):
        array = without_gradient(name, array)
        # DLPack has no 0: 1 is the default stream. The emulation has no streams.
        options = {"stream": place.stream or 1} if module.device_kind == _CUDA else {}
        with _current(array):
            array = module.imported(name, array.__dlpack__(**options), place.stream)
    return module.as_double(array, place.stream) if double else array


def without_gradient(name: str, tensor: Any) -> Any:
    """An array, of torch without its gradient; raises where one would be lost."""
    if library_of(tensor) != "torch":
        return tensor
    if tensor.requires_grad and sys.modules["torch"].is_grad_enabled():
        raise ValueError(
            f"{name}: no gradient flows through here, found a tensor that requires one: call "
            ".detach(), or use molkern.torch.features, through which those of positions flow"
        )
    return tensor.detach()


def positions_on(place: Place, batch: Structures, positions: Any) -> Any:
    """Those on a device, or those of the structures copied there; float64."""
    if positions is not None:
        return taken(place, "positions", positions, double=True)
    return prepared(place, batch, "positions", lambda: taken(place, "positions", batch.positions))


def prepared(place: Place, batch: Structures, key: Hashable, make: Callable[[], Any]) -> Any:
    """``make()``, which copies something to the place; once if the batch stays there."""
    stays = isinstance(batch, DeviceStructures) and batch.device == place.device
    return kept(batch, (key, place.module), make) if stays else make()


def require_none(positions: Any) -> None:
    """Raise for positions beside the structures that are not on a device."""
    if positions is not None:
        raise TypeError(
            f"positions: expected an array on a device, found {type(positions).__name__} on the "
            "host; others belong into the structures"
        )


def in_pieces(
    place: Place,
    batch: Structures,
    out: npt.NDArray[Any],
    compute: Callable[[Structures], Any],
    *,
    per_atom: bool,
) -> npt.NDArray[Any]:
    """Write results of a batch into an array of the host, of as much of it as fits at a time.

    What the host can check of the batch has been checked: errors would name a piece's structures.
    A quarter of the free memory is for the results of a piece. What else it needs is not known
    before: a piece that does not fit is halved, until it is one structure.
    """
    ends = batch.offsets if per_atom else np.arange(len(batch) + 1)
    rows = place.module.free_bytes(place.device) // 4 // max(1, out[:1].nbytes)
    start = 0
    while start < len(batch):
        stop = int(np.searchsorted(ends, ends[start] + rows, side="right")) - 1
        stop = min(max(stop, start + 1), len(batch))
        try:
            result = compute(Structures.__getitem__(batch, slice(start, stop)))
        except place.module.OutOfMemory:
            if stop == start + 1:
                raise
            rows = max(1, int(ends[stop] - ends[start]) // 2)
            continue
        except _CoincidentError as error:
            raise _CoincidentError(start + error.structure) from None
        result.copy_to(out[ends[start] : ends[stop]])
        start = stop
    return out


def deliver(place: Place, array: Any) -> Any:
    """A result as an array of the library whose arrays were given.

    The compiled module gives results that are complete: what they were made from may be released,
    and any stream may go on with them.
    """
    if not place.library:
        return array
    library = sys.modules[place.library]
    source = library.dlpack if place.library == "jax" else library
    return source.from_dlpack(array)


def require_apart(coincident: int | None) -> None:
    """Raise for the structure in which a device met two atoms at one place."""
    if coincident is not None:
        raise _CoincidentError(coincident)


class _CoincidentError(ValueError):
    def __init__(self, structure: int) -> None:
        super().__init__(
            f"positions: two atoms of molecule {structure} coincide (closer than 0.001 angstrom), "
            "or its positions are not finite, or too far away"
        )
        self.structure = structure

    def __reduce__(self) -> tuple[Any, ...]:
        return _CoincidentError, (self.structure,)


def _device_kind() -> int:
    """DLPack's number of the devices that are meant; the host's in the emulation.

    No device is asked: whoever works on the host shall not start the driver.
    """
    return cuda.device_kind() or _CUDA


def _number(array: Any, kind: int) -> int | None:
    """The device that an array is on; None for the host."""
    if isinstance(array, np.ndarray) or not hasattr(array, "__dlpack_device__"):
        return None
    found, number = array.__dlpack_device__()
    managed = kind == _CUDA and found == _CUDA_MANAGED
    return int(number) if found == kind or managed else None


def _current(array: Any) -> Any:
    """The device of an array is the current one of its library, inside the block."""
    library = library_of(array)
    if library == "torch" and array.is_cuda:
        return sys.modules["torch"].cuda.device(array.device)
    if library == "cupy":
        return sys.modules["cupy"].cuda.Device(array.device.id)
    return nullcontext()


def library_of(array: Any) -> str:
    """``"torch"``, ``"cupy"``, ``"jax"``, or empty for arrays of no known library."""
    if array is None:
        return ""
    name = type(array).__module__.partition(".")[0]
    name = {"jaxlib": "jax"}.get(name, name)
    return name if name in ("torch", "cupy", "jax") else ""


def _stream_of(array: Any) -> int:
    """The stream on which the library of an array works now."""
    library = library_of(array)
    if library == "torch" and array.is_cuda:
        return int(sys.modules["torch"].cuda.current_stream(array.device).cuda_stream)
    if library == "cupy":
        with _current(array):
            return int(sys.modules["cupy"].cuda.get_current_stream().ptr)
    return 0
