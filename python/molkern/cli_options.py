"""Checks of what is given on the command line, and of the folders that it names."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from molkern.datasets import Dataset

__all__ = [
    "BASELINE",
    "DASK",
    "KERNELS",
    "REPRESENTATIONS",
    "SPLIT",
    "TEST",
    "WORKERS",
    "at_least",
    "executor",
    "folder_name",
    "integers",
    "names",
    "no_empty_folders",
    "one_of",
    "test_files",
    "writable",
]

REPRESENTATIONS = (
    "Names with commas, of coulomb_matrix, coulomb_matrix_unsorted, coulomb_matrix_random, "
    "coulomb_matrix_eigenspectrum, bag_of_bonds, acsf, ani-2x, soap; soap-local (atom by atom, "
    "with the kernel local.gaussian). Default: coulomb_matrix, coulomb_matrix_random, "
    "coulomb_matrix_eigenspectrum and bag_of_bonds; of frames of one molecule (the same atoms in "
    "the same order) coulomb_matrix_unsorted, coulomb_matrix and bag_of_bonds; where any structure "
    "is periodic acsf, soap and, for elements that it knows, ani-2x, which see the images. One "
    "that cannot represent the structures is left out with a note."
)
KERNELS = (
    "Names with commas: laplacian, gaussian; local.gaussian for a representation with one row for "
    "each atom, like soap-local. Default: all that go with the representations."
)
BASELINE = (
    "What is subtracted before learning: none; mean; elements, fitted to the counts of elements; "
    "atoms, energies of free atoms in DATA, or given: atoms:H=-13.6,C=-1029.3. Default: elements "
    "for a property that is a sum over atoms, as far as the data tell, else mean; a note says why."
)
SPLIT = (
    "Tested beyond what is learnt from: heavy_atoms:6, structures of up to 6 atoms other than "
    "hydrogen to learn from and larger ones to be tested on; energy:0.5, that share of each "
    "molecule's structures to learn from which is lowest in energy. Without the number: one heavy "
    "atom fewer than the largest has; a half. Default: official folds or splits, else a fifth "
    "drawn for each seed."
)
TEST = (
    "File, or name of a data set, to test on; all of DATA is then learnt from. For several give "
    "the option again, or names with commas: each has a score of its own, and the first decides "
    "what is recommended. Read with the same options as DATA."
)
WORKERS = "Local processes that share the work, and the cores. Default: this process alone."
LONGEST_NAME = 200  # letters of the name of a folder; file systems take 255 bytes
DASK = "Address of the scheduler of a Dask cluster that shares the work: tcp://host:8786."


def names(option: str, text: str | None, known: list[str]) -> list[str] | None:
    """Names with commas, each of them known and there once; None for None."""
    if text is None:
        return None
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise ValueError(f"--{option}: expected one of {', '.join(known)}, found {text!r}")
    for name in names:
        one_of(option, name, known)
        if names.count(name) > 1:
            raise ValueError(f"--{option}: expected different ones, found {name} twice")
    return names


def one_of(option: str, name: str | None, known: list[str]) -> str | None:
    """A known name, or None."""
    if name is not None and name not in known:
        raise ValueError(f"--{option}: expected one of {', '.join(known)}, found {name!r}")
    return name


def checked_baseline(text: str | None) -> str | None:
    """A baseline of `molkern.study.compare`, checked; None for None."""
    from molkern.study.baselines import check_given

    if text is not None:
        try:
            check_given(text)
        except ValueError as error:
            raise ValueError(f"--{error}") from error
    return text


def test_files(texts: list[str] | None) -> list[str]:
    """Names and paths of test sets; each text may hold several, with commas."""
    found = []
    for text in texts or []:
        # The comma may be part of a name.
        several = [text] if Path(text).exists() else text.split(",")
        found += [name.strip() for name in several]
    if not all(found):
        raise ValueError(f"--test: expected names or paths with commas, found {texts}")
    return found


def folder_name(
    dataset: Dataset, property: str | None, split: str | None, tests: Sequence[Dataset]
) -> str:
    """Name of the data; with a property that is not the usual one, its name too; split or tests."""
    from molkern.datasets.registry import ENTRIES

    name = dataset.name
    if property is not None:
        usual = ENTRIES[name].target if name in ENTRIES else "energy"
        scalars = [key for key, values in dataset.targets.items() if values.ndim == 1]
        if dataset.default_target != usual and scalars != [dataset.default_target]:
            name = f"{name}-{dataset.default_target}"
    if split is not None:
        name = f"{name}-{split}"
    if tests:
        name = f"{name}-on-{'-'.join(test.name for test in tests)}"
    return re.sub(r"[^\w.+-]", "_", name)[:LONGEST_NAME]


def integers(option: str, text: str | None, least: int) -> list[int] | None:
    """Integers with commas; None for None."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) >= least for part in parts):
        raise ValueError(
            f"--{option}: expected integers of at least {least} with commas, found {text!r}"
        )
    return [int(part) for part in parts]


def at_least(option: str, value: int | None, least: int, why: str = "") -> int | None:
    """A number that is large enough, or None."""
    if value is not None and value < least:
        raise ValueError(f"--{option}: expected at least {least}{why}, found {value}")
    return value


def executor(workers: int | None, dask: str | None) -> int | str | None:
    """Where tasks run, as `molkern.study.accuracy` takes it."""
    if workers is not None and dask is not None:
        raise ValueError("--workers, --dask: expected one of them, found both")
    return at_least("workers", workers, 1) if dask is None else dask


@contextlib.contextmanager
def no_empty_folders(*folders: Path) -> Iterator[None]:
    """Remove at the end what was made of these folders, and of those around them, and is empty."""
    around = {place for folder in folders for place in (folder, *folder.parents)}
    new = sorted((p for p in around if not p.exists()), key=lambda p: len(p.parts), reverse=True)
    try:
        yield
    finally:
        for place in new:
            with contextlib.suppress(OSError):  # not made, or not empty
                place.rmdir()


def writable(folder: Path) -> Path:
    """The folder, made; find out before computing that the report can be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe.{os.getpid()}.tmp"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise OSError(f"--out: cannot write to the folder {folder}: {error.strerror}") from error
    return folder
