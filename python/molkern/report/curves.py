"""What figures, table and page all read from a result."""

from __future__ import annotations

import numpy as np
import pandas as pd

from molkern.study import Result
from molkern.study.extrapolation import Extrapolation

__all__ = [
    "EACH_NAMES",
    "KERNEL_NAMES",
    "MIN_SIZES",
    "UNSEEN",
    "UNSEEN_WORDS",
    "beyond",
    "by_test",
    "check",
    "each",
    "extrapolation",
    "final",
    "label",
    "learnt_from",
    "means",
    "microseconds",
    "primary",
    "seen",
    "short",
    "wins",
    "with_scatter",
]

MIN_SIZES = 3  # through two points goes a line, whatever they are
_ONE_VALUE = ("dataset", "property", "unit", "baseline", "split")
KERNEL_NAMES = {
    "laplacian": "Laplacian",
    "gaussian": "Gaussian",
    "local.gaussian": "local Gaussian",
}
# Columns of errors divided by a number of atoms: heading, and what follows the number.
EACH_NAMES = {
    "mae_per_heavy_atom": ("Per heavy atom", "for each heavy atom"),
    "mae_per_atom": ("Per atom", "per atom"),
}
UNSEEN = "†"  # behind errors of models that lack an element of all their test sets
UNSEEN_WORDS = f"{UNSEEN}: no training set of this size has all elements of the test set"


def check(result: Result) -> pd.DataFrame:
    """The frame of a result, if it can be reported.

    Returns
    -------
    pandas.DataFrame
        ``result.frame``.

    Raises
    ------
    ValueError
        If there are no rows, if they mix data sets, properties, units, baselines or splits, or if
        an error is not a finite number.
    """
    if not result.rows:
        raise ValueError("result: expected at least one row, found none")
    frame = result.frame
    for name in (name for name in _ONE_VALUE if name in frame):
        found = sorted({str(value) for value in frame[name]})
        if len(found) != 1:
            raise ValueError(f"result: expected one {name} in a report, found {found}")
    errors = frame[["mae", "rmse", "max_error"]].to_numpy(dtype=float)
    good = (np.isfinite(errors) & (errors >= 0)).all(axis=1)
    if not good.all():
        row = int(np.flatnonzero(~good)[0])
        raise ValueError(
            f"result: errors must be finite and not negative, row {row} has {errors[row].tolist()}"
        )
    return frame


def extrapolation(result: Result) -> Extrapolation | None:
    """What a comparison asked for beyond its training part; None for official or random splits."""
    frame = result.frame
    return Extrapolation.parse(str(frame["split"].iloc[0])) if "split" in frame else None


def by_test(result: Result) -> list[Result]:
    """The result of each test set of its own; the whole result where there are none."""
    return [result.of_test(name) for name in result.tests] or [result]


def primary(result: Result) -> Result:
    """The part that words and recommendation speak of: of the first test set of its own."""
    return by_test(result)[0]


def beyond(result: Result) -> str:
    """Which structures the errors are those of, to stand after "error".

    Empty for a part of all structures, and for several test sets.

    Examples
    --------
    >>> beyond(Result(({"split": "heavy_atoms:6"},)))
    ' on larger structures'
    >>> beyond(Result(({"test": "ice"},)))
    ' on ice'
    """
    if len(result.tests) == 1:
        return f" on {result.tests[0]}"
    rule = extrapolation(result)
    return "" if rule is None else f" {rule.tested_on}"


def learnt_from(result: Result) -> str:
    """Which structures are trained on, to stand after their number; empty for a part of all.

    Examples
    --------
    >>> learnt_from(Result(({"split": "heavy_atoms:6"},)))
    ' of up to 6 heavy atoms'
    """
    rule = extrapolation(result)
    return "" if rule is None else f" of {rule.learnt_from}"


def label(representation: str, kernel: str) -> str:
    """Words for a model in figures and tables.

    Examples
    --------
    >>> label("Bag of bonds", "laplacian")
    'Bag of bonds, Laplacian'
    """
    return f"{representation}, {KERNEL_NAMES.get(kernel, kernel)}"


