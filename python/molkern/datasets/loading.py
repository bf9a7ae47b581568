"""Loading a data set by name or path, and what surrounds it: list, fetch, verify."""

from __future__ import annotations

import dataclasses
import difflib
from pathlib import Path

from molkern.datasets import cache, embedded
from molkern.datasets.content import check_content
from molkern.datasets.dataset import Dataset
from molkern.datasets.entry import Entry, File
from molkern.datasets.files import bad_file, digest, sha256_of
from molkern.datasets.formats import files_read, is_user_format, read, sniff
from molkern.datasets.registry import ENTRIES
from molkern.datasets.selection import choose

__all__ = ["Availability", "Verification", "available", "fetch", "load", "verify"]


@dataclasses.dataclass(frozen=True)
class Availability:
    """A line of the list of data sets.

    ``place`` is ``"package"``, ``"data folder"``, ``"cache"``, ``"download"`` (an address is
    registered), ``"by hand"`` (none is), or ``"damaged: ..."``; ``check`` is ``"SHA-256"``,
    ``"MD5"`` or ``"content"``.
    """

    name: str
    title: str
    target: str
    unit: str
    place: str
    path: Path | None
    url: str | None
    check: str


@dataclasses.dataclass(frozen=True)
class Verification:
    """What :func:`verify` found: the file, its hash, and what was checked."""

    name: str
    path: Path
    sha256: str
    verified: str
    checks: tuple[str, ...]


def load(
    name_or_path: str | Path,
    *,
    property: str | None = None,
    unit: str | None = None,
    length_unit: str | None = None,
    keep_uncharacterized: bool = False,
    structures_only: bool = False,
    download: bool = True,
) -> Dataset:
    """Load a data set by its name, or from a file.

    Parameters
    ----------
    name_or_path : str or Path
        A name of :func:`available`; or ``qm7.mat``, QM9 as ``dsgdb9nsd*.xyz`` (a file, a folder,
        the tar.bz2) or ``gdb9.sdf`` with its csv, MD17 or rMD17 ``.npz``, ANI-1 ``.h5``, extended
        XYZ and all that ASE reads, an ASE database, or an ``.npz`` that is packed, padded or a
        trajectory. A name is looked up in the folder named by ``MOLKERN_DATA``, then in the cache
        (``MOLKERN_CACHE``, or the platform's), then downloaded.
    property : str, optional
        The target wanted. None: the usual one of the set, ``energy``, or the only one.
    unit : str, optional
        Unit of that target. Where the file's unit is known, values are converted to it; where it
        is not, this states it. Never guessed: ``"unknown"`` if nobody says. For an energy one of
        hartree, eV, meV, kcal/mol, kJ/mol, Ry, cm-1; any name for other properties.
    length_unit : str, optional
        Unit of the positions in a file that does not define one; they are converted to Å.
    keep_uncharacterized : bool, default=False
        Keep the molecules of QM9 that failed its consistency check.
    structures_only : bool, default=False
        Of a file of your own all structures, whatever their labels: no target is chosen or checked.
    download : bool, default=True
        Whether a name that is not found locally may be downloaded.

    Returns
    -------
    Dataset
        Of a known set the structures whose property is finite; ``notes`` say how many were left
        out, and all else that was done.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or the data are not there and can not be downloaded.
    OSError
        If a download fails.
    ValueError
        For an unknown name or property, a damaged or wrong file, units that do not convert, or
        labels of a user's file that are not finite.
    TypeError
        For a name, property or unit that is no text.
    """
    for name, text in (("property", property), ("unit", unit), ("length_unit", length_unit)):
        if text is not None and not isinstance(text, str):
            raise TypeError(f"{name}: expected a string or None, found {text!r}")
    entry = _entry(name_or_path)
    if entry is None:
        path = _existing(name_or_path)
        form = sniff(path)
        dataset = read(path, form, length_unit, keep_uncharacterized)
        dataset = _identified(dataset, path, form)
        users = is_user_format(form)
        return dataset if structures_only and users else choose(dataset, property, unit, users)
    if length_unit is not None:
        raise ValueError(
            f"length_unit: {entry.name} has a known one; leave out --length-unit, in Python "
            "length_unit="
        )
    dataset = _load_entry(entry, keep_uncharacterized, download)
    return choose(dataset, property, unit, False)


def _entry(name: str | Path) -> Entry | None:
    if not isinstance(name, str | Path):
        raise TypeError(f"name_or_path: expected a string or Path, found {type(name).__name__}")
    if isinstance(name, Path):
        return None
    key = name.lower().replace("_", "-").removesuffix("-acid")
    return ENTRIES.get(key)


def _existing(path: str | Path) -> Path:
    found = Path(path).expanduser()
    if found.exists():
        return found
    text = str(path)
    if found.suffix or len(found.parts) > 1:
        raise FileNotFoundError(f"no such file: {text}")
    near = difflib.get_close_matches(text.lower(), ENTRIES, n=3)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise ValueError(f"no data set or file {text!r}; the data sets are listed by available(){hint}")


