"""Loading a data set by name or path, and what surrounds it: list, fetch, verify."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Sequence
from pathlib import Path

from molkern.datasets import cache, embedded, qm9_package
from molkern.datasets.content import check_content
from molkern.datasets.dataset import Dataset
from molkern.datasets.door import Options
from molkern.datasets.entry import Entry, File
from molkern.datasets.files import bad_file, digest, sha256_of
from molkern.datasets.formats import files_read, read
from molkern.datasets.readers.pieces import Progress
from molkern.datasets.reading import KINDS, read_path, safely
from molkern.datasets.registry import ENTRIES
from molkern.datasets.selection import choose

_PACKED = "qm9.npz"  # the packed QM9 has labels of G4MP2, too

__all__ = ["Availability", "Verification", "available", "fetch", "load", "verify"]


@dataclasses.dataclass(frozen=True)
class Availability:
    """A line of the list of data sets.

    ``place`` is ``"package"``, ``"package qm9pack"``, ``"data folder"``, ``"cache"``,
    ``"download"`` (an address is registered), ``"by hand"`` (none is), or ``"damaged: ..."``;
    ``check`` is ``"SHA-256"``, ``"MD5"`` or ``"content"``.
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
    species: Sequence[str | int] | None = None,
    skip_missing: bool = False,
    skip_dummies: bool = False,
    keep_uncharacterized: bool = False,
    structures_only: bool = False,
    overview: bool = False,
    like: Dataset | None = None,
    max_bytes: int | None = None,
    download: bool = True,
    progress: Progress | None = None,
) -> Dataset:
    """Load a data set by its name, or from a file.

    Parameters
    ----------
    name_or_path : str or Path
        A name of :func:`available`, looked up in the folder named by ``MOLKERN_DATA``, then in the
        cache (``MOLKERN_CACHE``, or the platform's), then downloaded. Or a file, of the kind that
        its content tells:

        - extended or plain XYZ, also compressed;
        - ``.npz`` or MATLAB arrays: packed (offsets, or counts of atoms), padded (with 0 or -1),
          trajectories;
        - HDF5, every group with numbers and positions: ANI-1, ANI-1x, ANI-2x, SPICE, QM7-X,
          Transition1x, or laid out like them;
        - ASE databases (SchNetPack's, too), SDF with fields in its records or a table beside it,
          and all else that ASE reads;
        - folders and archives (tar, zip) of XYZ files, with labels in them or in a table beside
          them, and folders of DeePMD-kit;
        - published files: ``qm7.mat``, QM9 (``dsgdb9nsd*.xyz``, ``gdb9.sdf``), MD17, rMD17, ...
    property : str, optional
        The target wanted, by its name in the file; ``"energy"`` also means the only energy under
        another name. None: the usual one of a published set; the energy, or the only number that is
        no bookkeeping such as ``step``.
    unit : str, optional
        Unit of that target. Where the file states its unit, values are converted to it; where it
        does not, this states it. Never guessed: ``"unknown"`` if nobody says. For an energy one of
        hartree, eV, meV, kcal/mol, kJ/mol, J/mol, Ry, cm-1, mHa; any name for other properties.
    length_unit : str, optional
        Unit of the positions, if the file does not state one: angstrom, bohr, nm, pm.
    species : sequence of str or int, optional
        Elements of the types 1, 2, ... in a file that has types instead of elements;
        ``["numbers"]``: what look like types are atomic numbers.
    skip_missing : bool, default=False
        Leave out structures that lack the property, instead of an error.
    skip_dummies : bool, default=False
        Leave out dummy atoms (X, number 0), instead of an error.
    keep_uncharacterized : bool, default=False
        Keep the molecules of QM9 that failed its consistency check.
    structures_only : bool, default=False
        All structures, whatever their labels: no target is chosen, checked or read.
    overview : bool, default=False
        Everything that a file holds, for a look at it: no property has to be chosen, and labels may
        be missing.
    like : Dataset, optional
        Data that this file belongs to, for instance as their test set. It gets the same property,
        from the column of the same name in the file; ``length_unit`` and ``species``,
        which were said of these data, hold where the file does not say.
    max_bytes : int, optional
        Memory that reading may take. None: three times the bytes on disk, and 64 MB.
    download : bool, default=True
        Whether a name that is not found locally may be downloaded.
    progress : callable, optional
        Called with words, what is done and how much there is (0: not known), while a file is read.

    Returns
    -------
    Dataset
        ``decisions`` say what in the file was taken for what, and why; ``notes``, what was left
        out, converted or assumed. Forces are ``"forces"``, with the sign of forces, under whatever
        name they are stored.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or the data are not here and cannot be downloaded.
    OSError
        If a download fails.
    ValueError
        For an unknown name or property, a damaged or wrong file, units that do not convert, or
        labels of a user's file that are not finite; names the file, and where in it.
    MemoryError
        If it does not fit in memory.
    TypeError
        For a name, property or unit that is no text.
    """
    for name, text in (("property", property), ("unit", unit), ("length_unit", length_unit)):
        if text is not None and not isinstance(text, str):
            raise TypeError(f"{name}: expected a string or None, found {text!r}")
    entry = _entry(name_or_path)
    if entry is None:
        options = Options(
            property=property,
            like=None if like is None else _property_of(like),
            unit=unit,
            length_unit=length_unit,
            species=species,
            skip_missing=skip_missing,
            skip_dummies=skip_dummies,
            structures_only=structures_only,
            overview=overview,
        )
        return read_path(
            _existing(name_or_path),
            options,
            keep_uncharacterized=keep_uncharacterized,
            max_bytes=max_bytes,
            progress=progress,
        )
    for name, value in (("length_unit", length_unit), ("species", species)):
        if value is not None and like is None:
            raise ValueError(
                f"{name}: {entry.name} has a known one; leave out --{name.replace('_', '-')}, in "
                f"Python {name}="
            )
    dataset = _load_entry(entry, keep_uncharacterized, download)
    if property is None and like is not None:
        property = like.default_target
    return dataset if structures_only else choose(dataset, property, unit)


def _property_of(dataset: Dataset) -> tuple[str, str]:
    """What the property of a data set is called in its file, and as a target."""
    target = dataset.default_target
    sources = [one.source for one in dataset.decisions if one.what == target]
    return (sources[0] if sources and sources[0] else target), target


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
    # The package leaves out the molecules that failed QM9's consistency check.
    found = cache.locate(entry, but=("qm9pack",) if keep_uncharacterized else ())
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
        dataset = _read_entry(file, path, keep_uncharacterized)
        if file.format == "qm9pack":
            packed = cache.locate(entry, but=[f.format for f in entry.files if f.path != _PACKED])
            dataset = dataset if packed is None else qm9_package.with_g4mp2(dataset, packed[1])
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


def _read_entry(file: File, path: Path, keep_uncharacterized: bool) -> Dataset:
    if file.format in KINDS:
        return read_path(path, Options(), keep_uncharacterized=keep_uncharacterized)
    return safely(path, lambda: read(path, file.format, keep_uncharacterized))


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
    if path.name == qm9_package.FILES[0]:
        return f"package {qm9_package.PACKAGE}"
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
