"""Draws all figures, or those named: ``python -m figures qm7 cost``."""

import importlib
import sys

import sources

FIGURES = (
    "qm7",
    "qm9",
    "rmd17",
    "scaling",
    "large_structures",
    "libraries",
    "cost",
    "error_against_cost",
)

if __name__ == "__main__":
    for name in sys.argv[1:] or FIGURES:
        try:
            importlib.import_module(f"figures.{name}").main()
        except sources.Missing as missing:
            print(f"figure {name} left out: {missing}")
