"""Representations of surroundings in processes: forked, spawned, interrupted, and their threads."""

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import molkern as mk
from all_representations import LOCAL_CASES

# One of each class, so that the workers' starts stay cheap.
EXAMPLES = [case for case in LOCAL_CASES if case[0] in ("ACSF-atoms", "AEV-atoms", "SOAP-mean"
            "-polynomial-jump")]  # fmt: skip
needs_openmp = pytest.mark.skipif(not mk.build_info()["openmp"], reason="built without OpenMP")
needs_tasks = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")

START = """
import os, signal, sys, threading, time, warnings
import numpy as np
import molkern as mk
from all_representations import ELEMENTS, LOCAL_CASES, cotangent

rng = np.random.default_rng(1)
molecules = [(rng.choice(ELEMENTS, n), rng.uniform(0, 6, (n, 3))) for n in rng.integers(0, 25, 60)]
batch = mk.Structures.from_arrays(molecules)

def results(n_threads=2):
    for name, cls, parameters in LOCAL_CASES:
        model = cls(**parameters, n_threads=n_threads).fit(batch)
        gX = cotangent(model, batch)
        yield model.transform(batch)
        yield model.vjp(batch, gX)
        yield model.jacobian(batch[:9]).values
    yield mk.neighbors.neighbor_list(batch, 4.0, n_threads=n_threads).vector

def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))

def tasks():
    return len(os.listdir("/proc/self/task"))
"""


def run(code, **environment):
    tests = str(Path(__file__).parent)
    result = subprocess.run(
        [sys.executable, "-c", START + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": tests, **environment},
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@needs_openmp
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_fork_after_use():
    """The child finishes all of them, with the same bits, and tells once that it is serial."""
    run(
        """
        expected = list(results())
        child = os.fork()
        if child == 0:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                equal = same(results(), expected)
            told = [w for w in caught if "forked after molkern had used threads" in str(w.message)]
            os._exit(0 if equal and len(told) == 1 else 1)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        sys.exit(code or not same(results(), expected))
        """
    )


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="no fork on this system"
)
def test_pool_of_forked_workers():
    """What users write: a pool that maps transform, after the parent has used threads."""
    run(
        """
        import multiprocessing
        warnings.simplefilter("ignore")
        models = [cls(**parameters, n_threads=2).fit(batch) for _, cls, parameters in LOCAL_CASES]
        expected = [model.transform(batch) for model in models]
        parts = [batch[k::4] for k in range(4)]
        with multiprocessing.get_context("fork").Pool(2) as pool:
            for model in models:
                found = pool.map_async(model.transform, parts).get(timeout=60)
                assert same(found, [model.transform(part) for part in parts])
        assert same([model.transform(batch) for model in models], expected)
        """
    )


def test_pool_of_spawned_workers(structures):
    models = [cls(**parameters, n_threads=2).fit(structures) for _, cls, parameters in EXAMPLES]
    assert len(models) == 3
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        jobs = [pool.apply_async(model.transform, (structures,)) for model in models]
        for model, job in zip(models, jobs, strict=True):
            np.testing.assert_array_equal(job.get(timeout=60), model.transform(structures))


def test_joblib(structures):
    """Fitted models go to the workers of joblib, as in scikit-learn with n_jobs."""
    joblib = pytest.importorskip("joblib")
    models = [cls(**parameters).fit(structures) for _, cls, parameters in EXAMPLES]
    for backend in ("loky", "threading"):
        with joblib.Parallel(n_jobs=2, backend=backend) as parallel:
            found = parallel(joblib.delayed(model.transform)(structures) for model in models)
        for model, rows in zip(models, found, strict=True):
            np.testing.assert_array_equal(rows, model.transform(structures))


def test_cross_validation_in_processes(structures):
    pytest.importorskip("sklearn")
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline

    frames = structures.to_ase()
    y = structures.sizes.astype(float)
    model = mk.SOAP(n_max=3, l_max=2, average="sum", species=["H", "C", "N", "O", "S"])
    scores = [cross_val_score(make_pipeline(model, Ridge()), frames, y, cv=2, n_jobs=n)
              for n in (1, 2)]  # fmt: skip
    np.testing.assert_array_equal(scores[0], scores[1])


@pytest.mark.skipif(not hasattr(signal, "SIGINT"), reason="no signals on this system")
def test_keyboard_interrupt():
    """It arrives, between calls at the latest, and nothing is broken by it."""
    run(
        """
        expected = list(results())
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for _, cls, parameters in LOCAL_CASES:
            model = cls(**parameters, n_threads=2).fit(batch)
            rows = model.transform(batch)
            timer = threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGINT))
            timer.start()
            try:
                while True:
                    model.transform(batch, out=rows)
                    model.vjp(batch, rows)
            except KeyboardInterrupt:
                print("interrupted")
            timer.join()
        sys.exit(not same(results(), expected))
        """
    )


@needs_openmp
@needs_tasks
def test_no_more_threads_than_asked_for():
    run(
        """
        before = tasks()
        list(results(1))
        assert tasks() == before, (tasks(), before)
        list(results(2))
        assert tasks() == before + 1, (tasks(), before)
        list(results(2))
        assert tasks() == before + 1, (tasks(), before)
        """,
        OPENBLAS_NUM_THREADS="1",
    )


@needs_openmp
@needs_tasks
def test_no_threads_for_two_small_molecules():
    """Starting them would take longer than the work."""
    run(
        """
        before = tasks()
        water = ([8, 1, 1], [[0.0, 0, 0], [0, 0.76, 0.59], [0, -0.76, 0.59]])
        for _, cls, parameters in LOCAL_CASES:
            model = cls(**parameters, n_threads=7).fit([water, water])
            rows = model.transform([water, water])
            model.vjp([water, water], rows)
            model.jacobian([water, water])
        mk.neighbors.neighbor_list([water, water], 4.0, n_threads=7)
        assert tasks() == before, (tasks(), before)
        """,
        OPENBLAS_NUM_THREADS="1",
    )


@needs_openmp
@needs_tasks
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_no_more_threads_than_cores_by_default():
    """Whatever the environment says; a process that is confined to one core uses one thread."""
    code = """
        before = tasks()
        list(results(None))
        assert tasks() <= before + len(os.sched_getaffinity(0)) - 1, (tasks(), before)
        """
    run(code, OMP_NUM_THREADS="64", OPENBLAS_NUM_THREADS="1")
    pin = "\nos.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"
    run(pin + textwrap.dedent(code), OMP_NUM_THREADS="64", OPENBLAS_NUM_THREADS="1")


def test_same_bits_in_another_process():
    """Nothing depends on addresses, on the order of imports, or on a seed of the process."""
    code = """
        import hashlib
        digest = hashlib.sha256()
        for array in results():
            digest.update(np.ascontiguousarray(array).tobytes())
        print(digest.hexdigest())
        """
    first = run(code, PYTHONHASHSEED="1")
    assert first == run(code, PYTHONHASHSEED="2", OMP_NUM_THREADS="1", MALLOC_PERTURB_="165")
