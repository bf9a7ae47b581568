"""Mutated files, read until the time is over: no crash, no hang, no traceback, the file named.

    python tests/fuzz_files.py --minutes 30 --seed 0 --processes 2

Every format of `written_files` is written in a random dialect and damaged in a random way: bits and
bytes changed, parts removed, doubled, moved or replaced by huge numbers, the end cut off, members
of archives damaged inside. Each file is read by `molkern.datasets.load` and, now and then, by the
command ``molkern data show``, in processes with limited memory. A file that breaks a promise is
kept in the folder of --keep with what happened; the same seed makes the same files again, but for
the times that databases and archives hold.

Prints one JSON line: files read, refused, and broken promises by kind. Exit code 1 if there is one.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import multiprocessing
import os
import re
import resource
import shutil
import sys
import tempfile
import time
import warnings
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

from written_files import (
    CELL_KEYS,
    ENERGY_KEYS,
    FORCES_KEYS,
    FORMATS,
    NUMBERS_KEYS,
    POSITIONS_KEYS,
    Dialect,
    as_json,
    example,
    write,
)

PATIENCE = 60.0  # seconds for one file
MEMORY = 3 * 2**30  # bytes of address space
NUMBERS = (b"0", b"-1", b"1e308", b"nan", b"99999999999999999999", b"-", b"1e", b"3.5", b"\0", b"")
ALLOWED = (ValueError, MemoryError)


def dialect_of(rng: np.random.Generator) -> Dialect:
    """A random dialect."""
    extra = {str(k): 0.5 for k in rng.choice(["gap", "mu", "step"], rng.integers(0, 3), False)}
    return Dialect(
        format=str(rng.choice(FORMATS)),
        energy=str(rng.choice(ENERGY_KEYS[:6])),
        forces=str(rng.choice(FORCES_KEYS)),
        numbers=str(rng.choice(NUMBERS_KEYS)),
        positions=str(rng.choice(POSITIONS_KEYS)),
        cell=str(rng.choice(CELL_KEYS)),
        symbols=bool(rng.integers(2)),
        compressed=str(rng.choice(["", "", "gz", "bz2"])),
        extra=extra,
    )


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """The content with some damage."""
    data = bytearray(content)
    for _ in range(int(rng.choice([1, 1, 1, 2, 5]))):
        n = len(data)
        if n < 2:
            return bytes(data)
        a, b = sorted(rng.integers(0, n, 2).tolist())
        way = int(rng.integers(10))
        if way == 0:
            data[a] ^= 1 << int(rng.integers(8))
        elif way == 1:
            data[a] = int(rng.choice([0, 1, 10, 32, 34, 61, 127, 128, 255]))
        elif way == 2:
            del data[a : min(b, a + 200)]
        elif way == 3:
            data[a:a] = data[a : min(b, a + 500)]
        elif way == 4:
            del data[a:]
        elif way == 5:
            data[a : min(b, a + 8)] = rng.bytes(8)
        elif way == 6:  # a number
            found = list(re.finditer(rb"-?\d+\.?\d*", bytes(data[:100_000])))
            if found:
                match = found[int(rng.integers(len(found)))]
                data[match.start() : match.end()] = NUMBERS[int(rng.integers(len(NUMBERS)))]
        elif way == 7:  # lines change places
            lines = bytes(data).split(b"\n")
            i, j = rng.integers(0, len(lines), 2)
            lines[i], lines[j] = lines[j], lines[i]
            data = bytearray(b"\n".join(lines))
        elif way == 8:  # a size of four or eight bytes
            width = int(rng.choice([4, 8]))
            data[a : a + width] = int(rng.choice([0, 1, 2**31 - 1, 2**32 - 1])).to_bytes(
                width, "little"
            )
        else:
            data += data[a:b][:5000]
    return bytes(data)


def _damage_member(path: Path, rng: np.random.Generator) -> None:
    """A zip archive that is whole, with a damaged member."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = str(rng.choice(list(members)))
    members[name] = damaged(members[name], rng)
    with zipfile.ZipFile(path, "w") as archive:
        for key, value in members.items():
            archive.writestr(key, value)


def mutated(folder: Path, seed: int, number: int) -> tuple[Path, Dialect]:
    """File ``number``: a path, and how it was written before it was damaged."""
    rng = np.random.default_rng([seed, number])
    dialect = dialect_of(rng)
    equal = dialect.format == "npz-trajectory"
    content = example(int(rng.integers(1000)), equal=equal, cell=bool(rng.integers(2)))
    path = write(folder, content, dialect)
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        target = files[int(rng.integers(len(files)))]
        target.write_bytes(damaged(target.read_bytes(), rng))
    elif zipfile.is_zipfile(path) and rng.integers(2):
        _damage_member(path, rng)
    else:
        path.write_bytes(damaged(path.read_bytes(), rng))
    return path, dialect


