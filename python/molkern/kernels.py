"""Similarities between rows: Gaussian, Laplacian, linear and polynomial kernels, and distances.

``local`` has the kernels that compare structures atom by atom.

Every function takes ``X`` of shape (n, n_features) and optionally ``Y`` of shape
(m, n_features), float64 or float32, and returns (n, m) in the same type. With ``Y=None`` the
result is exactly symmetric and each pair is computed once.

Finite features give the right numbers whatever their size is: where squares or sums would leave
the range of the type, features and widths are divided by a power of two first, which changes no
digit. A result that the type cannot hold raises ValueError with the largest value. Gaussian and
Laplacian kernels and the distances are bitwise the same for any number of threads.

``gaussian`` and ``laplacian`` take arrays on a CUDA device, too (torch, CuPy, JAX, or results of
``transform(..., device="cuda")``), and give the result there, in the same library; NaN and infinity
are not looked for there, nor are squares kept in range.

``linear`` and ``polynomial`` are products by NumPy's BLAS, whose rounding may depend on the number
of threads: equal to about 1e-14 (float32: 1e-6) of the largest norm squared. ``n_threads`` governs
the BLAS through threadpoolctl where that is installed (``pip install "molkern[study]"``); otherwise
it keeps its own setting.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from molkern import _core
from molkern import _kernel_inputs as inputs
from molkern import _kernel_products as products
from molkern import _kernel_scaling as scaling
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
    sides = inputs.rows(X, Y)
    widths, single = inputs.widths(sigma)
    n_sigma = None if single else len(widths)
    result, shaped = inputs.result(out, sides, n_copies, n_sigma, "laplacian")
    x, y, scales = scaling.for_laplacian(sides, widths, sigma)
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

    Raises
    ------
    ValueError
        As for :func:`laplacian`, and for distances that overflow their type; the message has the
        largest value.

    Examples
    --------
    >>> import numpy as np
    >>> manhattan_distances(np.array([[0.0, 0.0], [1.0, 2.0]]))
    array([[0., 3.],
           [3., 0.]])
    """
    return _distances("manhattan", inputs.rows(X, Y), out, n_threads)


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
    sides = inputs.rows(X, Y)
    widths, single = inputs.widths(sigma)
    n_sigma = None if single else len(widths)
    result, shaped = inputs.result(out, sides, n_copies, n_sigma, "gaussian")
    x, y, scales = scaling.for_gaussian(sides, n_copies, widths)
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

    Raises
    ------
    ValueError
        As for :func:`manhattan_distances`.

    Examples
    --------
    >>> import numpy as np
    >>> euclidean_distances(np.array([[0.0, 0.0], [3.0, 4.0]]))
    array([[0., 5.],
           [5., 0.]])
    """
    return _distances("euclidean", inputs.rows(X, Y), out, n_threads)


def _distances(
    metric: str, sides: inputs.Sides, out: Matrix | None, n_threads: int | None
) -> Matrix:
    result, shaped = inputs.result(out, sides, 1, None, f"{metric}_distances")
    prepare = scaling.for_manhattan if metric == "manhattan" else scaling.for_euclidean
    x, y, exponent = prepare(sides)
    unused = np.ones(1, x.dtype)
    _core.pairwise(x, y, 1, metric, "none", unused, shaped, checked_threads(n_threads))
    scaling.restore(result, exponent, sides, "distances")
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
    widths, single = inputs.widths(sigma)
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
    threads = checked_threads(n_threads)
    d, scale = scaling.divided_distances(d, kernel == "gaussian", widths[0], out)
    _core.from_distances(d, kernel, scale, out, threads)
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

    Raises
    ------
    ValueError
        As for :func:`laplacian`, and for products that overflow their type; the message has the
        largest value.

    Examples
    --------
    >>> import numpy as np
    >>> linear(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [0.0, 1.0]]))
    array([[11.,  2.]])
    """
    sides = inputs.rows(X, Y)
    result, _ = inputs.result(out, sides, 1, None, "linear")
    products.products(sides, result, n_threads)
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

    Raises
    ------
    ValueError
        As for :func:`linear`; and for a degree below 1, a scale that is not positive, a negative
        offset.

    Examples
    --------
    >>> import numpy as np
    >>> polynomial(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]]), degree=2, offset=1.0)
    array([[144.]])
    """
    inputs.check_polynomial(degree, scale, offset)
    sides = inputs.rows(X, Y)
    result, _ = inputs.result(out, sides, 1, None, "polynomial")
    products.products(sides, result, n_threads, float(scale))
    products.raised(sides, result, float(scale), float(offset), int(degree))
    return result
