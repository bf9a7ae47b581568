"""ACSF, AEV and SOAP of 500 small molecules, and their cost against the size of a crystal."""

import numpy as np

import molkern as mk

from . import libraries

N_STRUCTURES = 500
SPECIES = [1, 6, 7, 8, 16]


def acsf(**options):
    """8 G2 and 16 G4 within 6 angstrom."""
    g2 = [(eta, shift) for eta in (0.5, 4.0) for shift in (1.0, 2.0, 3.0, 4.0)]
    g4 = [
        (eta, zeta, sign)
        for eta in (0.005, 0.05)
        for zeta in (1.0, 2.0, 4.0, 8.0)
        for sign in (1, -1)
    ]
    return mk.ACSF(species=SPECIES, r_cut=6.0, g2=g2, g4=g4, **options)


def aev(**options):
    """ANI-2x, which knows all elements of the inputs."""
    return mk.AEV("ani-2x", **options)


def soap(**options):
    """5740 features."""
    return mk.SOAP(species=SPECIES, r_cut=5.0, n_max=8, l_max=6, **options)


MAKERS = {"acsf": acsf, "aev": aev, "soap": soap}


def crystal(n_cells):
    """Diamond of 8 n_cells^3 atoms, a little disordered."""
    basis = np.array([[0, 0, 0], [0, 2, 2], [2, 0, 2], [2, 2, 0]])
    basis = np.concatenate([basis, basis + 1]) * 3.567 / 4
    shifts = np.stack(np.meshgrid(*[np.arange(n_cells)] * 3), axis=-1).reshape(-1, 1, 3) * 3.567
    positions = (shifts + basis).reshape(-1, 3)
    positions += np.random.default_rng(0).uniform(-0.1, 0.1, positions.shape)
    n = len(positions)
    cell = n_cells * 3.567 * np.eye(3)[None]
    return mk.Structures(np.full(n, 6), positions, [0, n], cells=cell, pbc=[[True] * 3])


class Molecules:
    """How long do molecules take? Features, and derivatives in reverse mode."""

    param_names = ("representation", "dtype", "n_threads")
    params = (list(MAKERS), ["float64", "float32"], [1, 2])

    def setup(self, representation, dtype, n_threads):
        self.structures = libraries.structures(N_STRUCTURES)
        self.made = MAKERS[representation](dtype=dtype, n_threads=n_threads)
        self.out = self.made.fit_transform(self.structures)
        self.gradient = np.ones(self.out.shape)

    def time_transform_into_out(self, representation, dtype, n_threads):
        self.made.transform(self.structures, out=self.out)

    def time_transform_fresh(self, representation, dtype, n_threads):
        self.fresh = self.made.transform(self.structures)

    def time_vjp(self, representation, dtype, n_threads):
        self.made.vjp(self.structures, self.gradient)

    def peakmem_vjp(self, representation, dtype, n_threads):
        self.made.vjp(self.structures, self.gradient)


class Crystal:
    """Is the cost linear in the number of atoms? Sums over a periodic structure."""

    param_names = ("representation", "n_cells", "n_threads")
    params = (list(MAKERS), [5, 10], [1, 2])

    def setup(self, representation, n_cells, n_threads):
        self.structures = crystal(n_cells)
        self.made = MAKERS[representation](average="sum", n_threads=n_threads)
        self.made.fit(self.structures)

    def time_transform(self, representation, n_cells, n_threads):
        self.result = self.made.transform(self.structures)

    def time_neighbors(self, representation, n_cells, n_threads):
        self.result = mk.neighbors.neighbor_list(self.structures, 6.0, n_threads=n_threads)

    def peakmem_transform(self, representation, n_cells, n_threads):
        self.result = self.made.transform(self.structures)


class Libraries:
    """Against whom? From each library's own input objects, one thread; molecules of H, C, N, O."""

    param_names = ("representation", "library")
    params = (
        list(libraries.LOCAL_MAKERS),
        ["molkern", *sorted({library for _, library in libraries.LOCAL})],
    )

    def setup(self, representation, library):
        self.pairs = libraries.organic_pairs(N_STRUCTURES)
        self.contestant = libraries.local(library, representation, self.pairs)
        self.native = self.contestant.convert(self.pairs)
        self.result = self.contestant.run(self.native)

    def time_transform(self, representation, library):
        self.result = self.contestant.run(self.native)

    def time_with_conversion(self, representation, library):
        self.result = self.contestant.run(self.contestant.convert(self.pairs))
