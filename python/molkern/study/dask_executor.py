"""Tasks on a Dask cluster that exists already."""

from __future__ import annotations

import contextlib
import pickle
import threading
import uuid
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError
from typing import Any

import molkern
from molkern._arrays import checked_threads
from molkern.regression.linear import blas_threads
from molkern.study.executor import Executor, Finished, Function, Queue, Task
from molkern.study.store import VALUES_VERSION

__all__ = ["Dask"]

CONNECT_SECONDS = 30
LEAST_WAITING = 8  # tasks that the scheduler knows of before it has workers


class Dask(Executor):
    """Workers of a Dask cluster.

    Parameters
    ----------
    scheduler : str or dask.distributed.Client
        Address of the scheduler, such as ``"tcp://10.0.0.1:8786"``; or a client, which stays open.

    Raises
    ------
    ImportError
        Without Dask's package ``distributed``.

    Notes
    -----
    A worker computes one task at a time, with as many threads as it has (``--nthreads`` of
    ``dask worker``) unless ``n_threads`` says otherwise. It needs the same versions of molkern and
    of its values as this process, and no file system in common with it: what all tasks share goes
    to each worker once, from the scheduler or from another worker. When a worker dies, the
    scheduler gives its task to another; a task that was given to four workers that died ends the
    study with RuntimeError (Dask's ``distributed.scheduler.allowed-failures``).
    """

    def __init__(self, scheduler: Any) -> None:
        try:
            import distributed
        except ImportError as error:
            raise ImportError(
                'a Dask cluster needs dask and distributed: pip install "molkern[dask]"'
            ) from error
        if not isinstance(scheduler, str | distributed.Client):
            raise TypeError(
                "scheduler: expected an address or a dask.distributed.Client, found "
                f"{type(scheduler).__name__}"
            )
        self.scheduler = scheduler

    def run(
        self,
        function: Function,
        shared: Any,
        tasks: Iterable[Task],
        finished: Finished,
        *,
        n_threads: int | None = None,
    ) -> None:
        """As `Executor.run`.

        Raises
        ------
        ConnectionError
            (an OSError) when the scheduler cannot be reached, or is lost.
        """
        checked_threads(n_threads)
        queue = Queue(tasks)
        if not queue:
            return
        with self._client() as client:
            _Run(client, function, shared, n_threads).run(queue, finished)

    @contextlib.contextmanager
    def _client(self) -> Iterator[Any]:
        import distributed

        if not isinstance(self.scheduler, str):
            yield self.scheduler
            return
        try:
            client = distributed.Client(
                self.scheduler, timeout=CONNECT_SECONDS, set_as_default=False
            )
        except (OSError, ValueError) as error:
            raise ConnectionError(
                f"no Dask scheduler answers at {self.scheduler!r}: {error}"
            ) from error
        with client:
            yield client


class _Run:
    """The tasks of one call, on one cluster."""

    def __init__(self, client: Any, function: Function, shared: Any, n_threads: int | None) -> None:
        import cloudpickle

        self.client, self.function, self.n_threads = client, function, n_threads
        # A task of its own, not scattered: scattered data are lost with the workers that hold them.
        content = cloudpickle.dumps(shared)  # classes of a notebook, too
        self.shared = self._submit("shared", _unpacked, content, _versions())
        self.running: dict[Any, Task] = {}

    def run(self, queue: Queue, finished: Finished) -> None:
        import distributed

        if not self.client.scheduler_info(n_workers=-1)["workers"]:
            warnings.warn(
                "the Dask cluster has no workers yet: waiting for them", RuntimeWarning, 4
            )
        completed = distributed.as_completed(loop=self.client.loop, raise_errors=False)
        try:
            while queue or self.running:
                while queue and len(self.running) < self._most_waiting():
                    task = queue.pop()
                    future = self._submit(
                        "task", _compute, self.function, self.shared, task.argument, self.n_threads
                    )
                    self.running[future] = task
                    completed.add(future)
                future = next(completed)
                for result in self._results(future):
                    queue.add(finished(self.running[future], result))
                del self.running[future]
        finally:
            self._cancel()

    def _submit(self, kind: str, function: Any, *arguments: Any) -> Any:
        import dask

        key = f"molkern-{kind}-{uuid.uuid4().hex}"
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TB"}):
            return self.client.submit(function, *arguments, key=key, pure=False)

    def _most_waiting(self) -> int:
        """Two for each worker: enough to keep it busy, and few results wait for this process."""
        workers = self.client.scheduler_info(n_workers=-1)["workers"]
        return max(LEAST_WAITING, 2 * len(workers))

    def _results(self, future: Any) -> Any:
        import distributed

        name = self.running[future].name
        try:
            return future.result()
        except distributed.KilledWorker as error:
            raise RuntimeError(
                f"{name}: all workers that it was given to died: out of memory, or a crash? "
                "Finished results are kept"
            ) from error
        except CancelledError as error:
            raise ConnectionError(
                f"{name}: the Dask scheduler is gone, or was told to forget the task. Finished "
                "results are kept"
            ) from error

    def _cancel(self) -> None:
        """What still runs is not wanted: the end, or an error."""
        if self.client.status == "running":
            self.client.cancel([*self.running, self.shared])


_ONE_AT_A_TIME = threading.Lock()


def _versions() -> str:
    return f"{molkern.__version__} (values {VALUES_VERSION})"


def _unpacked(content: bytes, versions: str) -> Any:
    """What tasks share, on a worker."""
    if versions != _versions():
        raise RuntimeError(
            f"the study runs with molkern {versions}, a worker has {_versions()}: they must agree"
        )
    return pickle.loads(content)


def _compute(function: Function, shared: Any, argument: Any, n_threads: int | None) -> list[Any]:
    import distributed

    with _ONE_AT_A_TIME:
        threads = n_threads or distributed.get_worker().state.nthreads
        with blas_threads(threads):
            return list(function(shared, argument, threads))
