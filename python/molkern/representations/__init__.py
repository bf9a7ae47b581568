"""Representations: molecules in, rows of numbers out."""

from molkern.representations.bag_of_bonds import BagOfBonds
from molkern.representations.coulomb_matrix import CoulombMatrix

__all__ = ["BagOfBonds", "CoulombMatrix"]
