"""Atom-centred symmetry functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from molkern import _core
from molkern._numbers import real_number, whole_number
from molkern.elements import symbol_of
from molkern.representations._local import LocalRepresentation

_CUTOFF_FUNCTIONS = ("cosine", "tanh3", "polynomial")
_RULES = ("gastegger2018", "imbalzano2018")
_MODES = ("centered", "shifted")


class ACSF(LocalRepresentation):
    r"""Atom-centred symmetry functions of Behler [1]_.

    .. math::
        G^1_i &= \sum_j f_c(r_{ij}) \\
        G^2_i &= \sum_j e^{-\eta (r_{ij} - r_s)^2} f_c(r_{ij}) \\
        G^3_i &= \sum_j \cos(\kappa r_{ij}) f_c(r_{ij}) \\
        G^4_i &= 2^{1-\zeta} \sum_{j<k} (1 + \lambda \cos\theta_{jik})^\zeta
            e^{-\eta (r_{ij}^2 + r_{ik}^2 + r_{jk}^2)} f_c(r_{ij}) f_c(r_{ik}) f_c(r_{jk}) \\
        G^5_i &= 2^{1-\zeta} \sum_{j<k} (1 + \lambda \cos\theta_{jik})^\zeta
            e^{-\eta (r_{ij}^2 + r_{ik}^2)} f_c(r_{ij}) f_c(r_{ik})

    Parameters
    ----------
    species : sequence of str or int, optional
        Elements, as symbols or numbers; sorted by number in the result. None: those of the
        structures given to ``fit``.
    r_cut : float, default=6.0
        Cutoff radius, Å.
    g1 : bool, default=True
        Whether G1 is wanted.
    g2 : sequence of (eta, r_s), optional
        Parameters of G2: eta in Å⁻² and r_s in Å, both 0 or more.
    g3 : sequence of kappa, optional
        Parameters of G3, Å⁻¹, 0 or more.
    g4, g5 : sequence of (eta, zeta, lambda_), optional
        Parameters of G4 and G5: eta in Å⁻², 0 or more; zeta 1 or more, not necessarily whole;
        lambda_ from -1 to 1 (in the paper -1 or 1).
    cutoff_function : {"cosine", "tanh3", "polynomial"}, default="cosine"
        With x = r / r_cut:

        - ``"cosine"``: (1 + cos(π x)) / 2 [1]_.
        - ``"tanh3"``: tanh³(1 - x) [1]_, not 1 at r = 0.
        - ``"polynomial"``: 1 - 10 x³ + 15 x⁴ - 6 x⁵ [2]_.
    average : {None, "sum", "mean"}, default=None
        None: one row for each atom. Otherwise one for each structure.
    dtype : {"float64", "float32"}, default="float64"
        Type of the result. The computation is in float64 and rounded once.
    n_threads : int, optional
        Threads. None: all cores that the process may use.

    Attributes
    ----------
    species_ : ndarray of int32, shape (n_species,)
        Species in use, ascending.
    n_features_out_ : int
        With n species, ``n`` times the number of G1, G2 and G3, and ``n (n + 1) / 2`` times the
        number of G4 and G5.

    Raises
    ------
    ValueError
        By ``fit`` for a parameter out of range, or no function at all; by ``transform`` for unknown
        species and for atoms closer than 0.001 Å.

    Notes
    -----
    For every species the order is G1, G2, G3; after these, for every pair of species (0,0) (1,0)
    (1,1) (2,0) ..., G4 and G5: the order and the values of DScribe. G4 and G5 are sums over
    unordered pairs of neighbours; the paper's sums count every pair twice. Unit: none.

    Invariant to rotation, translation and the order of atoms. Features and their first derivatives
    are continuous; at ``r_cut`` both go to 0, with ``"tanh3"`` and ``"polynomial"`` the second
    derivatives, too. An atom without neighbours gives zeros; a structure without atoms has no rows,
    or with ``average`` a row of zeros. Periodic images are neighbours like other atoms.

    Features are bitwise the same for any number of threads and any division into batches.

    Cost: for each atom with n neighbours n² / 2 times the number of different eta of G4 and G5 and
    of functions; a zeta that is not whole costs some 30 operations for each pair.

    References
    ----------
    .. [1] J. Behler, J. Chem. Phys. 134, 074106 (2011). https://doi.org/10.1063/1.3553717
    .. [2] A. Singraber, J. Behler, C. Dellago, J. Chem. Theory Comput. 15, 1827 (2019).
       https://doi.org/10.1021/acs.jctc.8b00770

    Examples
    --------
    >>> from molkern import ACSF
    >>> water = ([8, 1, 1], [[0.0, 0.0, 0.0], [0.0, 0.76, 0.59], [0.0, -0.76, 0.59]])
    >>> acsf = ACSF(r_cut=4.0, g2=[(1.0, 0.0)], g4=[(0.01, 1, 1)])
    >>> acsf.fit_transform([water]).shape
    (3, 7)
    >>> acsf.get_feature_names_out().tolist()[:2]
    ['G1(H)', 'G2(H; eta=1, r_s=0)']
    """

    def __init__(
        self,
        *,
        species: Sequence[str | int] | None = None,
        r_cut: float = 6.0,
        g1: bool = True,
        g2: Sequence[Sequence[float]] | None = None,
        g3: Sequence[float] | None = None,
        g4: Sequence[Sequence[float]] | None = None,
        g5: Sequence[Sequence[float]] | None = None,
        cutoff_function: str = "cosine",
        average: str | None = None,
        dtype: str = "float64",
        n_threads: int | None = None,
    ) -> None:
        self.species = species
        self.r_cut = r_cut
        self.g1 = g1
        self.g2 = g2
        self.g3 = g3
        self.g4 = g4
        self.g5 = g5
        self.cutoff_function = cutoff_function
        self.average = average
        self.dtype = dtype
        self.n_threads = n_threads

    @classmethod
    def from_rule(
        cls,
        rule: str,
        n: int,
        *,
        mode: str = "centered",
        r_cut: float = 6.0,
        r_lower: float | None = None,
        r_upper: float | None = None,
        n_angular: int = 0,
        zetas: Sequence[float] = (1.0,),
        **parameters: Any,
    ) -> Self:
        """Functions on the grids that a publication proposes.

        Parameters
        ----------
        rule : {"gastegger2018", "imbalzano2018"}
            With radii r_0 ... r_(n-1) equally spaced from ``r_lower`` to ``r_upper`` [1]_: centred
            functions have eta = 1 / (2 r_m²), shifted ones r_s = r_m and eta = 1 / (2 d²) with the
            spacing d. In [2]_ N intervals give N + 1 centred functions, eta = (N^(m/N) / r_cut)²
            for m = 0 ... N, and N shifted ones: r_s = r_cut / N^(m/N) for m = N ... 1, and eta is
            the inverse square of the distance to the next radius above.
        n : int
            Number of G2, 2 or more.
        mode : {"centered", "shifted"}, default="centered"
            Functions around the atom, or around spheres.
        r_cut : float, default=6.0
            Cutoff radius, Å.
        r_lower, r_upper : float, optional
            Range of the radii, Å, for "gastegger2018" alone; ``r_lower`` has to be given,
            ``r_upper`` is ``r_cut`` if it is not.
        n_angular : int, default=0
            Number of eta in G4, those of the centred grid of that size; 0 or 2 or more.
        zetas : sequence of float, default=(1.0,)
            G4 has each of them with each eta and lambda_ = -1 and 1.
        **parameters
            Further parameters of the class.

        Returns
        -------
        ACSF

        Raises
        ------
        ValueError
            For an unknown rule or mode, or numbers out of range.

        References
        ----------
        .. [1] M. Gastegger, L. Schwiedrzik, M. Bittermann, F. Berzsenyi, P. Marquetand,
           J. Chem. Phys. 148, 241709 (2018). https://doi.org/10.1063/1.5019667
        .. [2] G. Imbalzano et al., J. Chem. Phys. 148, 241730 (2018).
           https://doi.org/10.1063/1.5024611

        Examples
        --------
        >>> acsf = ACSF.from_rule("imbalzano2018", 3, r_cut=4.0)
        >>> [round(eta, 12) for eta, r_s in acsf.g2]
        [0.0625, 0.125, 0.25]
        """
        if rule not in _RULES:
            raise ValueError(f"rule: expected one of {', '.join(_RULES)}, found {rule!r}")
        if mode not in _MODES:
            raise ValueError(f"mode: expected one of {', '.join(_MODES)}, found {mode!r}")
        real_number("r_cut", r_cut, 0, above=True)
        bounds = _bounds(rule, mode, r_cut, r_lower, r_upper)
        g2 = _grid(rule, mode, whole_number("n", n, 2), r_cut, bounds)
        g4 = None
        if n_angular != 0:
            if bounds is not None and bounds[0] == 0:
                raise ValueError("r_lower: expected more than 0 for angular functions, found 0")
            etas = _grid(rule, "centered", whole_number("n_angular", n_angular, 2), r_cut, bounds)
            g4 = [(eta, zeta, sign) for eta, _ in etas for zeta in zetas for sign in (-1.0, 1.0)]
        return cls(r_cut=r_cut, g2=g2, g4=g4, **parameters)

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Names such as ``G2(H; eta=1, r_s=0)`` and ``G4(H,C; eta=0.01, zeta=1, lambda=-1)``."""
        self._require_fitted()
        fitted = self._fitted_with
        radial = ["G1({})"] if fitted["g1"] else []
        radial += [f"G2({{}}; eta={eta:.12g}, r_s={r_s:.12g})" for eta, r_s in _rows(fitted["g2"])]
        radial += [f"G3({{}}; kappa={kappa:.12g})" for kappa in _rows(fitted["g3"])]
        angular = [
            f"{kind}({{}}; eta={eta:.12g}, zeta={zeta:.12g}, lambda={sign:.12g})"
            for kind, rows in (("G4", fitted["g4"]), ("G5", fitted["g5"]))
            for eta, zeta, sign in _rows(rows)
        ]
        symbols = [symbol_of(number) for number in self.species_.tolist()]
        names = [name.format(symbol) for symbol in symbols for name in radial]
        names += [
            name.format(f"{symbols[a]},{symbols[b]}")
            for b in range(len(symbols))
            for a in range(b + 1)
            for name in angular
        ]
        return np.array(names, dtype=object)

    def _make_kernel(self, species: npt.NDArray[np.int32], module: Any = _core) -> Any:
        if self.cutoff_function not in _CUTOFF_FUNCTIONS:
            raise ValueError(
                f"cutoff_function: expected one of {', '.join(_CUTOFF_FUNCTIONS)}, "
                f"found {self.cutoff_function!r}"
            )
        if not isinstance(self.g1, (bool, np.bool_)):
            raise TypeError(f"g1: expected True or False, found {self.g1!r}")
        r_cut = real_number("r_cut", self.r_cut, 0, above=True)
        g2 = _table("g2", self.g2, ("eta", "r_s"))
        g3 = _table("g3", self.g3, ("kappa",))
        g4 = _table("g4", self.g4, ("eta", "zeta", "lambda_"))
        g5 = _table("g5", self.g5, ("eta", "zeta", "lambda_"))
        if not (self.g1 or len(g2) or len(g3) or len(g4) or len(g5)):
            raise ValueError("g1, g2, g3, g4, g5: expected some functions, found none")
        return module.acsf_kernel(
            species, r_cut, self.cutoff_function, bool(self.g1), g2, g3.ravel(), g4, g5
        )


