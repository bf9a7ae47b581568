"""Learning curves on QM9: atomization energy with published ones, gap and dipole moment."""

from matplotlib import rc_context
from matplotlib.figure import Figure

import sources
from figures import learning, style
from molkern.report.style import INK

PANELS = (
    ("atomization energy", ("qm9", "qm9-atoms")),
    ("gap of HOMO and LUMO", ("qm9-gap", "qm9-gap-atoms")),
    ("dipole moment", ("qm9-mu", "qm9-mu-atoms")),
)


def draw() -> Figure:
    """A wide panel and two."""
    found = [sources.curves(*names).get("qm9") for _, names in PANELS]
    if found[0] is None:
        raise sources.Missing("no results of qm9")
    values = sources.literature("qm9", drawn=True)
    with rc_context(style.RC):
        figure = Figure(figsize=(style.PAGE, 3.1))
        panels = figure.subplots(1, 3, width_ratios=[1.5, 1, 1])
        figure.subplots_adjust(0.068, 0.28, 0.99, 0.935, wspace=0.33)
        entries = []
        for place, (axes, (words, names)) in enumerate(zip(panels, PANELS, strict=True)):
            table = found[place]
            style.letter(axes, place, words)
            if table is None:
                axes.text(0.5, 0.5, "not computed yet", ha="center", transform=axes.transAxes)
                continue
            models = learning.curves(axes, table)
            entries += [(style.model_name(*model), style.look(*model)) for model in models]
            sizes, errors = [*table["n_train"]], [*table["mae"]]
            for k, value in enumerate(values if place == 0 else ()):
                mark = learning.published(axes, value["n_train"], value["mae"], k)
                entries.append((value["name"], mark))
                sizes += value["n_train"]
                errors += value["mae"]
            learning.size_axis(axes, sizes)
            learning.error_axis(axes, min(errors), max(errors))
            unit = sources.results(*names)["qm9"][0].rows[0]["unit"]
            axes.set_ylabel(f"{'Error' if place else 'Mean absolute error'} ({unit})")
        style.legend(figure, sorted(entries, key=lambda entry: entry[1]["color"] == INK), ncols=4)
    return figure


def main() -> None:
    style.save(draw(), "qm9")


if __name__ == "__main__":
    main()
