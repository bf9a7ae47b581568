"""The target asked for: which one, in which unit, and for which structures."""

from __future__ import annotations

import numpy as np

from molkern.datasets.dataset import Dataset, per_atom
from molkern.datasets.units import ENERGIES, UNKNOWN, conversion_factor, unit_name
from molkern.datasets.user import ALIASES

__all__ = ["choose", "listing", "why_none"]

_MOST = 10  # names in a message
_NAMES = {"u298": "U", "h298": "H", "g298": "G", **ALIASES}


def choose(dataset: Dataset, wanted: str | None, unit: str | None, is_users: bool) -> Dataset:
    """Set the default target, its unit, and the structures that have it.

    Parameters
    ----------
    dataset : Dataset
    wanted : str or None
        The property; any case, and other common names of it. None: the usual one.
    unit : str or None
        See :func:`molkern.datasets.load`.
    is_users : bool
        Whether labels that are not finite are an error, instead of left out.

    Returns
    -------
    Dataset

    Raises
    ------
    ValueError
        For an unknown property, a unit that does not convert, or missing labels.
    """
    return _finite(_with_unit(_chosen(dataset, wanted), unit), is_users)


def listing(names: list[str]) -> str:
    """Names for a message, the first ten of them."""
    more = f", ... ({len(names) - _MOST} more)" if len(names) > _MOST else ""
    return (", ".join(names[:_MOST]) or "none") + more


def why_none(dataset: Dataset) -> str:
    """What in the file could have been meant as the property, for the end of a message."""
    if any(not per_atom(name) for name in dataset.targets) and "comment" not in dataset.unused:
        return ""
    return "".join(f"; {why}" for why in list(dataset.unused.values())[:_MOST])


def _chosen(dataset: Dataset, wanted: str | None) -> Dataset:
    """The data set with its default target set."""
    columns = [name for name in dataset.targets if not per_atom(name)]
    listed = listing([f"{name} [{dataset.units[name]}]" for name in columns])
    if wanted is not None:
        exact = [name for name in columns if name == wanted]
        alias = _NAMES.get(wanted, wanted).lower()
        if wanted == "energy" and dataset.is_energy(dataset.default_target):
            alias = dataset.default_target.lower()
        close = [name for name in columns if name.lower() == alias]
        if not exact and per_atom(alias) and alias in dataset.targets:
            raise ValueError(f"property: {wanted!r} has a row per atom; expected one of: {listed}")
        if not exact and len(close) != 1:
            for name, why in dataset.unused.items():
                if wanted in (name, ALIASES.get(name)):
                    raise ValueError(f"property: {why}; {dataset.name} has: {listed}")
            raise ValueError(
                f"property: {dataset.name} has no {wanted!r}; it has: {listed}{why_none(dataset)}"
            )
        return dataset.replace(default_target=(exact or close)[0])
    if dataset.default_target:
        return dataset
    scalars = [name for name in columns if dataset.targets[name].ndim == 1]
    if "energy" in scalars:
        return dataset.replace(default_target="energy")
    if len(scalars) > 1:
        raise ValueError(f"property: {dataset.name} has several, choose one of: {listed}")
    if not scalars:
        return dataset.with_notes("no targets found: structures only" + why_none(dataset))
    return dataset.replace(default_target=scalars[0])


def _with_unit(dataset: Dataset, unit: str | None) -> Dataset:
    """The chosen target in ``unit``; forces follow an energy."""
    name = dataset.default_target
    if not name:
        if unit is not None:
            none = why_none(dataset)
            raise ValueError(f"unit: {dataset.name} has no target it could belong to{none}")
        return dataset
    old = dataset.units[name]
    if unit is None:
        if old == UNKNOWN:
            return dataset.with_notes(
                f"unit of {name} is unknown: the file does not say, and it is not guessed; "
                'say it with --unit eV, in Python unit="eV"'
            )
        return dataset
    new = unit_name(unit)
    if old == UNKNOWN:
        if dataset.is_energy(name) and new not in ENERGIES:
            raise ValueError(
                f"unit: {name} is an energy, expected one of {', '.join(ENERGIES)}, found "
                f"{unit!r}; a unit outside of this list is possible for other properties only"
            )
        units = dataset.units | {name: new}
        first, _, length = dataset.units.get("forces", "").partition("/")
        if name == "energy" and first == UNKNOWN:
            units["forces"] = f"{new}/{length or 'angstrom'}"
            note = f"unit of forces taken to be {units['forces']}"
            return dataset.replace(units=units).with_notes(note)
        return dataset.replace(units=units)
    if new.lower() == old.lower():
        return dataset
    targets = dataset.targets | {name: dataset.targets[name] * conversion_factor(old, new)}
    units = dataset.units | {name: new}
    if name == "energy" and dataset.units.get("forces") == f"{old}/angstrom":
        targets["forces"] = dataset.targets["forces"] * conversion_factor(old, new)
        units["forces"] = f"{new}/angstrom"
    note = f"{name} converted from {old} to {new}"
    return dataset.replace(targets=targets, units=units).with_notes(note)


def _finite(dataset: Dataset, is_users: bool) -> Dataset:
    """Structures whose chosen target is finite; an error for a user's file with others."""
    name = dataset.default_target
    if not name:
        return dataset
    values = dataset.targets[name]
    finite = np.isfinite(values.reshape(len(dataset), -1)).all(axis=1)
    n_bad = int((~finite).sum())
    if n_bad == 0:
        return dataset
    if is_users or n_bad == len(dataset):
        raise ValueError(
            f"{dataset.source}: {name} is missing or not finite for {n_bad} of {len(dataset)} "
            f"structures, first for structure {int(np.argmin(finite))}; remove them or choose "
            "another property (--property, in Python property=)"
        )
    return dataset.select(finite).with_notes(f"{n_bad} structures without {name} left out")
