"""Similarities of structures on a device, from features that are there.

Which atoms there are, and their order by element, is found on the host.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from molkern import _kernel_inputs as inputs
from molkern._atom_features import AtomSimilarity, Doubles, positive_roots, require_rows
from molkern._device import Place, deliver, taken
from molkern.structures import Structures, as_structures

__all__ = ["diagonal", "gram"]

# Features of a structure's atoms as the compiled module takes them.
_Side = tuple[Any, ...]


def gram(
    place: Place,
    X: Any,
    structures: Any,
    Y: Any,
    structures_Y: Any,
    similarity: AtomSimilarity,
    normalize: bool,
    out: Any,
) -> Any:
    """Matrix of all structures, in the library of the features; arguments as for ``gaussian``."""
    if out is not None:
        raise ValueError("out: expected None for arrays on a device, found an array")
    x, batch = _rows(place, "X", X, structures)
    elements, y = batch.species, None
    roots = None
    if Y is not None:
        y, batch_Y = _rows(place, "Y", Y, structures_Y)
        elements = np.intersect1d(elements, batch_Y.species)
    if normalize:
        of_x = of_y = _roots(place, "structures", x, batch, similarity)
        if y is not None:
            of_y = _roots(place, "structures_Y", y, batch_Y, similarity)
        roots = of_x, of_y
    result = place.module.local_kernel(
        _side(x, batch, elements),
        None if y is None else _side(y, batch_Y, elements),
        *_parameters(similarity),
        roots,
        not similarity.single,
        place.stream,
    )
    return deliver(place, result)


def diagonal(place: Place, X: Any, structures: Any, similarity: AtomSimilarity) -> Any:
    """Self-similarities, shape (n,) or (n_scales, n), in the library of the features."""
    x, batch = _rows(place, "X", X, structures)
    return deliver(place, _diagonal(place, x, batch, similarity, not similarity.single))


def _diagonal(
    place: Place, x: Any, batch: Structures, similarity: AtomSimilarity, several: bool
) -> Any:
    return place.module.local_kernel_diagonal(
        _side(x, batch, batch.species), *_parameters(similarity), several, place.stream
    )


def _roots(
    place: Place, name: str, x: Any, batch: Structures, similarity: AtomSimilarity
) -> Doubles:
    return positive_roots(name, _diagonal(place, x, batch, similarity, True).to_numpy())


def _parameters(similarity: AtomSimilarity) -> tuple[str, Doubles, float, int]:
    if similarity.widths is not None:  # features on a device are not scaled
        inputs.scales(similarity.widths, np.float64, lambda s: 0.5 / s**2)
    return similarity.name, similarity.scales, similarity.offset, similarity.degree


def _rows(place: Place, name: str, array: Any, structures: Any) -> tuple[Any, Structures]:
    """Features with one row for each atom of the structures."""
    there, batch = taken(place, name, array), as_structures(structures)
    if len(there.shape) != 2:
        raise ValueError(f"{name}: expected two dimensions, found shape {there.shape}")
    require_rows(name, there.shape[0], batch)
    return there, batch


def _side(x: Any, structures: Structures, elements: npt.NDArray[np.int32]) -> _Side:
    """Rows of the atoms of some elements, sorted by element, then structure.

    With them the structure of each, where each element and structure begins, where each element
    does, and the number of structures.
    """
    n = len(structures)
    kept = np.flatnonzero(np.isin(structures.numbers, elements))
    element = np.searchsorted(elements, structures.numbers[kept])
    order = np.argsort(element, kind="stable")
    index = kept[order]
    owners = np.repeat(np.arange(n), structures.sizes)[index]
    counts = np.bincount(element[order] * n + owners, minlength=len(elements) * n)
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    first = starts[::n] if n else np.zeros(len(elements) + 1, np.int64)
    return x, index, owners.astype(np.int32), starts, np.ascontiguousarray(first), n
