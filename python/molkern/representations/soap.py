"""SOAP power spectrum."""

from __future__ import annotations

import itertools
import math
import numbers
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from molkern import _core
from molkern.elements import symbol_of
from molkern.representations._base import whole_number
from molkern.representations._local import LocalRepresentation
from molkern.representations._radial import radial_table

_RADIAL_BASES = ("gto", "polynomial")
_CUTOFF_FUNCTIONS = (None, "cosine", "tanh3", "polynomial")
# The value to which a radial function decays at its radius, and a Gaussian where it is left out.
_THRESHOLD = 1e-3
_L_MOST = 30


class SOAP(LocalRepresentation):
    r"""Power spectrum of the smooth overlap of atomic positions (SOAP) [1]_.

    The density of Gaussians on the atom and its neighbours of element Z is expanded in
    orthonormal radial functions and spherical harmonics:

    .. math::
        \sum_{j \in Z} w(r_j) e^{-|r - r_j|^2 / (2 \sigma^2)}
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
    radial_basis : {"gto", "polynomial"}, default="gto"
        Orthonormalised symmetrically (Löwdin) [2]_:

        - ``"gto"``: r^l exp(-alpha r²), for each l; each decays to 0.001 at one of ``n_max`` radii
          from 1 Å to ``r_cut``.
        - ``"polynomial"``: (r_cut - r)^(n + 2) for n = 1 ... n_max up to ``r_cut``, 0 beyond. The
          integrals are tabulated by ``fit``, with an error below 1e-12 of the largest.
    cutoff_function : {None, "cosine", "tanh3", "polynomial"}, default=None
        Weight w of a neighbour, as in :class:`~molkern.ACSF`; the atom itself has weight 1. None: w
        is 1 up to ``r_cut + 3.717 sigma``, where a Gaussian has decayed to 0.001 at ``r_cut``.
    average : {None, "sum", "mean", "inner", "outer"}, default=None
        None: one row for each atom. Otherwise one for each structure: the sum or mean of those;
        ``"inner"``: the power spectrum of the mean of the coefficients c. ``"outer"`` is DScribe's
        name for ``"mean"``.
    dtype : {"float64", "float32"}, default="float64"
        Type of the result. The computation is in float64 and rounded once.
    n_threads : int, optional
        Threads. None: all cores that the process may use.

    Attributes
    ----------
    species_ : ndarray of int32, shape (n_species,)
        Species in use, ascending.
    n_features_out_ : int
        With n = n_species n_max: ``n (n + 1) / 2 * (l_max + 1)``.

    Raises
    ------
    ValueError
        By ``fit`` for a parameter out of range, or so many radial functions that they are linearly
        dependent; by ``transform`` for unknown species and for atoms closer than 0.001 Å.

    Notes
    -----
    For every pair of species (0,0) (0,1) ... (1,1) (1,2) ... and every l, all n and n'; n' >= n for
    a pair of the same species: the order and, without ``cutoff_function``, the values of DScribe.
    Species that are not there give zeros. Unit: Å³, since the radial functions are normalised and
    the Gaussians are not.

    Invariant to rotation, translation and the order of atoms. Without ``cutoff_function`` the
    features jump when a neighbour crosses ``r_cut + 3.717 sigma``, where their derivatives leave
    this out; with one they and their first derivatives are continuous and go to those without the
    neighbour. An atom without neighbours has features of l = 0 alone; a structure without atoms has
    no rows, or with ``average`` a row of zeros. Periodic images are neighbours like other atoms.

    Features are bitwise the same for any number of threads and any division into batches.

    Cost: for each atom with n neighbours of s species, n n_max (l_max + 1) exponentials and
    n_max (l_max + 1)² (n + s n_max + s² n_max / 2) multiply-adds, and the bytes of the row.

    References
    ----------
    .. [1] A. P. Bartók, R. Kondor, G. Csányi, Phys. Rev. B 87, 184115 (2013).
       https://doi.org/10.1103/PhysRevB.87.184115
    .. [2] L. Himanen et al., Comput. Phys. Commun. 247, 106949 (2020).
       https://doi.org/10.1016/j.cpc.2019.106949

    Examples
    --------
    >>> from molkern import SOAP
    >>> water = ([8, 1, 1], [[0.0, 0.0, 0.0], [0.0, 0.76, 0.59], [0.0, -0.76, 0.59]])
    >>> soap = SOAP(r_cut=4.0, n_max=2, l_max=1)
    >>> soap.fit_transform([water]).shape
    (3, 20)
    >>> soap.get_feature_names_out().tolist()[:3]
    ["p(H,H; l=0, n=0, n'=0)", "p(H,H; l=0, n=0, n'=1)", "p(H,H; l=0, n=1, n'=1)"]
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
        average: str | None = None,
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
        self.average = average
        self.dtype = dtype
        self.n_threads = n_threads

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Names such as ``p(H,C; l=0, n=0, n'=1)``: n belongs to H, n' to C."""
        self._require_fitted()
        symbols = [symbol_of(number) for number in self.species_.tolist()]
        names = [
            f"p({a},{b}; l={degree}, n={n}, n'={k})"
            for a, b in itertools.combinations_with_replacement(symbols, 2)
            for degree in range(self.l_max + 1)
            for n in range(self.n_max)
            for k in range(n if a == b else 0, self.n_max)
        ]
        return np.array(names, dtype=object)

    def _make_kernel(self, species: npt.NDArray[np.int32]) -> Any:
        r_cut = _number("r_cut", self.r_cut, 1.0)
        sigma = _number("sigma", self.sigma, 0.0)
        n_max = whole_number("n_max", self.n_max, 1)
        l_max = whole_number("l_max", self.l_max, 0)
        if l_max > _L_MOST:
            raise ValueError(f"l_max: expected at most {_L_MOST}, found {l_max}")
        for name, allowed in (
            ("radial_basis", _RADIAL_BASES),
            ("cutoff_function", _CUTOFF_FUNCTIONS),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"{name}: expected one of {', '.join(map(str, allowed))}, "
                    f"found {getattr(self, name)!r}"
                )
        reach = r_cut
        if self.cutoff_function is None:
            reach += sigma * math.sqrt(-2 * math.log(_THRESHOLD))
        exponents = np.zeros((l_max + 1, n_max))
        # The factor of the power spectrum, one half for each of its two coefficients.
        factors = np.sqrt(np.pi * np.sqrt(8 / (2 * np.arange(l_max + 1) + 1)))
        transform = factors[:, None, None] * np.eye(n_max)
        table, spacing = None, 0.0
        if self.radial_basis == "polynomial":
            table, spacing = radial_table(r_cut, n_max, l_max, sigma, reach)
        else:
            for degree in range(l_max + 1):
                exponents[degree], matrix = _gaussian_type(r_cut, n_max, degree, sigma)
                transform[degree] = factors[degree] * matrix
        return _core.soap_kernel(
            species, reach, self.cutoff_function, exponents, transform, table, spacing
        )


