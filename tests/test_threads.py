"""Threads: the same numbers for any number of them, forks, and many callers at once."""

import functools
import multiprocessing
import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import molkern as mk
from all_representations import DTYPES, IDS, MODELS


@pytest.fixture(scope="module")
def many():
    rng = np.random.default_rng(5)
    sizes = rng.integers(0, 30, 700)
    return mk.Structures.from_arrays(
        [(rng.integers(1, 9, n), rng.uniform(0, 9, (n, 3))) for n in sizes]
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("cls", "parameters"), MODELS, ids=IDS)
def test_representations_are_bitwise_equal(cls, parameters, dtype, many):
    expected = cls(**parameters, dtype=dtype, n_threads=1).fit_transform(many)
    for n_threads in (2, 7, None):
        result = cls(**parameters, dtype=dtype, n_threads=n_threads).fit_transform(many)
        np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_copies", [1, 2])
@pytest.mark.parametrize("name", ["gaussian", "laplacian"])
def test_kernels_are_bitwise_equal(name, dtype, n_copies):
    x = np.random.default_rng(0).normal(size=(400, 40)).astype(dtype)
    y = x[:77].copy()
    kernel = getattr(mk.kernels, name)
    for other in (None, y):
        expected = kernel(x, other, sigma=[2.0, 9.0], n_copies=n_copies, n_threads=1)
        for n_threads in (2, 7, None):
            result = kernel(x, other, sigma=[2.0, 9.0], n_copies=n_copies, n_threads=n_threads)
            np.testing.assert_array_equal(result, expected)


def test_laplacian_of_two_rows_does_not_depend_on_the_others():
    x = np.random.default_rng(0).normal(size=(333, 10))
    full = mk.kernels.laplacian(x, sigma=1.0)
    np.testing.assert_array_equal(full[:, :77], mk.kernels.laplacian(x, x[:77].copy(), sigma=1.0))


def test_one_object_in_many_python_threads(many):
    models = [cls(**parameters).fit(many) for cls, parameters in MODELS]
    expected = [model.transform(many) for model in models]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda model: model.transform(many), models * 4))
    for k, result in enumerate(results):
        np.testing.assert_array_equal(result, expected[k % len(models)])


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **environment},
        check=False,
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_fork_after_use():
    """The child finishes, on one thread, with the same numbers and one warning."""
    result = run(
        """
        import os, sys, warnings
        import numpy as np, molkern as mk

        x = np.random.default_rng(0).normal(size=(300, 20))
        expected = mk.kernels.laplacian(x, sigma=1.0, n_threads=2)
        child = os.fork()
        if child == 0:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                same = all(
                    np.array_equal(mk.kernels.laplacian(x, sigma=1.0, n_threads=2), expected)
                    for _ in range(3)
                )
            told = [w for w in caught if "forked after molkern had used threads" in str(w.message)]
            serial = mk.build_info()["n_threads"] == 1
            os._exit(0 if same and len(told) == 1 and serial else 1)
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """
    )
    if not mk.build_info()["openmp"]:
        pytest.skip("built without OpenMP")
    assert result.returncode == 0, result.stderr


def test_worker_processes():
    """Spawned workers use threads of their own."""
    x = np.random.default_rng(0).normal(size=(200, 5))
    distances = functools.partial(mk.kernels.manhattan_distances, n_threads=2)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        results = pool.map_async(distances, [x, x]).get(timeout=60)
    for result in results:
        np.testing.assert_array_equal(result, distances(x))


@pytest.mark.skipif(not mk.build_info()["openmp"], reason="built without OpenMP")
def test_environment_and_affinity_set_the_default():
    code = "import molkern as mk; print(mk.build_info()['n_threads'])"
    assert run(code, OMP_NUM_THREADS="1").stdout.strip() == "1"
    if hasattr(os, "sched_setaffinity"):
        free = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
        pin = "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]); "
        code = f"import molkern; {pin}{code}"
        result = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=free, check=True
        )
        assert result.stdout.strip() == "1"
