"""Which column of a file is the property that is learnt."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from molkern.datasets.contents import Column, Contents
from molkern.datasets.errors import AskedFor
from molkern.datasets.names import (
    is_bookkeeping,
    is_energy_name,
    is_forces_name,
    is_part_of_energy,
    marks_of,
)
from molkern.datasets.readers.comments import LEADING
from molkern.datasets.selection import listing

__all__ = ["Choice", "chosen_column", "column_like", "other_energies"]

Choice = tuple[str, str]  # the column, and its name as a target; empty where there is none

# Spellings of the name that the energy has here.
_ITSELF = ("energy", "Energy", "energies", "Energies", "ENERGY")
# Names of numbers that are a property unless they are whole numbers.
_CLASSES = ("label", "labels", "class", "category", "type", "group", "cluster", "phase", "tag")


def chosen_column(
    name: str, contents: Contents, named: Mapping[str, str], wanted: str | None
) -> Choice:
    """The column that is learnt, and what it is called as a target.

    Parameters
    ----------
    name : str
        Of the data set, for messages.
    contents : Contents
    named : mapping of str to str
        Columns with their units, for messages.
    wanted : str or None
        The user's word; None: the energy, or the only number that is no bookkeeping.

    Raises
    ------
    AskedFor
        If there are several, or what is wanted is not there; says what there is.
    """
    columns = {key: c for key, c in contents.columns.items() if not c.per_atom}
    scalars = {key: column for key, column in columns.items() if column.width == 1}
    energies = _energies(scalars)
    if wanted is not None:
        return _asked_for(name, contents, named, energies, wanted)
    plausible = [key for key in scalars if not _is_bookkeeping(key, columns[key])]
    if len(energies) > 1:
        plausible = [key for key in plausible if key in energies or not is_energy_name(key)]
    # A part of the energy is the property if nothing else can be it.
    if len(energies) == 1 and (not is_part_of_energy(energies[0]) or plausible == energies):
        return energies[0], "energy"
    if len(plausible) > 1:
        listed = listing([named[key] for key in plausible])
        raise AskedFor(
            f"property: {name} has several {'energies' if energies else 'numbers'}, choose one of: "
            f"{listed}; --property NAME, in Python property="
        )
    return (plausible[0], plausible[0]) if plausible else ("", "")


def column_like(name: str, contents: Contents, named: Mapping[str, str], other: Choice) -> Choice:
    """The column that holds what another file has under a name.

    Parameters
    ----------
    name, contents, named
        As for `chosen_column`.
    other : (str, str)
        What the property is called in the other file, and as a target.

    Raises
    ------
    AskedFor
        If it is not there; for the energy: nor a single energy under another name.
    """
    source, target = other
    columns = {key: c for key, c in contents.columns.items() if not c.per_atom}
    same = [key for key in columns if contents.sources.get(key, key) == source]
    if same:
        return same[0], target
    if target != "energy":
        return chosen_column(name, contents, named, target)
    found, called = chosen_column(name, contents, named, None)
    if called != target:
        return chosen_column(name, contents, named, target)
    marks = marks_of(source), marks_of(found)
    other_method = all(marks) and marks[0] != marks[1]
    if other_method or is_part_of_energy(source) != is_part_of_energy(found):
        raise AskedFor(
            f"property: the energy that is learnt is called {source!r}; {name} has {named[found]}, "
            f"which may be another one: call it {source!r} there if it is the same"
        )
    others = other_energies(contents, found)
    if others:
        listed = listing([named[key] for key in (found, *others)])
        raise AskedFor(
            f"property: the energy that is learnt is called {source!r}; {name} has several, none "
            f"of this name: {listed}; call it {source!r} there"
        )
    return found, target


def other_energies(contents: Contents, chosen: str) -> list[str]:
    """Energies that could have been meant as well, and differ from the one that is learnt."""
    columns = contents.columns
    others = [
        key
        for key, column in columns.items()
        if key != chosen and not column.per_atom and column.width == 1
        if is_energy_name(key) and not is_part_of_energy(key)
    ]
    if not others or not is_energy_name(chosen):
        return []
    values = _read(columns[chosen])
    return [o for o in others if not np.array_equal(_read(columns[o]), values, equal_nan=True)]


def _energies(scalars: Mapping[str, Column]) -> list[str]:
    """Columns that may be the energy: of this very name, else total energies, else parts of one."""
    for name in _ITSELF:
        if name in scalars:
            return [name]
    energies = [key for key in scalars if is_energy_name(key)]
    whole = [key for key in energies if not is_part_of_energy(key)]
    found = whole or energies
    if len(found) > 1:
        first = _read(scalars[found[0]])
        if all(np.array_equal(_read(scalars[key]), first, equal_nan=True) for key in found[1:]):
            return found[:1]
    return found


def _read(column: Column) -> npt.NDArray[np.float64]:
    return np.asarray(column.read(), dtype=np.float64)


def _asked_for(
    name: str,
    contents: Contents,
    named: Mapping[str, str],
    energies: list[str],
    wanted: str,
) -> Choice:
    """The very name, any case of it, or the only energy of the file."""
    columns = {key: c for key, c in contents.columns.items() if not c.per_atom}
    if wanted in columns:
        return wanted, wanted
    close = [key for key in columns if key.lower() == wanted.lower()]
    if len(close) == 1:
        return close[0], close[0]
    if wanted.lower() in ("energy", "energies", "e"):
        energies = energies or [key for key in (LEADING,) if key in columns]
        if len(energies) == 1:
            return energies[0], "energy"
    listed = listing([named[key] for key in columns])
    of_atoms = [key for key in contents.columns if contents.columns[key].per_atom]
    if wanted in of_atoms or (is_forces_name(wanted) and of_atoms):
        raise AskedFor(f"property: {wanted!r} has a row per atom; expected one of: {listed}")
    for key, why in contents.unused.items():
        if key.lower() == wanted.lower() or (wanted == "energy" and key in _ITSELF):
            raise AskedFor(f"property: {why}; {name} has: {listed}")
    reasons = "".join(f"; {why}" for why in list(contents.unused.values())[:10])
    raise AskedFor(
        f"property: {name} has no {wanted!r}; it has: {listed}" + ("" if columns else reasons)
    )


def _is_bookkeeping(name: str, column: Column) -> bool:
    """Whether numbers say which structure it is, by their name or as they count."""
    if is_bookkeeping(name):
        return True
    if is_energy_name(name):
        return False
    values = _read(column)
    known = np.sort(values[np.isfinite(values)])
    if len(known) < 2 or not (known == np.round(known)).all():
        return False
    # Whole numbers that begin a comment count something, as do those that leave none out.
    return name == LEADING or name.lower() in _CLASSES or bool(len(np.unique(np.diff(known))) == 1)
