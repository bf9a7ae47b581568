"""Representations: molecules in, rows of numbers out."""

from molkern.representations.acsf import ACSF
from molkern.representations.aev import AEV, AEVParameters
from molkern.representations.bag_of_bonds import BagOfBonds
from molkern.representations.coulomb_matrix import CoulombMatrix
from molkern.representations.soap import SOAP

__all__ = ["ACSF", "AEV", "SOAP", "AEVParameters", "BagOfBonds", "CoulombMatrix"]
