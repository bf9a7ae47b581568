r"""Similarities of structures from the features of their atoms: ``molkern.kernels.local``.

.. math:: K_{AB} = \sum_{a \in A} \sum_{b \in B} \delta_{Z_a Z_b}\, k(x_a, x_b)

Every function takes ``X`` of shape (n_atoms, n_features), float64 or float32, with one row for
each atom of ``structures``, as ``ACSF``, ``AEV`` and ``SOAP`` with ``average=None`` give them, and
returns one number for each pair of structures. Sums over pairs of atoms grow with the size of both
structures, as energies do.

Bitwise the same for any number of threads, and, against one ``Y``, for any division of ``X``.

Features that are on a CUDA device (of torch, CuPy, JAX, or anything with ``__dlpack__``) give a
result there, in the same library; NaN and infinity are not looked for there. The structures stay on
the host.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from molkern import _kernel_inputs as inputs
from molkern import _local_kernels_device as device
from molkern._arrays import checked_out, require_bytes
from molkern._atom_features import (
    AtomFeatures,
    AtomSimilarity,
    Doubles,
    atom_features,
    centres_for,
    diagonal,
    gaussian_similarity,
    gram,
    in_range,
    polynomial_similarity,
    positive_roots,
    require_finite,
)
from molkern._device import place_of
from molkern._kernel_inputs import Matrix, Sigma

__all__ = ["gaussian", "gaussian_diagonal", "polynomial", "polynomial_diagonal"]


def gaussian(
    X: npt.ArrayLike,
    structures: Any,
    Y: npt.ArrayLike | None = None,
    structures_Y: Any = None,
    *,
    sigma: Sigma,
    normalize: bool = False,
    out: Matrix | None = None,
    n_threads: int | None = None,
) -> Matrix:
    r"""Sum of :math:`\exp(-\lVert x_a - x_b \rVert_2^2 / (2 \sigma^2))` over pairs of atoms.

    Parameters
    ----------
    X : array_like, shape (n_atoms, n_features)
        One row for each atom of ``structures``, float64 or float32; not copied if contiguous.
    structures : Structures, list of ase.Atoms or of (numbers, positions)
        n structures. Only which atoms are theirs and of which elements they are counts here.
    Y : array_like, shape (n_atoms_Y, n_features), optional
        Features of other atoms, of the same type. None: ``X``, using symmetry.
    structures_Y : Structures or list, optional
        m structures; needed with ``Y``.
    sigma : float or sequence of float
        Width, in the unit of the features; positive. A sequence gives all kernels in one pass over
        the distances.
    normalize : bool, default=False
        Divide by :math:`\sqrt{K_{AA} K_{BB}}`: similarities from 0 to 1, for properties that do not
        grow with the number of atoms.
    out : ndarray, optional
        Where the result goes; C-contiguous, of its shape and type.
    n_threads : int, optional
        Threads. None: all cores that the process may use.

    Returns
    -------
    ndarray of shape (n, m), or (n_sigma, n, m) for a sequence
        In the type of ``X``. Atoms of elements that the other side lacks have no pairs: 0. With
        ``Y=None`` exactly symmetric, and with ``normalize`` exactly 1 on the diagonal.

    Raises
    ------
    ValueError
        For a sigma that is not positive, rows that do not match the structures, different numbers
        of features, NaN or infinity in X or Y (the message names the molecule), or ``normalize``
        with a structure without atoms.
    TypeError
        For X and Y of different types, or what are not real numbers.
    MemoryError
        If the result does not fit in memory, with its size in bytes.

    Notes
    -----
    Squared distances are |x|² + |y|² - 2 xy after the mean of each element over ``Y`` (else ``X``)
    was subtracted. Products are summed in the type of the features over chunks of them; the sum of
    the chunks, the exponential and the sums over atoms are float64. In float32 the exponent has an
    error of some 1e-7 |x|² / sigma², x measured from that mean: widths far below the spread of the
    features need float64.

    Cost: a multiply-add for each feature and pair of atoms of equal element, with ``Y=None`` for
    half of the pairs of structures. Memory besides the result: at most 432 n_features numbers and
    2304 + 16768 n_sigma float64 for each thread; never a matrix of atoms by atoms. Threads share
    the pairs of structures: a single pair has one.

    References
    ----------
    .. [1] A. P. Bartók, M. C. Payne, R. Kondor, G. Csányi, Phys. Rev. Lett. 104, 136403 (2010),
       doi:10.1103/PhysRevLett.104.136403: energies as sums over atoms.
    .. [2] S. De, A. P. Bartók, G. Csányi, M. Ceriotti, Phys. Chem. Chem. Phys. 18, 13754 (2016),
       doi:10.1039/C6CP00415F: kernels of structures from those of atoms.

    Examples
    --------
    >>> import numpy as np
    >>> import molkern as mk
    >>> h2 = ([1, 1], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.74]])
    >>> hf = ([1, 9], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.92]])
    >>> mk.kernels.local.gaussian(np.array([[0.0], [0.0], [1.0], [5.0]]), [h2, hf], sigma=1.0)
    array([[4.        , 1.21306132],
           [1.21306132, 2.        ]])
    """
    similarity = gaussian_similarity(sigma)
    sides = X, structures, Y, structures_Y
    return _kernel("local.gaussian", sides, similarity, normalize, out, n_threads)


def polynomial(
    X: npt.ArrayLike,
    structures: Any,
    Y: npt.ArrayLike | None = None,
    structures_Y: Any = None,
    *,
    degree: int = 2,
    scale: float = 1.0,
    offset: float = 0.0,
    normalize: bool = False,
    out: Matrix | None = None,
    n_threads: int | None = None,
) -> Matrix:
    r"""Sum of :math:`(s\, x_a \cdot x_b + c)^d` over pairs of atoms of equal element.

    Parameters
    ----------
    X, structures, Y, structures_Y, normalize, out, n_threads
        As for :func:`gaussian`.
    degree : int, default=2
        Power d, 1 or more.
    scale, offset : float, default=1.0 and 0.0
        s > 0, and c >= 0, which keep the kernel positive semidefinite.

    Returns
    -------
    ndarray of shape (n, m)
        As for :func:`gaussian`.

    Raises
    ------
    ValueError, TypeError, MemoryError
        As for :func:`gaussian`; and for a degree below 1, a scale that is not positive, a negative
        offset, or sums that overflow the type of ``X``, with the largest value.

    Examples
    --------
    >>> import numpy as np
    >>> import molkern as mk
    >>> h2 = ([1, 1], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.74]])
    >>> mk.kernels.local.polynomial(np.array([[1.0], [2.0]]), [h2], degree=2)
    array([[25.]])
    """
    similarity = polynomial_similarity(degree, scale, offset)
    sides = X, structures, Y, structures_Y
    return _kernel("local.polynomial", sides, similarity, normalize, out, n_threads)


def gaussian_diagonal(
    X: npt.ArrayLike, structures: Any, *, sigma: Sigma, n_threads: int | None = None
) -> Doubles:
    r"""Self-similarities :math:`K_{AA}` of :func:`gaussian`, without the rest of the matrix.

    ``normalize=True`` divides by their square roots: computed once for a training set, they
    normalise every later matrix against it.

    Parameters
    ----------
    X, structures, sigma, n_threads
        As for :func:`gaussian`.

    Returns
    -------
    ndarray of float64, shape (n,), or (n_sigma, n) for a sequence

    Examples
    --------
    >>> import numpy as np
    >>> import molkern as mk
    >>> hf = ([1, 9], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.92]])
    >>> mk.kernels.local.gaussian_diagonal(np.array([[1.0], [5.0]]), [hf], sigma=1.0)
    array([2.])
    """
    similarity = gaussian_similarity(sigma)
    return _diagonal(X, structures, similarity, n_threads)


def polynomial_diagonal(
    X: npt.ArrayLike,
    structures: Any,
    *,
    degree: int = 2,
    scale: float = 1.0,
    offset: float = 0.0,
    n_threads: int | None = None,
) -> Doubles:
    r"""Self-similarities :math:`K_{AA}` of :func:`polynomial`; see :func:`gaussian_diagonal`.

    Parameters
    ----------
    X, structures, degree, scale, offset, n_threads
        As for :func:`polynomial`.

    Returns
    -------
    ndarray of float64, shape (n,)

    Examples
    --------
    >>> import numpy as np
    >>> import molkern as mk
    >>> hf = ([1, 9], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.92]])
    >>> mk.kernels.local.polynomial_diagonal(np.array([[1.0], [5.0]]), [hf], degree=1)
    array([26.])
    """
    similarity = polynomial_similarity(degree, scale, offset)
    return _diagonal(X, structures, similarity, n_threads)


def _kernel(
    what: str,
    sides: tuple[Any, Any, Any, Any],
    similarity: AtomSimilarity,
    normalize: bool,
    out: Matrix | None,
    n_threads: int | None,
) -> Matrix:
    X, _, Y, structures_Y = sides
    if (Y is None) != (structures_Y is None):
        missing, given = ("Y", "structures_Y") if Y is None else ("structures_Y", "Y")
        raise ValueError(f"{missing}: expected beside {given}, found None")
    if not isinstance(normalize, bool | np.bool_):
        raise TypeError(f"normalize: expected True or False, found {normalize!r}")
    if place := place_of(None, X=X, Y=Y):
        there: Matrix = device.gram(place, *sides, similarity, normalize, out)
        return there
    x, y = _sides(*sides)
    return _gram(what, x, y, similarity, normalize, out, n_threads)


def _sides(
    X: npt.ArrayLike, structures: Any, Y: npt.ArrayLike | None, structures_Y: Any
) -> tuple[AtomFeatures, AtomFeatures | None]:
    x = atom_features("X", X, structures)
    if Y is None:
        return x, None
    y = atom_features("Y", Y, structures_Y)
    inputs.check_alike(x.X, y.X)
    return x, y


def _gram(
    what: str,
    x: AtomFeatures,
    y: AtomFeatures | None,
    similarity: AtomSimilarity,
    normalize: bool,
    out: Matrix | None,
    n_threads: int | None,
) -> Matrix:
    columns = x if y is None else y
    layers = (len(similarity.scales), len(x), len(columns))
    shape = layers[1:] if similarity.single else layers
    if out is None:
        require_bytes(shape, x.X.dtype, what)
        out = np.empty(shape, x.X.dtype)
    else:
        checked_out(out, shape, x.X.dtype)
        if np.may_share_memory(out, x.X) or np.may_share_memory(out, columns.X):
            raise ValueError("out: shares memory with X or Y")
    given = x, y, similarity
    x, y, similarity = in_range(*given)
    columns = x if y is None else y
    centres = centres_for(similarity, columns, n_threads)
    roots = None
    if normalize:
        of_x = positive_roots("structures", diagonal(x, similarity, centres, n_threads))
        of_y = of_x
        if y is not None:
            of_y = positive_roots("structures_Y", diagonal(y, similarity, centres, n_threads))
        roots = of_x, of_y
    gram(x, y, similarity, centres, out.reshape(layers), roots=roots, n_threads=n_threads)
    require_finite(out, *given)
    return out


def _diagonal(
    X: npt.ArrayLike, structures: Any, similarity: AtomSimilarity, n_threads: int | None
) -> Doubles:
    if place := place_of(None, X=X):
        there: Doubles = device.diagonal(place, X, structures, similarity)
        return there
    given = atom_features("X", X, structures), None, similarity
    x, _, scaled = in_range(*given)
    found = diagonal(x, scaled, centres_for(scaled, x, n_threads), n_threads)
    require_finite(found, *given)
    return found[0] if similarity.single else found
