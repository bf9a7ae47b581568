"""Units of energies and lengths, by name."""

from __future__ import annotations

from molkern.datasets.errors import AskedFor

__all__ = [
    "BOHR",
    "ENERGIES",
    "LENGTHS",
    "UNKNOWN",
    "conversion_factor",
    "energy_unit",
    "length_factor",
    "length_unit",
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
    "mHa": 1000.0,
}
ENERGIES = tuple(_PER_HARTREE)
_PER_ANGSTROM = {"angstrom": 1.0, "bohr": 1.0 / BOHR, "nm": 0.1, "pm": 100.0}
LENGTHS = tuple(_PER_ANGSTROM)
_ALIASES = {
    "ha": "hartree",
    "eh": "hartree",
    "e_h": "hartree",
    "hartrees": "hartree",
    "electronvolt": "eV",
    "electronvolts": "eV",
    "electron volt": "eV",
    "electron volts": "eV",
    "millihartree": "mHa",
    "kcal mol-1": "kcal/mol",
    "kcal mol^-1": "kcal/mol",
    "kcal/mole": "kcal/mol",
    "kcal_per_mol": "kcal/mol",
    "kj mol-1": "kJ/mol",
    "kj mol^-1": "kJ/mol",
    "kj/mole": "kJ/mol",
    "rydberg": "Ry",
    "rydbergs": "Ry",
    "cm^-1": "cm-1",
    "1/cm": "cm-1",
    "ang": "angstrom",
    "angs": "angstrom",
    "angstroms": "angstrom",
    "ångström": "angstrom",
    "ångstrom": "angstrom",
    "å": "angstrom",
    "\N{ANGSTROM SIGN}": "angstrom",
    "a0": "bohr",
    "a_0": "bohr",
    "bohrs": "bohr",
    "nanometer": "nm",
    "nanometers": "nm",
    "picometer": "pm",
    "picometers": "pm",
}
# Atomic units, and letters, mean something only where the kind of quantity is known.
_OF_ENERGIES = dict.fromkeys(("a.u.", "au", "a.u", "atomic", "atomic units", "h"), "hartree")
_OF_LENGTHS = {**dict.fromkeys(_OF_ENERGIES, "bohr"), "a": "angstrom"}
del _OF_LENGTHS["h"]
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
    first, last = energy_unit(energy), length_unit(length)
    return f"{first}/{last}" if slash and first and last else text


def energy_unit(text: str) -> str | None:
    """The name of a unit of energy, where it is known that the text is one; None for another.

    Examples
    --------
    >>> energy_unit("a.u."), energy_unit("Ha"), energy_unit("debye")
    ('hartree', 'hartree', None)
    """
    name = text.strip().lower()
    found = _ALIASES.get(name, _OF_ENERGIES.get(name))
    return found if found in _PER_HARTREE else None


def length_unit(text: str) -> str | None:
    """The name of a unit of length, where it is known that the text is one; None for another.

    Examples
    --------
    >>> length_unit("au"), length_unit("A"), length_unit("eV")
    ('bohr', 'angstrom', None)
    """
    name = text.strip().lower()
    found = _ALIASES.get(name, _OF_LENGTHS.get(name))
    return found if found in _PER_ANGSTROM else None


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
            raise AskedFor(f"unit: cannot convert {source!r} to {target!r}, only to: {known}")
    raise AskedFor(f"unit: cannot convert {source!r} to {target!r}")


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
        raise AskedFor(
            f"length_unit: expected one of {sorted(_PER_ANGSTROM)}, found {length_unit!r}"
        )
    return BOHR if name == "bohr" else 1.0 / _PER_ANGSTROM[name]
