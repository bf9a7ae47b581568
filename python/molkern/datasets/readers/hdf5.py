"""HDF5: groups by what they hold, whatever their names."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern.datasets.contents import Column, Contents, Stated
from molkern.datasets.files import bad_file, needed
from molkern.datasets.headers import Header, Missing, by_lower_case
from molkern.datasets.layouts import contents_of
from molkern.datasets.limits import Limit
from molkern.datasets.names import NUMBERS, words_of
from molkern.datasets.readers.hdf5_groups import joined
from molkern.datasets.readers.pieces import Progress
from molkern.datasets.stated import unit_words_of

__all__ = ["read_hdf5"]

Array = npt.NDArray[Any]

_DEEPEST = 50  # groups in groups
# Groups of labels in the group of a structure, as MACE's prepared files have them.
_LABELS = ("properties", "property", "labels", "targets", "results", "info")
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
            notes: list[str] = []
            parts = list(_parts(h5py, file, limit, progress, path, notes))
            if not parts:
                held = ", ".join(sorted(map(str, file))[:20])
                raise ValueError(
                    f"no group holds positions and atomic numbers of the same atoms; found {held}"
                )
            whole = joined(parts, _words(file.attrs))
            whole.notes += notes
            return whole
    except ValueError as error:
        raise bad_file(path, str(error)) from error
    except (OSError, RuntimeError, KeyError, TypeError, AttributeError) as error:
        words = " ".join(str(error).split())
        raise bad_file(path, f"not a readable HDF5 file (truncated?): {words}") from error


def _parts(
    h5py: Any,
    file: Any,
    limit: Limit,
    progress: Progress | None,
    path: Path,
    notes: list[str],
) -> Iterator[tuple[str, Contents]]:
    """Contents of each group that holds structures, all of it read; ``notes`` on the others."""
    groups = _groups(h5py, file)
    size = path.stat().st_size
    around: dict[str, dict[str, str]] = {"/": {}}
    skipped: list[str] = []
    others: list[str] = []
    holding: set[str] = set()
    dangling: list[str] = []
    for k, group in enumerate(groups):
        headers = dict(_headers(h5py, group, limit, dangling))
        own = by_lower_case(headers)
        if not own:
            continue
        _add_labels(h5py, group, headers, limit)
        try:
            contents = contents_of(headers, alone=True)
        except Missing as error:
            if any(name in own for name in NUMBERS):
                skipped.append(f"{group.name}: {error}")
            elif not _is_of_labels(group.name, holding):
                others.append(f"{group.name} ({', '.join(list(own.values())[:5])})")
            continue
        except ValueError as error:
            raise ValueError(f"group {group.name}: {error}") from error
        holding.add(group.name)
        columns = contents.columns
        contents.columns = {
            name: Column(c.shape, partial(np.asarray, c.read()), c.per_atom, c.stated)
            for name, c in columns.items()
            if len(c.shape) == 1 or c.per_atom or c.width <= 9
        }
        for name in columns.keys() - contents.columns.keys():
            contents.unused[name] = f"{name}: {columns[name].width} numbers for each structure"
        contents.words |= _words_around(file, group.name, around) | _words(group.attrs)
        apart = [str(name) for name in group if _is_high_energy(group, str(name))]
        if apart:
            contents.notes.append(f"{', '.join(sorted(apart))}: high energies kept apart, left out")
        yield group.name, contents
        if progress is not None:
            progress(f"reading {path.name}", size * (k + 1) // len(groups), size)
    if skipped:
        notes.append(
            f"{len(skipped)} groups with atomic numbers are not read, first {skipped[0][:300]}"
        )
    if others:
        notes.append(f"{len(others)} groups without structures are not read, first {others[0]}")
    if dangling:
        notes.append(f"{len(dangling)} links lead nowhere, first {dangling[0]}")


def _groups(h5py: Any, file: Any) -> list[Any]:
    """All groups, the file's own among them, each of them once."""
    names: list[bytes] = [b"/"]

    def visit(name: bytes, found: Any) -> None:
        if name.count(b"/") >= _DEEPEST:
            shown = name[:40].decode("utf-8", "replace")
            raise ValueError(f"groups stand in each other more than {_DEEPEST} deep, in {shown}")
        if found.type == h5py.h5o.TYPE_GROUP and name != b".":
            names.append(name)

    h5py.h5o.visit(file.id, visit, info=True)
    return [file[name] for name in names]


