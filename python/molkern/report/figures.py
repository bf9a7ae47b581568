"""The two figures of a comparison: learning curves, and cost against error."""

from __future__ import annotations

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

from molkern.report.curves import STAGES, check, final, label, microseconds, short
from molkern.report.style import INK, RC, Mark, marks, number_ticks, spread
from molkern.study import Result

__all__ = ["cost", "learning_curves"]

Marks = dict[tuple[str, str], Mark]

_WIDTH, _NARROW_WIDTH = 7.8, 3.9  # inches
_LETTER = 0.062  # inches; mean width of a letter of the words beside the curves
_STAGE_FACES = {
    "representation": ("#0b4f7d", ""),
    "kernel": ("#c6dcec", ""),
    "tune": ("#6aaed6", "////"),
    "fit": ("#d9a520", ""),
    "predict": ("#f4e6b0", "xxxx"),
}
_STAGE_WORDS = {"tune": "choice of sigma, alpha", "predict": "prediction"}


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
        _log_axis(axes, "x", sizes[0], sizes[-1], _apart(sizes, 0.11 if narrow else 0.075))
        axes.set_xlabel("Training structures N")
        _error_axis(axes, table, str(result.frame["unit"].iloc[0]))
        _names(axes, side, final(result), style, narrow=narrow, at_ends=True)
    return figure


def cost(result: Result, *, narrow: bool = False) -> Figure:
    """Error against the time of the representation, and the seconds of every stage.

    Parameters
    ----------
    result : Result
    narrow : bool, default=False
        For a phone.

    Returns
    -------
    matplotlib.figure.Figure
        Upper axes (where the times are known): error at the largest size that all models share
        against µs per structure. Lower axes: mean seconds of each stage of one run at that size.

    Raises
    ------
    ValueError
        See :func:`molkern.report.curves.check`.
    """
    check(result)
    rows = final(result)
    style = _marks(result.summary())
    times = [
        float(microseconds(result)[row.representation, row.kernel]) for row in rows.itertuples()
    ]
    with rc_context(RC):
        bars = 0.9 + len(rows) * (0.45 if narrow else 0.27)
        figure, axes, side = _canvas(rows, narrow, height=3.5, below=bars + 0.3)
        for time, (_, row) in zip(times, rows.iterrows(), strict=True):
            _errorbar(axes, [time], row.to_frame().T, style[row["representation"], row["kernel"]])
        known = [time for time in times if math.isfinite(time)] or [1.0]
        low, high = min(known) / 1.5, max(known) * 1.5
        _log_axis(axes, "x", low, high, number_ticks(low, high))
        axes.set_xlabel("Time to represent one structure (µs)")
        _error_axis(axes, rows, str(result.frame["unit"].iloc[0]))
        _names(axes, side, rows, style, narrow=narrow, at_ends=False)
        _stages(figure, rows, narrow, bars)
    return figure


def _marks(table: pd.DataFrame) -> Marks:
    return marks(zip(table["representation"], table["kernel"], strict=True))


def _canvas(
    rows: pd.DataFrame, narrow: bool, *, height: float, below: float = 0.0
) -> tuple[Figure, Axes, Axes]:
    """Figure with axes for points and, beside or under them, axes for names; sizes in inches."""
    if narrow:
        width, left, right, key = _NARROW_WIDTH, 0.62, 0.12, 0.2 * len(rows) + 0.2
        total = height + key + below
        box = (left, below + key + 0.55, width - left - right, height - 0.7)
        words = (0.1, below, width - 0.2, key)
    else:
        longest = max(len(label(row.representation, row.kernel)) for row in rows.itertuples())
        left, right = 0.72, min(1.25 + _LETTER * longest, 0.5 * _WIDTH)
        width, total = _WIDTH, height + below
        box = (left, below + 0.55, width - left - right, height - 0.7)
        words = (width - right, below + 0.55, right - 0.1, height - 0.7)
    figure = Figure(figsize=(width, total))
    axes = _axes(figure, box)
    side = _axes(figure, words)
    side.set_axis_off()
    return figure, axes, side


def _axes(figure: Figure, box: tuple[float, float, float, float]) -> Axes:
    """Axes at (left, bottom, width, height) in inches."""
    width, height = figure.get_size_inches()
    return figure.add_axes((box[0] / width, box[1] / height, box[2] / width, box[3] / height))


def _errorbar(axes: Axes, x: Any, part: pd.DataFrame, style: Mark) -> None:
    mean = part["mae"].to_numpy(dtype=float)
    scatter = np.nan_to_num(part["mae_std"].to_numpy(dtype=float))
    shown = (mean > 0) & np.isfinite(np.asarray(x, dtype=float))
    below = np.minimum(scatter, 0.9 * mean)  # a bar down to zero has no place on this axis
    bars = np.stack([below, scatter])[:, shown] if scatter.any() else None
    place = np.asarray(x, dtype=float)[shown]
    axes.errorbar(place, mean[shown], yerr=bars, capsize=2.0, elinewidth=1.0, **style)


