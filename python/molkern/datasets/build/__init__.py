"""Builder of data sets: enumerate, embed, relax and label molecules; trajectories with forces.

Needs the extra ``build``: RDKit, tblite, ASE, networkx.
"""

from molkern.datasets.build.molecules import build_molecules
from molkern.datasets.build.trajectory import build_trajectory

__all__ = ["build_molecules", "build_trajectory"]
