"""From SMILES to positions, and back: embedding, and whether a geometry still is its molecule."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern.datasets.build.pool import Failure

__all__ = [
    "canonical",
    "embed",
    "graph_changes",
    "isomer",
    "n_broken",
    "require_same",
    "seed_of",
    "with_hydrogens",
]

Positions = npt.NDArray[np.float64]

# Factors on the sum of covalent radii. Between them lie the distances across small cages: 1.87 Å
# between the bridgeheads of bicyclo[1.1.1]pentane is 1.23 times the sum, and no bond.
BROKEN = 1.25
FORMED = 1.20


def canonical(smiles: str) -> str:
    """Canonical isomeric SMILES.

    Parameters
    ----------
    smiles : str
        One molecule, neutral as a whole, without unpaired electrons.

    Raises
    ------
    ValueError
        If it is not that; says what was found.
    """
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles) if smiles.strip() else None
    if molecule is None:
        raise ValueError(f"smiles: {smiles!r} is no valid SMILES of a molecule")
    if molecule.GetNumHeavyAtoms() == 0:
        raise ValueError(f"smiles: {smiles!r} has no heavy atoms")
    if len(Chem.GetMolFrags(molecule)) > 1:
        raise ValueError(f"smiles: expected one molecule, {smiles!r} has several parts")
    radicals = sum(atom.GetNumRadicalElectrons() for atom in molecule.GetAtoms())
    if Chem.GetFormalCharge(molecule) != 0 or radicals != 0:
        raise ValueError(f"smiles: {smiles!r} is charged or a radical; only neutral closed shells")
    return str(Chem.MolToSmiles(molecule))


def seed_of(seed: int, *words: object) -> int:
    """A seed of 31 bits for one task: the same whatever else is built."""
    text = ":".join(map(str, (seed, *words)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little") >> 1


def embed(smiles: str, n_conformers: int, seed: int) -> tuple[Any, Positions]:
    """Lowest of several conformers: distance geometry (ETKDGv3), then MMFF94, or UFF without it.

    Returns
    -------
    molecule : rdkit Mol with hydrogens
    positions : ndarray of float64, shape (n_atoms, 3), in Å

    Raises
    ------
    Failure
        If no conformer could be embedded.
    """
    from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

    molecule = with_hydrogens(smiles)
    parameters: Any = rdDistGeom.ETKDGv3()
    parameters.randomSeed = seed
    parameters.enforceChirality = True
    chosen = list(rdDistGeom.EmbedMultipleConfs(molecule, n_conformers, parameters))
    if not chosen:
        parameters.useRandomCoords = True
        chosen = list(rdDistGeom.EmbedMultipleConfs(molecule, n_conformers, parameters))
    if not chosen:
        raise Failure("embedding: no conformer was found")
    if rdForceFieldHelpers.MMFFHasAllMoleculeParams(molecule):
        relaxed = rdForceFieldHelpers.MMFFOptimizeMoleculeConfs(molecule, maxIters=2000)
    else:
        relaxed = rdForceFieldHelpers.UFFOptimizeMoleculeConfs(molecule, maxIters=2000)
    energies = [energy for _, energy in relaxed]
    best = chosen[int(np.argmin(energies))]
    return molecule, np.array(molecule.GetConformer(best).GetPositions(), dtype=np.float64)


def graph_changes(molecule: Any, positions: Positions) -> str:
    """How the bonds of a geometry differ from those of the molecule; empty if they do not.

    A bond is broken beyond 1.25 times the sum of the covalent radii (Cordero 2008,
    doi:10.1039/b801115j, as ASE has them), and formed below 1.20 times.
    """
    numbers = np.array([atom.GetAtomicNum() for atom in molecule.GetAtoms()])
    ratio = _distance_ratios(numbers, positions)
    bonded = np.zeros(ratio.shape, dtype=bool)
    for bond in molecule.GetBonds():
        bonded[bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()] = True
    bonded |= bonded.T
    upper = np.triu(np.ones(ratio.shape, dtype=bool), 1)
    changes = []
    for words, wrong in (
        ("broken", bonded & (ratio > BROKEN)),
        ("formed", ~bonded & (ratio < FORMED)),
    ):
        pairs = np.argwhere(wrong & upper)
        symbols = [[molecule.GetAtomWithIdx(int(k)).GetSymbol() for k in pair] for pair in pairs]
        changes += [f"{'-'.join(pair)} {words}" for pair in symbols]
    return ", ".join(changes)


def _distance_ratios(numbers: npt.NDArray[Any], positions: Positions) -> Positions:
    """Distances over the sums of the covalent radii."""
    from ase.data import covalent_radii

    radii = covalent_radii[numbers]
    distances = np.linalg.norm(positions[:, None] - positions, axis=-1)
    return np.asarray(distances / (radii[:, None] + radii))


def n_broken(numbers: npt.NDArray[Any], start: Positions, frames: npt.NDArray[Any]) -> int:
    """How many frames have a bond of the start beyond 1.5 times the sum of the covalent radii."""
    bonded = _distance_ratios(numbers, start) < BROKEN
    np.fill_diagonal(bonded, False)
    return sum(bool(np.any(_distance_ratios(numbers, frame)[bonded] > 1.5)) for frame in frames)


def isomer(molecule: Any, positions: Positions) -> str:
    """Canonical SMILES with the stereochemistry that a geometry has.

    On which side of a C=N the hydrogen of the nitrogen is, it does not say.
    """
    from rdkit import Chem

    copy = Chem.Mol(molecule)
    conformer = Chem.Conformer(copy.GetNumAtoms())
    conformer.SetPositions(positions)
    copy.RemoveAllConformers()
    copy.AddConformer(conformer)
    Chem.AssignStereochemistryFrom3D(copy)
    parameters: Any = Chem.RemoveHsParameters()
    parameters.removeDefiningBondStereo = True
    return str(Chem.MolToSmiles(Chem.RemoveHs(copy, parameters)))


def require_same(molecule: Any, before: Positions, after: Positions) -> str:
    """The isomer, which relaxation has left what it was.

    Raises
    ------
    Failure
        If bonds or stereochemistry are others.
    """
    changes = graph_changes(molecule, after)
    if changes:
        raise Failure(f"another molecule after relaxation: {changes}")
    found = isomer(molecule, before)
    if isomer(molecule, after) != found:
        raise Failure("another stereo-isomer after relaxation")
    return found


def with_hydrogens(smiles: str) -> Any:
    """The molecule of SMILES, hydrogens included."""
    from rdkit import Chem

    return Chem.AddHs(Chem.MolFromSmiles(smiles))
