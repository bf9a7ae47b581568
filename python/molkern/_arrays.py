"""Checks of arrays that several modules need."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


def unmasked(name: str, values: Any, place: Callable[[int], str] = "row {}".format) -> Any:
    """The values, if none of them is masked.

    NumPy drops the mask where it converts to an array: a masked label would be learnt as the
    number below the mask.

    Parameters
    ----------
    name : str
        The argument, for the error.
    values : array_like
        Anything. Of lists and tuples only the items themselves are looked at.
    place : callable, optional
        Words for a row, for the error.

    Returns
    -------
    object
        The argument; for an object with ``__array__`` that is no array, that array, since
        variables of netCDF files turn out to be masked only then.

    Raises
    ------
    ValueError
        If a value is masked; names the argument and the first row.
    """
    array = isinstance(values, np.ndarray)
    if not array and not isinstance(values, list | tuple) and hasattr(values, "__array__"):
        values = np.asanyarray(values)
    masked = _masked_class()
    if masked is None:  # no masked array was ever made
        return values
    if isinstance(values, masked):
        if _has_mask(values):
            raise _masked_error(name, values, place)
    elif isinstance(values, list | tuple) or (array and values.dtype == object and values.ndim):
        if any(issubclass(kind, masked) for kind in set(map(type, values))):
            for row, item in enumerate(values):
                if isinstance(item, masked) and _has_mask(item):
                    raise _masked_error(name, None, place, row)
    return values


def may_be_masked(arrays: Sequence[Any]) -> bool:
    """Whether `unmasked` could raise for one of these arrays or lists; quick for many of them."""
    masked = _masked_class()
    if masked is None:
        return False
    kinds = set(map(type, arrays))
    if kinds & {list, tuple}:
        lists = (item for item in arrays if type(item) in (list, tuple))
        kinds |= set(map(type, chain.from_iterable(lists)))
    return any(issubclass(kind, masked) or _converts(kind) for kind in kinds)


def _masked_class() -> Any:
    """NumPy's masked array; None while nobody has asked NumPy for it."""
    return getattr(sys.modules.get("numpy.ma"), "MaskedArray", None)


def _converts(kind: type) -> bool:
    """Whether NumPy makes arrays of this class by a call of its own."""
    return hasattr(kind, "__array__") and not issubclass(kind, np.ndarray | np.generic)


def _has_mask(array: Any) -> bool:
    mask = array.mask
    return mask.dtype == bool and bool(mask.any())  # others belong to structured arrays


def _masked_error(
    name: str, array: Any, place: Callable[[int], str], row: int | None = None
) -> ValueError:
    if row is None and array.ndim:
        row = int(np.argwhere(array.mask)[0, 0])
    where = "" if row is None else f" in {place(row)}"
    return ValueError(
        f"{name}: expected no masked values, found one{where}; leave it out or fill it in"
    )


def checked_out(out: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Raise unless ``out`` can take a result of this shape and type as it is."""
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out: expected an ndarray, found {type(out).__name__}")
    unmasked("out", out)
    if out.shape != shape or out.dtype != dtype:
        raise ValueError(
            f"out: expected shape {shape} and type {dtype}, found {out.shape} and {out.dtype}"
        )
    if not (out.flags.c_contiguous and out.flags.aligned and out.flags.writeable):
        raise ValueError("out: expected a writeable C-contiguous, aligned array")


def checked_threads(n_threads: int | None) -> int | None:
    """Raise unless ``n_threads`` is None or an integer from 1 to 4096.

    The compiled module starts 64, or four for each core, at most.
    """
    if n_threads is None:
        return None
    message = f"n_threads: expected None or an integer from 1 to 4096, found {n_threads!r}"
    if not isinstance(n_threads, (int, np.integer)) or isinstance(n_threads, bool):
        raise TypeError(message)
    if not 1 <= n_threads <= 4096:
        raise ValueError(message)
    return int(n_threads)


def available_bytes() -> int | None:
    """Memory that can still be had, or None where the system does not tell.

    What Linux calls available, or less where a container limits it.
    """
    limits = []
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            for line in lines:
                if line.startswith("MemAvailable:"):
                    limits.append(int(line.split()[1]) * 1024)
    except OSError:
        pass
    limits += _control_group_bytes()
    if not limits and hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(limits) if limits else None


def _control_group_bytes() -> list[int]:
    """What is left below the limit of the control group that a container sees as its root."""
    folder = Path("/sys/fs/cgroup")
    try:
        limit = (folder / "memory.max").read_text().strip()
        used = int((folder / "memory.current").read_text())
        statistics = (folder / "memory.stat").read_text().split()
        # File pages that the system drops when memory is needed.
        used -= int(statistics[statistics.index("inactive_file") + 1])
    except (OSError, ValueError):
        return []
    return [] if limit == "max" else [int(limit) - used]


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
    array = np.asarray(unmasked(name, values))
    if array.ndim != 1:
        raise ValueError(f"{name}: expected one dimension, found shape {array.shape}")
    if array.size == 0:
        return np.empty(0, dtype)
    if array.dtype.kind not in "iu":
        if array.dtype.kind != "f" or not (array == np.floor(array)).all():
            raise TypeError(f"{name}: expected integers, found {array.dtype}")
    limits = np.iinfo(dtype)
    if array.min() < limits.min or array.max() > limits.max:
        wrong = array.max() if array.max() > limits.max else array.min()
        raise ValueError(f"{name}: {wrong} does not fit in {np.dtype(dtype).name}")
    return np.require(array, dtype, ["C", "A"])


def floats(name: str, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Real numbers as a C-contiguous float64 array, not copied if they are one."""
    array = np.asarray(unmasked(name, values))
    if array.dtype.kind not in "iuf":
        raise TypeError(f"{name}: expected real numbers, found {array.dtype}")
    if name == "positions" and array.size == 0:
        array = array.reshape(-1, 3)
    return np.require(array, np.float64, ["C", "A"])


def single_or_double(
    name: str, values: npt.ArrayLike
) -> npt.NDArray[np.float32] | npt.NDArray[np.float64]:
    """As ``floats``, but float32 stays what it is."""
    if isinstance(values, np.ndarray) and values.dtype == np.float32:
        return np.require(unmasked(name, values), np.float32, ["C", "A"])
    return floats(name, values)


def booleans(name: str, values: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """A C-contiguous array of booleans; anything else raises TypeError."""
    array = np.asarray(unmasked(name, values))
    if array.dtype.kind != "b":
        raise TypeError(f"{name}: expected booleans, found {array.dtype}")
    return np.ascontiguousarray(array)


def joined_ranges(
    starts: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """The numbers ``start`` to ``start + size - 1`` of each pair, one after the other.

    Examples
    --------
    >>> joined_ranges(np.array([5, 0]), np.array([2, 3]))
    array([5, 6, 0, 1, 2])
    """
    ends = np.cumsum(sizes)
    total = int(ends[-1]) if len(ends) else 0
    shifts: npt.NDArray[np.int64] = np.repeat(starts - (ends - sizes), sizes)
    return np.arange(total) + shifts


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
    array = np.asarray(unmasked("index", index))
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
