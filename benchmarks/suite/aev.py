"""ANI-2x's environment vectors: 7 elements, 1008 features."""

import molkern as mk

from . import atoms, libraries


def aev(**options):
    return mk.AEV("ani-2x", **options)


class Transform(atoms.Transform):
    make = staticmethod(aev)


class Derivatives(atoms.Derivatives):
    make = staticmethod(aev)


class Memory(atoms.Memory):
    make = staticmethod(aev)


class Crystal(atoms.Crystal):
    make = staticmethod(aev)


class Libraries(atoms.Libraries):
    """ANI-1x in float32, which the other library has."""

    params = (libraries.with_local("aev"),)
    representation = "aev"
