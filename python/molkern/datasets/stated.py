"""Units that words of a file state beside its values."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from molkern.datasets.contents import Stated
from molkern.datasets.named_units import is_unit, split_name
from molkern.datasets.names import (
    CELLS,
    POSITIONS,
    is_energy_name,
    is_forces_name,
    is_gradient_name,
    pairs_with,
    words_of,
)
from molkern.datasets.spellings import ENERGIES_BY_NAME
from molkern.datasets.units import ATOMIC, energy_unit, length_unit, unit_name

__all__ = ["CELL", "ENERGY", "LENGTH", "agreed", "same_unit", "stated_units", "unit_words_of"]

ENERGY = "energy"  # stands for every energy that has no unit of its own
LENGTH = "length"
CELL = "cell"
_LONGEST = 1000  # letters of a statement that are looked at
_UNIT = re.compile(r"\b(units?|einheit(en)?)\b")
_LENGTHS = {"r", "length", "lengths", "distance", "distances", "dist", "geom", "geometry", "cart",
            "cartesian", *map(words_of, POSITIONS)}  # fmt: skip
_PLACES = {"position", "positions", "coordinate", "coordinates", "coord", "coords", "geometry"}
_CELLS = {*map(words_of, CELLS)}
_ENERGIES = {"", "e", "energy", "energies", "total energy", "potential energy"}
_NO_OWNERS = ("property", "dict", "in", "of", "are", "is", "the", "all", "atomic", "atom", "atoms")
_FORCES = {"f", "force", "forces", "gradient", "gradients"}
# "energy: eV", "R bohr", "'U0': 'Ha'", "Energy in Hartree".
_PAIR = re.compile(
    r"\s*[\"'{]*([\w().+-]+(?: \w+)??)[\"']?\s*(?:[:=]|\b(?:are |is )?in\b| )\s*[\"']?"
    r"([^\s\"'(),;{}]+(?: mol-1| mol\^-1)?)"
)
# Styles of LAMMPS: energy, length.
_STYLES = {
    "real": ("kcal/mol", "angstrom"),
    "metal": ("eV", "angstrom"),
    "electron": ("hartree", "bohr"),
}


def unit_words_of(name: str) -> str | None:
    """What the unit stated under a name belongs to: the other words of the name; None for no unit.

    Examples
    --------
    >>> unit_words_of("energy-unit"), unit_words_of("units"), unit_words_of("r_unit")
    ('energy', '', 'r')
    >>> unit_words_of("community") is None
    True
    """
    words = words_of(name)
    # lengthunit, unitenergy: without a mark between the words
    glued = re.fullmatch(r"units?([a-z]+)|([a-z]+?)units?", words)
    if glued is not None and (glued[1] or glued[2]) in _LENGTHS | _ENERGIES | _FORCES:
        return str(glued[1] or glued[2])
    if not _UNIT.search(words):
        return None
    rest = _UNIT.sub(" ", words)
    return " ".join(word for word in rest.split() if word not in _NO_OWNERS)


def stated_units(
    words: Mapping[str, Any], columns: Iterable[str]
) -> tuple[dict[str, Stated], list[str]]:
    """Units of columns, of energies and of lengths that a file states.

    Parameters
    ----------
    words : mapping of str to str or mapping
        Names and texts that hold for the whole file: ``"energy-unit": "Hartree"``,
        ``"units": "energy: eV, positions: bohr"``, ``"_property_unit_dict": {"U0": "Ha"}``.
    columns : iterable of str
        Names of the columns.

    Returns
    -------
    units : dict of str to Stated
        By column, or `ENERGY`, `LENGTH` and `CELL`.
    notes : list of str
        What is stated, but belongs to nothing or is not understood.

    Raises
    ------
    ValueError
        If two statements about the same values differ.

    Examples
    --------
    >>> words = {"energy_units": "Ha", "units": "R bohr; mu Debye"}
    >>> stated_units(words, ["E", "mu"])[0]["mu"].unit
    'Debye'
    >>> stated_units({"units": "au"}, ["E"])[0].keys()
    dict_keys(['energy', 'length'])
    """
    names = list(columns)
    found: dict[str, Stated] = {}
    notes = []
    for name, text in words.items():
        owner = unit_words_of(name)
        if owner is None and isinstance(text, str) and is_unit(text):
            # length=bohr, u=Hartree
            plain = words_of(name)
            owner = "" if plain == "u" else plain if plain in _LENGTHS | _ENERGIES else None
        if owner is None:
            notes += _mentioned(name, text)
            continue
        if isinstance(text, str) and not text.strip():
            continue
        parts, matched = _parts(owner, text[:_LONGEST] if isinstance(text, str) else text), False
        for key, unit in parts:
            source = f"{name}={text}" if isinstance(text, str) else f"{name} of {key}"
            one = Stated(unit, source if len(source) < 80 else name)
            for target in _targets(key, unit, names):
                matched = True
                _keep(found, target, one)
        if not matched and isinstance(text, str):
            notes.append(
                f"{name}={text[:60]!r} is not used: it is not known what it is the unit of"
            )
    return found, notes


def _mentioned(name: str, text: Any) -> list[str]:
    """A note on a text that mentions a unit of energy, but is no statement of units."""
    words = re.findall(r"[A-Za-z/_^-]{2,}", text) if isinstance(text, str) else []
    unit = next((word for word in words if word.lower() in ENERGIES_BY_NAME), None)
    return [] if unit is None else [f"{name} mentions {unit}, which is not taken for a unit"]


def _keep(found: dict[str, Stated], target: str, one: Stated) -> None:
    other = found.setdefault(target, one)
    if not same_unit(other.unit, one.unit):
        raise ValueError(
            f"unit of {target}: {other.source} and {one.source} do not agree; expected one of them"
        )


def agreed(name: str, texts: Sequence[str], name_of: Callable[[int], str]) -> str:
    """The unit that every structure states under a name, each in words of its own.

    Parameters
    ----------
    name : str
        Of the unit: ``"energy_unit"``.
    texts : sequence of str
        What each structure says; empty where it says nothing.
    name_of : callable
        Where a structure stands in the file.

    Raises
    ------
    ValueError
        If structures state different units, or only some state one; names the first of each.

    Examples
    --------
    >>> agreed("energy_unit", ["Ha", "hartree"], str)
    'Ha'
    """
    first = texts[0] if texts else ""
    for k, text in enumerate(texts):
        if text == first or (text and first and same_unit(text, first)):
            continue
        shown = [f"{name}={t!r}" if t else f"no {name}" for t in (first, text)]
        raise ValueError(
            f"{name_of(0)} states {shown[0]}, {name_of(k)} {shown[1]}; expected one unit in all of "
            "them: convert the values to one unit, or make files of one unit each"
        )
    return first


def same_unit(one: str, other: str) -> bool:
    """Whether two texts mean one unit, of energies, lengths or anything else.

    Examples
    --------
    >>> same_unit("Ha", "hartree"), same_unit("Ha", "eV")
    (True, False)
    """
    if unit_name(one).lower() == unit_name(other).lower():
        return True
    kinds = (energy_unit, length_unit)
    return any(known(one) is not None and known(one) == known(other) for known in kinds)


def _parts(owner: str, text: Any) -> list[tuple[str, str]]:
    """What is named, and its unit; from a text of one unit, of several, or from a mapping."""
    if isinstance(text, str) and text.lstrip().startswith("{"):
        try:
            text = json.loads(text)
        except (ValueError, RecursionError):
            text = str(text)
    if isinstance(text, Mapping):
        return [(words_of(str(key)), str(unit)) for key, unit in text.items()]
    single = str(text).strip()
    if owner:
        return [(owner, single)]
    both = _both(single)
    if both:
        return [("energy", both[0]), ("length", both[1])]
    if energy_unit(single) or length_unit(single):
        return [("", single)]
    pairs = []
    # A sentence is no list of units: only known ones count.
    for part in re.split(r"[;,|\n]|\band\b|\s(?=\w+:)", single):
        named = split_name(part.strip(" ."))
        if named[1] and re.search(r"[(\[]", part) and not energy_unit(part):
            pairs.append((words_of(named[0]), named[1]))  # energy (Hartree)
            continue
        match = _PAIR.fullmatch(part.strip(" .")) or _PAIR.match(part.strip())
        if match is not None and is_unit(match[2]):
            pairs.append((words_of(match[1]), match[2]))
        elif energy_unit(part) or length_unit(part):
            pairs.append(("", part.strip()))
        elif is_unit(part) and _both(part.strip()):
            pairs.append(("forces", part.strip()))
    return pairs


def _both(text: str) -> tuple[str, str] | None:
    """Units of energy and length that one word means: ``au``, LAMMPS's ``metal``, ``eV/A``."""
    plain = text.lower()
    if plain in ATOMIC:
        return "hartree", "bohr"
    first, slash, last = unit_name(text).rpartition("/") if text else ("", "", "")
    if slash and energy_unit(first) and length_unit(last):
        return first, last
    return _STYLES.get(plain)


def _targets(key: str, unit: str, names: list[str]) -> list[str]:
    """What a unit belongs to: columns, all energies, or lengths."""
    of_names = {words_of(name): name for name in names}
    if key in of_names:
        return [of_names[key]]
    if (
        key in _LENGTHS
        or set(key.split()) & _PLACES
        or (not key and length_unit(unit) and not energy_unit(unit))
    ):
        return [LENGTH]
    if key in _ENERGIES:
        return [ENERGY]
    if key in _CELLS:
        return [CELL]
    forces = [name for name in names if is_forces_name(name) or is_gradient_name(name)]
    if key in _FORCES:
        return forces
    # A unit with marks of its own is not that of other energies: xtb_energy_unit.
    if is_energy_name(key):
        return [name for name in names if is_energy_name(name) and pairs_with(key, name)]
    if is_forces_name(key):
        return [name for name in forces if pairs_with(key, name)]
    return [name for word, name in of_names.items() if word in (f"{key}s", key[:-1])]
