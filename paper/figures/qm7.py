"""Learning curves on QM7: convention of the literature, elements in the baseline, atoms."""

import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

import sources
from figures import learning, style

PANELS = (
    ("only the mean subtracted", ("qm7-mean",)),
    ("counts of elements in the baseline", ("qm7",)),
    ("surroundings of atoms", ("qm7-atoms", "qm7-local")),
)
# Published values stand at the largest size: their words where there are no curves.
PLACES = {
    "Rupp2012": (-8, 42),
    "Hansen2013": (-24, -24),
    "Kymatio": (-8, 34),
}
WORDS = {
    "textcoords": "offset points",
    "ha": "right",
    "fontsize": 6.5,
    "arrowprops": {"arrowstyle": "-", "linewidth": 0.6, "shrinkB": 2.5},
}


def draw() -> Figure:
    """Three panels with one scale."""
    found = [sources.curves(*names).get("qm7") for _, names in PANELS]
    tables = [table for table in found if table is not None]
    if not tables:
        raise sources.Missing("no results of qm7")
    values = sources.literature("qm7", drawn=True)
    errors = [*pd.concat(tables)["mae"], *(value["mae"][0] for value in values)]
    sizes = [*pd.concat(tables)["n_train"]]
    with rc_context(style.RC):
        figure = Figure(figsize=(style.PAGE, 3.2))
        panels = figure.subplots(1, 3, sharey=True)
        figure.subplots_adjust(0.068, 0.29, 0.995, 0.935, wspace=0.05)
        entries = []
        for place, (axes, table) in enumerate(zip(panels, found, strict=True)):
            models = [] if table is None else learning.curves(axes, table)
            entries += [(style.model_name(*model), style.look(*model)) for model in models]
            learning.size_axis(axes, sizes)
            learning.error_axis(axes, min(errors) / 1.6, max(errors))
            axes.tick_params(axis="y", left=place == 0, labelleft=place == 0)
            style.letter(axes, place, PANELS[place][0])
        for value in values:
            axes = panels[0 if "model" in value else 2]
            learning.published(axes, value["n_train"], value["mae"], 0)
            end = value["n_train"][0], value["mae"][0]
            axes.annotate(value["name"], end, xytext=PLACES[value["source"]], **WORDS)
        panels[0].set_ylabel("Mean absolute error (kcal/mol)")
        style.legend(figure, entries, ncols=4)
    return figure


def main() -> None:
    style.save(draw(), "qm7")


if __name__ == "__main__":
    main()
