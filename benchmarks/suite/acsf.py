"""Symmetry functions: 8 G2 and 16 G4 within 6 angstrom, 5 elements, 285 features."""

import molkern as mk
from peers.atom_adapters import G2, G4

from . import atoms, libraries


def acsf(**options):
    return mk.ACSF(species=atoms.SPECIES, r_cut=6.0, g2=G2, g4=G4, **options)


class Transform(atoms.Transform):
    make = staticmethod(acsf)


class Derivatives(atoms.Derivatives):
    make = staticmethod(acsf)


class Memory(atoms.Memory):
    make = staticmethod(acsf)


class Crystal(atoms.Crystal):
    make = staticmethod(acsf)


class Libraries(atoms.Libraries):
    params = (libraries.with_local("acsf"),)
    representation = "acsf"
