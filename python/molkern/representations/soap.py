"""SOAP power spectrum."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from molkern import _core
from molkern._numbers import real_number, whole_number
from molkern.elements import symbol_of
from molkern.representations._local import LocalRepresentation
from molkern.representations._radial import THRESHOLD, gaussian_type_integrals, radial_table
from molkern.representations._weighting import checked_species_weights, checked_weighting

_CHOICES: dict[str, tuple[str | None, ...]] = {
    "radial_basis": ("gto", "polynomial", "laplacian_eigenstates"),
    "cutoff_function": (None, "cosine", "tanh3", "polynomial"),
    "compression": (None, "mu2", "mu1nu1", "crossover"),
}
_L_MOST = 30
# Of r_cut. Far below a thousandth of an atom's size; narrower, the integrals overflow.
_LEAST_SIGMA = 1e-4


class SOAP(LocalRepresentation):
    r"""Power spectrum of the smooth overlap of atomic positions (SOAP) [1]_.

    The density of Gaussians on the atom and its neighbours of element Z is expanded in
    orthonormal radial functions and spherical harmonics:

    .. math::
        \sum_{j \in Z} w_j e^{-|r - r_j|^2 / (2 \sigma^2)}
            &= \sum_{nlm} c^Z_{nlm} g_{nl}(r) Y_{lm}(\hat r) \\
        p^{ZZ'}_{nn'l} &= \pi \sqrt{8 / (2l + 1)} \sum_m c^Z_{nlm} c^{Z'}_{n'lm}

    Parameters
    ----------
    species : sequence of str or int, optional
        Elements, as symbols or numbers; sorted by number in the result. None: those of the
        structures given to ``fit``.
    r_cut : float, default=5.0
        Cutoff radius, Å; above 1.
    n_max : int, default=8
        Number of radial functions, 1 or more.
    l_max : int, default=6
        Highest degree of the spherical harmonics, 0 to 30.
    sigma : float, default=0.5
        Standard deviation of the Gaussians, Å.
    radial_basis : {"gto", "polynomial", "laplacian_eigenstates"}, default="gto"
        Orthonormal functions; the first two are made so symmetrically (Löwdin) [2]_:

        - ``"gto"``: r^l exp(-alpha r²), for each l; each decays to 0.001 at one of ``n_max`` radii
          from 1 Å to ``r_cut``.
        - ``"polynomial"``: (r_cut - r)^(n + 2) for n = 1 ... n_max up to ``r_cut``, 0 beyond.
        - ``"laplacian_eigenstates"``: j_l(z_nl r / r_cut) up to ``r_cut``, 0 beyond, with the zeros
          z_nl of the spherical Bessel function [3]_; the smoothest functions that vanish at
          ``r_cut``.

        The integrals with the last two are tabulated by ``fit``, with an error below 1e-12 of the
        largest (l_max up to 10; 1e-10 up to 30), in a time that grows with (r_cut / sigma)³: 3 s
        for 5 Å / 0.1 Å.
    cutoff_function : {None, "cosine", "tanh3", "polynomial"}, default=None
        Weight of a neighbour that goes to 0 at ``r_cut``, as in :class:`~molkern.ACSF`; the atom
        itself has weight 1. None: neighbours up to ``r_cut + 3.717 sigma``, where a Gaussian has
        decayed to 0.001 at ``r_cut``, have weight 1; for ``"laplacian_eigenstates"`` None means
        ``"cosine"``.
    weighting : dict, optional
        A further factor of the weight of a neighbour, by its distance: DScribe's dictionary
        without ``threshold``, as ``r_cut`` is always given. It is not modified. With x = r / r0:

        - ``{"function": "poly", "c", "m", "r0"}``: c (1 + 2 x³ - 3 x²)^m, 0 from r0 on [4]_.
        - ``{"function": "pow", "c", "d", "m", "r0"}``: c / (d + x^m) [5]_.
        - ``{"function": "exp", "c", "d", "r0"}``: c / (d + exp(-x)); as in DScribe, it grows with
          the distance.

        r0 is in Å and above 0, the other numbers are 0 or more. ``"w0"`` is the weight of the atom
        itself, with or without a function; without it that is the value at 0.
    average : {None, "sum", "mean", "inner", "outer"}, default=None
        None: one row for each atom. Otherwise one for each structure: the sum or mean of those;
        ``"inner"``: the power spectrum of the mean of the coefficients c. ``"outer"`` is DScribe's
        name for ``"mean"``.
    compression : {None, "mu2", "mu1nu1", "crossover"}, default=None
        Which densities are multiplied [6]_; with n = n_max and s species:

        - None: those of every two species; s n (s n + 1) / 2 for each l.
        - ``"mu2"``: the sum over species with itself; n (n + 1) / 2 for each l.
        - ``"mu1nu1"``: each species (index n) with the sum over all, itself included (n'); s n² for
          each l.
        - ``"crossover"``: each species with itself; s n (n + 1) / 2 for each l.
    species_weighting : dict of {str or int: float}, optional
        Factors of the densities of species, also negative ones; for each species one. Elements
        remain distinguishable by them with ``compression="mu2"``.
    normalize : bool, default=False
        Divide the power spectrum of each atom by its Euclidean norm, before a sum or mean over
        atoms: scalar products of sums are then sums of the normalised kernels of atoms [7]_. With
        ``average="inner"`` the one spectrum of a structure is divided. Zeros stay zeros, and have
        derivatives 0.
    dtype : {"float64", "float32"}, default="float64"
        Type of the result. The computation is in float64 and rounded once.
    n_threads : int, optional
        Threads. None: all cores that the process may use.

    Attributes
    ----------
    species_ : ndarray of int32, shape (n_species,)
        Species in use, ascending.
    n_features_out_ : int
        ``l_max + 1`` times the number that ``compression`` says.

    Raises
    ------
    ValueError
        By ``fit`` for a parameter out of range, unknown or missing keys of ``weighting``, or so
        many radial functions that they are linearly dependent; by ``transform`` for unknown
        species and for atoms closer than 0.001 Å.
    TypeError
        By ``fit`` for ``weighting`` or ``species_weighting`` that is not a dictionary, and
        ``normalize`` that is not a boolean.

    Notes
    -----
    For every pair of species (0,0) (0,1) ... (1,1) (1,2) ... and every l, all n and n'; n' >= n for
    a pair of the same species: the order and, without ``cutoff_function``, the values of DScribe,
    in any compression. The orthonormalisation is done in decimal arithmetic: with eight functions
    up to 5 Å the features are within 1e-12 of the largest of those without rounding errors.
    DScribe's, which does it in float64, differ by 5e-10 (``"gto"``) and 2e-6 (``"polynomial"``).

    Species that are not there give zeros. Unit: Å³, since the radial functions are normalised and
    the Gaussians are not; with ``normalize`` none.

    Invariant to rotation, translation and the order of atoms. Without ``cutoff_function`` the
    features jump when a neighbour crosses ``r_cut + 3.717 sigma``, where their derivatives leave
    this out; with one they and their first derivatives are continuous and go to those without the
    neighbour. A weight of ``"poly"`` is as smooth at r0 if m is above 1/2. With ``normalize`` and
    ``w0`` of 0 features jump to 0 when the last neighbour leaves. An atom without neighbours has
    features of l = 0 alone; a structure without atoms has no rows, or with ``average`` a row of
    zeros. Periodic images are neighbours like other atoms.

    Features are bitwise the same for any number of threads and any division into batches.

    Cost: for each atom with n neighbours of s species, n n_max (l_max + 1) exponentials and
    n_max (l_max + 1)² (n + s n_max + s² n_max / 2) multiply-adds, and the bytes of the row. With
    compression the last term is s n_max or less, and with ``"mu2"`` s is 1.

    References
    ----------
    .. [1] A. P. Bartók, R. Kondor, G. Csányi, Phys. Rev. B 87, 184115 (2013).
       https://doi.org/10.1103/PhysRevB.87.184115
    .. [2] L. Himanen et al., Comput. Phys. Commun. 247, 106949 (2020).
       https://doi.org/10.1016/j.cpc.2019.106949
    .. [3] F. Bigi et al., J. Chem. Phys. 157, 234101 (2022). https://doi.org/10.1063/5.0124363
    .. [4] M. A. Caro, Phys. Rev. B 100, 024112 (2019). https://doi.org/10.1103/PhysRevB.100.024112
    .. [5] M. J. Willatt, F. Musil, M. Ceriotti, Phys. Chem. Chem. Phys. 20, 29661 (2018).
       https://doi.org/10.1039/c8cp05921g
    .. [6] J. P. Darby, J. R. Kermode, G. Csányi, npj Comput. Mater. 8, 166 (2022).
       https://doi.org/10.1038/s41524-022-00847-y
    .. [7] S. De, A. P. Bartók, G. Csányi, M. Ceriotti, Phys. Chem. Chem. Phys. 18, 13754 (2016).
       https://doi.org/10.1039/c6cp00415f

    Examples
    --------
    >>> from molkern import SOAP
    >>> water = ([8, 1, 1], [[0.0, 0.0, 0.0], [0.0, 0.76, 0.59], [0.0, -0.76, 0.59]])
    >>> soap = SOAP(r_cut=4.0, n_max=2, l_max=1)
    >>> soap.fit_transform([water]).shape
    (3, 20)
    >>> soap.get_feature_names_out().tolist()[:3]
    ["p(H,H; l=0, n=0, n'=0)", "p(H,H; l=0, n=0, n'=1)", "p(H,H; l=0, n=1, n'=1)"]
    >>> small = SOAP(r_cut=4.0, n_max=2, l_max=1, compression="mu2", normalize=True)
    >>> (small.fit_transform([water]) ** 2).sum(axis=1).round(12).tolist()
    [1.0, 1.0, 1.0]
    >>> small.get_feature_names_out().tolist()[:2]
    ["p(*,*; l=0, n=0, n'=0)", "p(*,*; l=0, n=0, n'=1)"]
    """

    _averages: ClassVar[dict[str, str]] = {
        "sum": "sum",
        "mean": "mean",
        "inner": "inner",
        "outer": "mean",
    }

    def __init__(
        self,
        *,
        species: Sequence[str | int] | None = None,
        r_cut: float = 5.0,
        n_max: int = 8,
        l_max: int = 6,
        sigma: float = 0.5,
        radial_basis: str = "gto",
        cutoff_function: str | None = None,
        weighting: Mapping[str, Any] | None = None,
        average: str | None = None,
        compression: str | None = None,
        species_weighting: Mapping[str | int, float] | None = None,
        normalize: bool = False,
        dtype: str = "float64",
        n_threads: int | None = None,
    ) -> None:
        self.species = species
        self.r_cut = r_cut
        self.n_max = n_max
        self.l_max = l_max
        self.sigma = sigma
        self.radial_basis = radial_basis
        self.cutoff_function = cutoff_function
        self.weighting = weighting
        self.average = average
        self.compression = compression
        self.species_weighting = species_weighting
        self.normalize = normalize
        self.dtype = dtype
        self.n_threads = n_threads

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Names such as ``p(H,C; l=0, n=0, n'=1)``: n belongs to H, n' to C.

        With compression ``*`` in place of a species is the sum over all.
        """
        self._require_fitted()
        symbols = [symbol_of(number) for number in self.species_.tolist()]
        fitted = self._fitted_with
        if fitted["compression"] == "mu2":
            pairs = [("*", "*")]
        elif fitted["compression"] == "mu1nu1":
            pairs = [(symbol, "*") for symbol in symbols]
        elif fitted["compression"] == "crossover":
            pairs = [(symbol, symbol) for symbol in symbols]
        else:
            pairs = list(itertools.combinations_with_replacement(symbols, 2))
        names = [
            f"p({a},{b}; l={degree}, n={n}, n'={k})"
            for a, b in pairs
            for degree in range(fitted["l_max"] + 1)
            for n in range(fitted["n_max"])
            for k in range(n if a == b else 0, fitted["n_max"])
        ]
        return np.array(names, dtype=object)

    def _make_kernel(self, species: npt.NDArray[np.int32], module: Any = _core) -> Any:
        r_cut = real_number("r_cut", self.r_cut, 1, above=True)
        sigma = real_number("sigma", self.sigma, 0, above=True)
        n_max = whole_number("n_max", self.n_max, 1)
        l_max = whole_number("l_max", self.l_max, 0, _L_MOST)
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"{name}: expected one of {', '.join(map(str, allowed))}, "
                    f"found {getattr(self, name)!r}"
                )
        if not isinstance(self.normalize, bool | np.bool_):
            raise TypeError(f"normalize: expected True or False, found {self.normalize!r}")
        cutoff_function = self.cutoff_function
        if cutoff_function is None and self.radial_basis == "laplacian_eigenstates":
            cutoff_function = "cosine"
        padding = 0.0 if cutoff_function else sigma * math.sqrt(-2 * math.log(THRESHOLD))
        reach = r_cut + padding
        weighting = checked_weighting(self.weighting, reach)
        if weighting.function == "poly" and cutoff_function is None:
            # Beyond r0 the weight is zero.
            reach = min(reach, weighting.parameters[-1])
        return module.soap_kernel(
            species,
            reach,
            cutoff_function,
            *_radial_part(self.radial_basis, r_cut, n_max, l_max, sigma, reach),
            self.compression,
            bool(self.normalize),
            *weighting,
            checked_species_weights(self.species_weighting, species),
        )


def _radial_part(
    basis: str, r_cut: float, n_max: int, l_max: int, sigma: float, reach: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64] | None, float]:
    """Exponents, transforms, table and its spacing of the compiled kernel."""
    # The factor of the power spectrum, one half for each of its two coefficients.
    factors = np.sqrt(np.pi * np.sqrt(8 / (2 * np.arange(l_max + 1) + 1)))
    exponents = np.zeros((l_max + 1, n_max))
    transform = factors[:, None, None] * np.eye(n_max)
    if sigma < _LEAST_SIGMA * r_cut:
        raise ValueError(
            f"sigma: expected at least {_LEAST_SIGMA:g} of r_cut, {_LEAST_SIGMA * r_cut:g}, "
            f"found {sigma:g}"
        )
    if basis != "gto":
        return exponents, transform, *radial_table(basis, r_cut, n_max, l_max, sigma, reach)
    for degree in range(l_max + 1):
        exponents[degree], matrix = gaussian_type_integrals(r_cut, n_max, degree, sigma)
        transform[degree] = factors[degree] * matrix
    return exponents, transform, None, 0.0
