"""Each rule of the enumeration leaves out what it names, and not what is near."""

import pytest

NEEDED = 'needs the packages of the builder: pip install "molkern[build]"'
Chem = pytest.importorskip("rdkit.Chem", reason=NEEDED)
pytest.importorskip("networkx", reason=NEEDED)

from molkern.datasets.build import filters, graphs  # noqa: E402
from molkern.datasets.build.skeletons import Skeleton  # noqa: E402

# Rule, what it leaves out, something near that stays.
MOLECULES = [
    ("heteroatom bond", "COOC", "COC"),
    ("heteroatom bond", "CNN", "CC=NN"),
    ("heteroatom bond", "CNO", "CC(=O)NO"),
    ("heteroatom bond", "CN(C)F", "CC(C)F"),
    ("azo", "CN=NC", "c1ccnnc1"),
    ("three heteroatoms in a row", "C=NON=C", "C=NOC=O"),
    ("heteroatoms joined in small ring", "O=CN1CCO1", "O=CN1CCCO1"),
    ("ring without carbon", "n1nn[nH]n1", "c1nn[nH]n1"),
    ("gem-diol or hemiacetal", "COCO", "COCOC"),
    ("aminal or hemiaminal", "COCN", "COCCN"),
    ("ortho acid derivative", "COC(OC)OC", "COC(C)OC"),
    ("acetal in small ring", "C1OCO1", "C1COCO1"),
    ("alpha-fluoro alcohol or amine", "OCF", "OCCF"),
    ("enol", "C=CO", "C=COC"),
    ("imidic acid", "CC(O)=N", "CC(=N)N"),
    ("imidate", "COC(C)=N", "COC(N)=N"),
    ("enamine", "C=CN(C)C", "C=CNC=O"),
    ("enamine", "CC=CN", "NC=CC=O"),
    ("ketene acetal", "C=C(OC)OC", "C=C(C)OC"),
    ("O-vinyl oxime", "C=CON=C", "C=CCON=C"),
    ("vinyl carbamate", "C=COC(N)=O", "C=COC(C)=O"),
    ("methylene at azole", "C=c1cc[nH]c1=C", "C=c1ccoc1=C"),
    ("imine at ring with O or S", "N=c1cccco1", "N=c1cccc[nH]1"),
    ("aromatic ring of seven with N, O, S", "c1cocc[nH][nH]1", "C1=COC=CCC1"),
    ("ynol or ynamine", "C#CN(C)C", "C#CCN(C)C"),
    ("cyanamide or cyanate", "N#CN(C)C", "N#CCN(C)C"),
    ("imine", "CC=NC", "CN=CNC"),
    ("thioaldehyde or thioketone", "CC(C)=S", "CC(N)=S"),
    ("carbonic or carbamic acid", "COC(=O)O", "COC(=O)OC"),
    ("beta-keto acid", "CC(=O)CC(=O)O", "CC(=O)CCC(=O)O"),
    ("acyl fluoride", "CC(=O)F", "CC(=O)CF"),
    ("nitro at C=O or C=N", "CC(=O)[N+](=O)[O-]", "CC(=O)C[N+](=O)[O-]"),
    ("primary amine with aldehyde or ketone", "NCCC=O", "CNCCC=O"),
    ("primary amine with nitrile", "NCCC#N", "CNCCC#N"),
    ("unsaturated four-ring", "O=C1CC(=O)C1", "O=C1CCC1"),
    ("unsaturated four-ring", "C=C1CCC1", "c1occ2c1CC2"),
    ("amide at bridgehead", "O=C1CC2CCN1C2", "O=C1CCCN1C"),
]
SKELETONS = [
    ("cumulated double bonds", "C=C=C", "C=CC=C"),
    ("unsaturated three-ring", "C=C1CC1", "C=CC1CC1"),
    ("double bond in four-ring", "C1=CCC1", "C1=CCCC1"),
    ("triple bond in ring", "C1#CCCCCC1", "C#CC1CCCC1"),
    ("unsaturated bridgehead", "C1=C2CCC(C1)C2", "C1=CC2CCC1C2"),
]
GRAPHS = [
    ("small rings that share an atom", "C1CC12CC2", "C1CC1C1CC1"),
    ("small rings that share an atom", "C1C2CC12", "C1CC2CC2C1"),
]


def graph_of(smiles):
    molecule = Chem.MolFromSmiles(smiles)
    pairs = sorted((b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in molecule.GetBonds())
    edges = tuple(sorted((min(pair), max(pair)) for pair in pairs))
    orders = tuple(int(molecule.GetBondBetweenAtoms(*e).GetBondTypeAsDouble()) for e in edges)
    n_atoms = molecule.GetNumAtoms()
    identity = tuple(range(n_atoms))
    skeleton = Skeleton(n_atoms, edges, orders, (identity,))
    return skeleton, graphs.relevant_rings(edges, n_atoms)


@pytest.mark.parametrize(("name", "out", "near"), MOLECULES)
def test_molecule_rule(name, out, near):
    assert filters.molecule_rule(Chem.MolFromSmiles(out)) == name
    assert filters.molecule_rule(Chem.MolFromSmiles(near)) is None


@pytest.mark.parametrize(("name", "out", "near"), SKELETONS)
def test_skeleton_rule(name, out, near):
    assert filters.skeleton_rule(*graph_of(out)) == name
    assert filters.skeleton_rule(*graph_of(near)) is None


@pytest.mark.parametrize(("name", "out", "near"), GRAPHS)
def test_graph_rule(name, out, near):
    for smiles, expected in ((out, name), (near, None)):
        skeleton, rings = graph_of(smiles)
        assert filters.graph_rule(skeleton.edges, skeleton.n_atoms, rings) == expected


def test_graph_that_is_not_planar():
    utilities = tuple((i, j) for i in range(3) for j in range(3, 6))
    assert filters.graph_rule(utilities, 6, graphs.relevant_rings(utilities, 6)) == (
        "non-planar graph"
    )
    prism = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 4), (2, 5), (3, 4), (3, 5), (4, 5))
    assert filters.graph_rule(prism, 6, []) is None


def test_every_rule_is_tested_and_has_a_reason():
    tested = {name for name, *_ in (*MOLECULES, *SKELETONS, *GRAPHS)} | {"non-planar graph"}
    rules = (*filters.GRAPH_RULES, *filters.SKELETON_RULES, *filters.MOLECULE_RULES)
    assert tested == {rule.name for rule in rules}
    assert all(rule.reason and rule.source for rule in rules)


def test_single_atoms_are_kept():
    assert all(filters.molecule_rule(Chem.MolFromSmiles(s)) is None for s in "CNOFS")


def test_pattern_that_is_no_smarts_raises():
    with pytest.raises(ValueError, match=r"'C\(' is no SMARTS"):
        filters._pattern("C(")
