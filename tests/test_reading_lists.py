"""Lists, brackets and names that could be taken for something else: never half of a value."""

import h5py
import numpy as np
import pytest

from molkern.datasets import load
from molkern.datasets.names import is_energy_name
from molkern.datasets.units import unit_name

BOHR = 0.529177210544
Z = [6, 8, 1, 1]
R = np.random.default_rng(9).normal(size=(4, 4, 3)) * 2
ENERGY = [-114.1, -114.2, -114.3, -114.25]


def xyz(folder, *comments, columns=""):
    text = "".join(f"1\n{comment}\nO 0 0 {k}{columns}\n" for k, comment in enumerate(comments))
    (folder / "a.xyz").write_text(text)
    return load(folder / "a.xyz")


def npz(folder, **arrays):
    np.savez(folder / "a.npz", **({"z": Z, "R": R, "E": ENERGY} | arrays))
    return folder / "a.npz"


class TestComments:
    @pytest.mark.parametrize(
        "comment",
        ["cell=10 0 0 0 20 0 0 0 30", "box=10.0 20.0 30.0",
         "Lattice=10.0, 0, 0, 0, 20, 0, 0, 0, 30",
         "Lattice=[10 0 0 0 20 0 0 0 30", "note=[[a] Lattice=[10 0 0 0 20 0 0 0 30]",
         'Lattice="9 0 0 0 9 0 0 0 9" pbc=T T F', 'Lattice="9 0 0 0 9 0 0 0 9" pbc=1 1 0'],
    )  # fmt: skip
    def test_half_of_a_cell_is_an_error(self, tmp_path, comment):
        with pytest.raises(
            ValueError, match=r"line 2 \(frame 0\): .*(a list needs quotes|expected)"
        ):
            xyz(tmp_path, f"{comment} energy=1.5", f"{comment} energy=2.5")

    def test_numbers_that_follow_a_value_are_named(self, tmp_path):
        dataset = xyz(tmp_path, "energy=1.5 mu=1.0 2.0 3.0", "energy=2.5 mu=1.0 2.0 3.0")
        assert any("numbers follow mu without a key" in note for note in dataset.notes)

    def test_lists_of_json(self, tmp_path):
        cell = "[[10, 0, 0], [0, 20, 0], [0, 0, 30]]"
        one = f'{{"lattice": {cell}, "pbc": [true, false, true], "E": -1.5}}'
        structures = xyz(tmp_path, one, one).structures
        assert structures.cells[0].tolist() == [[10, 0, 0], [0, 20, 0], [0, 0, 30]]
        assert structures.pbc[0].tolist() == [True, False, True]

    def test_key_wins_over_a_word(self, tmp_path):
        dataset = xyz(tmp_path, "energy=-5.0 converged energy 0.001", "energy=-6.0 energy 0.002")
        assert dataset.targets["energy"].tolist() == [-5.0, -6.0]

    def test_values_of_different_widths_beside_text(self, tmp_path):
        dataset = xyz(tmp_path, "energy=1 mu=abc", "energy=2.5 mu=1.5", 'energy=3 mu="7 8 9"')
        assert "expected equally many numbers" in dataset.unused["mu"]

    def test_blank_units_state_nothing(self, tmp_path):
        dataset = xyz(tmp_path, 'energy=1.5 energy_unit=""', 'energy=2.5 energy_unit=""')
        assert dataset.units["energy"] == "unknown"

    def test_stress_in_the_unit_of_lengths(self, tmp_path):
        comment = 'stress="1 0 0 0 1 0 0 0 1" Lattice="9 0 0 0 9 0 0 0 9" units=au'
        dataset = xyz(tmp_path, f"energy=1.5 {comment}", f"energy=2.5 {comment}")
        assert dataset.units["stress"] == "hartree/bohr^3"


