"""Files that commands are given: the options of reading them, and a bar while they are read."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from molkern import terminal_bars

if TYPE_CHECKING:
    from molkern.datasets import Dataset

__all__ = [
    "LengthUnit",
    "MaxBytes",
    "Property",
    "SkipDummies",
    "SkipMissing",
    "Species",
    "Unit",
    "check_registered",
    "load",
]

_SPECIES = (
    "Elements of the types 1, 2, ... where a file has types instead of elements, e.g. Si,O; "
    "numbers: what look like types are atomic numbers."
)

Property = Annotated[
    str | None,
    typer.Option(help="What is learnt: its name in the file. Default: the energy."),
]
Unit = Annotated[
    str | None,
    typer.Option(
        help="Unit of the property, e.g. eV: converts if the file states its unit, else states it. "
        "For an energy: hartree, eV, meV, kcal/mol, kJ/mol, J/mol, Ry, cm-1, mHa."
    ),
]
LengthUnit = Annotated[
    str | None,
    typer.Option(help="Unit of the positions, if the file does not say: angstrom, bohr, nm, pm."),
]
Species = Annotated[str | None, typer.Option(help=_SPECIES)]
SkipMissing = Annotated[
    bool, typer.Option("--skip-missing", help="Leave out structures that lack the property.")
]
SkipDummies = Annotated[
    bool, typer.Option("--skip-dummies", help="Leave out dummy atoms such as X.")
]
MaxBytes = Annotated[
    int | None,
    typer.Option(help="Memory for reading. Default: three times the bytes on disk plus 64 MB."),
]


def load(data: str, *, species: str | None = None, **options: Any) -> Dataset:
    """The data set of a name or a file, as `molkern.datasets.load` with a bar; texts as given.

    Raises
    ------
    ValueError
        As `molkern.datasets.load`; a name that is neither a data set nor a file gets a hint.
    """
    from molkern import datasets

    if not Path(data).exists() and not Path(data).suffix and len(Path(data).parts) == 1:
        check_registered(data)
    elements: list[str] | None = None
    if species is not None:
        elements = [name.strip() for name in species.split(",") if name.strip()]
        if not elements:
            raise ValueError(f"--species: expected elements with commas, found {species!r}")
    with terminal_bars.ReadingBar() as bar:
        return datasets.load(data, species=elements, progress=bar, **options)


def check_registered(name: str) -> None:
    """Raise for a name that is neither a data set nor, by its look, a file."""
    from molkern import datasets

    known = [line.name for line in datasets.available()]
    key = name.lower().replace("_", "-")
    if key in known or key.removesuffix("-acid") in known:
        return
    near = difflib.get_close_matches(key, known, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else '; "molkern data list" names them'
    raise ValueError(f"no data set or file {name!r}{hint}")
