"""Which columns of a file are the property, its forces and its stress, and in which unit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from molkern.datasets.contents import Column, Contents, Stated
from molkern.datasets.dataset import Dataset, Decision
from molkern.datasets.errors import AskedFor
from molkern.datasets.names import (
    is_bookkeeping,
    is_energy_name,
    is_forces_name,
    is_gradient_name,
    is_intensive_name,
    is_stress_name,
    is_virial_name,
    pairs_with,
)
from molkern.datasets.readers.comments import LEADING
from molkern.datasets.selection import listing
from molkern.datasets.stated import ENERGY
from molkern.datasets.units import ENERGIES, UNKNOWN, conversion_factor, energy_unit, unit_name

if TYPE_CHECKING:
    from molkern.datasets.door import Options
    from molkern.datasets.geometry import Geometry

__all__ = ["labelled"]

Array = npt.NDArray[Any]
Columns = Mapping[str, Column]

# Spellings of the name that the energy has here.
_ENERGY_ITSELF = ("energy", "Energy", "E", "energies", "Energies", "ENERGY")
_WIDEST = 9  # numbers for each structure that are read without being asked for
_VOIGT = ([0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1])  # ASE's order: xx, yy, zz, yz, xz, xy


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
        chosen, name = _chosen(dataset, contents, named, options.property)
    except AskedFor as error:
        if not options.overview or options.property is not None:
            raise
        chosen, name, undecided = "", "", True
        dataset = dataset.with_notes(str(error))
    values: dict[str, Array] = {}
    for key, column in columns.items():
        if not column.per_atom and (column.width <= _WIDEST or key == chosen):
            values[name if key == chosen else key] = _read(column)
    units = {
        (name if key == chosen else key): all_units[key]
        for key in columns
        if (name if key == chosen else key) in values
    }
    unused = dict(dataset.unused)
    for key, column in columns.items():
        if not column.per_atom and column.width > _WIDEST and key != chosen:
            unused[key] = (
                f"{key}: {column.width} numbers for each structure, read only if asked for"
            )
    dataset = dataset.replace(
        targets=values,
        units={key: unit for key, (unit, _) in units.items()},
        default_target=name,
        unused=unused,
    )
    if undecided:
        return dataset
    if not chosen:
        return _without_property(dataset, contents, scalars, options)
    source = contents.sources.get(chosen, chosen)
    dataset, in_file = _with_unit(dataset, chosen, name, source, units[name][1], options.unit)
    return _with_derivatives(dataset, contents, made, chosen, in_file, stated)


def _read(column: Column) -> Array:
    return np.asarray(column.read(), dtype=np.float64)


def _chosen(
    dataset: Dataset, contents: Contents, named: Mapping[str, str], wanted: str | None
) -> tuple[str, str]:
    """The column that is learnt, and what it is called as a target; empty where there is none."""
    columns = {name: c for name, c in contents.columns.items() if not c.per_atom}
    scalars = [name for name, column in columns.items() if column.width == 1]
    energies = [name for name in scalars if is_energy_name(name) and not is_bookkeeping(name)]
    if wanted is not None:
        return _asked_for(dataset, contents, named, energies, wanted)
    itself = [name for name in _ENERGY_ITSELF if name in scalars]
    if itself or len(energies) == 1:
        return (itself or energies)[0], "energy"
    plausible = [name for name in scalars if not _is_bookkeeping(name, columns[name])]
    if len(plausible) > 1:
        listed = listing([named[name] for name in plausible])
        raise AskedFor(
            f"property: {dataset.name} has several, choose one of: {listed}; --property NAME, in "
            "Python property="
        )
    return (plausible[0], plausible[0]) if plausible else ("", "")


def _asked_for(
    dataset: Dataset,
    contents: Contents,
    named: Mapping[str, str],
    energies: list[str],
    wanted: str,
) -> tuple[str, str]:
    """The column that a name means, and its name as a target.

    The very name, any case of it, or the only energy of the file.

    Raises
    ------
    ValueError
        If there is none; says what there is.
    """
    columns = {name: c for name, c in contents.columns.items() if not c.per_atom}
    if wanted in columns:
        return wanted, wanted
    close = [name for name in columns if name.lower() == wanted.lower()]
    if len(close) == 1:
        return close[0], close[0]
    if wanted.lower() in ("energy", "energies", "e"):
        itself = [name for name in _ENERGY_ITSELF if name in columns]
        energies = energies or [name for name in (LEADING,) if name in columns]
        if itself or len(energies) == 1:
            return (itself or energies)[0], "energy"
    listed = listing([named[name] for name in columns])
    of_atoms = [name for name in contents.columns if contents.columns[name].per_atom]
    if wanted in of_atoms or (is_forces_name(wanted) and of_atoms):
        raise AskedFor(f"property: {wanted!r} has a row per atom; expected one of: {listed}")
    for name, why in contents.unused.items():
        if name.lower() == wanted.lower() or (wanted == "energy" and name in _ENERGY_ITSELF):
            raise AskedFor(f"property: {why}; {dataset.name} has: {listed}")
    reasons = "".join(f"; {why}" for why in list(contents.unused.values())[:10])
    raise AskedFor(
        f"property: {dataset.name} has no {wanted!r}; it has: {listed}"
        + ("" if columns else reasons)
    )


def _is_bookkeeping(name: str, column: Column) -> bool:
    """Whether numbers say which structure it is, by their name or as they count."""
    if is_bookkeeping(name):
        return True
    if is_energy_name(name):
        return False
    values = _read(column)
    known = values[np.isfinite(values)]
    if len(known) < 2 or not (known == np.round(known)).all():
        return False
    steps = np.diff(known)
    return bool((steps == steps[0]).all())


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
    if contents.usual_length and not contents.columns and not contents.sources.get("numbers"):
        unused.setdefault("comment", "extended XYZ needs energy=... in the comment line")
    reasons = "".join(f"; {why}" for why in list(unused.values())[:10])
    if options.unit is not None:
        raise AskedFor(f"unit: {dataset.name} has no target it could belong to{reasons}")
    return dataset.replace(unused=unused).with_notes(f"no property found: structures only{reasons}")


def _stated_unit(
    key: str, column: Column, stated: Mapping[str, Stated]
) -> tuple[str, Stated | None]:
    """Name of the unit of a column, and what states it."""
    found = column.stated or stated.get(key)
    if found is None and is_energy_name(key):
        found = stated.get(ENERGY)
    if found is None:
        return UNKNOWN, None
    known = energy_unit(found.unit) if is_energy_name(key) or key == "gap" else None
    return known or unit_name(found.unit), found


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
            notes.append(
                f"unit of {name} is unknown: the file does not say, and it is not guessed; say it "
                'with --unit eV, in Python unit="eV"'
            )
    else:
        new = unit_name(said)
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


def _with_derivatives(
    dataset: Dataset,
    contents: Contents,
    made: Geometry,
    key: str,
    in_file: str,
    stated: Mapping[str, Stated],
) -> Dataset:
    """Forces, and the stress in full, that belong to an energy."""
    columns = contents.columns
    if not is_energy_name(key):
        return dataset
    forces = [n for n, c in columns.items() if c.per_atom and c.shape[1:] == (3,)]
    best = _belonging(key, [n for n in forces if is_forces_name(n)])
    gradient = _belonging(key, [n for n in forces if is_gradient_name(n)]) if not best else None
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
            dataset = _with_tensor(dataset, tensor, target, in_file)
    return dataset


def _belonging(energy: str, names: list[str]) -> str | None:
    """The array that bears the marks of the energy; the only one."""
    paired = [name for name in names if pairs_with(energy, name)]
    if len(paired) == 1:
        return paired[0]
    return names[0] if len(names) == 1 else None


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
    values = _read(column)
    values = values if made.atoms is None else values[made.atoms]
    turned = is_gradient_name(source) and not is_forces_name(source)
    if turned:
        values = -values
    sign = "sign turned: the file has the gradient of the energy" if turned else "sign as stored"
    energy = dataset.units[dataset.default_target]
    found = column.stated or stated.get(source)
    if found is not None:
        unit = unit_name(found.unit)
        words = f"{unit}, by {found.source}; {sign}"
    elif in_file == UNKNOWN and made.length == "angstrom":
        unit, words = UNKNOWN, f"unit unknown; {sign}"
    else:
        unit = f"{in_file}/{made.length}"
        words = f"{unit}, taken from the energy's; {sign}"
    factor = _to_unit_of(energy, unit)
    if factor not in (None, 1.0):
        values, unit = values * factor, f"{energy}/angstrom"
        words = f"{unit}, converted; {words}"
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


def _with_tensor(dataset: Dataset, source: str, target: str, in_file: str) -> Dataset:
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
    if unit == UNKNOWN and in_file != UNKNOWN:
        unit = in_file + ("/angstrom^3" if target == "stress" else "")
    targets = {k: v for k, v in dataset.targets.items() if k != source} | {target: full}
    units = {k: v for k, v in dataset.units.items() if k != source} | {target: unit}
    words = f"{'unit unknown' if unit == UNKNOWN else unit}, sign as stored"
    return dataset.replace(
        targets=targets,
        units=units,
        decisions=(*dataset.decisions, Decision(target, source, words)),
    )
