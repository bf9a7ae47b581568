"""Journal and processes of the builder: nothing finished is lost, nothing half-written stays."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from molkern.datasets.build import pool
from molkern.datasets.build.journal import Journal
from pool_tasks import follow, square

SPECIFICATION = {"build": "test", "seed": 3, "list": [1, 2]}


def test_finished_tasks_are_read_again(tmp_path):
    path = tmp_path / "a.journal"
    with Journal(path, SPECIFICATION) as journal:
        journal.add("x", {"value": 0.1})
        journal.add("y", {"failed": "why"})
    with Journal(path, SPECIFICATION) as journal:
        assert journal.records == {"x": {"value": 0.1}, "y": {"failed": "why"}}


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_line_that_was_cut_off_is_removed(tmp_path, cut):
    path = tmp_path / "a.journal"
    with Journal(path, SPECIFICATION) as journal:
        journal.add("x", {"value": 1})
        journal.add("y", {"value": 2})
    path.write_bytes(path.read_bytes()[:-cut])
    with Journal(path, SPECIFICATION) as journal:
        assert list(journal.records) == ["x"]
        journal.add("y", {"value": 3})
    with Journal(path, SPECIFICATION) as journal:
        assert journal.records == {"x": {"value": 1}, "y": {"value": 3}}


def test_header_that_was_cut_off_begins_again(tmp_path):
    path = tmp_path / "a.journal"
    path.write_bytes(b'{"build":"te')
    with Journal(path, SPECIFICATION) as journal:
        assert journal.records == {}
    assert json.loads(path.read_text()) == SPECIFICATION


def test_another_build_raises(tmp_path):
    path = tmp_path / "a.journal"
    Journal(path, SPECIFICATION).close()
    expected = re.escape("seed is 3 there, 4 here")
    with pytest.raises(ValueError, match=expected):
        Journal(path, {**SPECIFICATION, "seed": 4})


def test_another_file_raises(tmp_path):
    path = tmp_path / "a.journal"
    path.write_text("energy 1.0\n")
    with pytest.raises(ValueError, match="line 1 is no line of a journal"):
        Journal(path, SPECIFICATION)
    assert path.read_text() == "energy 1.0\n"


def test_full_disk_says_so(tmp_path, monkeypatch):
    path = tmp_path / "a.journal"
    with Journal(path, SPECIFICATION) as journal:
        journal.add("x", {"value": 1})

        def full(_):
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(OSError, match="can not write: No space left on device") as caught:
                journal.add("y", {"value": 2})
        assert caught.value.errno == errno.ENOSPC
        assert "y" not in journal.records


def test_journal_in_use_raises(tmp_path):
    path = tmp_path / "a.journal"
    with Journal(path, SPECIFICATION) as journal:
        journal.add("x", {"value": 1})
        with pytest.raises(BlockingIOError, match="another build is writing it"):
            Journal(path, SPECIFICATION)
    with Journal(path, SPECIFICATION) as journal:
        assert list(journal.records) == ["x"]


def test_program_without_guard_says_so(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "from pathlib import Path\n"
        "from molkern.datasets.build import pool\n"
        "from molkern.datasets.build.journal import Journal\n"
        f"with Journal(Path({str(tmp_path / 'a.journal')!r}), {{}}) as journal:\n"
        "    pool.run(abs, [('a', -1)], journal, 1, lambda: None)\n"
    )
    done = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "RuntimeError: no process could be started; a program that starts" in done.stderr
    assert (tmp_path / "a.journal").read_text() == "{}\n"


def test_what_died_gets_another_chance(tmp_path):
    with Journal(tmp_path / "a.journal", SPECIFICATION) as journal:
        journal.add("2", {pool.FAILED: pool.DIED})
        journal.add("3", {pool.FAILED: "three is not squared"})
        pool.run(square, [("2", 2), ("3", 0)], journal, 1, lambda: None)
        assert journal.records["2"] == {"square": 4}
        assert pool.FAILED in journal.records["3"]


@pytest.mark.parametrize("n_processes", [1, 2])
def test_failures_and_dead_processes_are_recorded(tmp_path, n_processes):
    shown = []
    with Journal(tmp_path / "a.journal", SPECIFICATION) as journal:
        tasks = [(str(k), k) for k in range(8)]
        pool.run(square, tasks, journal, n_processes, lambda: shown.append(len(journal.records)))
        records = journal.records
    assert [records[str(k)] for k in (0, 1, 2, 6, 7)] == [
        {"square": k * k} for k in (0, 1, 2, 6, 7)
    ]
    assert records["3"] == {"failed": "three is not squared"}
    assert records["4"] == {"failed": "KeyError: 'four'"}
    assert records["5"]["failed"].startswith("the process died")
    assert shown[0] == 0
    assert shown[-1] == 8


def test_following_tasks_run_and_are_found_again(tmp_path):
    path = tmp_path / "a.journal"
    tasks = [("1", 1), ("2", 2), ("3", 3)]
    expected = ["1", "11", "12", "2", "21", "22", "3"]
    with Journal(path, SPECIFICATION) as journal:
        pool.run(square, tasks, journal, 2, lambda: None, follow)
        assert sorted(journal.records) == expected
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:4]))
    with Journal(path, SPECIFICATION) as journal:
        pool.run(square, tasks, journal, 2, lambda: None, follow)
        assert sorted(journal.records) == expected


PROGRAM = """
    import os, sys, time
    from pathlib import Path
    from molkern.datasets.build import pool
    from molkern.datasets.build.journal import Journal

    def work(value):
        time.sleep(0.2)
        with open({log!r}, "a") as file:
            file.write(f"{{os.getpid()}} {{value}}\\n")
        return {{"value": value}}

    if __name__ == "__main__":
        with Journal(Path({path!r}), {{"build": "kill"}}) as journal:
            pool.run(work, [(str(k), k) for k in range(20)], journal, 2, lambda: None)
"""


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGINT])
def test_killed_run_continues_and_leaves_no_process(tmp_path, kind):
    path, log = tmp_path / "a.journal", tmp_path / "log"
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(PROGRAM.format(path=str(path), log=str(log))))

    def start():
        # A shell's background job ignores Ctrl-C; a user's program does not.
        return subprocess.Popen(
            [sys.executable, str(program)],
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    def finished():
        return path.read_bytes().count(b"\n") - 1 if path.exists() else 0

    process = start()
    limit = time.monotonic() + 60
    while finished() < 4 and time.monotonic() < limit:
        time.sleep(0.05)
    process.send_signal(kind)
    process.wait(timeout=60)
    kept = finished()
    assert 4 <= kept < 20
    workers = {int(line.split()[0]) for line in log.read_text().splitlines()}
    while any(_alive(pid) for pid in workers) and time.monotonic() < limit:
        time.sleep(0.05)
    assert not any(_alive(pid) for pid in workers)
    assert start().wait(timeout=60) == 0
    with Journal(path, {"build": "kill"}) as journal:
        assert sorted(journal.records) == sorted(map(str, range(20)))
    # Only what was running, at most two for each process, was computed again.
    assert len(log.read_text().splitlines()) <= 20 + 4


def _alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