def _log_axis(axes: Axes, which: str, low: float, high: float, ticks: Sequence[float]) -> None:
    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    margin = 0.04 * math.log(high / low) if high > low else math.log(2.0)
    limits = low * math.exp(-margin), high * math.exp(margin)
    (axes.set_xlim if which == "x" else axes.set_ylim)(*limits)
    axis.set_major_locator(FixedLocator(list(ticks)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.10g}"))


def _error_axis(axes: Axes, table: pd.DataFrame, unit: str) -> None:
    unit = "unit unknown" if unit == "unknown" else unit
    axes.set_ylabel(f"Mean absolute error ({unit})")
    table = table[table["mae"] > 0]
    low, high = 0.5, 2.0
    if len(table):
        scatter = table["mae_std"].fillna(0.0)
        low = float(np.maximum(table["mae"] - scatter, 0.1 * table["mae"]).min()) / 1.06
        high = float((table["mae"] + scatter).max()) * 1.06
    _log_axis(axes, "y", low, high, number_ticks(low, high, at_least=4))


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


def _names(
    axes: Axes, side: Axes, rows: pd.DataFrame, style: Marks, *, narrow: bool, at_ends: bool
) -> None:
    """Mark, name and error of every model: under the axes, or beside them.

    Beside a learning curve a name stands where its curve ends; names that would overlap are moved
    apart, and joined to the end by a thin line.
    """
    width, height = _inches(side)
    errors = rows["mae"].to_numpy(dtype=float)
    if narrow or not at_ends:
        step = 0.2 / height
        top = 1.0 - 0.5 * step - (0.1 / height if narrow else 0.02)
        starts = places = [top - k * step for k in range(len(rows))]
    else:
        low, high = np.log(axes.get_ylim())
        starts = list((np.log(np.maximum(errors, math.exp(low))) - low) / (high - low))
        places = spread(starts, 0.175 / height, 0.02, 0.98)
    side.set_xlim(0, width)
    side.set_ylim(0, 1)
    begin = 0.32 if at_ends and not narrow else 0.05
    for row, start, place in zip(rows.itertuples(), starts, places, strict=True):
        mark = style[row.representation, row.kernel]
        if at_ends and not narrow:
            ends = {"color": mark["color"], "linewidth": 0.9}
            side.add_line(Line2D([0.03, begin - 0.05], [start, place], **ends))
        sample = {**mark, "markersize": 4.5, "linewidth": 1.2}
        side.plot([begin, begin + 0.18, begin + 0.36], [place] * 3, markevery=[1], **sample)
        words = label(row.representation, row.kernel)
        side.text(begin + 0.45, place, words, va="center", fontsize=8.0)
        side.text(width, place, short(row.mae), va="center", ha="right", fontsize=8.0)


def _inches(axes: Axes) -> tuple[float, float]:
    figure = cast(Figure, axes.get_figure())
    width, height = figure.get_size_inches() * axes.get_position().size
    return float(width), float(height)


def _stages(figure: Figure, rows: pd.DataFrame, narrow: bool, bars: float) -> None:
    """Horizontal bars: mean seconds of each stage."""
    names = [label(row.representation, row.kernel) for row in rows.itertuples()]
    width = figure.get_size_inches()[0]
    left = 0.12 if narrow else 0.2 + _LETTER * max(map(len, names))
    axes = _axes(figure, (left, 0.5, width - left - 0.65, bars - 0.9))
    places = np.arange(len(rows))
    start = np.zeros(len(rows))
    for stage in STAGES:
        seconds = rows[f"seconds_{stage}"].to_numpy(dtype=float)
        colour, hatch = _STAGE_FACES[stage]
        words = _STAGE_WORDS.get(stage, stage)
        look: dict[str, Any] = {"color": colour, "edgecolor": INK, "linewidth": 0.6, "hatch": hatch}
        size = 0.4 if narrow else 0.62
        axes.barh(places, seconds, left=start, height=size, label=words, **look)
        start = start + seconds
    for place, total, words in zip(places, start, names, strict=True):
        beside: Any = {"xytext": (4, 0), "textcoords": "offset points", "va": "center"}
        axes.annotate(f"{short(total)} s", (total, float(place)), fontsize=8.0, **beside)
        if narrow:
            axes.text(0.0, float(place) - 0.27, words, va="bottom", fontsize=8.0)
    axes.set_yticks([] if narrow else places, [] if narrow else names, fontsize=8.0)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(rows) - 0.5, -0.8 if narrow else -0.5)
    axes.grid(False, axis="y")
    axes.set_xlim(0, max(float(start.max()), 1e-9) * 1.02)
    axes.set_xlabel(f"Seconds in one run at N = {rows['n_train'].iloc[0]}")
    key: dict[str, Any] = {
        "handlelength": 1.3,
        "columnspacing": 1.1,
        "handletextpad": 0.5,
        "fontsize": 8.0,
    }
    columns, above = (2, 0.22) if narrow else (len(STAGES), 0.0)
    figure.legend(
        *axes.get_legend_handles_labels(), loc="upper left" if narrow else "upper right",
        bbox_to_anchor=(0.01 if narrow else 0.99, (bars + above) / figure.get_size_inches()[1]),
        ncols=columns, frameon=False, **key,
    )  # fmt: skip
