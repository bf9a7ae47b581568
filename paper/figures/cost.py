"""Cost of a descriptor: values and gradients of QM7's molecules, one thread."""

from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

import sources
from figures import dots, style
from molkern.report.style import INK, PAPER

# operation, source, words, mark
SERIES = (
    ("values", "structures", "values", {"marker": "o", "markerfacecolor": INK}),
    ("values", "ase", "values, from ASE's objects", {"marker": "|", "markersize": 6.0}),
    ("vjp", "structures", "gradient", {"marker": "s", "markerfacecolor": PAPER}),
)


def draw() -> Figure:
    """A row for each representation."""
    frame = sources.measurements("cost").frame
    frame = frame[(frame["dtype"] == "float64") & (frame["n_threads"] == 1)]
    frame = frame[frame["operation"].isin(["values", "vjp"])]
    frame = frame.assign(cost=1e6 * frame["seconds_per_structure"])
    names = list(dict.fromkeys(frame["representation"]))
    with rc_context(style.RC):
        figure = Figure(figsize=(style.COLUMN, 2.5))
        axes = figure.add_axes((0.33, 0.26, 0.65, 0.72))
        entries = []
        for operation, source, words, form in SERIES:
            part = frame[(frame["operation"] == operation) & (frame["source"] == source)]
            mark: dict[str, Any] = {"color": INK, "linestyle": "", **form}
            axes.plot(part["cost"], [names.index(name) for name in part["representation"]], **mark)
            entries.append((words, mark))
        short = [style.short_name(name) for name in names]
        dots.rows(axes, short, frame["cost"], "Time per molecule (µs)")
        style.legend(figure, entries, ncols=3, handlelength=1.0, columnspacing=1.0)
    return figure


def main() -> None:
    style.save(draw(), "cost")


if __name__ == "__main__":
    main()
