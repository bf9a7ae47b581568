"""Atomic environment vectors: the symmetry functions of the ANI models."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from molkern import _core
from molkern._numbers import real_number, real_numbers
from molkern.elements import numbers_of, species_numbers, symbol_of
from molkern.representations._local import LocalRepresentation
from molkern.structures import as_structures

__all__ = ["AEV", "AEVParameters"]

_POSITIVE = ("r_cut", "eta", "angular_r_cut", "angular_eta", "zeta")
_LISTS = ("shifts", "angular_shifts", "sections")
# Gaussians beyond would overflow, and no model comes near it.
_LARGEST = 1e6


@dataclasses.dataclass(frozen=True, kw_only=True)
class AEVParameters:
    """Parameters of atomic environment vectors.

    Parameters
    ----------
    species : sequence of str or int
        Symbols or atomic numbers, in the order of the features.
    r_cut : float
        Cutoff radius of the radial functions, Å.
    eta : float
        Width of their Gaussians, Å⁻².
    shifts : sequence of float
        Centres of their Gaussians, Å.
    angular_r_cut : float
        Cutoff radius of the angular functions, Å. May be larger than ``r_cut``.
    angular_eta : float
        Width of the Gaussians in the mean distance of two neighbours, Å⁻².
    zeta : float, at least 1
        Exponent of the angular part. Whole numbers are faster.
    angular_shifts : sequence of float
        Centres of these Gaussians, Å.
    sections : sequence of float
        Angles at which the angular part is largest, radians.

    Raises
    ------
    ValueError
        For a value that is out of range, empty or not finite, or a species that is there twice.

    Examples
    --------
    >>> from molkern import AEVParameters
    >>> small = AEVParameters(
    ...     species=["H", "O"], r_cut=5.0, eta=16.0, shifts=[1.0, 2.0], angular_r_cut=3.5,
    ...     angular_eta=8.0, zeta=32.0, angular_shifts=[1.0], sections=[0.5, 1.5],
    ... )
    >>> small.species
    (1, 8)
    """

    species: Sequence[str | int]
    r_cut: float
    eta: float
    shifts: Sequence[float]
    angular_r_cut: float
    angular_eta: float
    zeta: float
    angular_shifts: Sequence[float]
    sections: Sequence[float]

    def __post_init__(self) -> None:
        object.__setattr__(self, "species", _species(self.species))
        for name in _POSITIVE:
            object.__setattr__(self, name, _number(name, getattr(self, name)))
        for name in _LISTS:
            object.__setattr__(self, name, _numbers(name, getattr(self, name)))


def _species(species: Any) -> tuple[int, ...]:
    numbers = tuple(species_numbers(species))
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"species: expected each of them once, found {species!r}")
    return numbers


def _number(name: str, value: Any) -> float:
    if name == "zeta":
        return real_number(name, value, 1, _LARGEST)
    return real_number(name, value, 0, _LARGEST, above=True)


def _numbers(name: str, values: Any) -> tuple[float, ...]:
    expected = "a list of numbers, one or more and finite"
    array = real_numbers(name, values, expected)
    if array.ndim != 1 or not array.size or not (np.abs(array) <= _LARGEST).all():
        raise ValueError(f"{name}: expected {expected}, found {values!r}")
    return tuple(array.tolist())


def _steps(start: float, stop: float, n: int) -> tuple[float, ...]:
    return tuple(start + (stop - start) * k / n for k in range(n))


def _angles(n: int) -> tuple[float, ...]:
    return tuple(math.pi * (2 * k + 1) / (2 * n) for k in range(n))


_NAMED = {
    "ani-1x": AEVParameters(
        species=("H", "C", "N", "O"),
        r_cut=5.2,
        eta=16.0,
        shifts=_steps(0.9, 5.2, 16),
        angular_r_cut=3.5,
        angular_eta=8.0,
        zeta=32.0,
        angular_shifts=_steps(0.9, 3.5, 4),
        sections=_angles(8),
    ),
    "ani-2x": AEVParameters(
        species=("H", "C", "N", "O", "S", "F", "Cl"),
        r_cut=5.1,
        eta=19.7,
        shifts=_steps(0.8, 5.1, 16),
        angular_r_cut=3.5,
        angular_eta=12.5,
        zeta=14.1,
        angular_shifts=_steps(0.8, 3.5, 8),
        sections=_angles(4),
    ),
}


class AEV(LocalRepresentation):
    r"""Atomic environment vectors of the ANI models [1]_, as torchani computes them [2]_.

    For each atom, with :math:`f(r) = \tfrac12 + \tfrac12 \cos(\pi r / r_c)` below the cutoff and 0
    beyond it, one radial function for each species and shift,

    .. math:: \tfrac14 \sum_j e^{-\eta (r_j - r_s)^2} f(r_j),

    and one angular function for each pair of species, shift and section,

    .. math:: 2 \sum_{j<k} \left(\frac{1 + \cos(\theta_{jk} - \theta_s)}{2}\right)^\zeta
        e^{-\eta ((r_j + r_k) / 2 - r_s)^2} f(r_j) f(r_k),
        \qquad \theta_{jk} = \arccos(0.95 \cos \angle_{jik}).

    Parameters
    ----------
    parameters : {"ani-1x", "ani-2x"} or AEVParameters, default="ani-1x"
        "ani-1x": H, C, N, O, 384 features. "ani-2x": H, C, N, O, S, F, Cl, 1008 features.
    average : {None, "sum", "mean"}, default=None
        None: one row for each atom. Otherwise one for each structure, over its atoms.
    species : sequence of str or int, optional
        Those of the model that are wanted, in any order: only features of these, in the order of
        the model. None: all of them; what ``fit`` sees does not matter.
    dtype : {"float64", "float32"}, default="float64"
        Type of the result. The computation is in float64 and rounded once.
    n_threads : int, optional
        Threads. None: all cores that the process may use.

    Attributes
    ----------
    parameters_ : AEVParameters
    species_ : ndarray of int32
        In the order of the features.
    n_features_out_ : int

    Raises
    ------
    ValueError
        By ``fit`` and ``transform`` for an element that is not among the species; by ``fit`` for
        parameters that are out of range or unknown.

    Notes
    -----
    Features have no unit. First all radial ones, by species, then shift; then the angular ones, by
    unordered pair of species (H-H, H-C, ..., C-C, ...), then shift, then section: torchani's order.
    The shifts and sections are torchani's formulas in double precision; torchani keeps them rounded
    to single precision, which changes features by up to 1e-6.

    An atom without neighbours has zeros; so has the row of a structure without atoms.

    Invariant to rotation, translation and, up to the order of rows, permutation; once continuously
    differentiable at the cutoffs. The factor 0.95 keeps derivatives finite where three atoms are
    in a line.

    The result is bitwise the same for any number of threads and any division into batches.

    Cost of an atom with n neighbours within ``r_cut`` and m within ``angular_r_cut``:
    n exponentials for each shift, and m² / 2 multiply-adds for each angular shift and section.

    References
    ----------
    .. [1] J. S. Smith, O. Isayev, A. E. Roitberg, Chem. Sci. 8, 3192 (2017).
       https://doi.org/10.1039/C6SC05720A
    .. [2] X. Gao, F. Ramezanghorbani, O. Isayev, J. S. Smith, A. E. Roitberg,
       J. Chem. Inf. Model. 60, 3408 (2020). https://doi.org/10.1021/acs.jcim.0c00451

    Examples
    --------
    >>> from molkern import AEV
    >>> hydrogen = ([1, 1], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.9]])
    >>> model = AEV("ani-1x", species=["H"]).fit([hydrogen])
    >>> model.transform([hydrogen])[:, :2].round(4)
    array([[0.232, 0.073],
           [0.232, 0.073]])
    >>> model.get_feature_names_out()[[0, 16]].tolist()
    ['H r=0.9', 'H-H r=0.9 theta=0.19635']
    """

    def __init__(
        self,
        parameters: str | AEVParameters = "ani-1x",
        *,
        average: str | None = None,
        species: Sequence[str | int] | None = None,
        dtype: str = "float64",
        n_threads: int | None = None,
    ) -> None:
        self.parameters = parameters
        self.average = average
        self.species = species
        self.dtype = dtype
        self.n_threads = n_threads

    def fit(self, structures: Any, y: Any = None) -> Self:
        """Check the parameters.

        Parameters
        ----------
        structures : Structures, or list of ase.Atoms or of (numbers, positions)
            Nothing is learnt from them.
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For wrong parameters, or an element that is not among the species.
        """
        self._check_common()
        self._average_name()
        parameters = _resolved(self.parameters)
        species = np.array(_chosen(self.species, parameters), dtype=np.int32)
        self._require_known(as_structures(structures), species)
        self.parameters_ = parameters
        self._kernel = self._make_kernel(species)
        self.species_ = species
        return self

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Names of the features, ``H r=0.9`` or ``H-C r=0.9 theta=0.19635`` (Å and radians)."""
        self._require_fitted()
        p = self.parameters_
        symbols = [symbol_of(int(z)) for z in self.species_]
        pairs = [f"{a}-{b}" for k, a in enumerate(symbols) for b in symbols[k:]]
        radial = [f"{a} r={r:.6g}" for a in symbols for r in p.shifts]
        angular = [
            f"{pair} r={r:.6g} theta={theta:.6g}"
            for pair in pairs
            for r in p.angular_shifts
            for theta in p.sections
        ]
        return np.array(radial + angular, dtype=object)

    def _kernel_of_fit(self, module: Any = _core) -> Any:
        return self._make_kernel(self.species_, module)

    def _make_kernel(self, species: npt.NDArray[np.int32], module: Any = _core) -> Any:
        p = self.parameters_
        return module.aev_kernel(
            species,
            p.r_cut,
            p.eta,
            np.array(p.shifts),
            p.angular_r_cut,
            p.angular_eta,
            p.zeta,
            np.array(p.angular_shifts),
            np.array(p.sections),
        )


def _resolved(parameters: Any) -> AEVParameters:
    if isinstance(parameters, AEVParameters):
        return parameters
    if isinstance(parameters, str) and parameters in _NAMED:
        return _NAMED[parameters]
    raise ValueError(
        f'parameters: expected "ani-1x", "ani-2x" or AEVParameters, found {parameters!r}'
    )


def _chosen(species: Any, parameters: AEVParameters) -> list[int]:
    """The species wanted, in the order of the model."""
    known = numbers_of(parameters.species)
    if species is None:
        return known
    wanted = _species(species)
    unknown = [symbol_of(z) for z in wanted if z not in known]
    if unknown:
        raise ValueError(
            f"species: the parameters have no {', '.join(unknown)}; "
            f"they have {', '.join(map(symbol_of, known))}"
        )
    return [z for z in known if z in wanted]
