"""What the command line shows: tables and facts (Rich)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from molkern.datasets.dataset import per_atom
from molkern.datasets.units import unit_words
from molkern.elements import symbol_of

if TYPE_CHECKING:
    import pandas as pd

    from molkern.datasets import Availability, Dataset, Decision
    from molkern.study import Measurements, Result

__all__ = [
    "decisions",
    "describe",
    "describe_tests",
    "notes",
    "pairs",
    "show",
    "show_available",
    "show_built",
    "show_dataset",
    "show_scaling",
]


def describe(dataset: Dataset) -> None:
    """What is learnt from, before it takes time."""
    console = _console()
    target = dataset.default_target
    unit = unit_words(dataset.units[target])
    words = f"{dataset.name}: {len(dataset)} structures, {target} ({unit})"
    console.print(Text(words, style="bold"))
    decisions(dataset.decisions)
    notes(_more_than_decisions(dataset))


def _more_than_decisions(dataset: Dataset) -> list[str]:
    """Notes that the table of decisions does not have already."""
    said = {f"{one.what}: {one.words}" for one in dataset.decisions}
    return [note for note in dataset.notes if note not in said]


def show_dataset(dataset: Dataset) -> None:
    """Everything that is known of a data set before anything is computed."""
    console = _console()
    structures = dataset.structures
    sizes = structures.sizes
    atoms = "no atoms"
    if len(sizes):
        atoms = " to ".join(str(n) for n in sorted({int(sizes.min()), int(sizes.max())})) + " atoms"
    console.print(Text(f"{dataset.name}: {len(dataset)} structures, {atoms}", style="bold"))
    counts = structures.composition()
    present = zip(structures.species.tolist(), (counts > 0).sum(axis=0).tolist(), strict=True)
    elements = ", ".join(f"{symbol_of(z)} in {n}" for z, n in present)
    periodic = 0 if structures.pbc is None else int(structures.pbc.any(axis=1).sum())
    facts = [
        ("elements", f"{elements} structures" if elements else "none"),
        ("periodic", f"{periodic} of {len(dataset)} structures"),
        ("file", dataset.verified),
    ]
    for word, value in facts:
        console.print(Text(f"  {word.ljust(9)} {value}"), soft_wrap=True)
    if dataset.decisions:
        console.print(Text("\nwhat is taken for what", style="bold"))
        decisions(dataset.decisions)
    if dataset.targets:
        console.print(Text("\nproperties", style="bold"))
        _targets(console, dataset)
    for why in dataset.unused.values():
        console.print(Text(f"not used: {why}"), soft_wrap=True)
    notes(_more_than_decisions(dataset))


def _targets(console: Console, dataset: Dataset) -> None:
    """Properties with their units and ranges; the one that would be learnt is marked."""
    table = Table("name", "unit", "for each", "values", "smallest", "mean", "largest", box=None)
    for name, values in dataset.targets.items():
        finite = values[np.isfinite(values)]
        width = int(np.prod(values.shape[1:]))
        each = "atom" if per_atom(name) else "structure"
        each = each if width == 1 else f"{each}: {width}"
        mark = "* " if name == dataset.default_target else "  "
        numbers = ["–"] * 3
        if finite.size:
            # A mean of forces that is rounding is 0.
            decimals = 7 - int(np.ceil(np.log10(max(np.abs(finite).max(), 1e-300))))
            shown = (finite.min(), round(float(finite.mean()), decimals), finite.max())
            numbers = [f"{x:.7g}" for x in shown]
        table.add_row(
            *map(
                Text, (mark + name, dataset.units[name], each, str(finite.size // width), *numbers)
            )
        )
    console.print(table)
    if dataset.default_target:
        console.print(Text("* would be learnt"))


def decisions(lines: Sequence[Decision]) -> None:
    """What in a file was taken for what."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column()
    for line in lines:
        source = f"← {line.source}" if line.source else ""
        table.add_row(Text(f"  {line.what}"), Text(source), Text(line.words))
    if lines:
        _console().print(table)


def describe_tests(tests: Sequence[Dataset]) -> None:
    """What is tested on, and what in it was taken for what; notes on it come with the result."""
    for test in tests:
        _console().print(Text(f"tested on {test.name}: {len(test)} structures", style="bold"))
        decisions(test.decisions)


def notes(lines: Sequence[str]) -> None:
    """What the reader must know of the data."""
    for line in lines:
        _console().print(Text(f"note: {line}"), soft_wrap=True)


