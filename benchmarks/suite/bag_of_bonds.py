"""Bags of bonds of 2000 molecules of up to 23 atoms. Float64 unless a parameter says so."""

import numpy as np

import molkern as mk

from . import libraries

N_STRUCTURES = 2000
N_JACOBIAN = 100


class Transform:
    """How long does one batch take, packed before, into warm memory or a new array?"""

    param_names = ("dtype", "n_threads")
    params = (["float64", "float32"], [1, 2])

    def setup(self, dtype, n_threads):
        self.structures = libraries.structures(N_STRUCTURES)
        self.bags = mk.BagOfBonds(dtype=dtype, n_threads=n_threads)
        self.out = self.bags.fit_transform(self.structures)

    def time_fit(self, dtype, n_threads):
        mk.BagOfBonds(dtype=dtype, n_threads=n_threads).fit(self.structures)

    def time_into_out(self, dtype, n_threads):
        self.bags.transform(self.structures, out=self.out)

    def time_fresh(self, dtype, n_threads):
        self.fresh = self.bags.transform(self.structures)


class Derivatives:
    """A gradient of 2000 molecules in reverse mode, and all derivatives of 100 molecules."""

    param_names = ("dtype", "n_threads")
    params = (["float64", "float32"], [1, 2])

    def setup(self, dtype, n_threads):
        self.structures = libraries.structures(N_STRUCTURES)
        self.few = libraries.structures(N_JACOBIAN)
        self.bags = mk.BagOfBonds(dtype=dtype, n_threads=n_threads)
        self.gradient = np.ones_like(self.bags.fit_transform(self.structures))
        self.bags.vjp(self.structures, self.gradient)

    def time_vjp(self, dtype, n_threads):
        self.bags.vjp(self.structures, self.gradient)

    def time_jacobian(self, dtype, n_threads):
        self.bags.jacobian(self.few)


class Memory:
    """Peak memory of the process: Python and NumPy (some 40 MB), the input, and one call."""

    param_names = ("dtype",)
    params = (["float64", "float32"],)

    def setup(self, dtype):
        self.structures = libraries.structures(N_STRUCTURES)
        self.bags = mk.BagOfBonds(dtype=dtype, n_threads=1).fit(self.structures)

    def peakmem_transform(self, dtype):
        self.bags.transform(self.structures)


class Libraries:
    """Against whom? From each library's own input objects, one thread."""

    param_names = ("library",)
    params = (list(libraries.BAGS),)

    def setup(self, library):
        self.pairs = libraries.pairs(N_STRUCTURES)
        self.contestant = libraries.bags(library, self.pairs)
        self.native = self.contestant.convert(self.pairs)
        assert np.shape(self.contestant.run(self.native))[0] == N_STRUCTURES

    def time_transform(self, library):
        self.result = self.contestant.run(self.native)

    def time_with_conversion(self, library):
        self.result = self.contestant.run(self.contestant.convert(self.pairs))
