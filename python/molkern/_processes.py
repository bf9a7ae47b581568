"""Pools of processes that end with the one that started them, each with its share of threads."""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

__all__ = ["allowed_cores", "process_pool"]


def allowed_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def process_pool(
    n_processes: int,
    n_threads: int = 1,
    initializer: Callable[..., None] | None = None,
    initargs: tuple[Any, ...] = (),
) -> Iterator[ProcessPoolExecutor]:
    """A pool that has started; what still runs is ended when the block is left by an error.

    Parameters
    ----------
    n_processes : int
    n_threads : int, default=1
        Of OpenMP and the BLAS in each process.
    initializer : callable, optional
        Called in each process with ``initargs``.

    Raises
    ------
    RuntimeError
        If no process can be started.
    """
    before = set(multiprocessing.active_children())
    # A fresh interpreter: threads and libraries of this one do not survive a fork.
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(
        n_processes, context, initializer=_begin, initargs=(n_threads, initializer, initargs)
    )
    try:
        _require_start(executor)
        yield executor
    except BrokenProcessPool:
        executor.shutdown(cancel_futures=True)
        raise
    except BaseException:  # Ctrl-C, a full disk: what runs would not be written any more.
        for process in set(multiprocessing.active_children()) - before:
            process.terminate()
        executor.shutdown(cancel_futures=True)
        raise
    executor.shutdown()


def _require_start(executor: ProcessPoolExecutor) -> None:
    """A process that can not even start says nothing about the tasks."""
    try:
        executor.submit(_nothing).result()
    except BrokenProcessPool as error:
        raise RuntimeError(
            "no process could be started; a program that starts processes must do so below "
            "if __name__ == '__main__':, since every process reads it again"
        ) from error


def _nothing() -> None:
    return


def _begin(
    n_threads: int, initializer: Callable[..., None] | None, initargs: tuple[Any, ...]
) -> None:
    """Set up a process: its number of threads; an end with its parent's.

    Ctrl-C reaches the parent, which ends the others.
    """
    import threadpoolctl

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(n_threads)  # for libraries that are loaded from now on,
    threadpoolctl.threadpool_limits(n_threads)  # and for those that are loaded already
    if initializer is not None:
        initializer(*initargs)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
