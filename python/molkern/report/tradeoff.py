"""Error against cost: both joined, the models that no other beats, and what to take."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from molkern.datasets.units import unit_words
from molkern.report.curves import (
    KERNEL_NAMES,
    beyond,
    check,
    each,
    label,
    learnt_from,
    means,
    primary,
    seen,
    short,
    with_scatter,
)
from molkern.study import Measurements, Result
from molkern.study.result import EACH

__all__ = ["MARK", "N_PREDICTED", "front_table", "recommendation", "recommended", "tradeoff"]

# Structures whose prediction counts in the total cost.
N_PREDICTED = 1000
MARK = "★"  # of the recommended model in tables
_KEY = ["representation", "kernel", "n_train"]


def tradeoff(result: Result, costs: Measurements) -> pd.DataFrame:
    """Error and cost of every model at every training size.

    Parameters
    ----------
    result : Result
    costs : Measurements
        Of ``study.cost`` on the same data, with "train" and "predict".

    Returns
    -------
    pandas.DataFrame
        ``representation``, ``kernel``, ``n_train``, ``mae``, ``mae_std``; ``train``, seconds to
        represent and to learn from the training set with given sigma and alpha; ``predict``,
        seconds to represent and to predict one structure; ``total`` seconds to train and to predict
        1000; ``mae_per_heavy_atom`` and ``mae_per_atom`` where the result has them; ``on_front``:
        no other row has a smaller total and a smaller (or the same) error; ``on_front_predict``:
        the same for ``predict``. Only rows with all of these, of the first test set, and without
        elements that the models never saw.

    Raises
    ------
    ValueError
        See :func:`molkern.report.curves.check`.
    """
    check(result)
    frame = costs.frame
    names = {"train": "seconds", "predict": "seconds_per_structure"}
    columns = []
    for operation, seconds in names.items():
        rows = frame[(frame["operation"] == operation)] if len(frame) else frame
        if not len(rows):
            return pd.DataFrame()
        columns.append(rows.groupby(_KEY, sort=False)[seconds].min().rename(operation))
    table = seen(means(primary(result)))
    table = table[[*_KEY, "mae", "mae_std", *(name for name in EACH if name in table)]]
    table = table.merge(pd.concat(columns, axis=1).dropna().reset_index(), on=_KEY, how="inner")
    table["total"] = table["train"] + N_PREDICTED * table["predict"]
    table["on_front"] = _front(table["total"], table["mae"])
    table["on_front_predict"] = _front(table["predict"], table["mae"])
    return table


def _front(cost: pd.Series, error: pd.Series) -> np.ndarray:
    """Rows that no other row beats in cost and equals or beats in error."""
    order = np.lexsort((error, cost))
    best, found = math.inf, np.zeros(len(cost), dtype=bool)
    for row in order:
        if error.iloc[row] < best:
            best, found[row] = error.iloc[row], True
    return found


def recommended(table: pd.DataFrame) -> pd.Series:
    """The cheapest row (in total) whose error is within one standard deviation of the smallest.

    Parameters
    ----------
    table : pandas.DataFrame
        Of `tradeoff`, not empty.
    """
    best = table.loc[table["mae"].idxmin()]
    scatter = 0.0 if math.isnan(best["mae_std"]) else best["mae_std"]
    return table[table["mae"] <= best["mae"] + scatter].sort_values("total").iloc[0]


def recommendation(result: Result, costs: Measurements) -> list[str]:
    """What to take, and what else if that costs too much, in words with their numbers.

    The model of `recommended`; beside it the cheapest one that needs at most half the total for at
    most twice the error. Of several test sets the first decides.

    Returns
    -------
    list of str
        Empty where costs are not known, or all training sets lack elements of their test set.
    """
    table = tradeoff(result, costs)
    if not len(table):
        return []
    result = primary(result)
    unit = unit_words(str(result.frame["unit"].iloc[0]), after_number=True)
    best = table.loc[table["mae"].idxmin()]
    take = recommended(table)
    words = [
        f"Recommended: {_name(take)}, {take['n_train']} training structures{learnt_from(result)}. "
        f"Mean absolute error{beyond(result)} {with_scatter(take['mae'], take['mae_std'])} {unit}"
        f"{each(take, result, unit)}; "
        f"{seconds(take['train'])} to train, {seconds(take['predict'])} to predict a structure."
    ]
    if (take[_KEY] != best[_KEY]).any():
        more = _times(best["total"] / take["total"], "as much", "about the same")
        words.append(
            f"The smallest error, {short(best['mae'])} {unit} of {_name(best)}, is within the "
            f"scatter of the runs, and costs {more}."
        )
    front = table[table["on_front"]]
    cheaper = front[(front["total"] <= take["total"] / 2) & (front["mae"] <= 2 * take["mae"])]
    if len(cheaper):
        other = cheaper.sort_values("total").iloc[0]
        error = _times(other["mae"] / take["mae"], "the error", "about the same error")
        words.append(
            f"If the recommended one is too slow: {_name(other)}, {other['n_train']} training "
            f"structures, needs {seconds(other['total'])} instead of {seconds(take['total'])} "
            f"to train and to predict {N_PREDICTED} structures, for {error} "
            f"({short(other['mae'])} {unit})."
        )
    same = (front[_KEY[:2]] == list(take[_KEY[:2]])).all(axis=None)
    if same and table.groupby(_KEY[:2]).ngroups > 1:
        words.append("At no cost that was measured does another model have a smaller error.")
    return words


def _times(ratio: float, words: str, same: str) -> str:
    """A ratio before words; other words where it is 1 in the digits shown."""
    number = f"{ratio:.1f}"
    return same if number == "1.0" else f"{number} times {words}"


def front_table(result: Result, costs: Measurements) -> pd.DataFrame:
    """The front, cheapest first, all entries text.

    Returns
    -------
    pandas.DataFrame
        ``Model``, marked if it is recommended at that ``N``; ``N``, ``Error``, ``Total``,
        ``Train``, ``Predict one``.
    """
    table = tradeoff(result, costs)
    if not len(table):
        return pd.DataFrame()
    take = recommended(table)
    lines = []
    for _, row in table[table["on_front"]].sort_values("total").iterrows():
        mark = f"{MARK} " if row.name == take.name else ""
        lines.append(
            {
                "Model": mark + label(row["representation"], row["kernel"]),
                "N": str(row["n_train"]),
                "Error": with_scatter(row["mae"], row["mae_std"]),
                "Total": seconds(row["total"]),
                "Train": seconds(row["train"]),
                "Predict one": seconds(row["predict"]),
            }
        )
    return pd.DataFrame(lines)


def seconds(value: float) -> str:
    """A time with its unit, three digits.

    Examples
    --------
    >>> seconds(0.0000123), seconds(0.0456), seconds(7.8), seconds(754.0)
    ('12.3 µs', '45.6 ms', '7.80 s', '12.6 min')
    """
    for limit, factor, unit in ((1e-3, 1e6, "µs"), (1.0, 1e3, "ms"), (120.0, 1.0, "s")):
        if value < limit:
            return f"{short(value * factor)} {unit}"
    return f"{short(value / 60)} min"


def _name(row: pd.Series) -> str:
    kernel = KERNEL_NAMES.get(row["kernel"], row["kernel"])
    return f"{row['representation']} with the {kernel} kernel"
