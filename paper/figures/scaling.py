"""Cost of an atom against the size of the system."""

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import sources
from figures import style
from molkern.report.figures import log_axis
from molkern.report.style import number_ticks

SYSTEMS = {
    "water": "water, periodic",
    "diamond": "diamond, periodic",
    "molecules": "proteins, boxes, a membrane",
}
# Gradients look like the second kernel of the learning curves: broken lines, hollow markers.
OPERATIONS = {"values": ("laplacian", ""), "vjp": ("gaussian", ", gradient")}


def draw() -> Figure:
    """One panel for each series of systems."""
    frame = sources.measurements("scaling").frame
    frame = frame.assign(cost=1e6 * frame["seconds_per_atom"])
    systems = [name for name in SYSTEMS if (frame["system"] == name).any()]
    with rc_context(style.RC):
        figure = Figure(figsize=(style.PAGE, 2.9))
        panels = np.atleast_1d(figure.subplots(1, len(systems), sharey=True))
        figure.subplots_adjust(0.07, 0.31, 0.995, 0.93, wspace=0.05)
        entries = []
        for place, (axes, system) in enumerate(zip(panels, systems, strict=True)):
            part = frame[frame["system"] == system]
            for (name, operation), rows in part.groupby(
                ["representation", "operation"], sort=False
            ):
                kernel, words = OPERATIONS[operation]
                mark = style.look(name, kernel)
                axes.plot(rows["n_atoms"], rows["cost"], **mark)
                entries.append((style.short_name(name) + words, mark))
            style.letter(axes, place, SYSTEMS[system])
            _axes(axes, part["n_atoms"], frame["cost"])
            axes.tick_params(axis="y", left=place == 0, labelleft=place == 0)
        panels[0].set_ylabel("Time per atom (µs)")
        style.legend(figure, entries, ncols=4)
    return figure


def _axes(axes: Axes, atoms: np.ndarray, cost: np.ndarray) -> None:
    ticks = number_ticks(atoms.min(), atoms.max())
    log_axis(axes, "x", atoms.min(), atoms.max(), ticks if len(ticks) < 6 else ticks[::2])
    log_axis(axes, "y", cost.min(), cost.max(), number_ticks(cost.min(), cost.max()))
    axes.set_xlabel("Atoms")


def main() -> None:
    style.save(draw(), "scaling")


if __name__ == "__main__":
    main()
