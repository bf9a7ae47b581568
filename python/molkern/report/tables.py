"""Results as tables: one with everything, one to read."""

from __future__ import annotations

import math

import pandas as pd

from molkern.report.curves import check, final, label, microseconds, short, with_scatter
from molkern.study import Result

__all__ = ["markdown", "overview", "table"]


def table(result: Result) -> pd.DataFrame:
    """One row per model and training size, for a spreadsheet.

    Returns
    -------
    pandas.DataFrame
        ``dataset``, ``property``, ``unit``, ``baseline``; the columns of ``result.summary()``;
        ``slope`` of the model's learning curve; ``microseconds_representation`` per structure.

    Raises
    ------
    ValueError
        See :func:`molkern.report.curves.check`.
    """
    first = check(result).iloc[0]
    rows = result.summary()
    for place, name in enumerate(("dataset", "property", "unit", "baseline")):
        rows.insert(place, name, first[name])
    rows = rows.merge(result.slopes(), on=["representation", "kernel"], how="left")
    times = microseconds(result).rename("microseconds_representation").reset_index()
    return rows.merge(times, on=["representation", "kernel"], how="left")


def overview(result: Result) -> pd.DataFrame:
    """One row per model, best first, all entries text.

    Returns
    -------
    pandas.DataFrame
        ``Model``; ``N = ...`` with mean absolute error ± standard deviation over the runs, in the
        unit of the property; ``RMSE`` and ``Largest error`` at the largest size that all models
        share; ``Slope``; ``µs each``, the time to represent one structure; ``s per run``, all
        stages at that size.

    Raises
    ------
    ValueError
        See :func:`molkern.report.curves.check`.
    """
    check(result)
    summary = result.summary().set_index(["representation", "kernel", "n_train"])
    slopes = result.slopes().set_index(["representation", "kernel"])["slope"]
    times = microseconds(result)
    sizes = sorted(set(summary.index.get_level_values("n_train")))
    lines = []
    for _, row in final(result).iterrows():
        model = row["representation"], row["kernel"]
        line = {"Model": label(*model)}
        for n in sizes:
            line[f"N = {n}"] = "–"
            if (*model, n) in summary.index:
                found = summary.loc[(*model, n)]
                line[f"N = {n}"] = with_scatter(found["mae"], found["mae_std"])
        line["RMSE"] = short(row["rmse"])
        line["Largest error"] = short(row["max_error"])
        line["Slope"] = _or_dash(slopes[model], "{:.2f}")
        line["µs each"] = "–" if math.isnan(times[model]) else short(times[model])
        line["s per run"] = short(row.filter(like="seconds_").sum())
        lines.append(line)
    return pd.DataFrame(lines)


def _or_dash(value: float, form: str) -> str:
    return "–" if math.isnan(value) else form.format(value)


def markdown(rows: pd.DataFrame) -> str:
    """A table of text as Markdown; the first column to the left, the others to the right.

    Parameters
    ----------
    rows : pandas.DataFrame
        Entries of type str.

    Returns
    -------
    str
        Lines of equal length, so that it can be read as it is.
    """
    cells = [[str(name) for name in rows.columns]]
    cells += [[str(entry) for entry in row] for row in rows.itertuples(index=False)]
    cells = [[entry.replace("|", "\\|").replace("\n", " ") for entry in row] for row in cells]
    widths = [max(3, *(len(row[k]) for row in cells)) for k in range(len(rows.columns))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = []
    for row in (cells[0], rule, *cells[1:]):
        filled = [row[0].ljust(widths[0])]
        filled += [entry.rjust(width) for entry, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("| " + " | ".join(filled) + " |")
    return "\n".join(lines) + "\n"
