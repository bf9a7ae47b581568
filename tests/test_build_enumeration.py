"""Enumeration of molecules: graphs, bond orders, elements, filters, stereo-isomers."""

import json
import shutil

import pytest

NEEDED = 'needs the packages of the builder: pip install "molkern[build]"'
Chem = pytest.importorskip("rdkit.Chem", reason=NEEDED)
networkx = pytest.importorskip("networkx", reason=NEEDED)

from molkern.datasets.build import graphs, skeletons  # noqa: E402
from molkern.datasets.build.enumeration import STAGES, enumerate_molecules  # noqa: E402
from molkern.datasets.build.stereo import isomers  # noqa: E402

BENZENE = ((0, 1), (0, 5), (1, 2), (2, 3), (3, 4), (4, 5))


@pytest.fixture(scope="module")
def up_to_five():
    return enumerate_molecules(5, ("C", "N", "O", "F"))


def test_connected_graphs_are_as_many_as_known():
    counts = [sum(1 for _ in graphs.connected_graphs(n, max_degree=n)) for n in range(1, 8)]
    assert counts == [1, 1, 2, 6, 21, 112, 853]  # OEIS A001349


def test_no_node_has_more_than_four_edges():
    found = list(graphs.connected_graphs(6))
    assert max(max(graphs.degrees(edges, 6)) for edges in found) == 4
    assert len(found) == 78


@pytest.mark.parametrize("n_nodes", [4, 6])
def test_atlas_and_geng_agree(n_nodes):
    if not any(shutil.which(name) for name in graphs.GENG):
        pytest.skip("geng is not installed: package nauty")
    atlas = [networkx.Graph(edges) for edges in graphs.connected_graphs(n_nodes)]
    other = [networkx.Graph(edges) for edges in graphs.geng(n_nodes)]
    assert len(atlas) == len(other)
    for graph in atlas:
        assert sum(networkx.is_isomorphic(graph, candidate) for candidate in other) == 1


def test_geng_knows_eight_nodes():
    if not any(shutil.which(name) for name in graphs.GENG):
        pytest.skip("geng is not installed: package nauty")
    assert sum(1 for _ in graphs.geng(8, max_degree=7)) == 11117  # OEIS A001349


