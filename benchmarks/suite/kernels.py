"""Gram matrices of 2000 rows on 276 features: the shape of sorted Coulomb matrices."""

import numpy as np

import molkern as mk

from . import libraries

N_ROWS, N_FEATURES = 2000, 276


class Symmetric:
    """How long does the Gram matrix of one set take into warm memory?"""

    param_names = ("kernel", "dtype", "n_threads")
    params = (["gaussian", "laplacian"], ["float64", "float32"], [1, 2])

    def setup(self, kernel, dtype, n_threads):
        X = libraries.features(N_ROWS, N_FEATURES, dtype)
        self.arguments = {"X": X, "sigma": libraries.SIGMA[kernel], "n_threads": n_threads}
        self.kernel = getattr(mk.kernels, kernel)
        self.out = self.kernel(**self.arguments)

    def time_into_out(self, kernel, dtype, n_threads):
        self.kernel(**self.arguments, out=self.out)

    def time_fresh(self, kernel, dtype, n_threads):
        self.fresh = self.kernel(**self.arguments)


class Memory:
    """Peak memory of the process: Python and NumPy (some 40 MB), the input, and one call."""

    param_names = ("kernel", "dtype")
    params = (["gaussian", "laplacian"], ["float64", "float32"])

    def setup(self, kernel, dtype):
        self.X = libraries.features(N_ROWS, N_FEATURES, dtype)
        self.kernel = getattr(mk.kernels, kernel)

    def peakmem_gram(self, kernel, dtype):
        self.kernel(self.X, sigma=libraries.SIGMA[kernel], n_threads=1)


class Others:
    """Kernels without a width, and distances from which kernels of any width follow."""

    param_names = ("function", "dtype", "n_threads")
    params = (
        ["linear", "polynomial", "manhattan_distances", "euclidean_distances"],
        ["float64", "float32"],
        [1, 2],
    )

    def setup(self, function, dtype, n_threads):
        X = libraries.features(N_ROWS, N_FEATURES, dtype)
        self.arguments = {"X": X, "n_threads": n_threads}
        self.function = getattr(mk.kernels, function)
        self.out = self.function(**self.arguments)

    def time_into_out(self, function, dtype, n_threads):
        self.function(**self.arguments, out=self.out)


class FromDistances:
    """One width from distances that are there."""

    param_names = ("kernel", "n_threads")
    params = (["gaussian", "laplacian"], [1, 2])

    def setup(self, kernel, n_threads):
        X = libraries.features(N_ROWS, N_FEATURES, "float64")
        name = {"gaussian": "euclidean_distances", "laplacian": "manhattan_distances"}[kernel]
        distances = getattr(mk.kernels, name)(X)
        self.arguments = {"distances": distances, "kernel": kernel, "n_threads": n_threads}
        self.arguments["sigma"] = libraries.SIGMA[kernel]
        self.out = mk.kernels.from_distances(**self.arguments)

    def time_into_out(self, kernel, n_threads):
        mk.kernels.from_distances(**self.arguments, out=self.out)


class Rectangular:
    """How long does a prediction's Gram matrix take, 500 new rows against 2000?"""

    param_names = ("kernel", "dtype", "n_threads")
    params = (["gaussian", "laplacian"], ["float64", "float32"], [1, 2])

    def setup(self, kernel, dtype, n_threads):
        X = libraries.features(N_ROWS, N_FEATURES, dtype)
        Y = np.ascontiguousarray(X[:500])
        self.arguments = {"X": Y, "Y": X, "sigma": libraries.SIGMA[kernel]}
        self.arguments["n_threads"] = n_threads
        self.kernel = getattr(mk.kernels, kernel)
        self.out = self.kernel(**self.arguments)

    def time_into_out(self, kernel, dtype, n_threads):
        self.kernel(**self.arguments, out=self.out)


class SigmaGrid:
    """What does a grid of eight widths cost in one pass?"""

    param_names = ("kernel", "n_threads")
    params = (["gaussian", "laplacian"], [1, 2])

    def setup(self, kernel, n_threads):
        X = libraries.features(N_ROWS // 2, N_FEATURES, "float64")
        widths = libraries.SIGMA[kernel] * 2.0 ** np.arange(-4, 4)
        self.arguments = {"X": X, "sigma": widths, "n_threads": n_threads}
        self.kernel = getattr(mk.kernels, kernel)
        self.kernel(**self.arguments)

    def time_one_pass(self, kernel, n_threads):
        self.kernel(**self.arguments)


class Libraries:
    """Against whom? One thread, float64, each library's symmetric function where it has one."""

    param_names = ("kernel", "library")
    params = (["gaussian", "laplacian"], list(libraries.GRAM))

    def setup(self, kernel, library):
        self.X = libraries.features(N_ROWS, N_FEATURES, "float64")
        self.contestant = libraries.gram(library, kernel)
        assert self.contestant.run(self.X).shape == (N_ROWS, N_ROWS)

    def time_gram(self, kernel, library):
        self.result = self.contestant.run(self.X)
