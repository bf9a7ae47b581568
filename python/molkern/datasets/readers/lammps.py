"""What atoms are in LAMMPS files: elements, guesses from masses, or types."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np

from molkern.datasets.contents import DUMMY, Contents
from molkern.datasets.readers.comment_items import decoded
from molkern.datasets.readers.pieces import opened

__all__ = ["DUMPS", "add_elements", "check_counts", "is_data", "types_of"]

DUMPS = ("lammps-dump-text", "lammps-dump-binary")
TYPES = "the file calls atoms by numbers of types, not by elements"
_ALL_CARBON = (
    "the column element has C for atoms of several types, as LAMMPS writes it where no dump_modify "
    "element says otherwise: only the types count"
)
_MOST_LINES = 10_000
_HEADER = re.compile(
    rb"^[ \t]*\d+[ \t]+atoms\b.*^[ \t]*[-+\d.eE]+\s+[-+\d.eE]+\s+xlo\s+xhi", re.M | re.S
)


def is_data(start: bytes) -> bool:
    """Whether a text begins as the data files of LAMMPS do."""
    return _HEADER.search(start) is not None


def check_counts(path: Path) -> None:
    """Raise if a frame of a dump has other than as many atoms as it declares.

    ASE makes as many lines as are declared, where there are none, and leaves out empty ones.

    Raises
    ------
    ValueError
        Names the line.
    """
    declared, found, begin, expects = 0, 0, 0, False

    def check() -> None:
        if begin and found != declared:
            raise ValueError(f"line {begin}: expected {declared} atoms, found {found} (truncated?)")

    with path.open("rb") as raw, opened(raw) as file:
        for number, line in enumerate(file, 1):
            if expects:
                words = line.split()
                declared = int(words[0]) if words and words[0].isdigit() else -1
                expects = False
            elif line.startswith(b"ITEM:"):
                check()
                begin, found = number if line.startswith(b"ITEM: ATOMS") else 0, 0
                expects = line.startswith(b"ITEM: NUMBER OF ATOMS")
            elif line.strip():
                found += 1
    check()


def types_of(frame: Any) -> Any:
    """Types of the atoms of a frame of ASE, where it has kept them."""
    return frame.arrays.get("type")


def add_elements(contents: Contents, path: Path, kind: str, types: list[Any]) -> None:
    """Say what the numbers of atoms are.

    Parameters
    ----------
    contents : Contents
    path : Path
    kind : str
        ASE's name of the format.
    types : list
        Of `types_of`, for each frame.
    """
    contents.sources["numbers"] = "type"
    with path.open("rb") as raw, opened(raw) as file:
        lines = [decoded(line) for line in itertools.islice(file, _MOST_LINES)]
    head = next((line for line in lines if line.startswith("ITEM: ATOMS")), "").split()
    known = [np.asarray(t, np.int64) for t in types if t is not None]
    whole = np.concatenate(known) if known and len(known) == len(types) else None
    if kind == "lammps-data" and any(line.startswith("Masses") for line in lines):
        _guessed(contents, "of the section Masses")
    elif kind == "lammps-dump-text" and "element" in head:
        several = whole is not None and len(np.unique(whole)) > 1
        contents.types = _ALL_CARBON if several and (contents.numbers == 6).all() else ""
        contents.sources["numbers"] = "element"
    elif kind == "lammps-dump-text" and "mass" in head:
        _guessed(contents, "in the column mass")
    else:
        contents.types = TYPES
    if contents.types and whole is not None:
        contents.numbers, contents.sources["numbers"] = whole, "type"


def _guessed(contents: Contents, where: str) -> None:
    """Elements by masses; a mass of 1 is ASE's of no element, and hydrogen's among others."""
    unknown = contents.numbers == DUMMY
    if unknown.all():
        contents.types = f"{TYPES}, whose masses, {where}, are those of no element"
        return
    contents.numbers[unknown] = 1
    contents.sources["numbers"] = "mass"
    contents.notes.append(f"elements are those whose masses, {where}, are nearest, as ASE tells")
