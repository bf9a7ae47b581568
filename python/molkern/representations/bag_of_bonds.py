"""Bag of bonds: Coulomb interactions collected by pair of elements."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from molkern import _core
from molkern._device import Place, prepared, require_apart
from molkern._numbers import whole_number
from molkern.elements import numbers_of, symbol_of
from molkern.representations._base import real_type, require_atoms, unit_length
from molkern.representations._global import GlobalRepresentation
from molkern.structures import Structures, as_structures


class BagOfBonds(GlobalRepresentation):
    r"""Bag of bonds of whole molecules [1]_.

    One bag per element holds :math:`Z^{2.4} / 2` of each of its atoms, one bag per unordered pair
    of elements holds :math:`Z_i Z_j / |R_i - R_j|` of each pair of atoms (all pairs, bonded or
    not). Each bag is sorted in descending order and filled with zeros to its size.

    Parameters
    ----------
    length_unit : {"bohr", "angstrom"}, default="bohr"
        Unit of the distances in the formula; positions are in Å.
    bags : dict of str to int, optional
        Sizes of the bags by name: ``{"H": 4, "C": 1, "H-H": 6, "H-C": 4}``. The elements that occur
        are the species; a pair that is missing has size 0. None: from ``fit``, each bag as large as
        the structures need it.
    dtype : {"float64", "float32"}, default="float64"
        Type of the result. The computation is in float64 and rounded once.
    n_threads : int, optional
        Threads. None: all cores that the process may use.

    Attributes
    ----------
    bags_ : dict of str to int
        Size of each bag: one per element in order of Z, then one per pair, ordered by both Z.
    species_ : ndarray of int32
        Elements, ascending.
    n_features_out_ : int
        Sum of the sizes.

    Raises
    ------
    ValueError
        By ``fit`` for a parameter out of range; by ``transform`` for elements without a bag (all of
        them are listed), a molecule that needs more places in a bag than it has, atoms closer than
        0.001 Å, and atomic numbers above 118, since Z is part of the formula.

    Notes
    -----
    The unit is e²/bohr or e²/Å. A molecule without atoms gives zeros, one atom fills one place.
    Cells are ignored.

    Invariant to rotation, translation and the order of the atoms. Continuous; the derivative jumps
    where two entries of a bag cross: ``vjp`` and ``jacobian`` are those for the order that the
    entries have, and for equal ones for the order of their atoms, one of the one-sided derivatives.

    The result is bitwise the same for any number of threads and any division into batches.

    Cost: n² distances for n atoms, and sorting them.

    References
    ----------
    .. [1] K. Hansen, F. Biegler, R. Ramakrishnan, W. Pronobis, O. A. von Lilienfeld, K.-R. Müller,
       A. Tkatchenko, J. Phys. Chem. Lett. 6, 2326 (2015).
       https://doi.org/10.1021/acs.jpclett.5b00831

    Examples
    --------
    >>> from molkern import BagOfBonds
    >>> hydrogen = ([1, 1], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.529177210544]])
    >>> model = BagOfBonds().fit([hydrogen])
    >>> model.get_feature_names_out().tolist()
    ['H[0]', 'H[1]', 'H-H[0]']
    >>> model.transform([hydrogen]).round(12)
    array([[0.5, 0.5, 1. ]])
    """

    def __init__(
        self,
        *,
        length_unit: str = "bohr",
        bags: Mapping[str, int] | None = None,
        dtype: str = "float64",
        n_threads: int | None = None,
    ) -> None:
        self.length_unit = length_unit
        self.bags = bags
        self.dtype = dtype
        self.n_threads = n_threads

    def fit(self, structures: Any, y: Any = None) -> Self:
        """Fix elements and sizes of the bags.

        Parameters
        ----------
        structures : Structures, or list of ase.Atoms or of (numbers, positions)
            Only the composition of each structure matters; nothing does if ``bags`` is given.
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For a parameter out of range, or no atoms and no ``bags``.
        TypeError
            For a parameter of a wrong type.
        """
        self._check_common()
        unit_length(self.length_unit)
        if self.bags is not None:
            self.species_, self._sizes = _given_bags(self.bags)
        else:
            batch = as_structures(structures)
            require_atoms(batch, "bags")
            self.species_ = batch.species
            counts = _core.bag_counts(batch.numbers, batch.positions, batch.offsets, self.species_)
            self._sizes = counts.max(axis=0, initial=0)
        names = _bag_names(self.species_)
        self.bags_ = dict(zip(names, self._sizes.tolist(), strict=True))
        return self

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Names of the features: bag and place in it, ``C[0]`` or ``H-C[3]``."""
        self._require_fitted()
        names = [f"{bag}[{k}]" for bag, size in self.bags_.items() for k in range(size)]
        return np.array(names, dtype=object)

    def _n_features(self) -> int:
        return int(self._sizes.sum())

    def _fitted(self) -> bool:
        return hasattr(self, "bags_")

    def _compute(self, structures: Structures, out: npt.NDArray[Any]) -> None:
        self._call(_core.bag_of_bonds, structures, *self._arguments(out))

    def _check_for_device(self, structures: Structures) -> None:
        self._call(_core.check_bags, structures)

    def _compute_on_device(self, structures: Structures, place: Place, positions: Any) -> Any:
        single = real_type(self.dtype) == np.float32
        return self._call_on_device(place.module.bag_of_bonds, structures, place, positions, single)

    def _compute_vjp_on_device(
        self, structures: Structures, place: Place, positions: Any, gX: Any
    ) -> Any:
        return self._call_on_device(place.module.bag_of_bonds_vjp, structures, place, positions, gX)

    def _compute_vjp(
        self, structures: Structures, gX: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        gradient: npt.NDArray[np.float64] = self._call(
            _core.bag_of_bonds_vjp, structures, *self._arguments(gX)
        )
        return gradient

    def _compute_jacobian(self, structures: Structures, out: npt.NDArray[Any]) -> None:
        self._call(_core.bag_of_bonds_jacobian, structures, *self._arguments(out))

    def _arguments(self, array: npt.NDArray[Any]) -> tuple[Any, ...]:
        return unit_length(self.length_unit), array, self.n_threads

    def _call_on_device(
        self,
        function: Callable[..., Any],
        structures: Structures,
        place: Place,
        positions: Any,
        argument: Any,
    ) -> Any:
        """A function of the module for devices, which trusts what the host can check."""
        first = np.concatenate([[0], np.cumsum(self._sizes)])

        def make() -> Any:
            self._check_for_device(structures)
            return place.module.molecules(
                structures.numbers, structures.offsets, place.device, place.stream
            )

        key = "bag of bonds", self.species_.tobytes(), first.tobytes()
        result, coincident = function(
            prepared(place, structures, key, make),
            positions,
            self.species_,
            first,
            unit_length(self.length_unit),
            argument,
            place.stream,
        )
        require_apart(coincident)
        return result

    def _call(self, function: Callable[..., Any], structures: Structures, *arguments: Any) -> Any:
        """A function of the compiled module, given the structures, the bags, and more."""
        try:
            return function(
                structures.numbers,
                structures.positions,
                structures.offsets,
                self.species_,
                self._sizes,
                *arguments,
            )
        except ValueError:
            self._require_known(structures)
            raise

    def _require_known(self, structures: Structures) -> None:
        unknown = np.setdiff1d(structures.species, self.species_)
        if unknown.size:
            structure = int(
                np.searchsorted(
                    structures.offsets,
                    np.flatnonzero(np.isin(structures.numbers, unknown))[0],
                    side="right",
                )
            )
            raise ValueError(
                f"structures: no bag for {', '.join(symbol_of(int(z)) for z in unknown)} "
                f"(first in molecule {structure - 1}); there are bags for "
                f"{', '.join(symbol_of(int(z)) for z in self.species_)}"
            ) from None


def _bag_names(species: npt.NDArray[np.int32]) -> list[str]:
    symbols = [symbol_of(int(z)) for z in species]
    pairs = [f"{a}-{b}" for i, a in enumerate(symbols) for b in symbols[i:]]
    return symbols + pairs


def _given_bags(
    bags: Mapping[str, int],
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Species and sizes, in order, of bags given by name."""
    if not isinstance(bags, Mapping):
        raise TypeError(f"bags: expected a dict of names and sizes, found {type(bags).__name__}")
    by_elements: dict[tuple[int, ...], int] = {}
    for name, size in bags.items():
        if not isinstance(name, str):
            raise TypeError(f"bags: expected names such as 'C' or 'H-C', found {name!r}")
        whole_number(f"bags: {name}", size, 0)
        elements = tuple(sorted(numbers_of(name.split("-"))))
        if len(elements) > 2 or elements in by_elements:
            raise ValueError(f"bags: {name!r} is no pair of elements, or is there twice")
        by_elements[elements] = int(size)
    if sum(by_elements.values()) >= 2**40:
        raise ValueError(
            f"bags: expected fewer than 2^40 places, found {sum(by_elements.values())}"
        )
    species = sorted({z for elements in by_elements for z in elements})
    singles = [(z,) for z in species]
    pairs = [(a, b) for i, a in enumerate(species) for b in species[i:]]
    sizes = [by_elements.get(key, 0) for key in [*singles, *pairs]]
    return np.array(species, np.int32), np.array(sizes, np.int64)
