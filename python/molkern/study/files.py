"""Rows of studies as files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

__all__ = ["save"]


def save(path: str | Path, content: dict[str, Any], frame: pd.DataFrame) -> Path:
    """Write ``content`` to ``.json``, or ``frame`` to ``.csv``.

    Raises
    ------
    ValueError
        For another ending.
    """
    path = Path(path)
    if path.suffix == ".json":
        path.write_text(json.dumps(content, indent=1), encoding="utf-8")
    elif path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        raise ValueError(f"path: expected the ending .json or .csv, found {path.name!r}")
    return path
