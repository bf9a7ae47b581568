"""molkern: representations of molecules for quantum machine learning, and their comparison.

Molecules in, representations out, similarities and models on top. The names below need NumPy
alone; ``datasets``, ``regression``, ``study`` and ``report`` load on first use and need
``pip install "molkern[study]"``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from molkern import cuda, kernels, neighbors
from molkern._core import __version__, build_info
from molkern._errors import NotFittedError
from molkern.representations import (
    ACSF,
    AEV,
    SOAP,
    AEVParameters,
    BagOfBonds,
    CoulombMatrix,
)
from molkern.structures import Structures

if TYPE_CHECKING:
    from molkern import datasets, regression, report, study

_LAZY = ("datasets", "regression", "report", "study")

__all__ = [
    "ACSF",
    "AEV",
    "SOAP",
    "AEVParameters",
    "BagOfBonds",
    "CoulombMatrix",
    "NotFittedError",
    "Structures",
    "__version__",
    "build_info",
    "cuda",
    "datasets",
    "kernels",
    "neighbors",
    "regression",
    "report",
    "study",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return importlib.import_module(f"molkern.{name}")
    raise AttributeError(f"module 'molkern' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
