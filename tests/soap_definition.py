"""Plain NumPy transcription of the SOAP power spectrum."""

import functools
import itertools

import numpy as np
from numpy.polynomial.legendre import Legendre
from scipy.optimize import brentq
from scipy.special import spherical_jn

CUTOFF_FUNCTIONS = {
    "cosine": lambda x: 0.5 * (1 + np.cos(np.pi * x)),
    "tanh3": lambda x: np.tanh(1 - x) ** 3,
    "polynomial": lambda x: 1 - 10 * x**3 + 15 * x**4 - 6 * x**5,
}
WEIGHTS = {
    "poly": lambda x, c, m: c * (1 + 2 * x**3 - 3 * x**2) ** m * (x < 1),
    "pow": lambda x, c, d, m: c / (d + x**m),
    "exp": lambda x, c, d: c / (d + np.exp(-x)),
}
# Of every function, with numbers that all matter.
WEIGHTINGS = [
    {"function": "poly", "c": 1.3, "m": 2, "r0": 2.7},
    {"function": "poly", "c": 0.9, "m": 1.5, "r0": 9.0, "w0": 0.5},
    {"function": "pow", "c": 1.1, "d": 0.7, "m": 3, "r0": 1.6},
    {"function": "pow", "c": 1.1, "d": 0, "m": 2.5, "r0": 1.6, "w0": 2.0},
    {"function": "exp", "c": 0.8, "d": 0.3, "r0": 2.0},
    {"function": "exp", "c": 0.8, "d": 0, "r0": 2.0, "w0": 0.0},
    {"w0": 0.3},
]
COMPRESSIONS = [None, "mu2", "mu1nu1", "crossover"]
# Signs differ, so that the sum over species may cancel.
SPECIES_WEIGHTING = {"H": 0.5, 6: 2.0, "N": 0.0, "O": -1.5, "S": 1.0}
COMBINATIONS = list(
    itertools.product(
        COMPRESSIONS, [None, WEIGHTINGS[0], WEIGHTINGS[5]], [None, SPECIES_WEIGHTING], [False, True]
    )
)
SMALL = {"r_cut": 3.0, "n_max": 3, "l_max": 2, "sigma": 0.4}


def options_of(combination):
    """Keyword arguments of one of COMBINATIONS."""
    names = ("compression", "weighting", "species_weighting", "normalize")
    return dict(zip(names, combination, strict=True))


def half_gamma(degree):
    """Gamma(l + 3/2)."""
    return np.sqrt(np.pi) * np.prod(np.arange(1, 2 * degree + 2, 2) / 2.0)


def loewdin(overlap):
    values, vectors = np.linalg.eigh(overlap)
    return vectors / np.sqrt(values) @ vectors.T


def gto(r, r_cut, n_max, degree, sigma):
    """Integrals of the Gaussian at r, without its spherical harmonic, shape (n_max, len(r))."""
    decay = np.linspace(1, r_cut, n_max)
    alpha = np.log(1000 * decay**degree) / decay**2
    overlap = 0.5 * half_gamma(degree) * (alpha[:, None] + alpha) ** -(degree + 1.5)
    a = 0.5 / sigma**2
    alpha = alpha[:, None]
    primitive = np.exp(-a * alpha / (a + alpha) * r**2) * (a * r) ** degree
    return loewdin(overlap) @ (np.pi**1.5 * primitive / (a + alpha) ** (degree + 1.5))


def projected(functions, r, r_cut, degree, sigma):
    """Integrals of the Gaussian at r with functions of t; over the sphere and t numerically."""
    points, weights = np.polynomial.legendre.leggauss(80)
    t, dt = (points + 1) * r_cut / 2, weights * r_cut / 2
    squares = t[:, None, None] ** 2 + r[:, None] ** 2 - 2 * t[:, None, None] * r[:, None] * points
    angular = np.exp(-squares / (2 * sigma**2)) @ (weights * Legendre.basis(degree)(points))
    return 2 * np.pi * (functions(t) * t**2 * dt) @ angular


def polynomial(r, r_cut, n_max, degree, sigma):
    """The same for powers of r_cut - t."""
    n = np.arange(n_max)
    s = n[:, None] + n
    overlap = 2 * r_cut ** (9.0 + s) / ((7 + s) * (8 + s) * (9 + s))
    orthonormal = loewdin(overlap)
    return projected(
        lambda t: orthonormal @ (r_cut - t) ** (n[:, None] + 3), r, r_cut, degree, sigma
    )


