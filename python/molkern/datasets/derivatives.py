"""Forces, and the stress in full, that belong to an energy of a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from molkern.datasets.contents import Column, Contents, Stated
from molkern.datasets.dataset import Dataset, Decision
from molkern.datasets.named_units import split_name
from molkern.datasets.names import (
    is_energy_name,
    is_forces_name,
    is_gradient_name,
    is_plain_forces_name,
    is_stress_name,
    is_virial_name,
    marks_of,
    pairs_with,
)
from molkern.datasets.units import UNKNOWN, conversion_factor, force_unit

if TYPE_CHECKING:
    from molkern.datasets.geometry import Geometry

__all__ = ["with_derivatives"]

_VOIGT = ([0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1])  # ASE's order: xx, yy, zz, yz, xz, xy


def with_derivatives(
    dataset: Dataset,
    contents: Contents,
    made: Geometry,
    key: str,
    in_file: str,
    stated: Mapping[str, Stated],
) -> Dataset:
    """The data set with the forces, and the stress in full, that belong to its property.

    Parameters
    ----------
    dataset : Dataset
        With the property as its default target.
    contents : Contents
    made : Geometry
    key : str
        The column of the property.
    in_file : str
        Its unit in the file.
    stated : mapping of str to Stated
        Units that the file states.
    """
    columns = contents.columns
    if not is_energy_name(key):
        words = "a row for each atom; not used, as the property is no energy"
        rows = {name: f"{name}: {words}" for name, c in columns.items() if c.per_atom}
        return dataset.replace(unused=dataset.unused | rows)
    forces = [n for n, c in columns.items() if c.per_atom and c.shape[1:] == (3,)]
    plain = [n for n in forces if is_plain_forces_name(n)]
    best = _belonging(key, [n for n in plain if is_forces_name(n)])
    gradient = _belonging(key, [n for n in plain if is_gradient_name(n)]) if not best else None
    for source in forces:
        if source not in (best, gradient):
            dataset = _with_forces(
                dataset, columns[source], made, (source, f"forces_{source}"), in_file, stated
            )
    main = best or gradient
    if main is not None:
        dataset = _with_forces(dataset, columns[main], made, (main, "forces"), in_file, stated)
    for is_named, target in ((is_stress_name, "stress"), (is_virial_name, "virial")):
        tensors = [n for n, c in columns.items() if is_named(n) and c.width in (6, 9)]
        tensor = _belonging(key, tensors)
        if tensor is not None:
            dataset = _with_tensor(dataset, tensor, target, (in_file, made.length))
    return dataset


def _belonging(energy: str, names: list[str]) -> str | None:
    """The array that bears the marks of the energy; the only one."""
    paired = [name for name in names if pairs_with(energy, name)]
    if len(paired) == 1:
        return paired[0]
    if len(names) != 1:
        return None
    ours, theirs = marks_of(energy), marks_of(names[0])
    return names[0] if not ours or not theirs or ours == theirs else None


def _with_forces(
    dataset: Dataset,
    column: Column,
    made: Geometry,
    names: tuple[str, str],
    in_file: str,
    stated: Mapping[str, Stated],
) -> Dataset:
    """Forces under the name in the file, as a target; ``in_file`` is its unit of energy."""
    source, target = names
    values = np.asarray(column.read(), dtype=np.float64)
    values = values if made.atoms is None else values[made.atoms]
    without = ~np.isfinite(values).all(axis=1)
    turned = is_gradient_name(source) and not is_forces_name(source)
    if turned:
        values = -values
    sign = "sign turned: the file has the gradient of the energy" if turned else "sign as stored"
    energy = dataset.units[dataset.default_target]
    named = split_name(source)[1]
    found = column.stated or stated.get(source) or (Stated(named, "its name") if named else None)
    if found is not None:
        unit = force_unit(found.unit)
        words = f"{unit}, by {found.source}; {sign}"
    elif in_file == UNKNOWN and made.length == "angstrom":
        unit, words = UNKNOWN, f"unit unknown; {sign}"
    else:
        unit = f"{in_file}/{made.length}"
        words = f"{unit}, by the unit of the energy; {sign}"
    factor = _to_unit_of(energy, unit)
    if factor not in (None, 1.0):
        values, unit = values * factor, f"{energy}/angstrom"
        words = f"{unit}, converted; {words}"
    if without.any():
        lacking = np.unique(np.repeat(np.arange(len(dataset)), dataset.structures.sizes)[without])
        words += f"; {len(lacking)} of {len(dataset)} structures have none"
    return dataset.replace(
        targets=dataset.targets | {target: values},
        units=dataset.units | {target: unit},
        decisions=(*dataset.decisions, Decision(target, source, words)),
    )


def _to_unit_of(energy: str, unit: str) -> float | None:
    """Factor to the energy's unit per angstrom, the unit of positions here; None if not known."""
    try:
        return conversion_factor(unit, f"{energy}/angstrom")
    except ValueError:
        return None


def _with_tensor(
    dataset: Dataset, source: str, target: str, units_in_file: tuple[str, str]
) -> Dataset:
    """Stress or virial as 3 x 3 matrices, in the file's units, under its usual name."""
    values = dataset.targets[source]
    full = np.zeros((len(values), 3, 3))
    if values.shape[1] == 6:
        rows, columns = _VOIGT
        full[:, rows, columns] = values
        full[:, columns, rows] = values
    else:
        full = values.reshape(-1, 3, 3)
    unit = dataset.units[source]
    in_file, length = units_in_file
    if unit == UNKNOWN and in_file != UNKNOWN:
        unit = in_file + (f"/{length}^3" if target == "stress" else "")
    targets = {k: v for k, v in dataset.targets.items() if k != source} | {target: full}
    units = {k: v for k, v in dataset.units.items() if k != source} | {target: unit}
    words = f"{'unit unknown' if unit == UNKNOWN else unit}, sign as stored"
    return dataset.replace(
        targets=targets,
        units=units,
        decisions=(*dataset.decisions, Decision(target, source, words)),
    )
