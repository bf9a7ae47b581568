"""Building molecules: embedding, relaxation, labels, and what happens when it goes wrong."""

import json
import re

import numpy as np
import pytest

import molkern as mk
from molkern.datasets.build import build_molecules, geometry, output, pool, xtb
from molkern.datasets.build.molecules import UNITS, build_one
from molkern.datasets.built import PROVENANCE, provenance_of

WATER = (
    np.array([8, 1, 1], np.int32),
    np.array([[0.0, 0.0, 0.0], [0.96, 0.0, 0.0], [-0.24, 0.93, 0.0]]),
)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Five molecules, one of which opens when it is relaxed."""
    path = tmp_path_factory.mktemp("built") / "five.npz"
    smiles = ["CCO", "C[C@H](N)O", "OCC", "N", "C1=C=C1", "c1ccoc1"]
    shown = []
    build_molecules(
        path,
        smiles=smiles,
        seed=5,
        n_processes=2,
        command="a command",
        progress=lambda *step: shown.append(step),
    )
    return path, shown


def test_labels_are_those_of_the_stored_positions(built):
    data = mk.datasets.load(built[0])
    assert data.default_target == "atomization_energy"
    assert data.units == UNITS
    assert data.extensive == {"atomization_energy", "total_energy"}
    charges = np.split(data.targets["partial_charges"], data.structures.offsets[1:-1])
    for k, (numbers, positions) in enumerate(data.structures):
        again = xtb.labels(numbers, positions)
        for name in UNITS:
            if name != "partial_charges":
                # Self-consistent charges are converged to 1e-8 hartree or so.
                np.testing.assert_allclose(data.targets[name][k], again[name], rtol=1e-6, atol=1e-5)
        np.testing.assert_allclose(charges[k], again["partial_charges"], atol=1e-5)
        assert abs(charges[k].sum()) < 1e-5


def test_geometry_is_a_minimum_and_the_molecule(built):
    data = mk.datasets.load(built[0])
    with np.load(built[0]) as arrays:
        smiles = arrays["smiles"].tolist()
    assert smiles[:3] == ["CCO", "C[C@H](N)O", "N"]
    for numbers, positions in data.structures:
        forces = xtb.as_ase(numbers, positions).get_forces()
        assert np.abs(forces).max() < 1.1 * xtb.FORCE  # float32 positions


def test_provenance_tells_how_it_was_made(built):
    path, shown = built
    found = provenance_of(path)
    assert found["command"] == "a command"
    assert found["seed"] == 5
    assert set(found["versions"]) >= {"molkern", "rdkit", "tblite", "ase", "numpy", "python"}
    assert found["n_built"] + sum(found["failed"].values()) == 5  # one was given twice
    assert shown[0] == ("molecules", 0, 0, 5)
    assert shown[-1][1] == 5
    assert not output.journal_of(path).exists()
    data = mk.datasets.load(path)
    free = data.structures.composition() @ [
        found["atom_energies"][str(z)] for z in data.structures.species
    ]
    bound = (data.targets["total_energy"] - free) * xtb.HARTREE_KCAL
    np.testing.assert_allclose(bound, data.targets["atomization_energy"], rtol=1e-12)


def test_built_again_is_the_same(built, tmp_path):
    one = build_molecules(tmp_path / "a.npz", smiles=["c1ccoc1", "CCO"], seed=5, n_processes=1)
    with np.load(built[0]) as before, np.load(one) as after:
        first = before["smiles"].tolist().index("CCO")
        begin, end = before["offsets"][first : first + 2]
        old, new = before["positions"][begin:end], after["positions"][-9:]
        # The same steps on the same machine; other processors may round differently.
        np.testing.assert_allclose(old, new, atol=1e-4)
        assert abs(before["total_energy"][first] - after["total_energy"][-1]) < 1e-7


def test_limit_chooses_by_seed(tmp_path, monkeypatch):
    smiles = ["C", "N", "O", "CC", "CO", "C#N", "C=O"]
    names = {}
    for seed in (0, 0, 1):
        path = tmp_path / f"{seed}-{len(names)}.npz"
        build_molecules(path, smiles=smiles, limit=3, seed=seed, n_processes=1)
        with np.load(path) as arrays:
            names.setdefault(seed, []).append(arrays["smiles"].tolist())
    assert names[0][0] == names[0][1]
    assert len(names[0][0]) == 3
    assert names[0][0] != names[1][0]


def test_molecule_that_becomes_another_fails(monkeypatch):
    monkeypatch.setattr(xtb, "relax", lambda numbers, positions: positions * 1.6)
    with pytest.raises(pool.Failure, match="another molecule after relaxation: C-O broken"):
        build_one(("CO", 1, 0))


def test_other_stereoisomer_fails(monkeypatch):
    monkeypatch.setattr(xtb, "relax", lambda numbers, positions: positions * [1, 1, -1])
    with pytest.raises(pool.Failure, match="another stereo-isomer"):
        build_one(("C[C@H](N)O", 1, 0))


@pytest.mark.parametrize("smiles", ["N=C(N)C1CC1", "C/C=C\\C(=N)NN", "C=C[C@@H]1CN1C=N", "CC#N"])
def test_hydrogen_at_nitrogen_is_no_stereochemistry(smiles):
    molecule, positions = geometry.embed(smiles, 1, 0)
    assert geometry.isomer(molecule, positions) == geometry.canonical(smiles)


@pytest.mark.parametrize("smiles", ["CC(N)O", "CC=CC", "CC=NO"])
def test_open_stereochemistry_is_that_of_the_conformer(tmp_path, smiles):
    path = build_molecules(tmp_path / "a.npz", smiles=[smiles], n_processes=1)
    with np.load(path) as arrays:
        (found,) = arrays["smiles"].tolist()
    assert found != smiles
    assert found.replace("@", "").replace("/", "").replace("\\", "").replace("[CH]", "C") == smiles


@pytest.mark.parametrize(
    ("smiles", "start", "scale", "expected"),
    [("CC", None, 1.0, ""), ("CC", None, 1.5, "C-C broken"), ("CC", None, 0.5, "C-H formed")],
)
def test_graph_changes(smiles, start, scale, expected):
    molecule, positions = geometry.embed(smiles, 1, 0)
    found = geometry.graph_changes(molecule, positions * scale)
    assert (expected in found) if expected else found == ""


def test_cage_is_not_bonded_across():
    molecule, positions = geometry.embed("C1C2CC1C2", 5, 0)
    numbers = np.array([atom.GetAtomicNum() for atom in molecule.GetAtoms()], np.int32)
    assert geometry.graph_changes(molecule, xtb.relax(numbers, positions)) == ""


def test_dipole_and_polarizability_of_water():
    found = xtb.labels(*WATER)
    # GFN2-xTB: dipole 2.2 debye near the equilibrium; the response of its minimal basis is small.
    assert 1.9 < found["dipole"] < 2.6
    assert 2 < found["polarizability"] < 15
    assert found["homo"] < found["lumo"]
    assert found["gap"] == pytest.approx(found["lumo"] - found["homo"])


def test_forces_are_the_derivative_of_the_energy():
    numbers, positions = WATER
    forces = xtb.as_ase(numbers, positions).get_forces()
    step = 1e-3
    for axis in range(2):
        energies = []
        for sign in (1, -1):
            moved = positions.copy()
            moved[1, axis] += sign * step
            energies.append(xtb.as_ase(numbers, moved).get_potential_energy())
        slope = (energies[0] - energies[1]) / (2 * step)
        assert forces[1, axis] == pytest.approx(-slope, abs=1e-4)


WRONG = [
    ({"smiles": ["CC", "C(C"]}, "molecule 1: smiles: .C.C. is no valid SMILES"),
    ({"smiles": ["CC", " "]}, "molecule 1: smiles: ' ' is no valid SMILES"),
    ({"smiles": ["[H][H]"]}, "has no heavy atoms"),
    ({"smiles": ["CCBr"]}, "molecule 0: elements: expected H, C, N, O, F, S, found Br"),
    ({"smiles": ["C[O-]"]}, "is charged or a radical"),
    ({"smiles": ["C[CH2]"]}, "is charged or a radical"),
    ({"smiles": ["C.C"]}, "has several parts"),
    ({"smiles": []}, "expected at least one molecule"),
    ({}, "expected either heavy_atoms or smiles"),
    ({"smiles": ["C"], "heavy_atoms": 2}, "expected either heavy_atoms or smiles"),
    ({"heavy_atoms": 0}, "heavy_atoms: expected 1 to 11, found 0"),
    ({"heavy_atoms": 12}, "heavy_atoms: expected 1 to 11, found 12"),
    ({"heavy_atoms": 2, "elements": ["C", "Xx"]}, "elements: .*Xx"),
    ({"heavy_atoms": 2, "elements": ["C", "Br"]}, "elements: .*Br"),
    ({"smiles": ["C"], "limit": 0}, "limit: expected at least 1, found 0"),
    ({"smiles": ["C"], "n_conformers": 0}, "n_conformers: expected at least 1"),
    ({"smiles": ["C"], "seed": -1}, "seed: expected at least 0"),
    ({"smiles": ["C"], "n_processes": 0}, "n_processes: expected at least 1"),
]


@pytest.mark.parametrize(("options", "message"), WRONG)
def test_wrong_arguments_leave_nothing(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        build_molecules(tmp_path / "new" / "a.npz", **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"smiles": "CO"}, "smiles: expected a sequence of SMILES, found the string 'CO'"),
        ({"smiles": [None]}, "smiles: expected SMILES, molecule 0 is None"),
        ({"smiles": ["C"], "limit": 1.5}, r"limit: expected an integer, found 1\.5"),
    ],
)
def test_wrong_types_leave_nothing(tmp_path, options, message):
    with pytest.raises(TypeError, match=message):
        build_molecules(tmp_path / "new" / "a.npz", **options)
    assert list(tmp_path.iterdir()) == []


def test_numpy_integers_are_integers(tmp_path):
    one = np.int64(1)
    path = build_molecules(
        tmp_path / "a.npz", heavy_atoms=one, limit=one, seed=one, n_conformers=one, n_processes=one
    )
    assert provenance_of(path)["n_built"] == 1


def test_enumerated_molecules_are_counted(tmp_path):
    shown = []
    path = build_molecules(
        tmp_path / "a.npz", heavy_atoms=2, progress=lambda *step: shown.append(step)
    )
    found = provenance_of(path)
    assert found["enumeration"]["counts"]["molecules"] == [3, 7]
    assert found["n_built"] == 10
    assert {step[0] for step in shown} == {"graphs", "molecules"}


def test_result_that_is_not_finite_fails(monkeypatch):
    record = pool._guarded(lambda value: {"energy": value}, float("nan"))
    assert "not JSON compliant" in record[pool.FAILED]


def test_output_that_can_not_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="out: can not write to the folder"):
        build_molecules(tmp_path / "file" / "a.npz", smiles=["C"])
    with pytest.raises(ValueError, match=re.escape("ends in .npz, found")):
        build_molecules(tmp_path / "a.xyz", smiles=["C"])
    (tmp_path / "a.npz").write_text("mine")
    with pytest.raises(FileExistsError, match="exists; delete it, or choose another name"):
        build_molecules(tmp_path / "a.npz", smiles=["C"])
    assert (tmp_path / "a.npz").read_text() == "mine"


def test_full_disk_leaves_no_half_file(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(output.os, "fsync", full)
    with pytest.raises(OSError, match="can not write: No space left on device"):
        output.write(tmp_path / "a.npz", {"x": np.zeros(3)}, {})
    assert list(tmp_path.iterdir()) == []


def test_damaged_provenance_raises(built, tmp_path):
    with np.load(built[0]) as arrays:
        content = dict(arrays)
    for text, message in (
        ("no json", "provenance is no JSON object"),
        ("{}", "provenance lacks"),
        (
            json.dumps({**provenance_of(built[0]), "units": {"energy": "eV"}}),
            "lacks the targets",
        ),
    ):
        path = tmp_path / "a.npz"
        np.savez(path, **{**content, PROVENANCE: np.array(text)})
        with pytest.raises(ValueError, match=message):
            mk.datasets.load(path)
