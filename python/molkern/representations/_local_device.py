"""Representations of the surroundings of each atom on a device."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from molkern import _core
from molkern._arrays import single_or_double
from molkern._device import (
    Place,
    deliver,
    on_device,
    place_of,
    positions_on,
    prepared,
    require_apart,
    require_none,
    taken,
)
from molkern.structures import Structures

__all__ = ["check", "gradient_on", "place_for", "values_on"]


def place_for(device: Any, batch: Structures, positions: Any, gX: Any = None) -> Place | None:
    """Where work on these arguments is done; None: on the host. ``gX`` may always be there."""
    place = place_of(device, batch, positions=positions, gX=gX if on_device(gX) else None)
    if place is None:
        require_none(positions)
    return place


def values_on(
    place: Place,
    kernels: tuple[Any, Any],
    batch: Structures,
    positions: Any,
    rows: npt.NDArray[np.int64] | None,
    average: str,
    single: bool,
) -> Any:
    """Features as an array of the caller's library; ``kernels`` are those of host and device."""
    arguments = _arguments(place, kernels, batch, positions, rows, average)
    result, wrong = place.module.local_values(*arguments, single, place.stream)
    require_apart(wrong)
    return deliver(place, result)


def gradient_on(
    place: Place,
    kernels: tuple[Any, Any],
    batch: Structures,
    positions: Any,
    rows: npt.NDArray[np.int64] | None,
    average: str,
    gX: Any,
    strain: bool,
) -> Any:
    """Gradient, and with ``strain`` that, too, as arrays of the caller's library."""
    arguments = _arguments(place, kernels, batch, positions, rows, average)
    there = isinstance(gX, place.module.DeviceArray) or hasattr(gX, "__dlpack_device__")
    cotangent = taken(place, "gX", gX if there else single_or_double("gX", gX))
    gradient, strains, wrong = place.module.local_vjp(*arguments, cotangent, strain, place.stream)
    require_apart(wrong)
    if strain:
        return deliver(place, gradient), deliver(place, strains)
    return deliver(place, gradient)


def _arguments(
    place: Place,
    kernels: tuple[Any, Any],
    batch: Structures,
    positions: Any,
    rows: npt.NDArray[np.int64] | None,
    average: str,
) -> tuple[Any, ...]:
    """What the compiled functions take; the host checks what it knows."""
    on_host, there = kernels

    def make() -> Any:
        check(on_host, batch, rows, average)
        arrays = batch.numbers, batch.offsets, batch.cells, batch.pbc, rows
        return place.module.surroundings(there, *arrays, place.device, place.stream)

    key = there, average, None if rows is None else rows.tobytes()
    surroundings = prepared(place, batch, key, make)
    return there, surroundings, positions_on(place, batch, positions), average


def check(kernel: Any, batch: Structures, rows: npt.NDArray[np.int64] | None, average: str) -> None:
    """Raise for what is wrong whatever the positions on the device are."""
    arrays = batch.offsets, batch.cells, batch.pbc, rows
    _core.check_local(kernel, batch.numbers, batch.positions, *arrays, average)
