"""Coulomb matrices of 2000 molecules of up to 23 atoms. Float64 unless a parameter says so."""

import numpy as np

import molkern as mk

from . import libraries

N_STRUCTURES = 2000


class Transform:
    """How long does one batch take into warm memory? Packed before, one thread or two."""

    param_names = ("permutation", "dtype", "n_threads")
    params = (["row_norm", "eigenspectrum", "none"], ["float64", "float32"], [1, 2])

    def setup(self, permutation, dtype, n_threads):
        self.structures = libraries.structures(N_STRUCTURES)
        self.matrix = mk.CoulombMatrix(permutation=permutation, dtype=dtype, n_threads=n_threads)
        self.out = self.matrix.fit_transform(self.structures)

    def time_transform_into_out(self, permutation, dtype, n_threads):
        self.matrix.transform(self.structures, out=self.out)

    def time_transform_fresh(self, permutation, dtype, n_threads):
        self.fresh = self.matrix.transform(self.structures)

    def peakmem_transform(self, permutation, dtype, n_threads):
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

    def time_transform_into_out(self, dtype, n_threads):
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
