"""Features together with the structures that they belong to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern._arrays import chosen_items, joined_ranges
from molkern._kernel_inputs import Matrix, matrix
from molkern.structures import Structures, as_structures

__all__ = ["Features", "as_features"]

_KINDS = ("atoms", "structures")


class Features:
    """Features together with their structures, for model selection by scikit-learn.

    ``GridSearchCV``, ``cross_val_score`` and others divide X and y into parts. They cannot know
    which rows belong to the atoms of a structure, and they do not divide the ``structures`` that a
    model needs. This container is a sequence of structures with their features: its length is the
    number of structures, and a part of it has the rows of some of them.

    Parameters
    ----------
    X : array_like, shape (n_structures, n_features) or (n_atoms, n_features)
        float64 or float32; other real numbers become float64. Not copied if C-contiguous.
    structures : Structures, list of ase.Atoms or of (numbers, positions)
    rows : {"atoms", "structures"}, optional
        What the rows of X describe. None: decided by their number. Where every structure has one
        atom, they are taken for rows of structures, which makes no difference.

    Attributes
    ----------
    X : ndarray, shape (n_structures, n_features) or (n_atoms, n_features)
    structures : Structures
    rows : {"atoms", "structures"}
    shape : (n_structures, n_features)

    Raises
    ------
    ValueError
        If X has neither one row for each structure nor one for each atom. Also if it has both, and
        ``rows`` is None, which can only be where some structures have no atoms.
    TypeError
        For X that holds no real numbers.

    Notes
    -----
    Indexed by an integer, a slice, a mask or an array of integers it gives the `Features` of these
    structures; a slice copies nothing. A kernel matrix, as ``KernelRidge(kernel="precomputed")``
    takes it, is indexed by ``np.ix_(rows, columns)``, too. ``np.asarray`` gives X.

    Examples
    --------
    >>> import molkern as mk
    >>> water = (["O", "H", "H"], [[0.0, 0.0, 0.0], [0.96, 0.0, 0.0], [-0.24, 0.93, 0.0]])
    >>> structures = mk.Structures.from_arrays([water, (["H"], [[0.0, 0.0, 0.0]])])
    >>> X = mk.ACSF(r_cut=4.0, g2=[(1.0, 0.0), (1.0, 1.0)]).fit_transform(structures)
    >>> features = mk.regression.Features(X, structures)
    >>> features
    Features(n_structures=2, rows='atoms', n_features=6)
    >>> features[1].X.shape
    (1, 6)
    """

    __slots__ = ("X", "rows", "structures")

    def __init__(self, X: npt.ArrayLike, structures: Any, *, rows: str | None = None) -> None:
        self.X: Matrix = matrix("X", X)
        self.structures: Structures = as_structures(structures)
        self.rows: str = _kind(rows, len(self.X), self.structures)

    @classmethod
    def _trusted(cls, X: Matrix, structures: Structures, rows: str) -> Features:
        """Features from what already passed the checks."""
        self = cls.__new__(cls)
        self.X, self.structures, self.rows = X, structures, rows
        return self

    @classmethod
    def concatenate(cls, parts: Sequence[Features]) -> Features:
        """Join features of one kind.

        Raises
        ------
        ValueError
            For none, for rows of atoms beside rows of structures, or for different numbers of
            features; names the part.
        TypeError
            For features of different types.
        """
        parts = list(parts)
        if not parts:
            raise ValueError("parts: expected at least one, found none")
        first = parts[0]
        for k, part in enumerate(parts):
            if part.rows != first.rows or part.X.shape[1] != first.X.shape[1]:
                raise ValueError(
                    f"part {k}: expected rows of {first.rows} with {first.X.shape[1]} features as "
                    f"the first part has, found rows of {part.rows} with {part.X.shape[1]}"
                )
            if part.X.dtype != first.X.dtype:
                raise TypeError(
                    f"part {k}: expected {first.X.dtype} as the first part is, found {part.X.dtype}"
                )
        X = np.concatenate([part.X for part in parts])
        structures = Structures.concatenate([part.structures for part in parts])
        return cls._trusted(X, structures, first.rows)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of structures, and of features."""
        return len(self), int(self.X.shape[1])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the features."""
        return self.X.dtype

    def __len__(self) -> int:
        return len(self.structures)

    def __iter__(self) -> Iterator[Features]:
        return (self[k] for k in range(len(self)))

    def __getitem__(self, index: Any) -> Features:
        index, columns = _divided(index)
        chosen = chosen_items(index, len(self))
        structures = self.structures[chosen]
        if columns is not None:
            if self.rows == "atoms":
                raise IndexError(
                    "index: expected structures alone for rows of atoms, found columns"
                )
            X = self.X[np.ix_(np.arange(len(self))[chosen], columns)]
        elif self.rows == "structures":
            X = self.X[chosen]
        elif isinstance(chosen, slice):
            offsets = self.structures.offsets
            X = self.X[offsets[chosen.start] : offsets[chosen.stop]]
        else:
            starts, sizes = self.structures.offsets[:-1][chosen], self.structures.sizes[chosen]
            X = self.X[joined_ranges(starts, sizes)]
        return self._trusted(X, structures, self.rows)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if copy:
            return np.array(self.X, dtype)
        return np.asarray(self.X, dtype)

    def __repr__(self) -> str:
        n, n_features = self.shape
        return f"Features(n_structures={n}, rows={self.rows!r}, n_features={n_features})"


def as_features(X: Any) -> Features | None:
    """`Features`, or a list of single ones joined; None for anything else.

    Raises
    ------
    TypeError
        For a list that has `Features` of several structures, or other things beside them.
    """
    if isinstance(X, Features):
        return X
    if not isinstance(X, list | tuple) or not any(isinstance(item, Features) for item in X):
        return None
    # What scikit-learn makes of a sequence that it divides item by item.
    for k, item in enumerate(X):
        if not isinstance(item, Features) or len(item) != 1:
            found = f" of {len(item)}" if isinstance(item, Features) else ""
            raise TypeError(
                f"X: expected the Features of one structure as item {k}, found "
                f"{type(item).__name__}{found}; Features.concatenate joins several"
            )
    return Features.concatenate(X)


def _kind(rows: Any, n_rows: int, structures: Structures) -> str:
    """What the rows describe, as given or by their number."""
    if rows is not None and rows not in _KINDS:
        raise ValueError(f'rows: expected "atoms", "structures" or None, found {rows!r}')
    counts = dict(zip(_KINDS, (structures.n_atoms, len(structures)), strict=True))
    fitting = [kind for kind in _KINDS if counts[kind] == n_rows and rows in (None, kind)]
    if not fitting:
        wanted = " or ".join(f"{counts[kind]} {kind}" for kind in _KINDS if rows in (None, kind))
        raise ValueError(f"X: expected one row for each of {wanted}, found {n_rows} rows")
    if len(fitting) > 1 and not (structures.sizes == 1).all():
        raise ValueError(
            f'rows: expected "atoms" or "structures" where there are {n_rows} of both, found None'
        )
    return fitting[-1]


def _divided(index: Any) -> tuple[Any, npt.NDArray[Any] | None]:
    """An index of structures, and the columns of one that is made by ``np.ix_``."""
    if not isinstance(index, tuple):
        return index, None
    if len(index) == 2:
        first, second = index
        if second is Ellipsis or (isinstance(second, slice) and second == slice(None)):
            return first, None
        if (
            np.ndim(first) == np.ndim(second) == 2
            and np.shape(first)[1] == np.shape(second)[0] == 1
        ):
            return np.ravel(first), np.ravel(second)
    raise IndexError(f"index: expected structures, or np.ix_(rows, columns), found {index!r}")
