"""Files of features: Zarr folders that grow chunk by chunk, and ``.npz``."""

from __future__ import annotations

import json
import os
import shutil
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern._arrays import require_bytes

__all__ = ["NpzOutput", "Output", "ZarrOutput", "output_for"]


@dataclass
class Output(ABC):
    """Features in chunks of whole rows.

    Attributes
    ----------
    path : Path
    shape : tuple of int
        Rows and features.
    dtype : dtype
    chunk_rows : int
    attributes : dict
        What the features are; an output with others is never written to.
    """

    path: Path
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    chunk_rows: int
    attributes: dict[str, Any]

    @abstractmethod
    def begin(self, arrays: dict[str, npt.NDArray[Any]]) -> list[int]:
        """Make or check the output, with these arrays beside the features; the chunks to do."""

    @abstractmethod
    def write(self, k: int, rows: npt.NDArray[Any]) -> None:
        """Write chunk ``k``: all of it or, when the process dies, nothing."""

    @abstractmethod
    def end(self) -> Path:
        """All chunks are there."""

    @property
    def n_chunks(self) -> int:
        """Number of chunks."""
        return -(-self.shape[0] // self.chunk_rows)

    def rows_of(self, k: int) -> int:
        """Rows of chunk ``k``."""
        return min(self.chunk_rows, self.shape[0] - k * self.chunk_rows)

    def _require_same(self, found: dict[str, Any]) -> None:
        """Raise unless the attributes are those of these features."""
        differ = _differences(found, json.loads(json.dumps(self.attributes)))
        if differ:
            raise ValueError(
                f"output: {self.path} holds other features: {'; '.join(differ)}; remove it, or "
                "name another output"
            )

    def _make_folder(self) -> None:
        folder = self.path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(f"output: cannot make the folder {folder}: {error.strerror}") from error

    def _require_space(self, n_bytes: int) -> None:
        free = shutil.disk_usage(self.path.parent).free
        if n_bytes > free:
            raise OSError(
                f"output: {n_bytes} bytes are to be written to {self.path}, {free} are free there"
            )


class ZarrOutput(Output):
    """A Zarr folder.

    The chunks are written here, not by zarr: a file is there completely, on disk, or not at all,
    and its name and size tell that it is done.
    """

    def begin(self, arrays: dict[str, npt.NDArray[Any]]) -> list[int]:
        """As `Output.begin`."""
        _zarr()
        self._make_folder()
        if self.path.exists():
            self._check()
        else:
            self._make(arrays)
        missing = [k for k in range(self.n_chunks) if not self._is_done(k)]
        self._require_space(len(missing) * self._chunk_bytes)
        for leftover in (self.path / "features").rglob(".*.tmp"):
            leftover.unlink(missing_ok=True)
        return missing

    def write(self, k: int, rows: npt.NDArray[Any]) -> None:
        """As `Output.write`; rows that a chunk lacks are NaN."""
        full = rows
        if len(rows) < self.chunk_rows:
            full = np.full((self.chunk_rows, self.shape[1]), np.nan, self.dtype)
            full[: len(rows)] = rows
        little = np.ascontiguousarray(full, dtype=self.dtype.newbyteorder("<"))
        path = self._chunk(k)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.parent / f".{path.name}.{os.getpid()}.tmp"
        with open(temporary, "wb") as file:
            file.write(little.data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)

    def end(self) -> Path:
        """As `Output.end`; the attribute ``complete`` says so from now on."""
        group = _zarr().open_group(self.path, mode="r+")
        if group.attrs["complete"] is not True:
            group.update_attributes({"complete": True})
        return self.path

    @property
    def _chunk_bytes(self) -> int:
        return self.chunk_rows * self.shape[1] * self.dtype.itemsize

    def _chunk(self, k: int) -> Path:
        return self.path / "features" / "c" / str(k) / "0"

    def _is_done(self, k: int) -> bool:
        path = self._chunk(k)
        return path.is_file() and path.stat().st_size == self._chunk_bytes

    def _make(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        """A group without features, made beside its place and moved there when it is complete."""
        zarr = _zarr()
        temporary = self.path.parent / f".{self.path.name}.{os.getpid()}.tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        attributes = {**self.attributes, "complete": False}
        try:
            group = zarr.create_group(temporary, zarr_format=3, attributes=attributes)
            group.create_array(
                "features",
                shape=self.shape,
                dtype=self.dtype,
                chunks=(self.chunk_rows, self.shape[1]),
                compressors=None,
                fill_value=np.nan,
                dimension_names=(self.attributes["rows"], "features"),
            )
            for name, values in arrays.items():
                group.create_array(name, data=np.ascontiguousarray(values), compressors=None)
            os.replace(temporary, self.path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _check(self) -> None:
        try:
            group = _zarr().open_group(self.path, mode="r")
            features = group["features"]
            found = (features.shape, features.chunks, features.dtype)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"output: {self.path} exists and is no folder of features ({error!r}); remove it, "
                "or name another output"
            ) from error
        self._require_same(dict(group.attrs))
        wanted = (self.shape, (self.chunk_rows, self.shape[1]), self.dtype)
        if found != wanted:
            raise ValueError(
                f"output: {self.path} has shape, chunks and type {found}, expected {wanted}; give "
                "the same chunk_bytes again, or remove it"
            )


class NpzOutput(Output):
    """One ``.npz`` file, for features that fit in memory; not resumed."""

    def begin(self, arrays: dict[str, npt.NDArray[Any]]) -> list[int]:
        """As `Output.begin`."""
        self._make_folder()
        if self.path.exists():
            self._require_same(self._stored_attributes())
            return []
        require_bytes(self.shape, self.dtype, "featurize")
        self._require_space(int(np.prod(self.shape)) * self.dtype.itemsize)
        if not os.access(self.path.parent, os.W_OK):
            raise OSError(f"output: cannot write to the folder {self.path.parent}")
        self._arrays = {"features": np.empty(self.shape, self.dtype), **arrays}
        return list(range(self.n_chunks))

    def write(self, k: int, rows: npt.NDArray[Any]) -> None:
        """As `Output.write`, to memory."""
        start = k * self.chunk_rows
        self._arrays["features"][start : start + len(rows)] = rows

    def end(self) -> Path:
        """As `Output.end`; the file is there completely or not at all."""
        if not self.path.exists():
            temporary = self.path.parent / f".{self.path.stem}.{os.getpid()}.tmp.npz"
            text = json.dumps(self.attributes)
            try:
                np.savez(temporary, allow_pickle=False, **self._arrays, attributes=np.array(text))
                os.replace(temporary, self.path)
            finally:
                temporary.unlink(missing_ok=True)
        return self.path

    def _stored_attributes(self) -> dict[str, Any]:
        try:
            with np.load(self.path) as content:
                return dict(json.loads(str(content["attributes"])))
        except (OSError, ValueError, KeyError) as error:
            raise ValueError(
                f"output: {self.path} exists and is no file of features ({error!r}); remove it, "
                "or name another output"
            ) from error


def _differences(found: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """What attributes say of features that are others than those wanted, in words."""
    differ = [name for name in wanted if found.get(name) != wanted[name]]
    words = []
    if "representation" in differ:
        words.append(_other_model(found.get("representation"), wanted["representation"]))
    if "dataset" in differ:
        words.append(f"the data are {found.get('dataset')!r}, not {wanted['dataset']!r}")
    elif "structures_sha256" in differ or "file_sha256" in differ:
        words.append(f"the data {wanted['dataset']!r} are not the same (SHA-256)")
    for name, what in (("molkern", "molkern"), ("values_version", "the version of its numbers")):
        if name in differ:
            words.append(f"{what} was {found.get(name)}, not {wanted[name]}")
    return words or [f"their {name} are others" for name in differ]


def _other_model(found: Any, wanted: dict[str, Any]) -> str:
    """Class, or the parameters that differ, of two representations."""
    if not isinstance(found, dict) or found.get("class") != wanted["class"]:
        old = found.get("class") if isinstance(found, dict) else found
        return f"the representation is {old}, not {wanted['class']}"
    old, new = found.get("parameters", {}), wanted["parameters"]
    changed = [name for name in {**new, **old} if old.get(name) != new.get(name)]
    each = (f"{name}={_cut(old.get(name))}, not {_cut(new.get(name))}" for name in changed)
    return f"{wanted['class']} has {', '.join(each)}"


def _cut(value: Any) -> str:
    """A value for a message; long lists cut."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:56]} ..."


def output_for(
    path: Path,
    shape: tuple[int, int],
    dtype: np.dtype[Any],
    chunk_rows: int,
    attributes: dict[str, Any],
) -> Output:
    """The kind of output that the ending of a path means.

    Raises
    ------
    ValueError
        For another ending than ``.zarr`` and ``.npz``.
    """
    kinds: dict[str, type[Output]] = {".zarr": ZarrOutput, ".npz": NpzOutput}
    if path.suffix not in kinds:
        raise ValueError(f"output: expected the ending .zarr or .npz, found {path.name!r}")
    return kinds[path.suffix](path, shape, dtype, chunk_rows, attributes)


def _zarr() -> Any:
    try:
        import zarr
    except ImportError as error:
        raise ImportError(
            'output: a .zarr folder needs zarr: pip install "molkern[zarr]"'
        ) from error
    return zarr
