"""Where data files are: the user's folder, the cache, and the download into it."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Collection
from pathlib import Path
from typing import Any

from molkern.datasets import embedded, qm9_package
from molkern.datasets.entry import Entry, File
from molkern.datasets.files import digest, needed
from molkern.datasets.formats import layout_of
from molkern.datasets.kinds import kind_of

__all__ = ["cache_folder", "data_folder", "download", "locate", "pin", "pinned"]

_PINS = "hashes.json"


def data_folder() -> Path | None:
    """The folder named by the environment variable ``MOLKERN_DATA``, or None.

    Raises
    ------
    FileNotFoundError
        If the variable names no folder.
    """
    named = os.environ.get("MOLKERN_DATA")
    if not named:
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(f"MOLKERN_DATA: no such folder: {folder}")
    return folder


def cache_folder() -> Path:
    """The folder of downloads: ``MOLKERN_CACHE``, or the platform's cache folder (by Pooch)."""
    named = os.environ.get("MOLKERN_CACHE")
    if named:
        return Path(named).expanduser()
    return Path(_pooch().os_cache("molkern"))


def _pooch() -> Any:
    return needed("pooch", "the data cache")


def locate(entry: Entry, *, but: Collection[str] = ()) -> tuple[File, Path] | None:
    """The best file of a data set: of each in the order of the entry, ``MOLKERN_DATA`` first.

    Parameters
    ----------
    entry : Entry
    but : collection of str
        Formats that do not serve.

    Raises
    ------
    ValueError
        If a file of that name is damaged.
    """
    if entry.name in embedded.NAMES:
        return entry.files[0], embedded.FOLDER / entry.files[0].path
    folders = [base for base in (data_folder(), cache_folder()) if base is not None]
    for file in entry.files:
        if file.format in but:
            continue
        if file.format == "qm9pack":
            installed = qm9_package.installed()
            if installed is not None:
                return file, installed
            continue
        for base in folders:
            for path in dict.fromkeys((base / file.path, base / Path(file.path).name)):
                if path.is_file() and _has_format(path, file.format):
                    return file, path
    return None


def _has_format(path: Path, form: str) -> bool:
    kind = kind_of(path)
    return form in (kind, layout_of(path, kind))


def download(entry: Entry) -> tuple[File, Path]:
    """Download a data set, with the files that belong to it, into the cache.

    Raises
    ------
    FileNotFoundError
        If no address is registered.
    OSError
        If the download fails.
    ValueError
        If a file has another hash than the registered one.
    """
    file = next((f for f in entry.files if f.url is not None), None)
    if file is None:
        names = " or ".join(f.path for f in entry.files)
        raise FileNotFoundError(
            f"{entry.name}: no address is registered for it. Get {names} yourself, and pass its "
            "path instead of the name or put it into the folder named by MOLKERN_DATA"
        )
    for companion in file.companions:
        _retrieve(entry, companion)
    return file, _retrieve(entry, file)


def _retrieve(entry: Entry, file: File) -> Path:
    target = cache_folder() / file.path
    known = f"sha256:{file.sha256}" if file.sha256 else f"md5:{file.md5}" if file.md5 else None
    try:
        found = _pooch().retrieve(
            file.url, known, fname=target.name, path=target.parent, progressbar=False
        )
    except ValueError as error:
        raise ValueError(f"{entry.name}: {file.url}: {error}") from error
    except Exception as error:  # requests has its own kinds of errors.
        raise OSError(
            f"{entry.name}: could not download {file.url}: {error}. Download it yourself, and pass "
            "its path instead of the name or put it into the folder named by MOLKERN_DATA"
        ) from error
    return Path(found)


def pinned(path: Path) -> str | None:
    """The SHA-256 that a file in the cache had when it was first downloaded, or None."""
    return _pins().get(_key(path))


def pin(path: Path) -> None:
    """Remember the SHA-256 of a downloaded file without a published one, and say so."""
    pins = _pins() | {_key(path): digest(path)}
    target = cache_folder() / _PINS
    temporary = target.with_name(f"{_PINS}.{os.getpid()}")
    temporary.write_text(json.dumps(pins, indent=1, sort_keys=True), encoding="utf-8")
    temporary.replace(target)
    warnings.warn(
        f"{path.name} was not verified by a hash, as none is published; its content was checked, "
        f"and its SHA-256 {pins[_key(path)]} is remembered",
        stacklevel=3,
    )


def _key(path: Path) -> str:
    folder = cache_folder()
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else ""


def _pins() -> dict[str, str]:
    file = cache_folder() / _PINS
    if not file.is_file():
        return {}
    try:
        pins = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file}: damaged: {error}; delete it to start again") from error
    return {str(key): str(value) for key, value in pins.items()}