def show(result: Result, files: Sequence[Path], costs: Measurements | None = None) -> None:
    """The result of a comparison: table, words, and where the files are."""
    from molkern import report
    from molkern.report.curves import UNSEEN_WORDS, beyond
    from molkern.report.tables import has_dagger
    from molkern.report.tradeoff import MARK

    console = _console()
    rows = report.overview(result, costs).drop(columns=["RMSE", "Largest error"])
    columns = _fitting({name: [name, *rows[name]] for name in rows.columns}, console.width)
    unit = unit_words(result.frame["unit"].iloc[0])
    title = f"Mean absolute error{beyond(result)}, {unit}"
    if rows["Model"].str.startswith(MARK).any():
        title += f"; {MARK}: recommended"
    if has_dagger(rows):
        title += f"; {UNSEEN_WORDS}"
    _table(console, rows[columns], title)
    for sentence in report.sentences(result, costs):
        console.print(Text(sentence))
    if report.origin(result):
        console.print(Text(f"Computed with {report.origin(result)}."))
    _written(console, files)


def show_scaling(measurements: Measurements, files: Sequence[Path]) -> None:
    """The result of ``molkern scaling``: table, words, notes, and where the files are."""
    from molkern import report

    console = _console()
    rows = report.scaling_table(measurements)
    title = "Cost against size; the largest system of each series"
    _table(console, rows, title)
    for sentence in [*report.scaling_sentences(measurements), *measurements.notes]:
        console.print(Text(sentence))
    _written(console, files)


def _table(console: Console, rows: pd.DataFrame, title: str) -> None:
    """Rows of text; words to the left, and folded where there is little room.

    Rows of a first column "Tested on" are blocks, which its entries begin.
    """
    from molkern.report.tables import TESTED_ON

    table = Table(title=Text(title), title_justify="left")
    words = 2 if rows.columns[0] == TESTED_ON else 1
    for k, name in enumerate(rows.columns):
        table.add_column(
            Text(name), justify="left" if k < words else "right", no_wrap=k >= words,
            overflow="fold",
        )  # fmt: skip
    block = None
    for row in rows.itertuples(index=False):
        entries = list(row)
        if words == 2 and entries[0] == block:
            entries[0] = ""
        elif words == 2:
            block = entries[0]
            table.add_section()
        table.add_row(*map(Text, entries))
    console.print(table)


def _written(console: Console, files: Sequence[Path]) -> None:
    console.print(Text("\nwritten:"))
    for path in files:
        console.print(Text(f"  {path}"), soft_wrap=True)


def _fitting(columns: dict[str, list[str]], width: int) -> list[str]:
    """Columns for a terminal: the smallest sizes give way, the largest stays."""
    names = list(columns)
    needed = {name: max(map(len, entries)) + 3 for name, entries in columns.items()}
    for name in {"Model", "Tested on"} & needed.keys():
        needed[name] = min(needed[name], 26)
    sizes = [name for name in names if name.startswith("N = ")]
    for name in sizes[:-1]:
        if sum(needed[kept] for kept in names) + 1 <= width:
            break
        names.remove(name)
    return names


def show_available(lines: Sequence[Availability]) -> None:
    """Table of the known data sets."""
    console = _console(minimum=180)
    names = ["name", "property", "where", "checked by", "what"]
    names = names if console.width >= 130 else names[:3]
    table = Table(*names)
    for line in lines:
        target = f"{line.target}, {line.unit}" if line.target else "none"
        where = line.place if line.path is None else f"{line.place}: {line.path.name}"
        entries = (line.name, target, where, line.check, line.title)
        table.add_row(*map(Text, entries[: len(names)]))
    console.print(table)


def pairs(facts: Sequence[tuple[str, str]]) -> None:
    """Lines of a word and its value."""
    width = max(len(word) for word, _ in facts)
    for word, value in facts:
        print(f"{word.ljust(width)}  {value}")


def _console(minimum: int = 120) -> Console:
    """Console on stdout; a file or pipe has room for the whole table."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=max(console.width, minimum))
    return console


def show_built(path: Path) -> None:
    """What a build made, and what its provenance says of it."""
    from molkern.datasets.built import provenance_of

    found = provenance_of(path)
    facts = [("written", str(path)), ("method", str(found["method"]))]
    if found["build"] == "molecules":
        facts.append(("molecules", str(found["n_built"])))
        facts += [(f"failed: {kind}", str(count)) for kind, count in found["failed"].items()]
    else:
        facts.append(("frames", str(found["frames"])))
        facts.append(("with other bonds", str(found["frames_with_broken_bonds"])))
        if found["energy_correlation"] is not None:
            words = f"{found['energy_correlation']:.2f} from frame to frame"
            facts.append(("correlation of energy", words))
        for walker, check in enumerate(found["conservation"]):
            words = (
                f"drift {check['drift']:.3g} meV/atom/ps, deviation {check['deviation']:.3g} "
                f"meV/atom in {check['steps']} steps without thermostat"
            )
            facts.append((f"energy, walker {walker}", words))
    pairs(facts)
