"""Neighbour lists of periodic diamond within 6 angstrom: 156 neighbours of each atom."""

import molkern as mk

from . import atoms, libraries

R_CUT = 6.0


class NeighborList:
    """How long does it take, is it linear in the number of atoms, and what memory does it need?"""

    param_names = ("n_atoms", "n_threads")
    params = ([512, 4096], [1, 2])

    def setup(self, n_atoms, n_threads):
        self.structures = atoms.crystal(n_atoms)

    def time_crystal(self, n_atoms, n_threads):
        mk.neighbors.neighbor_list(self.structures, R_CUT, n_threads=n_threads)

    def peakmem_crystal(self, n_atoms, n_threads):
        mk.neighbors.neighbor_list(self.structures, R_CUT, n_threads=n_threads)


class Libraries:
    """Against whom? One structure of 512 atoms, from each library's own input object."""

    param_names = ("library",)
    params = (list(libraries.NEIGHBORS),)

    def setup(self, library):
        structures = atoms.crystal(512)
        self.find, n_pairs = libraries.neighbors(library, structures, R_CUT)
        expected = len(mk.neighbors.neighbor_list(structures, R_CUT))
        assert n_pairs(self.find()) == expected

    def time_crystal(self, library):
        self.result = self.find()
