"""Packing molecules into Structures, and taking them apart."""

import numpy as np

import molkern as mk

from . import libraries


class Packing:
    """What does packing cost, from pairs of arrays and from ASE frames? (Python objects; the
    dtype is that of the positions given.)"""

    param_names = ("n_structures", "dtype")
    params = ([100, 10_000], ["float64", "float32"])

    def setup(self, n_structures, dtype):
        self.pairs = [(z, r.astype(dtype)) for z, r in libraries.pairs(n_structures)]

    def time_from_arrays(self, n_structures, dtype):
        mk.Structures.from_arrays(self.pairs)

    def peakmem_from_arrays(self, n_structures, dtype):
        mk.Structures.from_arrays(self.pairs)


class Frames:
    """The same from and to frames of ASE."""

    param_names = ("library", "n_structures")
    params = (["ase"], [100, 10_000])

    def setup(self, library, n_structures):
        try:
            self.frames = libraries.frames(n_structures)
        except ImportError as error:
            raise NotImplementedError(str(error)) from error
        self.structures = mk.Structures.from_ase(self.frames)

    def time_from_ase(self, library, n_structures):
        mk.Structures.from_ase(self.frames)

    def time_to_ase(self, library, n_structures):
        self.structures.to_ase()


class Selection:
    """What does a subset of 10 000 molecules cost?"""

    param_names = ("library", "selection")
    params = (["molkern"], ["slice", "mask", "indices"])

    def setup(self, library, selection):
        n = 10_000
        self.structures = libraries.structures(n)
        rng = np.random.default_rng(0)
        self.index = {
            "slice": slice(0, n, 2),
            "mask": rng.random(n) < 0.5,
            "indices": rng.permutation(n)[: n // 2],
        }[selection]

    def time_select(self, library, selection):
        self.structures[self.index]


class Batches:
    """What do the counts of elements cost, and putting ten batches together?"""

    param_names = ("library", "n_structures")
    params = (["molkern"], [100, 10_000])

    def setup(self, library, n_structures):
        self.structures = libraries.structures(n_structures)
        self.parts = [self.structures[i::10] for i in range(10)]

    def time_composition(self, library, n_structures):
        self.structures.composition()

    def time_concatenate(self, library, n_structures):
        mk.Structures.concatenate(self.parts)