def _add_labels(h5py: Any, group: Any, headers: dict[str, Header], limit: Limit) -> None:
    """Labels in a group of their own, and numbers in the attributes; where the name is free."""
    for name in [name for name in group if name in _LABELS]:
        inner = _followed(group, name)
        if isinstance(inner, h5py.Group):
            for key, header in _headers(h5py, inner, limit, []):
                headers.setdefault(key, header)
    for key in group.attrs:
        value = np.asarray(group.attrs[key])
        if value.dtype.kind in "fiub" and value.size:
            value = value.reshape(()) if value.size == 1 else value
            header = Header(value.shape, value.dtype, partial(np.asarray, value))
            headers.setdefault(str(key), header)


def _words_around(file: Any, name: str, known: dict[str, dict[str, str]]) -> dict[str, str]:
    """Texts in the attributes of the groups around one, but for the file's own."""
    place = name.rpartition("/")[0] or "/"
    if place not in known:
        known[place] = _words_around(file, place, known) | _words(file[place].attrs)
    return known[place]


def _headers(
    h5py: Any, group: Any, limit: Limit, dangling: list[str]
) -> Iterator[tuple[str, Header]]:
    """Arrays of a group, none of them read yet; ``dangling`` gets links that lead nowhere.

    Raises
    ------
    ValueError
        For an array whose values are in another file: it would be read with the user's rights.
    """
    for name in group:
        if group.id.links.get_info(name.encode()).type == h5py.h5l.TYPE_EXTERNAL:
            link = group.get(name, getlink=True)
            raise ValueError(
                f"{group.name}/{name} is a link to another file ({link.filename!r}); such files "
                "are not read: copy the data into one"
            )
        item = _followed(group, name)
        if item is None:
            dangling.append(f"{group.name.rstrip('/')}/{name}")
        if not isinstance(item, h5py.Dataset) or item.shape is None:  # no shape: no values
            continue
        if _is_high_energy(group, str(name)):
            continue
        if item.external is not None or (item.is_virtual and not _is_within(item)):
            raise ValueError(
                f"{item.name} has its values in another file; such files are not read: copy the "
                "data into one"
            )
        yield str(name), _header(h5py, item, limit)


def _is_of_labels(name: str, holding: set[str]) -> bool:
    """Whether a group is one of labels in a group that holds structures."""
    place, _, last = name.rpartition("/")
    return last in _LABELS and (place or "/") in holding


def _followed(group: Any, name: str) -> Any:
    """What a link leads to; None if it leads nowhere."""
    try:
        return group[name]
    except (KeyError, RuntimeError):  # to nothing, or in a circle
        return None


def _is_within(item: Any) -> bool:
    """Whether a virtual array has all its values in the same file."""
    return all(source.file_name == "." for source in item.virtual_sources())


def _is_high_energy(group: Any, name: str) -> bool:
    return name.endswith(_HIGH_ENERGY) and name.removesuffix(_HIGH_ENERGY) in group


def _header(h5py: Any, item: Any, limit: Limit) -> Header:
    needed_bytes = int(np.prod([*item.shape, item.dtype.itemsize], dtype=object))

    def read() -> Array:
        limit.take(needed_bytes, f"{item.name}, which declares shape {item.shape},")
        if h5py.check_dtype(ref=item.dtype) is not None:
            raise ValueError(f"{item.name} holds references, which are not read")
        return _meant(np.asarray(item[()]), item.attrs)

    return Header(tuple(item.shape), item.dtype, read, _unit(item))


def _meant(values: Array, attributes: Any) -> Array:
    """Values as the attributes of netCDF say that they are meant."""
    if values.dtype.kind not in "fiu" or not len(attributes):
        return values

    def attribute(plain: float, *keys: str) -> float:
        found = [attributes[key] for key in keys if key in attributes]
        return float(np.asarray(found[0]).reshape(-1)[0]) if found else plain

    missing = attribute(np.nan, "_FillValue", "missing_value", "fill_value")
    scale, shift = attribute(1.0, "scale_factor"), attribute(0.0, "add_offset")
    empty = values == missing
    if empty.any():
        values = np.where(empty, np.nan, values)
    return values if scale == 1.0 and shift == 0.0 else values * scale + shift


def _unit(item: Any) -> Stated | None:
    """The unit in the attributes of an array."""
    for key in item.attrs:
        if words_of(str(key)) == "u" or unit_words_of(str(key)) is not None:
            text = _as_text(item.attrs[key]).strip()
            if text:
                return Stated(text, f"attribute {key!r}")
    return None


def _words(attributes: Any) -> dict[str, str]:
    return {str(key): text for key in attributes if (text := _as_text(attributes[key]))}


def _as_text(value: Any) -> str:
    if isinstance(value, np.ndarray):
        if value.size != 1:
            return ""
        value = value.reshape(-1)[0]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value) if isinstance(value, str) else ""
