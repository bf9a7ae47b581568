"""Plain NumPy transcription of the SOAP power spectrum."""

import itertools

import numpy as np
from numpy.polynomial.legendre import Legendre

CUTOFF_FUNCTIONS = {
    "cosine": lambda x: 0.5 * (1 + np.cos(np.pi * x)),
    "tanh3": lambda x: np.tanh(1 - x) ** 3,
    "polynomial": lambda x: 1 - 10 * x**3 + 15 * x**4 - 6 * x**5,
}
SMALL = {"r_cut": 3.0, "n_max": 3, "l_max": 2, "sigma": 0.4}


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


def polynomial(r, r_cut, n_max, degree, sigma):
    """The same for powers of r_cut - t; over the sphere and t by numerical integration."""
    n = np.arange(n_max)
    s = n[:, None] + n
    overlap = 2 * r_cut ** (9.0 + s) / ((7 + s) * (8 + s) * (9 + s))
    points, weights = np.polynomial.legendre.leggauss(80)
    t, dt = (points + 1) * r_cut / 2, weights * r_cut / 2
    functions = loewdin(overlap) @ (r_cut - t) ** (n[:, None] + 3)
    squares = t[:, None, None] ** 2 + r[:, None] ** 2 - 2 * t[:, None, None] * r[:, None] * points
    angular = np.exp(-squares / (2 * sigma**2)) @ (weights * Legendre.basis(degree)(points))
    return 2 * np.pi * (functions * t**2 * dt) @ angular


RADIAL_BASES = {"gto": gto, "polynomial": polynomial}


def soap_definition(
    structures, species, r_cut, n_max, l_max, sigma, f=None, centers=None, radial_basis="gto"
):
    """Rows of atoms; not periodic. The sum over m is a Legendre polynomial of the angle."""
    reach = r_cut if f else r_cut + sigma * np.sqrt(-2 * np.log(0.001))
    rows = []
    for numbers, positions in structures:
        for i in range(len(numbers)):
            vectors = positions - positions[i]
            r = np.linalg.norm(vectors, axis=1)
            unit = vectors / np.where(r > 0, r, 1)[:, None]
            weights = np.where(r < reach, CUTOFF_FUNCTIONS[f](r / r_cut) if f else 1.0, 0.0)
            weights[i] = 1
            cosines = np.clip(unit @ unit.T, -1, 1)
            radial = [
                weights * RADIAL_BASES[radial_basis](r, r_cut, n_max, degree, sigma)
                for degree in range(l_max + 1)
            ]
            blocks = []
            for a, b in itertools.combinations_with_replacement(species, 2):
                for degree in range(l_max + 1):
                    R = radial[degree]
                    P = Legendre.basis(degree)(cosines) * (2 * degree + 1) / (4 * np.pi)
                    of_a, of_b = numbers == a, numbers == b
                    p = R[:, of_a] @ P[np.ix_(of_a, of_b)] @ R[:, of_b].T
                    p *= np.pi * np.sqrt(8 / (2 * degree + 1))
                    blocks.append(p[np.triu_indices(n_max)] if a == b else p.ravel())
            rows.append(np.concatenate(blocks))
    rows = np.array(rows)
    return rows if centers is None else rows[centers]
