"""Checks of single numbers, and of lists of them, that several modules need."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern._arrays import unmasked


def whole_number(name: str, value: Any, least: int, most: int | None = None) -> int:
    """An integer within bounds, of Python or NumPy.

    Raises
    ------
    TypeError
        For what is no integer, truth values and floats such as 2.0 included.
    ValueError
        For one that is out of bounds.
    """
    bounds = f"of {least} or more" if most is None else f"from {least} to {most}"
    message = f"{name}: expected an integer {bounds}, found {value!r}"
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(message)
    whole = int(value)
    if whole < least or (most is not None and whole > most):
        raise ValueError(message)
    return whole


def real_number(
    name: str, value: Any, least: float, most: float = np.inf, *, above: bool = False
) -> float:
    """A finite number within bounds, of Python or NumPy; ``above``: ``least`` is not allowed.

    Raises
    ------
    TypeError
        For what is no real number, truth values included.
    ValueError
        For one that is out of bounds, infinite or not a number.
    """
    if most < np.inf:
        bounds = f"{'above' if above else 'from'} {least:g} to {most:g}"
    else:
        bounds = f"above {least:g}" if above else f"of {least:g} or more"
    message = f"{name}: expected a number {bounds}, found {value!r}"
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(message)
    try:
        real = float(value)
    except OverflowError:
        real = np.inf
    if not least <= real <= most or real == np.inf or (above and real == least):
        raise ValueError(message)
    return real


def real_numbers(name: str, values: Any, expected: str) -> npt.NDArray[np.float64]:
    """An array of real numbers; texts and truth values raise TypeError with what is expected."""
    values = unmasked(name, values)
    try:
        array = np.asarray(values)
        truth = any(isinstance(item, bool | np.bool_) for item in np.asarray(values, object).flat)
    except ValueError:  # rows of different lengths
        array, truth = np.empty(0, object), False
    if truth or array.dtype.kind not in "iuf":
        raise TypeError(f"{name}: expected {expected}, found {values!r}")
    return array.astype(np.float64)
