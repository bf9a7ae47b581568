"""The two dense steps of kernel ridge regression, one factorisation, one product; their input."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.linalg

from molkern._arrays import unmasked
from molkern.structures import Structures

__all__ = [
    "blas_threads",
    "predict_in_blocks",
    "real_array",
    "row_blocks",
    "solve",
    "solve_with_larger_alpha",
]

Floats = npt.NDArray[np.float64]

BLOCK_BYTES = 64 * 2**20
SERIAL_ROWS = 3000


def blas_threads(n_threads: int | None, rows: int | None = None) -> AbstractContextManager[Any]:
    """Context in which the BLAS uses ``n_threads`` threads, and one below 3000 rows.

    Parameters
    ----------
    n_threads : int or None
        None leaves the BLAS as it is.
    rows : int, optional
        Size of the matrices to come. Small ones gain little from a second thread and, on a machine
        that is busy with something else, lose much: 10 factorisations of 1600 rows took 0.37 s
        with one thread and 9 to 21 s with two beside another process on two cores.

    Notes
    -----
    Needs threadpoolctl (in ``molkern[study]``); without it the BLAS keeps its own setting.
    """
    if rows is not None and rows < SERIAL_ROWS:
        n_threads = 1
    if n_threads is None:
        return contextlib.nullcontext()
    try:
        import threadpoolctl
    except ImportError:
        return contextlib.nullcontext()
    context: AbstractContextManager[Any] = threadpoolctl.threadpool_limits(n_threads, "blas")
    return context


def solve(gram: Floats, y: Floats, alpha: float) -> Floats:
    r"""Coefficients :math:`c` of :math:`(K + \alpha I)\, c = y` by Cholesky, in place.

    Parameters
    ----------
    gram : ndarray of float64, shape (n, n), C-contiguous
        Symmetric; only the upper triangle is read. **Overwritten**: the factorisation needs no
        second matrix.
    y : ndarray of float64, shape (n, n_targets)
        All targets are solved with one factorisation.
    alpha : float
        Added to the diagonal; >= 0.

    Returns
    -------
    ndarray of float64, shape (n, n_targets)

    Raises
    ------
    numpy.linalg.LinAlgError
        (a ValueError) when the matrix is not positive definite in float64; the message names
        ``alpha``. ``gram`` is overwritten then too.

    Notes
    -----
    n^3 / 3 multiply-adds: 63 * 10^9 at n = 5732. Goes through a BLAS: equal to rounding, not
    bitwise, for other numbers of threads.

    Examples
    --------
    >>> import numpy as np
    >>> solve(np.eye(2), np.array([[2.0], [4.0]]), alpha=1.0)
    array([[1.],
           [2.]])
    """
    unmasked("gram", gram)
    unmasked("y", y)
    if gram.ndim != 2 or gram.shape[0] != gram.shape[1] or len(gram) != len(y):
        raise ValueError(f"gram: expected shape ({len(y)}, {len(y)}), found {gram.shape}")
    gram[np.diag_indices_from(gram)] += alpha
    try:
        # The transpose is the same matrix in Fortran order, which LAPACK factorises in place.
        factor = scipy.linalg.cho_factor(gram.T, lower=True, overwrite_a=True, check_finite=False)
    except np.linalg.LinAlgError as error:
        raise np.linalg.LinAlgError(
            f"the kernel matrix of {len(gram)} structures is not positive definite with "
            f"alpha={alpha:g}: choose a larger alpha ({error})"
        ) from error
    coefficients: Floats = scipy.linalg.cho_solve(factor, y, check_finite=False)
    return coefficients


def solve_with_larger_alpha(
    gram: Callable[[], Floats], y: Floats, alphas: Sequence[float]
) -> tuple[Floats, float]:
    """Solve with the first of ``alphas`` (ascending) that gives a positive definite matrix.

    Parameters
    ----------
    gram : callable
        Returns the kernel matrix, shape (n, n), each time a fresh one: it is overwritten.
    y : ndarray of float64, shape (n, n_targets)
    alphas : sequence of float

    Returns
    -------
    coefficients : ndarray of float64, shape (n, n_targets)
    alpha : float

    Raises
    ------
    numpy.linalg.LinAlgError
        When none of them does; see `solve`.
    """
    for alpha in alphas[:-1]:
        try:
            return solve(gram(), y, alpha), alpha
        except np.linalg.LinAlgError:
            continue
    return solve(gram(), y, alphas[-1]), alphas[-1]


def row_blocks(n_rows: int, row_bytes: int, block_bytes: int = BLOCK_BYTES) -> Iterator[slice]:
    """Slices that cover ``n_rows`` rows, each of about ``block_bytes`` and at least one row.

    Examples
    --------
    >>> list(row_blocks(5, row_bytes=8, block_bytes=16))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    step = max(1, block_bytes // max(1, row_bytes))
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))


def predict_in_blocks(
    cross: Callable[[slice], Floats], n_rows: int, coefficients: Floats
) -> Floats:
    """Products of kernel rows and coefficients, without the whole kernel matrix in memory.

    Parameters
    ----------
    cross : callable
        ``cross(rows)`` is the kernel between these rows and the training set, shape
        ``(n_rows_of_block, n_train)``.
    n_rows : int
    coefficients : ndarray of float64, shape (n_train, n_targets)

    Returns
    -------
    ndarray of float64, shape (n_rows, n_targets)
    """
    unmasked("coefficients", coefficients)
    out = np.empty((n_rows, coefficients.shape[1]))
    for rows in row_blocks(n_rows, 8 * len(coefficients)):
        out[rows] = cross(rows) @ coefficients
    return out


def real_array(name: str, values: Any) -> Floats:
    """Values of the argument ``name`` as C-contiguous float64.

    Raises
    ------
    TypeError
        For `Structures`, and for what holds no real numbers.
    ValueError
        For rows of different shapes, or masked values.

    Examples
    --------
    >>> real_array("y", [1, 2])
    array([1., 2.])
    """
    if isinstance(values, Structures):
        words = {"X": "features, e.g. BagOfBonds().fit_transform(structures)"}
        raise TypeError(f"{name}: expected {words.get(name, 'labels')}, found Structures")
    values = unmasked(name, values)
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name}: expected an array, found rows of different shapes") from error
    try:
        if array.dtype.kind in "fiub" or (array.dtype.kind == "O" and array.ndim):
            return np.asarray(array, dtype=np.float64, order="C")
    except (TypeError, ValueError):
        pass
    raise TypeError(f"{name}: expected an array of real numbers, found type {array.dtype}")
