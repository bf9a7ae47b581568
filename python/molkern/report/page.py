"""The comparison as one HTML file that needs nothing else."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from importlib import resources

import pandas as pd
from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.figure import Figure

from molkern.datasets.units import unit_words
from molkern.report.curves import (
    EACH_NAMES,
    UNSEEN,
    UNSEEN_WORDS,
    beyond,
    by_test,
    check,
    extrapolation,
    final,
    means,
)
from molkern.report.curves_figure import learning_curves
from molkern.report.style import INK, PAPER, RC
from molkern.report.summary import facts, measured_how, sentences
from molkern.report.tables import (
    TESTED_ON,
    decisions,
    descriptors,
    has_dagger,
    overview,
    side_by_side,
)
from molkern.report.tradeoff import MARK, N_PREDICTED, front_table, tradeoff
from molkern.report.tradeoff_figure import error_against_cost
from molkern.study import Measurements, Result

__all__ = ["MARKED", "TOTAL", "inline", "page", "template"]

TOTAL = (
    f"time to train on N structures, with sigma and alpha given, and to predict {N_PREDICTED} more"
)
MARKED = f"{MARK}: recommended"


def page(
    result: Result,
    *,
    costs: Measurements | None = None,
    environment: Mapping[str, object] | None = None,
) -> str:
    """One HTML page: the answer in words, figures, all numbers, and how they were made.

    Parameters
    ----------
    result : Result
    costs : Measurements, optional
        Of ``study.cost`` on the same data.
    environment : mapping of str to object, optional
        Further facts about the run, such as the number of threads; shown as they are.

    Returns
    -------
    str
        Loads nothing: no script, no fonts, figures inline. Follows the reader's width and choice
        of light or dark. All text that comes from the data is escaped.

    Raises
    ------
    ValueError
        See :func:`molkern.report.curves.check`.
    """
    frame = check(result)
    first, last = frame.iloc[0], final(result)
    runs = int(last["n_runs"].min())
    further = [(name, str(value)) for name, value in (environment or {}).items()]
    read = decisions(result)
    return template("page.html.j2").render(
        title=f"{first['dataset']}: which representation?",
        lead=_lead(result),
        sentences=sentences(result, costs),
        curves_wide=inline(learning_curves(result), "c", "Learning curves"),
        curves_narrow=inline(learning_curves(result, narrow=True), "d", "Learning curves"),
        many_runs=runs > 1,
        runs=runs,
        many_tests=len(result.tests) > 1,
        tested_on=beyond(result) or " on test structures",
        unseen=_unseen_in_figure(result),
        parts=_parts(result, costs),
        best_first=not last["unseen"].iloc[0],
        **_cost_parts(result, costs, str(first["unit"])),
        read=read if len(read) else None,
        facts=[*facts(result, costs), *further],
        notes=list(dict.fromkeys([*result.notes, *(() if costs is None else costs.notes)])),
    )


def _unseen_in_figure(result: Result) -> str:
    """What the figure leaves out or marks, since models never saw an element; else empty."""
    tables = [means(part) for part in by_test(result)]
    if not any((table["unseen"] != "").any() for table in tables):
        return ""
    if any((table["unseen"] != "").all() for table in tables):
        return f"{UNSEEN}: no training set has all elements of the test set; see the notes."
    return "Sizes whose training sets all lack elements of the test set are left out."


def _cost_parts(result: Result, costs: Measurements | None, unit: str) -> dict[str, object]:
    """Pictures and tables of the cost; None where there are none."""
    empty: dict[str, object] = {
        "cost_wide": None,
        "cost_narrow": None,
        "front": None,
        "descriptors": None,
    }
    if costs is None:
        return empty
    parts: dict[str, object] = {**empty, "cost_words": measured_how(costs)}
    if len(tradeoff(result, costs)):
        for name, prefix, narrow in (("cost_wide", "e", False), ("cost_narrow", "f", True)):
            figure = error_against_cost(result, costs, narrow=narrow)
            parts[name] = inline(figure, prefix, "Error against cost")
        words = (
            f"The smallest error ({unit_words(unit)}) at each total cost, cheapest first; total: "
        )
        parts["front"] = (f"{words}{TOTAL}. {MARKED}", front_table(result, costs))
    sample = costs.metadata.get("n_sample")
    words = "Features of one structure, their size, and the time to compute them, to compute them "
    words += "from ASE's objects, and to compute a gradient through them; memory for "
    words += f"{sample} structures" if sample else "the sample"
    words += f". Times are {measured_how(costs)}"
    parts["descriptors"] = (words, descriptors(costs))
    return parts


def _lead(result: Result) -> str:
    frame = result.frame
    n_representations, n_kernels = frame["representation"].nunique(), frame["kernel"].nunique()
    one = f"{n_representations} representation{'s' if n_representations > 1 else ''}"
    two = f"{n_kernels} kernel{'s' if n_kernels > 1 else ''}"
    rule = extrapolation(result)
    split = "" if rule is None else f": {rule.explanation}"
    if result.tests:
        split = f": {frame['dataset'].iloc[0]} to learn from, tested on {', '.join(result.tests)}"
    return f"{one} and {two}, kernel ridge regression of {frame['property'].iloc[0]}{split}"


def _parts(result: Result, costs: Measurements | None) -> list[tuple[str, pd.DataFrame]]:
    """The table in parts that fit on a screen, each with its heading."""
    rows, last = overview(result, costs), final(result)
    unit, tested_on = unit_words(str(result.frame["unit"].iloc[0])), beyond(result)
    largest, runs = int(last["n_train"].iloc[0]), int(last["n_runs"].min())
    sizes = [name for name in rows.columns if name.startswith("N = ")]
    names = [name for name in rows.columns if name in (TESTED_ON, "Model")]
    rest = [name for name in rows.columns if name not in sizes and name not in names]
    scatter = f" ± standard deviation over {runs} runs" if runs > 1 else ""
    marked = f". {MARKED}" if rows["Model"].str.startswith(MARK).any() else ""
    dagger = f". {UNSEEN_WORDS}" if has_dagger(rows) else ""
    few = " (from two sizes only)" if len(sizes) == 2 else ""
    times = "; time to train from structures, sigma and alpha given, and to predict one structure"
    divided = [words for heading, words in EACH_NAMES.values() if heading in rest]
    each = f"mean absolute error {' and '.join(divided)}, " if divided else ""
    parts = [
        (
            f"Mean absolute error{tested_on} ({unit}){scatter}, by number of training structures "
            f"N{marked}{dagger}",
            rows[[*names, *sizes]],
        ),
        (
            f"At N = {largest}: {each}root mean square and largest error{tested_on} ({unit}); "
            f"exponent of the learning curve{few}" + (times if "Train" in rest else ""),
            rows[[*names, *rest]],
        ),
    ]
    if len(result.tests) > 1:
        largest_rows = side_by_side(result)
        scatter = scatter if largest_rows.iloc[:, 1].str.contains("±").any() else ""
        words = f"Mean absolute error ({unit}){scatter} at N = {largest}, by test set{dagger}"
        parts.insert(0, (words, largest_rows))
    return parts


def template(name: str) -> Template:
    """A template of this package; all that it is given is escaped."""
    folder = resources.files("molkern.report")
    loader = FunctionLoader(lambda name: folder.joinpath(name).read_text("utf-8"))
    made = Environment(autoescape=True, undefined=StrictUndefined, loader=loader)
    return made.get_template(name)


def inline(figure: Figure, prefix: str, words: str) -> Markup:
    """Figure as an SVG element that takes the colours of the page, with names of its own."""
    buffer = io.StringIO()
    with rc_context(RC):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\s(?:xmlns:xlink|xmlns|version)="[^"]*"', "", svg)
    svg = svg.replace("xlink:href=", "href=")
    svg = re.sub(r'\bid="', f'id="{prefix}-', svg)
    svg = re.sub(r'href="#', f'href="#{prefix}-', svg)
    svg = re.sub(r"url\(#", f"url(#{prefix}-", svg)
    head = rf'<svg \1 role="img" aria-label="{words}">'
    svg = re.sub(r'<svg [^>]*?(viewBox="[^"]*")[^>]*>', head, svg, count=1)
    svg = svg.replace(INK, "currentColor").replace(PAPER, "var(--paper)")
    return Markup(svg)
