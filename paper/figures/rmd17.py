"""Learning curves on the ten molecules of rMD17, energies only."""

import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

import sources
from figures import learning, style

STUDIES = ("rmd17", "rmd17-atoms", "rmd17-local")
MOLECULES = (
    "aspirin",
    "azobenzene",
    "benzene",
    "ethanol",
    "malonaldehyde",
    "naphthalene",
    "paracetamol",
    "salicylic",
    "toluene",
    "uracil",
)
TICKS = (200, 500, 1000)


def draw() -> Figure:
    """Ten panels with one scale."""
    tables = sources.curves(*STUDIES)
    if not tables:
        raise sources.Missing("no results of rmd17")
    (value,) = sources.literature("rmd17", drawn=True)
    everything = pd.concat(tables.values())
    published = [mev / sources.MEV for mev in value["mev"].values()]
    low, high = min([*everything["mae"], *published]), everything["mae"].max()
    with rc_context(style.RC):
        figure = Figure(figsize=(style.PAGE, 4.6))
        panels = figure.subplots(2, 5, sharex=True, sharey=True).ravel()
        figure.subplots_adjust(0.074, 0.235, 0.984, 0.955, wspace=0.1, hspace=0.16)
        entries = []
        for place, (axes, molecule) in enumerate(zip(panels, MOLECULES, strict=True)):
            table = tables.get(f"rmd17-{molecule}")
            models = [] if table is None else learning.curves(axes, table)
            entries += [(style.model_name(*model), style.look(*model)) for model in models]
            if molecule in value["mev"]:
                error = value["mev"][molecule] / sources.MEV
                mark = learning.published(axes, value["n_train"], [error], 0)
                entries.append((value["name"], mark | {"linestyle": ""}))
            learning.size_axis(axes, [*everything["n_train"]])
            learning.error_axis(axes, low, high)
            axes.set_title("salicylic acid" if molecule == "salicylic" else molecule)
            axes.set_xlabel("Training frames" if place > 4 else "")
            axes.set_ylabel("" if place % 5 else "Error (kcal/mol)")
            axes.set_xticks([size for size in TICKS if size <= everything["n_train"].max()])
            axes.tick_params(left=place % 5 == 0, bottom=place > 4)
            axes.tick_params("x", labelsize=6.3)  # 500 and 1000 are close
        last = value["name"]
        style.legend(figure, sorted(entries, key=lambda entry: entry[0] == last), ncols=3)
    return figure


def main() -> None:
    style.save(draw(), "rmd17")


if __name__ == "__main__":
    main()
