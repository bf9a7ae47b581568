"""Similarities between rows: Gaussian, Laplacian, linear and polynomial kernels, and distances.

``local`` has the kernels that compare structures atom by atom.

Every function takes ``X`` of shape (n, n_features) and optionally ``Y`` of shape
(m, n_features), float64 or float32, and returns (n, m) in the same type. With ``Y=None`` the
result is exactly symmetric and each pair is computed once.

Gaussian and Laplacian kernels and the distances are bitwise the same for any number of threads.
``gaussian`` and ``laplacian`` take arrays on a CUDA device, too (torch, CuPy, JAX, or results of
``transform(..., device="cuda")``), and give the result there, in the same library; NaN and infinity
are not looked for there.

``linear`` and ``polynomial`` are products by NumPy's BLAS, whose rounding may depend on the number
of threads: equal to about 1e-14 (float32: 1e-6) of the largest norm squared. ``n_threads`` governs
the BLAS through threadpoolctl where that is installed (``pip install "molkern[study]"``); otherwise
it keeps its own setting.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import numpy as np
import numpy.typing as npt

from molkern import _core
from molkern import _kernel_inputs as inputs
from molkern import _kernels_device as kernels_device
from molkern import local_kernels as local
from molkern._arrays import checked_out, checked_threads, require_bytes
from molkern._device import place_of
from molkern._kernel_inputs import Matrix, Sigma

__all__ = [
    "euclidean_distances",
    "from_distances",
    "gaussian",
    "laplacian",
    "linear",
    "local",
    "manhattan_distances",
    "polynomial",
]


def laplacian(
    X: npt.ArrayLike,
    Y: npt.ArrayLike | None = None,
    *,
    sigma: Sigma,
    n_copies: int = 1,
    out: Matrix | None = None,
    n_threads: int | None = None,
) -> Matrix:
    r"""Laplacian kernel :math:`\exp(-\lVert x - y \rVert_1 / \sigma)`.

    Parameters
    ----------
    X : array_like, shape (n, n_features)
        Rows, float64 or float32.
    Y : array_like, shape (m, n_features), optional
        Other rows, of the same type. None: ``X``, using symmetry.
    sigma : float or sequence of float
        Width, in the unit of the features; positive. A sequence gives all kernels in one pass over
        the distances.
    n_copies : int, default=1
        Rows hold this many copies of a representation side by side, as
        ``CoulombMatrix(permutation="random")`` gives them; the kernel is averaged over all pairs of
        copies and stays positive semidefinite.
    out : ndarray, optional
        Where the result goes; C-contiguous, of its shape and type.
    n_threads : int, optional
        Threads. None: all cores that the process may use.

    Returns
    -------
    ndarray of shape (n, m), or (n_sigma, n, m) for a sequence
        With ``Y=None`` exactly symmetric; the diagonal is exactly 1 with one copy. Entries whose
        exponent is below -708 (float32: -87) are 0.

    Raises
    ------
    ValueError
        For a sigma that is not positive, shapes that do not match, NaN or infinity in X or Y (the
        message names the row).
    TypeError
        For X and Y of different types, or what are not real numbers.
    MemoryError
        If the result does not fit in memory, with its size in bytes.

    Notes
    -----
    Cost: n m n_features subtractions and additions, half of it with ``Y=None``, times
    n_copies². Scratch: 48 n_features n_copies + 2304 (1 + n_sigma) numbers per thread.

    Examples
    --------
    >>> import numpy as np
    >>> laplacian(np.array([[0.0, 0.0], [1.0, 2.0]]), sigma=3.0)
    array([[1.        , 0.36787944],
           [0.36787944, 1.        ]])
    """
    if place := place_of(None, X=X, Y=Y):
        there: Matrix = kernels_device.gram(place, X, Y, sigma, n_copies, out, "laplacian")
        return there
    x, y = inputs.rows(X, Y)
    scales, single = inputs.scales(sigma, x.dtype, lambda s: 1.0 / s)
    result, shaped = inputs.result(
        out, x, y, n_copies, None if single else len(scales), "laplacian"
    )
    _core.pairwise(
        x, y, n_copies, "manhattan", "laplacian", scales, shaped, checked_threads(n_threads)
    )
    return result


def manhattan_distances(
    X: npt.ArrayLike,
    Y: npt.ArrayLike | None = None,
    *,
    out: Matrix | None = None,
    n_threads: int | None = None,
) -> Matrix:
    r"""Distances :math:`\lVert x - y \rVert_1`, on which the Laplacian kernel rests.

    Parameters
    ----------
    X, Y, out, n_threads
        As for :func:`laplacian`.

    Returns
    -------
    ndarray of shape (n, m)

    Examples
    --------
    >>> import numpy as np
    >>> manhattan_distances(np.array([[0.0, 0.0], [1.0, 2.0]]))
    array([[0., 3.],
           [3., 0.]])
    """
    x, y = inputs.rows(X, Y)
    result, shaped = inputs.result(out, x, y, 1, None, "manhattan_distances")
    _core.pairwise(
        x, y, 1, "manhattan", "none", np.ones(1, x.dtype), shaped, checked_threads(n_threads)
    )
    return result


def gaussian(
    X: npt.ArrayLike,
    Y: npt.ArrayLike | None = None,
    *,
    sigma: Sigma,
    n_copies: int = 1,
    out: Matrix | None = None,
    n_threads: int | None = None,
) -> Matrix:
    r"""Gaussian kernel :math:`\exp(-\lVert x - y \rVert_2^2 / (2 \sigma^2))`.

    Parameters
    ----------
    X, Y, sigma, n_copies, out, n_threads
        As for :func:`laplacian`.

    Returns
    -------
    ndarray of shape (n, m), or (n_sigma, n, m) for a sequence
        With ``Y=None`` exactly symmetric; the diagonal is exactly 1 with one copy.

    Raises
    ------
    ValueError
        For a sigma that is not positive, shapes that do not match, NaN or infinity in X or Y (the
        message names the row).
    TypeError
        For X and Y of different types, or what are not real numbers.
    MemoryError
        If the result does not fit in memory, with its size in bytes.

    Notes
    -----
    The squared distance is |x|² + |y|² - 2 xy, after the column means of ``Y`` (else ``X``) were
    subtracted; negative results of rounding become 0. Its error is up to about 1e-14 (float32:
    5e-6) of the largest squared norm after that.

    Cost: n m n_features multiply-adds, half of it with ``Y=None``, and n m exponentials; times
    n_copies².

    Examples
    --------
    >>> import numpy as np
    >>> gaussian(np.array([[0.0, 0.0], [1.0, 1.0]]), sigma=1.0)
    array([[1.        , 0.36787944],
           [0.36787944, 1.        ]])
    """
    if place := place_of(None, X=X, Y=Y):
        there: Matrix = kernels_device.gram(place, X, Y, sigma, n_copies, out, "gaussian")
        return there
    x, y = inputs.rows(X, Y)
    scales, single = inputs.scales(sigma, x.dtype, lambda s: 0.5 / s**2)
    n_sigma = None if single else len(scales)
    result, shaped = inputs.result(out, x, y, n_copies, n_sigma, "gaussian")
    x, y = inputs.centred(x, y, n_copies)
    _core.pairwise(
        x, y, n_copies, "euclidean", "gaussian", scales, shaped, checked_threads(n_threads)
    )
    return result


def euclidean_distances(
    X: npt.ArrayLike,
    Y: npt.ArrayLike | None = None,
    *,
    out: Matrix | None = None,
    n_threads: int | None = None,
) -> Matrix:
    r"""Distances :math:`\lVert x - y \rVert_2`, on which the Gaussian kernel rests.

    Parameters
    ----------
    X, Y, out, n_threads
        As for :func:`laplacian`.

    Returns
    -------
    ndarray of shape (n, m)
        From products, as in :func:`gaussian`: distances below 1e-7 (float32: 2e-3) of the largest
        norm are not resolved. With ``Y=None`` the diagonal is exactly 0.

    Examples
    --------
    >>> import numpy as np
    >>> euclidean_distances(np.array([[0.0, 0.0], [3.0, 4.0]]))
    array([[0., 5.],
           [5., 0.]])
    """
    x, y = inputs.rows(X, Y)
    result, shaped = inputs.result(out, x, y, 1, None, "euclidean_distances")
    x, y = inputs.centred(x, y, 1)
    _core.pairwise(
        x, y, 1, "euclidean", "none", np.ones(1, x.dtype), shaped, checked_threads(n_threads)
    )
    return result


def from_distances(
    distances: Matrix,
    *,
    kernel: Literal["gaussian", "laplacian"],
    sigma: float,
    out: Matrix | None = None,
    n_threads: int | None = None,
) -> Matrix:
    """Kernel matrix from distances that are already there: one matrix serves every sigma.

    Parameters
    ----------
    distances : ndarray, shape (n, m)
        From :func:`euclidean_distances` for ``"gaussian"``, from :func:`manhattan_distances` for
        ``"laplacian"``; C-contiguous.
    kernel : {"gaussian", "laplacian"}
    sigma : float
        Width, positive.
    out : ndarray of shape (n, m), optional
        Where the result goes; may be ``distances`` itself, which is then overwritten.
    n_threads : int, optional
        Threads. None: all cores that the process may use.

    Returns
    -------
    ndarray of shape (n, m)

    Examples
    --------
    >>> import numpy as np
    >>> from_distances(np.array([[0.0, 3.0]]), kernel="laplacian", sigma=3.0)
    array([[1.        , 0.36787944]])
    """
    if kernel not in ("gaussian", "laplacian"):
        raise ValueError(f'kernel: expected "gaussian" or "laplacian", found {kernel!r}')
    d = inputs.matrix("distances", distances)
    scales, single = inputs.scales(
        sigma, d.dtype, (lambda s: 1.0 / s) if kernel == "laplacian" else (lambda s: 0.5 / s**2)
    )
    if not single:
        raise ValueError("sigma: expected one width, found a sequence")
    if out is not None and out is not d and np.may_share_memory(out, d):
        same = out.__array_interface__["data"] == d.__array_interface__["data"]
        if not same:
            raise ValueError("out: overlaps distances without being the same array")
    if d.size and not d.min() >= 0:
        raise ValueError("distances: expected 0 or more everywhere, found negative ones or NaN")
    if out is None:
        require_bytes(d.shape, d.dtype, "from_distances")
        out = np.empty_like(d)
    else:
        checked_out(out, d.shape, d.dtype)
    _core.from_distances(d, kernel, float(scales[0]), out, checked_threads(n_threads))
    return out


def linear(
    X: npt.ArrayLike,
    Y: npt.ArrayLike | None = None,
    *,
    out: Matrix | None = None,
    n_threads: int | None = None,
) -> Matrix:
    r"""Linear kernel :math:`x \cdot y`.

    Parameters
    ----------
    X, Y, out, n_threads
        As for :func:`laplacian`.

    Returns
    -------
    ndarray of shape (n, m)

    Examples
    --------
    >>> import numpy as np
    >>> linear(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [0.0, 1.0]]))
    array([[11.,  2.]])
    """
    x, y = inputs.rows(X, Y)
    result, _ = inputs.result(out, x, y, 1, None, "linear")
    with _blas_threads(n_threads, x.shape[0] * result.shape[1] * x.shape[1]):
        # NumPy recognises X X^T and computes one triangle.
        np.dot(x, (x if y is None else y).T, out=result)
    return result


def polynomial(
    X: npt.ArrayLike,
    Y: npt.ArrayLike | None = None,
    *,
    degree: int = 2,
    scale: float = 1.0,
    offset: float = 0.0,
    out: Matrix | None = None,
    n_threads: int | None = None,
) -> Matrix:
    r"""Polynomial kernel :math:`(s\, x \cdot y + c)^d`.

    Parameters
    ----------
    X, Y, out, n_threads
        As for :func:`laplacian`.
    degree : int, default=2
        Power d, 1 or more.
    scale, offset : float, default=1.0 and 0.0
        s > 0, and c >= 0, which keep the kernel positive semidefinite.

    Returns
    -------
    ndarray of shape (n, m)

    Examples
    --------
    >>> import numpy as np
    >>> polynomial(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]]), degree=2, offset=1.0)
    array([[144.]])
    """
    inputs.check_polynomial(degree, scale, offset)
    result = linear(X, Y, out=out, n_threads=n_threads)
    result *= result.dtype.type(scale)
    result += result.dtype.type(offset)
    base = result.copy() if degree > 2 else result
    for _ in range(int(degree) - 1):
        result *= base
    return result


@contextmanager
def _blas_threads(n_threads: int | None, work: float) -> Iterator[None]:
    """Threads of the BLAS inside the block, restored after it.

    Asking threadpoolctl takes about a millisecond: not for less than 1e7 multiply-adds.
    """
    if checked_threads(n_threads) is None or work < 1e7:
        yield
        return
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        yield
        return
    with threadpool_limits(n_threads, user_api="blas"):
        yield
