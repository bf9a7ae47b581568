"""The program that reads damaged files is reproducible, and sees each promise that is broken."""

import hashlib
import json
import os
from argparse import Namespace
from pathlib import Path

import pytest

import fuzz_files
from molkern import cli, datasets

WATER = "3\nenergy=1\nO 0 0 0\nH 0.96 0 0\nH -0.24 0.93 0\n"


def contents(path: Path) -> list[str]:
    files = [path] if path.is_file() else sorted(path.rglob("*"))
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file.is_file()]


def test_a_short_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["fuzz", "--minutes", "0.1", "--seed", "3", "--processes", "1"])
    monkeypatch.setenv("MOLKERN_CACHE", str(tmp_path))
    assert fuzz_files.main() == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["broken"] == {}
    assert found["read"] + found["refused"] > 0


def test_the_same_seed_makes_the_same_file(tmp_path):
    for number in range(12):
        places = [tmp_path / f"{number}-{k}" for k in range(2)]
        for place in places:
            place.mkdir()
        (path, dialect), (again, _) = (fuzz_files.mutated(place, 5, number) for place in places)
        if dialect.format not in ("database", "tar", "zip") and not dialect.compressed:
            assert contents(path) == contents(again)


@pytest.mark.parametrize("command", [False, True])
def test_what_is_read_and_what_is_refused(tmp_path, command):
    path = tmp_path / "a.xyz"
    path.write_text(WATER)
    assert fuzz_files.tried(path, command) == "read"
    path.write_text("3\nenergy=1\nO 0 0 0\n")
    assert fuzz_files.tried(path, command) == "refused"


def test_broken_promises_are_seen(tmp_path, monkeypatch):
    path = tmp_path / "a.xyz"

    def raising(error):
        def load(*_, **__):
            raise error

        monkeypatch.setattr(datasets, "load", load)
        return fuzz_files.tried(path, command=False)

    assert raising(ValueError("a.xyz: wrong")) == "refused"
    assert raising(ValueError("wrong")).startswith("unnamed: ValueError")
    assert raising(KeyError("energy")).startswith("wrong kind: KeyError")
    monkeypatch.setattr(cli, "main", lambda _: 1)
    assert fuzz_files.tried(path, command=True).startswith("command: exit code 1")
    monkeypatch.setattr(cli, "main", lambda _: 2)
    assert fuzz_files.tried(path, command=True).startswith("command: message without the file")


class Connection:
    """What a process said before it was lost."""

    def __init__(self, *messages, hangs=False):
        self.messages, self.hangs = list(messages), hangs

    def recv(self):
        if not self.messages:
            raise EOFError
        return self.messages.pop(0)

    def poll(self, _):
        return not self.hangs


class Process:
    exitcode = -11
    killed = False

    def join(self):
        pass

    def kill(self):
        self.killed = True


def test_crashes_and_hangs_are_seen(tmp_path, capsys):
    run = fuzz_files.Run(Namespace(minutes=0, seed=1, processes=1, keep=tmp_path))
    begin = ("begin", 7, "a.xyz", "{}")
    assert run._turn(Process(), Connection(begin, ("end", 7, "read", 12))) == -1
    assert run._turn(Process(), Connection(begin)) == 7
    process = Process()
    assert run._turn(process, Connection(begin, hangs=True)) == 7
    assert process.killed
    assert run._turn(Process(), Connection(("done", 8, "", 0))) is None
    assert run.counts == {"read": 1}
    assert run.grown == 12
    assert dict(run.broken) == {"process ended with -_": 1, "hangs for _ s": 1}
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert os.listdir(tmp_path / "7")
