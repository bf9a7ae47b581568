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

from molkern.elements import SYMBOLS
from molkern.study import files

__all__ = ["EACH", "MODEL", "NOT_RECORDED", "ORIGIN", "SECONDS", "Result"]

MODEL = ["representation", "kernel"]
# What computed a row. As the seconds, no part of what makes two results the same.
ORIGIN = ["n_threads", "isa", "compiler"]
NOT_RECORDED: dict[str, Any] = {"n_threads": 0, "isa": "unknown", "compiler": "unknown"}
_TEXTS = frozenset(
    {"dataset", "property", "unit", "representation", "kernel", "baseline", "split", "isa"}
    | {"compiler", "test", "unseen"}
)
_INTEGERS = frozenset(
    {"n_train", "n_test", "fold", "seed", "n_tune", "n_features", "n_represented", "n_threads"}
    | {"n_unseen"}
)
# Columns of mean errors divided by a number of atoms; not all results have them.
EACH = ["mae_per_heavy_atom", "mae_per_atom"]
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
        ``unseen``: symbols, with commas, of elements that the training set lacks and ``n_unseen``
        test structures hold; empty and 0 where there are none. ``mae_per_atom``, of energies where
        structures differ in size or are periodic: the mean over the test set of a structure's error
        divided by its number of atoms; NaN in rows from a store that is older than this column.
        With ``split`` of `molkern.study.compare`, its text in a column of this name; where it is
        ``"heavy_atoms:..."``, ``mae_per_heavy_atom``: as ``mae_per_atom``, for atoms other than
        hydrogen. With ``test``, a row for each test set, whose name is in a column ``test``.
        """
        return pd.DataFrame(list(self.rows))

    @property
    def tests(self) -> tuple[str, ...]:
        """Names of test sets of their own, in the order given; empty without any."""
        return tuple(dict.fromkeys(row["test"] for row in self.rows if "test" in row))

    def of_test(self, name: str) -> Result:
        """The rows of one test set."""
        rows = tuple(row for row in self.rows if row.get("test") == name)
        return Result(rows, self.notes, self.metadata)

    def summary(self) -> pd.DataFrame:
        """Mean and standard deviation over folds and seeds for each model, size and test set.

        Runs whose training set lacks an element of the test set count only where the model has no
        other run of that size.

        Returns
        -------
        pandas.DataFrame
            One row per representation, kernel, ``n_train`` and, if there are test sets of their
            own, ``test``: ``n_runs`` (that count), ``unseen`` (symbols with commas of elements that
            all these runs lack, empty if there are none), ``mae``, ``mae_std``, ``rmse``,
            ``rmse_std`` (sample standard deviations; NaN for one run), ``max_error`` (largest of
            all runs), and the mean of each stage's seconds; ``mae_per_heavy_atom`` and
            ``mae_per_atom`` where the rows have them, NaN if any of the runs has not.
        """
        frame = self.frame
        keys = [*MODEL, "n_train", *(["test"] if "test" in frame else [])]
        frame = _counting(frame, keys)
        return (
            frame.groupby(keys, sort=False)
            .agg(
                n_runs=("mae", "size"),
                unseen=("unseen", _joined),
                mae=("mae", "mean"),
                mae_std=("mae", "std"),
                rmse=("rmse", "mean"),
                rmse_std=("rmse", "std"),
                max_error=("max_error", "max"),
                **{name: (name, _mean_of_all) for name in EACH if name in frame},
                **{name: (name, "mean") for name in SECONDS},
            )
            .reset_index()
        )

    def slopes(self, n_min: int = 0) -> pd.DataFrame:
        """Exponents of the learning curves.

        Parameters
        ----------
        n_min : int, default=0
            Smallest training-set size that counts.

        Returns
        -------
        pandas.DataFrame
            One row per model (and test set of its own): ``representation``, ``kernel``, (``test``),
            ``slope`` — the least-squares slope of log(mean MAE) against log(n_train); -1 is an
            error that halves when the data double. Sizes whose training sets all lack an element of
            the test set do not count. NaN where fewer than two sizes have a positive error.
        """
        table = self.summary()
        keys = [*MODEL, *(["test"] if "test" in table else [])]
        rows = []
        for key, part in table.groupby(keys, sort=False):
            usable = part[(part["n_train"] >= n_min) & (part["mae"] > 0) & (part["unseen"] == "")]
            slope = float("nan")
            if len(usable) >= 2:
                slope = float(np.polyfit(np.log(usable["n_train"]), np.log(usable["mae"]), 1)[0])
            rows.append({**dict(zip(keys, key, strict=True)), "slope": slope})
        return pd.DataFrame(rows)

    def slope(
        self,
        representation: str | None = None,
        kernel: str | None = None,
        *,
        test: str | None = None,
        n_min: int = 0,
    ) -> float:
        """Log-log slope of the mean MAE against ``n_train`` of one model; see `slopes`.

        Parameters
        ----------
        representation, kernel, test : str, optional
            Words of the columns; needed as far as the result holds several models or test sets.
        n_min : int, default=0

        Returns
        -------
        float

        Raises
        ------
        ValueError
            When no model or more than one is meant.
        """
        everything = table = self.slopes(n_min)
        meant = {"representation": representation, "kernel": kernel}
        if "test" in table or test is not None:
            meant["test"] = test
        for name, value in meant.items():
            if value is not None:
                table = table[table[name] == value] if name in table else table[:0]
        if len(table) != 1:
            found = [tuple(row) for row in everything.drop(columns="slope").to_numpy()]
            words = ", ".join(f"{name}={value!r}" for name, value in meant.items())
            raise ValueError(
                f"slope: expected one model, found {len(table)} for {words}; there are {found}"
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


def _counting(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Rows without unseen elements, and all rows where a model and size have none of these."""
    if "unseen" not in frame:  # an older result
        return frame.assign(unseen="")
    frame = frame.assign(unseen=frame["unseen"].fillna(""))
    seen = frame["unseen"] == ""
    some = seen.groupby([frame[key] for key in keys], sort=False).transform("any")
    return frame[seen | ~some]


def _joined(texts: pd.Series) -> str:
    """Symbols that are in any of these texts, in the order of their atomic numbers."""
    symbols = {symbol for text in texts for symbol in text.split(",") if symbol}
    return ",".join(sorted(symbols, key=lambda symbol: (_place(symbol), symbol)))


def _place(symbol: str) -> int:
    return SYMBOLS.index(symbol) if symbol in SYMBOLS else len(SYMBOLS)


def _mean_of_all(values: pd.Series) -> float:
    """NaN if any is missing: a mean over other runs than that of the errors would mislead."""
    return float(values.mean(skipna=False))


def _typed(row: dict[str, str], path: Path) -> dict[str, Any]:
    """A row of text with its numbers as numbers; without those that it does not have."""
    try:
        return {
            name: value if name in _TEXTS else (int if name in _INTEGERS else float)(value)
            for name, value in row.items()
            if value or name not in EACH
        }
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path.name} is not a result of a study: {error}") from error
