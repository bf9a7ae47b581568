"""Checks of arguments that the builders share."""

from __future__ import annotations

import math
import operator
import os
from typing import Any

__all__ = ["positive", "processes", "whole"]


def whole(name: str, value: Any, least: int) -> int:
    """An integer of at least ``least``."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: expected an integer, found {value!r}") from None
    if isinstance(value, bool):
        raise TypeError(f"{name}: expected an integer, found {value!r}")
    if number < least:
        raise ValueError(f"{name}: expected at least {least}, found {number}")
    return number


def positive(name: str, value: Any) -> float:
    """A finite positive number."""
    if isinstance(value, str | bool) or not hasattr(value, "__float__"):
        raise TypeError(f"{name}: expected a number, found {value!r}")
    number = float(value)
    if not (math.isfinite(number) and number > 0):
        raise ValueError(f"{name}: expected a positive number, found {number!r}")
    return number


def processes(n_processes: int | None) -> int:
    """How many processes to start; None: all allowed cores."""
    if n_processes is not None:
        return whole("n_processes", n_processes, 1)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
