"""Checks of what a model is given."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from molkern._numbers import real_numbers
from molkern.regression.linear import real_array
from molkern.structures import Structures, symbol_of

__all__ = ["grid", "labels", "require_finite", "require_known"]

Floats = npt.NDArray[np.float64]


def grid(name: str, value: Any, *, positive: bool) -> tuple[float, ...] | None:
    """Values of a parameter: None, one number or a sequence of numbers."""
    if value is None:
        return None
    bound = "> 0" if positive else ">= 0"
    values = np.atleast_1d(real_numbers(name, value, f"numbers {bound} or None"))
    allowed = values > 0 if positive else values >= 0
    if values.ndim != 1 or not len(values) or not (np.isfinite(values) & allowed).all():
        raise ValueError(f"{name}: expected finite numbers {bound}, found {value!r}")
    return tuple(float(v) for v in np.unique(values))


def labels(y: npt.ArrayLike, n: int) -> Floats:
    """Labels of n structures, shape (n, n_targets)."""
    found = real_array("y", y)
    if found.ndim not in (1, 2) or len(found) != n or found.size == 0:
        raise ValueError(f"y: expected shape ({n},) or ({n}, n_targets), found {found.shape}")
    require_finite("y", found)
    return found.reshape(n, -1)


def require_finite(name: str, values: Floats) -> None:
    """Raise for NaN or infinity, naming the row."""
    if not np.isfinite(values).all():
        row = int(np.argwhere(~np.isfinite(values))[0, 0])
        raise ValueError(f"{name}: expected finite values, found NaN or infinity in row {row}")


def require_known(batch: Structures, species: Any) -> None:
    """Raise for an element that the training set lacks."""
    unknown = np.setdiff1d(batch.species, species)
    if len(unknown):
        molecule = int((batch.composition(unknown[:1])[:, 0] > 0).argmax())
        raise ValueError(
            f'baseline="elements": molecule {molecule} contains {symbol_of(int(unknown[0]))}, '
            "which the training set lacks"
        )
