"""Units that words of a file state beside its values."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from molkern.datasets.contents import Stated
from molkern.datasets.names import POSITIONS, is_energy_name, words_of
from molkern.datasets.units import energy_unit, length_unit, unit_name

__all__ = ["ENERGY", "LENGTH", "agreed", "stated_units", "unit_words_of"]

ENERGY = "energy"  # stands for every energy that has no unit of its own
LENGTH = "length"
_UNIT = re.compile(r"\b(units?|einheit(en)?)\b")
_LENGTHS = {"r", "length", "lengths", "distance", "distances", "dist", *map(words_of, POSITIONS)}
_PAIR = re.compile(r"\s*[\"'{]*([\w().+-]+)[\"']?\s*[:= ]\s*[\"']?([^\s\"'(),;{}]+)")


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
    if not _UNIT.search(words):
        return None
    rest = _UNIT.sub(" ", words)
    return " ".join(word for word in rest.split() if word not in ("property", "dict", "in", "of"))


def stated_units(words: Mapping[str, Any], columns: Iterable[str]) -> dict[str, Stated]:
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
    dict of str to Stated
        By column, or `ENERGY` and `LENGTH`.

    Examples
    --------
    >>> stated_units({"energy_units": "Ha", "units": "R bohr; mu Debye"}, ["E", "mu"])["mu"].unit
    'Debye'
    """
    names = {words_of(name): name for name in columns}
    found: dict[str, Stated] = {}
    for name, text in words.items():
        owner = unit_words_of(name)
        if owner is None:
            continue
        for key, unit in _parts(owner, text):
            source = f"{name}={text}" if isinstance(text, str) else f"{name} of {key}"
            target = _target(key, unit, names)
            if target is not None:
                found.setdefault(target, Stated(unit, source if len(source) < 80 else name))
    return found


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
        if text == first or _same_unit(text, first):
            continue
        shown = [f"{name}={t!r}" if t else f"no {name}" for t in (first, text)]
        raise ValueError(
            f"{name_of(0)} states {shown[0]}, {name_of(k)} {shown[1]}; expected one unit in all of "
            "them: convert the values to one unit, or make files of one unit each"
        )
    return first


def _same_unit(one: str, other: str) -> bool:
    return any(
        found(one) is not None and found(one) == found(other) for found in (energy_unit, length_unit)
    )


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
    if owner or energy_unit(single) or length_unit(single):
        return [(owner, single)]
    pairs = [_PAIR.match(part) for part in re.split(r"[;,\n]", single)]
    # A sentence is no list of units: only known ones count.
    return [
        (words_of(pair[1]), pair[2]) for pair in pairs if pair is not None and _is_known(pair[2])
    ]


def _is_known(unit: str) -> bool:
    parts = unit.rpartition("/")
    return bool(
        energy_unit(unit)
        or length_unit(unit)
        or (energy_unit(parts[0]) and length_unit(parts[2]))
        or unit_name(unit).lower() in ("debye", "d", "ghz", "bohr^2", "bohr^3", "angstrom^3")
    )


def _target(key: str, unit: str, names: Mapping[str, str]) -> str | None:
    if key in names:
        return names[key]
    if key in _LENGTHS or (not key and length_unit(unit) and not energy_unit(unit)):
        return LENGTH
    if not key or key in ("e", "energies") or is_energy_name(key):
        return ENERGY
    return next((name for word, name in names.items() if word in (f"{key}s", key[:-1])), None)
