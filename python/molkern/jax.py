"""Features as a differentiable function of positions in JAX."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from molkern.structures import Structures, as_structures

__all__ = ["features"]


def features(representation: Any, structures: Structures, positions: Any) -> jax.Array:
    """Features of structures at these positions, through which gradients flow.

    Parameters
    ----------
    representation : fitted representation
        With ``vjp``.
    structures : Structures
        Numbers, offsets and cells; its own positions do not matter.
    positions : jax.Array, shape (n_atoms, 3)
        Å. Under ``jax.jit`` and ``jax.vmap`` the work is done on the host, else where they are.

    Returns
    -------
    jax.Array
        As ``representation.transform`` gives it, with the type of ``positions``. One reverse-mode
        derivative can be taken, not a second one.

    Notes
    -----
    The cost of the gradient is that of ``representation.vjp``: the Jacobian is never formed.
    """
    structures = as_structures(structures)
    per_atom = getattr(representation, "average", "sum") is None
    n_rows = structures.n_atoms if per_atom else len(structures)
    shape = (n_rows, representation.n_features_out_)

    def transform(r: Any) -> Any:
        if _on_device(r):
            return representation.transform(structures, positions=r)
        return representation.transform(_moved(structures, r))

    def vjp(r: Any, gX: Any) -> Any:
        if _on_device(r):
            return representation.vjp(structures, gX, positions=r)
        return representation.vjp(_moved(structures, r), np.asarray(gX, np.float64))

    @jax.custom_vjp
    def compute(r: Any) -> Any:
        return _called(transform, shape, r)

    compute.defvjp(
        lambda r: (compute(r), r), lambda r, gX: (_called(vjp, (structures.n_atoms, 3), r, gX),)
    )
    result: jax.Array = compute(jax.numpy.asarray(positions))
    return result


def _called(function: Any, shape: tuple[int, ...], r: Any, *rest: Any) -> Any:
    """The result of a function of arrays; of the host's where arrays are only traced."""
    if not any(isinstance(x, jax.core.Tracer) for x in (r, *rest)):
        return jax.numpy.asarray(function(r, *rest), r.dtype)
    kind = jax.ShapeDtypeStruct(shape, r.dtype)
    return jax.pure_callback(
        lambda *x: np.asarray(function(*map(np.asarray, x)), r.dtype),
        kind,
        r,
        *rest,
        vmap_method="sequential",
    )


def _on_device(r: Any) -> bool:
    return isinstance(r, jax.Array) and next(iter(r.devices())).platform == "gpu"


def _moved(structures: Structures, positions: Any) -> Structures:
    there = np.asarray(positions, np.float64)
    return Structures(
        structures.numbers, there, structures.offsets, structures.cells, structures.pbc
    )
