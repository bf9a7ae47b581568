"""Whether a text file of ASE's holds one whole structure, neither less nor more."""

from __future__ import annotations

import itertools
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from molkern.datasets.readers.pieces import opened

__all__ = ["holds_several", "what_lacks"]

# Formats of one structure, of which ASE reads the first or the last, or mixes them.
_FORMATS = frozenset(
    "vasp gen gromacs gromos turbomole dmol-car struct v-sim crystal cfg jsv res castep-cell mol "
    "sdf xsf gaussian-in".split()
)
_MOST_BYTES = 4 * 2**20
_MOST_TRIED = 20


def what_lacks(path: Path, kind: str, n_atoms: int) -> str:
    """What a file declares and does not hold, for formats that ASE reads without a check.

    Parameters
    ----------
    path : Path
    kind : str
        ASE's name of the format.
    n_atoms : int
        Atoms that ASE found.
    """
    place = {"gen": 0, "gromacs": 1}.get(kind)
    if place is not None:
        with path.open("rb") as raw, opened(raw) as file:
            words = [line.split() for line in itertools.islice(file, place + 1)][-1]
        if words and words[0].isdigit() and int(words[0]) != n_atoms:
            return f"truncated: expected {int(words[0])} atoms, found {n_atoms}"
    if kind == "turbomole":
        with path.open("rb") as raw, opened(raw) as file:
            if not any(line.startswith((b"$end", b"$user-defined")) for line in file):
                return "truncated: expected $end behind the atoms"
    return ""


def holds_several(path: Path, kind: str, read: Callable[..., Any]) -> bool:
    """Whether a file can be cut into two that both hold a structure.

    Parameters
    ----------
    path : Path
    kind : str
        ASE's name of the format.
    read : callable
        ``ase.io.read``.
    """
    if kind not in _FORMATS or path.stat().st_size > _MOST_BYTES:
        return False
    with path.open("rb") as raw, opened(raw) as file:
        lines = file.read(_MOST_BYTES).splitlines(keepends=True)
    if kind == "gaussian-in":
        return any(line.strip().lower() == b"--link1--" for line in lines)
    begin = next((k for k, line in enumerate(lines) if line.strip()), 0)
    if len(lines) < begin + 4:
        return False
    shapes = [_shape(line) for line in lines]
    same = [
        (shapes[k] == shapes[begin], shapes[k + 1] == shapes[begin + 1])
        for k in range(begin + 2, len(lines) - 1)
    ]
    # Lines that begin as the file does, before those of which one line is alike: comments differ.
    alike = [k for how in ((True, True), (False, True), (True, False))
             for k, found in enumerate(same, begin + 2) if found == how]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder, "part")

        def is_one(text: list[bytes]) -> bool:
            part.write_bytes(b"".join(text))
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    return len(read(str(part), format=kind, do_not_split_by_at_sign=True)) > 0
            except Exception:  # whatever the parsing of a part runs into
                return False

        return any(is_one(lines[k:]) and is_one(lines[:k]) for k in alike[:_MOST_TRIED])


def _shape(line: bytes) -> tuple[bool, ...]:
    """Which words of a line are numbers."""
    return tuple(_is_number(word) for word in line.split())


def _is_number(word: bytes) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
