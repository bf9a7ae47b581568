"""The figure of learning curves, and what the other figures share with it."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from molkern.datasets.units import unit_words
from molkern.report.curves import beyond, check, final, label, learnt_from, short
from molkern.report.style import RC, Mark, marks, number_ticks, spread
from molkern.study import Result

__all__ = ["error_axis", "inches", "keep_inside", "learning_curves", "log_axis", "saved"]

Marks = dict[tuple[str, str], Mark]

_WIDTH, _NARROW_WIDTH = 7.8, 3.9  # inches
_LETTER = 0.062  # inches; mean width of a letter of the words beside the curves


def learning_curves(result: Result, *, narrow: bool = False) -> Figure:
    """Mean absolute error against the number of training structures, both logarithmic.

    Parameters
    ----------
    result : Result
    narrow : bool, default=False
        For a phone: the names below the curves instead of beside their ends.

    Returns
    -------
    matplotlib.figure.Figure
        Error bars are the sample standard deviation over folds and seeds; none for a single run.
        Errors of zero are not drawn.

    Raises
    ------
    ValueError
        See :func:`molkern.report.curves.check`.
    """
    check(result)
    table = result.summary()
    style = _marks(table)
    with rc_context(RC):
        figure, axes, side = _canvas(final(result), narrow, height=4.3)
        for model, part in table.groupby(["representation", "kernel"], sort=False):
            _errorbar(axes, part["n_train"], part, style[model])
        sizes = sorted({float(n) for n in table["n_train"]})
        log_axis(axes, "x", sizes[0], sizes[-1], _apart(sizes, 0.11 if narrow else 0.075))
        axes.set_xlabel(f"Training structures N{learnt_from(result)}")
        error_axis(axes, table, str(result.frame["unit"].iloc[0]), beyond(result))
        _names(axes, side, final(result), style, narrow=narrow)
        keep_inside([axes])
    return figure


def _marks(table: pd.DataFrame) -> Marks:
    return marks(zip(table["representation"], table["kernel"], strict=True))


def _canvas(rows: pd.DataFrame, narrow: bool, *, height: float) -> tuple[Figure, Axes, Axes]:
    """Figure with axes for points and, beside or under them, axes for names; sizes in inches."""
    if narrow:
        width, left, right, key = _NARROW_WIDTH, 0.62, 0.12, 0.2 * len(rows) + 0.2
        total = height + key
        box = (left, key + 0.55, width - left - right, height - 0.7)
        words = (0.1, 0.0, width - 0.2, key)
    else:
        longest = max(len(label(row.representation, row.kernel)) for row in rows.itertuples())
        left, right = 0.72, min(1.25 + _LETTER * longest, 0.5 * _WIDTH)
        width, total = _WIDTH, height
        box = (left, 0.55, width - left - right, height - 0.7)
        words = (width - right, 0.55, right - 0.1, height - 0.7)
    figure = Figure(figsize=(width, total))
    axes = inches(figure, box)
    side = inches(figure, words)
    side.set_axis_off()
    return figure, axes, side


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


def _errorbar(axes: Axes, x: Any, part: pd.DataFrame, style: Mark) -> None:
    mean = part["mae"].to_numpy(dtype=float)
    scatter = np.nan_to_num(part["mae_std"].to_numpy(dtype=float))
    shown = (mean > 0) & np.isfinite(np.asarray(x, dtype=float))
    below = np.minimum(scatter, 0.9 * mean)  # a bar down to zero has no place on this axis
    bars = np.stack([below, scatter])[:, shown] if scatter.any() else None
    place = np.asarray(x, dtype=float)[shown]
    axes.errorbar(place, mean[shown], yerr=bars, capsize=2.0, elinewidth=1.0, **style)


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
    small = 8.0 if _size(axes)[1] > 3.0 else 7.0  # a longer label, and how high the axes are
    words = f"Mean absolute error{tested_on} ({unit_words(unit)})"
    axes.set_ylabel(words, fontsize=small if tested_on else None)
    table = table[table["mae"] > 0]
    low, high = 0.5, 2.0
    if len(table):
        scatter = table["mae_std"].fillna(0.0)
        low = float(np.maximum(table["mae"] - scatter, 0.1 * table["mae"]).min()) / 1.06
        high = float((table["mae"] + scatter).max()) * 1.06
    log_axis(axes, "y", low, high, number_ticks(low, high, at_least=4))


def _apart(values: Sequence[float], share: float) -> list[float]:
    """Values that are apart by at least a share of the logarithmic range; both ends stay."""
    if len(values) < 3:
        return list(values)
    gap = share * math.log(values[-1] / values[0])
    kept = [values[0]]
    for value in values[1:-1]:
        if min(math.log(value / kept[-1]), math.log(values[-1] / value)) >= gap:
            kept.append(value)
    return [*kept, values[-1]]


def _names(axes: Axes, side: Axes, rows: pd.DataFrame, style: Marks, *, narrow: bool) -> None:
    """Mark, name and error of every model: under the axes, or beside them.

    Beside the axes a name stands where its curve ends; names that would overlap are moved apart,
    and joined to the end by a thin line.
    """
    width, height = _size(side)
    errors = rows["mae"].to_numpy(dtype=float)
    if narrow:
        step = 0.2 / height
        starts = places = [1.0 - 0.5 * step - 0.1 / height - k * step for k in range(len(rows))]
    else:
        low, high = np.log(axes.get_ylim())
        starts = list((np.log(np.maximum(errors, math.exp(low))) - low) / (high - low))
        places = spread(starts, 0.175 / height, 0.02, 0.98)
    side.set_xlim(0, width)
    side.set_ylim(0, 1)
    begin = 0.05 if narrow else 0.32
    for row, start, place in zip(rows.itertuples(), starts, places, strict=True):
        mark = style[row.representation, row.kernel]
        if not narrow:
            ends = {"color": mark["color"], "linewidth": 0.9}
            side.add_line(Line2D([0.03, begin - 0.05], [start, place], **ends))
        sample = {**mark, "markersize": 4.5, "linewidth": 1.2}
        side.plot([begin, begin + 0.18, begin + 0.36], [place] * 3, markevery=[1], **sample)
        words = label(row.representation, row.kernel)
        side.text(begin + 0.45, place, words, va="center", fontsize=8.0)
        side.text(width, place, short(row.mae), va="center", ha="right", fontsize=8.0)


def _size(axes: Axes) -> tuple[float, float]:
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
