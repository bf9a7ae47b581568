"""LAMMPS: labels that a dump does not have, and what its atoms are."""

import pytest

from molkern.datasets import load

pytest.importorskip("ase")

HEAD = (
    "ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n2\nITEM: BOX BOUNDS pp pp pp\n0 8\n0 8\n0 8\n"
)
DATA = (
    "mine\n\n2 atoms\n2 atom types\n0 8 xlo xhi\n0 8 ylo yhi\n0 8 zlo zhi\n\n{masses}"
    "Atoms # atomic\n\n1 1 0 0 0\n2 2 0 0 1.6\n"
)


def dump(tmp_path, columns, *rows, n=2):
    text = "".join(
        HEAD.format(step=k) + f"ITEM: ATOMS {columns}\n" + "".join(f"{row}\n" for row in rows)
        for k in range(n)
    )
    (tmp_path / "a.lammpstrj").write_text(text)
    return tmp_path / "a.lammpstrj"


def test_forces_bring_no_energy(tmp_path):
    path = dump(tmp_path, "id element x y z fx fy fz", "1 Si 0 0 0 0 0 1", "2 O 0 0 1.6 0 0 -1")
    dataset = load(path)
    assert dataset.default_target == ""
    assert "energy" not in dataset.targets


def test_masses_tell_elements_and_it_is_said(tmp_path):
    path = dump(tmp_path, "id type mass x y z", "1 1 28.1 0 0 0", "2 2 1.0 0 0 1.6")
    dataset = load(path)
    assert dataset.structures.numbers.tolist() == [14, 1] * 2
    assert any("in the column mass, are nearest" in note for note in dataset.notes)


def test_types_are_those_of_the_file(tmp_path):
    path = dump(tmp_path, "id type x y z", "1 2 0 0 0", "2 1 0 0 1.6")
    with pytest.raises(ValueError, match=r"a\.lammpstrj: the file calls atoms by numbers of types"):
        load(path)
    assert load(path, species=["O", "Si"]).structures.numbers.tolist() == [14, 8] * 2


def test_carbon_for_all_types_is_no_element(tmp_path):
    path = dump(tmp_path, "id type element x y z", "1 1 C 0 0 0", "2 2 C 0 0 1.6")
    with pytest.raises(ValueError, match="has C for atoms of several types"):
        load(path)
    assert load(path, species=["Si", "O"]).structures.numbers.tolist() == [14, 8] * 2


@pytest.mark.parametrize("declared", ["3", "99999999999999999999", "1"])
def test_other_than_the_declared_atoms(tmp_path, declared):
    path = dump(tmp_path, "id element x y z", "1 Si 0 0 0", "2 O 0 0 1.6")
    path.write_text(path.read_text().replace("ATOMS\n2\n", f"ATOMS\n{declared}\n"))
    with pytest.raises(ValueError, match=rf"line 9: expected {declared} atoms, found 2"):
        load(path)


def test_charges_are_named(tmp_path):
    path = dump(tmp_path, "id element x y z q", "1 Si 0 0 0 0.5", "2 O 0 0 1.6 -0.5")
    assert "one number for each atom, not used" in load(path).unused["initial_charges"]


@pytest.mark.parametrize("name", ["a.lmp", "a.data", "data.mine"])
def test_data_files_under_any_name(tmp_path, name):
    (tmp_path / name).write_text(DATA.format(masses=""))
    with pytest.raises(ValueError, match="numbers of types"):
        load(tmp_path / name)
    assert load(tmp_path / name, species=["Si", "O"]).structures.numbers.tolist() == [14, 8]


def test_data_files_with_masses(tmp_path):
    (tmp_path / "a.lmp").write_text(DATA.format(masses="Masses\n\n1 28.0855\n2 15.999\n\n"))
    dataset = load(tmp_path / "a.lmp")
    assert dataset.structures.numbers.tolist() == [14, 8]
    assert any("of the section Masses, are nearest" in note for note in dataset.notes)


def test_masses_of_no_element(tmp_path):
    (tmp_path / "a.lmp").write_text(DATA.format(masses="Masses\n\n1 1.0\n2 1.0\n\n"))
    with pytest.raises(ValueError, match="are those of no element"):
        load(tmp_path / "a.lmp")
    assert load(tmp_path / "a.lmp", species=["Ar", "Ar"]).structures.numbers.tolist() == [18, 18]
