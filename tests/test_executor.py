"""Where tasks run: here, on processes, on Dask workers; real ones, and killed ones."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import molkern as mk
from dask_cluster import begin, cluster, end, wait_for_workers
from molkern._processes import allowed_cores
from molkern.datasets import Dataset
from molkern.study import Dask, InProcess, Processes, Store, accuracy, compare, dask_executor
from molkern.study import run as run_study
from molkern.study.executor import Task, as_executor
from molkern.study.result import ORIGIN
from worker_tasks import SlowBags, squares

N_TASKS = 7


@pytest.fixture(scope="module")
def dask(tmp_path_factory):
    """Address of a scheduler with two workers."""
    with cluster(tmp_path_factory.mktemp("dask")) as address:
        yield address


@pytest.fixture(params=["here", "processes", "dask"])
def executor(request):
    if request.param == "dask":
        return Dask(request.getfixturevalue("dask"))
    return InProcess() if request.param == "here" else Processes(2)


@pytest.fixture(params=["processes", "dask"])
def workers(request):
    """Executors that survive the death of a worker."""
    return Dask(request.getfixturevalue("dask")) if request.param == "dask" else Processes(2)


def run(executor, arguments, following=None, **options):
    """First results of the tasks, and the others."""
    found, others = {}, []

    def finished(task, result):
        if isinstance(result, dict):
            others.append(result)
            return []
        found[task.name] = result
        return following(task) if following else []

    tasks = [Task((k,), str(k), argument) for k, argument in enumerate(arguments)]
    executor.run(squares, {"name": "all"}, tasks, finished, **options)
    return found, others


def test_tasks_and_those_that_follow(executor):
    def following(task):
        n = task.argument
        return [Task((n,), f"after {n}", n + 100)] if n < 2 else []

    found, others = run(executor, range(N_TASKS), following)
    expected = {str(n): n**2 for n in range(N_TASKS)}
    assert found == expected | {"after 0": 100**2, "after 1": 101**2}
    assert all(result["shared"] == {"name": "all"} for result in others)


def test_smallest_priority_first():
    order = []
    tasks = [Task((k % 3, -k), str(k), k) for k in range(6)]
    InProcess().run(squares, {}, tasks, lambda task, result: order.append(task.name) or [])
    assert order[::2] == ["3", "0", "4", "1", "5", "2"]


def test_nothing_to_do(executor):
    assert run(executor, []) == ({}, [])


def test_error_of_a_task_is_raised(executor):
    with pytest.raises(ValueError, match="a wrong argument"):
        run(executor, [1, "wrong", 2])
    assert run(executor, [3])[0] == {"0": 9}


def test_error_where_results_are_kept_is_raised(executor):
    def full(task):
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        run(executor, range(4), full)


def test_task_that_killed_its_worker_runs_again(workers, tmp_path):
    found, _ = run(workers, [1, (2, str(tmp_path / "once")), 3, 4])
    assert found == {"0": 1, "1": 4, "2": 9, "3": 16}
    assert (tmp_path / "once").exists()


def test_task_that_always_kills_its_worker_is_given_up(workers):
    words = (
        r"(process died 3 times|all workers that it was given to died).*Finished results are kept"
    )
    with pytest.raises(RuntimeError, match=words):
        run(workers, [1, "deadly"])
    if isinstance(workers, Dask):
        wait_for_workers(workers.scheduler, 2)
    assert run(workers, [3])[0] == {"0": 9}


@pytest.mark.parametrize("n_workers", [1, 2])
def test_processes_share_the_cores(n_workers):
    for given in (None, 3):
        _, others = run(Processes(n_workers), [1, 2, 3], n_threads=given)
        expected = given or max(1, allowed_cores() // n_workers)
        assert {result["n_threads"] for result in others} == {expected}
        # A BLAS may be built for fewer.
        assert all(result["blas"] <= expected for result in others)
        assert os.getpid() not in {result["pid"] for result in others}


def test_dask_workers_use_the_threads_that_they_have(dask):
    for given in (None, 2):
        _, others = run(Dask(dask), range(N_TASKS), n_threads=given)
        assert {result["n_threads"] for result in others} == {given or 1}
        assert all(result["blas"] <= (given or 1) for result in others)


def test_worker_with_two_threads_does_one_task_at_a_time(tmp_path):
    with cluster(tmp_path, n_workers=1, n_threads=2) as address:
        found, others = run(Dask(address), range(N_TASKS))
    assert len(found) == N_TASKS
    assert {result["n_threads"] for result in others} == {2}


def test_workers_may_come_later(tmp_path):
    processes = []
    try:
        address = begin(processes, tmp_path, n_workers=0)
        late = threading.Timer(0.5, begin, (processes, tmp_path, 1))
        late.start()
        with pytest.warns(RuntimeWarning, match="has no workers yet: waiting for them"):
            assert run(Dask(address), [3])[0] == {"0": 9}
        late.join()
    finally:
        end(processes)


def test_scheduler_that_dies(tmp_path):
    processes = []
    try:
        address = begin(processes, tmp_path, n_workers=1)

        def finished(task):
            os.killpg(processes[0].pid, signal.SIGKILL)
            return []

        with pytest.raises(ConnectionError, match=r"scheduler is gone.*Finished results are kept"):
            run(Dask(address), range(50), finished)
    finally:
        end(processes)


def test_client_stays_open(dask):
    import distributed

    with distributed.Client(dask, set_as_default=False) as client:
        assert run(as_executor(client), [3])[0] == {"0": 9}
        assert client.status == "running"


def test_worker_with_other_versions(dask, monkeypatch):
    monkeypatch.setattr(dask_executor, "_versions", lambda: "0.0 (values 0)")
    words = r"runs with molkern 0.0 \(values 0\), a worker has .*: they must agree"
    with pytest.raises(RuntimeError, match=words):
        run(Dask(dask), [1])


def test_no_scheduler(monkeypatch):
    monkeypatch.setattr(dask_executor, "CONNECT_SECONDS", 1)
    for address in ("tcp://127.0.0.1:9", "no address at all"):
        with pytest.raises(ConnectionError, match=f"no Dask scheduler answers at '{address}'"):
            run(Dask(address), [1])


def test_without_dask(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match=r'pip install "molkern\[dask\]"'):
        as_executor("tcp://127.0.0.1:8786")


def test_wrong_executors():
    for wrong in (0, -1, 5000):
        with pytest.raises(ValueError, match=f"n_workers: expected None or an integer.*{wrong}"):
            as_executor(wrong)
    for wrong in (True, 1.5, ["tcp://a"]):
        with pytest.raises(TypeError, match=f"executor: expected None.*{type(wrong).__name__}"):
            as_executor(wrong)
    with pytest.raises(TypeError, match=r"scheduler: expected an address .*found int"):
        Dask(3)
    assert Processes().n_workers == allowed_cores()


# Studies


def molecules(n=60):
    rng = np.random.default_rng(0)
    pairs = [(rng.choice([1, 6, 8], 5), rng.uniform(-3, 3, (5, 3))) for _ in range(n)]
    structures = mk.Structures.from_arrays(pairs)
    energy = [np.exp(-np.linalg.norm(p[:, None] - p, axis=-1)).sum() for _, p in pairs]
    return Dataset("random", structures, {"energy": np.array(energy)}, {"energy": "eV"}, "energy")


OPTIONS = {"sizes": [10, 20, 40], "n_tune": 20, "seeds": [0, 1], "n_threads": 1}
MODELS = [
    "bag_of_bonds",
    {"name": "coulomb_matrix_random", "n_copies": 2},
    {"name": "SOAP", "r_cut": 3.0, "n_max": 2, "l_max": 1, "dtype": "float32"},
]


def values(result):
    """Everything but the times and what computed a row."""
    frame = result.frame
    return frame.drop(columns=[name for name in frame if name.startswith("seconds")] + ORIGIN)


def stored(folder):
    return {path.name for path in folder.glob("*.json")}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A study in this process, and its store."""
    folder = tmp_path_factory.mktemp("undisturbed")
    return compare(molecules(), MODELS, store=folder, **OPTIONS), folder


