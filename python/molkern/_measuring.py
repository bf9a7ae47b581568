"""Time and memory of one call, in a process of its own.

A `Worker` starts another Python that serves requests one after the other: what the user's process
holds, and how much memory it once held, is then no part of a measurement. The file imports little,
since that process imports it.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from molkern.structures import Structures

__all__ = ["OPERATIONS", "SOURCES", "Request", "Worker"]

OPERATIONS = ("values", "vjp", "gram", "tune", "train", "predict")
SOURCES = ("structures", "arrays", "ase")

# Short calls are repeated until so much time has passed, long ones not at all.
ENOUGH_SECONDS = 0.1
LONG_SECONDS = 1.0
MOST_REPEATS = 200

_ERRORS: dict[str, type[Exception]] = {
    "MemoryError": MemoryError,
    "TypeError": TypeError,
    "ValueError": ValueError,
}
_START = "from molkern._measuring import serve; serve()"


@dataclass(frozen=True)
class Request:
    """One measurement.

    Attributes
    ----------
    operation : one of `OPERATIONS`
        See `molkern.study.cost` for what is inside the clock of each.
    model : representation
        Fitted.
    structures : Structures
        What is represented (values, vjp), learnt from (gram, tune, train), or predicted (predict).
    source : {"structures", "arrays", "ase"}
        What the clock of "values" starts from.
    repeats : int
        Least number of timed calls; one is enough where it takes 1 s or more.
    kernel : str
    ridge : dict
        Parameters of `KernelRidge` besides the kernel.
    labels : ndarray of float64, shape (n_train,), or None
    train : Structures, or None
        What the model of "predict" has learnt from.
    """

    operation: str
    model: Any
    structures: Structures
    source: str = "structures"
    repeats: int = 3
    kernel: str = ""
    ridge: dict[str, Any] = field(default_factory=dict)
    labels: npt.NDArray[np.float64] | None = None
    train: Structures | None = None


class Worker:
    """The other process; started by the first request, ended with the context."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def measure(self, request: Request) -> dict[str, Any]:
        """Carry out a request.

        Returns
        -------
        dict
            ``seconds`` and ``seconds_median`` of one call (smallest and median), ``n_repeats``,
            ``peak_bytes`` (memory that a call needs beyond its input; None where the system does
            not tell), ``n_features``.

        Raises
        ------
        ValueError, TypeError, MemoryError
            What the call raised; MemoryError also when the system ended the process.
        """
        if self._process is None:
            # A session of its own: Ctrl-C reaches the process that asks, which ends this one.
            self._process = subprocess.Popen(
                [sys.executable, "-c", _START],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # the empty answer below tells
            pickle.dump(request, self._process.stdin)
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            self.__exit__(None, None, None)
            raise MemoryError(
                f"{request.operation}: the measuring process ended with code {code}; the system "
                "ends processes that need more memory than there is"
            )
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            kind = _ERRORS.get(answer["error"], RuntimeError)
            raise kind(answer["message"])
        return answer


def serve() -> None:
    """Answer requests from standard input until it ends."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    sys.stdout = sys.stderr  # nothing else gets between the answers
    while True:
        try:
            request = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer = _measured(request)
        except Exception as error:
            # Every failure belongs to the process that asked.
            answer = {"error": type(error).__name__, "message": str(error) or repr(error)}
        print(json.dumps(answer), file=answers, flush=True)


def _measured(request: Request) -> dict[str, Any]:
    call = _PREPARED[request.operation](request)
    before = _reset_peak()
    start = time.perf_counter()
    result = call()  # the first call, on fresh memory: decides the peak, counts if it is long
    seconds = [time.perf_counter() - start]
    peak = None if before is None else max(0, _status_bytes("VmHWM") - before)
    if seconds[0] < LONG_SECONDS:
        seconds = []
        while len(seconds) < request.repeats or (
            sum(seconds) < ENOUGH_SECONDS and len(seconds) < MOST_REPEATS
        ):
            result = None  # two large results at one time might not fit
            start = time.perf_counter()
            result = call()
            seconds.append(time.perf_counter() - start)
    del result
    return {
        "seconds": min(seconds),
        "seconds_median": float(np.median(seconds)),
        "n_repeats": len(seconds),
        "peak_bytes": peak,
        "n_features": int(request.model.n_features_out_),
    }


def _reset_peak() -> int | None:
    """Start a new peak of resident memory at what is resident now, and return that.

    The kernel's own peak of this address space: what `resource.getrusage` gives can not be reset,
    and begins with the peak of the process that started this one.
    """
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # glibc: give freed memory back
        ctypes.CDLL(None).malloc_trim(0)
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        return _status_bytes("VmRSS")
    except OSError:
        return None


def _status_bytes(name: str) -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {name}")


def _values(request: Request) -> Callable[[], Any]:
    structures: Any = request.structures
    if request.source == "arrays":
        structures = list(request.structures)
    elif request.source == "ase":
        structures = request.structures.to_ase()
    return lambda: request.model.transform(structures)


def _vjp(request: Request) -> Callable[[], Any]:
    model, structures = request.model, request.structures
    shape = np.asarray(model.transform(structures)).shape
    cotangent = np.random.default_rng(0).normal(size=shape)
    return lambda: model.vjp(structures, cotangent)


def _gram(request: Request) -> Callable[[], Any]:
    from molkern.regression.similarity import kernel_matrix

    rows = _rows(request, request.structures)
    options = {name: request.ridge[name] for name in ("n_copies", "n_threads")}
    sigma = _median_distance(request, rows)
    return lambda: kernel_matrix(rows, kernel=request.kernel, sigma=sigma, **options)


def _train(request: Request) -> Callable[[], Any]:
    model, structures, labels = request.model, request.structures, request.labels
    assert labels is not None
    ridge = _ridge(request, _rows(request, structures))
    return lambda: ridge.fit(model.transform(structures), labels, structures=structures)


def _tune(request: Request) -> Callable[[], Any]:
    from molkern.regression import KernelRidge

    structures, labels = request.structures, request.labels
    assert labels is not None
    X = request.model.transform(structures)
    ridge = KernelRidge(kernel=request.kernel, **request.ridge)
    return lambda: ridge.fit(X, labels, structures=structures)


def _predict(request: Request) -> Callable[[], Any]:
    from molkern.regression.baseline import fit_baseline

    model, structures, train, labels = (
        request.model, request.structures, request.train, request.labels
    )  # fmt: skip
    assert train is not None
    assert labels is not None
    rows = _rows(request, train)
    ridge = _ridge(request, rows)
    # A prediction takes the same time whatever the coefficients are: no need to solve for them.
    elements = ridge.baseline == "elements"
    ridge.species_ = train.species if elements else None
    counts = train.composition() if elements else None
    ridge.baseline_ = fit_baseline(ridge.baseline, labels[:, None], counts)
    ridge._set_solution(rows, labels, ridge.sigma)
    return lambda: ridge.predict(model.transform(structures), structures=structures)


def _rows(request: Request, structures: Structures) -> Any:
    """What the kernel of the request compares: rows of structures, or features of their atoms."""
    from molkern._atom_features import atom_features
    from molkern.regression.similarity import is_local

    X = request.model.transform(structures)
    if is_local(request.kernel):
        return atom_features("X", X, structures)
    return np.asarray(X, dtype=np.float64)


def _ridge(request: Request, rows: Any) -> Any:
    """A model with sigma and alpha as numbers; which ones makes no difference to the time."""
    from molkern.regression import KernelRidge

    sigma = _median_distance(request, rows)
    return KernelRidge(kernel=request.kernel, **request.ridge, sigma=sigma, alpha=1e-3)


def _median_distance(request: Request, rows: Any) -> float:
    from molkern.regression.similarity import Similarity

    options = {name: request.ridge[name] for name in ("n_copies", "n_threads")}
    similarity = Similarity(rows, kernel=request.kernel, max_bytes=0, **options)
    distance = similarity.median_distance(np.arange(len(rows)))
    return distance if distance > 0 else 1.0


_PREPARED: dict[str, Callable[[Request], Callable[[], Any]]] = {
    "values": _values,
    "vjp": _vjp,
    "gram": _gram,
    "tune": _tune,
    "train": _train,
    "predict": _predict,
}