def short(value: float) -> str:
    """Three significant digits; no exponent for ordinary sizes.

    Examples
    --------
    >>> short(2.4813), short(13.27), short(1234.5), short(0.0), short(1.2e-7)
    ('2.48', '13.3', '1234', '0', '1.2e-07')
    """
    if value == 0 or not 1e-3 <= abs(value) < 1e6:
        return f"{value:.3g}"
    rounded = float(f"{value:.3g}")  # 9.996 has its first digit before the ten
    digits = max(0, 2 - int(np.floor(np.log10(abs(rounded)))))
    return f"{value:.{digits}f}"


def with_scatter(mean: float, std: float) -> str:
    """Mean ± standard deviation, with as many decimals as the mean; the mean alone without one.

    Examples
    --------
    >>> with_scatter(2.4813, 0.1237), with_scatter(24.81, float("nan"))
    ('2.48 ± 0.12', '24.8')
    """
    words = short(mean)
    if np.isnan(std):
        return words
    if "e" in words:
        return f"{words} ± {std:.1g}"
    digits = len(words.partition(".")[2])
    return f"{words} ± {std:.{digits}f}"


def means(result: Result) -> pd.DataFrame:
    """As `Result.summary`, without the scatter of runs that learn from the same structures.

    Those that are tested on sets of their own and learn from all of the data.
    """
    table = result.summary()
    whole = table["n_train"] == _whole(result)
    table.loc[whole, ["mae_std", "rmse_std"]] = np.nan
    return table


def _whole(result: Result) -> int:
    """Training-set size at which all runs learn from the same structures; -1 if there is none."""
    return int(result.metadata.get("n_structures", -1)) if result.tests else -1


def final(result: Result) -> pd.DataFrame:
    """Rows of `means` at the largest training size that all models have, best first.

    Of several test sets the first counts. Where ``unseen`` is not empty in these rows, every
    training set of any size lacks an element of its test set: larger sets contain the smaller ones.

    Raises
    ------
    ValueError
        If the models have no training size in common.
    """
    table = means(primary(result))
    sizes = [set(part["n_train"]) for _, part in table.groupby(["representation", "kernel"])]
    common = set.intersection(*sizes)
    if not common:
        raise ValueError("result: expected a training size that all models share, found none")
    rows = table[table["n_train"] == max(common)]
    return rows.sort_values("mae", kind="stable").reset_index(drop=True)


def seen(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of `means` or `Result.frame` without elements that models never saw."""
    return table[table["unseen"].fillna("") == ""] if "unseen" in table else table


def wins(result: Result) -> tuple[int, int]:
    """How often the model with the smallest mean error is the best of a single run, too.

    Returns
    -------
    wins, runs : int
        Runs (folds times seeds) at the largest common training size, on the first test set, whose
        training set has all elements of the test set. Runs that learn from the same structures
        count as one.
    """
    best = final(result).iloc[0]
    model = (best["representation"], best["kernel"])
    rows = seen(primary(result).frame)
    rows = rows[rows["n_train"] == best["n_train"]]
    if best["n_train"] == _whole(result):
        rows = rows.groupby(["representation", "kernel"], sort=False).head(1)
    first = rows.sort_values("mae", kind="stable").groupby(["fold", "seed"], sort=False).head(1)
    won = [row == model for row in zip(first["representation"], first["kernel"], strict=True)]
    return sum(won), len(won)


def each(row: pd.Series, result: Result, unit: str) -> str:
    """Errors for each atom, to follow the error of a row of `means`; empty where there are none.

    Errors of molecules are usually stated as they are, of crystals per atom.
    """
    words = ""
    for column, (_, name) in EACH_NAMES.items():
        wanted = column == "mae_per_heavy_atom" or result.metadata.get("periodic")
        if wanted and column in row and not np.isnan(row[column]):
            words += f", {short(row[column])} {unit} {name}"
    return words


def microseconds(result: Result) -> pd.Series:
    """Time to compute the representation of one structure.

    Returns
    -------
    pandas.Series
        µs, mean over the rows, index (representation, kernel): the time for all structures divided
        by their number. NaN where their number is neither in the rows nor in ``result.metadata``,
        or the representation was not computed.
    """
    frame = result.frame
    seconds = frame["seconds_representation"].where(frame["seconds_representation"] > 0)
    n_structures = result.metadata.get("n_structures") or np.nan
    if "n_represented" in frame:
        n_structures = frame["n_represented"].fillna(n_structures)
    each = (1e6 * seconds / n_structures).rename("microseconds")
    models = [frame["representation"], frame["kernel"]]
    return each.groupby(models, sort=False).mean()
