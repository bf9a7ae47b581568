"""Checks of arrays that several modules need."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np
import numpy.typing as npt


def checked_out(out: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Raise unless ``out`` can take a result of this shape and type as it is."""
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out: expected an ndarray, found {type(out).__name__}")
    if out.shape != shape or out.dtype != dtype:
        raise ValueError(
            f"out: expected shape {shape} and type {dtype}, found {out.shape} and {out.dtype}"
        )
    if not out.flags.c_contiguous or not out.flags.writeable:
        raise ValueError("out: expected a writeable C-contiguous array")


def available_bytes() -> int | None:
    """Memory that can still be had, or None where the system does not tell.

    What Linux calls available, or what is left below the limit of the process's control group.
    """
    limits = []
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            for line in lines:
                if line.startswith("MemAvailable:"):
                    limits.append(int(line.split()[1]) * 1024)
    except OSError:
        pass
    try:
        with open("/sys/fs/cgroup/memory.max", encoding="ascii") as most:
            limit = most.read().strip()
        with open("/sys/fs/cgroup/memory.current", encoding="ascii") as current:
            used = int(current.read())
        if limit != "max":
            limits.append(int(limit) - used)
    except (OSError, ValueError):
        pass
    if not limits and hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(limits) if limits else None


def require_bytes(shape: tuple[int, ...], dtype: npt.DTypeLike, what: str) -> None:
    """Raise MemoryError, with the bytes, if an array of this shape does not fit in memory."""
    needed = math.prod(shape) * np.dtype(dtype).itemsize
    # The system is only asked about results that could be too large for any machine in use.
    if needed < 1 << 28:
        return
    available = available_bytes()
    if available is not None and needed > available:
        raise MemoryError(
            f"{what}: the result of shape {shape} needs {needed} bytes "
            f"({needed / 2**30:.1f} GiB), {available} are available"
        )


def integers(name: str, values: npt.ArrayLike, dtype: Any) -> npt.NDArray[Any]:
    """A vector of whole numbers in the given type; they may come as floats."""
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"{name}: expected one dimension, found shape {array.shape}")
    if array.size == 0:
        return np.empty(0, dtype)
    if array.dtype.kind not in "iu":
        if array.dtype.kind != "f" or not (array == np.floor(array)).all():
            raise TypeError(f"{name}: expected integers, found {array.dtype}")
    limits = np.iinfo(dtype)
    if array.min() < limits.min or array.max() > limits.max:
        raise ValueError(f"{name}: {array.max()} does not fit in {np.dtype(dtype).name}")
    return np.ascontiguousarray(array, dtype=dtype)


def floats(name: str, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Real numbers as a C-contiguous float64 array, not copied if they are one."""
    array = np.asarray(values)
    if array.dtype.kind not in "iuf":
        raise TypeError(f"{name}: expected real numbers, found {array.dtype}")
    if name == "positions" and array.size == 0:
        array = array.reshape(-1, 3)
    return np.ascontiguousarray(array, dtype=np.float64)


def booleans(name: str, values: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """A C-contiguous array of booleans; anything else raises TypeError."""
    array = np.asarray(values)
    if array.dtype.kind != "b":
        raise TypeError(f"{name}: expected booleans, found {array.dtype}")
    return np.ascontiguousarray(array)


def chosen_items(index: Any, n: int) -> Any:
    """An index of structures as a slice of step 1 or an array of non-negative integers."""
    if isinstance(index, slice):
        start, stop, step = index.indices(n)
        if step == 1:
            return slice(start, max(start, stop))
        return np.arange(start, stop, step)
    if isinstance(index, (int, np.integer)) and not isinstance(index, bool):
        if not -n <= index < n:
            raise IndexError(f"index {index} is out of range for {n} structures")
        k = int(index) % n
        return slice(k, k + 1)
    array = np.asarray(index)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iub"):
        raise TypeError(
            "index: expected an integer, a slice, or a one-dimensional array of integers or "
            f"booleans, found {type(index).__name__}"
        )
    if array.dtype.kind == "b":
        if array.shape[0] != n:
            raise IndexError(f"mask: expected {n} booleans, found {array.shape[0]}")
        return np.flatnonzero(array)
    array = array.astype(np.int64)
    outside = (array < -n) | (array >= n)
    if outside.any():
        raise IndexError(f"index {array[np.argmax(outside)]} is out of range for {n} structures")
    return np.where(array < 0, array + n, array)