class TestForces:
    @pytest.mark.parametrize("name", ["forces_std", "force_weights", "rmse_forces"])
    def test_about_forces(self, tmp_path, name):
        assert "forces" not in load(npz(tmp_path, **{name: R})).targets

    def test_of_another_method(self, tmp_path):
        np.savez(tmp_path / "a.npz", z=Z, R=R, dft_energy=ENERGY, xtb_forces=R)
        dataset = load(tmp_path / "a.npz")
        assert "forces" not in dataset.targets
        assert "forces_xtb_forces" in dataset.targets

    def test_of_atoms_first(self, tmp_path):
        turned = np.zeros((4, 5, 3))
        np.savez(tmp_path / "a.npz", z=Z, R=np.zeros((5, 4, 3)) + R[0], E=range(5), F=turned)
        with pytest.raises(ValueError, match="F: expected forces of 20 atoms"):
            load(tmp_path / "a.npz")


class TestNames:
    @pytest.mark.parametrize(
        "name",
        ["charge_e", "total_charge_e", "n_e", "dipole_e_A", "e_xx", "rmse_energy",
         "energy_gradient", "energy_tolerance", "energy_var", "energy_forces"],
    )  # fmt: skip
    def test_no_energies(self, name):
        assert not is_energy_name(name)

    @pytest.mark.parametrize("name", ["E_wb97", "E(RB3LYP)", "ref_e", "E_KS", "ccsd_e", "PBE_E"])
    def test_energies(self, name):
        assert is_energy_name(name)

    @pytest.mark.parametrize("text", ["eV^-1", "/eV", "Ha^-1"])
    def test_reciprocals_are_no_energies(self, text):
        assert unit_name(text) == text


class TestArrays:
    def test_cells_that_may_be_lengths(self, tmp_path):
        lengths = np.array([[9.0, 10, 11], [9, 10, 12], [9, 10, 13]])
        with pytest.raises(ValueError, match="may be one cell or three lengths of each"):
            load(npz(tmp_path, R=R[:3], E=ENERGY[:3], box=lengths))

    def test_fractions_of_a_structure_without_a_cell(self, tmp_path):
        cells = np.stack([np.eye(3), np.zeros((3, 3)), np.eye(3), np.eye(3)])
        np.savez(tmp_path / "a.npz", z=Z, frac_coords=R, E=ENERGY, cell=cells)
        with pytest.raises(ValueError, match="structure 1 has no cell"):
            load(tmp_path / "a.npz")

    @pytest.mark.parametrize("unit", ["energy_unit", "units"])
    def test_unit_of_energies_is_not_that_of_a_dipole(self, tmp_path, unit):
        np.savez(tmp_path / "a.npz", z=Z, R=R, mu=[1.5, 0.25, 3.5, 1.0], **{unit: "eV"})
        assert load(tmp_path / "a.npz").units["mu"] == "unknown"

    def test_word_that_speaks_of_no_positions(self, tmp_path):
        assert len(load(npz(tmp_path, phase="crystal"))) == 4

    def test_energies_of_atoms_beside_the_energy(self, tmp_path):
        packed = {
            "numbers": [8, 1, 1, 6, 8],
            "positions": R.reshape(-1, 3)[:5],
            "energy": [1.5, 2.5],
        }
        np.savez(tmp_path / "a.npz", offsets=[0, 3, 5], atomic_energies=np.zeros(5), **packed)
        dataset = load(tmp_path / "a.npz")
        assert dataset.targets["energy"].tolist() == [1.5, 2.5]
        assert "atomic_energies" in dataset.unused

    def test_fractions_in_groups(self, tmp_path):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file.attrs["cell_unit"] = "bohr"
            for name in "ab":
                file[f"{name}/numbers"], file[f"{name}/energy"] = [8], [1.5]
                file[f"{name}/scaled_positions"] = [[[0.5, 0.5, 0.5]]]
                file[f"{name}/cell"] = np.eye(3) * 4
        positions = load(tmp_path / "a.h5").structures.positions
        np.testing.assert_allclose(positions, 2 * BOHR)

    def test_molecule_that_loses_its_dummies_is_no_free_atom(self, tmp_path):
        text = "".join(f"3\nenergy={-188 - k}\nC 0 0 0\nX 0 0 1\nX 0 0 {k}\n" for k in range(2))
        text += "".join(f"3\nenergy={-76 - k / 7}\nO 0 0 0\nH 0 0 1\nH 0 1 {k}\n" for k in range(9))
        (tmp_path / "a.xyz").write_text(text)
        dataset = load(tmp_path / "a.xyz", skip_dummies=True)
        assert len(dataset) == 11
        assert dataset.atom_energies == {}
