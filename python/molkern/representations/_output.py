"""What ``transform`` returns: arrays, or the containers that ``set_output`` asks for."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import numpy.typing as npt

from molkern._features import Features
from molkern.structures import Structures

__all__ = ["checked_output", "contained", "output_of"]

OUTPUTS = ("default", "pandas", "polars", "features")


def checked_output(transform: Any) -> str:
    """One of the names that ``set_output`` takes."""
    if not isinstance(transform, str) or transform not in OUTPUTS:
        names = ", ".join(f'"{name}"' for name in OUTPUTS)
        raise ValueError(f"transform: expected {names} or None, found {transform!r}")
    return transform


def output_of(model: Any) -> str:
    """What a representation is to return: its own setting, else that of scikit-learn.

    scikit-learn is only asked where it was imported already.
    """
    own = getattr(model, "_sklearn_output_config", None)
    if own is not None and "transform" in own:
        return checked_output(own["transform"])
    ask = getattr(sys.modules.get("sklearn"), "get_config", None)
    return "default" if ask is None else checked_output(ask()["transform_output"])


def contained(
    model: Any, output: str, array: npt.NDArray[Any], structures: Structures, rows: str
) -> Any:
    """The features in the container of a name; nothing is copied.

    Parameters
    ----------
    model : representation
    output : one of `OUTPUTS`
    array : ndarray, shape (n_rows, n_features)
    structures : Structures
        What was represented.
    rows : {"atoms", "structures"}
        What the rows describe.
    """
    if output == "default":
        return array
    if output == "features":
        return Features(array, structures, rows=rows)
    try:
        library = importlib.import_module(output)
    except ImportError as error:
        raise ImportError(
            f'set_output(transform="{output}") needs {output}: pip install {output}'
        ) from error
    names = model.get_feature_names_out()
    if output == "pandas":
        return library.DataFrame(array, columns=names, copy=False)
    return library.DataFrame(array, schema=names.tolist(), orient="row")
