"""Whether two data sets put the models in the same order.

    molkern compare qm7 && molkern compare
    python benchmarks/order.py molkern-report/qm7 molkern-report/mini-molecules --size 1000

Reads the ``results.json`` of two reports and prints a Markdown table: mean absolute errors at one
training-set size with the place of each model, and Spearman's rank correlation.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd
from scipy.stats import spearmanr

from molkern.report.curves import label
from molkern.study import Result


def errors(folder: Path, size: int) -> tuple[str, pd.Series]:
    """Name of the data with its unit, and the mean error of every model at one size."""
    result = Result.load(folder / "results.json")
    summary = result.summary()
    chosen = summary[summary["n_train"] == size]
    if chosen.empty:
        raise SystemExit(f"{folder}: no N = {size}; it has {sorted(set(summary['n_train']))}")
    first = result.frame.iloc[0]
    name = f"{first['dataset']}, {first['property']}, {first['unit']}"
    return name, chosen.set_index(["representation", "kernel"])["mae"]


def table(folders: list[Path], size: int) -> str:
    """Markdown table of the models that both have."""
    (name_a, a), (name_b, b) = (errors(folder, size) for folder in folders)
    models = a.index.intersection(b.index)
    a, b = a[models].sort_values(), b[models]
    b = b[a.index]
    places = b.rank().astype(int)
    lines = [f"| model, N = {size} | {name_a} | | {name_b} | |", "|---|---|---|---|---|"]
    for place, model in enumerate(a.index, 1):
        lines.append(
            f"| {label(*model)} | {a[model]:.3g} | {place} | {b[model]:.3g} | {places[model]} |"
        )
    correlation = spearmanr(a, b).statistic
    return "\n".join([*lines, "", f"Spearman's rank correlation: {correlation:.2f}"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs=2, type=Path, help="two reports of molkern compare")
    parser.add_argument("--size", type=int, default=1000)
    arguments = parser.parse_args()
    print(table(arguments.folders, arguments.size))


if __name__ == "__main__":
    main()
