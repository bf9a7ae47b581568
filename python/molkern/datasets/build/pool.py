"""Tasks on all cores: one process for each, failures recorded, the finished ones journalled."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from molkern._processes import process_pool
from molkern.datasets.build.journal import Journal

__all__ = ["FAILED", "Failure", "Task", "run"]

FAILED = "failed"
DIED = "the process died: out of memory, or a crash"

Task = tuple[str, Any]
Following = Callable[[str, dict[str, Any]], Task | None]


class Failure(Exception):
    """Why a task has no result; the words are recorded with it."""


def run(
    function: Callable[[Any], dict[str, Any]],
    tasks: Sequence[Task],
    journal: Journal,
    n_processes: int,
    progress: Callable[[], None],
    following: Following | None = None,
) -> None:
    """Run ``function(argument)`` for every task that the journal does not hold.

    Parameters
    ----------
    function : callable
        Defined in a module, since it is sent to other processes. What it raises is recorded as
        ``{"failed": reason}``.
    tasks : sequence of (key, argument)
    journal : Journal
        Gets each result when it is there. A process that dies (out of memory, a crash in a
        library) fails the task that kills it a second time when run alone, and no other.
    n_processes : int
    progress : callable
        Called at the beginning and when the journal has got a result.
    following : callable, optional
        ``following(key, record)`` gives the task that becomes possible by this result, or None.

    Raises
    ------
    OSError
        If the journal can not be written.
    RuntimeError
        If no process can be started.
    """
    # What died may have been killed for another reason: it gets another chance.
    for key in [key for key, record in journal.records.items() if record.get(FAILED) == DIED]:
        del journal.records[key]
    progress()
    waiting = _possible(tasks, journal, following)
    while waiting:
        suspects = _run_all(function, waiting, journal, n_processes, progress, following)
        for task in suspects:
            if _run_all(function, [task], journal, 1, progress, None):
                journal.add(task[0], {FAILED: DIED})
                progress()
        waiting = _possible(tasks, journal, following) if suspects else []


def _possible(tasks: Sequence[Task], journal: Journal, following: Following | None) -> list[Task]:
    """Tasks that are not done, those that follow from finished ones included."""
    possible = []
    for task in tasks:
        current: Task | None = task
        while current is not None and current[0] in journal.records:
            record = journal.records[current[0]]
            current = following(current[0], record) if following is not None else None
        if current is not None:
            possible.append(current)
    return possible


def _run_all(
    function: Callable[[Any], dict[str, Any]],
    waiting: list[Task],
    journal: Journal,
    n_processes: int,
    progress: Callable[[], None],
    following: Following | None,
) -> list[Task]:
    """Run tasks until all are done, or one kills its process: then those that were running."""
    waiting = list(reversed(waiting))
    running: dict[Future[dict[str, Any]], Task] = {}
    try:
        with process_pool(n_processes) as executor:
            while waiting or running:
                while waiting and len(running) < 2 * n_processes:
                    future = executor.submit(_guarded, function, waiting[-1][1])
                    running[future] = waiting.pop()
                # A wait without an end would not be interrupted by Ctrl-C once RDKit has
                # embedded here.
                for future in wait(running, timeout=0.5, return_when=FIRST_COMPLETED).done:
                    key, _ = running[future]
                    journal.add(key, future.result())
                    del running[future]
                    progress()
                    task = following(key, journal.records[key]) if following is not None else None
                    if task is not None and task[0] not in journal.records:
                        waiting.append(task)
    except BrokenProcessPool:
        return list(running.values())
    return []


def _guarded(function: Callable[[Any], dict[str, Any]], argument: Any) -> dict[str, Any]:
    try:
        record = function(argument)
        json.dumps(record, allow_nan=False)
        return record
    except Failure as failure:
        return {FAILED: str(failure)}
    except Exception as error:  # A molecule is recorded with its reason, whatever it was.
        return {FAILED: f"{type(error).__name__}: {error}"}
