"""Symbols as files have them: in any case, isotopes of hydrogen, dummy atoms."""

from __future__ import annotations

from molkern.datasets.contents import DUMMY, ISOTOPES
from molkern.elements import SYMBOLS

__all__ = ["CODES", "code_of"]

_DUMMIES = ("X", "Xx", "XX", "Du", "DU", "du", "Bq", "BQ", "Gh", "GH", "LP", "Lp", "EP", "MW", "M")
_KNOWN = {symbol: number for number, symbol in enumerate(SYMBOLS) if number} | ISOTOPES
_SPELLED = {form: code for symbol, code in _KNOWN.items()
            for form in (symbol.lower(), symbol.upper())}  # fmt: skip
# Atomic numbers, `DUMMY`, or codes of `ISOTOPES`, in the spellings that files have.
CODES: dict[str, int] = dict.fromkeys(_DUMMIES, DUMMY) | _SPELLED | _KNOWN


def code_of(symbol: str) -> int:
    """The code of a symbol; blanks around it do not count.

    Raises
    ------
    ValueError
        If it is none.

    Examples
    --------
    >>> code_of("CL"), code_of("X")
    (17, 0)
    """
    found = CODES.get(symbol.strip())
    if found is None:
        raise ValueError(f"species: expected a chemical symbol, found {symbol!r}")
    return found
