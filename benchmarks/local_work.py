"""Operations and bytes of the representations of atoms and their kernel, for given molecules."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

import molkern as mk
from work import Work

Counts = NDArray[np.float64]


def neighbours(structures: mk.Structures, r_cut: float) -> Counts:
    """Of every atom."""
    return np.diff(mk.neighbors.neighbor_list(structures, r_cut).first).astype(float)


def species_around(structures: mk.Structures, r_cut: float) -> NDArray[np.bool_]:
    """(n_atoms, n_species): which elements are within the cutoff, the atom's own included."""
    found = structures.numbers[:, None] == structures.species
    pairs = mk.neighbors.neighbor_list(structures, r_cut)
    around = structures.numbers[pairs.j, None] == structures.species
    np.logical_or.at(found, pairs.i, around)
    return found


def species_inside(structures: mk.Structures) -> NDArray[np.bool_]:
    """(n_structures, n_species): the elements of each structure."""
    present = structures.numbers[:, None] == structures.species
    return np.array([present[a:b].any(axis=0) for a, b in pairwise(structures.offsets)])


def triangles(structures: mk.Structures, r_cut: float) -> float:
    """Unordered pairs of neighbours of each atom that are neighbours of each other, summed."""
    total = 0.0
    for a, b in pairwise(structures.offsets):
        positions = structures.positions[a:b]
        distance = np.linalg.norm(positions[:, None] - positions, axis=2)
        near = ((distance < r_cut) & (distance > 0)).astype(float)
        total += np.einsum("ij,jk,ki->", near, near, near, optimize=True) / 2
    return total


@dataclass(frozen=True)
class SoapSizes:
    """Multiply-adds of the steps of a power spectrum.

    each: of a neighbour; transform: of the radial functions of a species;
    same, other: of a pair of the same species and of two.
    """

    exps: float
    each: float
    transform: float
    same: float
    other: float

    @classmethod
    def of(cls, n_max: int, l_max: int) -> SoapSizes:
        harmonics = (l_max + 1) ** 2
        return cls(
            exps=n_max * (l_max + 1),
            each=(n_max + 2) * harmonics,
            transform=n_max**2 * harmonics,
            same=n_max * (n_max + 1) / 2 * harmonics,
            other=n_max**2 * harmonics,
        )

    def spectra(self, n_species: Counts) -> float:
        """All pairs of the species that are there."""
        return float((self.same * n_species + self.other * n_species * (n_species - 1) / 2).sum())


def soap_work(structures: mk.Structures, soap: Any, reach: float, kind: str) -> Work:
    """kind: ``"dense"``, ``"sum"``, ``"inner"`` or ``"vjp"``."""
    sizes = SoapSizes.of(soap.n_max, soap.l_max)
    n = float(neighbours(structures, reach).sum())
    s = species_around(structures, reach).sum(axis=1).astype(float)
    inside = species_inside(structures).sum(axis=1).astype(float)
    row = 8.0 * soap.n_features_out_
    transforms = sizes.transform * float((inside if kind == "inner" else s).sum())
    spectra = sizes.spectra(inside if kind == "inner" else s)
    adds = sizes.each * n + transforms + spectra
    read, written = 28.0 * structures.n_atoms, row * len(structures)
    how = (
        "(l_max + 1)^2 (n_max + 2) multiply-adds and n_max (l_max + 1) exponentials for a "
        "neighbour; n_max^2 (l_max + 1)^2 for a species; as much for a pair of species that are "
        "there, and half for a pair of the same"
    )
    if kind == "dense":
        written = row * structures.n_atoms
    if kind == "inner":
        how += "; species and their pairs once for a molecule, exponentials once for a pair"
    if kind == "vjp":
        adds = sizes.each * n + transforms  # the coefficients
        adds += transforms + 2 * sizes.spectra(s)
        adds += 5 * soap.n_max * (soap.l_max + 1) ** 2 * n
        # blocks of species that are not there need not be read
        read += 8.0 * sizes.spectra(s) / (soap.l_max + 1)
        written = 24.0 * structures.n_atoms
        how = (
            "the coefficients as for values, twice the products of pairs of species, the radial "
            "functions again, 5 n_max (l_max + 1)^2 multiply-adds for a neighbour; reads the "
            "cotangent of pairs of species that are there"
        )
    exps = sizes.exps * (n / 2 if kind == "inner" else n)
    return Work(2 * adds, exps=exps, read=read, written=written, how=how)


def acsf_work(structures: mk.Structures, acsf: Any, *, gradient: bool) -> Work:
    n = float(neighbours(structures, acsf.r_cut).sum())
    triples = triangles(structures, acsf.r_cut)
    etas = len({eta for eta, _, _ in acsf.g4})
    angles = {(zeta, sign) for _, zeta, sign in acsf.g4}
    powers = sum(1 + np.log2(zeta) for zeta, _ in angles)
    triple = 10 + powers + 2 * etas + 2 * len(acsf.g4)
    rows = 8.0 * structures.n_atoms * acsf.n_features_out_
    how = (
        "an exponential for a neighbour and G2 or eta of G4, 20 flops for its cutoff; for a pair "
        f"of neighbours 10 + {powers:g} flops for the cosine and its powers, {2 * etas} for the "
        "Gaussians as products, 2 for a function"
    )
    read, written = 28.0 * structures.n_atoms, rows
    if gradient:
        triple += 4 * len(acsf.g4) + 28
        read, written = read + rows, 24.0 * structures.n_atoms
        how += "; 4 more for the derivatives of a function, 28 for the gradient"
    exps = n * (len(acsf.g2) + etas)
    flops = n * (20 + 4 * len(acsf.g2)) + triples * triple
    return Work(flops, exps=exps, inverse_sqrts=n, read=read, written=written, how=how)


def aev_work(structures: mk.Structures, aev: Any, *, gradient: bool) -> Work:
    parameters = aev.parameters_
    n = float(neighbours(structures, parameters.r_cut).sum())
    m = neighbours(structures, parameters.angular_r_cut)
    pairs = float((m * (m - 1) / 2).sum())
    shifts, sections = len(parameters.angular_shifts), len(parameters.sections)
    section = 4 + np.log2(parameters.zeta)
    pair = 12 + sections * section + 2 * sections * shifts
    rows = 8.0 * structures.n_atoms * aev.n_features_out_
    how = (
        "an exponential for a neighbour and shift, 20 flops for its cutoff; for a pair of "
        f"neighbours {shifts} exponentials, 1/sqrt, {sections} powers of a cosine, and 2 flops for "
        "each product of a section and a shift"
    )
    read, written = 28.0 * structures.n_atoms, rows
    if gradient:
        pair += sections * 6 + 2 * sections * shifts + 28
        read, written = read + rows, 24.0 * structures.n_atoms
        how += "; the same products with the derivatives, 28 for the gradient"
    return Work(
        n * (20 + 4 * len(parameters.shifts)) + pairs * pair,
        exps=n * len(parameters.shifts) + pairs * shifts,
        inverse_sqrts=n + pairs,
        read=read,
        written=written,
        how=how,
    )


def local_gaussian_work(structures: mk.Structures, n_features: int) -> Work:
    counts = np.unique(structures.numbers, return_counts=True)[1].astype(float)
    half = float((counts * (counts + 1) / 2).sum())
    return Work(
        2 * half * n_features,
        exps=half,
        read=8.0 * structures.n_atoms * n_features,
        written=8.0 * len(structures) ** 2,
        how="2 flops per feature and an exponential for half of the pairs of atoms of one element",
    )
