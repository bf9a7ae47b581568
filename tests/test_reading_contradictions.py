"""Files whose parts contradict each other, or say more than is read: refused, or named."""

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from molkern.datasets import load
from molkern.datasets.named_units import split_name
from molkern.datasets.units import unit_name

BOHR = 0.529177210544
RNG = np.random.default_rng(8)
Z = [7, 1, 1, 1]
R = RNG.normal(size=(3, 4, 3)) * 2
ENERGY = [-56.51, -56.53, -56.48]
PADDED = [[7, 1, 1, 1], [8, 1, 1, 0], [6, 8, 0, 0]]


def saved(folder, **arrays):
    np.savez(folder / "a.npz", **arrays)
    return folder / "a.npz"


def trajectory(folder, **arrays):
    return saved(folder, z=Z, R=R, **({"E": ENERGY} | arrays))


class TestUnits:
    @pytest.mark.parametrize(
        "arrays",
        [
            {"E": np.zeros(0), "E_Ha": ENERGY, "energy_unit": "eV"},
            {"energy_unit": "eV", "e_unit": "Hartree"},
        ],
    )
    def test_statements_that_differ(self, tmp_path, arrays):
        arrays = {key: value for key, value in arrays.items() if np.size(value)}
        base = {} if "E_Ha" in arrays else {"E": ENERGY}
        with pytest.raises(ValueError, match="do not agree; expected one of them"):
            load(saved(tmp_path, z=Z, R=R, **base, **arrays))

    def test_name_of_positions_and_statement(self, tmp_path):
        path = saved(tmp_path, z=Z, R_bohr=R, E=ENERGY, length_unit="angstrom")
        with pytest.raises(ValueError, match=r"positions: name R_bohr \(bohr\) and length_unit"):
            load(path)

    def test_unit_of_energies_belongs_to_the_only_property(self, tmp_path):
        dataset = load(saved(tmp_path, z=Z, R=R, y=ENERGY, energy_unit="Hartree"), unit="eV")
        np.testing.assert_allclose(dataset.targets["y"], np.array(ENERGY) * 27.211386245981)

    def test_fractions_of_a_cell_in_its_own_unit(self, tmp_path):
        cell, fractions = np.diag([10.0, 11, 12]), RNG.random((3, 4, 3))
        arrays = {"z": Z, "frac_coords": fractions, "E": ENERGY, "lattice": cell}
        dataset = load(saved(tmp_path, lattice_unit="bohr", **arrays))
        expected = (fractions @ cell * BOHR).reshape(-1, 3)
        np.testing.assert_allclose(dataset.structures.positions, expected)

    def test_words_that_say_fractional(self, tmp_path):
        with pytest.raises(ValueError, match="coordinate_type=fractional: positions that are"):
            load(trajectory(tmp_path, coordinate_type="fractional", cell=np.eye(3)))

    @pytest.mark.parametrize(
        ("name", "base", "unit"),
        [
            ("energy_kJmol", "energy", "kJ/mol"),
            ("E_kcalpermol", "E", "kcal/mol"),
            ("hartree_energy", "energy", "hartree"),
            ("energy_hartree_per_particle", "energy", "hartree"),
            ("energy_cm1", "energy", "cm-1"),
            ("forces_ha/bohr", "forces", "hartree/bohr"),
        ],
    )
    def test_units_in_names(self, name, base, unit):
        found = split_name(name)
        assert (found[0], unit_name(found[1])) == (base, unit)

    @pytest.mark.parametrize(
        ("text", "unit"),
        [
            ("kilojoule/(nanometer*mole)", "kJ/mol/nm"),
            ("Hartree/particle", "hartree"),
            ("kcal/mol-A", "kcal/mol/angstrom"),
            ("kJ/mol.", "kJ/mol"),
            ("milli-hartree", "mHa"),
        ],
    )
    def test_spellings(self, text, unit):
        assert unit_name(text) == unit


class TestMasks:
    @pytest.mark.parametrize("name", ["E_mask", "valid", "has_energy", "energy_missing"])
    @pytest.mark.parametrize("dtype", [bool, int, float])
    def test_masks_of_structures(self, tmp_path, name, dtype):
        mask = np.array([1, 0, 1]).astype(dtype)
        with pytest.raises(ValueError, match=f"{name}: masks of structures are not read"):
            load(trajectory(tmp_path, **{name: mask}))
        assert len(load(trajectory(tmp_path, **{name: np.ones(3, dtype)}))) == 3

    def test_masks_of_atoms(self, tmp_path):
        arrays = {"Z": PADDED, "R": R, "E": ENERGY}
        mask = np.array(PADDED) > 0
        assert len(load(saved(tmp_path, node_mask=mask.astype(float), **arrays))) == 3
        mask[0, 3] = False
        with pytest.raises(ValueError, match="node_mask: names other atoms than the padding"):
            load(saved(tmp_path, node_mask=mask, **arrays))

    def test_dummy_between_atoms(self, tmp_path):
        rows = [[7, 0, 1, 1], [8, 1, 1, 0], [6, 8, 0, 0]]
        path = saved(tmp_path, Z=rows, R=R, E=ENERGY)
        with pytest.raises(ValueError, match="structure 0: atom 1 is a dummy atom"):
            load(path)
        assert load(path, skip_dummies=True).structures.sizes.tolist() == [3, 3, 2]
        rows = [[7, -1, 1, 1], [8, 1, 1, -1], [6, 8, -1, -1]]
        with pytest.raises(ValueError, match="atomic number -1"):
            load(saved(tmp_path, Z=rows, R=R, E=ENERGY))

    def test_counts_of_floats(self, tmp_path):
        packed = {"numbers": [7, 1, 1, 8, 1], "positions": R.reshape(-1, 3)[:5], "E": [1.5, 2.5]}
        savemat(tmp_path / "a.mat", {**packed, "N": [3.0, 2.0]})
        assert load(tmp_path / "a.mat").structures.sizes.tolist() == [3, 2]


