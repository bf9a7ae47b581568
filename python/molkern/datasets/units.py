"""Units of energies and lengths, by name."""

from __future__ import annotations

__all__ = [
    "BOHR",
    "ENERGIES",
    "UNKNOWN",
    "conversion_factor",
    "length_factor",
    "unit_name",
    "unit_words",
]

BOHR = 0.529177210544  # Å, CODATA 2022
UNKNOWN = "unknown"

# One hartree in each unit, CODATA 2022; kcal is the thermochemical one, 4.184 kJ.
_PER_HARTREE = {
    "hartree": 1.0,
    "eV": 27.211386245981,
    "meV": 27211.386245981,
    "kcal/mol": 627.5094740631,
    "kJ/mol": 2625.4996394799,
    "Ry": 2.0,
    "cm-1": 219474.63136314,
}
ENERGIES = tuple(_PER_HARTREE)
_PER_ANGSTROM = {"angstrom": 1.0, "bohr": 1.0 / BOHR, "nm": 0.1}
_ALIASES = {
    "ha": "hartree",
    "eh": "hartree",
    "e_h": "hartree",
    "kcal mol-1": "kcal/mol",
    "kcal/mole": "kcal/mol",
    "kj mol-1": "kJ/mol",
    "kj/mole": "kJ/mol",
    "rydberg": "Ry",
    "cm^-1": "cm-1",
    "ang": "angstrom",
    "å": "angstrom",
    "a0": "bohr",
}
_ALIASES |= {name.lower(): name for name in (*_PER_HARTREE, *_PER_ANGSTROM)}


def unit_name(unit: str) -> str:
    """The name used for a unit here; a unit that is not known by another name stays as it is.

    Parameters
    ----------
    unit : str
        For example ``"Ha"``, ``"ev"``, ``"kcal/mol"``, ``"Ha/bohr"``, ``"debye"``.

    Returns
    -------
    str

    Raises
    ------
    TypeError
        If ``unit`` is not a string.
    ValueError
        If it is empty.

    Examples
    --------
    >>> unit_name("Ha"), unit_name("KCAL/MOL"), unit_name("ev/ang"), unit_name("debye")
    ('hartree', 'kcal/mol', 'eV/angstrom', 'debye')
    """
    if not isinstance(unit, str):
        raise TypeError(f"unit: expected a string, found {type(unit).__name__}")
    text = unit.strip()
    if not text:
        raise ValueError("unit: expected a name such as 'kcal/mol', found an empty string")
    if text.lower() in _ALIASES:
        return _ALIASES[text.lower()]
    energy, slash, length = text.rpartition("/")
    if slash and energy.lower() in _ALIASES and length.lower() in _ALIASES:
        return f"{_ALIASES[energy.lower()]}/{_ALIASES[length.lower()]}"
    return text


def unit_words(unit: str, *, after_number: bool = False) -> str:
    """What a reader sees as the unit; in brackets where it stands after a number and is none.

    Examples
    --------
    >>> unit_words("eV"), unit_words("unknown"), unit_words("unknown", after_number=True)
    ('eV', 'unit unknown', '(unit unknown)')
    """
    if unit != UNKNOWN:
        return unit
    return "(unit unknown)" if after_number else "unit unknown"


def conversion_factor(source: str, target: str) -> float:
    """Factor that turns values in the unit ``source`` into values in ``target``.

    Energies (hartree, eV, meV, kcal/mol, kJ/mol, Ry, cm-1), lengths (angstrom, bohr, nm) and
    energies per length are converted. Constants: CODATA 2022.

    Raises
    ------
    ValueError
        If the units are not of one kind, or not known.

    Examples
    --------
    >>> conversion_factor("hartree", "kcal/mol")
    627.5094740631
    >>> conversion_factor("nm", "bohr") > 18.8
    True
    """
    source, target = unit_name(source), unit_name(target)
    if source.lower() == target.lower():
        return 1.0
    for table in (_PER_HARTREE, _PER_ANGSTROM):
        if source in table and target in table:
            return table[target] / table[source]
    parts = source.rpartition("/"), target.rpartition("/")
    if all(p[0] in _PER_HARTREE and p[2] in _PER_ANGSTROM for p in parts):
        energy = _PER_HARTREE[parts[1][0]] / _PER_HARTREE[parts[0][0]]
        return energy * _PER_ANGSTROM[parts[0][2]] / _PER_ANGSTROM[parts[1][2]]
    for table in (_PER_HARTREE, _PER_ANGSTROM):
        if source in table:
            known = ", ".join(table)
            raise ValueError(f"unit: cannot convert {source!r} to {target!r}, only to: {known}")
    raise ValueError(f"unit: cannot convert {source!r} to {target!r}")


def length_factor(length_unit: str) -> float:
    """Å per ``length_unit``.

    Raises
    ------
    ValueError
        For a unit that is no length.

    Examples
    --------
    >>> length_factor("bohr")
    0.529177210544
    """
    name = unit_name(length_unit)
    if name not in _PER_ANGSTROM:
        raise ValueError(
            f"length_unit: expected one of {sorted(_PER_ANGSTROM)}, found {length_unit!r}"
        )
    return BOHR if name == "bohr" else 1.0 / _PER_ANGSTROM[name]
