"""Units of energies and lengths, by name."""

from __future__ import annotations

from molkern.datasets.errors import AskedFor
from molkern.datasets.spellings import ENERGIES_BY_NAME, LENGTHS_BY_NAME, split_unit

__all__ = [
    "ATOMIC",
    "BOHR",
    "ENERGIES",
    "LENGTHS",
    "UNKNOWN",
    "conversion_factor",
    "energy_unit",
    "force_unit",
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
    "J/mol": 2625499.6394799,
}
ENERGIES = tuple(_PER_HARTREE)
_PER_ANGSTROM = {"angstrom": 1.0, "bohr": 1.0 / BOHR, "nm": 0.1, "pm": 100.0}
LENGTHS = tuple(_PER_ANGSTROM)
_NAMES = ENERGIES_BY_NAME | LENGTHS_BY_NAME
# Atomic units, and letters, mean something only where the kind of quantity is known.
ATOMIC = (
    "a.u.",
    "au",
    "a.u",
    "a. u.",
    "atomic",
    "atomic units",
    "atomic unit",
    "atomic_units",
    "atomic_unit",
)
_OF_ENERGIES = {**dict.fromkeys(ATOMIC, "hartree"), "h": "hartree"}
_OF_LENGTHS = {**dict.fromkeys(ATOMIC, "bohr"), "a": "angstrom"}


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
    parts = split_unit(text)
    if len(parts) == 1:
        return _NAMES.get(parts[0], text)
    if len(parts) == 2:
        first, last = energy_unit(parts[0]), length_unit(parts[1])
        if first and (last or parts[1] in ("atom", "atoms")):
            return f"{first}/{last or 'atom'}"
    return text


def energy_unit(text: str) -> str | None:
    """The name of a unit of energy, where it is known that the text is one; None for another.

    Examples
    --------
    >>> energy_unit("a.u."), energy_unit("Ha"), energy_unit("kJ mol-1"), energy_unit("debye")
    ('hartree', 'hartree', 'kJ/mol', None)
    """
    name = text.strip().lower()
    parts = split_unit(name)
    # A kilocalorie of one molecule is no unit that anybody uses.
    whole = {"kcal": "kcal/mol", "kj": "kJ/mol"} | _OF_ENERGIES | ENERGIES_BY_NAME
    return whole.get(name, whole.get(parts[0]) if len(parts) == 1 else None)


def length_unit(text: str) -> str | None:
    """The name of a unit of length, where it is known that the text is one; None for another.

    Examples
    --------
    >>> length_unit("au"), length_unit("A"), length_unit("Bohr radius"), length_unit("eV")
    ('bohr', 'angstrom', 'bohr', None)
    """
    name = text.strip().lower()
    return LENGTHS_BY_NAME.get(name, _OF_LENGTHS.get(name))


def force_unit(text: str) -> str:
    """The name of a unit of forces, where it is known that the text is one; or the text.

    Examples
    --------
    >>> force_unit("a.u."), force_unit("kcal/(mol*A)"), force_unit("eV A^-1"), force_unit("N")
    ('hartree/bohr', 'kcal/mol/angstrom', 'eV/angstrom', 'N')
    """
    return "hartree/bohr" if text.strip().lower() in ATOMIC else unit_name(text)


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

    Energies (`ENERGIES`), lengths (`LENGTHS`) and energies per length are converted. Constants:
    CODATA 2022.

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