def test_same_results_wherever_they_are_computed(workers, undisturbed, tmp_path):
    result = compare(molecules(), MODELS, store=tmp_path, executor=workers, **OPTIONS)
    assert values(result).equals(values(undisturbed[0]))
    assert result.notes == undisturbed[0].notes
    assert result.metadata == undisturbed[0].metadata
    assert stored(tmp_path) == stored(undisturbed[1])
    assert set(result.frame["n_threads"]) == {1}
    # And nothing is left to do, for whom ever.
    again = compare(molecules(), MODELS, store=tmp_path, **OPTIONS)
    assert again.frame.equals(result.frame)


def test_study_files_and_single_models_take_an_executor(tmp_path):
    options = {"n_threads": 1, "executor": 2}
    data = "mini-ethanol"
    (tmp_path / "study.toml").write_text(
        f'data = "{data}"\nrepresentations = ["bag_of_bonds"]\nkernels = ["laplacian"]\n'
        "sizes = [20]\nseeds = [0, 1]\n"
    )
    found = run_study(tmp_path / "study.toml", **options)
    single = accuracy(data, "bag_of_bonds", sizes=[20], seeds=[0, 1], **options)
    expected = accuracy(data, "bag_of_bonds", sizes=[20], seeds=[0, 1], n_threads=1)
    assert values(found).equals(values(expected))
    assert values(single).equals(values(expected))


