"""Reports: figures, a table and a page that needs nothing else, from the results of a study."""

from molkern.report.curves_figure import learning_curves
from molkern.report.files import write
from molkern.report.index import write_index
from molkern.report.page import page
from molkern.report.scaling import (
    scaling_figure,
    scaling_sentences,
    scaling_table,
    write_scaling,
)
from molkern.report.summary import origin, sentences
from molkern.report.tables import descriptors, markdown, overview, table
from molkern.report.tradeoff import recommendation, tradeoff
from molkern.report.tradeoff_figure import error_against_cost

__all__ = [
    "descriptors",
    "error_against_cost",
    "learning_curves",
    "markdown",
    "origin",
    "overview",
    "page",
    "recommendation",
    "scaling_figure",
    "scaling_sentences",
    "scaling_table",
    "sentences",
    "table",
    "tradeoff",
    "write",
    "write_index",
    "write_scaling",
]
