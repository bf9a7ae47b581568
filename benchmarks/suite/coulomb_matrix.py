"""Coulomb matrices of 2000 molecules of up to 23 atoms. Float64 unless a parameter says so."""

import numpy as np

import molkern as mk

from . import libraries

N_STRUCTURES = 2000
N_JACOBIAN = 100


class Transform:
    """How long does one batch take, packed before, into warm memory or a new array?"""

    param_names = ("permutation", "dtype", "n_threads")
    params = (["row_norm", "eigenspectrum", "none"], ["float64", "float32"], [1, 2])

    def setup(self, permutation, dtype, n_threads):
        self.structures = libraries.structures(N_STRUCTURES)
        self.matrix = mk.CoulombMatrix(permutation=permutation, dtype=dtype, n_threads=n_threads)
        self.out = self.matrix.fit_transform(self.structures)

    def time_into_out(self, permutation, dtype, n_threads):
        self.matrix.transform(self.structures, out=self.out)

    def time_fresh(self, permutation, dtype, n_threads):
        self.fresh = self.matrix.transform(self.structures)


class Derivatives:
    """A gradient of 2000 molecules in reverse mode, and all derivatives of 100 molecules."""

    param_names = ("permutation", "dtype", "n_threads")
    params = (["row_norm", "eigenspectrum", "none"], ["float64", "float32"], [1, 2])

    def setup(self, permutation, dtype, n_threads):
        self.structures = libraries.structures(N_STRUCTURES)
        self.few = libraries.structures(N_JACOBIAN)
        self.matrix = mk.CoulombMatrix(permutation=permutation, dtype=dtype, n_threads=n_threads)
        self.gradient = np.ones_like(self.matrix.fit_transform(self.structures))
        self.matrix.vjp(self.structures, self.gradient)

    def time_vjp(self, permutation, dtype, n_threads):
        self.matrix.vjp(self.structures, self.gradient)

    def time_jacobian(self, permutation, dtype, n_threads):
        self.matrix.jacobian(self.few)


class Memory:
    """Peak memory of the process: Python and NumPy (some 40 MB), the input, and one call."""

    param_names = ("permutation", "dtype")
    params = (["row_norm", "eigenspectrum", "none"], ["float64", "float32"])

    def setup(self, permutation, dtype):
        self.structures = libraries.structures(N_STRUCTURES)
        self.matrix = mk.CoulombMatrix(permutation=permutation, dtype=dtype, n_threads=1)
        self.matrix.fit(self.structures)

    def peakmem_transform(self, permutation, dtype):
        self.matrix.transform(self.structures)


class RandomCopies:
    """What do eight randomly sorted copies cost?"""

    param_names = ("dtype", "n_threads")
    params = (["float64", "float32"], [1, 2])

    def setup(self, dtype, n_threads):
        self.structures = libraries.structures(N_STRUCTURES // 4)
        self.matrix = mk.CoulombMatrix(
            permutation="random", n_copies=8, random_state=0, dtype=dtype, n_threads=n_threads
        )
        self.out = self.matrix.fit_transform(self.structures)

    def time_into_out(self, dtype, n_threads):
        self.matrix.transform(self.structures, out=self.out)


class Libraries:
    """Against whom? From each library's own input objects, one thread; building those objects is
    timed by ``time_with_conversion``."""

    param_names = ("permutation", "library")
    params = (["row_norm", "eigenspectrum", "none"], list(libraries.COULOMB))

    def setup(self, permutation, library):
        self.pairs = libraries.pairs(N_STRUCTURES)
        self.contestant = libraries.coulomb(library, permutation, self.pairs)
        self.native = self.contestant.convert(self.pairs)
        assert np.shape(self.contestant.run(self.native))[0] == N_STRUCTURES

    def time_transform(self, permutation, library):
        self.result = self.contestant.run(self.native)

    def time_with_conversion(self, permutation, library):
        self.result = self.contestant.run(self.contestant.convert(self.pairs))
