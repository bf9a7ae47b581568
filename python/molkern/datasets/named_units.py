"""Units that names carry: ``energy_eV``, ``E (Hartree)``, ``U0_kcal_mol``, ``forces[eV/A]``."""

from __future__ import annotations

import re
from functools import lru_cache

from molkern.datasets.units import ATOMIC, energy_unit, length_unit, unit_name

__all__ = ["is_unit", "split_name"]

_BRACKETS = re.compile(r"(.*?[^\s_])[\s_]*[(\[{]\s*(?:in\s+)?(.+?)\s*[)\]}]\s*")
_SLASH = re.compile(r"(.*?\S)\s*/\s*(\S.*)")
_LAST_WORD = re.compile(r"(.+?)[\s_]+(?:in[\s_]+)?(\S+/\S+)")  # energy_kcal/mol
_BEFORE = ("hartree", "ev", "mev", "kcal", "kj", "rydberg", "ryd")  # hartree_energy
_LONGEST = 100  # letters of a name that may carry a unit
_MOST_WORDS = 5  # of a unit: kcal per mol per angstrom
_OTHERS = frozenset(
    "debye ghz fs ps k gpa bar kbar bohr^2 bohr^3 a0^2 a0^3 angstrom^3 ang^3 a^3 e*ang e*a".split()
)
# Letters that mean a unit only where a slash or a bracket says that one follows.
_LETTERS = frozenset("a h s k d j e".split())


def is_unit(text: str) -> bool:
    """Whether a text is a unit that values in such files have.

    Examples
    --------
    >>> is_unit("Ha"), is_unit("eV/A"), is_unit("a.u."), is_unit("B3LYP")
    (True, True, True, False)
    """
    first, slash, last = unit_name(text).rpartition("/") if text.strip() else ("", "", "")
    return bool(
        energy_unit(text)
        or length_unit(text)
        or (slash and energy_unit(first) and (length_unit(last) or last == "atom"))
        or re.fullmatch(r"ev/(a|å|ang|angstrom)(\^|\*\*)?3", text.strip().lower())
        or text.strip().lower() in _OTHERS
    )


@lru_cache(maxsize=4096)
def split_name(name: str) -> tuple[str, str]:
    """A name without the unit that it carries, and the unit; empty if it carries none.

    Examples
    --------
    >>> split_name("energy_kcal_mol"), split_name("E (Hartree)"), split_name("REF_energy")
    (('energy', 'kcal/mol'), ('E', 'Hartree'), ('REF_energy', ''))
    >>> split_name("E / eV"), split_name("forces_eV_per_A"), split_name("energy_in_Ha")
    (('E', 'eV'), ('forces', 'ev/a'), ('energy', 'ha'))
    """
    if len(name) > _LONGEST:
        return name, ""
    for pattern in (_BRACKETS, _LAST_WORD, _SLASH) if re.search(r"[/(\[{]", name) else ():
        match = pattern.fullmatch(name.strip())
        if match is not None and is_unit(match[2]) and not is_unit(name):
            return match[1], match[2]
    plain = re.sub(r"k(J|Cal)", lambda match: f"k{match[1].lower()}", name)
    spaced = re.sub(r"(?<=[a-ln-z0-9])(?=[A-Z][a-z]|m?eV$|EV$|kcal|kj)", "_", plain)
    words = [word for word in re.split(r"[_\s]+|(?<=\D)\.|\.(?=\D)|-(?=\D)", spaced) if word]
    for count in range(min(_MOST_WORDS, len(words) - 1), 0, -1):
        unit = _unit_of([word.lower() for word in words[-count:]])
        if unit:
            rest = words[: len(words) - count]
            rest = rest[:-1] if len(rest) > 1 and rest[-1].lower() == "in" else rest
            return "_".join(rest), unit
    if len(words) > 1 and words[0].lower() in _BEFORE:
        return "_".join(words[1:]), words[0].lower()
    return name, ""


def _unit_of(words: list[str]) -> str:
    """The unit that words spell, or nothing."""
    if words[0] in ("per", "mol", "in") or (len(words) == 1 and words[0] in _LETTERS):
        return ""
    text = " ".join(words).replace(" per ", "/")
    if text in ("a u", *ATOMIC):
        return "a.u."
    if len(words) > 1 and "/" not in text:
        # kcal_mol_A: the slashes are left out.
        text = text.replace(" ", "/")
    return text if is_unit(text) else ""
