"""Reports: figures, a table and a page that needs nothing else, from the results of a study."""

from molkern.report.figures import cost, learning_curves
from molkern.report.files import write
from molkern.report.index import write_index
from molkern.report.page import page
from molkern.report.summary import origin, sentences
from molkern.report.tables import markdown, overview, table

__all__ = [
    "cost",
    "learning_curves",
    "markdown",
    "origin",
    "overview",
    "page",
    "sentences",
    "table",
    "write",
    "write_index",
]
