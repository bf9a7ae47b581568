"""Chemical symbols and atomic numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np

__all__ = ["SYMBOLS", "numbers_of", "species_numbers", "symbol_of"]

# fmt: off
SYMBOLS: tuple[str, ...] = (
    "X", "H", "He", "Li", "Be", "B", "C", "N", "O", "F", "Ne", "Na", "Mg", "Al", "Si", "P", "S",
    "Cl", "Ar", "K", "Ca", "Sc", "Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Ga", "Ge",
    "As", "Se", "Br", "Kr", "Rb", "Sr", "Y", "Zr", "Nb", "Mo", "Tc", "Ru", "Rh", "Pd", "Ag", "Cd",
    "In", "Sn", "Sb", "Te", "I", "Xe", "Cs", "Ba", "La", "Ce", "Pr", "Nd", "Pm", "Sm", "Eu", "Gd",
    "Tb", "Dy", "Ho", "Er", "Tm", "Yb", "Lu", "Hf", "Ta", "W", "Re", "Os", "Ir", "Pt", "Au", "Hg",
    "Tl", "Pb", "Bi", "Po", "At", "Rn", "Fr", "Ra", "Ac", "Th", "Pa", "U", "Np", "Pu", "Am", "Cm",
    "Bk", "Cf", "Es", "Fm", "Md", "No", "Lr", "Rf", "Db", "Sg", "Bh", "Hs", "Mt", "Ds", "Rg", "Cn",
    "Nh", "Fl", "Mc", "Lv", "Ts", "Og",
)
# fmt: on
_NUMBER_OF = {symbol: number for number, symbol in enumerate(SYMBOLS)}


def numbers_of(species: Iterable[str | int]) -> list[int]:
    """Atomic numbers of chemical symbols; integers pass unchanged.

    Parameters
    ----------
    species : iterable of str or int
        Chemical symbols such as ``"C"``, or positive integers (above 118: the user's labels).

    Returns
    -------
    list of int

    Raises
    ------
    ValueError
        For an unknown symbol or a number below 1.
    TypeError
        For what is neither a text nor an integer.

    Examples
    --------
    >>> numbers_of(["H", "C", 8])
    [1, 6, 8]
    """
    numbers = []
    for item in species:
        if isinstance(item, str):
            if item not in _NUMBER_OF or item == "X":
                raise ValueError(f"species: expected a chemical symbol, found {item!r}")
            numbers.append(_NUMBER_OF[item])
            continue
        message = f"species: expected a chemical symbol or a positive integer, found {item!r}"
        if not isinstance(item, (int, np.integer)) or isinstance(item, bool):
            raise TypeError(message)
        if item < 1:
            raise ValueError(message)
        numbers.append(int(item))
    return numbers


def species_numbers(species: Any) -> list[int]:
    """Atomic numbers of the argument ``species``: one or more symbols or integers.

    Raises
    ------
    TypeError
        For what is no sequence of them: a single symbol or integer, a dictionary.
    ValueError
        For none at all, an unknown symbol or a number below 1.

    Examples
    --------
    >>> species_numbers(("O", 1))
    [8, 1]
    """
    expected = "species: expected a sequence of symbols or integers"
    single = isinstance(species, (str, bytes, Mapping)) or getattr(species, "ndim", 1) == 0
    if single or not isinstance(species, Collection):
        raise TypeError(f"{expected}, found {species!r}")
    if not len(species):
        raise ValueError(f"{expected}, one or more, found {species!r}")
    return numbers_of(species)


def symbol_of(number: int) -> str:
    """Chemical symbol of an atomic number; the number itself above 118.

    Examples
    --------
    >>> symbol_of(6), symbol_of(200)
    ('C', '200')
    """
    return SYMBOLS[number] if 0 < number < len(SYMBOLS) else str(number)
