"""The rows of a study, and what is read from them."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from molkern.study import files

__all__ = ["MODEL", "NOT_RECORDED", "ORIGIN", "SECONDS", "Result"]

MODEL = ["representation", "kernel"]
# What computed a row. As the seconds, no part of what makes two results the same.
ORIGIN = ["n_threads", "isa", "compiler"]
NOT_RECORDED: dict[str, Any] = {"n_threads": 0, "isa": "unknown", "compiler": "unknown"}
_TEXTS = frozenset(
    {"dataset", "property", "unit", "representation", "kernel", "baseline", "split", "isa"}
    | {"compiler"}
)
_INTEGERS = frozenset(
    {"n_train", "n_test", "fold", "seed", "n_tune", "n_features", "n_represented", "n_threads"}
)
SECONDS = [
    "seconds_representation",
    "seconds_kernel",
    "seconds_tune",
    "seconds_fit",
    "seconds_predict",
]


@dataclass(frozen=True)
class Result:
    """Learning curves: one row per model, training-set size, fold and seed.

    Attributes
    ----------
    rows : tuple of dict
        See `frame` for the columns.
    notes : tuple of str
        What was left out or adapted.
    metadata : dict
        Citation, source, SHA-256 and verification of the data, versions, options of the study.
    """

    rows: tuple[dict[str, Any], ...]
    notes: tuple[str, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The rows as a table.

        Columns: ``dataset``, ``property``, ``unit``, ``representation``, ``kernel``,
        ``baseline``, ``n_train``, ``n_test``, ``fold``, ``seed``; ``mae``, ``rmse``,
        ``max_error`` on the test set in ``unit``, ``mae_baseline`` of the baseline alone;
        ``sigma``, ``alpha`` as used, ``n_tune`` (the size at which they were chosen),
        ``n_features``; and seconds of wall time: ``seconds_representation`` (features of
        ``n_represented`` structures, shared by all rows of a model), ``seconds_kernel``
        (distances of all structures, shared, and this row's matrix), ``seconds_tune`` (shared by
        the rows above ``n_tune``), ``seconds_fit``, ``seconds_predict``; and what computed the
        row, now or when it was stored: ``n_threads``, ``isa``, ``compiler`` (0 and ``"unknown"``
        in a store that did not record them).
        With ``split`` of `molkern.study.compare`, its text in a column of this name; where it is
        ``"heavy_atoms:..."``, ``mae_per_heavy_atom``: the mean over the test set of a structure's
        error divided by its number of atoms other than hydrogen.
        """
        return pd.DataFrame(list(self.rows))

    def summary(self) -> pd.DataFrame:
        """Mean and standard deviation over folds and seeds for each model and size.

        Returns
        -------
        pandas.DataFrame
            One row per representation, kernel and ``n_train``: ``n_runs``, ``mae``, ``mae_std``,
            ``rmse``, ``rmse_std`` (sample standard deviations; NaN for one run), ``max_error``
            (largest of all runs), and the mean of each stage's seconds; ``mae_per_heavy_atom``
            where the rows have it.
        """
        grouped = self.frame.groupby([*MODEL, "n_train"], sort=False)
        each = [name for name in ("mae_per_heavy_atom",) if name in self.frame]
        return grouped.agg(
            n_runs=("mae", "size"),
            mae=("mae", "mean"),
            mae_std=("mae", "std"),
            rmse=("rmse", "mean"),
            rmse_std=("rmse", "std"),
            max_error=("max_error", "max"),
            **{name: (name, "mean") for name in [*each, *SECONDS]},
        ).reset_index()

    def slopes(self, n_min: int = 0) -> pd.DataFrame:
        """Exponents of the learning curves.

        Parameters
        ----------
        n_min : int, default=0
            Smallest training-set size that counts.

        Returns
        -------
        pandas.DataFrame
            One row per model: ``representation``, ``kernel``, ``slope`` — the least-squares slope
            of log(mean MAE) against log(n_train); -1 is an error that halves when the data
            double. NaN where fewer than two sizes have a positive error.
        """
        table = self.summary()
        rows = []
        for (representation, kernel), part in table.groupby(MODEL, sort=False):
            usable = part[(part["n_train"] >= n_min) & (part["mae"] > 0)]
            slope = float("nan")
            if len(usable) >= 2:
                slope = float(np.polyfit(np.log(usable["n_train"]), np.log(usable["mae"]), 1)[0])
            rows.append({"representation": representation, "kernel": kernel, "slope": slope})
        return pd.DataFrame(rows)

    def slope(
        self, representation: str | None = None, kernel: str | None = None, *, n_min: int = 0
    ) -> float:
        """Log-log slope of the mean MAE against ``n_train`` of one model; see `slopes`.

        Parameters
        ----------
        representation, kernel : str, optional
            Words of the columns; needed as far as the result holds several models.
        n_min : int, default=0

        Returns
        -------
        float

        Raises
        ------
        ValueError
            When no model or more than one is meant.
        """
        table = self.slopes(n_min)
        for name, value in (("representation", representation), ("kernel", kernel)):
            if value is not None:
                table = table[table[name] == value]
        if len(table) != 1:
            found = [tuple(row) for row in self.slopes(n_min)[MODEL].to_numpy()]
            raise ValueError(
                f"slope: expected one model, found {len(table)} for "
                f"representation={representation!r}, kernel={kernel!r}; there are {found}"
            )
        return float(table["slope"].iloc[0])

    def save(self, path: str | Path) -> Path:
        """Write to ``.json`` (everything) or ``.csv`` (the rows).

        Raises
        ------
        ValueError
            For another ending.
        """
        content = {"rows": self.rows, "notes": self.notes, "metadata": self.metadata}
        return files.save(path, content, self.frame)

    @classmethod
    def load(cls, path: str | Path) -> Result:
        """Read what `save` wrote; a ``.csv`` has no notes and no metadata.

        Raises
        ------
        ValueError
            For another ending or a file that is not a result.
        """
        path = Path(path)
        if path.suffix == ".csv":
            with open(path, encoding="utf-8", newline="") as file:
                return cls(tuple(_typed(row, path) for row in csv.DictReader(file)))
        if path.suffix != ".json":
            raise ValueError(f"path: expected the ending .json or .csv, found {path.name!r}")
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return cls(tuple(content["rows"]), tuple(content["notes"]), dict(content["metadata"]))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path.name} is not a result of a study: {error}") from error


def _typed(row: dict[str, str], path: Path) -> dict[str, Any]:
    """A row of text with its numbers as numbers."""
    try:
        return {
            name: value if name in _TEXTS else (int if name in _INTEGERS else float)(value)
            for name, value in row.items()
        }
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path.name} is not a result of a study: {error}") from error
