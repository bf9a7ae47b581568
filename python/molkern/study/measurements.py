"""Measured times and memory: the rows of `cost` and `scaling`, and how each row comes about."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import molkern
from molkern._measuring import Request, Worker
from molkern.study import files, models
from molkern.study.store import Store, arrays_hash, structures_hash

__all__ = ["Measurements", "machine", "measured", "threads"]

_SERIES = ["system", "representation", "dtype", "average", "operation", "source", "n_threads"]


@dataclass(frozen=True)
class Measurements:
    """Times and memory: one row for each measurement.

    Attributes
    ----------
    rows : tuple of dict
        See `frame` for the columns.
    notes : tuple of str
        What was not measured, and why.
    metadata : dict
        Version, machine, options.
    """

    rows: tuple[dict[str, Any], ...]
    notes: tuple[str, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The rows as a table.

        Columns: ``system`` (name of the data), ``representation``, ``dtype``, ``average`` (empty:
        not averaged, or no such option), ``operation``, ``source``, ``kernel`` (empty for values
        and vjp), ``n_train`` (0 without training), ``n_threads``; ``n_structures`` and
        ``n_atoms`` handled by one call; ``n_features``, ``bytes`` of the result of one call;
        ``seconds`` and ``seconds_median`` of one call, smallest and median of ``n_repeats``;
        ``peak_bytes``, memory that one call needs beyond its input (NaN where the system does not
        tell); ``processor``, ``isa``, ``compiler``, ``molkern``; and, from these,
        ``seconds_per_structure``, ``seconds_per_atom`` and their medians.
        """
        frame = pd.DataFrame(list(self.rows))
        if len(frame):
            frame["peak_bytes"] = frame["peak_bytes"].astype(float)
            for name in ("structure", "atom"):
                count = frame[f"n_{name}s"].clip(lower=1)
                frame[f"seconds_per_{name}"] = frame["seconds"] / count
                frame[f"seconds_per_{name}_median"] = frame["seconds_median"] / count
        return frame

    def exponents(self, n_min: int = 1000) -> pd.DataFrame:
        """How times grow with the number of atoms: fits of log(seconds) against log(n_atoms).

        Parameters
        ----------
        n_min : int, default=1000
            Smallest number of atoms that counts.

        Returns
        -------
        pandas.DataFrame
            One row for each series of at least two sizes: its columns, ``exponent`` (least
            squares; 1 is linear), ``n_sizes``, ``n_largest``, ``seconds_per_atom`` at the largest
            size, ``peak_bytes`` there.
        """
        rows = []
        for key, part in self.frame.groupby(_SERIES, sort=False):
            large = part[part["n_atoms"] >= n_min].sort_values("n_atoms")
            if large["n_atoms"].nunique() < 2:
                continue
            last = large.iloc[-1]
            slope = np.polyfit(np.log(large["n_atoms"]), np.log(large["seconds"]), 1)[0]
            found = {"exponent": float(slope), "n_sizes": int(large["n_atoms"].nunique())}
            found |= {"n_largest": int(last["n_atoms"])}
            found |= {name: float(last[name]) for name in ("seconds_per_atom", "peak_bytes")}
            rows.append(dict(zip(_SERIES, key, strict=True)) | found)
        names = [*_SERIES, "exponent", "n_sizes", "n_largest", "seconds_per_atom", "peak_bytes"]
        return pd.DataFrame(rows, columns=names)

    def save(self, path: str | Path) -> Path:
        """Write to ``.json`` (everything) or ``.csv`` (the frame).

        Raises
        ------
        ValueError
            For another ending.
        """
        content = {"measurements": self.rows, "notes": self.notes, "metadata": self.metadata}
        return files.save(path, content, self.frame)

    @classmethod
    def load(cls, path: str | Path) -> Measurements:
        """Read what `save` wrote to ``.json``.

        Raises
        ------
        ValueError
            For a file that holds no measurements.
        """
        path = Path(path)
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            rows = tuple(content["measurements"])
            return cls(rows, tuple(content["notes"]), dict(content["metadata"]))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path.name} holds no measurements: {error}") from error


@cache
def machine() -> dict[str, Any]:
    """What a time depends on besides the task: processor, its cores, build and version."""
    build = molkern.build_info()
    return {
        "processor": _processor(),
        "n_cores": os.cpu_count() or 1,
        "isa": build["isa"],
        "compiler": build["compiler"],
        "molkern": molkern.__version__,
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine() or "unknown"


def threads(n_threads: int | None) -> int:
    """The number of threads that None stands for."""
    return int(molkern.build_info()["n_threads"]) if n_threads is None else n_threads


def measured(
    worker: Worker, request: Request, store: Store | None, *, system: str, label: str
) -> dict[str, Any]:
    """One row of `Measurements`: from the store, or measured now and stored."""
    # The number of threads counts here, other than for the values of a representation.
    n_threads = threads(request.model.n_threads)
    request.model.set_params(n_threads=n_threads)
    request = replace(request, ridge={**request.ridge, "n_threads": n_threads})
    specification = {
        "task": "cost",
        "operation": request.operation,
        "source": request.source,
        "structures": structures_hash(request.structures),
        "labels": None if request.labels is None else arrays_hash([request.labels]),
        "train": None if request.train is None else structures_hash(request.train),
        "representation": models.specification(request.model),
        "n_features": int(request.model.n_features_out_),
        "kernel": request.kernel,
        "ridge": request.ridge,
        "n_threads": n_threads,
        "repeats": request.repeats,
        "machine": machine(),
    }
    result = store.get(specification) if store else None
    if result is None:
        result = worker.measure(request)
        if store:
            store.put(specification, result)
    return {**_words(request, system, label), **result, **machine()}


def _words(request: Request, system: str, label: str) -> dict[str, Any]:
    """The columns that say what was measured."""
    parameters, structures = request.model.get_params(), request.structures
    learnt = structures if request.train is None else request.train
    n, n_atoms = len(structures), structures.n_atoms
    n_rows = n_atoms if models.per_atom(request.model) else n
    size = 4 if parameters["dtype"] == "float32" else 8
    n_bytes = {
        "values": size * n_rows * int(request.model.n_features_out_),
        "vjp": 8 * 3 * n_atoms,
        "gram": 8 * n * n,
        "tune": 8 * n,
        "train": 8 * n,
        "predict": 8 * n,
    }
    return {
        "system": system,
        "representation": label,
        "dtype": str(parameters["dtype"]),
        "average": parameters.get("average") or "",
        "operation": request.operation,
        "source": request.source,
        "kernel": request.kernel,
        "n_train": len(learnt) if request.kernel else 0,
        "n_threads": request.model.n_threads,
        "n_structures": n,
        "n_atoms": n_atoms,
        "bytes": n_bytes[request.operation],
    }
