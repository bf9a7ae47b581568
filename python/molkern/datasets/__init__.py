"""Data sets: those of the package, loaders for published files and for a user's own, a builder.

:mod:`molkern.datasets.build` makes new ones.

>>> from molkern import datasets
>>> [line.name for line in datasets.available()][:4]
['mini-molecules', 'mini-ethanol', 'mini-malonaldehyde', 'mini-aspirin']
"""

from molkern.datasets.atomization import QM9_ATOM_ENERGIES, atomization_energies
from molkern.datasets.dataset import Dataset, Decision
from molkern.datasets.loading import Availability, Verification, available, fetch, load, verify

__all__ = [
    "QM9_ATOM_ENERGIES",
    "Availability",
    "Dataset",
    "Decision",
    "Verification",
    "atomization_energies",
    "available",
    "fetch",
    "load",
    "verify",
]
