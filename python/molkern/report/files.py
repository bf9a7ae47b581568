"""A report on disk."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from molkern.report.figures import cost, learning_curves
from molkern.report.page import page
from molkern.report.style import RC
from molkern.report.summary import facts, sentences
from molkern.report.tables import markdown, overview, table
from molkern.study import Result

__all__ = ["write"]


def write(
    result: Result, folder: str | Path, *, environment: Mapping[str, object] | None = None
) -> list[Path]:
    """Write figures, tables and page into a folder; each file completely or not at all.

    Parameters
    ----------
    result : Result
    folder : str or Path
        Made if it does not exist; files of an earlier report in it are replaced.
    environment : mapping of str to object, optional
        Further facts about the run for the page.

    Returns
    -------
    list of Path
        ``report.html``, ``learning_curves.png`` and ``.svg``, ``cost.png`` and ``.svg``,
        ``table.csv`` (one row per model and size), ``table.md`` (one per model), ``results.csv``
        (one per run) and ``results.json`` (the same with all that is known about the data;
        ``study.Result.load`` reads it).

    Raises
    ------
    ValueError
        If the result cannot be reported; nothing is written then.
    OSError
        If the folder cannot be written.
    """
    contents: dict[str, bytes] = {
        "report.html": page(result, environment=environment).encode(),
    }
    for name, figure in (("learning_curves", learning_curves(result)), ("cost", cost(result))):
        contents[f"{name}.png"] = _saved(figure, "png")
        contents[f"{name}.svg"] = _saved(figure, "svg")
    contents["table.csv"] = table(result).to_csv(index=False).encode()
    contents["table.md"] = _text(result).encode()
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        temporary = folder / f".{name}.{os.getpid()}.tmp"
        temporary.write_bytes(content)
        temporary.replace(folder / name)
    saved = [result.save(folder / name) for name in ("results.csv", "results.json")]
    return [folder / name for name in contents] + saved


def _saved(figure: Figure, form: str) -> bytes:
    buffer = io.BytesIO()
    metadata = {"Date": None} if form == "svg" else {"Software": None}
    with rc_context(RC):
        figure.savefig(buffer, format=form, metadata=metadata)
    return buffer.getvalue()


def _text(result: Result) -> str:
    """The table to read, with what is needed to understand it."""
    unit = result.frame["unit"].iloc[0]
    parts = [f"# {result.frame['dataset'].iloc[0]}", *sentences(result), markdown(overview(result))]
    parts += [
        f"Errors in {unit}; N = ...: mean absolute error ± standard deviation over the runs; µs "
        "each: time to represent one structure."
    ]
    parts += ["\n".join(f"- {word}: {text}" for word, text in facts(result))]
    if result.notes:
        parts.append("Notes on the data:\n\n" + "\n".join(f"- {note}" for note in result.notes))
    return "\n\n".join(part.strip() for part in parts) + "\n"
