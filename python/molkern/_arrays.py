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