@functools.cache
def bessel_zeros(degree, n_max):
    """The first zeros of j_l: where it changes sign on a fine grid."""
    grid = np.arange(0.1, 4 * (n_max + degree) + 10, 0.05)
    values = spherical_jn(degree, grid)
    changes = np.nonzero((values[:-1] * values[1:] < 0) & (grid[1:] > degree))[0][:n_max]
    assert len(changes) == n_max
    return np.array(
        [
            brentq(lambda x: spherical_jn(degree, x), grid[k], grid[k + 1], xtol=1e-15)
            for k in changes
        ]
    )


def laplacian_eigenstates(r, r_cut, n_max, degree, sigma):
    """The same for spherical Bessel functions that are 0 at r_cut."""
    zeros = bessel_zeros(degree, n_max)
    norms = np.sqrt(2 / r_cut**3) / np.abs(spherical_jn(degree + 1, zeros))

    def functions(t):
        return norms[:, None] * spherical_jn(degree, zeros[:, None] * t / r_cut)

    return projected(functions, r, r_cut, degree, sigma)


RADIAL_BASES = {
    "gto": gto,
    "polynomial": polynomial,
    "laplacian_eigenstates": laplacian_eigenstates,
}


def weights_of(weighting, r):
    """Of atoms at distances r; the centre is at 0."""
    keys = {key: value for key, value in (weighting or {}).items() if key != "w0"}
    function, r0 = keys.pop("function", None), keys.pop("r0", None)
    w = np.ones(len(r))
    with np.errstate(divide="ignore"):
        if function:
            w = WEIGHTS[function](r / r0, **keys)
    return np.where(r == 0, (weighting or {}).get("w0", w), w)


def blocks_of(species, compression):
    """Lists of species whose densities are multiplied."""
    if compression == "mu2":
        return [(species, species)]
    if compression == "mu1nu1":
        return [([a], species) for a in species]
    pairs = itertools.combinations_with_replacement(species, 2)
    return [([a], [b]) for a, b in pairs if a == b or compression is None]


def soap_definition(
    structures,
    species,
    r_cut,
    n_max,
    l_max,
    sigma,
    f=None,
    centers=None,
    radial_basis="gto",
    weighting=None,
    compression=None,
    species_weighting=None,
    normalize=False,
):
    """Rows of atoms; not periodic. The sum over m is a Legendre polynomial of the angle."""
    if radial_basis == "laplacian_eigenstates":
        f = f or "cosine"
    reach = r_cut if f else r_cut + sigma * np.sqrt(-2 * np.log(0.001))
    rows = []
    for numbers, positions in structures:
        for i in range(len(numbers)):
            vectors = positions - positions[i]
            r = np.linalg.norm(vectors, axis=1)
            unit = vectors / np.where(r > 0, r, 1)[:, None]
            weights = np.where(r < reach, CUTOFF_FUNCTIONS[f](r / r_cut) if f else 1.0, 0.0)
            weights[i] = 1
            weights = weights * weights_of(weighting, r)
            if species_weighting is not None:
                weights *= [species_weighting[z] for z in numbers]
            cosines = np.clip(unit @ unit.T, -1, 1)
            radial = [
                weights * RADIAL_BASES[radial_basis](r, r_cut, n_max, degree, sigma)
                for degree in range(l_max + 1)
            ]
            blocks = []
            for a, b in blocks_of(list(species), compression):
                for degree in range(l_max + 1):
                    R = radial[degree]
                    P = Legendre.basis(degree)(cosines) * (2 * degree + 1) / (4 * np.pi)
                    of_a, of_b = np.isin(numbers, a), np.isin(numbers, b)
                    p = R[:, of_a] @ P[np.ix_(of_a, of_b)] @ R[:, of_b].T
                    p *= np.pi * np.sqrt(8 / (2 * degree + 1))
                    blocks.append(p[np.triu_indices(n_max)] if a == b else p.ravel())
            row = np.concatenate(blocks)
            if normalize and row.any():
                row = row / np.linalg.norm(row)
            rows.append(row)
    rows = np.array(rows)
    return rows if centers is None else rows[centers]
