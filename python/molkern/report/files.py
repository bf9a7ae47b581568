"""A report on disk."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from molkern.datasets.units import unit_words
from molkern.report.curves import UNSEEN_WORDS, beyond, final
from molkern.report.curves_figure import learning_curves
from molkern.report.figures import saved
from molkern.report.page import MARKED, TOTAL, page
from molkern.report.summary import facts, measured_how, sentences
from molkern.report.tables import (
    decisions,
    descriptors,
    has_dagger,
    markdown,
    overview,
    side_by_side,
    table,
)
from molkern.report.tradeoff import front_table, tradeoff
from molkern.report.tradeoff_figure import error_against_cost
from molkern.study import Measurements, Result

__all__ = ["write"]


def write(
    result: Result,
    folder: str | Path,
    *,
    costs: Measurements | None = None,
    environment: Mapping[str, object] | None = None,
) -> list[Path]:
    """Write figures, tables and page into a folder; each file completely or not at all.

    Parameters
    ----------
    result : Result
    folder : str or Path
        Made if it does not exist; files of an earlier report in it are replaced.
    costs : Measurements, optional
        Of ``study.cost`` on the same data: what the models cost, and the error against it.
    environment : mapping of str to object, optional
        Further facts about the run for the page.

    Returns
    -------
    list of Path
        ``report.html``, ``learning_curves.png`` and ``.svg``, ``table.csv`` (one row per model and
        size), ``table.md`` (one per model), ``results.csv`` (one per run) and ``results.json`` (the
        same with all that is known about the data; ``study.Result.load`` reads it); with costs also
        ``error_against_cost.png`` and ``.svg``, ``costs.csv`` (one row per measurement) and
        ``costs.json`` (``study.Measurements.load`` reads it).

    Raises
    ------
    ValueError
        If the result cannot be reported; nothing is written then.
    OSError
        If the folder cannot be written.
    """
    contents: dict[str, bytes] = {
        "report.html": page(result, costs=costs, environment=environment).encode(),
    }
    figures = {"learning_curves": learning_curves(result)}
    if costs is not None and len(tradeoff(result, costs)):
        figures["error_against_cost"] = error_against_cost(result, costs)
    for name, figure in figures.items():
        contents[f"{name}.png"] = saved(figure, "png")
        contents[f"{name}.svg"] = saved(figure, "svg")
    contents["table.csv"] = table(result).to_csv(index=False).encode()
    contents["table.md"] = _text(result, costs).encode()
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        temporary = folder / f".{name}.{os.getpid()}.tmp"
        temporary.write_bytes(content)
        temporary.replace(folder / name)
    numbers = [result.save(folder / name) for name in ("results.csv", "results.json")]
    if costs is not None:
        numbers += [costs.save(folder / name) for name in ("costs.csv", "costs.json")]
    return [folder / name for name in contents] + numbers


def _text(result: Result, costs: Measurements | None) -> str:
    """The table to read, with what is needed to understand it."""
    unit = unit_words(result.frame["unit"].iloc[0])
    parts = [f"# {result.frame['dataset'].iloc[0]}", *sentences(result, costs)]
    rows = overview(result, costs)
    if len(result.tests) > 1:
        largest = int(final(result)["n_train"].iloc[0])
        parts += [markdown(side_by_side(result)), f"Mean absolute error at N = {largest} ({unit})."]
    parts += [markdown(rows)]
    error = f"mean absolute error{beyond(result)} ± standard deviation over the runs"
    dagger = f" {UNSEEN_WORDS}." if has_dagger(rows) else ""
    parts += [f"Errors ({unit}); N = ...: {error}.{dagger}"]
    if costs is not None:
        front = front_table(result, costs)
        if len(front):
            parts += [markdown(front), f"Total: {TOTAL}. {MARKED}."]
        parts += [markdown(descriptors(costs)), f"Times are {measured_how(costs)}."]
    if len(read := decisions(result)):
        parts += ["What was read:", markdown(read)]
    parts += ["\n".join(f"- {word}: {text}" for word, text in facts(result, costs))]
    if result.notes:
        parts.append("Notes on the data:\n\n" + "\n".join(f"- {note}" for note in result.notes))
    return "\n\n".join(part.strip() for part in parts) + "\n"
