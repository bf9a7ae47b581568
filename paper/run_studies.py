"""Runs the study files of a folder, and writes what the figures and tables are made from.

python run_studies.py                  # all of studies/, hours
python run_studies.py qm7 cost         # some of them

Finished tasks are kept in a folder (``--store``): a run that was killed, or a second one, continues
where the first stopped. A study of accuracy has the keys of ``molkern.study.read_study``, ``data``
may be a list; a file with ``measure = "cost"`` or ``"scaling"`` has a table ``[[part]]`` of keyword
arguments for each call of ``molkern.study.cost`` or ``scaling``.
"""

from __future__ import annotations

import argparse
import time
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import stored
from molkern import datasets, study

HERE = Path(__file__).resolve().parent
MEASURES: dict[str, Callable[..., study.Measurements]] = {
    "cost": study.cost,
    "scaling": study.scaling,
}


def content_of(path: Path) -> dict[str, Any]:
    """A study file."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


def run(path: Path, store: Path, n_threads: int | None) -> dict[str, Any]:
    """Results of a study file by name of their data set."""
    content = content_of(path)
    if "measure" in content:
        parts = [MEASURES[content["measure"]](store=store, **part) for part in content["part"]]
        return {content["measure"]: joined(parts)}
    names = content.pop("data")
    representations = content.pop("representations")
    unit = content.pop("unit", None)
    results = {}
    for name in [names] if isinstance(names, str) else names:
        start = time.perf_counter()
        data = datasets.load(name, property=content.get("property"), unit=unit)
        results[name] = study.compare(
            data, representations, store=store, n_threads=n_threads, **content
        )
        print(f"  {name}: {time.perf_counter() - start:.0f} s", flush=True)
    return results


def joined(parts: Sequence[study.Measurements]) -> study.Measurements:
    """All rows and notes; what is said about all of them is what the first part says."""
    rows = tuple(row for part in parts for row in part.rows)
    notes = dict.fromkeys(note for part in parts for note in part.notes)
    return study.Measurements(rows, tuple(notes), parts[0].metadata)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="names of study files; none: all")
    parser.add_argument("--studies", type=Path, default=HERE / "studies", help="folder")
    parser.add_argument("--results", type=Path, default=HERE / "results", help="folder")
    parser.add_argument("--store", type=Path, default=HERE / "store", help="finished tasks")
    parser.add_argument("--n-threads", type=int, help="of studies of accuracy; none: all cores")
    options = parser.parse_args(arguments)
    known = {path.stem: path for path in sorted(options.studies.glob("*.toml"))}
    unknown = [name for name in options.names if name not in known]
    if unknown:
        parser.error(f"expected names among {', '.join(known)}; found {unknown[0]}")
    options.results.mkdir(parents=True, exist_ok=True)
    for name in options.names or known:
        print(name, flush=True)
        start = time.perf_counter()
        results = run(known[name], options.store, options.n_threads)
        path = stored.write(options.results / f"{name}.json", results)
        print(f"{name}: {time.perf_counter() - start:.0f} s, {path.name}", flush=True)


if __name__ == "__main__":
    main()
