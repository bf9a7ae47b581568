"""Where tasks run: in this process, on processes of this machine, or on a Dask cluster.

Tasks need nothing but their argument and what all of them share, and can be computed again: a
worker that dies costs the task that it was at. Results come back to this process, which alone
writes them to disk; workers need no file system in common.
"""

from __future__ import annotations

import heapq
import itertools
import pickle
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

from molkern._arrays import checked_threads
from molkern._processes import allowed_cores, process_pool
from molkern.regression.linear import blas_threads

__all__ = ["Executor", "Finished", "Function", "InProcess", "Processes", "Task", "as_executor"]

# A task that was running at so many deaths of processes is the likely reason of them.
ALLOWED_DEATHS = 3


@dataclass(frozen=True, eq=False)
class Task:
    """Something to compute.

    Attributes
    ----------
    priority : tuple of int
        The smallest comes first.
    name : str
        For messages.
    argument : object
        Can be pickled.
    """

    priority: tuple[int, ...]
    name: str
    argument: Any


Function = Callable[[Any, Any, "int | None"], Iterable[Any]]
Finished = Callable[[Task, Any], Iterable[Task]]


class Executor(ABC):
    """Runs tasks.

    Attributes
    ----------
    parallel : bool
        Whether several tasks run at a time.
    """

    parallel: bool = True

    @abstractmethod
    def run(
        self,
        function: Function,
        shared: Any,
        tasks: Iterable[Task],
        finished: Finished,
        *,
        n_threads: int | None = None,
    ) -> None:
        """Run tasks, and those that follow from their results.

        Parameters
        ----------
        function : callable
            ``function(shared, argument, n_threads)`` yields the results of a task. Defined in a
            module; in a worker ``shared`` is the same object for all tasks.
        shared : object
            Sent once to each worker.
        tasks : iterable of Task
        finished : callable
            ``finished(task, result)`` is called in this process for each result, in any order, and
            returns further tasks.
        n_threads : int, optional
            Of each worker. None: see the executor.

        Raises
        ------
        Exception
            What ``function`` or ``finished`` raised; the results of other tasks were passed on.
        RuntimeError
            When a task ends the process that runs it, again and again.
        """


class Queue:
    """Waiting tasks: the smallest priority first, and the first come of equal ones."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._heap: list[tuple[tuple[int, ...], int, Task]] = []
        self._count = itertools.count()
        self.add(tasks)

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, tasks: Iterable[Task]) -> None:
        for task in tasks:
            heapq.heappush(self._heap, (task.priority, next(self._count), task))

    def pop(self) -> Task:
        return heapq.heappop(self._heap)[2]


class InProcess(Executor):
    """One task after the other, here; results are passed on as they are yielded.

    ``n_threads=None``: all allowed cores.
    """

    parallel = False

    def run(
        self,
        function: Function,
        shared: Any,
        tasks: Iterable[Task],
        finished: Finished,
        *,
        n_threads: int | None = None,
    ) -> None:
        """As `Executor.run`."""
        queue = Queue(tasks)
        while queue:
            task = queue.pop()
            for result in function(shared, task.argument, n_threads):
                queue.add(finished(task, result))


class Processes(Executor):
    """Processes of this machine, each with its share of the allowed cores.

    Parameters
    ----------
    n_workers : int, optional
        None: as many as allowed cores.

    Notes
    -----
    ``n_threads=None``: the allowed cores divided by ``n_workers``, for OpenMP and the BLAS. When a
    process dies (a signal, no memory) all of them are started anew, and what ran runs again; a task
    that was running at three deaths is given up with RuntimeError. A program that uses them starts
    below ``if __name__ == "__main__":``.
    """

    def __init__(self, n_workers: int | None = None) -> None:
        cores = allowed_cores()
        whole = isinstance(n_workers, int) and not isinstance(n_workers, bool)
        if n_workers is not None and not (whole and 1 <= n_workers <= 1024):
            raise ValueError(
                f"n_workers: expected None or an integer from 1 to 1024, found {n_workers!r}"
            )
        self.n_workers = cores if n_workers is None else n_workers

    def run(
        self,
        function: Function,
        shared: Any,
        tasks: Iterable[Task],
        finished: Finished,
        *,
        n_threads: int | None = None,
    ) -> None:
        """As `Executor.run`."""
        threads = checked_threads(n_threads) or max(1, allowed_cores() // self.n_workers)
        queue = Queue(tasks)
        content = pickle.dumps((function, shared, threads)) if queue else b""
        deaths: Counter[Task] = Counter()
        while queue:
            lost = self._run_until_death(content, threads, queue, finished)
            deaths.update(lost)
            for task in lost:
                if deaths[task] >= ALLOWED_DEATHS:
                    raise RuntimeError(
                        f"{task.name}: the process died {deaths[task]} times: out of memory, or a "
                        "crash? Finished results are kept; fewer workers need less memory"
                    )
            queue.add(lost)

    def _run_until_death(
        self, content: bytes, n_threads: int, queue: Queue, finished: Finished
    ) -> list[Task]:
        """Run until nothing is left, or a process dies: then the tasks that were running."""
        running: dict[Future[list[Any]], Task] = {}
        try:
            with process_pool(self.n_workers, n_threads, _receive, (content,)) as pool:
                while queue or running:
                    while queue and len(running) < self.n_workers:
                        task = queue.pop()
                        running[pool.submit(_compute, task.argument)] = task
                    # An endless wait would not be interrupted by Ctrl-C everywhere.
                    for future in wait(running, timeout=0.5, return_when=FIRST_COMPLETED).done:
                        results = future.result()
                        task = running.pop(future)
                        for result in results:
                            queue.add(finished(task, result))
        except BrokenProcessPool:
            return list(running.values())
        return []


class _Received:
    """What all tasks share, in a process of a pool."""

    content: bytes = b""
    parts: tuple[Function, Any, int] | None = None


def _receive(content: bytes) -> None:
    _Received.content = content


def _compute(argument: Any) -> list[Any]:
    # Read with the first task, not when the process starts: errors then come back as they are.
    if _Received.parts is None:
        _Received.parts = pickle.loads(_Received.content)
        _Received.content = b""
    function, shared, n_threads = _Received.parts
    with blas_threads(n_threads):
        return list(function(shared, argument, n_threads))


def as_executor(executor: Any) -> Executor:
    """The executor that is meant.

    Parameters
    ----------
    executor : None, int, str, Executor or dask.distributed.Client
        None: this process. An integer: so many local processes. A text or a client: the Dask
        cluster of this scheduler.

    Returns
    -------
    Executor

    Raises
    ------
    TypeError
        For anything else.

    Examples
    --------
    >>> as_executor(2).n_workers
    2
    """
    if executor is None:
        return InProcess()
    if isinstance(executor, Executor):
        return executor
    if isinstance(executor, int) and not isinstance(executor, bool):
        return Processes(executor)
    if isinstance(executor, str) or hasattr(executor, "scheduler_info"):
        from molkern.study.dask_executor import Dask

        return Dask(executor)
    raise TypeError(
        "executor: expected None, a number of processes, the address of a Dask scheduler, or an "
        f"executor, found {type(executor).__name__}"
    )
