"""Error against measured cost on QM7: the picture that decides."""

from matplotlib import rc_context
from matplotlib.figure import Figure

import sources
from figures import learning, style
from molkern.report.figures import log_axis
from molkern.report.style import INK, number_ticks
from molkern.report.tradeoff import N_PREDICTED

STUDIES = ("qm7", "qm7-atoms", "qm7-local")
PANELS = (
    ("total", "on_front", 1.0, f"Time to train and to predict {N_PREDICTED} (s)"),
    ("predict", "on_front_predict", 1e6, "Time to predict one molecule (µs)"),
)
FRONT = {"color": INK, "alpha": 0.2, "linewidth": 5.0, "solid_joinstyle": "miter", "zorder": 1}


def draw() -> Figure:
    """Both costs."""
    table = sources.tradeoff("qm7", STUDIES)
    models = list(dict.fromkeys(zip(table["representation"], table["kernel"], strict=True)))
    with rc_context(style.RC):
        figure = Figure(figsize=(style.PAGE, 3.4))
        panels = figure.subplots(1, 2, sharey=True)
        figure.subplots_adjust(0.068, 0.305, 0.995, 0.945, wspace=0.05)
        for place, (axes, (name, front, factor, words)) in enumerate(
            zip(panels, PANELS, strict=True)
        ):
            best = table[table[front]].sort_values(name)
            ends = [*(factor * best[name]), 10 * factor * table[name].max()]
            axes.step(ends, [*best["mae"], best["mae"].iloc[-1]], where="post", **FRONT)
            for model, part in table.groupby(["representation", "kernel"], sort=False):
                axes.plot(factor * part[name], part["mae"], **style.look(*model))
            low, high = factor * table[name].min(), factor * table[name].max()
            ticks = number_ticks(low, high)
            log_axis(axes, "x", low, high, ticks if len(ticks) < 9 else ticks[::2])
            learning.error_axis(axes, table["mae"].min(), table["mae"].max())
            axes.set_xlabel(words)
            axes.tick_params(axis="y", left=place == 0, labelleft=place == 0)
            style.letter(axes, place, ("all of the work", "a prediction")[place])
        panels[0].set_ylabel("Mean absolute error (kcal/mol)")
        entries = [(style.model_name(*model), style.look(*model)) for model in models]
        style.legend(figure, [*entries, ("smallest error at each cost", FRONT)], ncols=4)
    return figure


def main() -> None:
    style.save(draw(), "error_against_cost")


if __name__ == "__main__":
    main()