def test_without_geng_the_package_is_named(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(FileNotFoundError, match=r"8 asked for, need .* install the package nauty"):
        list(graphs.connected_graphs(8))


def test_geng_that_fails_is_reported(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/false")
    with pytest.raises(ChildProcessError, match=r"/bin/false -cq -D4 8 ended with status 1"):
        list(graphs.connected_graphs(8))


def test_automorphisms():
    assert len(graphs.automorphisms(BENZENE, 6)) == 12
    assert len(graphs.automorphisms(((0, 1), (0, 2), (0, 3), (0, 4)), 5)) == 24
    assert graphs.automorphisms(((0, 1), (1, 2)), 3)[0] == (0, 1, 2)


def test_cycles_and_relevant_rings():
    bicyclobutane = ((0, 1), (0, 2), (1, 2), (1, 3), (2, 3))
    assert list(map(len, graphs.cycles(bicyclobutane, 4))) == [3, 3, 4]
    assert list(map(len, graphs.relevant_rings(bicyclobutane, 4))) == [3, 3]
    # Three bridges of one atom: each two of them are a ring of four, none is left out by a choice.
    propellane = ((0, 2), (0, 3), (0, 4), (1, 2), (1, 3), (1, 4))
    assert list(map(len, graphs.relevant_rings(propellane, 5))) == [4, 4, 4]
    assert graphs.relevant_rings(((0, 1),), 2) == []


def test_bond_orders_of_a_ring_of_six():
    found = list(skeletons.bond_orders(BENZENE, 6))
    assert found[0].orders == (1,) * 6
    only_double = [s for s in found if max(s.orders) == 2 and max(s.used) <= 3]
    # One double bond, two (meta and para), three.
    assert sorted(sum(order == 2 for order in s.orders) for s in only_double) == [1, 2, 2, 3]
    (benzene,) = (s for s in only_double if s.orders.count(2) == 3)
    assert len(benzene.symmetries) == 6
    assert all(benzene.unsaturated)


def test_elements_on_propane():
    skeleton = next(skeletons.bond_orders(((0, 1), (1, 2)), 3))
    # Middle C, N or O; ends an unordered pair of C, N, O, F: 3 * 10.
    assert skeletons.count_colourings(skeleton, (6, 7, 8, 9)) == 30
    # No heteroatoms side by side: 10 pairs at carbon, one at N, one at O.
    found = list(skeletons.colourings(skeleton, (6, 7, 8, 9)))
    assert len(found) == len(set(found)) == 12


def test_hydrazone_is_made_and_hydrazine_is_not():
    # C=N-N of the hydrazone; N-N-C of saturated atoms never.
    for skeleton in skeletons.bond_orders(((0, 1), (1, 2)), 3):
        beside = [c for c in skeletons.colourings(skeleton, (6, 7)) if c[1] == 7 and 7 in c[::2]]
        assert bool(beside) == (sorted(skeleton.orders) == [1, 2])


def test_alkanes_are_as_many_as_known():
    found = enumerate_molecules(7, ("C",), stereo=False).smiles
    counts = [0] * 7
    for smiles in found:
        if set(smiles) <= set("C()"):
            counts[smiles.count("C") - 1] += 1
    assert counts == [1, 1, 1, 2, 3, 5, 9]


def test_molecules_of_one_and_two_atoms_by_name():
    names = {
        "C": "methane", "N": "ammonia", "O": "water", "F": "hydrogen fluoride",
        "CC": "ethane", "C=C": "ethene", "C#C": "ethyne", "CN": "methylamine",
        "C#N": "hydrogen cyanide", "CO": "methanol", "C=O": "formaldehyde", "CF": "fluoromethane",
    }  # fmt: skip
    assert set(enumerate_molecules(2, ("C", "N", "O", "F")).smiles) == set(names)


def test_counts_near_those_of_gdb_11(up_to_five):
    molecules = up_to_five.counts["molecules"]
    for ours, published in zip(molecules, [4, 9, 20, 80, 352], strict=True):
        assert abs(ours - published) <= 0.12 * published


def test_every_molecule_is_accounted_for(up_to_five):
    counts, rejected = up_to_five.counts, up_to_five.rejected
    assert list(counts) == list(STAGES)
    names = list(rejected)
    of_graphs, of_skeletons, of_molecules = names[:2], names[2:7], names[7:]
    for n in range(5):
        lost = {
            kind: sum(rejected[name][n] for name in group)
            for kind, group in (
                ("graphs", of_graphs),
                ("skeletons", of_skeletons),
                ("molecules", of_molecules),
            )
        }
        assert counts["graphs"][n] - lost["graphs"] == counts["graphs_kept"][n]
        assert counts["skeletons_by_valence"][n] - lost["skeletons"] == counts["skeletons_kept"][n]
        made = counts["molecules_by_valence"][n] + counts["nitro_compounds_made"][n]
        assert made - lost["molecules"] == counts["molecules"][n]
    assert sum(counts["stereo_isomers_without_mirror_images"]) == len(up_to_five.smiles)
    assert counts["stereo_isomers"] >= counts["stereo_isomers_without_mirror_images"]


def test_molecules_are_neutral_canonical_different_and_sorted(up_to_five):
    sizes = []
    for smiles in up_to_five.smiles:
        molecule = Chem.MolFromSmiles(smiles)
        assert Chem.MolToSmiles(molecule) == smiles
        assert Chem.GetFormalCharge(molecule) == 0
        assert all(atom.GetNumRadicalElectrons() == 0 for atom in molecule.GetAtoms())
        sizes.append((molecule.GetNumAtoms(), smiles))
    assert sizes == sorted(set(sizes))


def test_known_molecules_are_there(up_to_five):
    there = ["C1CN1", "CC(=O)O", "CC#N", "C/C=N/O", "C[N+](=O)[O-]", "c1ccoc1", "c1cc[nH]c1",
             "NCC(=O)O", "CC(N)=O", "C=CC=C", "C1CC1", "NC(N)=O", "FC(F)(F)F"]  # fmt: skip
    not_there = ["C=C=C", "O=C=O", "OO", "NN", "C=CO", "OCO", "C1=CC1", "C1C2CC12", "CC(=O)F"]
    assert set(there) <= set(up_to_five.smiles)
    assert not set(not_there) & set(up_to_five.smiles)


def test_one_tautomer_is_kept():
    found = enumerate_molecules(5, ("C", "N"), stereo=False).smiles
    imidazole = {"c1c[nH]cn1", "c1cnc[nH]1"}
    acetamidine_of_methylamine = {"CNC(C)=N", "CN=C(C)N"}
    assert len(imidazole & set(found)) == 1
    assert len(acetamidine_of_methylamine & set(found)) == 1


def test_sulphur_is_divalent():
    found = enumerate_molecules(3, ("C", "S"), stereo=False).smiles
    assert {"S", "CS", "CSC", "CCS", "C1CS1"} <= set(found)
    assert "C=S" not in found


def test_twice_the_same(up_to_five):
    shuffled = enumerate_molecules(5, ("F", "O", "N", "C", "C"))
    assert shuffled == up_to_five


def test_plain_values_for_json(up_to_five):
    content = json.loads(json.dumps(up_to_five.to_json(), allow_nan=False))
    assert content["smiles"] == list(up_to_five.smiles)
    assert content["counts"] == up_to_five.counts
    assert content["rejected"] == up_to_five.rejected


def test_progress_ends_at_the_total():
    calls = []
    enumerate_molecules(4, progress=lambda *numbers: calls.append(numbers))
    assert calls == [(k, 10) for k in range(1, 11)]


def test_without_stereo_nothing_is_said_of_it(up_to_five):
    flat = enumerate_molecules(4, ("C", "N", "O", "F"), stereo=False)
    assert list(flat.counts) == list(STAGES[:-2])
    assert flat.counts["molecules"] == up_to_five.counts["molecules"][:4]
    assert not any(set("@/\\") & set(smiles) for smiles in flat.smiles)


@pytest.mark.parametrize(
    ("smiles", "n_all", "n_listed"),
    [
        ("CC=CC", 2, 2),  # cis, trans
        ("CC=NO", 2, 2),
        ("CC=N", 1, 1),  # C=NH inverts
        ("CC(O)C(=O)O", 2, 1),  # mirror images
        ("CC(O)C(C)O", 3, 2),  # meso once, the pair once
        ("CC1CCC(C)CC1", 2, 2),  # dependent centres
        ("CN1CC1", 1, 1),  # nitrogen inverts
        ("C1CC2CCC1C2", 1, 1),  # norbornane: no inside-outside form
        ("OC1CC2CCC1C2", 4, 2),  # exo, endo
        ("C1CC2CC2C1", 1, 1),  # no trans-fused ring of three and five
        ("C1CC2CCC2C1", 3, 2),  # of four and five: cis, and trans with its mirror image
        ("CC=CC=CC", 3, 3),
        ("c1ccccc1", 1, 1),
    ],
)
def test_stereo_isomers(smiles, n_all, n_listed):
    found = isomers(smiles)
    assert (found.n_all, len(found.smiles)) == (n_all, n_listed)
    flat = {Chem.MolToSmiles(Chem.MolFromSmiles(s), isomericSmiles=False) for s in found.smiles}
    assert flat == {Chem.CanonSmiles(smiles)}


def test_impossible_isomers_are_counted():
    assert isomers("C1CC2CC2C1").n_impossible == 2
    assert isomers("CC=CC").n_impossible == 0


@pytest.mark.parametrize("size", [0, -1])
def test_no_heavy_atoms_raises(size):
    with pytest.raises(ValueError, match=rf"heavy_atoms: expected 1 to 11, found {size}"):
        enumerate_molecules(size)


@pytest.mark.parametrize("size", [2.0, "3", None])
def test_size_that_is_no_integer_raises(size):
    with pytest.raises(TypeError, match="heavy_atoms: expected an integer, found"):
        enumerate_molecules(size)


@pytest.mark.parametrize("symbol", ["P", "H", "c"])
def test_element_that_is_not_possible_raises(symbol):
    with pytest.raises(ValueError, match=rf"some of C, N, O, F, S; found '{symbol}'"):
        enumerate_molecules(2, ("C", symbol))


def test_elements_without_carbon_raise():
    with pytest.raises(ValueError, match=r"expected C among them, found \['N', 'O'\]"):
        enumerate_molecules(2, ("N", "O"))


@pytest.mark.parametrize("elements", ["CNO", (6, 7)])
def test_elements_that_are_no_symbols_raise(elements):
    with pytest.raises(TypeError, match="elements: expected a sequence of symbols, found"):
        enumerate_molecules(2, elements)
