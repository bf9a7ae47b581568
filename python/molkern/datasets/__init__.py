"""Data sets: loaders for the published file formats and for a user's own files.

>>> from molkern import datasets
>>> [line.name for line in datasets.available()][:4]
['qm7', 'qm7-qml', 'qm9', 'qm9-g4mp2']
"""

from molkern.datasets.atomization import QM9_ATOM_ENERGIES, atomization_energies
from molkern.datasets.dataset import Dataset
from molkern.datasets.loading import Availability, Verification, available, fetch, load, verify

__all__ = [
    "QM9_ATOM_ENERGIES",
    "Availability",
    "Dataset",
    "Verification",
    "atomization_energies",
    "available",
    "fetch",
    "load",
    "verify",
]
