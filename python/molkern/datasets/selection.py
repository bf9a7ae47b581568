"""The target asked for of a published data set: which one, in which unit, for which structures."""

from __future__ import annotations

import numpy as np

from molkern.datasets.dataset import Dataset, Decision, per_atom
from molkern.datasets.errors import AskedFor
from molkern.datasets.units import conversion_factor, unit_name

__all__ = ["choose", "listing", "why_none"]

_MOST = 10  # names in a message
_NAMES = {"u298": "U", "h298": "H", "g298": "G", "E": "energy", "energies": "energy"}


def choose(dataset: Dataset, wanted: str | None, unit: str | None) -> Dataset:
    """Set the default target, its unit, and the structures that have it.

    Parameters
    ----------
    dataset : Dataset
        All units are known.
    wanted : str or None
        The property; any case, and other common names of it. None: the usual one.
    unit : str or None
        The unit wanted. None: the usual one.

    Returns
    -------
    Dataset
        Structures without a finite label are left out, as a note says.

    Raises
    ------
    ValueError
        For an unknown property, or a unit that does not convert.
    """
    dataset = _finite(_with_unit(_chosen(dataset, wanted), unit))
    name = dataset.default_target
    if not name or dataset.targets[name].ndim != 1:
        return dataset
    found = dataset.extensivity(name)
    words = f"{dataset.units[name]}; {found.reason}: {found.baseline} baseline"
    return dataset.replace(decisions=(Decision(name, name, words), *dataset.decisions))


def listing(names: list[str]) -> str:
    """Names for a message, the first ten of them."""
    more = f", ... ({len(names) - _MOST} more)" if len(names) > _MOST else ""
    return (", ".join(names[:_MOST]) or "none") + more


def why_none(dataset: Dataset) -> str:
    """What in the file could have been meant as the property, for the end of a message."""
    return "".join(f"; {why}" for why in list(dataset.unused.values())[:_MOST])


def _chosen(dataset: Dataset, wanted: str | None) -> Dataset:
    """The data set with its default target set."""
    if wanted is None:
        return dataset
    columns = [name for name in dataset.targets if not per_atom(name)]
    exact = [name for name in columns if name == wanted]
    alias = _NAMES.get(wanted, wanted).lower()
    if wanted == "energy" and dataset.is_energy(dataset.default_target):
        alias = dataset.default_target.lower()
    close = [name for name in columns if name.lower() == alias]
    listed = listing([f"{name} [{dataset.units[name]}]" for name in columns])
    if not exact and per_atom(alias) and alias in dataset.targets:
        raise AskedFor(f"property: {wanted!r} has a row per atom; expected one of: {listed}")
    if not exact and len(close) != 1:
        raise AskedFor(f"property: {dataset.name} has no {wanted!r}; it has: {listed}")
    return dataset.replace(default_target=(exact or close)[0])


def _with_unit(dataset: Dataset, unit: str | None) -> Dataset:
    """The chosen target in ``unit``; forces follow an energy."""
    name = dataset.default_target
    if unit is None:
        return dataset
    if not name:
        raise AskedFor(f"unit: {dataset.name} has no target it could belong to")
    old, new = dataset.units[name], unit_name(unit)
    if new.lower() == old.lower():
        return dataset
    targets = dataset.targets | {name: dataset.targets[name] * conversion_factor(old, new)}
    units = dataset.units | {name: new}
    if name == "energy" and dataset.units.get("forces") == f"{old}/angstrom":
        targets["forces"] = dataset.targets["forces"] * conversion_factor(old, new)
        units["forces"] = f"{new}/angstrom"
    note = f"{name} converted from {old} to {new}"
    return dataset.replace(targets=targets, units=units).with_notes(note)


def _finite(dataset: Dataset) -> Dataset:
    """Structures whose chosen target is finite."""
    name = dataset.default_target
    if not name:
        return dataset
    values = dataset.targets[name]
    finite = np.isfinite(values.reshape(len(dataset), -1)).all(axis=1)
    n_bad = int((~finite).sum())
    if n_bad == 0:
        return dataset
    if n_bad == len(dataset):
        raise ValueError(
            f"{dataset.source}: {name} is missing or not finite for all {n_bad} structures"
        )
    return dataset.select(finite).with_notes(f"{n_bad} structures without {name} left out")
