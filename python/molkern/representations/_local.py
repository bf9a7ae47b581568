"""What the representations of the surroundings of each atom share."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from molkern import _core
from molkern._arrays import checked_out, require_bytes, single_or_double, unmasked
from molkern._device import Place, in_pieces
from molkern._device_structures import kept
from molkern.elements import species_numbers, symbol_of
from molkern.representations._base import Representation, real_type, require_atoms
from molkern.representations._jacobian import Layout
from molkern.representations._local_device import check, gradient_on, place_for, values_on
from molkern.representations._output import contained, output_of
from molkern.structures import Structures, as_structures

__all__ = ["LocalRepresentation"]


class LocalRepresentation(Representation):
    """Base: one row of features for each atom, or sums of them for each structure.

    A subclass has the parameters ``species``, ``average``, ``dtype`` and ``n_threads`` besides its
    own, and makes the compiled kernel in ``_make_kernel``.
    """

    species: Sequence[str | int] | None
    average: str | None
    n_threads: int | None
    dtype: str

    @abstractmethod
    def _make_kernel(self, species: npt.NDArray[np.int32], module: Any = _core) -> Any:
        """The kernel of a compiled module; checks the parameters."""

    def fit(self, structures: Any, y: Any = None) -> Self:
        """Check the parameters and fix the species.

        Parameters
        ----------
        structures : Structures, or list of ase.Atoms or of (numbers, positions)
            Only their species matter, and only if ``species`` is None.
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For wrong parameters, a species that is not among those given, or no atoms and no
            ``species``.
        TypeError
            For parameters of a wrong type.
        """
        self._check_common()
        self._average_name()
        batch = as_structures(structures)
        if self.species is None:
            require_atoms(batch, "species")
            species = np.asarray(batch.species, dtype=np.int32)
        else:
            species = np.unique(np.array(species_numbers(self.species), dtype=np.int32))
            self._require_known(batch, species)
        self._kernel = self._make_kernel(species)
        self.species_ = species
        self._fitted_with = copy.deepcopy(self.get_params())
        return self

    def __getstate__(self) -> dict[str, Any]:
        # The compiled kernel is made again from the parameters of the fit where it is needed.
        compiled = ("_kernel", "_on_device")
        return {name: value for name, value in self.__dict__.items() if name not in compiled}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if "species_" in state:
            self._kernel = self._kernel_of_fit()

    def _kernel_of_fit(self, module: Any = _core) -> Any:
        return type(self)(**self._fitted_with)._make_kernel(self.species_, module)

    def _kernels(self, place: Place) -> tuple[Any, Any]:
        """Those of host and device; that of the device is kept until the next fit."""
        key = (self._kernel, place.module)
        if self._on_device is None or self._on_device[0] != key:
            self._on_device = key, self._kernel_of_fit(place.module)
        return self._kernel, self._on_device[1]

    def transform(
        self,
        structures: Any,
        out: npt.NDArray[Any] | None = None,
        *,
        centers: npt.ArrayLike | None = None,
        device: Any = None,
        positions: Any = None,
    ) -> Any:
        """Features.

        Parameters
        ----------
        structures : Structures, or list of ase.Atoms or of (numbers, positions)
            Positions and cells in Å.
        out : ndarray, C-contiguous, of the shape and dtype of the result, optional
        centers : array_like of int, ascending, optional
            Rows of the batch that are represented; all atoms are neighbours. None: all of them.
        device : {None, "cpu", "cuda", "cuda:<number>"} or torch.device
            Where to compute. None: where ``positions`` or ``structures`` (see ``cuda.to_device``)
            are, else on the host. With ``out`` the
            result comes back to the host, and a batch may be larger than the device's memory: it
            streams through in pieces.
        positions : array on a device, shape (n_atoms, 3), optional
            Instead of those of ``structures``, Å, float64 or float32, without ``out``: of torch,
            CuPy, JAX or anything with ``__dlpack__``.

        Returns
        -------
        ndarray, shape (n_centers, n_features) or with an average (n_structures, n_features)
            On a device an array of the library of ``positions``; without them one that
            ``torch.from_dlpack`` takes, and the like, and that has ``to_numpy()``.
            With `set_output` a DataFrame or ``Features`` of them, if computed on the host.

        Raises
        ------
        ValueError
            For a species that was not fitted, coincident atoms, a wrong ``out`` or ``centers``, and
            where neighbours can not be searched (see ``neighbors.neighbor_list``).
        MemoryError
            If the result does not fit in memory, with its size in bytes.
        """
        self._require_fitted()
        batch = as_structures(structures)
        self._require_fitted_species(batch)
        rows = _rows(centers)
        dtype = real_type(self.dtype)
        place = place_for(device, batch, positions)
        if place is not None and out is None:
            return self._values_on(place, batch, positions, rows)
        if place is not None and (positions is not None or rows is not None):
            raise ValueError(
                "out: expected None with positions on a device, or with centers there; found an "
                "array"
            )
        output = output_of(self)
        if output == "features" and rows is not None and self.average is None:
            raise ValueError(
                'centers: expected None with set_output(transform="features"), which needs all '
                "atoms, found a list of rows"
            )
        shape = (self._n_rows(batch, rows), self.n_features_out_)
        warm = out is not None
        if out is None:
            require_bytes(shape, dtype, f"{type(self).__name__}.transform")
            out = np.empty(shape, dtype)
        else:
            checked_out(out, shape, dtype)
        if place is not None:
            check(self._kernel, batch, None, self._average_name())
            return in_pieces(
                place,
                batch,
                out,
                lambda part: self._values_on(place, part, None, None),
                per_atom=self.average is None,
            )
        _core.local_values(
            self._kernel, *_arrays(batch), rows, self._average_name(), out, warm, self.n_threads
        )
        kind = "atoms" if self.average is None else "structures"
        return contained(self, output, out, batch, kind)

    def _values_on(
        self, place: Place, batch: Structures, positions: Any, rows: npt.NDArray[np.int64] | None
    ) -> Any:
        kernels, single = self._kernels(place), real_type(self.dtype) == np.float32
        name = self._average_name()
        return values_on(place, kernels, batch, positions, rows, name, single)

    def vjp(
        self,
        structures: Any,
        gX: npt.ArrayLike,
        *,
        strain: bool = False,
        centers: npt.ArrayLike | None = None,
        device: Any = None,
        positions: Any = None,
    ) -> Any:
        """Gradient of ``sum(gX * transform(structures))`` with respect to positions.

        Parameters
        ----------
        structures : Structures, or list of ase.Atoms or of (numbers, positions)
        gX : array_like of float, of the shape of ``transform(structures)``
            The derivative of a scalar with respect to the features; may be on a device.
        strain : bool, default=False
            Whether the derivative with respect to strain is wanted, too.
        centers, device, positions
            As in ``transform``; None as device: where ``positions``, ``gX`` or ``structures`` are.

        Returns
        -------
        gradient : ndarray of float64, shape (n_atoms, 3)
            Per Å; a gradient, not a force.
        strain : ndarray of float64, shape (n_structures, 3, 3), only if asked for
            Derivative with respect to e in positions and cells times (1 + e), at e = 0. Divided by
            the volume it is the stress.

        Raises
        ------
        ValueError
            As ``transform``, and for ``gX`` of another shape.
        TypeError
            For ``gX`` that is not real.
        """
        self._require_fitted()
        batch = as_structures(structures)
        self._require_fitted_species(batch)
        rows = _rows(centers)
        _require_bool("strain", strain)
        if place := place_for(device, batch, positions, gX):
            kernels, name = self._kernels(place), self._average_name()
            return gradient_on(place, kernels, batch, positions, rows, name, gX, strain)
        cotangent = single_or_double("gX", gX)
        shape = (self._n_rows(batch, rows), self.n_features_out_)
        if cotangent.shape != shape:
            raise ValueError(f"gX: expected shape {shape}, found {cotangent.shape}")
        gradient, strains = _core.local_vjp(
            self._kernel,
            *_arrays(batch),
            rows,
            self._average_name(),
            cotangent,
            strain,
            self.n_threads,
        )
        return (gradient, strains) if strain else gradient

    def jacobian(
        self,
        structures: Any,
        out: npt.NDArray[Any] | None = None,
        *,
        compact: bool = False,
        centers: npt.ArrayLike | None = None,
    ) -> Any:
        """Derivatives of the features of each atom with respect to the positions of all.

        Computed in float64 and rounded once to ``dtype``.

        Parameters
        ----------
        structures : Structures, or list of ase.Atoms or of (numbers, positions)
        out : ndarray, C-contiguous, of the shape and dtype of the values, or longer, optional
            What the values are written to; their number depends on the structures. Memory that was
            used before, such as ``values`` of an earlier result, saves what new pages cost.
        compact : bool, default=False
            Whether features that do not depend on an atom because of the species around the centre
            are left out of its block.
        centers : array_like of int, ascending, optional
            As in ``transform``.

        Returns
        -------
        Jacobian or, with ``compact``, CompactJacobian
            One block for each centre and itself, and for each of its neighbours, those ordered by
            species. Of the features of atoms, whatever ``average`` is. ``values`` has the shape
            (n_blocks, 3, n_features), with ``compact`` one dimension.

        Raises
        ------
        ValueError
            As ``transform``; for ``out`` that is too short, with the shape that is needed.
        MemoryError
            If the blocks do not fit in memory, with their size in bytes.
        """
        self._require_fitted()
        batch = as_structures(structures)
        self._require_fitted_species(batch)
        rows = _rows(centers)
        _require_bool("compact", compact)
        arrays = _arrays(batch)
        counts = _core.local_neighbor_counts(self._kernel, *arrays, rows, self.n_threads)
        if compact:
            numbers = batch.numbers if rows is None else batch.numbers[rows]
            kinds = np.searchsorted(self.species_, numbers)
            layout = Layout.compact(counts, self._kernel, kinds)
        else:
            layout = Layout.dense(counts, self._kernel)
        values = self._room(layout.shape, out)
        center, atom = _core.local_jacobian(
            self._kernel,
            *arrays,
            rows,
            layout.first,
            layout.start,
            compact,
            values.reshape(-1),
            out is not None,
            self.n_threads,
        )
        return layout.jacobian(center, atom, values, batch.n_atoms)

    def _room(self, shape: tuple[int, ...], out: npt.NDArray[Any] | None) -> npt.NDArray[Any]:
        """New memory for derivatives, or the beginning of ``out``."""
        dtype = real_type(self.dtype)
        if out is None:
            require_bytes(shape, dtype, f"{type(self).__name__}.jacobian")
            return np.empty(shape, dtype)
        if isinstance(out, np.ndarray) and out.ndim == len(shape) and len(out) > shape[0]:
            out = out[: shape[0]]
        checked_out(out, shape, dtype)
        return out

    def _n_features(self) -> int:
        return int(self._kernel.n_features)

    _kernel: Any
    # The kernels of host and device that belong together, the latter once it was needed.
    _on_device: tuple[Any, Any] | None = None
    # What `average` may be besides None, and the names of the compiled module.
    _averages: ClassVar[dict[str, str]] = {"sum": "sum", "mean": "mean"}

    def _fitted(self) -> bool:
        return hasattr(self, "species_")

    def _average_name(self) -> str:
        if self.average is None:
            return "none"
        if not isinstance(self.average, str) or self.average not in self._averages:
            allowed = ["None", *(f'"{name}"' for name in self._averages)]
            raise ValueError(
                f"average: expected {', '.join(allowed[:-1])} or {allowed[-1]}, "
                f"found {self.average!r}"
            )
        return self._averages[self.average]

    def _n_rows(self, batch: Structures, rows: npt.NDArray[np.int64] | None) -> int:
        if self.average is not None:
            return len(batch)
        return batch.n_atoms if rows is None else len(rows)

    def _require_fitted_species(self, batch: Structures) -> None:
        key = "known", self.species_.tobytes()
        kept(batch, key, lambda: self._require_known(batch, self.species_))

    @staticmethod
    def _require_known(batch: Structures, species: npt.NDArray[np.int32]) -> None:
        known = np.isin(batch.numbers, species)  # a third of the time of sorting for the species
        if not known.all():
            unknown = np.unique(batch.numbers[~known])
            atom = int(np.argmin(known))
            which = int(np.searchsorted(batch.offsets, atom, side="right")) - 1
            here = np.intersect1d(batch[which].species, unknown)
            raise ValueError(
                f"species: molecule {which} has {_symbols(here)}; "
                f"expected some of {_symbols(species)}"
                + (f"; unknown in all molecules: {_symbols(unknown)}" if len(batch) > 1 else "")
            )


def _symbols(species: npt.NDArray[np.int32]) -> str:
    return ", ".join(map(symbol_of, species.tolist()))


def _require_bool(name: str, value: Any) -> None:
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name}: expected True or False, found {value!r}")


def _rows(centers: npt.ArrayLike | None) -> npt.NDArray[np.int64] | None:
    if centers is None:
        return None
    rows = np.asarray(unmasked("centers", centers))
    if rows.shape == (0,):
        return np.empty(0, np.int64)  # no type tells that a list without elements is one of rows
    if rows.ndim != 1 or rows.dtype.kind not in "iu":
        raise ValueError(
            f"centers: expected a list of rows, found {rows.dtype} of shape {rows.shape}"
        )
    return rows.astype(np.int64)


def _arrays(batch: Structures) -> tuple[Any, Any, Any, Any, Any]:
    return batch.numbers, batch.positions, batch.offsets, batch.cells, batch.pbc
