"""Parsed files, kept in the cache by their hash: what took seconds to read is read once."""

from __future__ import annotations

import contextlib
import hashlib
import json
import uuid
from collections.abc import Sequence
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from molkern.datasets.contents import Column, Contents, Stated
from molkern.datasets.files import ARCHIVE_ERRORS

__all__ = ["KINDS", "WORTH_SECONDS", "key", "load", "save"]

WORTH_SECONDS = 2.0
# Arrays of .npz, HDF5 and DeePMD-kit are read as fast as a copy of them would be.
KINDS = ("xyz", "sdf", "database", "folder", "hdf5", "ase")
_VERSION = 2  # of the readers: a change of what they find raises it
_MOST_BYTES = 2 * 2**30  # of all kept files; the oldest go
_UNITS = ("length", "cell_length")
_FACTS = ("sources", "fractional", "usual_length", "fixed_length", "asks_length", "words",
          "types", "may_lack", "unused", "notes", "titles")  # fmt: skip


def _folder() -> Path:
    from molkern.datasets.cache import cache_folder

    return cache_folder() / "parsed"


def key(path: Path, kind: str, sha256: str, others: Sequence[str] = ()) -> str:
    """What the contents of a file are kept under: all that they depend on.

    Parameters
    ----------
    path : Path
        Its name is told in notes, and ASE goes by it.
    kind : str
    sha256 : str
        Of everything that is read.
    others : sequence of str
        Names of other files, which notes tell.
    """
    version = ""
    if kind in ("ase", "database"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            version = metadata.version("ase")
    text = "\n".join([sha256, kind, path.name, version, str(_VERSION), *others])
    return f"{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()}-{kind}"


def _file(key: str) -> Path:
    return _folder() / f"{key}.npz"


def save(key: str, contents: Contents) -> None:
    """Keep the contents of a file; a cache that cannot be written is left alone."""
    arrays: dict[str, Any] = {
        "numbers": contents.numbers,
        "positions": contents.positions,
        "offsets": contents.offsets,
    }
    for name in ("cells", "pbc", "molecules"):
        if getattr(contents, name) is not None:
            arrays[name] = getattr(contents, name)
    if contents.kinds is not None:
        arrays["kinds"] = contents.kinds.astype(str)
    columns = []
    for k, (name, column) in enumerate(contents.columns.items()):
        arrays[f"column_{k}"] = column.read()
        stated = None if column.stated is None else [column.stated.unit, column.stated.source]
        columns.append([name, column.per_atom, stated, column.n_missing])
    facts = {name: getattr(contents, name) for name in _FACTS} | {"columns": columns}
    for name in _UNITS:
        unit = getattr(contents, name)
        facts[name] = None if unit is None else [unit.unit, unit.source]
    facts["places"] = [contents.name_of(k) for k in range(len(contents))]
    arrays["facts"] = np.array(json.dumps(facts))
    target = _file(key)
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            np.savez(file, **arrays)
        temporary.replace(target)
        _prune()
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _prune() -> None:
    """Remove the files that were used longest ago, until the rest is small enough."""
    files = sorted(_folder().glob("*.npz"), key=lambda file: file.stat().st_mtime, reverse=True)
    total = 0
    for file in files:
        total += file.stat().st_size
        if total > _MOST_BYTES:
            file.unlink(missing_ok=True)


def load(key: str) -> Contents | None:
    """The contents kept of a file, or None; a damaged copy is as none."""
    try:
        file = _file(key)
        if not file.is_file():
            return None
        # NumPy leaves a damaged file open.
        with file.open("rb") as raw, np.load(raw, allow_pickle=False) as arrays:
            contents = _contents({name: arrays[name] for name in arrays.files})
        file.touch()
    except (ImportError, KeyError, TypeError, ValueError, *ARCHIVE_ERRORS):
        return None
    return contents


def _contents(arrays: dict[str, Any]) -> Contents:
    facts = json.loads(str(arrays["facts"]))
    columns = {}
    for k, (name, per_atom, stated, n_missing) in enumerate(facts.pop("columns")):
        values = arrays[f"column_{k}"]
        columns[name] = Column(
            values.shape,
            partial(np.asarray, values),
            per_atom,
            None if stated is None else Stated(*stated),
            n_missing,
        )
    places = facts.pop("places")
    units = {name: facts.pop(name) for name in _UNITS}
    contents = Contents(
        arrays["numbers"],
        arrays["positions"],
        arrays["offsets"],
        cells=arrays.get("cells"),
        pbc=arrays.get("pbc"),
        molecules=arrays.get("molecules"),
        kinds=arrays.get("kinds"),
        columns=columns,
        **facts,
    )
    for name, unit in units.items():
        setattr(contents, name, None if unit is None else Stated(*unit))
    contents.name_of = lambda k: str(places[k])
    return contents
