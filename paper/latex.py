"""Numbers and tables as LaTeX."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from molkern.report.curves import short, with_scatter

__all__ = ["error", "number", "save_table", "words"]

_SPECIAL = {
    **{sign: rf"\{sign}" for sign in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "±": r"$\pm$",
    "Å": r"\AA{}",
    "µ": r"\textmu{}",
}


def words(text: str) -> str:
    """Text with LaTeX's own signs escaped."""
    return "".join(_SPECIAL.get(sign, sign) for sign in text)


def error(mean: float, scatter: float = math.nan) -> str:
    """Mean with its scatter, three digits."""
    return with_scatter(mean, scatter).replace(" ± ", r"\,$\pm$\,")


def number(value: float) -> str:
    """Three digits; a dash for what is not known."""
    return "--" if math.isnan(value) else short(value).replace("-", r"\textminus{}")


def save_table(
    path: Path, columns: str, header: Sequence[str], rows: Sequence[Sequence[str]]
) -> Path:
    """A tabular; cells are LaTeX."""
    lines = [" & ".join(cells) + r" \\" for cells in (header, *rows)]
    text = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", lines[0], r"\midrule", *lines[1:]]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*text, r"\bottomrule", r"\end{tabular}", ""]), encoding="utf-8")
    return path
