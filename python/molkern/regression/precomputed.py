"""A kernel matrix that the user has computed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from molkern.regression.linear import row_blocks
from molkern.regression.validation import Gram

__all__ = ["Precomputed", "require_symmetric"]

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

# Relative to the largest entry: rounding of float32 products, in another order for each triangle.
_ASYMMETRY = 1e-5


class Precomputed:
    """What `Similarity` is for features: kernel matrices among training structures.

    Parameters
    ----------
    kernel : ndarray of float64, shape (n, n)
        Symmetric; only read.
    order : ndarray of int64, shape (n,), optional
        Order in which the structures are counted. None: as they are.
    """

    def __init__(self, kernel: Floats, order: Rows | None = None) -> None:
        self.kernel = kernel if order is None else kernel[np.ix_(order, order)]

    def median_distance(self, rows: Rows) -> float:
        """NaN: similarities have no width."""
        return float("nan")

    def gram(self, rows: Rows, sigma: float) -> Floats:
        """Kernel matrix among these rows, shape (n_rows, n_rows); the caller may overwrite it."""
        if len(rows) == len(self.kernel) and (rows == np.arange(len(rows))).all():
            return self.kernel.copy()
        return self.kernel[np.ix_(rows, rows)]

    def gram_for_tuning(self, rows: Rows, sigmas: Sequence[float]) -> Gram:
        """What `tune` takes, for the rows in this order."""
        kernel = self.kernel if len(rows) == len(self.kernel) else self.gram(rows, float("nan"))
        return lambda m, sigma: kernel[:m, :m]


def require_symmetric(kernel: Floats) -> None:
    """Raise ValueError unless a matrix is square and, but for rounding, symmetric.

    The message names the first pair that differs.
    """
    n = len(kernel)
    if kernel.shape != (n, n):
        raise ValueError(
            "X: expected the kernel matrix of the training structures, shape (n, n), with "
            f'kernel="precomputed", found {kernel.shape}'
        )
    if n == 0:
        return
    allowed = _ASYMMETRY * max(float(kernel.max()), -float(kernel.min()))
    for rows in row_blocks(n, 8 * n):
        differs = np.abs(kernel[rows] - kernel[:, rows].T) > allowed
        if differs.any():
            i, j = np.argwhere(differs)[0].tolist()
            i += rows.start
            raise ValueError(
                f"X: expected a symmetric kernel matrix, found {kernel[i, j]:g} in row {i}, column "
                f"{j} and {kernel[j, i]:g} in row {j}, column {i}"
            )