class TestCells:
    @pytest.mark.parametrize("names", [("cell_lengths", "cell_angles"), ("box", "tilt"),
                                       ("unitcell_lengths", "unitcell_angles")])  # fmt: skip
    def test_angles_apart(self, tmp_path, names):
        lengths, angles = np.full((3, 3), 9.0), np.full((3, 3), 80.0)
        with pytest.raises(
            ValueError, match=f"{names[0]} and {names[1]}: lengths and angles apart"
        ):
            load(trajectory(tmp_path, **dict(zip(names, (lengths, angles), strict=True))))

    def test_lengths_and_angles_together(self, tmp_path):
        structures = load(trajectory(tmp_path, cellpar=[[3, 4, 5, 90, 90, 90]] * 3)).structures
        np.testing.assert_allclose(structures.cells[2], np.diag([3, 4, 5]), atol=1e-12)

    def test_three_lengths_of_three_structures(self, tmp_path):
        structures = load(trajectory(tmp_path, box=[[9.0, 10, 11]] * 3)).structures
        assert structures.cells[0].tolist() == [[9, 0, 0], [0, 10, 0], [0, 0, 11]]

    def test_columns_of_sgdml(self, tmp_path):
        lattice = np.array([[5.0, 1, 2], [0, 6, 3], [0, 0, 7]])
        marks = {"type": "d", "theory": "pbe", "md5": "0"}
        structures = load(trajectory(tmp_path, lattice=lattice, **marks)).structures
        np.testing.assert_array_equal(structures.cells[0], lattice.T)
        structures = load(trajectory(tmp_path, lattice=lattice)).structures
        np.testing.assert_array_equal(structures.cells[0], lattice)


class TestHDF5:
    def group(self, file, name, **arrays):
        group = file.create_group(name)
        group["numbers"], group["positions"], group["energy"] = Z, R, ENERGY
        for key, value in arrays.items():
            group[key] = value
        return group

    def test_group_that_does_not_say_is_periodic_by_its_cell(self, tmp_path):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            self.group(file, "a", cell=np.eye(3) * 9, pbc=[True, True, False])
            self.group(file, "b", cell=np.eye(3) * 9)
            self.group(file, "c")
        pbc = load(tmp_path / "a.h5").structures.pbc[::3].tolist()
        assert pbc == [[True, True, False], [True] * 3, [False] * 3]

    def test_cell_in_an_attribute(self, tmp_path):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            group = self.group(file, "a")
            group.attrs["cell"], group.attrs["pbc"] = np.eye(3) * 9, [True, False, True]
        structures = load(tmp_path / "a.h5").structures
        np.testing.assert_array_equal(structures.cells[1], np.eye(3) * 9)
        assert structures.pbc[1].tolist() == [True, False, True]

    def test_missing_value(self, tmp_path):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            group = self.group(file, "a", U=[1e20, 1.5, 2.5])
            group["U"].attrs["missing_value"] = 1e20
        assert load(tmp_path / "a.h5", property="U").targets["U"].tolist() == [1.5, 2.5]


def test_structures_of_matlab_are_named(tmp_path):
    savemat(tmp_path / "a.mat", {"z": Z, "R": R, "E": ENERGY, "units": {"energy": "Hartree"}})
    assert "found a structure or a cell" in load(tmp_path / "a.mat").unused["units"]


@pytest.mark.parametrize(
    ("learnt", "other"),
    [("dft_energy", "xtb_energy"), ("energy", "E_ads"), ("energy", "zpve"), ("U0", "H298")],
)
def test_another_energy_of_a_test_file(tmp_path, learnt, other):
    train = load(saved(tmp_path, z=Z, R=R, **{learnt: ENERGY}))
    path = saved(tmp_path, z=Z, R=R, **{other: ENERGY})
    with pytest.raises(ValueError, match=f"a has {other} .unknown., which may be another one"):
        load(path, like=train)


def test_angles_beside_vectors_are_no_matter(tmp_path):
    structures = load(trajectory(tmp_path, cell=np.eye(3) * 9, angles=np.ones((3, 5)))).structures
    np.testing.assert_array_equal(structures.cells[0], np.eye(3) * 9)
