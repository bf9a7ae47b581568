"""Contestants and the interleaved race.

A contestant starts from the task's source (molecules as pairs of arrays, or a feature matrix) and
has two steps: ``convert`` builds the library's own input objects, ``run`` computes the result.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

try:
    import resource
except ImportError:  # not a Unix system
    resource = None  # type: ignore[assignment]

# The threads of another contestant's OpenMP runtime spin for some milliseconds after their loop;
# a pause between turns keeps them out of the next contestant's clock.
PAUSE_SECONDS = 0.02


def unchanged(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Contestant:
    """One library in one task.

    name: what the report prints; ``molkern ...`` for our own.
    convert: source -> the library's input objects.
    run: input objects -> result.
    values: result -> array to compare with ours; None: the definition differs, see ``note``.
    rows: indices of the molecules it gets, when all of them would take too long.
    tolerance: deviation from ours, relative to the largest entry, that counts as the same numbers.
    """

    name: str
    convert: Callable[[Any], Any]
    run: Callable[[Any], Any]
    values: Callable[[Any], NDArray[np.float64]] | None = unchanged
    note: str = ""
    rows: NDArray[np.intp] | None = None
    tolerance: float = 1e-9

    @property
    def ours(self) -> bool:
        return self.name.startswith("molkern")


@dataclass
class Times:
    """Seconds of every turn of one contestant, and the pages it touched for the first time."""

    convert: list[float] = field(default_factory=list)
    run: list[float] = field(default_factory=list)
    page_faults: list[int] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        both = [a + b for a, b in zip(self.convert, self.run, strict=True)]
        return {
            "repeats": len(self.run),
            "seconds_min": min(self.run),
            "seconds_median": float(np.median(self.run)),
            "seconds_with_conversion_min": min(both),
            "seconds_with_conversion_median": float(np.median(both)),
            "page_faults_median": float(np.median(self.page_faults)),
        }


def _page_faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt if resource else 0


def subset(source: Any, rows: NDArray[np.intp] | None) -> Any:
    """The part of a list of molecules that a contestant gets."""
    return source if rows is None else [source[i] for i in rows]


def takes_part(turn: int, n_turns: int, n_repeats: int) -> bool:
    """Spread a slow contestant's few repeats evenly over all turns."""
    return (turn + 1) * n_repeats // n_turns > turn * n_repeats // n_turns


def race(
    contestants: Sequence[Contestant],
    source: Any,
    repeats: Sequence[int],
) -> list[Times]:
    """Time all contestants in turn: a, b, c, a, b, c, ...

    Inside the clock: ``convert`` (one clock) and ``run`` (the other), with every allocation they
    make. Each contestant's previous result stays alive until its new one exists, as in
    ``X = library(...)``, so that a result is never written over the one before. The garbage
    collector runs between turns only.
    """
    times = [Times() for _ in contestants]
    sources = [subset(source, c.rows) for c in contestants]
    previous: list[Any] = [None] * len(contestants)
    n_turns = max(repeats, default=0)
    collecting = gc.isenabled()
    gc.disable()
    try:
        for turn in range(n_turns):
            for i, contestant in enumerate(contestants):
                if not takes_part(turn, n_turns, repeats[i]):
                    continue
                gc.collect()
                time.sleep(PAUSE_SECONDS)
                start = time.perf_counter()
                native = contestant.convert(sources[i])
                converted = time.perf_counter()
                faults = _page_faults()
                ready = time.perf_counter()
                result = contestant.run(native)
                end = time.perf_counter()
                times[i].page_faults.append(_page_faults() - faults)
                times[i].convert.append(converted - start)
                times[i].run.append(end - ready)
                previous[i] = result
                del native, result
    finally:
        if collecting:
            gc.enable()
    return times
