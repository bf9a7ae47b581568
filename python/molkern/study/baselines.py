"""The baseline of a study: which one, why, and with which energies of free atoms."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern.datasets import Dataset
from molkern.datasets.extensivity import Extensivity
from molkern.datasets.units import ENERGIES, UNKNOWN, unit_words
from molkern.elements import numbers_of, symbol_of
from molkern.regression.baseline import BASELINES

__all__ = ["StudyBaseline", "check_given", "chosen_baseline"]

ATOMS = "atoms"
_EXPECTED = f"{', '.join(BASELINES)}, {ATOMS} or atoms:H=-13.6,C=-1029.3"


@dataclass(frozen=True)
class StudyBaseline:
    """What is subtracted from a property before a model learns it.

    Attributes
    ----------
    name : {"none", "mean", "elements", "atoms"}
    reason : str
        A sentence without its full stop: why the data ask for it. Empty where the user did.
    atoms : dict of int to float
        For ``"atoms"`` the energy of a free atom of each element of the data, in the unit of the
        property; else empty.
    """

    name: str
    reason: str = ""
    atoms: dict[int, float] = field(default_factory=dict)

    @property
    def fitted(self) -> str:
        """The part of it that is fitted on each training set: one of `BASELINES`."""
        return "mean" if self.name == ATOMS else self.name

    @property
    def energies(self) -> dict[str, float]:
        """Energies of free atoms by symbol."""
        return {symbol_of(number): energy for number, energy in self.atoms.items()}

    def of_atoms(self, data: Dataset) -> npt.NDArray[np.float64]:
        """Sum of the energies of free atoms in each structure, shape (n_structures,)."""
        if not self.atoms:
            return np.zeros(len(data))
        each = np.array([self.atoms[int(number)] for number in data.structures.species])
        total: npt.NDArray[np.float64] = data.structures.composition() @ each
        return total


def check_given(baseline: str | Mapping[Any, float]) -> tuple[str, dict[int, float]]:
    """Name of a baseline, and the energies of free atoms that were given with it.

    Parameters
    ----------
    baseline : str or mapping
        ``"none"``, ``"mean"``, ``"elements"``, ``"atoms"``, ``"atoms:H=-13.6,C=-1029.3"``, or these
        energies as a mapping from symbol or atomic number to energy.

    Returns
    -------
    name : {"none", "mean", "elements", "atoms"}
    energies : dict of int to float

    Raises
    ------
    ValueError
        For any other text, an unknown symbol, or an energy that is not a finite number.

    Examples
    --------
    >>> check_given("mean"), check_given("atoms:H=-13.6"), check_given({"O": -2041.0})
    (('mean', {}), ('atoms', {1: -13.6}), ('atoms', {8: -2041.0}))
    """
    if isinstance(baseline, Mapping):
        return ATOMS, _by_number(baseline)
    if not isinstance(baseline, str):
        raise ValueError(f"baseline: expected {_EXPECTED}, found {baseline!r}")
    name, colon, text = baseline.partition(":")
    if name == ATOMS and colon:
        return ATOMS, _by_number(_pairs(text))
    if baseline not in (*BASELINES, ATOMS):
        raise ValueError(f"baseline: expected one of {_EXPECTED}, found {baseline!r}")
    return baseline, {}


def _pairs(text: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for part in text.split(","):
        symbol, sign, energy = (word.strip() for word in part.partition("="))
        if not sign or symbol in pairs:
            found = f"{symbol} twice" if sign else repr(part.strip())
            raise ValueError(
                f"baseline: expected atoms:<symbol>=<energy>, with commas, found {found}"
            )
        pairs[symbol] = energy
    return pairs


def _by_number(energies: Mapping[Any, Any]) -> dict[int, float]:
    """Energies of free atoms by atomic number, from symbols or numbers and numbers or texts."""
    found = {}
    for key, value in energies.items():
        try:
            (number,) = numbers_of([key])
        except (ValueError, TypeError) as error:
            raise ValueError(f"baseline: energies of free atoms: {error}") from error
        try:
            energy = float(value)
        except (ValueError, TypeError):
            energy = math.nan
        if not math.isfinite(energy):
            raise ValueError(
                f"baseline: expected the energy of a free atom of {symbol_of(number)} as a finite "
                f"number, found {value!r}"
            )
        found[number] = energy
    if not found:
        raise ValueError("baseline: expected the energy of at least one free atom, found none")
    return found


def _reason(found: Extensivity, name: str) -> str:
    words = f"baseline {found.baseline} for {name}: {found.reason}"
    if found.differ and found.baseline == "mean":
        words += (
            '; --baseline elements, in Python baseline="elements", subtracts a linear function of '
            "the counts of elements instead"
        )
    return words


def chosen_baseline(
    baseline: str | Mapping[Any, float] | None,
    data: Dataset,
    name: str,
    found: Extensivity,
    species: npt.NDArray[np.integer[Any]],
) -> StudyBaseline:
    """The baseline that was asked for, or else the one that suits the data.

    Parameters
    ----------
    baseline : str, mapping or None
        As in `check_given`. Energies that are given win over those in ``data.atom_energies``.
    data : Dataset
    name : str
        The property.
    found : Extensivity
        Of this property.
    species : ndarray of int
        Elements of all structures, also of those in test sets of their own.

    Raises
    ------
    ValueError
        As `check_given`; with ``"atoms"`` also for a property that is no energy, or an element
        without the energy of its free atom.
    """
    if baseline is None:
        return StudyBaseline(found.baseline, _reason(found, name))
    kind, given = check_given(baseline)
    if kind != ATOMS:
        return StudyBaseline(kind)
    unit = data.units[name]
    if not (data.is_energy(name) or (found.extensive and unit in ENERGIES)):
        raise ValueError(
            f"baseline: atoms is for energies of whole structures, {name!r} ({unit_words(unit)}) "
            f"is none as far as its name and unit tell: {found.reason}"
            + ("; --unit, in Python unit=, says the unit" if unit == UNKNOWN else "")
        )
    known = data.atom_energies.get(name, {}) | given
    missing = [symbol_of(int(number)) for number in species if number not in known]
    if missing:
        # All of them: what is given replaces what was given before.
        values = {symbol_of(int(z)): f"{known[z]:g}" if z in known else "..." for z in species}
        words = ",".join(f"{symbol}={value}" for symbol, value in values.items())
        mapping = ", ".join(f'"{symbol}": {value}' for symbol, value in values.items())
        raise ValueError(
            f"baseline: atoms needs the energy of a free atom of each element, found none of "
            f"{', '.join(missing)}; give it as --baseline atoms:{words}, in Python "
            f"baseline={{{mapping}}}, in the unit of {name} ({unit_words(unit)})"
        )
    return StudyBaseline(ATOMS, atoms={int(number): float(known[number]) for number in species})
