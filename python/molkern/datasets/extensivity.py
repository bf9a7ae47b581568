"""Whether a property is a sum over atoms, as a total energy is: decided by the data.

The name of a property is the user's; what it is shows in the numbers. A total energy is nearly a
linear function of the counts of elements, also for compositions that the fit has not seen; a gap or
an energy for each atom is not. The names decide only where too few compositions differ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from molkern.datasets.names import is_energy_name, is_intensive_name
from molkern.datasets.units import ENERGIES
from molkern.structures import Structures

__all__ = ["Extensivity", "extensivity"]

Floats = npt.NDArray[np.float64]

# Share of the variance among compositions that counts of elements must predict: for an energy, and
# for a property of which neither name nor unit tells that it is one. Total and atomization energies
# of QM7, QM9 and mini-molecules have 0.996 or more, heat capacity and polarizability of QM9 0.93
# and 0.94, and its LUMO, the best of the orbitals, 0.83.
LEAST_SHARE = {True: 0.9, False: 0.98}
_SEEN = 1e-6  # 1 - leverage below which a composition is fitted whatever its label


@dataclass(frozen=True)
class Extensivity:
    """Whether a property is extensive, and how that is known.

    Attributes
    ----------
    extensive : bool
        Whether it is a sum over atoms.
    differ : bool
        Whether compositions differ, so that a baseline of elements says more than the mean.
    share : float
        Part of the variance that a least-squares fit in the counts of elements explains; NaN
        where there is none.
    reason : str
        For a reader, to stand after the name of the property and a colon.
    """

    extensive: bool
    differ: bool
    share: float
    reason: str

    @property
    def baseline(self) -> str:
        """The baseline that suits it: ``"elements"`` or ``"mean"``."""
        return "elements" if self.extensive and self.differ else "mean"


def extensivity(structures: Structures, values: Floats, name: str, unit: str) -> Extensivity:
    """Whether a property is extensive.

    Parameters
    ----------
    structures : Structures
    values : ndarray of float64, shape (n_structures,)
        Labels; those that are not finite do not count.
    name, unit : str
        They decide where the data cannot: too few compositions, or equal numbers of atoms.

    Returns
    -------
    Extensivity

    Notes
    -----
    The mean label of each composition is predicted by the fit to all other compositions (all these
    residuals follow from one decomposition). A property is extensive where counts of elements
    predict nearly all of the variance so, and more of it than fractions of elements do.

    Examples
    --------
    >>> import numpy as np
    >>> from molkern.structures import Structures
    >>> alkanes = [[6] * n + [1] * (2 * n + 2) for n in range(1, 9)]
    >>> structures = Structures.from_arrays([(z, np.zeros((len(z), 3))) for z in alkanes])
    >>> found = extensivity(structures, structures.sizes * 2.0, "label", "unknown")
    >>> found.extensive, found.baseline
    (True, 'elements')
    """
    counts = structures.composition().astype(np.float64)
    usable = np.isfinite(values) & (counts.sum(axis=1) > 0)
    counts, values = counts[usable], values[usable]
    is_energy = is_energy_name(name) and not is_intensive_name(unit)
    energetic = is_energy or unit in ENERGIES
    kind = "total energy" if energetic else "sum over atoms"
    if is_intensive_name(name) or is_intensive_name(unit):
        return Extensivity(False, _differ(counts), np.nan, "no sum over atoms, by its name or unit")
    if not _differ(counts):
        return Extensivity(is_energy, False, np.nan, "all structures have one composition")
    share = _share(counts, values)
    if np.isnan(share):
        return Extensivity(False, True, share, "the same for all structures")
    percent = _percent(share)
    predicted, by_fractions = _predicted_shares(counts, values)
    if np.isnan(predicted):
        few = "too few compositions to tell"
        if is_energy and share < LEAST_SHARE[True]:
            return Extensivity(False, True, share, f"no sum over atoms: elements explain {percent}")
        reason = f"{kind} by its name ({few}); elements explain {percent}"
        return Extensivity(is_energy, True, share, reason if is_energy else few)
    if predicted < LEAST_SHARE[energetic]:
        return Extensivity(False, True, share, f"no sum over atoms: elements explain {percent}")
    same_size = bool((counts.sum(axis=1) == counts[0].sum()).all())
    if by_fractions > predicted and not same_size:
        return Extensivity(False, True, share, "no sum over atoms: it does not grow with size")
    if same_size and not is_energy:
        return Extensivity(False, True, share, "may be no sum over atoms: all have the same size")
    return Extensivity(True, True, share, f"{kind}: elements explain {percent}")


def _differ(counts: Floats) -> bool:
    return len(counts) > 0 and bool((counts != counts[0]).any())


def _share(counts: Floats, values: Floats) -> float:
    """Part of the variance that the counts of elements explain."""
    spread = ((values - values.mean()) ** 2).sum()
    if not spread > 0:
        return float("nan")
    fit = np.linalg.lstsq(counts, values, rcond=None)[0]
    return float(1.0 - ((values - counts @ fit) ** 2).sum() / spread)


def _predicted_shares(counts: Floats, values: Floats) -> tuple[float, float]:
    """Parts of the variance among compositions that counts and fractions of elements predict.

    NaN where fewer than two compositions can be predicted by the others.
    """
    compositions, which = np.unique(counts, axis=0, return_inverse=True)
    which = which.reshape(-1)
    n = len(compositions)
    mean = np.bincount(which, values, n) / np.bincount(which, minlength=n)
    fractions = compositions / compositions.sum(axis=1, keepdims=True)
    by_counts, by_fractions = _left_out(compositions, mean), _left_out(fractions, mean)
    shares = []
    for found in (by_counts, by_fractions):
        known = np.isfinite(found)
        spread = (((mean - mean.mean()) * n / (n - 1))[known] ** 2).sum()
        enough = known.sum() >= 2 and spread > 0
        shares.append(1.0 - (found[known] ** 2).sum() / spread if enough else np.nan)
    return shares[0], shares[1]


def _left_out(columns: Floats, values: Floats) -> Floats:
    """Residual of each row under the least-squares fit to all others; NaN where it has none."""
    u, s, _ = np.linalg.svd(columns, full_matrices=False)
    u = u[:, s > 1e-9 * s[0]]
    free = 1.0 - (u**2).sum(axis=1)
    residual = values - u @ (u.T @ values)
    return np.where(free > _SEEN, residual / np.where(free > _SEEN, free, 1.0), np.nan)


def _percent(share: float) -> str:
    """A share of the variance in words.

    Examples
    --------
    >>> _percent(0.99981), _percent(0.412)
    ('99.98 % of its variance', '41 % of its variance')
    """
    if np.isnan(share):
        return "nothing"
    digits = 2 if share > 0.99 else 1 if share > 0.9 else 0
    # Not rounded up to all of it.
    shown = min(100.0 * max(share, 0.0), 99.99) if share < 1.0 else 100.0
    return f"{shown:.{digits}f} % of its variance"
