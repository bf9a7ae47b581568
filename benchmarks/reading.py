"""Readers of extended XYZ: how fast they are, and what they make of damaged files.

    python benchmarks/reading.py --frames 100000 --atoms 20
    python benchmarks/reading.py --hostile

Frames of ``--atoms`` atoms with forces, energy and a word in the comment are read by molkern (the
whole of `datasets.load`, with its decisions), by its parser alone, and by extxyz, chemfiles and ASE
where they are installed, in turns; the shortest of ``--repeats`` times counts, and ASE reads a
fiftieth of the frames. The other libraries' frames stay their own objects, whose numbers are
asked for: energy, numbers, positions and forces. --hostile gives each reader small damaged files,
each in a process of its own, and prints what came of it. Rows are written as JSON with --out.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

SHARE_OF_ASE = 50
WATER = "O 0 0 0\nH 0.96 0 0\nH -0.24 0.93 0\n"
PROPERTIES = "Properties=species:S:1:pos:R:3"
HOSTILE: dict[str, bytes] = {
    "blank line between frames": f"3\n\n{WATER}\n3\n\n{WATER}".encode(),
    "byte order mark": f"\ufeff3\n{PROPERTIES} energy=1\n{WATER}".encode(),
    "energy alone": f"3\n-76.4 converged\n{WATER}".encode(),
    "10^11 columns declared": b"1\nProperties=species:S:1:pos:R:99999999999 energy=1\nH 0 0 0\n",
    "10^14 atoms declared": b"99999999999999\nenergy=1\nH 0 0 0\n",
    "cut off": f"3\n{PROPERTIES} energy=1\n{WATER}"[:60].encode(),
    "energy= twice": f"1\n{PROPERTIES} energy=1 energy=2\nH 0 0 0\n".encode(),
    "rubbish at the end": f"3\n{PROPERTIES} energy=1\n{WATER}\0\0\0".encode(),
    "Latin-1": f"1\n{PROPERTIES} name=m\xe9thane energy=1\nH 0 0 0\n".encode("latin-1"),
    "quote that never ends": f'1\n{PROPERTIES} name="abc energy=1\nH 0 0 0\n'.encode(),
    "9 MB in the comment": f'1\n{PROPERTIES} x="{"1 2 " * 2_250_000}"\nH 0 0 0\n'.encode(),
    "deuterium": f"1\n{PROPERTIES} energy=1\nD 0 0 0\n".encode(),
}
READERS = {
    "molkern": "from molkern.datasets import load\n"
    "d = load(sys.argv[1])\nprint(len(d), d.targets.get('energy', d.targets))",
    "extxyz": "from extxyz import read_dicts\nf = read_dicts(sys.argv[1])\n"
    "f = f if isinstance(f, list) else [f]\nprint(len(f), [x.info.get('energy') for x in f])",
    "chemfiles": "from chemfiles import Trajectory\n"
    "with Trajectory(sys.argv[1], 'r', 'XYZ') as t:\n    n = t.nsteps\n"
    "    f = [t.read() for _ in range(n)]\n"
    "    print(n, [x['energy'] if 'energy' in x.list_properties() else None for x in f])",
    "ASE": "from ase.io import read\nf = read(sys.argv[1], ':')\n"
    "print(len(f), [x.info.get('energy', x.calc and x.calc.results.get('energy')) for x in f])",
}  # fmt: skip


def write(path: Path, n_frames: int, n_atoms: int) -> None:
    """Frames with eight decimals, as programs write them."""
    rng = np.random.default_rng(0)
    head = f'{PROPERTIES}:forces:R:3 config_type=md pbc="F F F"'
    symbols = np.array(["C", "H", "O", "N"])[np.arange(n_atoms) % 4]
    with path.open("w") as file:
        for _ in range(n_frames):
            file.write(f"{n_atoms}\n{head} energy={rng.normal(-1000, 30):.8f}\n")
            rows = rng.normal(size=(n_atoms, 6))
            for symbol, row in zip(symbols, rows, strict=True):
                file.write(f"{symbol} {' '.join(f'{x:.8f}' for x in row)}\n")


def by_molkern(path: Path) -> object:
    """Everything: parser, decisions, structures."""
    from molkern.datasets import load

    return load(path, unit="eV").targets["forces"]


def by_parser(path: Path) -> object:
    """The parser and its arrays alone."""
    from molkern.datasets.limits import Limit
    from molkern.datasets.readers.xyz import read_xyz

    return read_xyz(path, Limit(path.stat().st_size)).positions


def by_extxyz(path: Path) -> object:
    """Dictionaries of arrays."""
    from extxyz import iread_dicts

    return [(f.info["energy"], f.arrays["pos"], f.arrays["forces"]) for f in iread_dicts(str(path))]


def by_chemfiles(path: Path) -> object:
    """Frames; forces are properties of the atoms, and not asked for."""
    from chemfiles import Trajectory

    with Trajectory(str(path)) as file:
        found = []
        for _ in range(file.nsteps):
            frame = file.read()
            found.append((frame["energy"], frame.positions, [a.atomic_number for a in frame.atoms]))
    return found


def by_ase(path: Path) -> object:
    """Atoms with calculators."""
    from ase.io import iread

    return [(a.get_potential_energy(), a.positions, a.get_forces()) for a in iread(path, ":")]


def measured(path: Path, small: Path, repeats: int) -> dict[str, float]:
    """Shortest seconds of each reader that is installed; ASE reads the small file."""
    readers: dict[str, tuple[Callable[[Path], object], Path]] = {
        "molkern": (by_molkern, path),
        "molkern's parser": (by_parser, path),
        "extxyz": (by_extxyz, path),
        "chemfiles": (by_chemfiles, path),
        "ASE": (by_ase, small),
    }
    best: dict[str, float] = {}
    for _ in range(repeats):
        for name, (reader, file) in readers.items():
            start = time.perf_counter()
            try:
                reader(file)
            except ImportError:
                continue
            seconds = time.perf_counter() - start
            best[name] = min(seconds, best.get(name, np.inf))
    return best


def race(arguments: argparse.Namespace) -> list[dict[str, object]]:
    """A row for each reader."""
    with tempfile.TemporaryDirectory() as folder:
        path, small = Path(folder) / "a.xyz", Path(folder) / "small.xyz"
        write(path, arguments.frames, arguments.atoms)
        n_small = max(1, arguments.frames // SHARE_OF_ASE)
        write(small, n_small, arguments.atoms)
        size = path.stat().st_size
        best = measured(path, small, arguments.repeats)
    rows: list[dict[str, object]] = []
    for name, seconds in best.items():
        each = seconds / (n_small if name == "ASE" else arguments.frames)
        package = {"molkern's parser": "molkern", "ASE": "ase"}.get(name, name)
        rows.append(
            {
                "reader": name,
                "version": importlib.metadata.version(package),
                "microseconds_per_frame": 1e6 * each,
                "MB_per_s": size / arguments.frames / each / 1e6,
                "times_molkern": each * arguments.frames / best["molkern"],
            }
        )
    return rows


def outcome(reader: str, path: Path) -> str:
    """What a reader makes of a file, in a process with 4 GB and 20 s."""
    limit = "import resource, sys\nresource.setrlimit(resource.RLIMIT_AS, (4 << 30,) * 2)\n"
    try:
        run = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", limit + READERS[reader], path],
            capture_output=True,
            text=True,
            timeout=20,
        )
    except subprocess.TimeoutExpired:
        return "no end in 20 s"
    if run.returncode < 0:
        return f"process ended by signal {-run.returncode}"
    lines = run.stdout.strip().splitlines() or run.stderr.strip().splitlines() or ["nothing"]
    return ("" if run.returncode == 0 else "error: ") + lines[-1].replace(str(path), "FILE")[:90]


def hostile() -> list[dict[str, object]]:
    """A row for each damaged file."""
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.xyz"
        for name, content in HOSTILE.items():
            path.write_bytes(content)
            rows.append({"file": name} | {reader: outcome(reader, path) for reader in READERS})
    return rows


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--atoms", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--hostile", action="store_true")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rows = hostile() if arguments.hostile else race(arguments)
    for row in rows:
        if arguments.hostile:
            print(row["file"])
            for reader in READERS:
                print(f"    {reader:10} {row[reader]}")
        else:
            print(
                f"{row['reader']:18}{row['microseconds_per_frame']:10.2f} µs a frame"
                f"{row['MB_per_s']:8.1f} MB/s{row['times_molkern']:8.2f} times molkern's time"
            )
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
