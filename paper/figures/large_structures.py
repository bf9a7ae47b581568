"""Summed SOAP of single large structures beside DScribe."""

from collections import defaultdict
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

import sources
from figures import style
from molkern.report.figures import log_axis
from molkern.report.style import INK, PAPER, number_ticks

MARKERS = {"diamond": "D", "water": "o", "stored": "^"}
NAMES = {"diamond": "diamond", "water": "water", "stored": "real structures"}


def draw() -> Figure:
    """Time per atom against atoms; ours filled, DScribe's hollow."""
    series = defaultdict(list)
    for row in sources.document("scaling-atoms")["rows"]:
        for library in sources.LIBRARIES:
            found = row.get(library, {})
            if row["what"] == "soap" and "microseconds_per_atom" in found:
                point = found["n_atoms"], found["microseconds_per_atom"]
                series[library, row["system"]].append(point)
    with rc_context(style.RC):
        figure = Figure(figsize=(style.COLUMN, 2.7))
        axes = figure.add_axes((0.14, 0.33, 0.84, 0.65))
        entries = []
        for (library, system), points in series.items():
            mark: dict[str, Any] = {"color": INK, "marker": MARKERS[system], "linewidth": 0.9}
            if library != "molkern":
                mark |= {"markerfacecolor": PAPER, "linestyle": (0, (5, 2))}
            axes.plot(*zip(*sorted(points), strict=True), **mark)
            entries.append((f"{library}, {NAMES[system]}", mark))
        atoms, times = zip(*(point for points in series.values() for point in points), strict=True)
        log_axis(axes, "x", min(atoms), max(atoms), number_ticks(min(atoms), max(atoms)))
        log_axis(axes, "y", min(times), max(times), number_ticks(min(times), max(times)))
        axes.set_xlabel("Atoms")
        axes.set_ylabel("Time per atom (µs)")
        style.legend(figure, sorted(entries, key=lambda entry: entry[0]), ncols=2)
    return figure


def main() -> None:
    style.save(draw(), "large_structures")


if __name__ == "__main__":
    main()
