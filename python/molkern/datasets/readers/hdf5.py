"""HDF5: groups by what they hold, whatever their names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern.datasets.contents import Column, Contents, Stated
from molkern.datasets.files import bad_file, needed
from molkern.datasets.headers import Header, Missing
from molkern.datasets.layouts import contents_of
from molkern.datasets.limits import Limit
from molkern.datasets.names import words_of
from molkern.datasets.readers.pieces import Progress

__all__ = ["read_hdf5"]

Array = npt.NDArray[Any]

_HIGH_ENERGY = "HE"  # ANI-1 keeps conformers of high energy apart: coordinatesHE, energiesHE


def read_hdf5(path: Path, limit: Limit, progress: Progress | None = None) -> Contents:
    """Structures in the groups of an HDF5 file.

    A group with atomic numbers (or symbols) and positions under any usual names holds structures:
    conformers of one molecule, another molecule in each row, packed, or a single one. Everything
    else with one value for each of them is a column. Units are those of the attributes.

    Raises
    ------
    ValueError
        If the file is damaged, refers to other files, or has no such groups; names it.
    """
    h5py = needed("h5py", "reading HDF5 files")
    try:
        with h5py.File(path, "r") as file:
            parts = list(_parts(h5py, file, limit, progress, path))
            if not parts:
                held = ", ".join(sorted(map(str, file))[:20])
                raise ValueError(
                    f"no group holds positions and atomic numbers of the same atoms; found {held}"
                )
            return _joined(parts, _words(h5py, file.attrs))
    except ValueError as error:
        raise bad_file(path, str(error)) from error
    except (OSError, RuntimeError, KeyError, TypeError, AttributeError) as error:
        raise bad_file(path, f"not a readable HDF5 file (truncated?): {error}") from error


def _parts(
    h5py: Any, file: Any, limit: Limit, progress: Progress | None, path: Path
) -> Iterator[tuple[str, Contents]]:
    """Contents of each group that holds structures, all of it read."""
    groups = [item for _, item in _items(h5py, file)]
    size = path.stat().st_size
    for k, group in enumerate(groups):
        headers = {str(name): header for name, header in _headers(h5py, group, limit)}
        if not headers:
            continue
        try:
            contents = contents_of(headers, alone=True)
        except Missing:
            continue
        except ValueError as error:
            raise ValueError(f"group {group.name}: {error}") from error
        columns = contents.columns
        contents.columns = {
            name: Column(c.shape, partial(np.asarray, c.read()), c.per_atom, c.stated)
            for name, c in columns.items()
            if len(c.shape) == 1 or c.per_atom or c.width <= 9
        }
        for name in columns.keys() - contents.columns.keys():
            contents.unused[name] = f"{name}: {columns[name].width} numbers for each structure"
        apart = [str(name) for name in group if _is_high_energy(group, str(name))]
        if apart:
            contents.notes.append(f"{', '.join(sorted(apart))}: high energies kept apart, left out")
        yield group.name, contents
        if progress is not None:
            progress(f"reading {path.name}", size * (k + 1) // len(groups), size)


def _items(h5py: Any, file: Any) -> list[tuple[str, Any]]:
    """All groups, the file's own among them, each of them once."""
    found: list[tuple[str, Any]] = [("/", file)]

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Group):
            found.append((name, item))

    file.visititems(visit)
    return found


def _headers(h5py: Any, group: Any, limit: Limit) -> Iterator[tuple[str, Header]]:
    """Arrays of a group, none of them read yet.

    Raises
    ------
    ValueError
        For an array whose values are in another file: it would be read with the user's rights.
    """
    for name in group:
        link = group.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            raise ValueError(
                f"{group.name}/{name} is a link to another file ({link.filename!r}); such files "
                "are not read: copy the data into one"
            )
        item = group.get(name)
        if not isinstance(item, h5py.Dataset) or item.shape is None:  # no shape: no values
            continue
        if _is_high_energy(group, str(name)):
            continue
        if item.external is not None or item.is_virtual:
            raise ValueError(
                f"{item.name} has its values in another file; such files are not read: copy the "
                "data into one"
            )
        yield str(name), _header(h5py, item, limit)


def _is_high_energy(group: Any, name: str) -> bool:
    return name.endswith(_HIGH_ENERGY) and name.removesuffix(_HIGH_ENERGY) in group


def _header(h5py: Any, item: Any, limit: Limit) -> Header:
    needed_bytes = int(np.prod([*item.shape, item.dtype.itemsize], dtype=object))

    def read() -> Array:
        limit.take(needed_bytes, f"{item.name}, which declares shape {item.shape},")
        if h5py.check_dtype(ref=item.dtype) is not None:
            raise ValueError(f"{item.name} holds references, which are not read")
        return np.asarray(item[()])

    return Header(tuple(item.shape), item.dtype, read, _unit(item))


