"""Published files: their layouts, their readers, and which file is one of them.

A layout tells the layout. Units, methods and citations are those of a published file only where the
file is known to be it: by its hash, or by content that only it has.
"""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

from molkern.datasets import ani, built, md17, qm7, qm9, qm9_arrays, qm9_package
from molkern.datasets.content import check_content
from molkern.datasets.dataset import Dataset
from molkern.datasets.entry import File
from molkern.datasets.files import digest, npz_keys
from molkern.datasets.registry import ENTRIES

__all__ = ["SPEAKING", "files_read", "is_single", "layout_of", "published", "read"]

# Keys that only this form has, most telling first.
_NPZ_KEYS = (
    ({"R_bohr", "Z", "offsets", "E", "P"}, "qm7-packed"),
    ({"E_dftb", "file_id", "offsets"}, "qm7-qml-packed"),
    ({"gdb_id", "props", "prop_names"}, "qm9-packed"),
    ({"props", "prop_names", "offsets"}, "qm9-g4mp2-packed"),
    ({"train_splits", "test_splits", "md17_index"}, "rmd17-packed"),
    ({"nuclear_charges", "coords", "energies", "forces"}, "rmd17"),
    ({"mol_index", "mol_Z", "mol_offsets"}, "ani-packed"),
    ({"names", "sources", "offsets"}, "large-packed"),
    ({"num_atoms", "charges", "positions", "U0", "Cv"}, "qm9-egnn"),
    ({"molkern_provenance", "numbers", "positions", "offsets"}, "built"),
    ({"molkern_provenance", "z", "R"}, "built"),
    ({"z", "R", "E"}, "md17"),
)
_READERS = {
    "qm7-mat": qm7.read_mat,
    "qm7-packed": qm7.read_packed,
    "qm7-qml-packed": qm7.read_packed_qml,
    "qm9-g4mp2-packed": qm9_arrays.read_packed_g4mp2,
    "qm9-egnn": qm9_arrays.read_egnn,
    "rmd17": md17.read_rmd17,
    "rmd17-packed": md17.read_rmd17_packed,
    "md17": md17.read_md17,
    "ani-packed": ani.read_packed,
    "ani-h5": ani.read_h5,
    "large-packed": ani.read_large,
    "built": built.read_built,
}
_QM9_READERS = {
    "qm9-packed": qm9_arrays.read_packed,
    "qm9-xyz": qm9.read_xyz,
    "qm9-sdf": qm9.read_sdf,
    "qm9pack": qm9_package.read_package,
}
# Files that state what they are: by their provenance, or in records that QM9 alone has.
SPEAKING = ("built", "qm9-xyz", "qm9-sdf")
# Published without a hash by their authors: known by all of their content.
_BY_CONTENT = ("qm7-mat", "md17", "rmd17")


def layout_of(path: Path, kind: str) -> str | None:
    """The published layout that a file has, or None.

    Parameters
    ----------
    path : Path
    kind : str
        Of `molkern.datasets.kinds.kind_of`.
    """
    if kind == "npz":
        keys = set(npz_keys(path))
        return next((form for telling, form in _NPZ_KEYS if telling <= keys), None)
    if kind == "sdf":
        return "qm9-sdf" if qm9.is_sdf_with_table(path) else None
    if kind == "table":
        return "qm9-sdf" if qm9.is_table_with_sdf(path) else None
    return {"mat": "qm7-mat", "hdf5": "ani-h5", "qm9-xyz": "qm9-xyz"}.get(kind)


def read(path: Path, form: str, keep_uncharacterized: bool) -> Dataset:
    """Read a file of a published layout."""
    if form in _QM9_READERS:
        return _QM9_READERS[form](path, keep_uncharacterized)
    return _READERS[form](path)


def published(path: Path, form: str, sha256: str, keep_uncharacterized: bool) -> Dataset | None:
    """The data set of a file that is a published one; None if it has the layout alone.

    Parameters
    ----------
    path : Path
    form : str
        Its layout.
    sha256 : str
        Of the file.
    keep_uncharacterized : bool
    """
    files = [file for entry in ENTRIES.values() for file in entry.files if file.format == form]
    known = next((file for file in files if file.sha256 == sha256), None)
    if known is None and any(file.md5 for file in files):
        md5 = digest(path, "md5")
        known = next((file for file in files if file.md5 == md5), None)
    if known is not None:
        way = "SHA-256" if known.sha256 == sha256 else "MD5"
        dataset = read(path, form, keep_uncharacterized)
        return dataset.replace(sha256=sha256, verified=f"{way} ({known.source})")
    if form in SPEAKING:
        try:
            return read(path, form, keep_uncharacterized)
        except qm9.NotQM9:
            return None
    return _by_content(path, form, files) if form in _BY_CONTENT else None


def is_single(path: Path) -> bool:
    """Whether a path is one file, and neither a folder nor an archive."""
    return not path.is_dir() and not (tarfile.is_tarfile(path) or zipfile.is_zipfile(path))


def _by_content(path: Path, form: str, files: list[File]) -> Dataset | None:
    """A file without a published hash, all of whose content is that of one."""
    try:
        dataset = read(path, form, False)
    except ValueError:
        return None
    for file in files:
        if file.content is None:
            continue
        try:
            checks = check_content(dataset, file.content)
        except (ValueError, KeyError):
            continue
        return dataset.replace(verified=f"content checked: {', '.join(checks)}")
    return None


def files_read(path: Path, form: str) -> list[Path]:
    """Every file that is read for a path, in a fixed order."""
    files = [path]
    if form == "qm9-xyz" and path.is_dir():
        files = sorted(path.glob("dsgdb9nsd_*.xyz"))
    if form == "qm9-sdf":
        files = list(qm9.sdf_pair(path))
    if form in ("qm9-xyz", "qm9-sdf"):
        listed = qm9.uncharacterized_list(path)
        files += [] if listed is None else [listed]
    if form == "qm9pack":
        files = qm9_package.csv_files(path)
    if form == "rmd17":
        files += [file for pair in md17.split_files(path) or () for file in pair]
    return files
