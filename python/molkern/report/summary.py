"""The answer in plain words."""

from __future__ import annotations

import math
from pathlib import PurePath
from typing import Any

import pandas as pd

from molkern.report.curves import (
    KERNEL_NAMES,
    check,
    final,
    microseconds,
    short,
    wins,
    with_scatter,
)
from molkern.study import Result
from molkern.study.result import ORIGIN

__all__ = ["facts", "origin", "sentences", "unit_words"]

FEW = 50  # test structures, below which an order of models means little
_BASELINES = {
    "none": "none: the model learns the property itself",
    "mean": "the mean of the training set is subtracted before learning",
    "elements": "a linear function of the counts of elements, fitted on the training set, is "
    "subtracted before learning",
}


def unit_words(unit: str) -> str:
    """The unit to stand after a number."""
    return "(unit unknown)" if unit == "unknown" else unit


def sentences(result: Result) -> list[str]:
    """What a reader should take home, as plain text; nothing that was not measured.

    Parameters
    ----------
    result : Result

    Returns
    -------
    list of str
        Best model and its error, the distance to the next one and whether it holds in each run,
        what more data bring, and what the representations cost.

    Raises
    ------
    ValueError
        See :func:`molkern.report.curves.check`.
    """
    frame = check(result)
    rows = final(result)
    best, unit = rows.iloc[0], unit_words(frame["unit"].iloc[0])
    error = f"{with_scatter(best['mae'], best['mae_std'])} {unit}"
    words = [
        f"With {best['n_train']} training structures, {_name(best)} has the smallest mean absolute "
        f"error: {error}."
        if len(rows) > 1
        else f"With {best['n_train']} training structures, {_name(best)} has a mean absolute error "
        f"of {error}."
    ]
    if len(rows) > 1:
        words.append(_comparison(result, rows, unit))
    words += _gain(result, best)
    seconds = best.filter(like="seconds_").sum()
    words.append(
        f"One run of {_name(best)} takes {short(seconds)} s, all stages and what it shares with "
        "other runs included."
    )
    words += _costs(result)
    n_test = int(frame["n_test"].min())
    if n_test < FEW:
        words.append(f"Tested on {n_test} structures only: too few to tell models apart.")
    return words


def _name(row: pd.Series) -> str:
    kernel = KERNEL_NAMES.get(row["kernel"], row["kernel"])
    return f"{row['representation']} with the {kernel} kernel"


def _comparison(result: Result, rows: pd.DataFrame, unit: str) -> str:
    best, second = rows.iloc[0], rows.iloc[1]
    won, runs = wins(result)
    if short(best["mae"]) == short(second["mae"]):
        return f"{_name(second)} is as good, to three digits: {short(second['mae'])} {unit}."
    if best["mae"] > 0:
        ratio = second["mae"] / best["mae"]
        size = f", {ratio:.1f} times as much" if ratio >= 1.5 else f", {ratio - 1:.0%} more"
    else:
        size = ""
    text = f"Next comes {_name(second)}: {short(second['mae'])} {unit}{size}"
    if runs == 1:
        return f"{text}; this is a single run, so the scatter between runs is not known."
    if won == runs:
        return f"{text}; the first is ahead of all others in each of the {runs} runs."
    return f"{text}; but the first is ahead of all others in only {won} of {runs} runs."


def _gain(result: Result, best: pd.Series) -> list[str]:
    slope = result.slope(best["representation"], best["kernel"])
    if math.isnan(slope):
        return []
    change = 1.0 - 2.0**slope
    effect = f"mean {change:.0%} less error" if change > 0 else "do not mean less error"
    return [f"For {_name(best)}, twice as many training structures {effect} (slope {slope:.2f})."]


def _costs(result: Result) -> list[str]:
    times = microseconds(result).groupby("representation", sort=False).min().dropna()
    if len(times) < 2:
        return []
    low, high = times.idxmin(), times.idxmax()
    return [
        f"The quickest representation to compute is {low} with {short(times[low])} µs for each "
        f"structure, the slowest {high} with {short(times[high])} µs."
    ]


def facts(result: Result) -> list[tuple[str, str]]:
    """How it was measured: pairs of a word and its meaning, as plain text.

    Returns
    -------
    list of (str, str)
        Only what ``result`` knows.

    Raises
    ------
    ValueError
        See :func:`molkern.report.curves.check`.
    """
    frame, about = check(result), result.metadata
    first = frame.iloc[0]
    unit = first["unit"] if first["unit"] != "unknown" else "unknown: none was stated"
    n_test = sorted(set(frame["n_test"].astype(int)))
    tests = str(n_test[0]) if len(n_test) == 1 else f"{n_test[0]} to {n_test[-1]}"
    pairs = [
        ("Data", _data(first, about)),
        ("Property", f"{first['property']}, unit {unit}"),
        ("Baseline", f"{first['baseline']} – {_BASELINES.get(first['baseline'], '')}".rstrip(" –")),
        ("Runs", f"{_runs(frame)}; {tests} test structures in each, never trained on"),
        ("Training", "nested sets: a larger one contains the smaller ones"),
        ("Parameters", _tuning(about)),
        ("Source", PurePath(str(about.get("source", ""))).name),
        ("SHA-256", str(about.get("sha256", ""))),
        ("Verified", str(about.get("verified", ""))),
        ("Citation", str(about.get("citation", ""))),
        ("Software", f"molkern {about['molkern']}" if about.get("molkern") else ""),
        ("Computed with", origin(result)),
    ]
    return [(word, text) for word, text in pairs if text]


def origin(result: Result) -> str:
    """Threads, instruction set and compiler of the process that computed the rows.

    Stored rows count as what computed them, not as what read them. Empty for rows that hold no
    such columns.
    """
    frame = result.frame
    if not set(ORIGIN) <= set(frame.columns):
        return ""
    counts = frame.value_counts(ORIGIN, sort=True)
    words = [_process(*key) for key in counts.index]
    if len(words) == 1:
        return words[0]
    parts = [
        f"{word} ({n} run{'' if n == 1 else 's'})" for word, n in zip(words, counts, strict=True)
    ]
    return f"different processes, so times do not compare: {'; '.join(parts)}"


def _process(n_threads: int, isa: str, compiler: str) -> str:
    if n_threads == 0:
        return "not recorded"
    return f"{n_threads} thread{'' if n_threads == 1 else 's'}, {isa}, compiler {compiler}"


def _data(first: pd.Series, about: dict[str, Any]) -> str:
    n_structures = about.get("n_structures")
    count = f", {n_structures} structures" if n_structures else ""
    return f"{first['dataset']}{count}"


def _runs(frame: pd.DataFrame) -> str:
    folds, seeds = frame["fold"].nunique(), frame["seed"].nunique()
    words = [f"{count} {word}{'' if count == 1 else 's'}" for count, word in
             ((folds, "fold"), (seeds, "seed"))]  # fmt: skip
    return " × ".join(words)


def _tuning(about: dict[str, Any]) -> str:
    if not about.get("cv"):
        return ""
    text = f"sigma and alpha by {about['cv']}-fold cross-validation inside the training set"
    if about.get("n_tune"):
        text += f"; above {about['n_tune']} structures those found on the first {about['n_tune']}"
    return text
