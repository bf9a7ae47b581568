"""Writes the tables of the paper from the results: ``python make_tables.py``."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pandas as pd

import library_times
import sources
from figures.rmd17 import MOLECULES
from figures.style import model_name, short_name
from latex import error, number, save_table, words

__all__ = ["TABLES", "main"]

# Learning curves that one table shows together.
GROUPS = {
    "qm7": ("qm7", "qm7-atoms", "qm7-local"),
    "qm7-mean": ("qm7-mean", "qm7-atoms-mean"),
    "qm9": ("qm9", "qm9-atoms"),
    "qm9-gap": ("qm9-gap", "qm9-gap-atoms"),
    "qm9-mu": ("qm9-mu", "qm9-mu-atoms"),
    "rmd17": ("rmd17", "rmd17-atoms", "rmd17-local"),
}
# Learnt from one part of the data, tested on another: data, what is tested, studies.
BEYOND = (
    ("qm7", "QM7, 7 after 6 atoms", "extrapolate-qm7"),
    ("qm9", "QM9, 8 and 9 after 7", "extrapolate-qm9"),
    ("ani1-s01", "CH$_4$, NH$_3$, H$_2$O", "extrapolate-ani1-s01"),
    ("ani1-s02", "C$_2$H$_2$, C$_2$H$_4$, C$_2$H$_6$", "extrapolate-ani1-s02"),
)
QM7_SIZES = (100, 500, 1000, 2000, 5732)
SEEN = {"primary": "", "copied": "$^a$", "unchecked": "$^b$"}
Models = Sequence[tuple[str, str]]


def errors(table: pd.DataFrame) -> dict[tuple[str, str, int], tuple[float, float]]:
    """Mean and scatter by representation, kernel and size."""
    return {
        (row.representation, row.kernel, row.n_train): (row.mae, row.mae_std)
        for row in table.itertuples()
    }


def by_error(table: pd.DataFrame) -> Models:
    """Models, the smallest error at the largest size first."""
    last = table[table["n_train"] == table["n_train"].max()].sort_values("mae", kind="stable")
    return list(zip(last["representation"], last["kernel"], strict=True))


def slopes(table: pd.DataFrame, n_min: int) -> dict[tuple[str, str], float]:
    """Exponents of the learning curves from ``n_min`` on."""
    return {
        model: sources.slope(part[part["n_train"] >= n_min])
        for model, part in table.groupby(["representation", "kernel"])
    }


def qm7() -> None:
    """All models on QM7, with the counts of elements in the baseline."""
    table = sources.curves_of("qm7", *GROUPS["qm7"])
    found, growth = errors(table), slopes(table, 500)
    header = ["Representation, kernel", *(f"$N={n}$" for n in QM7_SIZES), "slope"]
    rows = [
        [
            words(model_name(*model)),
            *(error(*found[*model, n]) if (*model, n) in found else "--" for n in QM7_SIZES),
            number(growth[model]),
        ]
        for model in by_error(table)
    ]
    save_table(sources.BUILD / "table_qm7.tex", "l" + "r" * 6, header, rows)


def literature() -> None:
    """QM7 beside published values, only the mean subtracted as in the literature."""
    table = sources.curves_of("qm7", *GROUPS["qm7-mean"])
    found, n = errors(table), int(table["n_train"].max())
    rows = [
        [
            words(model_name(*value["model"])),
            error(*found[*value["model"], n]),
            value.get("words", number(value["mae"][0])) + SEEN[value["seen"]],
            rf"\cite{{{value['source']}}}",
        ]
        for value in sources.literature("qm7")
        if "model" in value
    ]
    header = ["Model", "here", "published", ""]
    save_table(sources.BUILD / "table_literature.tex", "lrrl", header, rows)


def qm9() -> None:
    """Energies, gap and dipole moment of QM9."""
    energies = sources.curves_of("qm9", *GROUPS["qm9"])
    tables = {name: sources.curves(*GROUPS[name]).get("qm9") for name in ("qm9-gap", "qm9-mu")}
    columns = [("qm9", 1000), ("qm9", 10000), ("qm9-gap", 1000), ("qm9-gap", 5000),
               ("qm9-mu", 1000), ("qm9-mu", 5000)]  # fmt: skip
    found = {name: {} if table is None else errors(table) for name, table in tables.items()}
    found["qm9"] = errors(energies)
    rows = []
    for model in by_error(energies):
        cells = [
            error(*found[name][*model, n]) if (*model, n) in found[name] else "--"
            for name, n in columns
        ]
        rows.append([words(model_name(*model)), *cells])
    header = [
        "Representation, kernel", "energy, $N=1000$", "$10\\,000$", "gap, $1000$",
        "$5000$", "dipole, $1000$", "$5000$"
    ]  # fmt: skip
    save_table(sources.BUILD / "table_qm9.tex", "l" + "r" * 6, header, rows)


def rmd17() -> None:
    """Energies of the ten molecules of rMD17 at N = 1000."""
    tables = {m: sources.curves(*GROUPS["rmd17"]).get(f"rmd17-{m}") for m in MOLECULES}
    found = {m: errors(table) for m, table in tables.items() if table is not None}
    if not found:
        raise sources.Missing("no results of rmd17")
    models = dict.fromkeys(key[:2] for cells in found.values() for key in cells)
    n = max(key[2] for cells in found.values() for key in cells)
    rows = [
        [
            words(model_name(*model)),
            *(error(found[m][*model, n][0]) if (*model, n) in found.get(m, {}) else "--"
              for m in MOLECULES),
        ]
        for model in models
    ]  # fmt: skip
    short = {"malonaldehyde": "malonald.", "naphthalene": "naphthal.", "paracetamol": "paracet."}
    header = ["Representation, kernel", *(short.get(m, m) for m in MOLECULES)]
    save_table(sources.BUILD / "table_rmd17.tex", "l" + "r" * 10, header, rows)


def extrapolation() -> None:
    """Errors beyond what a model has learnt from, at the largest size of each."""
    tables = {name: sources.curves(name, f"{name}-atoms").get(data) for data, _, name in BEYOND}
    found = {name: table for name, table in tables.items() if table is not None}
    if not found:
        raise sources.Missing("no results of extrapolation")
    last = {name: int(table["n_train"].max()) for name, table in found.items()}
    cells = {name: errors(table) for name, table in found.items()}
    rows = [
        [
            words(model_name(*model)),
            *(
                error(*cells[name][*model, last[name]])
                if (*model, last[name]) in cells[name]
                else "--"
                for name in found
            ),
        ]
        for model in by_error(next(iter(found.values())))
    ]
    sizes = ["training set", *(str(n) for n in last.values())]
    header = ["Representation, kernel", *(text for _, text, name in BEYOND if name in found)]
    columns = "l" + "r" * len(found)
    save_table(sources.BUILD / "table_extrapolation.tex", columns, header, [sizes, *rows])


def cost() -> None:
    """Size and time of representations of QM7's molecules."""
    frame = sources.measurements("cost").frame
    rows = []
    for name, part in frame.groupby("representation", sort=False):
        one = part[part["n_threads"] == 1]
        values = one[one["operation"] == "values"]
        double = values[(values["dtype"] == "float64") & (values["source"] == "structures")]
        times = [
            double,
            values[(values["dtype"] == "float32") & (values["source"] == "structures")],
            values[(values["dtype"] == "float64") & (values["source"] == "ase")],
            one[(one["operation"] == "vjp") & (one["dtype"] == "float64")],
        ]
        two = part[(part["n_threads"] == 2) & (part["operation"] == "values")]
        per_atom = int(double["bytes"].iloc[0] / double["n_features"].iloc[0] / 8) > 1000
        features = f"{int(double['n_features'].iloc[0])}" + (" an atom" if per_atom else "")
        rows.append(
            [
                words(short_name(name)),
                features,
                *(number(1e6 * _first(some["seconds_per_structure"])) for some in times),
                number(_first(double["seconds"]) / _first(two["seconds"])),
                number(_first(double["peak_bytes"]) / 1e6),
            ]
        )
    header = [
        "Representation", "features", "float64", "float32", "from ASE", "gradient",
        "two threads", "memory"
    ]  # fmt: skip
    save_table(sources.BUILD / "table_cost.tex", "l" + "r" * 7, header, rows)


