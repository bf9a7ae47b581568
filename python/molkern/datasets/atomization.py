"""Atomization energies from total energies."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from molkern.structures import SYMBOLS, Structures, numbers_of

__all__ = ["QM9_ATOM_ENERGIES", "atomization_energies"]

# Free atoms, B3LYP/6-31G(2df,p), hartree: atomref.txt of QM9, doi:10.6084/m9.figshare.1057643.
# U0 at 0 K; U, H and G at 298.15 K.
QM9_ATOM_ENERGIES: dict[str, dict[str, float]] = {
    "U0": {"H": -0.500273, "C": -37.846772, "N": -54.583861, "O": -75.064579, "F": -99.718730},
    "U": {"H": -0.498857, "C": -37.845355, "N": -54.582445, "O": -75.063163, "F": -99.717314},
    "H": {"H": -0.497912, "C": -37.844411, "N": -54.581501, "O": -75.062219, "F": -99.716370},
    "G": {"H": -0.510927, "C": -37.861317, "N": -54.598897, "O": -75.079532, "F": -99.733544},
}


def atomization_energies(
    structures: Structures,
    total_energies: npt.ArrayLike,
    atom_energies: Mapping[str, float] | Mapping[int, float],
) -> npt.NDArray[np.float64]:
    """Total energies less those of the free atoms.

    Parameters
    ----------
    structures : Structures
    total_energies : array_like, shape (n_structures,)
        In the unit of ``atom_energies``. NaN stays NaN.
    atom_energies : mapping of symbol or atomic number to float
        Energy of each free atom at the same level of theory.

    Returns
    -------
    ndarray of float64, shape (n_structures,)
        Negative for a bound molecule; same unit.

    Raises
    ------
    ValueError
        If an element has no energy, or the shapes do not match.

    Examples
    --------
    >>> methane = ([6, 1, 1, 1, 1], [[0, 0, 0], [1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    >>> batch = Structures.from_arrays([methane])
    >>> atomization_energies(batch, [-40.47893], QM9_ATOM_ENERGIES["U0"]).round(6)
    array([-0.631066])
    """
    energies = np.asarray(total_energies, dtype=np.float64)
    if energies.shape != (len(structures),):
        raise ValueError(
            f"total_energies: expected shape ({len(structures)},), found {energies.shape}"
        )
    known = dict(zip(numbers_of(atom_energies), atom_energies.values(), strict=True))
    species = structures.species.tolist()
    missing = [SYMBOLS[z] if z < len(SYMBOLS) else str(z) for z in species if z not in known]
    if missing:
        raise ValueError(f"atom_energies: no energy for {', '.join(missing)}")
    free = np.array([known[z] for z in species], dtype=np.float64)
    return energies - structures.composition() @ free
