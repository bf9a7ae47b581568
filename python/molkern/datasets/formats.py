"""Which reader a file needs: by its suffix, its keys, and what its first lines say."""

from __future__ import annotations

from pathlib import Path

from molkern.datasets import ani, built, md17, qm7, qm9, qm9_arrays, user
from molkern.datasets.dataset import Dataset
from molkern.datasets.files import bad_file, npz_keys
from molkern.datasets.registry import ENTRIES

__all__ = ["files_read", "is_user_format", "read", "sniff"]

_ARCHIVES = (".tar.bz2", ".tar.gz", ".tar")
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
)
_MD17_NAMES = {
    Path(file.path).name
    for entry in ENTRIES.values()
    for file in entry.files
    if file.format == "md17"
}
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
}


def sniff(path: Path) -> str:
    """The format of a file or folder.

    Raises
    ------
    ValueError
        If it is damaged, or of a kind that is not read; names the file.
    """
    name = path.name.lower()
    if path.is_dir():
        if next(path.glob("dsgdb9nsd_*.xyz"), None) is not None:
            return "qm9-xyz"
        raise bad_file(path, "a folder; expected one of dsgdb9nsd_*.xyz files, or a file")
    if name.endswith(".npz"):
        return _sniff_npz(path)
    if name.endswith(".mat"):
        return "qm7-mat"
    if name.endswith((".h5", ".hdf5")):
        return "ani-h5"
    if name.endswith(_ARCHIVES):
        return "qm9-xyz"
    if name.endswith((".sdf", ".csv")):
        qm9.sdf_pair(path)
        return "qm9-sdf"
    if name.endswith((".npy", ".pkl", ".pickle", ".pt")):
        raise bad_file(path, "not a kind of file that is read; save the arrays as .npz")
    return "qm9-xyz" if name.endswith(".xyz") and _is_qm9_xyz(path) else "ase"


def _sniff_npz(path: Path) -> str:
    keys = set(npz_keys(path))
    for telling, form in _NPZ_KEYS:
        if telling <= keys:
            return form
    return "md17" if path.name in _MD17_NAMES and {"z", "R", "E"} <= keys else "npz"


def _is_qm9_xyz(path: Path) -> bool:
    with path.open("rb") as file:
        file.readline()
        return file.readline(200).startswith((b"gdb ", b"gdb\t"))


def is_user_format(form: str) -> bool:
    """Whether a format says nothing about units, so that the user must."""
    return form in ("npz", "ase")


def read(path: Path, form: str, length_unit: str | None, keep_uncharacterized: bool) -> Dataset:
    """Read a file of a known format."""
    if form == "npz":
        return user.read_arrays(path, length_unit)
    if form == "ase":
        return user.read_ase(path, length_unit)
    if length_unit is not None:
        raise ValueError(
            f"length_unit: the format of {path.name} has a known unit; expected None, "
            f"found {length_unit!r}"
        )
    if form in _QM9_READERS:
        return _QM9_READERS[form](path, keep_uncharacterized)
    return _READERS[form](path)


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
    if form == "rmd17":
        files += [file for pair in md17.split_files(path) or () for file in pair]
    return files
