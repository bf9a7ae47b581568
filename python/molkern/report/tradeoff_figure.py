"""The picture that decides: error against cost."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from molkern.report.curves import beyond, label, primary
from molkern.report.figures import error_axis, inches, keep_inside, log_axis
from molkern.report.style import INK, RC, marks, number_ticks
from molkern.report.tradeoff import N_PREDICTED, tradeoff
from molkern.study import Measurements, Result

__all__ = ["error_against_cost"]

_PANELS = (
    ("total", "on_front", 1.0, f"Seconds to train and predict {N_PREDICTED} structures"),
    ("predict", "on_front_predict", 1e6, "Microseconds to predict one structure"),
)
_FRONT: dict[str, Any] = {
    "color": INK, "alpha": 0.25, "linewidth": 6.0, "solid_joinstyle": "miter", "zorder": 1
}  # fmt: skip
_FRONT_WORDS = "smallest error at each cost"


def error_against_cost(result: Result, costs: Measurements, *, narrow: bool = False) -> Figure:
    """Mean absolute error against total cost, and against the cost of a prediction.

    Parameters
    ----------
    result : Result
    costs : Measurements
        With "train" and "predict" on the same data.
    narrow : bool, default=False
        For a phone: the axes below each other.

    Returns
    -------
    matplotlib.figure.Figure
        A line for each model, a mark at each training size; a broad line along the front. Of
        several test sets the first.

    Raises
    ------
    ValueError
        Where no cost is known, and see :func:`molkern.report.curves.check`.
    """
    table = tradeoff(result, costs)
    if not len(table):
        raise ValueError("costs: expected times of training and prediction of these models")
    style = marks(zip(table["representation"], table["kernel"], strict=True))
    unit = str(result.frame["unit"].iloc[0])
    with rc_context(RC):
        figure, panels = _canvas(len(style), narrow)
        for axes, panel in zip(panels, _PANELS, strict=True):
            _draw(axes, table, style, panel)
            error_axis(axes, table, unit, beyond(primary(result)))
        if not narrow:
            panels[1].set_ylabel("")
        lines = [Line2D([], [], **look) for look in style.values()]
        names = [label(*model) for model in style]
        figure.legend(
            [*lines, Line2D([], [], **_FRONT)], [*names, _FRONT_WORDS], loc="lower left",
            bbox_to_anchor=(0.01, 0.0), ncols=1 if narrow else 2, frameon=False, fontsize=8.0,
            handlelength=3.2, borderaxespad=0.2,
        )  # fmt: skip
        keep_inside(panels)
    return figure


def _canvas(n_models: int, narrow: bool) -> tuple[Figure, list[Axes]]:
    """Two axes beside or below each other, and room for the names below; sizes in inches."""
    if narrow:
        key = 0.2 * (n_models + 1) + 0.2
        figure = Figure(figsize=(3.9, key + 6.4))
        boxes = [(0.62, key + 3.75, 3.16, 2.55), (0.62, key + 0.5, 3.16, 2.55)]
    else:
        key = 0.2 * ((n_models + 2) // 2) + 0.2
        figure = Figure(figsize=(7.8, key + 3.8))
        boxes = [(0.62, key + 0.5, 3.2, 3.2), (4.45, key + 0.5, 3.2, 3.2)]
    return figure, [inches(figure, box) for box in boxes]


def _draw(axes: Axes, table: pd.DataFrame, style: Any, panel: tuple[str, str, float, str]) -> None:
    name, on_front, factor, words = panel
    x = factor * table[name]
    front = table[table[on_front] & (table["mae"] > 0)].sort_values(name)
    if len(front):
        # Until the next point of the front, the last one has the smallest error.
        ends = [*(factor * front[name]), 10 * float(x.max())]
        axes.step(ends, [*front["mae"], front["mae"].iloc[-1]], where="post", **_FRONT)
    for model, part in table.groupby(["representation", "kernel"], sort=False):
        shown = part[part["mae"] > 0].sort_values("n_train")
        axes.plot(factor * shown[name], shown["mae"], **style[model])
    low, high = float(x.min()) / 1.1, float(x.max()) * 1.1
    ticks = number_ticks(low, high)
    log_axis(axes, "x", low, high, ticks if len(ticks) < 8 else ticks[::2])
    axes.set_xlabel(words)
