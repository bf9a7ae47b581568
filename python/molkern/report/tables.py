"""Results as tables: one with everything, one to read."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from molkern.report.curves import (
    EACH_NAMES,
    UNSEEN,
    by_test,
    check,
    final,
    label,
    means,
    microseconds,
    short,
    with_scatter,
)
from molkern.report.tradeoff import MARK, recommended, seconds, tradeoff
from molkern.study import Measurements, Result

__all__ = [
    "TESTED_ON",
    "data_size",
    "decisions",
    "descriptors",
    "has_dagger",
    "markdown",
    "overview",
    "side_by_side",
    "table",
]

TESTED_ON = "Tested on"  # heading of the column with the name of a test set
_OPTIONS = ["dtype", "average", "n_threads"]


def table(result: Result) -> pd.DataFrame:
    """One row per model, training size and test set of its own, for a spreadsheet.

    Returns
    -------
    pandas.DataFrame
        ``dataset``, ``property``, ``unit``, ``baseline`` (and ``split``); the columns of
        `Result.summary`; ``slope`` of the model's learning curve;
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
    slopes = result.slopes()
    rows = rows.merge(slopes, on=[name for name in slopes if name != "slope"], how="left")
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
        standard deviation over the runs, in the unit of the property; where the result has them,
        ``Per heavy atom`` and ``Per atom``, the mean error divided by their number; ``RMSE`` and
        ``Largest error`` at the largest size that all models share; ``Slope``; with costs ``Train``
        and ``Predict one``, the times at that size from structures to a model with given sigma and
        alpha, and to the prediction of one structure. A dash where something is not known, a dagger
        behind errors of models that lack an element of all their test sets.

        With several test sets first a column ``Tested on``: a block of rows for each test set, all
        in the order of the first.

    Raises
    ------
    ValueError
        See :func:`molkern.report.curves.check`.
    """
    check(result)
    points = None if costs is None else tradeoff(result, costs)
    if points is not None and not len(points):
        points = None  # nothing was measured, or no error counts
    models = final(result)[["representation", "kernel"]]
    order = list(models.itertuples(index=False, name=None))
    blocks = [_block(part, order, points) for part in by_test(result)]
    take = _recommended(points)
    if take is not None:
        blocks[0].loc[order.index(take), "Model"] = f"{MARK} {label(*take)}"
    if len(blocks) > 1:
        for name, block in zip(result.tests, blocks, strict=True):
            block.insert(0, TESTED_ON, name)
    return pd.concat(blocks, ignore_index=True)


def _block(
    result: Result, order: Sequence[tuple[str, str]], points: pd.DataFrame | None
) -> pd.DataFrame:
    """`overview` of one test set, for models in this order."""
    found = means(result).set_index(["representation", "kernel", "n_train"])
    slopes = result.slopes().set_index(["representation", "kernel"])["slope"]
    times, largest = _times(points), int(final(result)["n_train"].iloc[0])
    sizes = sorted(set(found.index.get_level_values("n_train")))
    lines = []
    for model in order:
        line = {"Model": label(*model)}
        for n in sizes:
            line[f"N = {n}"] = "–"
            if (*model, n) in found.index:
                line[f"N = {n}"] = _error(found.loc[(*model, n)])
        row = found.loc[(*model, largest)]
        for column, (heading, _) in EACH_NAMES.items():
            if column in row:
                line[heading] = _dagger(_short_or_dash(row[column]), row)
        line["RMSE"] = _dagger(short(row["rmse"]), row)
        line["Largest error"] = _dagger(short(row["max_error"]), row)
        line["Slope"] = _or_dash(slopes[model], "{:.2f}")
        if times is not None:
            line["Train"], line["Predict one"] = times.get((*model, largest), ("–", "–"))
        lines.append(line)
    return pd.DataFrame(lines)


def _error(row: pd.Series) -> str:
    mean, between, scatter = with_scatter(row["mae"], row["mae_std"]).partition(" ± ")
    return f"{_dagger(mean, row)}{between}{scatter}"


def _dagger(words: str, row: pd.Series) -> str:
    """Words with a mark if they are about a model that never saw an element."""
    return f"{words} {UNSEEN}" if row["unseen"] and words != "–" else words


def has_dagger(rows: pd.DataFrame) -> bool:
    """Whether `overview` marks errors of models that never saw an element."""
    return any(UNSEEN in str(entry) for entry in rows.to_numpy().ravel())


def side_by_side(result: Result) -> pd.DataFrame:
    """The errors at the largest training size, a column for each test set, all entries text.

    Returns
    -------
    pandas.DataFrame
        ``Model``, best first on the first test set; a column with the name of each test set.
    """
    order = final(result)
    lines = [{"Model": label(r.representation, r.kernel)} for r in order.itertuples()]
    for name, part in zip(result.tests, by_test(result), strict=True):
        rows = final(part).set_index(["representation", "kernel"])
        for line, model in zip(lines, order.itertuples(), strict=True):
            line[name] = _error(rows.loc[(model.representation, model.kernel)])
    return pd.DataFrame(lines)


def decisions(result: Result) -> pd.DataFrame:
    """What in the files was taken for what, all entries text; empty where nothing is known.

    Returns
    -------
    pandas.DataFrame
        ``What``; ``In the file``, its name there; ``How``, unit and reason. Of a test set of its
        own only what differs, with its name.
    """
    own = [list(map(str, entry)) for entry in result.metadata.get("decisions", ())]
    lines = list(own)
    for test in result.metadata.get("tests", ()):
        for entry in test.get("decisions", ()):
            if list(entry) not in own:
                lines.append([f"{entry[0]} ({test['name']})", *map(str, entry[1:])])
    lines = [[entry or "–" for entry in line] for line in lines]
    return pd.DataFrame(lines, columns=["What", "In the file", "How"])


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


def _short_or_dash(value: float) -> str:
    return "–" if math.isnan(value) else short(value)


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
