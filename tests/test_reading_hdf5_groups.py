"""HDF5: structures and labels in groups, units of groups, and what is not read."""

import h5py
import numpy as np
import pytest

from molkern.datasets import load

HARTREE = 27.211386245981
BOHR = 0.529177210544
NUMBERS = np.array([16, 1, 1])
POSITIONS = np.array([[0.0, 0.0, 0.1], [0.97, 0.0, -0.8], [-0.97, 0.0, -0.8]])
TOTALS = [-10849.5 + 0.01 * k**1.5 for k in range(4)]


def configurations(path, add, n=4):
    """A group for each structure of hydrogen sulfide; ``add`` puts what it likes into it."""
    with h5py.File(path, "w") as file:
        for k in range(n):
            group = file.create_group(f"batch_0/config_{k}")
            group["atomic_numbers"] = NUMBERS
            group["positions"] = POSITIONS + 0.01 * k
            add(group, k)
    return path


def scalar(group, k):
    group["energy"] = TOTALS[k]


def in_a_row(group, k):
    group["energy"] = [TOTALS[k]]


def in_a_group(group, k):
    group["properties/energy"] = TOTALS[k]


def in_an_attribute(group, k):
    group.attrs["energy"] = TOTALS[k]


@pytest.mark.parametrize("add", [scalar, in_a_row, in_a_group, in_an_attribute])
def test_label_of_a_structure_alone(tmp_path, add):
    dataset = load(configurations(tmp_path / "a.h5", add))
    np.testing.assert_array_equal(dataset.targets["energy"], TOTALS)
    np.testing.assert_array_equal(dataset.structures.positions[3:6], POSITIONS + 0.01)


def test_own_array_wins_over_a_group_of_labels(tmp_path):
    def add(group, k):
        group["energy"] = TOTALS[k]
        group["properties/energy"] = 1.5
        group.attrs["energy"] = 2.5

    np.testing.assert_array_equal(
        load(configurations(tmp_path / "a.h5", add)).targets["energy"], TOTALS
    )


def test_vectors_and_tensors_of_a_structure_of_three_atoms(tmp_path):
    def add(group, k):
        group["energy"] = TOTALS[k]
        group["forces"] = np.full((3, 3), 0.5 * k)
        group["dipole"] = [0.1, 0.2, 0.3 * k]
        group["stress"] = np.diag([1.0, 2.0, 3.0])
        group["charges"] = [0.2, -0.1, -0.1]

    dataset = load(configurations(tmp_path / "a.h5", add))
    np.testing.assert_array_equal(dataset.targets["forces"][:, 0], np.repeat(0.5 * np.arange(4), 3))
    assert dataset.targets["dipole"].shape == (4, 3)
    assert dataset.targets["stress"].shape == (4, 3, 3)
    assert "charges" in dataset.unused


def test_units_in_the_attributes_of_groups(tmp_path):
    def add(group, k):
        group["energy"] = TOTALS[k] / HARTREE
        group.attrs["energy_units"] = ["Ha", "hartree"][k % 2]
        group.attrs["positions_unit"] = "bohr"

    dataset = load(configurations(tmp_path / "a.h5", add), unit="eV")
    np.testing.assert_allclose(dataset.targets["energy"], TOTALS)
    np.testing.assert_allclose(dataset.structures.positions[:3], POSITIONS * BOHR)


def test_unit_in_the_attribute_u(tmp_path):
    def add(group, k):
        group["energy"] = TOTALS[k]
        group["energy"].attrs["u"] = "kilojoule_per_mole"

    assert load(configurations(tmp_path / "a.h5", add)).units["energy"] == "kJ/mol"


@pytest.mark.parametrize("units", [("Ha", "eV"), ("Ha", ""), ("", "eV")])
@pytest.mark.parametrize("of_group", [True, False])
def test_groups_of_different_units_are_refused(tmp_path, units, of_group):
    def add(group, k):
        group["energy"] = TOTALS[k]
        owner, name = (group, "energy_unit") if of_group else (group["energy"], "units")
        if units[k > 2]:
            owner.attrs[name] = units[k > 2]

    words = "config_0.*config_3.*expected one unit in all"
    with pytest.raises(ValueError, match=words):
        load(configurations(tmp_path / "a.h5", add))