def _number(name: str, value: Any, above: float) -> float:
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not real or not above < value < np.inf:
        raise ValueError(f"{name}: expected a number above {above:g}, found {value!r}")
    return float(value)


def _gaussian_type(
    r_cut: float, n_max: int, degree: int, sigma: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Exponents of the coefficients, and what their sums are to be multiplied by.

    With a = 1 / (2 sigma²) the integral of a Gaussian at r with r^l exp(-alpha r²) Y_lm is
    pi^(3/2) (a r)^l / (a + alpha)^(l + 3/2) exp(-a alpha / (a + alpha) r²) Y_lm.
    """
    radii = np.linspace(1.0, r_cut, n_max)
    alpha = (degree * np.log(radii) - math.log(_THRESHOLD)) / radii**2
    overlap = 0.5 * math.gamma(degree + 1.5) * np.add.outer(alpha, alpha) ** -(degree + 1.5)
    values, vectors = np.linalg.eigh(overlap)
    if values[0] <= n_max * np.finfo(float).eps * values[-1]:
        raise ValueError(
            f"n_max: {n_max} radial functions up to r_cut = {r_cut:g} are linearly dependent; "
            "expected fewer of them"
        )
    orthonormal = (vectors / np.sqrt(values)) @ vectors.T
    a = 0.5 / sigma**2
    integrals = math.pi**1.5 * a**degree / (a + alpha) ** (degree + 1.5)
    return a * alpha / (a + alpha), integrals[:, None] * orthonormal