def _unit(item: Any) -> Stated | None:
    """The unit in the attributes of an array."""
    for key in item.attrs:
        if words_of(str(key)) in ("unit", "units"):
            text = _as_text(item.attrs[key])
            if text:
                return Stated(text, f"attribute {key!r}")
    return None


def _words(h5py: Any, attributes: Any) -> dict[str, str]:
    return {str(key): text for key in attributes if (text := _as_text(attributes[key]))}


def _as_text(value: Any) -> str:
    if isinstance(value, np.ndarray):
        if value.size != 1:
            return ""
        value = value.reshape(-1)[0]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value) if isinstance(value, str) else ""


def _joined(parts: list[tuple[str, Contents]], words: dict[str, str]) -> Contents:
    """One after another; a label that a group lacks is missing for its structures."""
    each = [contents for _, contents in parts]
    sizes = [len(contents) for contents in each]
    atoms = np.cumsum([0] + [len(contents.numbers) for contents in each])
    offsets = [c.offsets[:-1] + shift for c, shift in zip(each, atoms[:-1], strict=True)]
    whole = Contents(
        np.concatenate([c.numbers for c in each]),
        np.concatenate([c.positions for c in each], dtype=np.float64),
        np.concatenate([*offsets, atoms[-1:]]),
        words=words,
        may_lack=True,
    )
    for name in dict.fromkeys(name for c in each for name in c.columns):
        column = _joined_column(name, each, sizes)
        if isinstance(column, Column):
            whole.columns[name] = column
        else:
            whole.unused[name] = column
    whole.notes = list(dict.fromkeys(note for c in each for note in c.notes))
    for contents in each:
        whole.sources = {**contents.sources, **whole.sources}
        whole.unused = {**contents.unused, **whole.unused}
        whole.types = whole.types or contents.types
    whole.length = _same_unit("positions", [c.length for c in each])
    if any(c.cells is not None for c in each):
        whole.cells = np.concatenate(
            [np.zeros((len(c), 3, 3)) if c.cells is None else c.cells for c in each]
        )
    if any(c.pbc is not None for c in each):
        whole.pbc = np.concatenate(
            [np.zeros((len(c), 3), bool) if c.pbc is None else c.pbc for c in each]
        )
    _add_molecules(whole, each, sizes)
    first = np.cumsum([0, *sizes])

    def name_of(k: int) -> str:
        group = int(np.searchsorted(first, k, side="right")) - 1
        return f"structure {k} (group {parts[group][0]}, row {k - int(first[group])})"

    whole.name_of = name_of
    return whole


def _add_molecules(whole: Contents, each: list[Contents], sizes: list[int]) -> None:
    """Structures of a group with the same atoms in all rows are conformers of one molecule."""
    if len(each) == 1:
        return
    if max(sizes) > 1 and all(map(_is_one_molecule, each)):
        whole.molecules = np.repeat(np.arange(len(each)), sizes)


def _is_one_molecule(contents: Contents) -> bool:
    n = max(len(contents), 1)
    size = len(contents.numbers) // n
    if not (np.diff(contents.offsets) == size).all():
        return False
    return bool((contents.numbers.reshape(n, size) == contents.numbers[:size]).all())


def _same_unit(name: str, stated: list[Stated | None]) -> Stated | None:
    units = {s.unit if s is not None else "" for s in stated}
    if len(units) > 1:
        raise ValueError(f"{name}: the groups state different units: {sorted(units)}")
    return stated[0]


def _joined_column(name: str, each: list[Contents], sizes: list[int]) -> Column | str:
    """A label of all groups, or why it is none."""
    columns = [c.columns.get(name) for c in each]
    present = [c for c in columns if c is not None]
    tails = {c.shape[1:] for c in present} | {(c.per_atom,) for c in present}
    if len(tails) != 2:
        return f"{name}: the groups have different shapes of it"
    per_atom, tail = present[0].per_atom, present[0].shape[1:]
    rows = [len(c.numbers) if per_atom else n for c, n in zip(each, sizes, strict=True)]
    stated = _same_unit(name, [c.stated for c in present])
    missing = sum(n for c, n in zip(columns, rows, strict=True) if c is None)
    return Column(
        (sum(rows), *tail), _reader(columns, rows, tail), per_atom, stated, n_missing=missing
    )


def _reader(
    columns: list[Column | None], rows: list[int], tail: tuple[int, ...]
) -> Callable[[], Array]:
    def read() -> Array:
        parts = [
            np.full((n, *tail), np.nan) if column is None else column.read()
            for column, n in zip(columns, rows, strict=True)
        ]
        return np.concatenate(parts, dtype=np.float64)

    return read
