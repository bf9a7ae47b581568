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
    by_test,
    check,
    each,
    extrapolation,
    final,
    learnt_from,
    means,
    primary,
    seen,
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
    "atoms": "energies of free atoms, and then the mean of the training set, are subtracted before "
    "learning",
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
        data bring, and what the representations cost. All this is about the first of several test
        sets; then a sentence about each of the others. No number, slope or recommendation where
        every training set lacks an element of the test set.

    Raises
    ------
    ValueError
        See :func:`molkern.report.curves.check`.
    """
    check(result)
    main, rows = primary(result), final(result)
    best, unit = rows.iloc[0], unit_words(main.frame["unit"].iloc[0], after_number=True)
    if best["unseen"]:
        words = [_never_seen(main, best)]
    else:
        words = [_first(main, best, unit, several=len(rows) > 1)]
        if len(rows) > 1:
            words.append(_comparison(main, rows, unit))
        words += _gain(main, best)
    words += [_elsewhere(part, best, unit) for part in by_test(result)[1:]]
    if costs is not None:  # times of the study itself are those of a run that does other things
        words += [] if best["unseen"] else _choice(best)
        words += _representing(costs)
        words = _joined(words, recommendation(result, costs), best)
    return [*_few(result), *words]


def _few(result: Result) -> list[str]:
    """A warning where test sets are too small."""
    counts = [(part, int(part.frame["n_test"].min())) for part in by_test(result)]
    few = [(part, n) for part, n in counts if n < FEW]
    if not few:
        return []
    if not result.tests:
        return [f"Tested on {few[0][1]} structures only: too few to tell models apart."]
    words = " and ".join(f"{n} structures of {part.tests[0]}" for part, n in few)
    return [f"Tested on {words} only: too few to tell models apart."]


def _never_seen(result: Result, best: pd.Series) -> str:
    """Why there is no number: said instead of it."""
    symbols = best["unseen"].replace(",", ", ")
    return (
        f"No model can be recommended{beyond(result)}: the test structures hold {symbols}, which "
        f"no training set has, even with {best['n_train']} structures. An error for an element "
        "that a model never saw says nothing about the model: add structures with it to the "
        "training set, or leave them out of the test set."
    )


def _elsewhere(result: Result, best: pd.Series, unit: str) -> str:
    """What becomes of the best model on a further test set, and what is best there."""
    rows, name = final(result), result.tests[0]
    there, model = rows.iloc[0], ["representation", "kernel"]
    if there["unseen"]:
        symbols = there["unseen"].replace(",", ", ")
        return f"Errors on {name} do not count: it holds {symbols}, which no training set has."
    least = f"{with_scatter(there['mae'], there['mae_std'])} {unit}"
    if best["unseen"]:  # then no model is the best of the first test set
        return f"On {name}, the smallest mean absolute error is {least} of {_name(there)}."
    same = rows[(rows[model] == best[model]).all(axis=1)].iloc[0]
    text = f"On {name}, {_name(same)} has {with_scatter(same['mae'], same['mae_std'])} {unit}"
    if len(rows) == 1:
        return f"{text}."
    if (there[model] == same[model]).all():
        return f"{text}, the smallest error there, too."
    return f"{text}; the smallest error there is {least} of {_name(there)}."


def _first(result: Result, best: pd.Series, unit: str, *, several: bool) -> str:
    """The best model and its error, and which structures that is an error of."""
    error = f"{with_scatter(best['mae'], best['mae_std'])} {unit}{each(best, result, unit)}"
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
    if runs == 1 and len(result.frame.drop_duplicates(["fold", "seed"])) > 1:
        return (
            f"{text}; all runs learn from the same structures, so the scatter between training "
            "sets is not known."
        )
    if runs == 1:
        return f"{text}; this is a single run, so the scatter between runs is not known."
    if won == runs:
        return f"{text}; {_name(best)} is ahead of all others in each of the {runs} runs."
    return f"{text}; but {_name(best)} is ahead of all others in only {won} of {runs} runs."


def _gain(result: Result, best: pd.Series) -> list[str]:
    slope = result.slope(best["representation"], best["kernel"])
    if math.isnan(slope):
        return []
    table = seen(means(result))
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
    pairs = [
        ("Data", _data(first, about)),
        ("Tested on", _tested_on(result)),
        ("Property", f"{first['property']} ({unit_words(first['unit'])})"),
        ("Baseline", _baseline(first, about)),
        ("Runs", _runs(result)),
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


def _tested_on(result: Result) -> str:
    """Test sets of their own: name, size, and the file with its hash."""
    about = {test["name"]: test for test in result.metadata.get("tests", ())}
    words = []
    for name, part in zip(result.tests, by_test(result), strict=False):
        test = about.get(name, {})
        file = PurePath(str(test.get("source", ""))).name
        sha256 = f"SHA-256 {test['sha256']}" if test.get("sha256") else ""
        further = ", ".join(filter(None, [file, sha256, str(test.get("citation", ""))]))
        size = f"{int(part.frame['n_test'].iloc[0])} structures"
        words.append(f"{name}: {size}{f' ({further})' if further else ''}")
    return "; ".join(words)


def _baseline(first: pd.Series, about: dict[str, Any]) -> str:
    name = first["baseline"]
    text = f"{name} – {_BASELINES.get(name, '')}".rstrip(" –")
    if about.get("atom_energies"):
        energies = ", ".join(f"{symbol} {e:.10g}" for symbol, e in about["atom_energies"].items())
        text += f": {energies} ({unit_words(first['unit'])})"
    return text


def _runs(result: Result) -> str:
    frame = result.frame
    if result.tests:
        seeds = frame["seed"].nunique()
        text = f"{seeds} order{'' if seeds == 1 else 's'} of the data"
        if seeds > 1 and frame["n_train"].max() == result.metadata.get("n_structures"):
            text += (
                f"; at N = {frame['n_train'].max()}, all of the data, they differ in the folds "
                "that sigma and alpha are chosen by, and in nothing else"
            )
        return text
    n_test = sorted(set(frame["n_test"].astype(int)))
    tests = str(n_test[0]) if len(n_test) == 1 else f"{n_test[0]} to {n_test[-1]}"
    folds, seeds = frame["fold"].nunique(), frame["seed"].nunique()
    words = [f"{count} {word}{'' if count == 1 else 's'}" for count, word in
             ((folds, "fold"), (seeds, "seed"))]  # fmt: skip
    return f"{' × '.join(words)}; {tests} test structures in each, never trained on"


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
