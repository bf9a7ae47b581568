"""What the figures share: axes, ticks, places, and their content as a file."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import cast

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from molkern.datasets.units import unit_words
from molkern.report.style import RC, number_ticks

__all__ = ["error_axis", "inches", "keep_inside", "log_axis", "plain", "saved", "size_of"]


def inches(figure: Figure, box: tuple[float, float, float, float]) -> Axes:
    """New axes at (left, bottom, width, height) in inches."""
    width, height = figure.get_size_inches()
    return figure.add_axes((box[0] / width, box[1] / height, box[2] / width, box[3] / height))


def keep_inside(panels: Sequence[Axes]) -> None:
    """Take from the left of axes what the words beside them lack; they would be cut."""
    figure = cast(Figure, panels[0].get_figure())
    figure.draw_without_rendering()
    width = figure.get_size_inches()[0] * figure.dpi
    for axes in panels:
        lacking = 0.01 - axes.yaxis.label.get_window_extent().x0 / width
        if axes.get_ylabel() and lacking > 0:
            box = axes.get_position()
            axes.set_position((box.x0 + lacking, box.y0, box.width - lacking, box.height))


def log_axis(axes: Axes, which: str, low: float, high: float, ticks: Sequence[float]) -> None:
    """A logarithmic axis from ``low`` to ``high`` and a margin, ticks as plain numbers."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    margin = 0.04 * math.log(high / low) if high > low else math.log(2.0)
    limits = low * math.exp(-margin), high * math.exp(margin)
    (axes.set_xlim if which == "x" else axes.set_ylim)(*limits)
    axis.set_major_locator(FixedLocator(list(ticks)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.10g}"))


def error_axis(axes: Axes, table: pd.DataFrame, unit: str, tested_on: str = "") -> None:
    """A logarithmic axis for ``mae`` and ``mae_std`` of the table; ``tested_on``: see `beyond`."""
    small = 8.0 if size_of(axes)[1] > 3.0 else 7.0  # a longer label, and how high the axes are
    words = plain(f"Mean absolute error{tested_on} ({unit_words(unit)})")
    axes.set_ylabel(words, fontsize=small if tested_on else None)
    table = table[table["mae"] > 0]
    low, high = 0.5, 2.0
    if len(table):
        scatter = table["mae_std"].fillna(0.0)
        low = float(np.maximum(table["mae"] - scatter, 0.1 * table["mae"]).min()) / 1.06
        high = float((table["mae"] + scatter).max()) * 1.06
    log_axis(axes, "y", low, high, number_ticks(low, high, at_least=4))


def plain(text: str) -> str:
    """Text that matplotlib draws as it is: names of files may hold what it takes for formulas.

    Examples
    --------
    >>> print(plain("a$b$"))
    a\\$b\\$
    """
    return text.replace("$", r"\$")


def size_of(axes: Axes) -> tuple[float, float]:
    """Width and height of axes in inches."""
    figure = cast(Figure, axes.get_figure())
    width, height = figure.get_size_inches() * axes.get_position().size
    return float(width), float(height)


def saved(figure: Figure, form: str) -> bytes:
    """Content of a file, the same for the same figure."""
    buffer = io.BytesIO()
    metadata = {"Date": None} if form == "svg" else {"Software": None}
    with rc_context(RC):
        figure.savefig(buffer, format=form, metadata=metadata)
    return buffer.getvalue()
