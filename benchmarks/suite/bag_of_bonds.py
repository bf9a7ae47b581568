"""Bags of bonds of 2000 molecules of up to 23 atoms. Float64 unless a parameter says so."""

import numpy as np

import molkern as mk

from . import libraries

N_STRUCTURES = 2000


class Transform:
    """How long does one batch take into warm memory? Packed before, one thread or two."""

    param_names = ("dtype", "n_threads")
    params = (["float64", "float32"], [1, 2])

    def setup(self, dtype, n_threads):
        self.structures = libraries.structures(N_STRUCTURES)
        self.bags = mk.BagOfBonds(dtype=dtype, n_threads=n_threads)
        self.out = self.bags.fit_transform(self.structures)

    def time_fit(self, dtype, n_threads):
        mk.BagOfBonds(dtype=dtype, n_threads=n_threads).fit(self.structures)

    def time_transform_into_out(self, dtype, n_threads):
        self.bags.transform(self.structures, out=self.out)

    def time_transform_fresh(self, dtype, n_threads):
        self.fresh = self.bags.transform(self.structures)

    def peakmem_transform(self, dtype, n_threads):
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
