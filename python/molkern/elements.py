"""Chemical symbols and atomic numbers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import numpy as np

from molkern._arrays import unmasked

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
# Isotopes that have symbols of their own are hydrogen.
_NUMBER_OF = {symbol: number for number, symbol in enumerate(SYMBOLS) if number} | {"D": 1, "T": 1}


def numbers_of(species: Iterable[str | int]) -> list[int]:
    """Atomic numbers of chemical symbols; integers pass unchanged.

    Parameters
    ----------
    species : iterable of str or int
        Chemical symbols such as ``"C"``, also as files have them (``"CL"``, ``"cl"``, bytes), or
        positive integers (above 118: the user's labels). ``"D"`` and ``"T"`` are hydrogen.

    Returns
    -------
    list of int

    Raises
    ------
    ValueError
        For an unknown symbol, a number below 1, or a masked array.
    TypeError
        For what is neither a text nor an integer.

    Examples
    --------
    >>> numbers_of(["H", "C", 8, "CL", "D"])
    [1, 6, 8, 17, 1]
    """
    return named_numbers("species", unmasked("species", species))


def named_numbers(
    name: str, items: Iterable[Any], place: Callable[[int], str] | None = None
) -> list[int]:
    """As `numbers_of`, for another argument; ``place`` has the words for an item, for errors."""
    numbers = []
    for k, item in enumerate(items):
        number = _NUMBER_OF.get(item) if isinstance(item, str) else None
        numbers.append(_number(name, k, item, place) if number is None else number)
    return numbers


def _number(name: str, k: int, item: Any, place: Callable[[int], str] | None) -> int:
    """The number of an item that is no symbol as it should be written."""
    where = "" if place is None else f" for {place(k)}"
    if isinstance(item, str | bytes):
        text = item.decode("ascii", "replace") if isinstance(item, bytes) else item
        number = _NUMBER_OF.get(text.strip().capitalize())
        if number is None:
            raise ValueError(f"{name}: expected a chemical symbol, found {text!r}{where}")
        return number
    message = f"{name}: expected a chemical symbol or a positive integer, found {item!r}{where}"
    if not isinstance(item, int | np.integer) or isinstance(item, bool):
        raise TypeError(message)
    if item < 1:
        raise ValueError(message)
    return int(item)


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
