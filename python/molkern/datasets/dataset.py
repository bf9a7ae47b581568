"""What a data set is here: structures, targets with units, and where they come from."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern._arrays import joined_ranges, unmasked
from molkern.datasets.extensivity import Extensivity, extensivity
from molkern.datasets.names import is_energy_name
from molkern.datasets.units import unit_name
from molkern.structures import Structures

__all__ = ["Dataset", "Decision", "per_atom"]

Index = npt.NDArray[np.int64]


def per_atom(target: str) -> bool:
    """Whether a target has a row per atom: ``"forces..."``, ``"partial_charges"``."""
    return target in ("forces", "partial_charges") or target.startswith("forces_")


@dataclasses.dataclass(frozen=True)
class Decision:
    """What part of a file was taken for what.

    Attributes
    ----------
    what : str
        ``"energy"``, ``"positions"``, ``"cell"``, ``"frames left out"``, ...
    source : str
        Its name in the file; empty if it has none.
    words : str
        Unit, sign, baseline, and the reason.

    Examples
    --------
    >>> print(Decision("energy", "REF_energy", "eV, as said by the user"))
    energy ← REF_energy (eV, as said by the user)
    """

    what: str
    source: str
    words: str

    def __str__(self) -> str:
        arrow = f" ← {self.source}" if self.source else ""
        return f"{self.what}{arrow}" + (f" ({self.words})" if self.words else "")


@dataclasses.dataclass(frozen=True, repr=False, eq=False)
class Dataset:
    """Structures with reference values, their units and their provenance.

    Attributes
    ----------
    name : str
        Name in the registry, or the stem of the file.
    structures : Structures
        Positions in Å.
    targets : dict of str to ndarray of float64
        Lists and other types of numbers are converted.
        First axis ``n_structures``; ``"forces"`` (and ``"forces_..."``) have shape
        ``(n_atoms, 3)`` in packed order, ``"partial_charges"`` ``(n_atoms,)``.
        NaN where a set has no label.
    units : dict of str to str
        The unit of every target; ``"unknown"`` where neither the file nor the user states one.
    default_target : str
        The property asked for, or the usual one of the set; empty if there are no targets.
    folds : tuple of ndarray of int64, or None
        Test indices of each official fold.
    splits : tuple of (train, test), or None
        Official pairs of index arrays.
    citation, source : str
        What to cite; the file read.
    sha256 : str
        Of the file. For several files: of the list of their SHA-256 values.
    verified : str
        How the file was verified, or ``"not verified: ..."``.
    notes : tuple of str
        What was converted, left out or assumed on the way.
    extensive : frozenset of str, or None
        Targets that are extensive energies, where that is known. None: the data decide, see
        `extensivity`.
    molecules : ndarray of int64, or None
        Number of the molecule that each structure is a conformer of, where the data say so.
    unused : dict of str to str
        Arrays or words of a user's file that could have been meant as targets, and why they are
        none.
    decisions : tuple of Decision
        What in the file was taken for what, in which unit, and why.
    atom_energies : dict of str to dict of int to float
        Labels of isolated atoms that the file holds beside its structures: target, atomic number,
        label in the unit of the target. These atoms are not among the structures.
    """

    name: str
    structures: Structures
    targets: dict[str, npt.NDArray[np.float64]]
    units: dict[str, str]
    default_target: str = ""
    folds: tuple[Index, ...] | None = None
    splits: tuple[tuple[Index, Index], ...] | None = None
    citation: str = ""
    source: str = ""
    sha256: str = ""
    verified: str = "not verified: made in memory"
    notes: tuple[str, ...] = ()
    extensive: frozenset[str] | None = None
    molecules: Index | None = None
    unused: dict[str, str] = dataclasses.field(default_factory=dict)
    decisions: tuple[Decision, ...] = ()
    atom_energies: dict[str, dict[int, float]] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.structures, Structures):
            found = type(self.structures).__name__
            raise TypeError(f"structures: expected Structures, found {found}")
        if not isinstance(self.targets, dict):
            raise TypeError(
                f"targets: expected a dict of arrays, found {type(self.targets).__name__}"
            )
        arrays = {name: _numbers(name, values) for name, values in self.targets.items()}
        object.__setattr__(self, "targets", arrays)
        units = {name: unit_name(unit) for name, unit in self.units.items()}
        object.__setattr__(self, "units", units)
        n, n_atoms = len(self.structures), self.structures.n_atoms
        for name, values in self.targets.items():
            first = n_atoms if per_atom(name) else n
            if values.ndim == 0 or values.shape[0] != first:
                raise ValueError(
                    f"targets: {name!r} needs {first} rows, found shape {values.shape}"
                )
            if name not in self.units:
                raise ValueError(f"units: no unit for target {name!r}")
        if self.molecules is not None and self.molecules.shape != (n,):
            raise ValueError(
                f"molecules: expected one number for each of {n} structures, found shape "
                f"{self.molecules.shape}"
            )
        if self.default_target and self.default_target not in self.targets:
            raise ValueError(
                f"default_target: {self.default_target!r} is not among {sorted(self.targets)}"
            )

    def __len__(self) -> int:
        return len(self.structures)

    def __repr__(self) -> str:
        targets = ", ".join(f"{name} [{self.units[name]}]" for name in self.targets)
        return (
            f"Dataset({self.name!r}, {len(self)} structures, "
            f"default_target={self.default_target!r}, targets: {targets or 'none'})"
        )

    def is_energy(self, name: str) -> bool:
        """Whether a target is the energy of whole structures, by `extensive` or by its name."""
        return is_energy_name(name) if self.extensive is None else name in self.extensive

    def extensivity(self, name: str) -> Extensivity:
        """Whether a target is extensive, by `extensive` or by the data, and the reason.

        Parameters
        ----------
        name : str
            A target with one number for each structure.

        Returns
        -------
        Extensivity
        """
        found = extensivity(self.structures, self.targets[name], name, self.units[name])
        if self.extensive is None or found.extensive == (name in self.extensive):
            return found
        known = name in self.extensive
        reason = f"{'total energy' if known else 'no total energy'}, as the data set states"
        return dataclasses.replace(found, extensive=known, reason=reason)

    def replace(self, **changes: Any) -> Dataset:
        """A copy with some attributes changed."""
        return dataclasses.replace(self, **changes)

    def with_notes(self, *notes: str) -> Dataset:
        """A copy with notes added."""
        return self.replace(notes=self.notes + notes)

    def select(self, index: Any) -> Dataset:
        """The data set of some structures.

        Parameters
        ----------
        index : int, slice, array of bool (n_structures,) or array of int
            Which structures, in the order wanted.

        Returns
        -------
        Dataset
            Folds and splits refer to the new order; they lose the structures left out, and are
            None if a structure was asked for twice.

        Raises
        ------
        IndexError
            For an index out of range or a mask of another length.
        """
        n = len(self)
        chosen = np.atleast_1d(np.arange(n)[index])
        subset = self.structures[chosen]
        atoms = _atoms(self.structures, chosen)
        targets = {
            name: values[atoms if per_atom(name) else chosen]
            for name, values in self.targets.items()
        }
        place = np.full(n, -1)
        place[chosen] = np.arange(len(chosen))
        repeated = len(np.unique(chosen)) < len(chosen)

        def moved(old: Index) -> Index:
            new = place[old]
            return new[new >= 0]

        folds = None if self.folds is None or repeated else tuple(map(moved, self.folds))
        splits = None
        if self.splits is not None and not repeated:
            splits = tuple((moved(train), moved(test)) for train, test in self.splits)
        molecules = None if self.molecules is None else self.molecules[chosen]
        return self.replace(
            structures=subset, targets=targets, folds=folds, splits=splits, molecules=molecules
        )


def _numbers(name: str, values: Any) -> npt.NDArray[np.float64]:
    """A target as an array; the same array if it is one of float64."""
    values = unmasked(f"targets: {name!r}", values)
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"targets: {name!r} has rows of different lengths") from error
    if array.dtype.kind not in "fiub":
        found = f"{type(values).__name__} of {array.dtype}"
        raise TypeError(f"targets: {name!r} must hold real numbers, found {found}")
    return array.astype(np.float64, copy=False)


def _atoms(structures: Structures, chosen: Index) -> Index:
    """Rows of the atoms of the chosen structures, in the order of the packed subset."""
    return joined_ranges(structures.offsets[:-1][chosen], structures.sizes[chosen])
