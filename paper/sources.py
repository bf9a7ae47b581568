"""What figures and tables read: committed results, and published values with their sources."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import stored
from molkern.report.curves import MIN_SIZES
from molkern.report.tradeoff import tradeoff as error_and_cost
from molkern.study import Measurements, Result

__all__ = [
    "BUILD",
    "LIBRARIES",
    "LITERATURE",
    "MEV",
    "Missing",
    "curves",
    "curves_of",
    "document",
    "exists",
    "exponents",
    "literature",
    "measurements",
    "published",
    "results",
    "seconds",
    "slope",
    "tradeoff",
]

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
BUILD = HERE / "build"  # figures and tables
LITERATURE = HERE / "literature.toml"
LIBRARIES = ("molkern", "DScribe")  # of scaling-atoms.json
MEV = 43.364  # meV in a kcal/mol
SEEN = ("primary", "copied", "unchecked")


class Missing(Exception):
    """A study that has not been run yet: its figures and tables are left out, with a word."""


def results(*names: str) -> dict[str, list[Any]]:
    """`molkern.study.Result` of these studies by data set; those not computed yet are left out."""
    found: dict[str, list[Any]] = {}
    for name in names:
        path = RESULTS / f"{name}.json"
        for data, result in (stored.read(path) if path.is_file() else {}).items():
            found.setdefault(data, []).append(result)
    return found


def curves(*names: str) -> dict[str, pd.DataFrame]:
    """Means over folds and seeds, ``Result.summary``, of all models of these studies by data."""
    return {
        data: pd.concat([part.summary() for part in parts], ignore_index=True)
        for data, parts in results(*names).items()
    }


def curves_of(data: str, *names: str) -> pd.DataFrame:
    """`curves` of one data set.

    Raises
    ------
    Missing
        Where there are none.
    """
    found = curves(*names)
    if data not in found:
        raise Missing(f"no results of {', '.join(names)}")
    return found[data]


def slope(table: pd.DataFrame) -> float:
    """Exponent of one learning curve: log(mean error) against log(size); NaN of one size."""
    if table["n_train"].nunique() < 2:
        return math.nan
    return float(np.polyfit(np.log(table["n_train"]), np.log(table["mae"]), 1)[0])


def seconds(name: str) -> float:
    """Wall time that the rows of a study of accuracy add up to, what they share once."""
    return sum(_seconds(result.frame) for result in stored.read(_existing(name)).values())


def _seconds(frame: pd.DataFrame) -> float:
    total = float(frame.groupby("representation")["seconds_representation"].max().sum())
    for _, rows in frame.groupby(["representation", "kernel"]):
        total += _kernel_seconds(rows["seconds_kernel"].sort_values().to_list())
        total += float(rows["seconds_fit"].sum() + rows["seconds_predict"].sum())
        # Larger sets take what a part of them has chosen; only the rest is their own.
        chosen = rows[rows["n_train"] == rows["n_tune"]]
        by_part = chosen.set_index(["fold", "seed", "n_train"])["seconds_tune"]
        larger = rows[rows["n_train"] > rows["n_tune"]]
        parts = [by_part[tuple(k)] for k in larger[["fold", "seed", "n_tune"]].to_numpy()]
        total += float(chosen["seconds_tune"].sum() + larger["seconds_tune"].sum() - sum(parts))
    return total


def _kernel_seconds(times: list[float]) -> float:
    """Matrices of one model: each row states its own and what it shares, which comes first.

    Shared are distances of all structures; or, of widths that are computed together, all matrices,
    and nearly all of the time: rows that differ by a tenth are then of different widths.
    """
    total, shared = times[0], times[0]
    together = times[0] > times[-1] / 2
    for seconds in times[1:]:
        if together and seconds > 1.1 * shared:
            shared = seconds
            total += seconds
        else:
            total += seconds - shared
    return total


def exponents(name: str) -> pd.DataFrame:
    """Growth of the time for values with the number of atoms, where there are sizes enough."""
    fits = measurements(name).exponents(1000)
    return fits[(fits["operation"] == "values") & (fits["n_sizes"] >= MIN_SIZES)]


def measurements(name: str) -> Measurements:
    """Costs of a study.

    Raises
    ------
    Missing
        Where it has not been run yet, as for `document`.
    """
    found: Measurements = stored.read(_existing(name))[name]
    return found


def tradeoff(data: str, studies: Sequence[str]) -> pd.DataFrame:
    """Error and cost of all models of these studies; see `molkern.report.tradeoff`."""
    parts = results(*studies).get(data)
    if not parts:
        raise Missing(f"no results of {', '.join(studies)}")
    rows = tuple(row for part in parts for row in part.rows)
    return error_and_cost(Result(rows), measurements("cost"))


def document(name: str) -> Any:
    """What a program of ``benchmarks/`` wrote."""
    return json.loads(_existing(name).read_text(encoding="utf-8"))


def exists(name: str) -> bool:
    """Whether a study has been run."""
    return (RESULTS / f"{name}.json").is_file()


def _existing(name: str) -> Path:
    if not exists(name):
        raise Missing(f"no results of {name}")
    return RESULTS / f"{name}.json"


def literature(data: str, *, drawn: bool = False) -> list[dict[str, Any]]:
    """Published values beside a data set; ``drawn``: those that were seen, with their size."""
    content = tomllib.loads(LITERATURE.read_text(encoding="utf-8"))["value"]
    kept = [value for value in content if value["data"] == data]
    if not drawn:
        return kept
    return [value for value in kept if value["seen"] != "unchecked" and value["n_train"]]


def published(value: dict[str, Any]) -> Iterator[tuple[int, float]]:
    """Training sizes and errors of a published value with one for each size."""
    return zip(value["n_train"], value["mae"], strict=True)