def test_study_survives_killed_workers(workers, tmp_path):
    """Two workers are killed while they compute features; the study does not notice."""
    options = {"sizes": [10, 20], "n_tune": 20, "seeds": [0, 1, 2], "n_threads": 1}
    models = [SlowBags(folder=str(tmp_path))]
    expected = compare(molecules(), models, **options)
    (tmp_path / f"{os.getpid()}.pid").unlink()
    killed, seen = set(), []

    def kill(step):
        seen.append((step.stage, step.completed, step.total))
        at_work = {int(path.stem) for path in tmp_path.glob("*.pid")} - killed
        if len(killed) < 2 and at_work:
            pid = at_work.pop()
            killed.add(pid)
            os.kill(pid, signal.SIGKILL)

    store = tmp_path / "store"
    result = compare(molecules(), models, store=store, executor=workers, progress=kill, **options)
    assert len(killed) == 2
    assert values(result).equals(values(expected))
    assert len(stored(store)) == 2 * len(result.frame)
    assert {step for step in seen if step[1] == step[2]} == {("tune", 6, 6), ("fit", 6, 6)}
    for path in store.glob("*.json"):
        assert Store(store).get(json.loads(path.read_text())["specification"]) is not None


STUDY = """
import sys
from molkern.study import compare
from test_executor import MODELS, OPTIONS, molecules

if __name__ == "__main__":
    executor = sys.argv[2] if "tcp" in sys.argv[2] else int(sys.argv[2])
    print("ready", flush=True)
    compare(molecules(), MODELS, store=sys.argv[1], executor=executor, **OPTIONS)
"""


@pytest.mark.parametrize("where", ["processes", "dask"])
def test_killed_study_continues_elsewhere(where, undisturbed, tmp_path, request):
    """The coordinating process is killed; its workers end or are free for others."""
    script, store = tmp_path / "study.py", tmp_path / "store"
    script.write_text(STUDY)
    place = "2" if where == "processes" else request.getfixturevalue("dask")
    tests = os.path.dirname(__file__)
    process = subprocess.Popen(
        [sys.executable, str(script), str(store), place],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": tests},
    )
    with process:
        assert process.stdout.readline() == b"ready\n"
        while process.poll() is None and len(stored(store)) < 5:
            time.sleep(0.002)
        children = _children(process.pid)
        process.kill()
        assert process.wait() == -signal.SIGKILL
    done = len(stored(store))
    assert 5 <= done < len(stored(undisturbed[1]))
    result = compare(molecules(), MODELS, store=store, executor=2, **OPTIONS)
    assert values(result).equals(values(undisturbed[0]))
    assert stored(store) == stored(undisturbed[1])
    assert where == "dask" or children
    assert not [pid for pid in children if _is_running(pid)]


def _children(pid):
    found = Path(f"/proc/{pid}/task/{pid}/children")
    return found.read_text().split() if found.exists() else []


def _is_running(pid):
    try:
        words = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    return "State:\tZ" not in words
