"""The results store: complete files or none, and the same result after SIGKILL."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import molkern as mk
from molkern.datasets import Dataset
from molkern.study import Result, Store, accuracy
from molkern.study import store as store_module
from molkern.study.result import ORIGIN
from molkern.study.store import canonical, data_hash

TASK = {"task": "fit", "n_train": 100, "sigma": 0.1}

STUDY = """
import sys
import numpy as np
import molkern as mk
from molkern.datasets import Dataset
from molkern.study import compare

rng = np.random.default_rng(0)
pairs = [(rng.choice([1, 6, 8], 6), rng.uniform(-3, 3, (6, 3))) for _ in range(300)]
structures = mk.Structures.from_arrays(pairs)
energy = np.array([np.exp(-np.linalg.norm(p[:, None] - p, axis=-1)).sum() for _, p in pairs])
data = Dataset("random", structures, {"energy": energy}, {"energy": "eV"}, "energy")
print("ready", flush=True)
result = compare(
    data,
    ["bag_of_bonds", {"name": "coulomb_matrix_random", "n_copies": 2}],
    sizes=[60, 120, 240],
    n_tune=120,
    seeds=[0, 1],
    store=sys.argv[1],
    n_threads=1,
)
result.save(sys.argv[2])
"""
N_TASKS = 2 * 2 * 2 * (2 + 3)  # representations, kernels, seeds; choices and fits


def springs(n=30):
    lengths = np.random.default_rng(0).uniform(0.7, 1.5, n)
    pairs = [([1, 9], [[0.0, 0.0, 0.0], [0.0, 0.0, length]]) for length in lengths]
    targets, units = {"energy": (lengths - 1) ** 2}, {"energy": "eV"}
    return Dataset("springs", mk.Structures.from_arrays(pairs), targets, units, "energy")


def values(frame):
    """Everything but the times and what computed a row."""
    return frame.drop(columns=[name for name in frame if name.startswith("seconds")] + ORIGIN)


def start(folder, name):
    """Start the study in a process of its own and wait until it begins to compute."""
    script = folder / "script.py"
    script.write_text(STUDY)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    arguments = [sys.executable, str(script), str(folder / name), str(folder / f"{name}.json")]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, env=environment)
    assert process.stdout.readline() == b"ready\n"
    return process


def test_killed_study_gives_the_same_result(tmp_path):
    with start(tmp_path, "undisturbed") as process:
        assert process.wait() == 0
    expected = Result.load(tmp_path / "undisturbed.json")
    assert len(list((tmp_path / "undisturbed").glob("*.json"))) == N_TASKS

    rng = np.random.default_rng(0)
    found, kills = [], 0
    while kills < 4:
        with start(tmp_path, "killed") as process:
            # Kill at a random moment after 1 to 9 further tasks are there.
            goal = (found[-1] if found else 0) + int(rng.integers(1, 10))
            store = tmp_path / "killed"
            while process.poll() is None and len(list(store.glob("*.json"))) < goal:
                time.sleep(0.001)
            time.sleep(rng.uniform(0, 0.03))
            process.send_signal(signal.SIGKILL)
            assert process.wait() in (-signal.SIGKILL, 0)
        kills += 1
        found.append(len(list(store.glob("*.json"))))
    assert 0 < found[0] < N_TASKS, "the first kill came too early or too late"

    with start(tmp_path, "killed") as process:
        assert process.wait() == 0
    result = Result.load(tmp_path / "killed.json")
    assert values(result.frame).equals(values(expected.frame))
    assert result.notes == expected.notes
    assert result.metadata == expected.metadata
    names = [
        {path.name for path in (tmp_path / n).glob("*.json")} for n in ("killed", "undisturbed")
    ]
    assert names[0] == names[1]


def test_finished_tasks_are_not_computed_again(tmp_path, monkeypatch):
    first = accuracy(springs(), "bag_of_bonds", sizes=[10, 20], store=tmp_path)

    def never(*args, **kwargs):
        raise AssertionError("computed again")

    monkeypatch.setattr(mk.BagOfBonds, "transform", never)
    again = accuracy(springs(), "bag_of_bonds", sizes=[10, 20], store=tmp_path)
    assert again.frame.equals(first.frame)
    part = accuracy(springs(), "bag_of_bonds", sizes=[10], store=tmp_path)
    assert len(part.frame) == 3
    with pytest.raises(AssertionError, match="computed again"):
        accuracy(springs(), "bag_of_bonds", sizes=[12], store=tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"kernel": "gaussian"},
        {"baseline": "none"},
        {"seeds": [4]},
        {"n_tune": 15},
        {"cv": 4},
        {"representation": mk.BagOfBonds(length_unit="angstrom")},
    ],
)
def test_another_specification_is_another_task(tmp_path, change):
    options = {"representation": "bag_of_bonds", "sizes": [20], "seeds": [0], "store": tmp_path}
    accuracy(springs(), **options)
    before = set(tmp_path.glob("*.json"))
    accuracy(springs(), **{**options, **change})
    assert len(set(tmp_path.glob("*.json")) - before) == 2


def test_other_data_or_another_values_version_are_other_tasks(tmp_path, monkeypatch):
    options = {"sizes": [20], "seeds": [0], "store": tmp_path}
    accuracy(springs(), "bag_of_bonds", **options)
    data = springs()
    moved = data.targets["energy"].copy()
    moved[0] += 1e-12
    accuracy(data.replace(targets={"energy": moved}), "bag_of_bonds", **options)
    assert len(list(tmp_path.glob("*.json"))) == 4
    monkeypatch.setattr(store_module, "VALUES_VERSION", store_module.VALUES_VERSION + 1)
    accuracy(data, "bag_of_bonds", **options)
    assert len(list(tmp_path.glob("*.json"))) == 6


def test_threads_and_names_are_no_other_task(tmp_path):
    accuracy(springs(), mk.BagOfBonds(n_threads=1), sizes=[20], seeds=[0], store=tmp_path)
    renamed = springs().replace(name="other", citation="somebody")
    options = {"sizes": [20], "seeds": [0], "store": tmp_path, "n_threads": 2}
    result = accuracy(renamed, mk.BagOfBonds(n_threads=2), **options)
    assert len(list(tmp_path.glob("*.json"))) == 2
    assert set(result.frame["dataset"]) == {"other"}


def test_rows_say_what_computed_them(tmp_path):
    """A stored row keeps the number of threads that it was computed with."""
    options = {"seeds": [0], "store": tmp_path}
    first = accuracy(springs(), "bag_of_bonds", sizes=[10], n_threads=1, **options)
    both = accuracy(springs(), "bag_of_bonds", sizes=[10, 20], n_threads=2, **options)
    build = mk.build_info()
    for result, threads in ((first, [1]), (both, [1, 2])):
        assert result.frame["n_threads"].tolist() == threads
        assert set(result.frame["isa"]) == {build["isa"]}
        assert set(result.frame["compiler"]) == {build["compiler"]}
    both.save(tmp_path / "rows.csv")
    assert Result.load(tmp_path / "rows.csv").frame[ORIGIN].equals(both.frame[ORIGIN])


def test_store_that_did_not_record_what_computed_it(tmp_path):
    options = {"sizes": [20], "seeds": [0], "store": tmp_path}
    accuracy(springs(), "bag_of_bonds", **options)
    for path in tmp_path.glob("*.json"):
        content = json.loads(path.read_text())
        old = {name: value for name, value in content["result"].items() if name not in ORIGIN}
        Store(tmp_path).put(content["specification"], old)
    row = accuracy(springs(), "bag_of_bonds", **options).rows[0]
    assert [row[name] for name in ORIGIN] == [0, "unknown", "unknown"]


def test_data_hash_covers_what_matters():
    data = springs()
    reference = data_hash(data, "energy")
    assert len(reference) == 64
    assert data_hash(springs(), "energy") == reference
    positions = data.structures.positions.copy()
    positions[3, 2] = np.nextafter(positions[3, 2], 2.0)
    moved = mk.Structures(data.structures.numbers, positions, data.structures.offsets)
    assert data_hash(data.replace(structures=moved), "energy") != reference
    assert data_hash(data.replace(folds=(np.arange(3),)), "energy") != reference
    splits = ((np.arange(3), np.arange(3, 6)),)
    assert data_hash(data.replace(splits=splits), "energy") != reference


def test_task_survives_a_round_trip(tmp_path):
    store = Store(tmp_path / "a" / "b")
    assert store.get(TASK) is None
    store.put(TASK, {"mae": 0.1 + 0.2, "n_test": 3})
    assert store.get(TASK) == {"mae": 0.1 + 0.2, "n_test": 3}
    assert store.get({**TASK, "n_train": 101}) is None
    content = json.loads(store.path(TASK).read_text())
    assert content["molkern"] == mk.__version__
    assert content["specification"] == TASK
    assert canonical({"b": (1, 2), "a": 1}) == '{"a":1,"b":[1,2]}'


@pytest.mark.parametrize(
    "damage", ["empty", "half", "binary", "list", "other", "result", "tampered"]
)
def test_damaged_file_is_ignored_with_a_warning(tmp_path, damage):
    store = Store(tmp_path)
    store.put(TASK, {"mae": 1.0})
    path = store.path(TASK)
    text = path.read_text()
    content = json.loads(text)
    path.write_bytes(
        {
            "empty": b"",
            "half": text[: len(text) // 2].encode(),
            "binary": b"\xff\x00\xfe",
            "list": b"[]",
            "other": json.dumps({**content, "specification": {"task": "tune"}}).encode(),
            "result": json.dumps({**content, "result": 3}).encode(),
            "tampered": json.dumps({**content, "result": {"mae": 0.5}}).encode(),
        }[damage]
    )
    with pytest.warns(
        RuntimeWarning, match=f"{path.name} is not usable and will be computed again"
    ):
        assert store.get(TASK) is None
    store.put(TASK, {"mae": 1.0})
    assert store.get(TASK) == {"mae": 1.0}


def test_study_repairs_a_damaged_store(tmp_path):
    options = {"sizes": [10, 20], "seeds": [0], "store": tmp_path}
    first = accuracy(springs(), "bag_of_bonds", **options)
    for path in tmp_path.glob("*.json"):
        path.write_text("{")
    with pytest.warns(RuntimeWarning, match="will be computed again"):
        again = accuracy(springs(), "bag_of_bonds", **options)
    assert values(again.frame).equals(values(first.frame))


def test_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    store = Store(tmp_path)
    store.put(TASK, {"mae": 1.0})

    def fail(*args):
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space left"):
        store.put(TASK, {"mae": 2.0})
    assert store.get(TASK) == {"mae": 1.0}


def test_leftovers_are_removed_when_old(tmp_path):
    store = Store(tmp_path)
    old, new = tmp_path / ".old.1.tmp", tmp_path / ".new.2.tmp"
    for path in (old, new):
        path.write_text("{")
    os.utime(old, (0, 0))
    Store(tmp_path)
    assert not old.exists()
    assert new.exists()
    assert store.get(TASK) is None


def test_unwritable_folder_raises_before_computing(tmp_path, monkeypatch):
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    monkeypatch.setattr(mk.BagOfBonds, "fit", None)
    for folder in (in_the_way, in_the_way / "below"):
        with pytest.raises(OSError, match=r"store: cannot write to the folder .*file"):
            accuracy(springs(), "bag_of_bonds", sizes=[20], store=folder)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_folder_raises(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OSError, match="store: cannot write to the folder"):
            Store(tmp_path)
    finally:
        tmp_path.chmod(0o700)
