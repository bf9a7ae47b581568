"""A scheduler and workers of Dask in processes of their own, as on a cluster."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import distributed

TESTS = str(Path(__file__).parent)


def _start(arguments, folder):
    """A process of Dask, in a session of its own so that its children end with it."""
    environment = {
        **os.environ,
        "PYTHONPATH": TESTS,
        "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "60s",
    }
    with open(folder / f"{arguments[0]}.log", "ab") as log:
        return subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "dask", *arguments],
            stdout=log, stderr=log, env=environment, cwd=folder, start_new_session=True,
        )  # fmt: skip


@contextlib.contextmanager
def cluster(folder, n_workers=2, n_threads=1):
    """Address of a scheduler with workers, each with a nanny that starts it again."""
    processes = []
    try:
        yield begin(processes, folder, n_workers, n_threads)
    finally:
        end(processes)


def end(processes):
    """End what `begin` started, and the children of it."""
    for process in reversed(processes):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def begin(processes, folder, n_workers, n_threads=1):
    """Start the scheduler if there is none, and workers; the address."""
    file = folder / "scheduler.json"
    local = ["--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(file)]
    if not processes:
        processes.append(_start(["scheduler", *local, "--port", "0"], folder))
        _wait(file.exists)
    if n_workers:
        options = ["--nworkers", str(n_workers), "--nthreads", str(n_threads)]
        place = ["--local-directory", str(folder)]
        processes.append(_start(["worker", *local, *options, *place], folder))
    return wait_for_workers(json.loads(file.read_text())["address"], n_workers)


def wait_for_workers(address, n_workers):
    """The address, when so many workers are there."""
    if n_workers:
        with distributed.Client(address, set_as_default=False) as client:
            client.wait_for_workers(n_workers, timeout=60)
    return address


def _wait(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "Dask does not start"
        time.sleep(0.05)
