"""What is subtracted from a property before the kernel model sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern._arrays import unmasked

__all__ = ["BASELINES", "Baseline", "check_baseline", "fit_baseline"]

Floats = npt.NDArray[np.float64]

BASELINES = ("none", "mean", "elements")


def check_baseline(baseline: str) -> str:
    """Return ``baseline`` when it is one of `BASELINES`.

    Raises
    ------
    ValueError
        For any other value.

    Examples
    --------
    >>> check_baseline("mean")
    'mean'
    """
    if baseline not in BASELINES:
        raise ValueError(f"baseline: expected one of {BASELINES}, found {baseline!r}")
    return baseline


@dataclass(frozen=True)
class Baseline:
    """A fitted baseline.

    Attributes
    ----------
    kind : {"none", "mean", "elements"}
    coefficients : ndarray of float64, shape (n_terms, n_targets)
        ``"none"``: no terms. ``"mean"``: one row, the means. ``"elements"``: one row per
        column of the counts, in the unit of the property per atom.
    """

    kind: str
    coefficients: Floats

    def predict(self, n_structures: int, counts: npt.NDArray[Any] | None = None) -> Floats:
        """Baseline of every structure.

        Parameters
        ----------
        n_structures : int
        counts : ndarray, shape (n_structures, n_species), optional
            Counts of elements; needed for ``"elements"`` only.

        Returns
        -------
        ndarray of float64, shape (n_structures, n_targets)
            In the unit of the property.
        """
        if self.kind == "elements":
            checked = _checked_counts(counts, n_structures)
            if checked.shape[1] != len(self.coefficients):
                raise ValueError(
                    f"counts: expected {len(self.coefficients)} species as in the training set, "
                    f"found {checked.shape[1]}"
                )
            return checked @ self.coefficients
        if self.kind == "mean":
            return np.repeat(self.coefficients, n_structures, axis=0)
        return np.zeros((n_structures, self.coefficients.shape[1]))


def fit_baseline(kind: str, y: Floats, counts: npt.NDArray[Any] | None = None) -> Baseline:
    """Fit a baseline to the labels of a training set.

    Parameters
    ----------
    kind : {"none", "mean", "elements"}
        ``"elements"`` is the linear least-squares fit in the counts of elements, without a
        constant. Where the counts do not determine it (isomers, elements that the training set
        lacks) it is the solution of smallest norm: an absent element contributes nothing.
    y : ndarray of float64, shape (n_structures, n_targets)
        Labels, any unit.
    counts : ndarray of int, shape (n_structures, n_species), optional
        Counts of elements (`Structures.composition`); needed for ``"elements"``.

    Returns
    -------
    Baseline

    Raises
    ------
    ValueError
        For an unknown kind, or ``"elements"`` without counts of the right length.

    Examples
    --------
    >>> import numpy as np
    >>> fit_baseline("mean", np.array([[1.0], [3.0]])).predict(2)
    array([[2.],
           [2.]])
    """
    check_baseline(kind)
    unmasked("y", y)
    n_structures, n_targets = y.shape
    if kind == "none":
        return Baseline(kind, np.zeros((0, n_targets)))
    if kind == "mean":
        return Baseline(kind, y.mean(axis=0, keepdims=True))
    checked = _checked_counts(counts, n_structures)
    coefficients = np.linalg.lstsq(checked, y, rcond=None)[0]
    return Baseline(kind, np.asarray(coefficients, dtype=np.float64))


def _checked_counts(counts: npt.NDArray[Any] | None, n_structures: int) -> Floats:
    if counts is None:
        raise ValueError(
            'baseline="elements" needs the counts of elements: give structures=, found None'
        )
    unmasked("counts", counts)
    if counts.ndim != 2 or len(counts) != n_structures:
        raise ValueError(
            f"counts: expected shape ({n_structures}, n_species), found {counts.shape}"
        )
    return np.asarray(counts, dtype=np.float64)
