"""What the benchmarks of ACSF, AEV and SOAP share; a subclass says by ``make`` which one it is.

Abstract classes are no benchmarks to asv.
"""

from abc import ABC, abstractmethod

import numpy as np

import molkern as mk

from . import libraries

N_STRUCTURES = 200
N_JACOBIAN = 5
SPECIES = [1, 6, 7, 8, 16]  # of the inputs
LATTICE_CONSTANT = 3.567  # diamond, angstrom


def crystal(n_atoms):
    """Diamond, a little disordered, in a cube of 8 times a cube of atoms."""
    n_cells = round((n_atoms / 8) ** (1 / 3))
    basis = np.array([[0, 0, 0], [0, 2, 2], [2, 0, 2], [2, 2, 0]])
    basis = np.concatenate([basis, basis + 1]) / 4
    shifts = np.stack(np.meshgrid(*[np.arange(n_cells)] * 3), axis=-1).reshape(-1, 1, 3)
    positions = LATTICE_CONSTANT * (shifts + basis).reshape(-1, 3)
    positions += np.random.default_rng(0).uniform(-0.1, 0.1, positions.shape)
    cell = n_cells * LATTICE_CONSTANT * np.eye(3)[None]
    numbers = np.full(n_atoms, 6)
    return mk.Structures(numbers, positions, [0, n_atoms], cells=cell, pbc=[[True] * 3])


class _OfAtoms(ABC):
    """A representation of atoms, of molecules that were packed before."""

    param_names = ("dtype", "n_threads")
    params = (["float64", "float32"], [1, 2])

    @staticmethod
    @abstractmethod
    def make(**options):
        """The representation, not fitted."""

    def setup(self, dtype, n_threads):
        self.structures = libraries.structures(N_STRUCTURES)
        self.made = self.make(dtype=dtype, n_threads=n_threads).fit(self.structures)


class Transform(_OfAtoms):
    """How long do 200 molecules take, into warm memory or a new array?"""

    def setup(self, dtype, n_threads):
        super().setup(dtype, n_threads)
        self.out = self.made.transform(self.structures)

    def time_into_out(self, dtype, n_threads):
        self.made.transform(self.structures, out=self.out)

    def time_fresh(self, dtype, n_threads):
        self.fresh = self.made.transform(self.structures)


class Derivatives(_OfAtoms):
    """A gradient of 200 molecules in reverse mode, and all derivatives of 5 molecules."""

    def setup(self, dtype, n_threads):
        super().setup(dtype, n_threads)
        self.few = libraries.structures(N_JACOBIAN)
        n_atoms = len(self.structures.numbers)
        self.gradient = np.ones((n_atoms, self.made.n_features_out_), dtype)
        self.made.vjp(self.structures, self.gradient)

    def time_vjp(self, dtype, n_threads):
        self.made.vjp(self.structures, self.gradient)

    def time_jacobian(self, dtype, n_threads):
        self.made.jacobian(self.few)


class Memory(_OfAtoms):
    """Peak memory of the process: Python and NumPy (some 40 MB), the input, and one call."""

    def peakmem_transform(self, dtype, n_threads):
        self.made.transform(self.structures)

    def peakmem_vjp(self, dtype, n_threads):
        n_atoms = len(self.structures.numbers)
        self.made.vjp(self.structures, np.ones((n_atoms, self.made.n_features_out_), dtype))


class Crystal(ABC):
    """Is the cost linear in the number of atoms? Sums over a periodic structure."""

    param_names = ("n_atoms", "n_threads")
    params = ([512, 4096], [1, 2])

    @staticmethod
    @abstractmethod
    def make(**options):
        """The representation, not fitted."""

    def setup(self, n_atoms, n_threads):
        self.structures = crystal(n_atoms)
        self.made = self.make(average="sum", n_threads=n_threads).fit(self.structures)

    def time_transform(self, n_atoms, n_threads):
        self.made.transform(self.structures)

    def peakmem_transform(self, n_atoms, n_threads):
        self.made.transform(self.structures)


class Libraries(ABC):
    """Against whom? From each library's own input objects, one thread; molecules of H, C, N, O."""

    param_names = ("library",)
    representation = ""

    def setup(self, library):
        self.pairs = libraries.organic_pairs(N_STRUCTURES)
        self.contestant = libraries.local(library, self.representation, self.pairs)
        self.native = self.contestant.convert(self.pairs)
        self.contestant.run(self.native)

    @property
    @abstractmethod
    def params(self):
        """Names of libraries."""

    def time_transform(self, library):
        self.result = self.contestant.run(self.native)

    def time_with_conversion(self, library):
        self.result = self.contestant.run(self.contestant.convert(self.pairs))
