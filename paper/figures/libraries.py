"""Times of the same tasks in other libraries, from one run on one thread."""

from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

import library_times
from figures import dots, style
from molkern.report.style import INK

MARKERS = ("s", "^", "D", "v", "P", "X", "h", "<", ">", "p")


def marks(names: list[str]) -> dict[str, dict[str, Any]]:
    """Ours are filled, the others hollow, each with a form of its own."""
    others = {
        name: {"marker": MARKERS[k % len(MARKERS)], "markerfacecolor": "none", "zorder": 5}
        for k, name in enumerate(names)
    }
    # Pale and behind, so that a mark of equal time is seen.
    ours = {"molkern": {"marker": "o", "markerfacecolor": "0.72", "zorder": 1.9, "markersize": 5.6}}
    common = {"color": INK, "linestyle": "", "markeredgewidth": 0.8, "markersize": 4.2}
    return {name: common | mark for name, mark in (ours | others).items()}


def draw() -> Figure:
    """A row for each task."""
    tasks = library_times.tasks()
    libraries = sorted({name for task in tasks for name in task.others})
    style_of = marks(libraries)
    with rc_context(style.RC):
        figure = Figure(figsize=(style.COLUMN, 0.175 * len(tasks) + 1.15))
        height = 0.175 * len(tasks) / figure.get_figheight()
        axes = figure.add_axes((0.36, 0.985 - height, 0.62, height))
        for row, task in enumerate(tasks):
            for name, seconds in [*task.others.items(), ("molkern", task.ours)]:
                axes.plot([1e6 * seconds], [row], **style_of[name])
        times = [1e6 * t for task in tasks for t in (task.ours, *task.others.values())]
        dots.rows(axes, [task.words for task in tasks], times, "Time per molecule (µs)")
        style.legend(figure, style_of.items(), ncols=3, handlelength=1.0, columnspacing=1.0)
    return figure


def main() -> None:
    style.save(draw(), "libraries")


if __name__ == "__main__":
    main()
