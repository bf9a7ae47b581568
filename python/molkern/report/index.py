"""A page that leads to several reports."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from molkern.report.curves import primary
from molkern.report.summary import sentences
from molkern.report.tables import overview
from molkern.study import Result

__all__ = ["write_index"]


def write_index(results: Sequence[Result], folders: Sequence[Path], path: Path) -> Path:
    """Write a page with the answer and the order of the models for each data set.

    Parameters
    ----------
    results : sequence of Result
    folders : sequence of Path
        Where the report of each is, as `write` made it.
    path : Path
        The page; replaced if it exists.

    Returns
    -------
    Path

    Raises
    ------
    OSError
        If it can not be written.
    """
    template = resources.files("molkern.report").joinpath("index.html.j2").read_text("utf-8")
    made = Environment(autoescape=True, undefined=StrictUndefined).from_string(template)
    parts = [_part(r, f, path.parent) for r, f in zip(results, folders, strict=True)]
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    notes = list(dict.fromkeys(note for result in results for note in result.notes))
    temporary.write_text(made.render(parts=parts, notes=notes), encoding="utf-8")
    temporary.replace(path)
    return path


def _part(result: Result, folder: Path, base: Path) -> dict[str, object]:
    first = result.frame.iloc[0]
    rows = overview(primary(result))
    largest = [name for name in rows.columns if name.startswith("N = ")][-1]
    return {
        "name": first["dataset"],
        "what": f"{first['property']}, {first['unit']}",
        "answer": sentences(result)[0],
        "largest": largest,
        "rows": rows[["Model", largest]].to_numpy().tolist(),
        "link": Path(os.path.relpath(folder / "report.html", base)).as_posix(),
    }
