"""Tasks for the workers of test_executor.py, which import them by this name."""

import os
import signal
import time
from pathlib import Path

import threadpoolctl

import molkern as mk


def squares(shared, argument, n_threads):
    """The square of the argument, what it is shared with, and threads; some do harm."""
    if argument == "wrong":
        raise ValueError("a wrong argument")
    if argument == "deadly":
        os.kill(os.getpid(), signal.SIGKILL)
    if isinstance(argument, tuple):  # dies the first time
        argument, path = argument
        if not Path(path).exists():
            Path(path).touch()
            os.kill(os.getpid(), signal.SIGKILL)
    yield argument**2
    pools = threadpoolctl.threadpool_info()
    blas = max((pool["num_threads"] for pool in pools if pool["user_api"] == "blas"), default=1)
    yield {"shared": shared, "n_threads": n_threads, "blas": blas, "pid": os.getpid()}


class SlowBags(mk.BagOfBonds):
    """Leaves time to kill the process that computes it, and says which one that is."""

    def __init__(self, *, folder=".", bags=None, dtype="float64", n_threads=None):
        super().__init__(bags=bags, dtype=dtype, n_threads=n_threads)
        self.folder = folder

    def transform(self, structures, out=None):
        (Path(self.folder) / f"{os.getpid()}.pid").touch()
        time.sleep(0.3)
        return super().transform(structures, out)
