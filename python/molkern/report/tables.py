"""Results as tables: one with everything, one to read."""

from __future__ import annotations

import math

import pandas as pd

from molkern.report.curves import check, final, label, microseconds, short, with_scatter
from molkern.report.tradeoff import MARK, recommended, seconds, tradeoff
from molkern.study import Measurements, Result

__all__ = ["data_size", "descriptors", "markdown", "overview", "table"]

_OPTIONS = ["dtype", "average", "n_threads"]


def table(result: Result) -> pd.DataFrame:
    """One row per model and training size, for a spreadsheet.

    Returns
    -------
    pandas.DataFrame
        ``dataset``, ``property``, ``unit``, ``baseline`` (and ``split``); the columns of
        ``result.summary()``; ``slope`` of the model's learning curve;
        ``microseconds_representation`` per structure.

    Raises
    ------
    ValueError
        See :func:`molkern.report.curves.check`.
    """
    first = check(result).iloc[0]
    rows = result.summary()
    about = [name for name in ("dataset", "property", "unit", "baseline", "split") if name in first]
    for place, name in enumerate(about):
        rows.insert(place, name, first[name])
    rows = rows.merge(result.slopes(), on=["representation", "kernel"], how="left")
    times = microseconds(result).rename("microseconds_representation").reset_index()
    return rows.merge(times, on=["representation", "kernel"], how="left")


def overview(result: Result, costs: Measurements | None = None) -> pd.DataFrame:
    """One row per model, best first, all entries text.

    Parameters
    ----------
    result : Result
    costs : Measurements, optional
        Of ``study.cost`` on the same data.

    Returns
    -------
    pandas.DataFrame
        ``Model``, with costs the recommended one marked; ``N = ...`` with mean absolute error ±
        standard deviation over the runs, in the unit of the property; where the split is by heavy
        atoms, ``Per heavy atom``, the mean error divided by their number; ``RMSE`` and
        ``Largest error`` at the largest size that all models share; ``Slope``; with costs ``Train``
        and ``Predict one``, the times at that size from structures to a model with given sigma and
        alpha, and to the prediction of one structure.

    Raises
    ------
    ValueError
        See :func:`molkern.report.curves.check`.
    """
    check(result)
    summary = result.summary().set_index(["representation", "kernel", "n_train"])
    slopes = result.slopes().set_index(["representation", "kernel"])["slope"]
    points = None if costs is None else tradeoff(result, costs)
    times, take = _times(points), _recommended(points)
    sizes = sorted(set(summary.index.get_level_values("n_train")))
    lines = []
    for _, row in final(result).iterrows():
        model = row["representation"], row["kernel"]
        line = {"Model": f"{MARK} {label(*model)}" if model == take else label(*model)}
        for n in sizes:
            line[f"N = {n}"] = "–"
            if (*model, n) in summary.index:
                found = summary.loc[(*model, n)]
                line[f"N = {n}"] = with_scatter(found["mae"], found["mae_std"])
        if "mae_per_heavy_atom" in row:
            line["Per heavy atom"] = short(row["mae_per_heavy_atom"])
        line["RMSE"] = short(row["rmse"])
        line["Largest error"] = short(row["max_error"])
        line["Slope"] = _or_dash(slopes[model], "{:.2f}")
        if times is not None:
            found = times.get((*model, row["n_train"]), ("–", "–"))
            line["Train"], line["Predict one"] = found
        lines.append(line)
    return pd.DataFrame(lines)


def _times(points: pd.DataFrame | None) -> dict[tuple[str, str, int], tuple[str, str]] | None:
    """Words for the times of training and prediction by model and size."""
    if points is None:
        return None
    return {
        (row.representation, row.kernel, row.n_train): (seconds(row.train), seconds(row.predict))
        for row in points.itertuples()
    }


def _recommended(points: pd.DataFrame | None) -> tuple[str, str] | None:
    if points is None or not len(points):
        return None
    take = recommended(points)
    return take["representation"], take["kernel"]


def descriptors(costs: Measurements) -> pd.DataFrame:
    """What each representation costs, all entries text.

    Parameters
    ----------
    costs : Measurements

    Returns
    -------
    pandas.DataFrame
        ``Representation``; ``Features``; ``Size``, bytes of the features of one structure; ``Time``
        for one structure; ``from ASE``, the same from ``ase.Atoms``; ``Gradient``, of a ``vjp``;
        ``Memory`` that the call for the sample needs beyond its input. A dash where something was
        not measured. One row for each representation, precision, average and number of threads.
    """
    frame = costs.frame
    if not len(frame):
        return pd.DataFrame()
    lines = []
    varied = [name for name in _OPTIONS if frame[name].nunique() > 1]
    for key, part in frame.groupby(["representation", *_OPTIONS], sort=False):
        values = part[(part["operation"] == "values")]
        if not len(values):
            continue
        one = values.iloc[0]
        options = [str(one[name]) for name in varied if one[name]]
        lines.append(
            {
                "Representation": ", ".join([str(key[0]), *options]),
                "Features": str(one["n_features"]),
                "Size": data_size(one["bytes"] / one["n_structures"]),
                "Time": _each(part, "values", "structures"),
                "from ASE": _each(part, "values", "ase"),
                "Gradient": _each(part, "vjp", "structures"),
                "Memory": data_size(float(one["peak_bytes"])),
            }
        )
    return pd.DataFrame(lines)


def _each(part: pd.DataFrame, operation: str, source: str) -> str:
    rows = part[(part["operation"] == operation) & (part["source"] == source)]
    return seconds(rows["seconds_per_structure"].iloc[0]) if len(rows) else "–"


def data_size(n_bytes: float) -> str:
    """Bytes with a unit, three digits; a dash where they are not known.

    Examples
    --------
    >>> data_size(176.0), data_size(2024.0), data_size(46e6), data_size(float("nan"))
    ('176 B', '2.02 kB', '46.0 MB', '–')
    """
    if math.isnan(n_bytes):
        return "–"
    for limit, factor, unit in ((1e3, 1.0, "B"), (1e6, 1e3, "kB"), (1e9, 1e6, "MB")):
        if n_bytes < limit:
            return f"{short(n_bytes / factor)} {unit}"
    return f"{short(n_bytes / 1e9)} GB"


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
