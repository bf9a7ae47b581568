"""The one door: from what a reader found to a data set, and what was decided on the way.

Readers know where things stand in a file. Here, for all of them, it is decided what they are: which
number is the property and what it is called, in which unit, whether it is a total energy, which
structures have it, and which frames are isolated atoms.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern.datasets import labels
from molkern.datasets.choosing import Choice
from molkern.datasets.contents import Contents
from molkern.datasets.dataset import Dataset, Decision
from molkern.datasets.errors import AskedFor
from molkern.datasets.files import bad_file
from molkern.datasets.geometry import geometry_of
from molkern.datasets.names import words_of
from molkern.datasets.stated import CELL, LENGTH, stated_units
from molkern.elements import symbol_of

__all__ = ["Options", "admit"]

Array = npt.NDArray[Any]

_FRACTIONAL = ("fractional", "direct", "scaled", "reduced", "crystal")
_PLACES = {"position", "positions", "pos", "coordinate", "coordinates", "coord", "coords"}
_ISOLATED = ("isolatedatom", "isolated", "singleatom", "freeatom", "e0")


@dataclasses.dataclass(frozen=True)
class Options:
    """What the user says of a file; see :func:`molkern.datasets.load`.

    With ``like``, what is said was said of other data: it holds where this file does not say.
    """

    property: str | None = None
    like: Choice | None = None
    unit: str | None = None
    length_unit: str | None = None
    species: Sequence[str | int] | None = None
    skip_missing: bool = False
    skip_dummies: bool = False
    structures_only: bool = False
    overview: bool = False


def admit(path: Path, name: str, contents: Contents, options: Options) -> Dataset:
    """A data set of what a reader found.

    Raises
    ------
    ValueError
        For labels, units, elements or cells that cannot be used as they are; names the file, and
        what to say about it.
    """
    if not len(contents):
        raise bad_file(path, "holds no structures")
    _check_words(path, contents)
    try:
        stated, notes = stated_units(contents.words, contents.columns)
    except ValueError as error:
        raise bad_file(path, str(error)) from error
    stated_length, stated_cell = stated.pop(LENGTH, None), stated.pop(CELL, None)
    length, species = options.length_unit, options.species
    if options.like is not None:
        length = length if stated_length is None and contents.length is None else None
        species = species if contents.types else None
    made = geometry_of(
        path,
        contents,
        length=length,
        stated_length=stated_length,
        stated_cell=stated_cell,
        species=species,
        skip_dummies=options.skip_dummies,
    )
    dataset = Dataset(
        name=name,
        structures=made.structures,
        targets={},
        units={},
        source=str(path),
        notes=(*contents.notes, *notes, *made.notes),
        molecules=contents.molecules,
        unused=contents.unused,
        decisions=tuple(made.decisions),
    )
    if options.structures_only:
        return dataset
    try:
        dataset = labels.labelled(dataset, contents, made, stated, options)
    except AskedFor:
        raise
    except ValueError as error:
        raise bad_file(path, str(error)) from error
    dataset = _without_isolated_atoms(dataset, contents)
    dataset = _with_labels(path, dataset, contents, options)
    return _described(dataset)


def _check_words(path: Path, contents: Contents) -> None:
    """Raise where the file says that what it calls positions are fractions of the cell."""
    for name, text in contents.words.items():
        is_fractional = str(text).strip().lower() in _FRACTIONAL
        if is_fractional and set(words_of(name).split()) & _PLACES:
            raise bad_file(
                path,
                f"{name}={text}: positions that are multiples of the cell's vectors are read under "
                "names that say so, such as scaled_positions; rename them, or convert them",
            )


def _without_isolated_atoms(dataset: Dataset, contents: Contents) -> Dataset:
    """Structures without the isolated atoms; their labels are kept as energies of atoms."""
    sizes = dataset.structures.sizes
    said = np.zeros(len(dataset), dtype=bool)
    if contents.kinds is not None:
        kinds = [str(k).lower().replace("_", "").replace(" ", "") for k in contents.kinds]
        said = np.array([k in _ISOLATED for k in kinds], dtype=bool)
    pbc = dataset.structures.pbc
    # A molecule of which dummy atoms were left out is no free atom.
    sizes = np.maximum(sizes, np.diff(contents.offsets))
    free = (sizes == 1) & (True if pbc is None else ~pbc.any(axis=1))
    # Among larger structures, one atom alone is there for the sake of its energy.
    alone = said & (sizes == 1) if said.any() else free & ((sizes > 1).sum() > 2 * free.sum())
    if not alone.any() or alone.all():
        return dataset
    numbers = dataset.structures.numbers[dataset.structures.offsets[:-1][alone]]
    energies: dict[str, dict[int, float]] = {}
    for name, values in dataset.targets.items():
        if values.shape == (len(dataset),):
            pairs = zip(numbers.tolist(), values[alone].tolist(), strict=True)
            # Of several frames of one element the lowest: the ground state.
            known: dict[int, float] = {}
            for number, value in pairs:
                if np.isfinite(value):
                    known[number] = min(value, known.get(number, value))
            energies[name] = known
    symbols = ", ".join(sorted({symbol_of(int(z)) for z in numbers}))
    what = "config_type" if said.any() else "frames of one atom"
    left = dataset.select(~alone)
    words = (
        f"{int(alone.sum())} frames ({symbols}), neither learnt from nor tested on; --baseline "
        "atoms subtracts their labels"
    )
    return left.replace(
        atom_energies=energies,
        notes=(*left.notes, f"isolated atoms: {words}"),
        decisions=(*left.decisions, Decision("isolated atoms", what, words)),
    )


def _with_labels(path: Path, dataset: Dataset, contents: Contents, options: Options) -> Dataset:
    """Structures whose property is finite; an error that says how to leave out the others."""
    name = dataset.default_target
    if not name:
        return dataset
    values = dataset.targets[name]
    finite = np.isfinite(values.reshape(len(dataset), -1)).all(axis=1)
    n_bad = int((~finite).sum())
    if n_bad == 0:
        return dataset
    if options.overview:
        hint = "" if contents.may_lack else "; --skip-missing leaves them out"
        return dataset.with_notes(f"{n_bad} of {len(dataset)} structures have no {name}{hint}")
    if n_bad == len(dataset):
        raise bad_file(path, f"{name} is missing or not finite for all {n_bad} structures")
    if not (options.skip_missing or contents.may_lack):
        first = contents.name_of(int(np.argmin(finite)))
        raise bad_file(
            path,
            f"{name} is missing or not finite for {n_bad} of {len(dataset)} structures, first for "
            f"{first}; --skip-missing leaves them out (in Python skip_missing=True), --property "
            "chooses another property (property=)",
        )
    left = dataset.select(finite)
    return left.replace(
        notes=(
            *left.notes,
            f"{n_bad} of {len(dataset)} structures have no {name} and are left out",
        ),
        decisions=(*left.decisions, Decision("left out", "", f"{n_bad} structures without {name}")),
    )


def _described(dataset: Dataset) -> Dataset:
    """With the baseline that suits the property, and why."""
    name = dataset.default_target
    if not name or dataset.targets[name].ndim != 1:
        return dataset
    found = dataset.extensivity(name)
    decisions = [
        dataclasses.replace(d, words=f"{d.words}; {found.reason}: {found.baseline} baseline")
        if d.what == name
        else d
        for d in dataset.decisions
    ]
    first = [d for d in decisions if d.what == name]
    rest = [d for d in decisions if d.what != name]
    return dataset.replace(decisions=(*first, *rest))
