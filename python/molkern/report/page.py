"""The comparison as one HTML file that needs nothing else."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from importlib import resources

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.figure import Figure

from molkern.report.curves import check, final
from molkern.report.figures import cost, learning_curves
from molkern.report.style import INK, PAPER, RC
from molkern.report.summary import facts, sentences
from molkern.report.tables import overview
from molkern.study import Result

__all__ = ["page"]


def page(result: Result, *, environment: Mapping[str, object] | None = None) -> str:
    """One HTML page: the answer in words, figures, all numbers, and how they were made.

    Parameters
    ----------
    result : Result
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
    first, rows = frame.iloc[0], overview(result)
    unit = str(first["unit"])
    largest = int(final(result)["n_train"].iloc[0])
    runs = int(final(result)["n_runs"].min())
    further = [(name, str(value)) for name, value in (environment or {}).items()]
    template = resources.files("molkern.report").joinpath("page.html.j2").read_text("utf-8")
    made = Environment(autoescape=True, undefined=StrictUndefined).from_string(template)
    return made.render(
        title=f"{first['dataset']}: which representation?",
        lead=_lead(result),
        sentences=sentences(result),
        curves_wide=_inline(learning_curves(result), "c", "Learning curves"),
        curves_narrow=_inline(learning_curves(result, narrow=True), "d", "Learning curves"),
        cost_wide=_inline(cost(result), "e", "Cost against error"),
        cost_narrow=_inline(cost(result, narrow=True), "f", "Cost against error"),
        many_runs=runs > 1,
        runs=runs,
        parts=_parts(list(rows.columns), unit, largest, runs),
        rows=rows.to_dict("records"),
        largest=largest,
        facts=[*facts(result), *further],
        notes=list(result.notes),
    )


def _lead(result: Result) -> str:
    frame = result.frame
    n_representations, n_kernels = frame["representation"].nunique(), frame["kernel"].nunique()
    one = f"{n_representations} representation{'s' if n_representations > 1 else ''}"
    two = f"{n_kernels} kernel{'s' if n_kernels > 1 else ''}"
    return f"{one} and {two}, kernel ridge regression of {frame['property'].iloc[0]}"


def _parts(columns: list[str], unit: str, largest: int, runs: int) -> list[tuple[str, list[str]]]:
    """The table in two parts that fit on a screen, each with its heading."""
    unit = "unit unknown" if unit == "unknown" else unit
    sizes = [name for name in columns if name.startswith("N = ")]
    scatter = f" ± standard deviation over {runs} runs" if runs > 1 else ""
    rest = [name for name in columns if name not in sizes]
    return [
        (
            f"Mean absolute error ({unit}){scatter}, by number of training structures N",
            [columns[0], *sizes],
        ),
        (
            f"At N = {largest}: root mean square and largest error ({unit}); exponent of the "
            "learning curve; time to represent one structure; seconds of one run, all stages",
            rest,
        ),
    ]


def _inline(figure: Figure, prefix: str, words: str) -> Markup:
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