def _first(values: pd.Series) -> float:
    return float(values.iloc[0]) if len(values) else math.nan


def libraries() -> None:
    """Beside the fastest other library for each task."""
    rows = [
        [
            words(task.words),
            words(task.best),
            number(task.ratio(task.ours)),
            number(task.ratio(task.out)) if task.out else "--",
            number(task.speed_up) if task.speed_up else "--",
        ]
        for task in library_times.tasks()
    ]
    header = ["Task", "fastest other", "new", "\\texttt{out=}", "two threads"]
    save_table(sources.BUILD / "table_libraries.tex", "llrrr", header, rows)


def scaling() -> None:
    """Exponents of time against atoms, and the cost of an atom at the largest size."""
    fits = sources.exponents("scaling")
    systems = list(dict.fromkeys(fits["system"]))
    rows = []
    for name, part in fits.groupby("representation", sort=False):
        found = part.set_index("system")
        cells = [_growth(found.loc[s]) if s in found.index else "--" for s in systems]
        rows.append([words(short_name(name)), *cells])
    save_table(sources.BUILD / "table_scaling.tex", "l" + "r" * len(systems), ["", *systems], rows)


def _growth(fit: pd.Series) -> str:
    return f"{number(fit['exponent'])} ({number(1e6 * fit['seconds_per_atom'])})"


def data() -> None:
    """Where the numbers come from: sets, labels, splits."""
    rows = []
    for group, names in GROUPS.items():
        found = sources.results(*names)
        if not found or group == "qm7-mean":
            continue
        results = [parts[0] for parts in found.values()]
        first, metadata = results[0].rows[0], results[0].metadata
        each = " each" if len(results) > 1 else ""
        runs = {(row["fold"], row["seed"]) for row in results[0].rows}
        rows.append(
            [
                f"rMD17, {len(results)} molecules" if each else group[:3].upper(),
                words(first["property"].replace("_", " ")),
                f"{metadata['n_structures']}{each}",
                f"{first['n_test']}",
                str(len(runs)),
            ]
        )
    if not rows:
        raise sources.Missing("no results")
    header = ["Data", "property", "structures", "test", "runs"]
    save_table(sources.BUILD / "table_data.tex", "llrrr", header, rows)


TABLES: tuple[Callable[[], None], ...] = (
    qm7, literature, qm9, rmd17, extrapolation, cost, libraries, scaling, data
)  # fmt: skip


def main() -> None:
    for table in TABLES:
        try:
            table()
        except sources.Missing as missing:
            print(f"table {table.__name__} left out: {missing}")


if __name__ == "__main__":
    main()
