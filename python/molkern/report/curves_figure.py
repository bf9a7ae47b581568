"""The figure of learning curves: one panel, or one for each test set."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from molkern.report.curves import (
    UNSEEN,
    beyond,
    by_test,
    check,
    final,
    label,
    learnt_from,
    means,
    seen,
    short,
)
from molkern.report.figures import error_axis, inches, keep_inside, log_axis, plain, size_of
from molkern.report.style import RC, Mark, marks, spread
from molkern.study import Result

__all__ = ["learning_curves"]

Marks = dict[tuple[str, str], Mark]

_WIDTH, _NARROW_WIDTH = 7.8, 3.9  # inches
_LETTER = 0.062  # inches; mean width of a letter of the words beside the curves
_COLUMNS = 2  # of panels
_PANEL, _STEP = (3.16, 2.5), (3.9, 3.3)  # inches: width and height, and from one to the next
_LONGEST = 44  # letters of a name above a panel


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
        Errors of zero are not drawn, nor those of models that lack an element of all their test
        sets, if there are others. With several test sets a panel for each.

    Raises
    ------
    ValueError
        See :func:`molkern.report.curves.check`.
    """
    check(result)
    if len(result.tests) > 1:
        return _panels(result, narrow)
    table = _drawn(result)
    style = _marks(table)
    with rc_context(RC):
        figure, axes, side = _canvas(final(result), narrow, height=4.3)
        _curves(axes, table, style, gap=0.11 if narrow else 0.075, learnt=learnt_from(result))
        error_axis(axes, table, str(result.frame["unit"].iloc[0]), beyond(result))
        _names(axes, side, final(result), style, narrow=narrow)
        keep_inside([axes])
    return figure


def _drawn(result: Result) -> pd.DataFrame:
    """Rows of the summary that have a place in a figure: all, if models never saw an element."""
    table = means(result)
    shown = seen(table)
    return shown if len(shown) else table


def _marks(table: pd.DataFrame) -> Marks:
    """Marks of all models of a summary."""
    return marks(zip(table["representation"], table["kernel"], strict=True))


def _curves(axes: Axes, table: pd.DataFrame, style: Marks, *, gap: float, learnt: str = "") -> None:
    """Curves with error bars, and the axis of N; ``gap``: least share of it between two ticks."""
    for model, part in table.groupby(["representation", "kernel"], sort=False):
        _errorbar(axes, part["n_train"], part, style[model])
    sizes = sorted({float(n) for n in table["n_train"]})
    log_axis(axes, "x", sizes[0], sizes[-1], _apart(sizes, gap))
    axes.set_xlabel(f"Training structures N{learnt}")


def _canvas(rows: pd.DataFrame, narrow: bool, *, height: float) -> tuple[Figure, Axes, Axes]:
    """Figure with axes for points and, beside or under them, axes for names; sizes in inches."""
    if narrow:
        width, left, right, key = _NARROW_WIDTH, 0.62, 0.12, 0.2 * len(rows) + 0.2
        total = height + key
        box = (left, key + 0.55, width - left - right, height - 0.7)
        words = (0.1, 0.0, width - 0.2, key)
    else:
        longest = max(len(label(row.representation, row.kernel)) for row in rows.itertuples())
        number = max(len(_error(row)) for row in rows.itertuples())
        beside = max(1.25, 0.9 + _LETTER * number)
        left, right = 0.72, min(beside + _LETTER * longest, 0.5 * _WIDTH)
        width, total = _WIDTH, height
        box = (left, 0.55, width - left - right, height - 0.7)
        words = (width - right, 0.55, right - 0.1, height - 0.7)
    figure = Figure(figsize=(width, total))
    axes = inches(figure, box)
    side = inches(figure, words)
    side.set_axis_off()
    return figure, axes, side


def _errorbar(axes: Axes, x: Any, part: pd.DataFrame, style: Mark) -> None:
    mean = part["mae"].to_numpy(dtype=float)
    scatter = np.nan_to_num(part["mae_std"].to_numpy(dtype=float))
    shown = (mean > 0) & np.isfinite(np.asarray(x, dtype=float))
    below = np.minimum(scatter, 0.9 * mean)  # a bar down to zero has no place on this axis
    bars = np.stack([below, scatter])[:, shown] if scatter.any() else None
    place = np.asarray(x, dtype=float)[shown]
    axes.errorbar(place, mean[shown], yerr=bars, capsize=2.0, elinewidth=1.0, **style)


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
    width, height = size_of(side)
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
        side.text(width, place, _error(row), va="center", ha="right", fontsize=8.0)


def _error(row: Any) -> str:
    return f"{short(row.mae)} {UNSEEN}" if row.unseen else short(row.mae)


def _panels(result: Result, narrow: bool) -> Figure:
    """A panel for each test set, all with the same marks; their names below."""
    tables = [_drawn(part) for part in by_test(result)]
    style = _marks(pd.concat(tables))
    order = [(row.representation, row.kernel) for row in final(result).itertuples()]
    unit = str(result.frame["unit"].iloc[0])
    with rc_context(RC):
        figure, panels = _grid(len(tables), len(order), narrow)
        for place, (axes, name, table) in enumerate(zip(panels, result.tests, tables, strict=True)):
            _curves(axes, table, style, gap=0.11)
            error_axis(axes, table, unit)
            dagger = f" {UNSEEN}" if (table["unseen"] != "").all() else ""
            axes.set_title(plain(_shortened(name)) + dagger, fontsize=9.0, loc="left")
            if not narrow and place % _COLUMNS:
                axes.set_ylabel("")
        lines = [Line2D([], [], **style[model]) for model in order]
        figure.legend(
            lines, [label(*model) for model in order], loc="lower left",
            bbox_to_anchor=(0.01, 0.0), ncols=1 if narrow else 2, frameon=False, fontsize=8.0,
            handlelength=3.2, borderaxespad=0.2,
        )  # fmt: skip
        keep_inside(panels)
    return figure


def _grid(n_panels: int, n_models: int, narrow: bool) -> tuple[Figure, list[Axes]]:
    """Panels side by side or below each other, and room for the names of the models below."""
    columns = 1 if narrow else _COLUMNS
    key = 0.2 * -(-n_models // columns) + 0.2
    n_rows = -(-n_panels // columns)
    width, (across, down) = _NARROW_WIDTH if narrow else _WIDTH, _STEP
    figure = Figure(figsize=(width, key + n_rows * down))
    panels = []
    for place in range(n_panels):
        row, column = divmod(place, columns)
        corner = 0.62 + column * across, key + (n_rows - 1 - row) * down + 0.5
        panels.append(inches(figure, (*corner, *_PANEL)))
    return figure, panels


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST else f"…{name[1 - _LONGEST :]}"
