"""Threads: the same numbers for any number of them, forks, and many callers at once."""

import functools
import itertools
import multiprocessing
import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import molkern as mk
from acsf_definition import OPTIONS
from all_representations import DTYPES, ELEMENTS, MODELS, cotangent, every_model, is_local
from molkern import _core
from soap_definition import COMBINATIONS, RADIAL_BASES, SMALL, options_of


@pytest.fixture(scope="module")
def many():
    rng = np.random.default_rng(5)
    sizes = rng.integers(0, 30, 700)
    return mk.Structures.from_arrays(
        [(rng.choice(ELEMENTS, n), rng.uniform(0, 9, (n, 3))) for n in sizes]
    )


@pytest.mark.parametrize("dtype", DTYPES)
@every_model
def test_representations_are_bitwise_equal(cls, parameters, dtype, many):
    batch = many[:100] if is_local(cls) else many

    def results(n_threads):
        model = cls(**parameters, dtype=dtype, n_threads=n_threads).fit(batch)
        yield model.transform(batch)
        gX = cotangent(model, batch)
        yield from model.vjp(batch, gX, strain=True) if is_local(cls) else [model.vjp(batch, gX)]
        yield model.jacobian(batch[:30]).values

    expected = list(results(1))
    for n_threads in (2, 7, None):
        for result, wanted in zip(results(n_threads), expected, strict=True):
            np.testing.assert_array_equal(result, wanted)


def test_sums_of_gradients_in_many_ranges(many):
    """More atoms than are added up in one go: the same as of each structure alone."""
    gX = np.random.default_rng(0).normal(size=(len(many), 285))

    def results(n_threads, batch=many, gX=gX):
        model = mk.ACSF(species=ELEMENTS, **OPTIONS, average="sum", n_threads=n_threads).fit(batch)
        return model.vjp(batch, gX[:, : model.n_features_out_], strain=True)

    gradient, strain = results(1)
    assert len(gradient) > 3 * 2048
    for n_threads in (2, 7):
        for result, wanted in zip(results(n_threads), (gradient, strain), strict=True):
            np.testing.assert_array_equal(result, wanted)
    for m in (0, 141, 350, len(many) - 1):
        alone = results(1, many[m : m + 1], gX[m : m + 1])
        np.testing.assert_array_equal(alone[0], gradient[many.offsets[m] : many.offsets[m + 1]])
        np.testing.assert_array_equal(alone[1][0], strain[m])


LOCAL_OPTIONS = [
    *((mk.ACSF, OPTIONS | {"average": average}) for average in (None, "sum", "mean")),
    *(
        (mk.SOAP, SMALL | {"average": average, "radial_basis": basis})
        for average, basis in itertools.product([None, "sum", "mean", "inner"], RADIAL_BASES)
    ),
    *(
        (mk.SOAP, SMALL | options_of(combination) | {"average": average})
        for average, combination in itertools.product([None, "sum", "inner"], COMBINATIONS)
    ),
]


@pytest.mark.parametrize(("cls", "parameters"), LOCAL_OPTIONS)
def test_every_option_of_atoms_is_bitwise_equal(cls, parameters, structures):
    batch = mk.Structures.concatenate([structures[[0, 4, 6, 8]]] * 8)
    model = cls(**parameters).fit(batch)
    one, *more = [model.set_params(n_threads=n).transform(batch) for n in (1, 2, 7)]
    for other in more:
        np.testing.assert_array_equal(other, one)


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


def test_more_threads_than_can_be_started():
    """A request far above the cores is met with fewer, and with the same result."""
    x = np.random.default_rng(0).normal(size=(2000, 5))
    limit = max(64, 4 * os.cpu_count())
    assert 1 <= _core.threads_in_use(4096) <= limit
    expected = mk.kernels.laplacian(x, sigma=1.0, n_threads=1)
    np.testing.assert_array_equal(mk.kernels.laplacian(x, sigma=1.0, n_threads=4096), expected)


def test_laplacian_of_two_rows_does_not_depend_on_the_others():
    x = np.random.default_rng(0).normal(size=(333, 10))
    full = mk.kernels.laplacian(x, sigma=1.0)
    np.testing.assert_array_equal(full[:, :77], mk.kernels.laplacian(x, x[:77].copy(), sigma=1.0))


def test_one_object_in_many_python_threads(many):
    batch = many[:100]
    models = [cls(**parameters).fit(batch) for cls, parameters in MODELS]

    def results(model):
        rows = model.transform(batch)
        return rows, model.vjp(batch, rows)

    expected = [results(model) for model in models]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(results, models * 3))
    for k, arrays in enumerate(found):
        for array, wanted in zip(arrays, expected[k % len(models)], strict=True):
            np.testing.assert_array_equal(array, wanted)


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
