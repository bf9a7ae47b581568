"""Kernels of atoms: 100 small molecules, features like those of FCHL19 (720) and of SOAP (5740)."""

import molkern as mk

from . import libraries

N_STRUCTURES = 100
SIGMA = 20.0


def atoms(n_structures, n_features, dtype):
    """Structures, and random features of their atoms."""
    structures = libraries.structures(n_structures)
    return structures, libraries.atom_features(len(structures.numbers), n_features, dtype)


class Symmetric:
    """How long do the similarities of one set take, from its atoms?"""

    param_names = ("n_features", "dtype", "n_threads")
    params = ([720, 5740], ["float64", "float32"], [1, 2])

    def setup(self, n_features, dtype, n_threads):
        structures, X = atoms(N_STRUCTURES, n_features, dtype)
        self.arguments = {"X": X, "structures": structures, "n_threads": n_threads}
        mk.kernels.local.gaussian(**self.arguments, sigma=SIGMA)

    def time_gaussian(self, n_features, dtype, n_threads):
        mk.kernels.local.gaussian(**self.arguments, sigma=SIGMA)

    def time_gaussian_normalized(self, n_features, dtype, n_threads):
        mk.kernels.local.gaussian(**self.arguments, sigma=SIGMA, normalize=True)

    def time_grid_of_eight(self, n_features, dtype, n_threads):
        mk.kernels.local.gaussian(**self.arguments, sigma=[SIGMA * 2**k for k in range(8)])

    def time_polynomial(self, n_features, dtype, n_threads):
        mk.kernels.local.polynomial(**self.arguments)

    def time_gaussian_diagonal(self, n_features, dtype, n_threads):
        mk.kernels.local.gaussian_diagonal(**self.arguments, sigma=SIGMA)


class Memory:
    """Peak memory of the process: Python and NumPy (some 40 MB), the input, and one call."""

    param_names = ("n_features", "dtype")
    params = ([720, 5740], ["float64", "float32"])

    def setup(self, n_features, dtype):
        self.structures, self.X = atoms(N_STRUCTURES, n_features, dtype)

    def peakmem_gaussian(self, n_features, dtype):
        mk.kernels.local.gaussian(self.X, self.structures, sigma=SIGMA, n_threads=1)


class Rectangular:
    """How long does a prediction take, 50 molecules against 100?"""

    param_names = ("n_features", "dtype", "n_threads")
    params = ([720, 5740], ["float64", "float32"], [1, 2])

    def setup(self, n_features, dtype, n_threads):
        structures, X = atoms(N_STRUCTURES, n_features, dtype)
        some, Y = atoms(N_STRUCTURES // 2, n_features, dtype)
        self.arguments = {"X": Y, "structures": some, "Y": X, "structures_Y": structures}
        self.arguments["n_threads"] = n_threads

    def time_gaussian(self, n_features, dtype, n_threads):
        mk.kernels.local.gaussian(**self.arguments, sigma=SIGMA)


class Libraries:
    """Against whom? 720 features, float64, one thread; the others need their input padded."""

    param_names = ("library",)
    params = (list(libraries.LOCAL_KERNELS),)

    def setup(self, library):
        _, X = atoms(N_STRUCTURES, 720, "float64")
        self.source = X, libraries.pairs(N_STRUCTURES)
        self.contestant = libraries.local_gram(library, SIGMA, N_STRUCTURES)
        self.native = self.contestant.convert(self.source)
        assert self.contestant.run(self.native).shape == (N_STRUCTURES, N_STRUCTURES)

    def time_gram(self, library):
        self.result = self.contestant.run(self.native)

    def time_with_conversion(self, library):
        self.result = self.contestant.run(self.contestant.convert(self.source))
