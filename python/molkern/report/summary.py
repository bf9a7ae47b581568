"""The answer in plain words."""

from __future__ import annotations

import math
from pathlib import PurePath
from typing import Any

import pandas as pd

from molkern.datasets.units import unit_words
from molkern.report.curves import (
    KERNEL_NAMES,
    MIN_SIZES,
    beyond,
    check,
    extrapolation,
    final,
    learnt_from,
    short,
    wins,
    with_scatter,
)
from molkern.report.tradeoff import recommendation, seconds
from molkern.study import Measurements, Result
from molkern.study.result import ORIGIN

__all__ = ["facts", "measured_how", "origin", "sentences"]

FEW = 50  # test structures, below which an order of models means little
_BASELINES = {
    "none": "none: the model learns the property itself",
    "mean": "the mean of the training set is subtracted before learning",
    "elements": "a linear function of the counts of elements, fitted on the training set, is "
    "subtracted before learning",
}


def sentences(result: Result, costs: Measurements | None = None) -> list[str]:
    """What a reader should take home, as plain text; nothing that was not measured.

    Parameters
    ----------
    result : Result
    costs : Measurements, optional
        Of ``study.cost`` on the same data.

    Returns
    -------
    list of str
        With costs first what to take (see `molkern.report.tradeoff.recommendation`); best model
        and its error, the distance to the next one and whether it holds in each run, what more
        data bring, and what the representations cost.

    Raises
    ------
    ValueError
        See :func:`molkern.report.curves.check`.
    """
    frame = check(result)
    rows = final(result)
    best, unit = rows.iloc[0], unit_words(frame["unit"].iloc[0], after_number=True)
    words = [_first(result, best, unit, several=len(rows) > 1)]
    if len(rows) > 1:
        words.append(_comparison(result, rows, unit))
    words += _gain(result, best)
    if costs is not None:  # times of the study itself are those of a run that does other things
        words += _choice(best)
        words += _representing(costs)
        words = _joined(words, recommendation(result, costs), best)
    n_test = int(frame["n_test"].min())
    few = f"Tested on {n_test} structures only: too few to tell models apart."
    return [few, *words] if n_test < FEW else words


def _first(result: Result, best: pd.Series, unit: str, *, several: bool) -> str:
    """The best model and its error, and which structures that is an error of."""
    error = f"{with_scatter(best['mae'], best['mae_std'])} {unit}"
    if "mae_per_heavy_atom" in best:
        error += f", {short(best['mae_per_heavy_atom'])} {unit} for each heavy atom"
    size = (
        f"smallest mean absolute error{beyond(result)}: "
        if several
        else (f"mean absolute error{beyond(result)} of ")
    )
    has = f"{_name(best)} has {'the' if several else 'a'} {size}{error}."
    return f"With {best['n_train']} training structures{learnt_from(result)}, {has}"


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
        more = f"{ratio - 1:.0%}"
        size = ", the same within 0.5%" if more == "0%" else f", {more} more"
        size = f", {ratio:.1f} times as much" if ratio >= 1.5 else size
    else:
        size = ""
    text = f"Next comes {_name(second)}: {short(second['mae'])} {unit}{size}"
    if runs == 1:
        return f"{text}; this is a single run, so the scatter between runs is not known."
    if won == runs:
        return f"{text}; {_name(best)} is ahead of all others in each of the {runs} runs."
    return f"{text}; but {_name(best)} is ahead of all others in only {won} of {runs} runs."


def _gain(result: Result, best: pd.Series) -> list[str]:
    slope = result.slope(best["representation"], best["kernel"])
    if math.isnan(slope):
        return []
    table = result.summary()
    same = (table[["representation", "kernel"]] == best[["representation", "kernel"]]).all(axis=1)
    own = table[same & (table["mae"] > 0)].sort_values("n_train")
    if len(own) < MIN_SIZES:
        low, high = own.iloc[0], own.iloc[-1]
        change = f"{abs(1.0 - high['mae'] / low['mae']):.0%}"
        effect = f"falls by {change}" if high["mae"] < low["mae"] else f"rises by {change}"
        return [
            f"From {low['n_train']} to {high['n_train']} training structures the error of "
            f"{_name(best)} {'stays the same' if change == '0%' else effect}; two sizes only."
        ]
    less = f"{1.0 - 2.0**slope:.0%}"
    nothing = slope >= 0 or less == "0%"
    effect = "do not mean less error" if nothing else f"mean {less} less error"
    return [f"For {_name(best)}, twice as many training structures {effect} (slope {slope:.2f})."]


def _joined(words: list[str], recommended: list[str], best: pd.Series) -> list[str]:
    """What to take, then the accuracy, then what else there is; nothing twice."""
    if not recommended:
        return words
    same = recommended[0].startswith(f"Recommended: {_name(best)}, {best['n_train']} ")
    return [recommended[0], *words[1 if same else 0 :], *recommended[1:]]


def _choice(best: pd.Series) -> list[str]:
    """Times of a result that came from no study (they are 0) are not worth a sentence."""
    if not best["seconds_tune"] > 0:
        return []
    return [
        f"The choice of sigma and alpha for {_name(best)} takes {seconds(best['seconds_tune'])}, "
        "once for each training set."
    ]


def _representing(costs: Measurements) -> list[str]:
    rows = costs.frame
    rows = rows[(rows["operation"] == "values") & (rows["source"] == "structures")]
    times = 1e6 * rows.groupby("representation", sort=False)["seconds_per_structure"].min()
    if len(times) < 2:
        return []
    low, high = times.idxmin(), times.idxmax()
    return [
        f"The quickest representation to compute is {low} with {short(times[low])} µs for each "
        f"structure, the slowest {high} with {short(times[high])} µs."
    ]


def measured_how(costs: Measurements) -> str:
    """How the times came about, as the end of a sentence."""
    counts = sorted(set(costs.frame["n_threads"])) if len(costs.frame) else []
    on = " and ".join(f"{n} thread{'' if n == 1 else 's'}" for n in counts)
    return (
        f"the shortest of several calls{f' on {on}' if on else ''}, in a process of its own; they "
        "depend on the machine, and on what else runs on it"
    )


def facts(result: Result, costs: Measurements | None = None) -> list[tuple[str, str]]:
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
    n_test = sorted(set(frame["n_test"].astype(int)))
    tests = str(n_test[0]) if len(n_test) == 1 else f"{n_test[0]} to {n_test[-1]}"
    pairs = [
        ("Data", _data(first, about)),
        ("Property", f"{first['property']} ({unit_words(first['unit'])})"),
        ("Baseline", f"{first['baseline']} – {_BASELINES.get(first['baseline'], '')}".rstrip(" –")),
        ("Runs", f"{_runs(frame)}; {tests} test structures in each, never trained on"),
        ("Split", _split(result)),
        ("Training", "nested sets: a larger one contains the smaller ones"),
        ("Parameters", _tuning(about)),
        ("Source", PurePath(str(about.get("source", ""))).name),
        ("SHA-256", str(about.get("sha256", ""))),
        ("Verified", str(about.get("verified", ""))),
        ("Citation", str(about.get("citation", ""))),
        ("Software", f"molkern {about['molkern']}" if about.get("molkern") else ""),
        ("Computed with", origin(result)),
        ("Cost measured on", "" if costs is None else str(costs.metadata.get("processor", ""))),
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


def _split(result: Result) -> str:
    rule = extrapolation(result)
    return "" if rule is None else f"{rule} – {rule.explanation}"


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
        text += (
            f"; above {about['n_tune']} structures those found on the first {about['n_tune']}, "
            "alpha adapted by one left-out fold"
        )
    return text
