"""Results of studies as small text files: what all rows of a model share stands there once.

A file holds results by name of their data set (or of the measurement):
``{"results": {"qm7": {"kind", "metadata", "notes", "models": [{"same": {...}, "columns":
{...}}, ...]}}}``. Errors keep six digits, seconds four. Addresses of files are cut to their names.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from molkern.study import Measurements, Result

__all__ = ["read", "write"]

Stored = Result | Measurements
_KINDS: dict[str, Any] = {"accuracy": Result, "measurements": Measurements}
# Neighbouring rows that agree in these are one model.
_MODEL = ("system", "representation", "kernel")


def write(path: Path, results: Mapping[str, Stored]) -> Path:
    """Write results; the same content gives the same file."""
    content = {"results": {name: _packed(result) for name, result in results.items()}}
    part = path.with_suffix(".part")
    part.write_text(_text(content) + "\n", encoding="utf-8")
    part.replace(path)
    return path


def read(path: Path) -> dict[str, Any]:
    """`Result` or `Measurements` by name.

    Raises
    ------
    ValueError
        For a file that `write` did not write.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))["results"]
        return {name: _unpacked(part) for name, part in content.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path.name} holds no results of studies: {error!r}") from error


def _packed(result: Stored) -> dict[str, Any]:
    metadata = dict(result.metadata)
    if "source" in metadata:
        metadata["source"] = Path(metadata["source"]).name
    kind = "accuracy" if isinstance(result, Result) else "measurements"
    models = [_columns(list(rows)) for _, rows in groupby(result.rows, key=_model)]
    return {"kind": kind, "metadata": metadata, "notes": list(result.notes), "models": models}


def _model(row: Mapping[str, Any]) -> list[Any]:
    return [row.get(name) for name in _MODEL]


def _columns(rows: list[dict[str, Any]]) -> dict[str, Any]:
    columns = {name: [_rounded(name, row[name]) for row in rows] for name in rows[0]}
    same = {name: values[0] for name, values in columns.items() if len(set(values)) == 1}
    varied = {name: values for name, values in columns.items() if name not in same}
    return {"n_rows": len(rows), "same": same, "columns": varied}


def _rounded(name: str, value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return float(f"{value:.{4 if name.startswith('seconds') else 6}g}")


def _unpacked(part: Mapping[str, Any]) -> Stored:
    rows = tuple(row for model in part["models"] for row in _rows(model))
    made: Stored = _KINDS[part["kind"]](rows, tuple(part["notes"]), dict(part["metadata"]))
    return made


def _rows(model: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for k in range(model["n_rows"]):
        yield {**model["same"], **{name: values[k] for name, values in model["columns"].items()}}


def _text(value: Any, margin: str = "") -> str:
    """JSON with a line for each entry, lists of numbers or words on one."""
    inner = margin + " "
    if isinstance(value, dict) and value:
        lines = [f"{inner}{json.dumps(key)}: {_text(item, inner)}" for key, item in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{margin}}}"
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        lines = [inner + _text(item, inner) for item in value]
        return "[\n" + ",\n".join(lines) + f"\n{margin}]"
    return json.dumps(value, ensure_ascii=False)
