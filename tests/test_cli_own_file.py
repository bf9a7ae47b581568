"""A stranger's own file: a report in one command, or words that say what is wrong with it."""

import numpy as np
import pytest
from ase.build import molecule
from ase.io import write

from molkern import cli
from molkern.study import Measurements, Result

pytestmark = pytest.mark.usefixtures("own_folders")

NAMES = ["CH4", "NH3", "H2O", "C2H6", "CH3OH", "C2H4", "H2CO", "HCN"]
FEW = ["--representations", "bag_of_bonds", "--kernels", "laplacian", "--seeds", "0", "--no-cost"]


def frames(n):
    """Distorted molecules; their energy is the sum of 1 / distance."""
    rng = np.random.default_rng(5)
    found = []
    for k in range(n):
        atoms = molecule(NAMES[k % len(NAMES)])
        atoms.positions += rng.normal(0, 0.05, atoms.positions.shape)
        distances = atoms.get_all_distances()[np.triu_indices(len(atoms), 1)]
        atoms.info = {"energy": float((1 / distances).sum())}
        found.append(atoms)
    return found


def shown(capsys, *arguments, code=0):
    assert cli.main(["compare", *arguments]) == code
    words = capsys.readouterr()
    return " ".join((words.out if code == 0 else words.err).split())


def test_report_of_500_molecules_in_one_command(tmp_path, capsys):
    write("mine.xyz", frames(500))
    words = shown(capsys, "mine.xyz", "--kernels", "laplacian", "--seeds", "0")
    assert "mine: 500 structures, energy (unit unknown)" in words
    assert "Recommended: " in words
    folder = tmp_path / "molkern-report" / "mine"
    result, costs = Result.load(folder / "results.json"), Measurements.load(folder / "costs.json")
    assert set(result.frame["n_train"]) == {100, 200, 400}
    # Every model and size has its error and its cost.
    learnt = costs.frame[costs.frame["operation"] == "train"]
    key = ["representation", "kernel", "n_train"]
    assert set(map(tuple, learnt[key].to_numpy())) == set(map(tuple, result.frame[key].to_numpy()))
    page = (folder / "report.html").read_text("utf-8")
    assert "Error against cost" in page
    assert "Cost of each representation" in page


def test_tested_on_larger_molecules(tmp_path, capsys):
    write("mine.xyz", [atoms for atoms in frames(400) if atoms.symbols.formula != "CHN"])
    split = ["--split", "heavy_atoms:1", "--sizes", "20,80"]
    words = shown(capsys, "mine.xyz", *FEW[:-1], *split)  # with costs
    assert "structures of up to 1 heavy atom" in words
    assert "Mean absolute error on larger structures" in words
    folder = tmp_path / "molkern-report" / "mine-heavy_atoms_1"
    costs = Measurements.load(folder / "costs.json")
    assert Result.load(folder / "results.json").metadata["split"] == "heavy_atoms:1"
    # What is measured are the same training sets.
    rows = costs.frame.query("operation == 'train' and n_train == 80")
    assert rows["n_atoms"].max() <= 80 * 5


def test_wrong_split_of_a_file(capsys):
    write("mine.xyz", frames(60))
    for split, message in [
        ("size", "split: expected heavy_atoms, heavy_atoms:<number>, energy or"),
        (
            "heavy_atoms:2",
            "split: heavy_atoms:2: 60 structures of 'mine' to learn from and 0 larger",
        ),
    ]:
        assert message in shown(capsys, "mine.xyz", *FEW, "--split", split, code=2)
    assert "--split: needs DATA" in shown(capsys, "--split", "energy", code=2)


def test_tested_on_files_of_ones_own(tmp_path, capsys):
    some = frames(160)
    write("train.xyz", some[:100])
    (tmp_path / "warm").mkdir()
    for path, part in (("near.xyz", some[100:130]), ("warm/train.xyz", some[130:150])):
        write(path, part)
    write("one,two.xyz", some[150:])  # a comma in a name
    few = ["--representations", "bag_of_bonds", "--kernels", "gaussian", "--seeds", "0,1"]
    tests = ["--test", "near.xyz,warm/train.xyz", "--test", "one,two.xyz"]
    words = shown(capsys, "train.xyz", *few, *tests, "--sizes", "50,100")
    assert "train: 100 structures, energy (unit unknown)" in words
    for part in ("near: 30 structures energy ←", "train: 20 structures", "one,two: "):
        assert f"tested on {part}" in words
    assert "Mean absolute error on near" in words
    assert "On warm/train, Bag of bonds" in words
    folder = tmp_path / "molkern-report" / "train-on-near-train-one_two"
    result = Result.load(folder / "results.json")
    assert result.tests == ("near", "warm/train", "one,two")
    assert result.frame["n_test"].tolist() == [30, 20, 10] * 4
    costs = Measurements.load(folder / "costs.json").frame
    assert set(costs[costs["operation"] == "train"]["n_train"]) == {50, 100}
    page = (folder / "report.html").read_text("utf-8")
    assert "on warm/train" in page


