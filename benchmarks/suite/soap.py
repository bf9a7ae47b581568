"""SOAP power spectra: n_max 8, l_max 6 within 5 angstrom, 5 elements, 5740 features."""

import molkern as mk

from . import atoms, libraries

OPTIONS = {
    "inner": {"average": "inner"},
    "outer": {"average": "outer"},
    "polynomial": {"radial_basis": "polynomial"},
    "laplacian_eigenstates": {"radial_basis": "laplacian_eigenstates"},
    "mu2": {"compression": "mu2"},
    "mu1nu1": {"compression": "mu1nu1"},
    "crossover": {"compression": "crossover"},
    "normalize": {"normalize": True},
}


def soap(**options):
    return mk.SOAP(species=atoms.SPECIES, r_cut=5.0, n_max=8, l_max=6, **options)


class Transform(atoms.Transform):
    make = staticmethod(soap)


class Options:
    """What does an option cost, or save? One thread."""

    param_names = ("option", "dtype")
    params = (list(OPTIONS), ["float64", "float32"])

    def setup(self, option, dtype):
        self.structures = libraries.structures(atoms.N_STRUCTURES)
        self.made = soap(dtype=dtype, n_threads=1, **OPTIONS[option])
        self.out = self.made.fit_transform(self.structures)

    def time_into_out(self, option, dtype):
        self.made.transform(self.structures, out=self.out)


class Derivatives(atoms.Derivatives):
    make = staticmethod(soap)


class Memory(atoms.Memory):
    make = staticmethod(soap)


class Crystal(atoms.Crystal):
    make = staticmethod(soap)


class Libraries(atoms.Libraries):
    params = (libraries.with_local("soap"),)
    representation = "soap"