def _rows(values: Any) -> list[Any]:
    return [] if values is None else list(values)


def _table(name: str, rows: Any, columns: tuple[str, ...]) -> npt.NDArray[np.float64]:
    """Parameters of functions, one row each, checked."""
    row_words = columns[0] if len(columns) == 1 else f"({', '.join(columns)})"
    if isinstance(rows, (str, Mapping)) or not (rows is None or isinstance(rows, Iterable)):
        raise TypeError(f"{name}: expected a sequence of {row_words} or None, found {rows!r}")
    bounds = {"zeta": (1.0, np.inf), "lambda_": (-1.0, 1.0)}
    table = np.empty((len(_rows(rows)), len(columns)))
    for k, row in enumerate(_rows(rows)):
        values = [row] if len(columns) == 1 else row
        if not isinstance(values, (Sequence, np.ndarray)) or len(values) != len(columns):
            raise ValueError(f"{name}: expected {row_words} in each row, found {row!r}")
        for c, (column, value) in enumerate(zip(columns, values, strict=True)):
            least, most = bounds.get(column, (0.0, np.inf))
            table[k, c] = real_number(f"{name}: {column}", value, least, most)
    return table


def _bounds(
    rule: str, mode: str, r_cut: float, r_lower: float | None, r_upper: float | None
) -> tuple[float, float] | None:
    """Range of the radii of a rule; None if it has none."""
    if rule == "imbalzano2018":
        if r_lower is not None or r_upper is not None:
            raise ValueError('r_lower, r_upper: expected None for rule "imbalzano2018"')
        return None
    if r_lower is None:
        raise ValueError('r_lower: expected a number for rule "gastegger2018", found None')
    lower = real_number("r_lower", r_lower, 0, above=mode == "centered")
    upper = real_number("r_upper", r_cut if r_upper is None else r_upper, 0)
    if not lower < upper <= r_cut:
        raise ValueError(
            f"r_lower, r_upper: expected r_lower < r_upper <= r_cut = {r_cut:g}, "
            f"found {lower:g} and {upper:g}"
        )
    return lower, upper


def _grid(
    rule: str, mode: str, n: int, r_cut: float, bounds: tuple[float, float] | None
) -> list[tuple[float, float]]:
    """(eta, r_s) of n functions."""
    if bounds is not None:
        radii = np.linspace(*bounds, n)
        if mode == "centered":
            etas, shifts = 1 / (2 * radii**2), np.zeros(n)
        else:
            spacing = (bounds[1] - bounds[0]) / (n - 1)
            etas, shifts = np.full(n, 1 / (2 * spacing**2)), radii
    elif mode == "centered":
        etas = ((n - 1.0) ** (np.arange(n) / (n - 1)) / r_cut) ** 2
        shifts = np.zeros(n)
    else:
        radii = r_cut / float(n) ** (np.arange(n, -1, -1) / n)
        etas, shifts = 1 / np.diff(radii) ** 2, radii[:-1]
    return [(float(eta), float(shift)) for eta, shift in zip(etas, shifts, strict=True)]
