"""Times in rows: one for each representation or task, a mark for each way to compute it."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from molkern.report.figures import log_axis
from molkern.report.style import number_ticks

__all__ = ["rows"]


def rows(axes: Axes, names: Sequence[str], times: Sequence[float], words: str) -> None:
    """Axes for one row per name, first above, and a logarithmic axis for all these times."""
    low, high = min(times), max(times)
    ticks = number_ticks(low, high)
    log_axis(axes, "x", low, high, ticks if len(ticks) < 5 else ticks[::2])
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(words)