def tried(path: Path, command: bool) -> str:
    """How reading went: ``"read"``, ``"refused"``, or which promise was broken."""
    from molkern import cli
    from molkern.datasets import load

    error_text = io.StringIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if command:
                with (
                    contextlib.redirect_stderr(error_text),
                    contextlib.redirect_stdout(io.StringIO()),
                ):
                    code = cli.main(["data", "show", str(path)])
                words = error_text.getvalue()
                if "Traceback" in words or code not in (0, 2):
                    return f"command: exit code {code}: {words[-200:]}"
                if code == 2 and (len(words.splitlines()) != 1 or path.name not in words):
                    return f"command: message without the file: {words[-200:]}"
                return "read" if code == 0 else "refused"
            dataset = load(path, property=None, skip_missing=True)
        except ALLOWED as error:
            asked = type(error).__name__ == "AskedFor"
            return "refused" if asked or path.name in str(error) else f"unnamed: {error!r}"
        except Exception as error:
            return f"wrong kind: {error!r}"
    finite = np.isfinite(dataset.structures.positions).all()
    return "read" if finite else "read positions that are not finite"


def _worker(seed: int, first: int, step: int, end: float, connection) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    import scipy.io  # noqa: F401

    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    folder = Path(tempfile.mkdtemp())
    number = first
    while time.monotonic() < end:
        shutil.rmtree(folder)
        folder.mkdir()
        path, dialect = mutated(folder, seed, number)
        connection.send(("begin", number, str(path), as_json(dialect)))
        outcome = tried(path, command=number % 5 == 0)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base) // 1024
        connection.send(("end", number, outcome, grown))
        number += step
    shutil.rmtree(folder)
    connection.send(("done", number, "", 0))


class Run:
    """The processes and what they found."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.counts: Counter[str] = Counter()
        self.broken: Counter[str] = Counter()
        self.grown = 0
        self.end = time.monotonic() + 60 * arguments.minutes

    def follow(self) -> None:
        """Until all processes are done; one that ends or hangs is replaced."""
        context = multiprocessing.get_context("spawn")
        step = self.arguments.processes

        def start(first: int):
            receive, send = context.Pipe(duplex=False)
            process = context.Process(
                target=_worker, args=(self.arguments.seed, first, step, self.end, send)
            )
            process.start()
            send.close()
            return process, receive

        running = [start(k) for k in range(step)]
        while running:
            for place in range(len(running) - 1, -1, -1):
                process, connection = running[place]
                last = self._turn(process, connection)
                if last is None:
                    del running[place]
                elif last >= 0:
                    running[place] = start(last + step)

    def _turn(self, process, connection) -> int | None:
        """One file of a process: -1 to go on, None at its end, its number where it was lost."""
        try:
            kind, number, text, extra = connection.recv()
            if kind == "done":
                process.join()
                return None
            if not connection.poll(PATIENCE):
                process.kill()
                self._note(f"hangs for {PATIENCE:g} s", number, text, extra)
                return number
            _, _, outcome, grown = connection.recv()
        except EOFError:
            process.join()
            self._note(f"process ended with {process.exitcode}", number, text, extra)
            return number
        self.grown = max(self.grown, grown)
        if outcome in ("read", "refused"):
            self.counts[outcome] += 1
        else:
            self._note(outcome, number, text, extra)
        return -1

    def _note(self, what: str, number: int, path: str, dialect: str) -> None:
        kind = re.sub(r"\d+|'[^']*'", "_", what)[:160]
        self.broken[kind] += 1
        print(json.dumps({"file": number, "broken": what[:600], "dialect": dialect}), flush=True)
        if self.arguments.keep is not None and self.broken[kind] <= 3:
            target = self.arguments.keep / str(number)
            target.mkdir(parents=True, exist_ok=True)
            mutated(target, self.arguments.seed, number)


def main() -> int:
    """Read damaged files until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--keep", type=Path, help="Folder for files that break a promise.")
    run = Run(parser.parse_args())
    with tempfile.TemporaryDirectory() as cache:
        os.environ["MOLKERN_CACHE"] = cache
        run.follow()
    found = dict(run.counts) | {"broken": dict(run.broken), "grown_MB": run.grown}
    print(json.dumps(found))
    return 1 if run.broken else 0


if __name__ == "__main__":
    sys.exit(main())
