"""Rules that leave out strained graphs and unstable molecules, after those of the GDB databases.

What GDB-11 [1]_, GDB-13 [2]_ and GDB-17 [3]_ leave out is known here from abstracts, public
summaries and re-implementations, not from the papers' full lists of rules, which were not at hand.
So the ``source`` of a rule names the database that is publicly said to leave out the class; the
exact pattern is our own reading in every case. "QM7" marks a rule read off QM7, which is GDB-13 up
to seven heavy atoms: it has no molecule, or hardly one, with the pattern, but all others of the
kind. "own" marks chemical judgement of ours. GDB-11 and GDB-13 also drop graphs by the strain of a
geometry; here only topology counts, so that from eight atoms on more graphs may be kept.

References
----------
.. [1] T. Fink, J.-L. Reymond, J. Chem. Inf. Model. 47, 342 (2007), doi:10.1021/ci600423u;
   T. Fink, H. Bruggesser, J.-L. Reymond, Angew. Chem. Int. Ed. 44, 1504 (2005),
   doi:10.1002/anie.200462457
.. [2] L. C. Blum, J.-L. Reymond, J. Am. Chem. Soc. 131, 8732 (2009), doi:10.1021/ja902302h
.. [3] L. Ruddigkeit, R. van Deursen, L. C. Blum, J.-L. Reymond, J. Chem. Inf. Model. 52, 2864
   (2012), doi:10.1021/ci300415d
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import networkx
from rdkit import Chem

from molkern.datasets.build.graphs import Graph
from molkern.datasets.build.skeletons import Skeleton

__all__ = [
    "GRAPH_RULES",
    "MOLECULE_RULES",
    "SKELETON_RULES",
    "Rule",
    "graph_rule",
    "molecule_rule",
    "skeleton_rule",
]

Ring = tuple[int, ...]
SMALL = 4


@dataclass(frozen=True)
class Rule:
    """A named reason to leave something out.

    Attributes
    ----------
    name : str
        As in ``Enumeration.rejected``.
    reason : str
    source : str
        Where the class is said to be left out; see the module's text.
    test : str or callable
        SMARTS of a pattern that is not allowed, or a function that is true for what is left out.
    """

    name: str
    reason: str
    source: str
    test: str | Callable[..., bool]


# Tests of graphs take (edges, n_nodes, rings).


def _not_planar(edges: Graph, n_nodes: int, rings: Sequence[Ring]) -> bool:
    # K33, the smallest of the graphs that are not planar, has three edges more than nodes.
    return len(edges) >= n_nodes + 3 and not networkx.check_planarity(networkx.Graph(edges))[0]


def _small_rings_share_atom(edges: Graph, n_nodes: int, rings: Sequence[Ring]) -> bool:
    counts = Counter(atom for ring in rings if len(ring) <= SMALL for atom in ring)
    return any(count > 1 for count in counts.values())


# Tests of skeletons take (skeleton, rings).


def _cumulated(skeleton: Skeleton, rings: Sequence[Ring]) -> bool:
    return any(sum(order > 1 for order in around.values()) > 1 for around in skeleton.bonds)


def _unsaturated_three_ring(skeleton: Skeleton, rings: Sequence[Ring]) -> bool:
    return any(skeleton.unsaturated[atom] for ring in rings if len(ring) == 3 for atom in ring)


def _ring_orders(skeleton: Skeleton, ring: Ring) -> list[int]:
    return [skeleton.bonds[a][b] for a, b in zip(ring, ring[1:] + ring[:1], strict=True)]


def _double_bond_in_four_ring(skeleton: Skeleton, rings: Sequence[Ring]) -> bool:
    return any(max(_ring_orders(skeleton, ring)) > 1 for ring in rings if len(ring) == SMALL)


def _triple_bond_in_ring(skeleton: Skeleton, rings: Sequence[Ring]) -> bool:
    return any(max(_ring_orders(skeleton, ring)) > 2 for ring in rings)


def bridgeheads(bonds: Sequence[dict[int, int]], rings: Sequence[Ring]) -> set[int]:
    """Atoms of three ring bonds in two rings that have more than one bond in common.

    Parameters
    ----------
    bonds : sequence of dict
        Neighbours of each atom, as keys.
    rings : sequence of tuple of int
    """
    found = set()
    in_ring = {frozenset(pair) for r in rings for pair in zip(r, r[1:] + r[:1], strict=True)}
    for number, ring in enumerate(rings):
        for other in rings[:number]:
            shared = set(ring) & set(other)
            if len(shared) > 2:
                found |= {
                    atom
                    for atom in shared
                    if sum(frozenset((atom, next_)) in in_ring for next_ in bonds[atom]) > 2
                }
    return found


def _unsaturated_bridgehead(skeleton: Skeleton, rings: Sequence[Ring]) -> bool:
    return any(skeleton.unsaturated[atom] for atom in bridgeheads(skeleton.bonds, rings))


# Tests of molecules are SMARTS, or take (molecule).


@cache
def _pattern(smarts: str) -> Any:
    pattern = Chem.MolFromSmarts(smarts)
    if pattern is None:
        raise ValueError(f"{smarts!r} is no SMARTS")
    return pattern


def _unsaturated_atoms(molecule: Any) -> set[int]:
    matches = molecule.GetSubstructMatches(_pattern("[$(*=*),$(*#*),a]"))
    return {match[0] for match in matches}


def _unsaturated_four_ring(molecule: Any) -> bool:
    """More than one unsaturated atom, aromatic ones apart; or one with a double bond not to O."""
    atom_rings, bond_rings = molecule.GetRingInfo().AtomRings(), molecule.GetRingInfo().BondRings()
    if all(len(ring) != SMALL for ring in atom_rings):
        return False
    aromatic = {
        atom
        for atoms, bonds in zip(atom_rings, bond_rings, strict=True)
        if len(atoms) > SMALL
        and all(molecule.GetBondWithIdx(bond).GetIsAromatic() for bond in bonds)
        for atom in atoms
    }
    unsaturated = _unsaturated_atoms(molecule) - aromatic
    carbonyl = {match[0] for match in molecule.GetSubstructMatches(_pattern("C=O"))}
    for ring in atom_rings:
        if len(ring) == SMALL:
            inside = unsaturated & set(ring)
            if len(inside) > 1 or inside - carbonyl:
                return True
    return False


def _twisted_amide(molecule: Any) -> bool:
    """A nitrogen at a bridgehead beside an unsaturated atom, with which it can not conjugate."""
    rings = molecule.GetRingInfo().AtomRings()
    if len(rings) < 2:
        return False
    bonds = [{n.GetIdx(): 1 for n in atom.GetNeighbors()} for atom in molecule.GetAtoms()]
    heads = [a for a in bridgeheads(bonds, rings) if molecule.GetAtomWithIdx(a).GetAtomicNum() == 7]
    return any(_unsaturated_atoms(molecule) & set(bonds[atom]) for atom in heads)


# A nitrogen whose lone pair or double bond makes a bond to another heteroatom acceptable.
_HARD = "[#7+0,#8+0,#9,#16;!n;!$([#7]=[#6,#7]);!$([#7]-[#6]=[#7,#8,#16])]"
_KETO = "[CX3;$([CX3;H1,H2](=O)[#6]),$([CX3](=O)([#6])[#6])]"

GRAPH_RULES = (
    Rule(
        "non-planar graph",
        "strain: bonds cross in every drawing",
        "GDB-11, unconfirmed",
        _not_planar,
    ),
    Rule(
        "small rings that share an atom",
        "strain: an atom of two rings of three or four atoms",
        "GDB-17; leaves exactly the graphs of QM7",
        _small_rings_share_atom,
    ),
)

SKELETON_RULES = (
    Rule("cumulated double bonds", "allenes, ketenes, isocyanates", "GDB-11, GDB-13", _cumulated),
    Rule(
        "unsaturated three-ring",
        "strain: sp2 atom in a ring of three",
        "GDB-17, QM7",
        _unsaturated_three_ring,
    ),
    Rule("double bond in four-ring", "strain", "GDB-17, QM7", _double_bond_in_four_ring),
    Rule("triple bond in ring", "strain", "GDB-17, QM7", _triple_bond_in_ring),
    Rule("unsaturated bridgehead", "Bredt's rule", "GDB-11, QM7", _unsaturated_bridgehead),
)

HETEROATOM_BOND = "heteroatom bond"

MOLECULE_RULES = (
    Rule(
        HETEROATOM_BOND,
        "weak: peroxides, hydrazines, hydroxylamines, N-F; not oximes, hydrazones, hydrazides, "
        "hydroxamic acids and heteroaromatic rings",
        "QM7",
        f"{_HARD}~{_HARD}",
    ),
    Rule("azo", "N=N outside aromatic rings", "QM7", "[#7;!a]=[#7;!a]"),
    Rule(
        "three heteroatoms in a row",
        "triazanes, N-O-N, N-nitroso; not in aromatic rings",
        "QM7",
        "[N,O,S;+0]~[N,O,S;+0]~[N,O,S;+0]",
    ),
    Rule(
        "heteroatoms joined in small ring",
        "strain and weak bonds: diaziridines, oxaziridines",
        "GDB-17, QM7",
        "[#7,#8,#16;r3,r4]~@[#7,#8,#16;r3,r4]",
    ),
    Rule("ring without carbon", "pentazoles", "own", "[!#6]1~[!#6]~[!#6]~[!#6]~[!#6]~1"),
    Rule(
        "gem-diol or hemiacetal",
        "loses water or alcohol",
        "GDB-11, QM7",
        "[CX4]([OH,SH])[OX2,SX2]",
    ),
    Rule(
        "aminal or hemiaminal",
        "loses amine, water or alcohol",
        "GDB-11, QM7",
        "[CX4]([#7])[#7,#8,#16]",
    ),
    Rule(
        "ortho acid derivative",
        "hydrolyses",
        "GDB-11 (orthoacids)",
        "[CX4]([#8,#16])([#8,#16])[#8,#16]",
    ),
    Rule("acetal in small ring", "strain", "QM7", "[CX4]([#8,#16])[#8,#16;r3,r4]"),
    Rule("alpha-fluoro alcohol or amine", "loses HF", "own", "[CX4](F)[OX2H,SX2H,NX3+0]"),
    Rule("enol", "tautomer of a carbonyl compound", "GDB-11, QM7", "C=C-[OX2H,SX2H]"),
    Rule("imidic acid", "tautomer of an amide", "QM7", "[CX3](=N)[OX2H,SX2H]"),
    Rule(
        "imidate",
        "hydrolyses; not with a further nitrogen (hydroximates, isoureas)",
        "QM7",
        "[CX3;!$(C-[NX3])](=[NX2;!$(N-[#7,#8])])[OX2,SX2]",
    ),
    Rule(
        "enamine",
        "hydrolyses; not with N acylated or C=C conjugated to C=O, C=N or a nitrile",
        "GDB-13, QM7",
        "[$(C=C-[NX3+0;!$(N[C;!$(C=C-N)]=[O,N,S])]);!$(C-C=[O,N,S]);!$(C-C#N)]",
    ),
    Rule("ketene acetal", "hydrolyses", "QM7", "C=[CX3]([OX2,SX2])[OX2,SX2]"),
    Rule("O-vinyl oxime", "rearranges", "QM7", "C=C-[OX2]-[#7]"),
    Rule("vinyl carbamate", "none of QM7 has it", "QM7", "C=C-[OX2]-[CX3](=[O,N])-[#7]"),
    Rule(
        "methylene at azole",
        "an enamine written as aromatic",
        "QM7",
        "[$(c:[n]),$(c:a:[n])]=[CX3]",
    ),
    Rule("imine at ring with O or S", "hydrolyses", "QM7", "[c;!$(c:[nX3])]=N"),
    Rule("aromatic ring of seven with N, O, S", "not aromatic in truth", "own", "[n,o,s;r7]"),
    Rule("ynol or ynamine", "tautomer of a ketene", "QM7", "C#C-[#7,#8,#9,#16]"),
    Rule("cyanamide or cyanate", "reactive", "QM7", "N#C-[#7,#8,#9,#16]"),
    Rule(
        "imine",
        "hydrolyses; not amidines, oximes, hydrazones",
        "QM7",
        "[CX3;!$(C-[NX3])]=[NX2;!$(N-[#7,#8])]",
    ),
    Rule("thioaldehyde or thioketone", "oligomerizes", "own", "[CX3;!$(C-[#7])]=[SX1]"),
    Rule("carbonic or carbamic acid", "loses CO2", "QM7", "[OX2H,SX2H][CX3](=[O,S])[#7,#8,#16]"),
    Rule("beta-keto acid", "loses CO2", "own", f"[OX2H]C(=O)[CX4]{_KETO}"),
    Rule("acyl fluoride", "hydrolyses", "own", "F[CX3]=[O,N,S]"),
    Rule("nitro at C=O or C=N", "acylates", "own", "[N+](=O)([O-])[CX3]=[O,N,S]"),
    Rule(
        "primary amine with aldehyde or ketone",
        "condense with each other",
        "QM7",
        f"[NX3H2][CX4,NX2].{_KETO}",
    ),
    Rule("primary amine with nitrile", "add to each other", "QM7", "[NX3H2][CX4,NX2].C#N"),
    Rule("unsaturated four-ring", "strain", "GDB-17, QM7", _unsaturated_four_ring),
    Rule("amide at bridgehead", "can not conjugate", "QM7", _twisted_amide),
)


def graph_rule(edges: Graph, n_nodes: int, rings: Sequence[Ring]) -> str | None:
    """Name of the first rule that leaves out a graph, None if it is kept."""
    return _first(GRAPH_RULES, edges, n_nodes, rings)


def skeleton_rule(skeleton: Skeleton, rings: Sequence[Ring]) -> str | None:
    """Name of the first rule that leaves out a graph with bond orders, None if it is kept."""
    return _first(SKELETON_RULES, skeleton, rings)


def molecule_rule(molecule: Any) -> str | None:
    """Name of the first rule that leaves out a molecule, None if it is kept.

    Parameters
    ----------
    molecule : rdkit.Chem.Mol
        Sanitized. The rules for its graph and its skeleton are not applied.
    """
    if molecule.GetNumAtoms() == 1:
        return None
    return _first(MOLECULE_RULES, molecule)


def _first(rules: Sequence[Rule], *arguments: Any) -> str | None:
    for rule in rules:
        if callable(rule.test):
            if rule.test(*arguments):
                return rule.name
        elif arguments[0].HasSubstructMatch(_pattern(rule.test)):
            return rule.name
    return None