def _load_entry(entry: Entry, keep_uncharacterized: bool, may_download: bool) -> Dataset:
    found = cache.locate(entry)
    fresh = found is None
    if found is None:
        if not may_download:
            raise FileNotFoundError(
                f"{entry.name}: not found in MOLKERN_DATA or the cache, and not to be downloaded "
                f'here; get it by "molkern data fetch {entry.name}", in Python '
                f'datasets.fetch("{entry.name}")'
            )
        found = cache.download(entry)
    file, path = found
    try:
        sha256, verified = _verified(file, path)
        dataset = read(path, file.format, None, keep_uncharacterized)
        checks = () if verified or file.content is None else check_content(dataset, file.content)
    except ValueError:
        if fresh:  # Not what was asked for: a page of a web server, say.
            path.unlink(missing_ok=True)
        raise
    if not verified:
        verified = f"not verified by hash ({file.source}); content checked: {', '.join(checks)}"
        if cache.pinned(path) is not None:
            verified += "; unchanged since its download"
        elif fresh:
            cache.pin(path)
    return dataset.replace(name=entry.name, sha256=sha256, verified=verified)


def _verified(file: File, path: Path) -> tuple[str, str]:
    """SHA-256 of all files read, and how the file was verified; empty if not by a hash.

    Raises
    ------
    ValueError
        If it is not the registered file, or changed since it was downloaded.
    """
    own, sha256 = _digests(path, file.format)
    _check_companions(file, path)
    if file.sha256 is not None:
        if own != file.sha256:
            raise bad_file(
                path,
                f"SHA-256 is {own}, expected {file.sha256} ({file.source}): damaged, tampered "
                "with or another version. Passing its path instead of the name reads it unverified",
            )
        return sha256, f"SHA-256 ({file.source})"
    if file.md5 is not None and digest(path, "md5") == file.md5:
        return sha256, f"MD5 ({file.source})"
    remembered = cache.pinned(path)
    if remembered is not None and own != remembered:
        raise bad_file(
            path,
            f"SHA-256 is {own}, but was {remembered} at its download: damaged or tampered with. "
            "Delete the file to download it again",
        )
    return sha256, ""


def _check_companions(file: File, path: Path) -> None:
    """Files with a known SHA-256 that are read together with ``path``."""
    known = {Path(companion.path).name: companion for companion in file.companions}
    for other in files_read(path, file.format):
        expected = known[other.name].sha256 if other.name in known else None
        if expected is not None and digest(other) != expected:
            source = known[other.name].source
            raise bad_file(other, f"SHA-256 is {digest(other)}, expected {expected} ({source})")


def _digests(path: Path, form: str) -> tuple[str, str]:
    """SHA-256 of the file itself (of a folder's files), and of all files that are read with it."""
    files = files_read(path, form)
    own = sha256_of(files) if path.is_dir() else digest(path)
    return own, own if files == [path] else sha256_of(files)


def _identified(dataset: Dataset, path: Path, form: str) -> Dataset:
    """A file given by its path, compared with all registered hashes."""
    own, sha256 = _digests(path, form)
    files = (file for entry in ENTRIES.values() for file in entry.files)
    known = next((file for file in files if file.sha256 == own), None)
    verified = "not verified: no hash is known for this file"
    if known is not None:
        verified = f"SHA-256 ({known.source})"
    if form == "md17":
        dataset = dataset.with_notes("units taken from the file's name, which is one of MD17")
    return dataset.replace(sha256=sha256, verified=verified)


def available() -> list[Availability]:
    """All registered data sets, and where each would come from. Downloads nothing.

    Returns
    -------
    list of Availability
        In the order of the registry.
    """
    lines = []
    for entry in ENTRIES.values():
        url = next((f.url for f in entry.files if f.url is not None), None)
        file, path = entry.files[0], None
        place = "download" if url is not None else "by hand"
        try:
            found = cache.locate(entry)
        except ValueError as error:
            found, place = None, f"damaged: {error}"
        if found is not None:
            file, path = found
            place = _place(entry, path)
        elif url is not None:
            file = next(f for f in entry.files if f.url is not None)
        check = "SHA-256" if file.sha256 else "MD5" if file.md5 else "content"
        lines.append(
            Availability(entry.name, entry.title, entry.target, entry.unit, place, path, url, check)
        )
    return lines


def _place(entry: Entry, path: Path) -> str:
    if entry.name in embedded.NAMES:
        return "package"
    return "cache" if path.is_relative_to(cache.cache_folder()) else "data folder"


def fetch(name: str) -> Path:
    """Make sure a registered data set is on this machine.

    Parameters
    ----------
    name : str

    Returns
    -------
    Path
        The file: where it was found, or in the cache after its download and verification.

    Raises
    ------
    ValueError, FileNotFoundError, OSError
        As :func:`load`.
    """
    entry = _registered(name)
    return Path(_load_entry(entry, False, True).source)


def verify(name: str) -> Verification:
    """Verify the local file of a data set, by its hash and by what it holds.

    Parameters
    ----------
    name : str

    Returns
    -------
    Verification

    Raises
    ------
    FileNotFoundError
        If it is not on this machine.
    ValueError
        If it is not what it should be; names the file and the difference.
    """
    entry = _registered(name)
    dataset = _load_entry(entry, False, False)
    path = Path(dataset.source)
    found = cache.locate(entry)
    content = found[0].content if found is not None else None
    checks = () if content is None else check_content(dataset, content)
    return Verification(entry.name, path, dataset.sha256, dataset.verified, checks)


def _registered(name: str) -> Entry:
    entry = _entry(name)
    if entry is None:
        raise ValueError(f"no data set {name!r}; the data sets are: {', '.join(ENTRIES)}")
    return entry
