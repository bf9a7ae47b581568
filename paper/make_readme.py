"""Writes the tables of errors in the README from the results: ``python make_readme.py``.

A table stands between two comments, ``<!-- errors: qm7 -->`` and ``<!-- end -->``.
"""

from __future__ import annotations

from pathlib import Path

import sources
from figures.rmd17 import MOLECULES
from figures.style import model_name
from make_tables import GROUPS, Models, by_error, errors

__all__ = ["README", "TABLES", "main", "written"]

README = Path(__file__).resolve().parents[1] / "README.md"
QM9_SIZES = (100, 1000, 10000)
QM7_SIZES = (100, 500, 1000, 2000, 5732)
RMD17_SIZE = 1000


def cell(mean: float, scatter: float | None = None) -> str:
    """Three digits, and those of the scatter at the same places."""
    places = next((k for k, limit in enumerate((99.5, 9.995, 0.9995, 0.09995)) if mean >= limit), 4)
    text = f"{mean:.{places}f}"
    return text if scatter is None else f"{text} ± {scatter:.{places}f}"


def table(header: list[str], rows: list[list[str]]) -> str:
    """In Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def of_sizes(data: str, sizes: tuple[int, ...], *studies: str) -> str:
    """Models by their error at the largest size."""
    curves = sources.curves_of(data, *studies)
    found = errors(curves)
    rows = [
        [model_name(*model), *(cell(*found[*model, n]) for n in sizes)]
        for model in by_error(curves)
    ]
    first, *rest = sizes
    return table(["representation, kernel", f"N = {first}", *map(str, rest)], rows)


def qm7() -> str:
    """Coulomb matrices and bags; atoms have their own table there."""
    return of_sizes("qm7", QM7_SIZES, "qm7")


def qm7_atoms() -> str:
    """Representations of atoms."""
    return of_sizes("qm7", QM7_SIZES, "qm7-atoms", "qm7-local")


def qm9() -> str:
    """Energies."""
    return of_sizes("qm9", QM9_SIZES, *GROUPS["qm9"])


def rmd17() -> str:
    """A row for each molecule, the models by their mean rank."""
    found = {m: errors(sources.curves_of(f"rmd17-{m}", *GROUPS["rmd17"])) for m in MOLECULES}
    models: Models = list(dict.fromkeys(key[:2] for cells in found.values() for key in cells))
    order = sorted(
        models, key=lambda model: sum(found[m][*model, RMD17_SIZE][0] for m in MOLECULES)
    )
    rows = [[m, *(cell(found[m][*model, RMD17_SIZE][0]) for model in order)] for m in MOLECULES]
    return table(["molecule", *(model_name(*model) for model in order)], rows)


TABLES = {"qm7": qm7, "qm7-atoms": qm7_atoms, "qm9": qm9, "rmd17": rmd17}


def written(text: str) -> str:
    """The README with all its tables anew."""
    for name, make in TABLES.items():
        start, end = f"<!-- errors: {name} -->\n", "<!-- end -->"
        before, found, rest = text.partition(start)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"README.md has no place for the table {name!r}")
        text = before + start + make() + end + after
    return text


def main() -> None:
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
