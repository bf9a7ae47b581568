"""Checks of what a model is given."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from molkern._atom_features import atom_features
from molkern._features import as_features
from molkern._numbers import real_numbers, whole_number
from molkern.regression.linear import real_array
from molkern.regression.precomputed import require_symmetric
from molkern.regression.similarity import LOCAL_KERNELS, PRECOMPUTED, Inputs
from molkern.structures import Structures, as_structures, symbol_of

__all__ = [
    "checked_features",
    "checked_structures",
    "grid",
    "labels",
    "require_finite",
    "require_known",
    "taken_apart",
]

Floats = npt.NDArray[np.float64]

# Where a method needs structures and has none.
_HINT = (
    "needs structures=, found None; or give molkern.regression.Features(X, structures) as X, which "
    "scikit-learn's model selection divides, too"
)


def taken_apart(X: Any, structures: Any, kernel: str) -> tuple[Any, Any]:
    """Features and structures, of which the latter may come with the former."""
    features = as_features(X)
    if features is None:
        return X, structures
    if structures is not None and structures is not features.structures:
        raise ValueError(
            "structures: expected None beside Features, which have their own, found "
            f"{type(structures).__name__}"
        )
    n, n_rows = len(features), len(features.X)
    if features.rows == "atoms" and n_rows != n and kernel not in LOCAL_KERNELS:
        raise ValueError(
            f'X: expected one row for each of {n} structures with kernel="{kernel}", found '
            f'{n_rows} rows of atoms, which kernel="local.gaussian" takes'
        )
    return features.X, features.structures


def checked_features(X: Any, structures: Any, *, kernel: str, n_copies: Any, method: str) -> Inputs:
    """What a kernel compares: rows of structures, features of their atoms, or its own matrix."""
    if kernel in (*LOCAL_KERNELS, PRECOMPUTED) and n_copies != 1:
        raise ValueError(f'n_copies: expected 1 with kernel="{kernel}", found {n_copies!r}')
    if kernel in LOCAL_KERNELS:
        if structures is None:
            raise ValueError(f'kernel="{kernel}": {method} {_HINT}')
        return atom_features("X", X, structures)
    features = real_array("X", X)
    if features.ndim != 2:
        raise ValueError(f"X: expected shape (n, n_features), found {features.shape}")
    whole_number("n_copies", n_copies, 1)
    if features.shape[1] % n_copies:
        raise ValueError(
            f"X: expected a multiple of n_copies={n_copies} columns, found {features.shape[1]}"
        )
    require_finite("X", features)
    if kernel == PRECOMPUTED and method == "fit":
        require_symmetric(features)
    return features


def checked_structures(structures: Any, n: int, method: str) -> Structures:
    """The structures of n rows, for a baseline of elements."""
    if structures is None:
        raise ValueError(f'baseline="elements": {method} {_HINT}')
    batch = as_structures(structures)
    if len(batch) != n:
        raise ValueError(f"structures: expected {n} as rows of X, found {len(batch)}")
    return batch


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
