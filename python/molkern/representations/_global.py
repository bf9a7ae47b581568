"""What the representations with one row for each structure share: features and derivatives."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern._arrays import checked_out, floats, require_bytes
from molkern._device import (
    Place,
    deliver,
    in_pieces,
    on_device,
    place_of,
    positions_on,
    require_none,
    taken,
)
from molkern.representations._base import Representation, real_type
from molkern.representations._jacobian import Jacobian
from molkern.representations._output import contained, output_of
from molkern.structures import Structures, as_structures

__all__ = ["GlobalRepresentation"]


class GlobalRepresentation(Representation):
    """Base: one row of features for each structure."""

    @abstractmethod
    def _compute(self, structures: Structures, out: npt.NDArray[Any]) -> None:
        """Write the features of all structures into ``out``."""

    @abstractmethod
    def _compute_vjp(
        self, structures: Structures, gX: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """Gradient of ``sum(gX * transform(structures))``."""

    @abstractmethod
    def _compute_jacobian(self, structures: Structures, out: npt.NDArray[Any]) -> None:
        """Write the derivatives with respect to each atom, (n_atoms, 3, n_features)."""

    def _check_for_device(self, structures: Structures) -> None:
        """Raise for what is wrong whatever the positions on a device are."""

    def _compute_on_device(self, structures: Structures, place: Place, positions: Any) -> Any:
        """Features as an array of the compiled module; positions are one of those."""
        raise ValueError(f"device: {type(self).__name__} is computed on the host only")

    def _compute_vjp_on_device(
        self, structures: Structures, place: Place, positions: Any, gX: Any
    ) -> Any:
        """Gradient as an array of the compiled module, in float64; as are positions and gX."""
        raise ValueError(f"device: {type(self).__name__}.vjp is computed on the host only")

    def transform(
        self,
        structures: Any,
        out: npt.NDArray[Any] | None = None,
        *,
        device: Any = None,
        positions: Any = None,
    ) -> Any:
        """Features of structures, one row each.

        Parameters
        ----------
        structures : Structures, or list of ase.Atoms or of (numbers, positions)
            Positions in Å.
        out : ndarray of shape (n_structures, n_features_out_), optional
            Where the result goes: C-contiguous, of type ``dtype``. None: a new array.
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
        ndarray of shape (n_structures, n_features_out_)
            In the order of ``get_feature_names_out()``; unit as the class states. ``out`` if given.
            With `set_output` a DataFrame or ``Features`` of them.
            On a device an array of the library of ``positions``; without them one that
            ``torch.from_dlpack`` takes, and the like, and that has ``to_numpy()``.

        Raises
        ------
        ValueError
            If a structure does not fit the fitted shape, or two of its atoms are closer than
            0.001 Å; the message names it. ``out`` then holds unspecified values.
        MemoryError
            If the result does not fit in memory, with its size in bytes.
        """
        self._require_fitted()
        batch = as_structures(structures)
        place = place_of(device, batch, positions=positions)
        if place is not None and out is None:
            there = positions_on(place, batch, positions)
            return deliver(place, self._compute_on_device(batch, place, there))
        if place is not None and positions is not None:
            raise ValueError("out: expected None with positions on a device, found an array")
        require_none(positions)
        output = output_of(self)
        shape = (len(batch), self.n_features_out_)
        dtype = real_type(self.dtype)
        if out is None:
            require_bytes(shape, dtype, f"{type(self).__name__}.transform")
            out = np.empty(shape, dtype)
        else:
            checked_out(out, shape, dtype)
        if place is not None:
            self._check_for_device(batch)
            return in_pieces(
                place, batch, out, lambda part: self._piece(place, part), per_atom=False
            )
        self._compute(batch, out)
        return contained(self, output, out, batch, "structures")

    def _piece(self, place: Place, batch: Structures) -> Any:
        return self._compute_on_device(batch, place, positions_on(place, batch, None))

    def vjp(
        self,
        structures: Any,
        gX: npt.ArrayLike,
        *,
        device: Any = None,
        positions: Any = None,
    ) -> Any:
        """Gradient of ``sum(gX * transform(structures))`` with respect to positions.

        Computed in float64 whatever ``dtype`` is. Where the features have no derivative (the class
        says where) it is that of the order which ``transform`` chose.

        Parameters
        ----------
        structures : Structures, or list of ase.Atoms or of (numbers, positions)
            Positions in Å.
        gX : array_like of float, shape (n_structures, n_features_out_)
            The derivative of a scalar with respect to the features; on a device float32 or float64.
        device : {None, "cpu", "cuda", "cuda:<number>"} or torch.device
            Where to compute. None: where ``positions``, ``gX`` or ``structures`` are.
        positions : array on a device, shape (n_atoms, 3), optional
            As for ``transform``.

        Returns
        -------
        ndarray of float64, shape (n_atoms, 3)
            Per Å, in the order of the atoms of the batch; a gradient, not a force. On a device an
            array of the library of ``positions``, else of ``gX``.

        Raises
        ------
        ValueError
            As ``transform``, and for ``gX`` of another shape.
        TypeError
            For ``gX`` that is not real.
        """
        self._require_fitted()
        batch = as_structures(structures)
        there = {k: a for k, a in (("positions", positions), ("gX", gX)) if on_device(a)}
        if place := place_of(device, batch, **there):
            at = positions_on(place, batch, positions)
            cotangent = gX if "gX" in there else floats("gX", gX)
            result = self._compute_vjp_on_device(batch, place, at, taken(place, "gX", cotangent))
            return deliver(place, result)
        require_none(positions)
        cotangent = floats("gX", gX)
        shape = (len(batch), self.n_features_out_)
        if cotangent.shape != shape:
            raise ValueError(f"gX: expected shape {shape}, found {cotangent.shape}")
        return self._compute_vjp(batch, cotangent)

    def jacobian(self, structures: Any) -> Jacobian:
        """Derivatives of the features with respect to positions.

        Computed in float64 and rounded once to ``dtype``. Where the features have no derivative
        (the class says where) it is that of the order which ``transform`` chose.

        Parameters
        ----------
        structures : Structures, or list of ase.Atoms or of (numbers, positions)
            Positions in Å.

        Returns
        -------
        Jacobian
            One block for each atom, in the order of the batch: ``center`` is its structure,
            ``values`` has shape (n_atoms, 3, n_features_out_).

        Raises
        ------
        ValueError
            As ``transform``.
        MemoryError
            If the blocks do not fit in memory, with their size in bytes.
        """
        self._require_fitted()
        batch = as_structures(structures)
        shape = (batch.n_atoms, 3, self.n_features_out_)
        dtype = real_type(self.dtype)
        require_bytes(shape, dtype, f"{type(self).__name__}.jacobian")
        values = np.empty(shape, dtype)
        self._compute_jacobian(batch, values)
        center = np.repeat(np.arange(len(batch)), batch.sizes)
        return Jacobian(center, np.arange(batch.n_atoms), values, len(batch), batch.n_atoms)
