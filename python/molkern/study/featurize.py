"""Features of a whole data set on disk, computed in chunks that nobody has to hold all of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import molkern
from molkern import datasets
from molkern._arrays import checked_threads
from molkern.datasets import Dataset
from molkern.structures import Structures
from molkern.study import models
from molkern.study.executor import Task, as_executor
from molkern.study.feature_files import Output, output_for
from molkern.study.progress import Progress, ProgressCallback
from molkern.study.store import VALUES_VERSION, structures_hash

__all__ = ["CHUNK_BYTES", "FeaturePlan", "featurize", "plan_features"]

CHUNK_BYTES = 64 * 2**20

Part = tuple[Structures, int, int, int]


def featurize(
    data: Dataset | Structures | str | Path,
    representation: Any,
    output: str | Path,
    *,
    chunk_bytes: int = CHUNK_BYTES,
    executor: Any = None,
    n_threads: int | None = None,
    progress: ProgressCallback | None = None,
) -> Path:
    """Write the features of all structures to a file, a chunk of rows at a time.

    Parameters
    ----------
    data : Dataset, Structures, or name or path for `molkern.datasets.load`
        Structures, not features, are held in memory: 28 bytes for each atom.
    representation : representation, str or mapping
        As in `accuracy`; a fresh copy is fitted to the compositions of all structures. With
        ``average=None`` rows are atoms, else structures.
    output : str or Path
        ``.zarr``: a Zarr (version 3) folder, written chunk by chunk; what a killed run finished is
        kept, and the same call continues. ``.npz``: one file, written at the end, for what fits in
        memory. Both are the same bytes for any executor and number of threads. Folders around it
        that are missing are made.
    chunk_bytes : int, default=64 MiB
        Size of a chunk of whole rows, at least one row. Another size is another folder.
    executor : None, int, str, Executor or dask.distributed.Client, optional
        Where chunks are computed, as in `accuracy`; this process writes them.
    n_threads : int, optional
        Of each worker.
    progress : callable, optional
        Called with a `Progress` of stage ``"features"`` after each chunk.

    Returns
    -------
    Path
        The output. Arrays: ``features`` (n_rows, n_features), float64 or float32; ``offsets``
        (n_structures + 1,), int64, the first atom of each structure; ``numbers`` (n_atoms,),
        int32. Atoms of structure ``k`` are the rows ``offsets[k]`` to ``offsets[k + 1] - 1`` of
        ``numbers``, and of ``features`` where rows are atoms. Attributes (in ``.npz`` the JSON
        text ``attributes``): ``rows`` ("atoms" or "structures"), ``representation`` (class,
        parameters), ``feature_names``, ``dataset``, ``structures_sha256``, ``file_sha256``,
        ``molkern``, ``values_version``; in Zarr also ``complete``. Rows that are not yet written
        are NaN.

    Raises
    ------
    ValueError
        For wrong parameters, another ending, or an output that holds something else.
    ImportError
        For ``.zarr`` without the package zarr.
    OSError
        When the output cannot be written or the disk has too little space; nothing is computed
        then. When a Dask scheduler cannot be reached.
    MemoryError
        For ``.npz`` when the features do not fit in memory.
    RuntimeError
        When a chunk ends its worker again and again.

    Notes
    -----
    Chunks of a Zarr folder are not compressed: each file holds its rows as they are.

    Examples
    --------
    >>> import tempfile
    >>> import molkern as mk
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = mk.study.featurize("mini-ethanol", "bag_of_bonds", f"{folder}/bags.npz")
    ...     with np.load(path) as content:
    ...         content["features"].shape, content["offsets"][:3].tolist()
    ((2000, 45), [0, 9, 18])
    """
    plan = plan_features(data, representation, chunk_bytes=chunk_bytes)
    return plan.write(output, executor=executor, n_threads=n_threads, progress=progress)


def plan_features(
    data: Dataset | Structures | str | Path, representation: Any, *, chunk_bytes: int = CHUNK_BYTES
) -> FeaturePlan:
    """What `featurize` would write, known before anything is computed.

    Returns
    -------
    FeaturePlan

    Raises
    ------
    ValueError
        For wrong parameters.
    """
    if not isinstance(data, Dataset | Structures):
        data = datasets.load(data, structures_only=True)
    name, sha256 = ("", "") if isinstance(data, Structures) else (data.name, data.sha256)
    structures = data if isinstance(data, Structures) else data.structures
    if len(structures) == 0:
        raise ValueError("data: expected at least one structure, found none")
    if isinstance(chunk_bytes, bool) or not isinstance(chunk_bytes, int) or chunk_bytes < 1:
        raise ValueError(f"chunk_bytes: expected an integer of 1 or more, found {chunk_bytes!r}")
    model = models.representation(representation).fit(structures)
    return FeaturePlan(name, sha256, structures, model, chunk_bytes)


@dataclass(frozen=True)
class FeaturePlan:
    """Features that are to be written.

    Attributes
    ----------
    name, file_sha256 : str
        Of the data; empty for bare structures.
    structures : Structures
    model : representation
        Fitted.
    chunk_bytes : int
    """

    name: str
    file_sha256: str
    structures: Structures
    model: Any
    chunk_bytes: int

    @cached_property
    def per_atom(self) -> bool:
        """Whether rows are atoms."""
        return models.per_atom(self.model)

    @cached_property
    def shape(self) -> tuple[int, int]:
        """Rows and features."""
        n_rows = self.structures.n_atoms if self.per_atom else len(self.structures)
        return n_rows, int(self.model.n_features_out_)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the features."""
        found: np.dtype[Any] = np.dtype(self.model.get_params().get("dtype", "float64"))
        return found

    @property
    def n_bytes(self) -> int:
        """Of all features."""
        return self.shape[0] * self.row_bytes

    @property
    def row_bytes(self) -> int:
        """Of a row."""
        return self.shape[1] * self.dtype.itemsize

    @cached_property
    def chunk_rows(self) -> int:
        """Rows of a chunk; the last one may have less."""
        return min(max(1, self.chunk_bytes // max(1, self.row_bytes)), max(1, self.shape[0]))

    @property
    def n_chunks(self) -> int:
        """Number of chunks."""
        return -(-self.shape[0] // self.chunk_rows)

    @cached_property
    def attributes(self) -> dict[str, Any]:
        """What the features are; equal for equal content."""
        return {
            "rows": "atoms" if self.per_atom else "structures",
            "representation": models.specification(self.model),
            "feature_names": [str(name) for name in self.model.get_feature_names_out()],
            "dataset": self.name,
            "structures_sha256": structures_hash(self.structures),
            "file_sha256": self.file_sha256,
            "molkern": molkern.__version__,
            "values_version": VALUES_VERSION,
        }

    def words(self) -> str:
        """One sentence: rows, features, bytes, chunks.

        Examples
        --------
        >>> plan_features("mini-ethanol", "bag_of_bonds").words()
        '2000 structures x 45 features, float64: 720 kB in 1 chunk of up to 2000 rows'
        """
        n_rows, n_features = self.shape
        chunks = "1 chunk" if self.n_chunks == 1 else f"{self.n_chunks} chunks"
        return (
            f"{n_rows} {self.attributes['rows']} x {n_features} features, {self.dtype}: "
            f"{_size(self.n_bytes)} in {chunks} of up to {self.chunk_rows} rows"
        )

    def write(
        self,
        output: str | Path,
        *,
        executor: Any = None,
        n_threads: int | None = None,
        progress: ProgressCallback | None = None,
    ) -> Path:
        """Compute what the output does not hold yet; see `featurize`."""
        chosen = as_executor(executor)
        checked_threads(n_threads)
        file = output_for(Path(output), self.shape, self.dtype, self.chunk_rows, self.attributes)
        arrays: dict[str, npt.NDArray[Any]]
        arrays = {"offsets": self.structures.offsets, "numbers": self.structures.numbers}
        missing = file.begin(arrays)
        done = self.n_chunks - len(missing)

        def told() -> None:
            if progress is not None:
                progress(Progress("features", done, self.n_chunks, models.label(self.model)))

        def finished(task: Task, rows: npt.NDArray[Any]) -> list[Task]:
            nonlocal done
            _write_checked(file, task.priority[0], rows)
            done += 1
            told()
            return []

        told()
        tasks = [Task((k,), f"chunk {k} of {self.n_chunks}", self._part(k)) for k in missing]
        chosen.run(compute, self.model, tasks, finished, n_threads=n_threads)
        return file.end()

    def _part(self, k: int) -> Part:
        """The structures of a chunk, the number of the first, and the rows that are wanted."""
        start, stop = k * self.chunk_rows, min((k + 1) * self.chunk_rows, self.shape[0])
        if not self.per_atom:
            return self.structures[start:stop], start, 0, stop - start
        offsets = self.structures.offsets
        first = int(np.searchsorted(offsets, start, side="right")) - 1
        last = int(np.searchsorted(offsets, stop, side="left"))
        before = int(offsets[first])
        return self.structures[first:last], first, start - before, stop - before


def compute(model: Any, part: Part, n_threads: int | None) -> Iterator[npt.NDArray[Any]]:
    """The rows of a chunk."""
    structures, first, start, stop = part
    if "n_threads" in model.get_params():
        model.set_params(n_threads=n_threads)
    centers = {"centers": np.arange(start, stop)} if models.per_atom(model) else {}
    try:
        rows = model.transform(structures, **centers)
    except ValueError as error:
        raise ValueError(f"{error} (counted from structure {first} of the data)") from error
    yield rows


def _write_checked(file: Output, k: int, rows: npt.NDArray[Any]) -> None:
    expected = (file.rows_of(k), file.shape[1])
    if rows.shape != expected or rows.dtype != file.dtype:
        raise ValueError(
            f"representation: chunk {k} should have shape {expected} and type {file.dtype}, found "
            f"{rows.shape} and {rows.dtype}"
        )
    file.write(k, rows)


def _size(n_bytes: int) -> str:
    size = float(n_bytes)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"
