"""SOAP with its further options by DScribe, and without rounding errors by mpmath.

    python tests/reference/make_soap_options.py

Writes soap_options.npz beside this file, with the settings of every case as JSON. The structure is
made here: ten atoms of H, C, N and O that are 1 to 5 Å from each other.
"""

import json
from importlib.metadata import version
from pathlib import Path

import mpmath as mp
import numpy as np
from ase import Atoms
from dscribe.descriptors import SOAP

HERE = Path(__file__).resolve().parent
SPECIES = ["H", "C", "N", "O"]
COMMON = {"r_cut": 3.5, "n_max": 3, "l_max": 2, "sigma": 0.4}
SPECIES_WEIGHTING = {"H": 0.5, "C": 2.0, "N": -1.5, "O": 3.0}
WEIGHTING = {
    "poly": {"function": "poly", "c": 1.3, "m": 2.0, "r0": 3.0},
    "poly_far": {"function": "poly", "c": 0.7, "m": 1.5, "r0": 6.0, "w0": 0.5},
    "pow": {"function": "pow", "c": 1.1, "d": 0.7, "m": 3.0, "r0": 1.6},
    "pow_d0": {"function": "pow", "c": 1.1, "d": 0.0, "m": 2.5, "r0": 1.6, "w0": 2.0},
    "exp": {"function": "exp", "c": 0.8, "d": 0.3, "r0": 2.0},
    "exp_w0": {"function": "exp", "c": 0.8, "d": 0.0, "r0": 2.0, "w0": 0.0},
    "w0": {"w0": 0.3},
}
ROWS = 3  # of the rows of atoms
# Without rounding errors: one atom and its neighbours.
EXACT = {"r_cut": 5.0, "n_max": 8, "l_max": 4, "sigma": 0.5}
EXACT_NUMBERS = [8, 1, 1, 8]
EXACT_POSITIONS = [[0.0, 0.0, 0.0], [0.0, 0.76, 0.59], [0.1, -0.76, 0.59], [2.9, 0.4, -1.3]]


def structure():
    rng = np.random.default_rng(20)
    positions = [np.zeros(3)]
    while len(positions) < 10:
        new = rng.uniform(0, 4, 3)
        if np.linalg.norm(np.array(positions) - new, axis=1).min() > 1:
            positions.append(new)
    return np.array([6, 1, 8, 7, 1, 6, 8, 1, 7, 1]), np.array(positions)


def cases():
    """Names, and what DScribe's SOAP takes."""
    for mode in ("mu2", "mu1nu1", "crossover"):
        for average in ("off", "inner", "outer"):
            yield f"{mode} {average}", {"compression": {"mode": mode}, "average": average}
        weighted = {"mode": mode, "species_weighting": SPECIES_WEIGHTING}
        yield f"{mode} species", {"compression": weighted}
    weighted = {"mode": "off", "species_weighting": SPECIES_WEIGHTING}
    yield "off species", {"compression": weighted}
    for name, weighting in WEIGHTING.items():
        yield name, {"weighting": weighting}
    yield "pow polynomial", {"weighting": WEIGHTING["pow"], "rbf": "polynomial"}
    all_options = {"compression": {"mode": "mu1nu1", "species_weighting": SPECIES_WEIGHTING}}
    all_options |= {"weighting": WEIGHTING["exp"], "rbf": "polynomial", "average": "outer"}
    yield "all", all_options


def copied(options):
    return {
        key: dict(value) if isinstance(value, dict) else value for key, value in options.items()
    }


def loewdin(overlap):
    values, vectors = mp.eigsy(overlap)
    roots = mp.diag([1 / mp.sqrt(value) for value in values])
    return vectors * roots * vectors.T


def gto_integrals(degree, distances):
    """Radial integrals of Gaussians at these distances, one row for each radial function."""
    n_max, a = EXACT["n_max"], 1 / (2 * mp.mpf(EXACT["sigma"]) ** 2)
    radii = [1 + (EXACT["r_cut"] - mp.mpf(1)) * n / (n_max - 1) for n in range(n_max)]
    alpha = [mp.log(1000 * radius**degree) / radius**2 for radius in radii]
    power = degree + mp.mpf(3) / 2
    overlap = mp.matrix(n_max)
    for n in range(n_max):
        for k in range(n_max):
            overlap[n, k] = mp.gamma(power) / 2 / (alpha[n] + alpha[k]) ** power
    primitive = mp.matrix(n_max, len(distances))
    for n in range(n_max):
        for j, r in enumerate(distances):
            decay = mp.exp(-a * alpha[n] / (a + alpha[n]) * r**2)
            primitive[n, j] = (mp.pi ** mp.mpf("1.5")) * decay * (a * r) ** degree
            primitive[n, j] /= (a + alpha[n]) ** power
    return loewdin(overlap) * primitive


