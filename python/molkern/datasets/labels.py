"""The property of a file with its unit, and all else that is read with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from molkern.datasets.choosing import chosen_column, column_like, other_energies
from molkern.datasets.contents import Column, Contents, Stated
from molkern.datasets.dataset import Dataset, Decision, per_atom
from molkern.datasets.derivatives import with_derivatives
from molkern.datasets.errors import AskedFor
from molkern.datasets.named_units import split_name
from molkern.datasets.names import is_energy_name, is_intensive_name
from molkern.datasets.readers.comments import XYZ_ATOMS
from molkern.datasets.selection import listing
from molkern.datasets.stated import ENERGY, same_unit
from molkern.datasets.units import ENERGIES, UNKNOWN, conversion_factor, energy_unit, unit_name

if TYPE_CHECKING:
    from molkern.datasets.door import Options
    from molkern.datasets.geometry import Geometry

__all__ = ["labelled"]

Array = npt.NDArray[Any]
_ANY = ("comment", "y", "label", "labels", "target", "targets", "value", "values", "property")
_WIDEST = 9  # numbers for each structure that are read without being asked for


def labelled(
    dataset: Dataset,
    contents: Contents,
    made: Geometry,
    stated: Mapping[str, Stated],
    options: Options,
) -> Dataset:
    """The data set with its targets, their units, and the one that is asked for.

    Raises
    ------
    ValueError
        For a property that is not there, several that could be meant, or units that do not
        convert.
    """
    columns = contents.columns
    scalars = [name for name, c in columns.items() if not c.per_atom and c.width == 1]
    all_units = {key: _stated_unit(key, column, stated) for key, column in columns.items()}
    named = {key: f"{key} [{unit}]" for key, (unit, _) in all_units.items()}
    undecided = False
    try:
        if options.like is not None and options.property is None:
            chosen, name = column_like(dataset.name, contents, named, options.like)
        else:
            chosen, name = chosen_column(dataset.name, contents, named, options.property)
    except AskedFor as error:
        if not options.overview or options.property is not None:
            raise
        chosen, name, undecided = "", "", True
        dataset = dataset.with_notes(str(error))
    keys, unused = _kept(columns, chosen, name)
    dataset = dataset.replace(
        targets={target: _read(columns[key]) for target, key in keys.items()},
        units={target: all_units[key][0] for target, key in keys.items()},
        default_target=name,
        unused=dataset.unused | unused,
    )
    if undecided:
        return dataset
    if not chosen:
        return _without_property(dataset, contents, scalars, options)
    source = contents.sources.get(chosen, chosen)
    found = _checked_unit(chosen, columns, stated, all_units[chosen][1])
    if found is not None and all_units[chosen][1] is None:
        dataset = dataset.replace(units=dataset.units | {name: unit_name(found.unit)})
    dataset, in_file = _with_unit(dataset, chosen, name, source, found, options.unit)
    others = other_energies(contents, chosen) if options.property is None else []
    if others:
        dataset = dataset.with_notes(
            f"{chosen} is taken for the energy; the file has other ones, too: {listing(others)} "
            "(--property NAME learns one of them)"
        )
    return with_derivatives(dataset, contents, made, chosen, in_file, stated)


def _kept(
    columns: Mapping[str, Column], chosen: str, name: str
) -> tuple[dict[str, str], dict[str, str]]:
    """Columns that become targets, by their names as such; and why others do not."""
    keys, unused = {name: chosen} if chosen else {}, {}
    for key, column in columns.items():
        if column.per_atom or key == chosen:
            continue
        if column.width > _WIDEST:
            unused[key] = f"{column.width} numbers for each structure, read only if asked for"
        elif key == name:
            unused[key] = f"not used: {chosen} is taken for it"
        elif per_atom(key):
            unused[key] = "not used: a row for each structure, where the name means each atom"
        else:
            keys[key] = key
    order = list(columns)
    keys = dict(sorted(keys.items(), key=lambda item: order.index(item[1])))
    return keys, {key: f"{key}: {why}" for key, why in unused.items()}


def _read(column: Column) -> Array:
    return np.asarray(column.read(), dtype=np.float64)


def _without_property(
    dataset: Dataset, contents: Contents, scalars: list[str], options: Options
) -> Dataset:
    """Structures alone, and what could have been meant as a property."""
    words = [f"{name}: a number that counts or describes, --property {name} learns it all the same"
             for name in scalars]  # fmt: skip
    tensors = [name for name, c in contents.columns.items() if not c.per_atom and c.width > 1]
    words += [
        f"{name}: {contents.columns[name].width} numbers for each structure" for name in tensors
    ]
    unused = {**dict(zip([*scalars, *tensors], words, strict=True)), **dataset.unused}
    if not contents.columns and contents.sources.get("positions") == XYZ_ATOMS:
        unused.setdefault("comment", "extended XYZ needs energy=... in the comment line")
    reasons = "".join(f"; {why}" for why in list(unused.values())[:10])
    if options.unit is not None:
        raise AskedFor(f"unit: {dataset.name} has no target it could belong to{reasons}")
    return dataset.replace(unused=unused).with_notes(f"no property found: structures only{reasons}")


def _stated_unit(
    key: str, column: Column, stated: Mapping[str, Stated]
) -> tuple[str, Stated | None]:
    """Name of the unit of a column, and what states it."""
    beside = _stated_beside(key, column, stated)
    found = beside[0] if beside else None
    if found is None and is_energy_name(key):
        found = stated.get(ENERGY)
    if found is None:
        return UNKNOWN, None
    known = energy_unit(found.unit) if is_energy_name(key) or key == "gap" else None
    return known or unit_name(found.unit), found


def _stated_beside(key: str, column: Column, stated: Mapping[str, Stated]) -> list[Stated]:
    """What is stated of this very column."""
    named = split_name(key)[1]
    words = [column.stated, stated.get(key), Stated(named, f"name {key}") if named else None]
    return [one for one in words if one is not None]


def _checked_unit(
    key: str, columns: Mapping[str, Column], stated: Mapping[str, Stated], found: Stated | None
) -> Stated | None:
    """The unit of the property; the unit of energies where the property can only be an energy.

    Raises
    ------
    ValueError
        If two statements differ.
    """
    of_energies = stated.get(ENERGY)
    words = _stated_beside(key, columns[key], stated)
    if of_energies is not None and is_energy_name(key):
        words.append(of_energies)
    for one in words[1:]:
        if not same_unit(one.unit, words[0].unit):
            raise ValueError(
                f"unit of {key}: {words[0].source} ({words[0].unit}) and {one.source} "
                f"({one.unit}) do not agree; expected one of them"
            )
    # A name that says nothing else: the unit of energies can only be meant for it.
    if found is None and key.lower() in _ANY and not any(map(is_energy_name, columns)):
        return of_energies
    return found


def _with_unit(
    dataset: Dataset, key: str, name: str, source: str, found: Stated | None, said: str | None
) -> tuple[Dataset, str]:
    """The property in the user's unit, with the decision on it; and its unit in the file."""
    old = dataset.units[name]
    is_energy = is_energy_name(key) and not is_intensive_name(old)
    notes = list(dataset.notes)
    targets, units = dataset.targets, dataset.units
    words = f"{old}, by {found.source}" if found is not None else "unit unknown"
    if found is not None and is_energy and old not in ENERGIES and "/atom" not in old:
        notes.append(
            f"the file says {found.source}, where {found.unit!r} is no unit of energy known here; "
            "say it with --unit eV, in Python unit="
        )
        old, words = UNKNOWN, f"unit not understood: {found.source}"
    in_file = old
    if said is None:
        if old == UNKNOWN and found is None:
            example = "eV" if is_energy else "NAME"
            notes.append(
                f"unit of {name} is unknown: the file does not say, and it is not guessed; say it "
                f'with --unit {example}, in Python unit="{example}"'
            )
    else:
        new = (energy_unit(said) if is_energy else None) or unit_name(said)
        if old == UNKNOWN:
            if is_energy and new not in ENERGIES:
                raise AskedFor(
                    f"unit: {name} is an energy, expected one of {', '.join(ENERGIES)}, found "
                    f"{said!r}; a unit outside of this list is possible for other properties only"
                )
            words, in_file = f"{new}, as said by the user", new
        elif new.lower() != old.lower():
            factor = conversion_factor(old, new)
            targets = targets | {name: targets[name] * factor}
            notes.append(f"{name} converted from {old} to {new}")
            words = f"{new}, converted from {old} by {found.source if found else 'the file'}"
        old = new
    dataset = dataset.replace(
        targets=targets,
        units=units | {name: old},
        notes=tuple(notes),
        decisions=(Decision(name, source, words), *dataset.decisions),
    )
    return dataset, in_file
