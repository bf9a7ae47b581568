"""Kernel matrices of rows on a device."""

from __future__ import annotations

from typing import Any

import numpy as np

from molkern import _kernel_inputs as inputs
from molkern._device import Place, deliver, taken
from molkern._kernel_inputs import Sigma
from molkern._numbers import whole_number

__all__ = ["gram"]


def gram(
    place: Place, X: Any, Y: Any, sigma: Sigma, n_copies: int, out: Any, similarity: str
) -> Any:
    """Kernel matrix of arrays on a device, in their library."""
    if out is not None:
        raise ValueError("out: expected None for arrays on a device, found an array")
    x = taken(place, "X", X)
    y = x if Y is None or Y is X else taken(place, "Y", Y)
    whole_number("n_copies", n_copies, 1)
    laplacian = similarity == "laplacian"
    scale = (lambda s: 1.0 / s) if laplacian else (lambda s: 0.5 / s**2)
    scales, single = inputs.scales(sigma, x.dtype, scale)
    metric = "manhattan" if laplacian else "euclidean"
    result = place.module.pairwise(
        x, y, n_copies, metric, similarity, scales.astype(np.float64), not single, place.stream
    )
    return deliver(place, result)