def quadrature(function, r, degree):
    """4 pi times the integral of function(t) t² exp(-a (t² + r²)) i_l(2 a t r)."""
    a = 1 / (2 * mp.mpf(EXACT["sigma"]) ** 2)

    def integrand(t):
        x = 2 * a * t * r
        if x == 0:
            radial = mp.mpf(1 if degree == 0 else 0)
        else:
            radial = mp.sqrt(mp.pi / (2 * x)) * mp.besseli(degree + mp.mpf("0.5"), x)
        return function(t) * t**2 * mp.exp(-a * (t**2 + r**2)) * radial

    return 4 * mp.pi * mp.quad(integrand, mp.linspace(0, EXACT["r_cut"], 6))


def polynomial_integrals(degree, distances):
    n_max, end = EXACT["n_max"], mp.mpf(EXACT["r_cut"])
    overlap = mp.matrix(n_max)
    primitive = mp.matrix(n_max, len(distances))
    for n in range(n_max):
        for k in range(n_max):
            s = n + k
            overlap[n, k] = 2 * end ** (9 + s) / ((7 + s) * (8 + s) * (9 + s))
        for j, r in enumerate(distances):
            primitive[n, j] = quadrature(lambda t, n=n: (end - t) ** (n + 3), r, degree)
    return loewdin(overlap) * primitive


def exact(integrals):
    """The power spectrum of the first atom without cutoff function, in the order of DScribe."""
    positions = mp.matrix(EXACT_POSITIONS)
    vectors = [positions[j, :] for j in range(len(EXACT_NUMBERS))]
    distances = [mp.sqrt(sum(x**2 for x in vector)) for vector in vectors]
    kinds = sorted(set(EXACT_NUMBERS))
    n_max, row = EXACT["n_max"], []
    radial = [integrals(degree, distances) for degree in range(EXACT["l_max"] + 1)]

    def product(degree, a, b, n, k):
        total = mp.mpf(0)
        for i, of_i in enumerate(EXACT_NUMBERS):
            for j, of_j in enumerate(EXACT_NUMBERS):
                if of_i != a or of_j != b:
                    continue
                cosine = mp.mpf(1)
                if i > 0 and j > 0:
                    cosine = mp.fdot(vectors[i], vectors[j]) / (distances[i] * distances[j])
                legendre = mp.legendre(degree, cosine) * (2 * degree + 1) / (4 * mp.pi)
                total += radial[degree][n, i] * radial[degree][k, j] * legendre
        return mp.pi * mp.sqrt(mp.mpf(8) / (2 * degree + 1)) * total

    for s, a in enumerate(kinds):
        for b in kinds[s:]:
            for degree in range(EXACT["l_max"] + 1):
                for n in range(n_max):
                    for k in range(n if a == b else 0, n_max):
                        row.append(float(product(degree, a, b, n, k)))
    return np.array(row)


def main():
    mp.mp.dps = 50
    numbers, positions = structure()
    frame, parts, settings = Atoms(numbers, positions), {}, {}
    for name, options in cases():
        settings[name] = options
        # DScribe changes the dictionaries that it is given.
        soap = SOAP(species=SPECIES, **COMMON, **copied(options))
        rows = soap.create(frame)
        parts[name] = rows[:ROWS] if rows.ndim == 2 else rows
    parts["exact gto"] = exact(gto_integrals)
    parts["exact polynomial"] = exact(polynomial_integrals)
    np.savez_compressed(
        HERE / "soap_options.npz",
        **parts,
        numbers=numbers,
        positions=positions,
        exact_numbers=EXACT_NUMBERS,
        exact_positions=EXACT_POSITIONS,
        settings=json.dumps({"common": COMMON, "exact": EXACT, "cases": settings}),
        version=f"dscribe={version('dscribe')}, mpmath={version('mpmath')}",
    )


if __name__ == "__main__":
    main()
