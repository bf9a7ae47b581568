"""Spellings of units: ``kcal mol^-1``, ``kJ/mole``, ``eV Å⁻¹`` and others, in one form."""

from __future__ import annotations

import re

__all__ = ["ENERGIES_BY_NAME", "LENGTHS_BY_NAME", "split_unit"]

# Names of units in lower case, in any context.
ENERGIES_BY_NAME = {
    "hartree": "hartree",
    "hartrees": "hartree",
    "ha": "hartree",
    "eh": "hartree",
    "e_h": "hartree",
    "ev": "eV",
    "evs": "eV",
    "electronvolt": "eV",
    "electronvolts": "eV",
    "electron volt": "eV",
    "electron volts": "eV",
    "mev": "meV",
    "millielectronvolt": "meV",
    "kcal/mol": "kcal/mol",
    "kj/mol": "kJ/mol",
    "j/mol": "J/mol",
    "ry": "Ry",
    "rydberg": "Ry",
    "rydbergs": "Ry",
    "ryd": "Ry",
    "cm-1": "cm-1",
    "1/cm": "cm-1",
    "cm1": "cm-1",
    "wavenumber": "cm-1",
    "wavenumbers": "cm-1",
    "meh": "mHa",
    "mha": "mHa",
    "millihartree": "mHa",
    "millihartrees": "mHa",
}
LENGTHS_BY_NAME = {
    "angstrom": "angstrom",
    "angstroms": "angstrom",
    "ang": "angstrom",
    "angs": "angstrom",
    "ångström": "angstrom",
    "ångstrom": "angstrom",
    "å": "angstrom",
    "\N{ANGSTROM SIGN}": "angstrom",
    "bohr": "bohr",
    "bohrs": "bohr",
    "bohr radius": "bohr",
    "atomic_unit_of_length": "bohr",
    "atomic unit of length": "bohr",
    "angstrom (a)": "angstrom",
    "10^-10 m": "angstrom",
    "bohr radii": "bohr",
    "a0": "bohr",
    "a_0": "bohr",
    "nm": "nm",
    "nanometer": "nm",
    "nanometers": "nm",
    "pm": "pm",
    "picometer": "pm",
    "picometers": "pm",
}
_WORDS = (
    (r"[_ ]per[_ ]", "/"),
    (r"kilo-?calor(y|ies|ie)", "kcal"),
    (r"kilo-?joules?", "kj"),
    (r"\bjoules?\b", "j"),
    (r"(?<=[a-z/])\s*/\s*(particle|molecule|structure|frame|cell|unit cell)\b", ""),
    (r"\bmilli-", "milli"),
    (r"\bmoles?\b", "mol"),
    (r"(?<=[a-z]{2})\.(?=[a-z])", " "),
    (r"⁻¹|(\^|\*\*)\s*\(?\s*[-−]\s*1(\s*\))?|−1", "-1"),
    (r"[·⋅*]", " "),
    (r"\s*/\s*", "/"),
    (r"^(hartrees?|ha|eh|ev)/mol$", r"\1"),
    (r"\bmol[-.](?=[a-zå])", "mol "),
    (r"\.$", ""),
    (r"\s+", " "),
)  # fmt: skip


def split_unit(text: str) -> list[str]:
    """A unit as what it is, and what it is divided by, in lower case: energy first.

    Examples
    --------
    >>> split_unit("kcal mol^-1"), split_unit("kJ/(mol·Å)"), split_unit("eV Å⁻¹")
    (['kcal/mol'], ['kj/mol', 'å'], ['ev', 'å'])
    >>> split_unit("cm-1"), split_unit("kcal")
    (['cm-1'], ['kcal'])
    """
    spelled = text.strip().lower()
    for pattern, form in _WORDS:
        spelled = re.sub(pattern, form, spelled)
    spelled = re.sub(r"^(kcal|kj|j)[_-]?(?:per)?[_-]?mol(?!\w)", r"\1/mol", spelled.strip(" []"))
    if spelled in ENERGIES_BY_NAME or spelled in LENGTHS_BY_NAME:
        return [spelled]
    # Each word after a slash, in brackets after it or to the power of -1 divides.
    first, *below = re.split(r"/", spelled.replace("(", " ").replace(")", " "))
    above = [word for word in first.split() if not word.endswith("-1")]
    divided = [word.removesuffix("-1") for word in first.split() if word.endswith("-1")]
    divided += [word.removesuffix("-1") for part in below for word in part.split()]
    parts = [*above, *divided]
    if parts and parts[0] in ("kcal", "kj", "j") and "mol" in parts:
        parts = [f"{parts[0]}/mol", *(part for part in parts[1:] if part != "mol")]
    return parts if len(above) == 1 else [spelled]
