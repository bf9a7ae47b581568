"""Splits that ask for extrapolation: to larger structures, or to higher energies."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from molkern.datasets import Dataset
from molkern.datasets.units import unit_words
from molkern.elements import symbol_of
from molkern.structures import Structures

__all__ = ["Extrapolation", "elements_first", "heavy_atoms", "molecules_of"]

Index = npt.NDArray[np.int64]

DEFAULT_SHARE = 0.5  # of each molecule's structures, those of lowest energy
_FORMS = "heavy_atoms, heavy_atoms:<number>, energy or energy:<share>"


@dataclass(frozen=True)
class Extrapolation:
    """A rule that divides a data set into a training part and what lies beyond it.

    Attributes
    ----------
    kind : {"heavy_atoms", "energy"}
    bound : float
        Most heavy atoms (other than hydrogen) of a structure of the training part; or the share of
        each molecule's structures that belong to the training part.
    """

    kind: str
    bound: float

    @classmethod
    def parse(cls, text: str, structures: Structures | None = None) -> Extrapolation:
        """The rule that a text states.

        Parameters
        ----------
        text : str
            ``"heavy_atoms:6"`` or ``"energy:0.5"``. Without a number: one heavy atom fewer than
            the largest of the structures, or a half.
        structures : Structures, optional
            Needed for ``"heavy_atoms"`` without a number.

        Raises
        ------
        ValueError
            For any other text.

        Examples
        --------
        >>> Extrapolation.parse("energy")
        Extrapolation(kind='energy', bound=0.5)
        """
        kind, colon, number = text.partition(":")
        if kind not in ("heavy_atoms", "energy"):
            raise ValueError(f"split: expected {_FORMS}, found {text!r}")
        if colon:
            return cls(kind, _checked_bound(kind, number))
        if kind == "energy":
            return cls(kind, DEFAULT_SHARE)
        if structures is None:
            raise ValueError("split: heavy_atoms without a number needs structures, found none")
        return cls(kind, max(1, int(heavy_atoms(structures).max(initial=0)) - 1))

    def __str__(self) -> str:
        return f"{self.kind}:{self.bound:g}"

    @property
    def learnt_from(self) -> str:
        """The training part, to stand after "structures of" or a number of them."""
        if self.kind == "energy":
            return "low energy"
        return f"up to {self.bound:g} heavy atom{'' if self.bound == 1 else 's'}"

    @property
    def tested_on(self) -> str:
        """The test set, to stand after "error"."""
        return "at higher energies" if self.kind == "energy" else "on larger structures"

    @property
    def explanation(self) -> str:
        """What is trained on and what is tested on."""
        if self.kind == "energy":
            return (
                f"the {100 * self.bound:.3g}% of each molecule's structures that are lowest in "
                "energy to learn from, the others to be tested on"
            )
        return (
            f"structures of {self.learnt_from} (atoms other than hydrogen) to learn from, larger "
            "ones to be tested on"
        )

    def parts(self, data: Dataset, name: str) -> tuple[Index, Index]:
        """Structures to learn from and to be tested on, in the order of the data.

        Parameters
        ----------
        data : Dataset
            All structures have a label.
        name : str
            The property that is learnt; for ``"energy"`` an energy.

        Returns
        -------
        train, test : ndarray of int64

        Raises
        ------
        ValueError
            When one of them would be empty, when the test set has an element that the training
            part lacks, or when the property is no energy.
        """
        if self.kind == "energy":
            lowest = _lowest(data, name, self.bound)
            if lowest.all():
                raise ValueError(
                    f"split: {self}: no two structures of {data.name!r} are of one molecule and "
                    "differ in energy (of one molecule: the same atoms in the same order, unless "
                    "the data say so)"
                )
            return np.flatnonzero(lowest), np.flatnonzero(~lowest)
        sizes = heavy_atoms(data.structures)
        train, test = np.flatnonzero(sizes <= self.bound), np.flatnonzero(sizes > self.bound)
        if not len(train) or not len(test):
            low, high = int(sizes.min()), int(sizes.max())
            raise ValueError(
                f"split: {self}: {len(train)} structures of {data.name!r} to learn from and "
                f"{len(test)} larger ones; they have {low} to {high} heavy atoms"
            )
        self._require_elements(data.structures, train, test)
        return train, test

    def _require_elements(self, structures: Structures, train: Index, test: Index) -> None:
        counts = structures.composition()
        missing = ~counts[train].any(axis=0)
        without = counts[test][:, missing].any(axis=1)
        if without.any():
            first = int(test[without.argmax()])
            held = (counts[first] > 0) & missing
            names = ", ".join(symbol_of(int(z)) for z in structures.species[held])
            raise ValueError(
                f"split: {self}: expected all elements among structures of {self.learnt_from}, "
                f"found none with {names}, which structure {first} has"
            )

    def note(self, data: Dataset, name: str) -> str:
        """How many structures the two parts have, and how far the test set is from the other."""
        train, test = self.parts(data, name)
        if self.kind == "heavy_atoms":
            sizes = heavy_atoms(data.structures)
            high = int(sizes[test].max())
            above = f"{int(sizes[test].min())} to {high}" if high > sizes[test].min() else f"{high}"
            return (
                f"split {self}: {len(train)} structures of {self.learnt_from} to learn from, "
                f"{len(test)} of {above} to be tested on"
            )
        energy = _above_lowest(data, name)
        unit = unit_words(data.units[name], after_number=True)
        least, most = energy[test].min(), energy[test].max()
        n_molecules = len(np.unique(molecules_of(data)[test]))
        return (
            f"split {self}: {len(train)} structures up to {energy[train].max():.3g} {unit} above "
            f"the lowest of their molecule to learn from, {len(test)} of {least:.3g} to {most:.3g} "
            f"{unit} above it to be tested on; "
            f"{n_molecules} molecule{'' if n_molecules == 1 else 's'}"
        )


def _checked_bound(kind: str, number: str) -> float:
    try:
        bound = float(number)
    except ValueError:
        bound = math.nan
    if kind == "heavy_atoms" and not (bound >= 1 and bound.is_integer()):
        raise ValueError(
            f"split: heavy_atoms:<number> needs an integer of 1 or more, found {number!r}"
        )
    if kind == "energy" and not 0 < bound < 1:
        raise ValueError(f"split: energy:<share> needs a number between 0 and 1, found {number!r}")
    return bound


def heavy_atoms(structures: Structures) -> Index:
    """Numbers of atoms other than hydrogen, shape (n_structures,)."""
    before = np.concatenate([[0], np.cumsum(structures.numbers > 1)])
    counts: Index = before[structures.offsets[1:]] - before[structures.offsets[:-1]]
    return counts


def molecules_of(data: Dataset) -> Index:
    """Which structures are of one molecule, shape (n_structures,): equal numbers.

    ``data.molecules`` where the data know; else structures of the same atoms in the same order.
    """
    if data.molecules is not None:
        return data.molecules
    seen: dict[bytes, int] = {}
    atoms = (numbers.tobytes() for numbers, _ in data.structures)
    return np.array([seen.setdefault(key, len(seen)) for key in atoms], dtype=np.int64)


def _groups(data: Dataset) -> list[Index]:
    """Structures of each molecule."""
    molecules = molecules_of(data)
    order = np.argsort(molecules, kind="stable")
    ends = np.flatnonzero(np.diff(molecules[order])) + 1
    return np.split(order, ends)


def _lowest(data: Dataset, name: str, share: float) -> npt.NDArray[np.bool_]:
    """Whether a structure's energy is at most the quantile of its molecule."""
    if not data.is_energy(name):
        energies = sorted(filter(data.is_energy, data.targets))
        raise ValueError(
            f"split: energy needs a property that is an energy, one of {energies}, found {name!r}"
        )
    energy = data.targets[name]
    lowest = np.ones(len(data), dtype=bool)
    for group in _groups(data):
        lowest[group] = energy[group] <= np.quantile(energy[group], share)
    return lowest


def _above_lowest(data: Dataset, name: str) -> npt.NDArray[np.float64]:
    above = data.targets[name].copy()
    for group in _groups(data):
        above[group] -= above[group].min()
    return above


def elements_first(order: Index, present: npt.NDArray[np.bool_]) -> Index:
    """The same order but for the first structure with each element, which come before all others.

    Every training set then has all elements, as soon as it has as many structures as there are.

    Parameters
    ----------
    order : ndarray of int64
        Structures to learn from.
    present : ndarray of bool, shape (n_structures, n_species)
        Which elements each structure has.

    Returns
    -------
    ndarray of int64
    """
    chosen = present[order]
    first = np.unique(chosen.argmax(axis=0)[chosen.any(axis=0)])
    return np.concatenate([order[first], np.delete(order, first)])
