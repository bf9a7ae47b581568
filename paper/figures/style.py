"""How the figures of the paper look: the style of the reports at the size of a printed page.

A representation has the same colour and marker in every figure, a kernel its line style and the
filling of the marker, so that everything can be read in grey. What other people published is black.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import sources
from molkern.report import style as reports
from molkern.report.curves import KERNEL_NAMES

__all__ = ["COLUMN", "PAGE", "RC", "legend", "letter", "look", "model_name", "save", "short_name"]

PAGE, COLUMN = 6.85, 3.31  # inches; widths in molkern.tex

RC: Any = {  # Any: as in the style of the reports
    **reports.RC,
    "font.size": 7.5,
    "axes.labelsize": 7.5,
    "axes.titlesize": 7.5,
    "axes.titlelocation": "left",
    "axes.linewidth": 0.6,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.fontsize": 6.7,
    "lines.linewidth": 1.1,
    "lines.markersize": 3.8,
    "pdf.fonttype": 42,
    "savefig.dpi": 220,
}
# Names in the figures and tables; the order decides colours and markers.
SHORT = {
    "Coulomb matrix (sorted)": "Coulomb, sorted",
    "Coulomb matrix (random, 8 copies)": "Coulomb, random",
    "Coulomb matrix (eigenspectrum)": "Coulomb, spectrum",
    "Bag of bonds": "Bag of bonds",
    "ACSF (8 G2, 16 G4, sum)": "ACSF",
    "AEV (ANI-2x, sum)": "AEV",
    "SOAP (2.5 Å, sum)": "SOAP",
    "Coulomb matrix (unsorted)": "Coulomb, unsorted",
}
ATOM_BY_ATOM = "SOAP (3.5 Å)"
_KERNELS = ("laplacian", "gaussian")
_MARKS = reports.marks([(name, kernel) for name in SHORT for kernel in _KERNELS])
# The same representation as the summed SOAP, compared otherwise.
_ATOM_BY_ATOM = {
    **_MARKS["SOAP (2.5 Å, sum)", "laplacian"],
    "marker": "*",
    "markersize": 6.0,
    "linestyle": (0, (1, 1.2)),
}


def look(representation: str, kernel: str = "laplacian") -> dict[str, Any]:
    """Keyword arguments of ``Axes.plot`` for a model."""
    if representation == ATOM_BY_ATOM:
        return dict(_ATOM_BY_ATOM)
    return {**_MARKS[representation, kernel], "markeredgewidth": 0.9}


def short_name(representation: str) -> str:
    """Words for a representation."""
    return "SOAP, atom by atom" if representation == ATOM_BY_ATOM else SHORT[representation]


def model_name(representation: str, kernel: str) -> str:
    """Words for a model."""
    if representation == ATOM_BY_ATOM:
        return short_name(representation)
    return f"{short_name(representation)}, {KERNEL_NAMES[kernel]}"


def legend(figure: Figure, entries: Iterable[tuple[str, dict[str, Any]]], **options: Any) -> None:
    """Names under the axes."""
    named = dict(entries)
    handles = [Line2D([], [], **marks) for marks in named.values()]
    given = {"loc": "lower center", "frameon": False, "handlelength": 2.8, "borderaxespad": 0.1}
    figure.legend(handles, list(named), **{**given, "columnspacing": 1.1, **options})


def letter(axes: Axes, place: int, words: str) -> None:
    """Title of a panel: (a), (b), ..."""
    axes.set_title(f"({chr(ord('a') + place)}) {words}")


def save(figure: Figure, name: str) -> list[Path]:
    """Write ``name.pdf`` and ``name.png``; the same figure gives the same files."""
    sources.BUILD.mkdir(parents=True, exist_ok=True)
    paths = [sources.BUILD / f"{name}.{form}" for form in ("pdf", "png")]
    with rc_context(RC):
        figure.savefig(paths[0], metadata={"CreationDate": None})
        figure.savefig(paths[1], metadata={"Software": None})
    return paths
