"""Bars on stderr while something is read, built or computed (Rich)."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from molkern.study import Progress as Step

__all__ = ["BuildBar", "ProgressBars", "ReadingBar"]

_STAGES = {
    "representation": "representation",
    "kernel": "distances and kernel",
    "tune": "choice of sigma and alpha",
    "fit": "learning curve",
    "cost": "time and memory",
    "scaling": "time and memory",
    "features": "features",
}
_WHOLE = ("cost", "scaling", "features")  # the only stage of a model


class ProgressBars:
    """Two bars on stderr, all models and the stage of the present one; lines if it is a file."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[count]}", markup=False),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
        )
        self._all = self._bars.add_task("models", count="")
        self._stage = self._bars.add_task("", count="")
        self._seen: tuple[int, str] | None = None
        self._shares: dict[int, dict[str, float]] = {}

    def __enter__(self) -> ProgressBars:
        if self._console.is_terminal:
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._console.is_terminal:
            self._bars.stop()

    def __call__(self, step: Step) -> None:
        """Show a step of the study."""
        share = self._shares.get(step.model)
        if share is None:
            share = self._shares[step.model] = {"tune": 0.0, "fit": 0.0}
            if not self._console.is_terminal:
                words = f"model {step.model + 1} of {step.n_models}: {step.label}"
                print(words, file=sys.stderr, flush=True)
        if self._seen != (step.model, step.stage):
            self._seen = (step.model, step.stage)
            self._bars.reset(self._stage)
        if step.stage in share:
            share[step.stage] = step.completed / max(step.total, 1)
        done = sum(sum(part.values()) for part in self._shares.values()) / 2
        if step.stage in _WHOLE:
            done = step.model + step.completed / max(step.total, 1)
        count = f"{step.model + 1} of {step.n_models}"
        self._bars.update(
            self._all, description=step.label, completed=done, total=step.n_models, count=count
        )
        self._bars.update(
            self._stage,
            description=f"  {_STAGES.get(step.stage, step.stage)}",
            completed=step.completed,
            total=step.total,
            count=f"{step.completed} of {step.total}",
        )


class BuildBar:
    """A bar on stderr for a build: what is being done, how much is done, how many failed."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[count]}", markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )
        self._task = self._bars.add_task("", count="")
        self._stage = ""
        self._tenth = -1

    def __enter__(self) -> BuildBar:
        if self._console.is_terminal:
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._bars.stop()

    def __call__(self, stage: str, done: int, failed: int, total: int) -> None:
        """Show how far a stage is; where stderr is a file, a line for every tenth of it."""
        if stage != self._stage:
            self._stage, self._tenth = stage, -1
            self._bars.reset(self._task)
        count = f"{done} of {total}" + (f", {failed} failed" if failed else "")
        self._bars.update(self._task, description=stage, completed=done, total=total, count=count)
        tenth = 10 * done // max(total, 1)
        if tenth > self._tenth and not self._console.is_terminal:
            print(f"{stage}: {count}", file=sys.stderr, flush=True)
        self._tenth = max(tenth, self._tenth)


class ReadingBar:
    """A bar on stderr while a file is read, where stderr is a terminal."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=None)

    def __enter__(self) -> ReadingBar:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def __call__(self, words: str, done: int, total: int) -> None:
        """Show how far the file is read; ``total`` is 0 where its length is not known."""
        self._bar.update(self._task, description=words, completed=done, total=total or None)
