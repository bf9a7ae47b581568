"""Stereo-isomers of a constitution: those that can exist, mirror images once.

Centres are the carbon atoms and double bonds that RDKit finds to be stereogenic, dependent ones
(1,4-dimethylcyclohexane) included. Not counted are pyramidal nitrogen, which inverts, C=NH, and
double bonds in rings of up to seven atoms, which are cis. In molecules with fused or bridged rings
an isomer is kept only if it can be embedded in three dimensions (ETKDG, fixed seed): this removes
inside-outside bridgeheads and trans-fused small rings.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from rdkit import Chem
from rdkit.Chem import rdDistGeom

__all__ = ["StereoIsomers", "isomers"]

SEED = 7
N_ATTEMPTS = 10
_TAGS = (Chem.ChiralType.CHI_TETRAHEDRAL_CW, Chem.ChiralType.CHI_TETRAHEDRAL_CCW)
_DOUBLE = (Chem.BondStereo.STEREOCIS, Chem.BondStereo.STEREOTRANS)
_MIRROR = {_TAGS[0]: _TAGS[1], _TAGS[1]: _TAGS[0]}


@dataclass(frozen=True)
class StereoIsomers:
    """Isomers of one constitution.

    Attributes
    ----------
    smiles : tuple of str
        Canonical isomeric SMILES, one of each pair of mirror images, sorted.
    n_all : int
        Number of isomers, mirror images counted.
    n_impossible : int
        Number left out because they can not be embedded, mirror images counted.
    """

    smiles: tuple[str, ...]
    n_all: int
    n_impossible: int


def isomers(smiles: str) -> StereoIsomers:
    r"""Stereo-isomers of a constitution.

    Mirror images have the same energy and the same invariant features, so one of them is enough;
    the one whose SMILES comes first is listed.

    Parameters
    ----------
    smiles : str
        Without stereochemistry.

    Returns
    -------
    StereoIsomers

    Examples
    --------
    >>> isomers("CC=CC").smiles
    ('C/C=C/C', 'C/C=C\\C')
    >>> isomers("CC(O)C(=O)O").n_all
    2
    """
    molecule = Chem.MolFromSmiles(smiles)
    atoms, bonds = _centres(molecule)
    if not atoms and not bonds:
        return StereoIsomers((smiles,), 1, 0)
    texts = {
        (tags, stereos): _assigned(molecule, dict(zip(atoms, tags, strict=True)), bonds, stereos)
        for tags in itertools.product(_TAGS, repeat=len(atoms))
        for stereos in itertools.product(_DOUBLE, repeat=len(bonds))
    }
    pairs: dict[str, int] = {}
    for (tags, stereos), text in texts.items():
        mirrored = texts[tuple(_MIRROR[tag] for tag in tags), stereos]
        pairs[min(text, mirrored)] = 1 if text == mirrored else 2
    possible = sorted(pairs)
    if len(atoms) > 1 and _rings_share_bond(molecule):
        possible = [text for text in possible if _can_be_embedded(text)]
    n_all = sum(pairs[text] for text in possible)
    return StereoIsomers(tuple(possible), n_all, sum(pairs.values()) - n_all)


def _centres(molecule: Any) -> tuple[list[int], list[int]]:
    """Stereogenic carbon atoms and double bonds."""
    atoms, bonds = [], []
    for found in Chem.FindPotentialStereo(molecule):
        if found.type == Chem.StereoType.Atom_Tetrahedral:
            if molecule.GetAtomWithIdx(found.centeredOn).GetSymbol() == "C":
                atoms.append(found.centeredOn)
        elif found.type == Chem.StereoType.Bond_Double:
            bond = molecule.GetBondWithIdx(found.centeredOn)
            if min(bond.GetBeginAtom().GetDegree(), bond.GetEndAtom().GetDegree()) > 1:
                bonds.append(found.centeredOn)
    return atoms, bonds


def _assigned(
    molecule: Any, tags: dict[int, Any], bonds: list[int], stereos: tuple[Any, ...]
) -> str:
    """Canonical SMILES with the given tag at each atom and the given kind of each double bond."""
    isomer = Chem.RWMol(molecule)
    for atom, tag in tags.items():
        isomer.GetAtomWithIdx(atom).SetChiralTag(tag)
    for index, stereo in zip(bonds, stereos, strict=True):
        bond = isomer.GetBondWithIdx(index)
        begin, end = bond.GetBeginAtom(), bond.GetEndAtom()
        first = min(a.GetIdx() for a in begin.GetNeighbors() if a.GetIdx() != end.GetIdx())
        last = min(a.GetIdx() for a in end.GetNeighbors() if a.GetIdx() != begin.GetIdx())
        bond.SetStereoAtoms(first, last)
        bond.SetStereo(stereo)
    Chem.SetDoubleBondNeighborDirections(isomer)
    Chem.AssignStereochemistry(isomer, cleanIt=True, force=True)
    return str(Chem.MolToSmiles(isomer))


def _rings_share_bond(molecule: Any) -> bool:
    rings = molecule.GetRingInfo()
    return any(rings.NumBondRings(bond.GetIdx()) > 1 for bond in molecule.GetBonds())


def _can_be_embedded(smiles: str) -> bool:
    molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
    parameters: Any = rdDistGeom.ETKDGv3()
    parameters.randomSeed = SEED
    parameters.maxIterations = N_ATTEMPTS
    return bool(rdDistGeom.EmbedMolecule(molecule, parameters) >= 0)