def test_units_of_arrays_beat_those_of_the_file(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["length_unit"] = "bohr"
        file["numbers"] = NUMBERS
        file["positions"] = np.stack([POSITIONS, POSITIONS + 0.1])
        file["positions"].attrs["units"] = "angstrom"
        file["cell"] = np.eye(3) * 9.0 / BOHR
        file["cell"].attrs["unit"] = "bohr"
        file["energy"] = TOTALS[:2]
    structures = load(tmp_path / "a.h5").structures
    np.testing.assert_array_equal(structures.positions[:3], POSITIONS)
    np.testing.assert_allclose(structures.cells[0], np.eye(3) * 9.0)


def test_groups_without_positions_are_counted(tmp_path):
    path = configurations(tmp_path / "a.h5", scalar)
    with h5py.File(path, "a") as file:
        for name in ("c", "d"):
            file[f"{name}/atomic_numbers"] = NUMBERS
            file[f"{name}/geom_opt"] = np.zeros((4, 9))
    notes = load(path).notes
    assert any(
        "2 groups with atomic numbers are not read, first /c: no array of" in n for n in notes
    )


def test_values_that_mean_missing(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["atomic_numbers"] = NUMBERS
        file["coordinates"] = np.stack([POSITIONS] * 3)
        file["energies"] = [TOTALS[0], 9.96921e36, TOTALS[2]]
        file["energies"].attrs["_FillValue"] = 9.96921e36
    dataset = load(path)
    assert dataset.targets["energy"].tolist() == [TOTALS[0], TOTALS[2]]
    assert any("1 of 3 structures have no energy" in note for note in dataset.notes)


def test_links(tmp_path):
    path = configurations(tmp_path / "a.h5", scalar)
    with h5py.File(path, "a") as file:
        file["round"] = h5py.SoftLink("/round")
        file["nowhere"] = h5py.SoftLink("/not/there")
        file["again"] = file["batch_0"]  # the same group under another name: read once
        file["batch_0/config_0/up"] = file["batch_0"]
    dataset = load(path)
    assert len(dataset) == 4
    assert any("2 links lead nowhere, first /nowhere" in note for note in dataset.notes)


def test_groups_in_groups_without_end(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file
        for _ in range(60):
            group = group.create_group("g")
    with pytest.raises(ValueError, match=r"a\.h5: groups stand in each other more than 50 deep"):
        load(tmp_path / "a.h5")


@pytest.mark.parametrize("within", [True, False])
def test_virtual_arrays(tmp_path, within):
    source = "a.h5" if within else "other.h5"
    for name in {source, "a.h5"}:
        configurations(tmp_path / name, scalar, n=1)
    with h5py.File(tmp_path / source, "a") as file:
        file["flat"] = np.stack([POSITIONS] * 2)
    with h5py.File(tmp_path / "a.h5", "a") as file:
        layout = h5py.VirtualLayout((2, 3, 3), float)
        layout[:] = h5py.VirtualSource("." if within else source, "flat", shape=(2, 3, 3))
        group = file.create_group("more")
        group.create_virtual_dataset("positions", layout)
        group["atomic_numbers"] = NUMBERS
        group["energy"] = TOTALS[:2]
    if within:
        np.testing.assert_array_equal(load(tmp_path / "a.h5").structures.positions[-3:], POSITIONS)
    else:
        with pytest.raises(ValueError, match="has its values in another file"):
            load(tmp_path / "a.h5")


def test_scale_and_offset_of_packed_numbers(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["atomic_numbers"] = NUMBERS
        file["coordinates"] = np.stack([POSITIONS] * 2)
        file["energy"] = np.array([1, 4], dtype=np.int16)
        file["energy"].attrs["scale_factor"] = 0.25
        file["energy"].attrs["add_offset"] = -100.0
    assert load(tmp_path / "a.h5").targets["energy"].tolist() == [-99.75, -99.0]


def test_description_that_mentions_a_unit_is_quoted(tmp_path):
    path = configurations(tmp_path / "a.h5", scalar)
    with h5py.File(path, "a") as file:
        file.attrs["description"] = "DFT, energies given in Hartree"
    dataset = load(path)
    assert dataset.units["energy"] == "unknown"
    assert "description mentions Hartree, which is not taken for a unit" in dataset.notes


def test_labels_apart_from_their_structures_are_named(tmp_path):
    path = configurations(tmp_path / "a.h5", lambda group, k: None)
    with h5py.File(path, "a") as file:
        for k in range(4):
            file[f"answers/config_{k}/energy"] = TOTALS[k]
    words = "4 groups without structures are not read, first /answers/config_0 (energy)"
    assert words in load(path).notes