def test_test_files_need_the_same_property_and_unit(capsys):
    some = frames(60)
    write("train.xyz", some[:40])
    for atoms in some[40:]:
        atoms.info = {"hardness": atoms.info["energy"]}
    write("other.xyz", some[40:])
    words = shown(capsys, "train.xyz", *FEW, "--test", "other.xyz", code=2)
    assert "other has no 'energy'; it has: hardness" in words
    words = shown(capsys, "train.xyz", *FEW, "--test", "mini-ethanol", code=2)
    assert "the unit of energy is known for one of" in words
    assert "say --unit kcal/mol" in words


def test_energies_of_free_atoms(tmp_path, capsys):
    write("mine.xyz", frames(40))
    atoms = "atoms:H=0.25,C=2.5,N=2,O=1.5"
    shown(capsys, "mine.xyz", *FEW, "--baseline", atoms)
    result = Result.load(tmp_path / "molkern-report" / "mine" / "results.json")
    assert result.metadata["atom_energies"] == {"H": 0.25, "C": 2.5, "N": 2.0, "O": 1.5}
    assert "energies of free atoms" in (tmp_path / "molkern-report/mine/table.md").read_text(
        "utf-8"
    )


def test_periodic_files_are_compared_by_what_sees_the_images(capsys):
    some = frames(20)
    for atoms in some:
        atoms.set_cell([9, 9, 9])
        atoms.pbc = True
    write("mine.xyz", some)
    words = shown(capsys, "mine.xyz", *FEW[2:])
    for name in ("ACSF", "AEV (ANI-2x, sum)", "SOAP"):
        assert name in words
    assert "Bag of bonds" not in words
    assert "eV per atom" in shown(capsys, "mine.xyz", *FEW[2:], "--unit", "eV")


def test_cost_can_be_left_out(tmp_path, capsys):
    write("mine.xyz", frames(40))
    words = shown(capsys, "mine.xyz", *FEW)
    assert "Recommended" not in words
    assert not (tmp_path / "molkern-report" / "mine" / "costs.json").exists()


def test_missing_property(capsys):
    write("mine.xyz", frames(20))
    words = shown(capsys, "mine.xyz", "--property", "gap", code=2)
    assert "mine has no 'gap'; it has: energy" in words


@pytest.mark.parametrize("missing", ["nan", "absent"])
@pytest.mark.parametrize("every", [1, 3])
def test_energies_that_are_not_there(missing, every, capsys):
    some = frames(30)
    for atoms in some[::every]:
        atoms.info = {"energy": float("nan")} if missing == "nan" else {}
    write("mine.xyz", some)
    words = shown(capsys, "mine.xyz", *FEW, code=2)
    if missing == "absent" and every == 1:
        assert "no property found that could be learnt; extended XYZ needs energy=..." in words
        return
    if every == 1:
        assert "energy is missing or not finite for all 30 structures" in words
        return
    count = len(some[::every])
    assert f"energy is missing or not finite for {count} of 30 structures" in words
    assert "first for frame 0 (line 1); --skip-missing leaves them out" in words
    words = shown(capsys, "mine.xyz", *FEW, "--skip-missing")
    assert f"{count} of 30 structures have no energy and are left out" in words


def test_three_molecules(tmp_path, capsys):
    write("mine.xyz", frames(3))
    words = shown(capsys, "mine.xyz", *FEW, code=2)
    assert "needs at least 10 structures with a label, found 3 in 'mine'" in words
    assert not (tmp_path / "molkern-report").exists()


def test_mixed_periodicity(tmp_path, capsys):
    some = frames(24)
    for atoms in some[1::2]:
        atoms.set_cell([9, 9, 9])
        atoms.pbc = True
    write("mine.xyz", some)
    words = shown(capsys, "mine.xyz", *FEW)
    assert (
        "12 of 24 structures are periodic, the others are not (the first of each: 1 and 0)" in words
    )
    assert "Bag of bonds sees the atoms of one cell only" in words
    page = (tmp_path / "molkern-report" / "mine" / "report.html").read_text("utf-8")
    assert "12 of 24 structures are periodic" in page


def test_all_periodic_with_a_representation_that_sees_it(capsys):
    some = frames(20)
    for atoms in some:
        atoms.set_cell([9, 9, 9])
        atoms.pbc = True
    write("mine.xyz", some)
    words = shown(capsys, "mine.xyz", "--representations", "ani-2x", *FEW[2:])
    assert "images" not in words


@pytest.mark.parametrize("shift", [0.0, 2.5])
def test_copies(shift, capsys):
    some = frames(30)
    for k in range(5):
        copy = some[k].copy()
        copy.positions += shift
        some.append(copy)
    write("mine.xyz", some)
    words = shown(capsys, "mine.xyz", *FEW)
    assert "5 of 35 structures are copies of another (30 of 0, up to a shift)" in words


def test_isomers_and_other_cells_are_no_copies(capsys):
    some = frames(20)
    other = some[0].copy()
    other.positions[1] += 0.01
    some.append(other)
    write("mine.xyz", some)
    assert "copies" not in shown(capsys, "mine.xyz", *FEW)
