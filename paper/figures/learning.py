"""What the figures of learning curves share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from figures.style import look
from molkern.report.figures import log_axis
from molkern.report.style import INK, number_ticks

__all__ = ["LITERATURE", "curves", "error_axis", "published", "size_axis"]

# Black: not ours. One mark for each source of a figure.
LITERATURE: Any = tuple(
    {
        "color": INK,
        "marker": marker,
        "linestyle": ":",
        "linewidth": 0.6,
        "markersize": 5,
        "zorder": 6,
    }
    for marker in ("x", "+", "1", "2", "3", "4")
)


def curves(axes: Axes, table: pd.DataFrame) -> list[tuple[str, str]]:
    """Draw the means of each model with the scatter of folds and seeds; which ones there are."""
    models = []
    for model, part in table.groupby(["representation", "kernel"], sort=False):
        mean, scatter = part["mae"].to_numpy(), np.nan_to_num(part["mae_std"].to_numpy())
        below = np.minimum(scatter, 0.9 * mean)  # down to zero has no place on this axis
        bars: dict[str, Any] = {"capsize": 1.4, "elinewidth": 0.7, "capthick": 0.7}
        axes.errorbar(part["n_train"], mean, yerr=[below, scatter], **bars, **look(*model))
        models.append(model)
    return models


def published(axes: Axes, x: Sequence[float], y: Sequence[float], place: int) -> dict[str, Any]:
    """Draw published values; their mark."""
    axes.plot(x, y, **LITERATURE[place])
    return dict(LITERATURE[place])


def size_axis(axes: Axes, sizes: Sequence[float]) -> None:
    """Numbers of training structures, decades and both ends."""
    low, high = min(sizes), max(sizes)
    log_axis(axes, "x", low, high, number_ticks(low, high))
    axes.set_xlabel("Training structures")


def error_axis(axes: Axes, low: float, high: float, *, at_least: int = 4) -> None:
    """Errors."""
    log_axis(
        axes, "y", low / 1.1, high * 1.1, number_ticks(low / 1.1, high * 1.1, at_least=at_least)
    )
