"""How every figure looks: one dictionary of settings, one mark per representation and kernel.

A representation keeps its colour and its marker, a kernel its line style and the filling of the
marker, so that the figures can be read in grey and by readers who do not see all colours.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

__all__ = ["INK", "PAPER", "RC", "Mark", "marks", "number_ticks", "spread"]

INK = "#1b1d1f"  # text and axes; the page replaces it by the colour of its own text
PAPER = "#fdfefd"  # inside of hollow markers; the page replaces it by its own background

# Okabe and Ito, Color Universal Design (2008): distinct for colour-blind readers; mid-tones that
# can be seen on white and on black.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b58900", "#56b4e9", "#8c6bb1", "#777777")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "h")
_LINES: Mapping[str, Any] = {
    "laplacian": "-",
    "gaussian": (0, (5, 2)),
    "linear": (0, (1, 1.5)),
    "polynomial": (0, (5, 1.5, 1, 1.5)),
}

RC: Any = {  # Any: older matplotlib wants text as keys, newer the literal names
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.labelsize": 9.0,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.which": "major",
    "axes.axisbelow": True,
    "grid.color": "#9aa0a6",
    "grid.alpha": 0.35,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "lines.linewidth": 1.6,
    "lines.markersize": 5.5,
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "svg.fonttype": "none",  # text stays text: it can be selected, searched and edited
    "svg.hashsalt": "molkern",  # the same figure gives the same file
}


class Mark(dict[str, Any]):
    """Keyword arguments of ``Axes.plot`` that draw one model."""


def marks(models: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Mark]:
    """Colour, marker and line style of each model.

    Parameters
    ----------
    models : iterable of (representation, kernel)
        Representations get their colour and marker in the order of first appearance.

    Returns
    -------
    dict from (representation, kernel) to keyword arguments of ``matplotlib.axes.Axes.plot``
    """
    models = list(dict.fromkeys(models))
    representations = list(dict.fromkeys(representation for representation, _ in models))
    kernels = [*_LINES, *dict.fromkeys(kernel for _, kernel in models if kernel not in _LINES)]
    result = {}
    for representation, kernel in models:
        place = representations.index(representation)
        colour = _COLOURS[place % len(_COLOURS)]
        hollow = kernels.index(kernel) % 2 == 1
        result[representation, kernel] = Mark(
            color=colour,
            marker=_MARKERS[place % len(_MARKERS)],
            linestyle=_LINES.get(kernel, "-."),
            markerfacecolor=PAPER if hollow else colour,
            markeredgecolor=colour,
            markeredgewidth=1.3,
        )
    return result


def number_ticks(low: float, high: float, *, at_least: int = 3) -> list[float]:
    """Round numbers inside [low, high] for a logarithmic axis.

    Parameters
    ----------
    low, high : float
        Ends of the axis, 0 < low < high.
    at_least : int, default=3
        The coarsest of 1, 10, 100 / 1, 3, 10 / 1, 2, 5, 10 / ... with so many ticks is taken.

    Returns
    -------
    list of float
        Ascending. Evenly spaced numbers where the axis spans a small part of a decade.
    """
    if not 0.0 < low < high < math.inf:
        raise ValueError(f"low and high must satisfy 0 < low < high, found {low} and {high}")
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for mantissas in ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)):
        found = [m * 10.0**d for d in decades for m in mantissas]
        found = [float(f"{value:.3g}") for value in found if low <= value <= high]
        if len(found) >= at_least:
            return found
    step = 10.0 ** math.floor(math.log10(high - low))
    for factor in (2.0, 1.0, 0.5, 0.2, 0.1):
        first, last = math.ceil(low / (step * factor)), math.floor(high / (step * factor))
        if last - first + 1 >= at_least:
            return [float(f"{k * step * factor:.12g}") for k in range(first, last + 1)]
    return [low, high]


def spread(places: Iterable[float], gap: float, low: float, high: float) -> list[float]:
    """Move labels apart until neighbours are at least ``gap`` away from each other.

    Parameters
    ----------
    places : iterable of float
        Wanted places, in any order.
    gap : float
        Smallest distance of two labels, > 0. Reduced when the labels do not fit into the range.
    low, high : float
        Range that the labels stay inside.

    Returns
    -------
    list of float
        Places in the order given, as near to the wanted ones as least squares allows.
    """
    wanted = np.asarray(list(places), dtype=float)
    if wanted.size == 0:
        return []
    if wanted.size > 1:
        gap = min(gap, (high - low) / (wanted.size - 1))
    order = np.argsort(wanted, kind="stable")
    # With the gaps subtracted the order must be non-decreasing: pool neighbours that violate it.
    shifted = wanted[order] - gap * np.arange(wanted.size)
    blocks: list[list[float]] = []  # mean, count
    for value in shifted:
        blocks.append([float(value), 1.0])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, count = blocks.pop()
            blocks[-1] = [
                (blocks[-1][0] * blocks[-1][1] + mean * count) / (blocks[-1][1] + count),
                blocks[-1][1] + count,
            ]
    pooled = np.repeat([mean for mean, _ in blocks], [int(count) for _, count in blocks])
    pooled = np.clip(pooled, low, high - gap * (wanted.size - 1))
    result = np.empty_like(wanted)
    result[order] = pooled + gap * np.arange(wanted.size)
    return [float(value) for value in result]
