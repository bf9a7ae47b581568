"""Coulomb matrix: sorted, randomly sorted, its eigenvalues, or in the order of the atoms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from molkern import _core
from molkern._device import Place, prepared, require_apart
from molkern._numbers import real_number, whole_number
from molkern.representations import _eigenspectrum
from molkern.representations._base import real_type, require_atoms, unit_length
from molkern.representations._global import GlobalRepresentation
from molkern.structures import Structures, as_structures

# Of the functions of the compiled module, but for an array and the threads.
_Arguments = tuple[
    npt.NDArray[np.int32],
    npt.NDArray[np.float64],
    npt.NDArray[np.int64],
    str,
    int,
    float,
    npt.NDArray[np.float64],
]

_PERMUTATIONS = ("row_norm", "random", "eigenspectrum", "none")


class CoulombMatrix(GlobalRepresentation):
    r"""Coulomb matrix of whole molecules [1]_.

    .. math:: M_{ii} = \tfrac{1}{2} Z_i^{2.4}, \qquad M_{ij} = \frac{Z_i Z_j}{|R_i - R_j|}

    Parameters
    ----------
    size : int, optional
        Largest number of atoms. None: that of the structures given to ``fit``.
    permutation : {"row_norm", "random", "eigenspectrum", "none"}, default="row_norm"
        How the result is made independent of the order of the atoms.

        - ``"row_norm"``: rows by descending norm. Norms are rounded to 10 significant digits;
          equal ones keep the order of the atoms.
        - ``"random"``: ``n_copies`` matrices, each with rows sorted after Gaussian noise was added
          to the norms [2]_.
        - ``"eigenspectrum"``: the eigenvalues instead of the matrix, by descending magnitude.
        - ``"none"``: rows in the order of the atoms, for molecules with a fixed order.
    length_unit : {"bohr", "angstrom"}, default="bohr"
        Unit of the distances in the formula (not of the positions, which are in Å). Bohr is the
        paper's choice, Å that of most other codes.
    n_copies : int, default=1
        Copies with ``permutation="random"``; 1 otherwise.
    noise : float, default=1.0
        Standard deviation of the noise on the norms, in the unit of the matrix.
    random_state : int, optional
        Seed of the noise. None: ``fit`` draws one, kept in ``random_state_``.
    dtype : {"float64", "float32"}, default="float64"
        Type of the result. The computation is in float64 and rounded once.
    n_threads : int, optional
        Threads. None: all cores that the process may use.

    Attributes
    ----------
    size_ : int
        The size in use.
    n_features_out_ : int
        ``size_ (size_ + 1) / 2`` times ``n_copies``; ``size_`` for the eigenspectrum.
    random_state_ : int
        Seed in use, for ``permutation="random"``.

    Raises
    ------
    ValueError
        By ``fit`` for a parameter out of range; by ``transform`` for a molecule with more than
        ``size_`` atoms, for atoms closer than 0.001 Å, and for atomic numbers above 118, since Z
        is part of the formula.

    Notes
    -----
    The result is the lower triangle row by row, (0,0) (1,0) (1,1) (2,0) ..., then zeros; unit
    e²/bohr or e²/Å. Copies lie side by side. A molecule without atoms gives zeros, one atom its
    Z^2.4/2. Cells are ignored.

    Invariant to rotation and translation, and to the order of the atoms except with ``"none"`` and
    for atoms that are not equivalent but have equal row norms: then the order of the atoms decides
    (benzene is such a case). With ``"row_norm"`` and ``"random"`` the result jumps where two norms
    cross; the eigenspectrum and the unsorted matrix are continuous.

    Derivatives (``vjp``, ``jacobian``) of the sorted matrices are those for the order that the rows
    have; at a tie that is one of the one-sided ones. An eigenvalue has a derivative only where it
    is not degenerate. Of a degenerate group only sums have: ``vjp`` is right if ``gX`` is equal
    within the group, a single column of ``jacobian`` is then that of some basis. The derivatives of
    the eigenspectrum rest on NumPy's eigenvectors, which use the threads of its linear algebra and
    not ``n_threads``, and take memory for one n by n matrix and a few more.

    The noise of ``"random"`` belongs to (``random_state``, copy, rank of the atom after sorting):
    a molecule gets the same copies in any batch and on any number of threads.

    The result is bitwise the same for any number of threads and any division into batches.

    Cost: n² for the matrix, n³ for the eigenvalues, with n atoms.

    References
    ----------
    .. [1] M. Rupp, A. Tkatchenko, K.-R. Müller, O. A. von Lilienfeld, Phys. Rev. Lett. 108,
       058301 (2012). https://doi.org/10.1103/PhysRevLett.108.058301
    .. [2] G. Montavon et al., Adv. Neural Inf. Process. Syst. 25, 440 (2012).

    Examples
    --------
    >>> from molkern import CoulombMatrix
    >>> hydrogen = ([1, 1], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.529177210544]])
    >>> CoulombMatrix().fit_transform([hydrogen]).round(12)
    array([[0.5, 1. , 0.5]])
    >>> CoulombMatrix(permutation="eigenspectrum").fit_transform([hydrogen]).round(12)
    array([[ 1.5, -0.5]])
    """

    def __init__(
        self,
        *,
        size: int | None = None,
        permutation: str = "row_norm",
        length_unit: str = "bohr",
        n_copies: int = 1,
        noise: float = 1.0,
        random_state: int | None = None,
        dtype: str = "float64",
        n_threads: int | None = None,
    ) -> None:
        self.size = size
        self.permutation = permutation
        self.length_unit = length_unit
        self.n_copies = n_copies
        self.noise = noise
        self.random_state = random_state
        self.dtype = dtype
        self.n_threads = n_threads

    def fit(self, structures: Any, y: Any = None) -> Self:
        """Fix the size, and the noise of random sorting.

        Parameters
        ----------
        structures : Structures, or list of ase.Atoms or of (numbers, positions)
            Only the numbers of atoms matter.
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For a parameter out of range, a structure larger than ``size``, or no atoms and no
            ``size``.
        TypeError
            For a parameter of a wrong type.
        """
        self._check_parameters()
        batch = as_structures(structures)
        if self.size is None:
            require_atoms(batch, "size")
        largest = int(batch.sizes.max(initial=0))
        if self.size is not None and largest > self.size:
            raise ValueError(f"size: the largest molecule has {largest} atoms, size is {self.size}")
        self.size_ = largest if self.size is None else int(self.size)
        if self.permutation == "random":
            seed = self.random_state
            self.random_state_ = (
                int(np.random.default_rng().integers(2**32)) if seed is None else int(seed)
            )
        return self

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Names of the features: ``M[i,j]``, ``copy2 M[i,j]`` or ``eigenvalue[i]``."""
        self._require_fitted()
        if self.permutation == "eigenspectrum":
            names = [f"eigenvalue[{i}]" for i in range(self.size_)]
        else:
            names = [f"M[{i},{j}]" for i in range(self.size_) for j in range(i + 1)]
        if self.permutation == "random":
            names = [f"copy{copy} {name}" for copy in range(self.n_copies) for name in names]
        return np.array(names, dtype=object)

    def _n_features(self) -> int:
        if self.permutation == "eigenspectrum":
            return self.size_
        return self.n_copies * self.size_ * (self.size_ + 1) // 2

    def _fitted(self) -> bool:
        return hasattr(self, "size_")

    def _compute(self, structures: Structures, out: npt.NDArray[Any]) -> None:
        _core.coulomb_matrix(*self._arguments(structures), out, self.n_threads)

    def _check_for_device(self, structures: Structures) -> None:
        arrays = structures.numbers, structures.positions, structures.offsets
        _core.check_elements(*arrays, "the Coulomb matrix")
        if (structures.sizes > self.size_).any():
            which = int(np.argmax(structures.sizes > self.size_))
            raise ValueError(
                f"molecule {which} has {structures.sizes[which]} atoms, size is {self.size_}"
            )

    def _compute_on_device(self, structures: Structures, place: Place, positions: Any) -> Any:
        single = real_type(self.dtype) == np.float32
        function = place.module.coulomb_matrix
        return self._call_on_device(function, structures, place, positions, single)

    def _compute_vjp_on_device(
        self, structures: Structures, place: Place, positions: Any, gX: Any
    ) -> Any:
        function = place.module.coulomb_matrix_vjp
        return self._call_on_device(function, structures, place, positions, gX)

    def _call_on_device(
        self,
        function: Callable[..., Any],
        structures: Structures,
        place: Place,
        positions: Any,
        argument: Any,
    ) -> Any:
        """A function of the module for devices, which trusts what the host can check."""
        numbers, _, offsets, *parameters = self._arguments(structures)

        def make() -> Any:
            self._check_for_device(structures)
            return place.module.molecules(numbers, offsets, place.device, place.stream)

        molecules = prepared(place, structures, ("Coulomb matrix", self.size_), make)
        result, coincident = function(molecules, positions, *parameters, argument, place.stream)
        require_apart(coincident)
        return result

    def _compute_vjp(
        self, structures: Structures, gX: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        if self.permutation == "eigenspectrum":
            values = self._eigenvalues(structures)
            return _eigenspectrum.vjp(structures, values, unit_length(self.length_unit), gX)
        return _core.coulomb_matrix_vjp(*self._arguments(structures), gX, self.n_threads)

    def _compute_jacobian(self, structures: Structures, out: npt.NDArray[Any]) -> None:
        if self.permutation == "eigenspectrum":
            values = self._eigenvalues(structures)
            _eigenspectrum.jacobian(structures, values, unit_length(self.length_unit), out)
        else:
            _core.coulomb_matrix_jacobian(*self._arguments(structures), out, self.n_threads)

    def _eigenvalues(self, structures: Structures) -> npt.NDArray[np.float64]:
        """The features before they are rounded to ``dtype``; checks the structures."""
        values = np.empty((len(structures), self.size_))
        self._compute(structures, values)
        return values

    def _arguments(self, structures: Structures) -> _Arguments:
        return (
            structures.numbers,
            structures.positions,
            structures.offsets,
            self.permutation,
            self.size_,
            unit_length(self.length_unit),
            self._noise(),
        )

    def _noise(self) -> npt.NDArray[np.float64]:
        """Noise of each copy and rank, shape (n_copies, size_); no rows without random sorting."""
        if self.permutation != "random":
            return np.empty((0, self.size_))
        rows = [
            np.random.default_rng([self.random_state_, copy]).standard_normal(self.size_)
            for copy in range(self.n_copies)
        ]
        return float(self.noise) * np.array(rows)

    def _check_parameters(self) -> None:
        self._check_common()
        unit_length(self.length_unit)
        if self.permutation not in _PERMUTATIONS:
            raise ValueError(
                f"permutation: expected one of {', '.join(_PERMUTATIONS)}, "
                f"found {self.permutation!r}"
            )
        if self.size is not None:
            whole_number("size", self.size, 0)
        if whole_number("n_copies", self.n_copies, 1) > 1 and self.permutation != "random":
            raise ValueError(
                'n_copies: expected 1, or more with permutation="random"; '
                f"found {self.n_copies} with {self.permutation!r}"
            )
        real_number("noise", self.noise, 0)
        if self.random_state is not None:
            whole_number("random_state", self.random_state, 0)
