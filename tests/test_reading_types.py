"""Arrays whose numbers are types, symbols, or no atomic numbers; and what is no position."""

import numpy as np
import pytest
from scipy.io import savemat

from molkern.datasets import load

SULFIDE, WATER = [16, 1, 1], [8, 1, 1]
ROWS = [[6, 8, 0, 0], [8, 1, 1, 0], [6, 1, 1, 8]]
RNG = np.random.default_rng(3)
ENERGY = [-113.3, -76.4, -114.5]


def positions(n=3, size=4):
    return RNG.normal(size=(n, size, 3)) * 2


def saved(path, **arrays):
    np.savez(path, **arrays)
    return path


def mapped(rows, types, padding=None):
    """Rows of atomic numbers as types; what is padded becomes ``padding``."""
    return np.array([[types.get(z, padding) for z in row] for row in rows])


class TestTypes:
    def test_indices_padded_with_minus_one(self, tmp_path):
        types = mapped(ROWS, {1: 0, 6: 1, 8: 2}, -1)
        path = saved(tmp_path / "a.npz", species=types, coordinates=positions(), energies=ENERGY)
        with pytest.raises(ValueError, match="species: numbers of types"):
            load(path)
        dataset = load(path, species=["H", "C", "O"])
        assert dataset.structures.numbers.tolist() == [6, 8, 8, 1, 1, 6, 1, 1, 8]
        assert "types 0 H, 1 C, 2 O" in {d.what: d.words for d in dataset.decisions}["elements"]

    def test_types_from_zero_with_zeros_as_padding(self, tmp_path):
        types, r = mapped(ROWS, {1: 0, 6: 1, 8: 2, 0: 0}), positions()
        path = saved(tmp_path / "a.npz", atom_types=types, pos=r, E=ENERGY)
        # Atoms of type 0 stand somewhere, so that 0 cannot be padding.
        assert load(path, species=["H", "C", "O"]).structures.sizes.tolist() == [4, 4, 4]
        r[0, 2:] = r[1, 3:] = 0
        types = mapped(ROWS, {1: 1, 6: 2, 8: 3, 0: 0})
        path = saved(tmp_path / "b.npz", atom_types=types, pos=r, E=ENERGY)
        assert load(path, species=["H", "C", "O"]).structures.sizes.tolist() == [2, 3, 4]

    @pytest.mark.parametrize("values", [[2, 3, 1, 1], [0, 1, 1, 2]])
    def test_small_numbers_under_a_name_of_either(self, tmp_path, values):
        path = saved(tmp_path / "a.npz", species=values, R=positions(), E=ENERGY)
        with pytest.raises(ValueError, match="say which elements they are"):
            load(path)

    def test_atomic_numbers_under_a_name_of_either(self, tmp_path):
        path = saved(tmp_path / "a.npz", species=[6, 1, 1, 8], R=positions(), E=ENERGY)
        assert load(path).structures.numbers[:4].tolist() == [6, 1, 1, 8]

    def test_partial_charges_beside_types(self, tmp_path):
        arrays = {"types": [1, 2, 2, 1], "charges": [-0.4, 0.2, 0.2, 0.0], "R": positions()}
        path = saved(tmp_path / "a.npz", E=ENERGY, **arrays)
        with pytest.raises(ValueError, match="types: numbers of types"):
            load(path)
        assert load(path, species=["O", "H"]).structures.numbers[:4].tolist() == [8, 1, 1, 8]

    def test_whole_charges_are_those_of_nuclei(self, tmp_path):
        path = saved(tmp_path / "a.npz", charges=[8.0, 1, 1, 6], R=positions(), E=ENERGY)
        assert load(path).structures.numbers[:4].tolist() == [8, 1, 1, 6]

    def test_dummy_symbols_and_isotopes(self, tmp_path):
        path = saved(tmp_path / "a.npz", symbols=["O", "D", "X", "T"], R=positions(), E=ENERGY)
        with pytest.raises(ValueError, match="atom 2 is a dummy"):
            load(path)
        dataset = load(path, skip_dummies=True)
        assert dataset.structures.numbers[:3].tolist() == [8, 1, 1]
        assert any("atoms of D taken for hydrogen" in note for note in dataset.notes)

    @pytest.mark.parametrize("number", [119, 4000, -7])
    def test_numbers_of_no_element(self, tmp_path, number):
        path = saved(tmp_path / "a.npz", z=[8, 1, 1, number], R=positions(), E=ENERGY)
        with pytest.raises(
            ValueError, match=rf"a\.npz: z: structure 0 has the atomic number {number}"
        ):
            load(path)
        file = tmp_path / "b.xyz"
        file.write_text(f"1\nProperties=Z:I:1:pos:R:3 energy=1.5\n{abs(number)} 0 0 0\n")
        if number > 0:
            with pytest.raises(ValueError, match="has the atomic number"):
                load(file)


class TestPositions:
    @pytest.mark.parametrize("name", ["scaled_positions", "frac_coords", "fractional_coordinates"])
    def test_multiples_of_the_cell(self, tmp_path, name):
        cell = np.array([[5.0, 0, 0], [1, 6, 0], [0, 2, 7]])
        fractions = RNG.random((3, 4, 3))
        arrays = {name: fractions, "z": [6, 1, 1, 8], "E": ENERGY}
        dataset = load(saved(tmp_path / "a.npz", cell=cell, **arrays))
        np.testing.assert_allclose(dataset.structures.positions, (fractions @ cell).reshape(-1, 3))
        assert f"{name} multiplied by the vectors of cell" in dataset.notes
        both = saved(tmp_path / "b.npz", cell=cell, positions=fractions @ cell, **arrays)
        np.testing.assert_allclose(load(both).structures.positions, dataset.structures.positions)
        with pytest.raises(ValueError, match="multiples of the vectors of a cell, but structure 0"):
            load(saved(tmp_path / "c.npz", **arrays))

    @pytest.mark.parametrize(
        "name", ["velocities", "momenta", "displacements", "magmoms", "dipoles"]
    )
    def test_other_vectors_of_atoms_are_no_positions(self, tmp_path, name):
        path = saved(tmp_path / "a.npz", z=[6, 1, 1, 8], E=ENERGY, **{name: positions()})
        with pytest.raises(ValueError, match="no array of positions"):
            load(path)

    def test_only_array_of_vectors_is_said(self, tmp_path):
        path = saved(tmp_path / "a.npz", z=[6, 1, 1, 8], E=ENERGY, water_frames=positions())
        assert "water_frames taken for positions: nothing else can be meant" in load(path).notes

    def test_unit_in_the_name(self, tmp_path):
        r = positions()
        path = saved(tmp_path / "a.npz", z=[6, 1, 1, 8], E_eV=ENERGY, coords_bohr=r)
        np.testing.assert_allclose(
            load(path).structures.positions, r.reshape(-1, 3) * 0.529177210544
        )


class TestSplitting:
    Z = np.array([8, 1, 1, 6, 8, 7])
    R = RNG.normal(size=(6, 3))

    @pytest.mark.parametrize("name", ["batch", "idx_m", "mol_id"])
    def test_structure_of_each_atom(self, tmp_path, name):
        index = [0, 0, 0, 1, 1, 2]
        path = saved(tmp_path / "a.npz", z=self.Z, pos=self.R, energy=ENERGY, **{name: index})
        assert load(path).structures.sizes.tolist() == [3, 2, 1]

    def test_offsets_that_fall(self, tmp_path):
        path = saved(
            tmp_path / "a.npz",
            numbers=self.Z,
            positions=self.R,
            energy=ENERGY,
            offsets=[0, 4, 3, 6],
        )
        with pytest.raises(ValueError, match="offsets: expected to rise, found 3 after 4"):
            load(path)

    def test_counts_that_contradict_the_padding(self, tmp_path):
        path = saved(tmp_path / "a.npz", Z=ROWS, R=positions(), E=ENERGY, N=[2, 3, 3])
        with pytest.raises(ValueError, match="N: structure 2 has 3 atoms by it, but 4"):
            load(path)

    def test_no_frames(self, tmp_path):
        path = saved(tmp_path / "a.npz", z=[8, 1, 1], R=np.zeros((0, 3, 3)), E=np.zeros(0))
        with pytest.raises(ValueError, match=r"a\.npz: holds no structures"):
            load(path)

    def test_python_objects_say_what_to_do(self, tmp_path):
        ragged = np.array([np.zeros((3, 3)), np.zeros((2, 3))], dtype=object)
        path = saved(tmp_path / "a.npz", z=np.array([[8, 1, 1], [6, 8]], dtype=object), R=ragged)
        with pytest.raises(ValueError, match="unpickling can run code; molecules") as caught:
            load(path)
        assert "allow_pickle" not in str(caught.value)


class TestOthers:
    @pytest.mark.parametrize("name", ["forces_rmse", "force_scale", "total_force", "forces_max"])
    def test_numbers_about_forces(self, tmp_path, name):
        for values in (RNG.random(3), RNG.random((3, 3))):
            arrays = {"z": [6, 1, 1, 8], "R": positions(), "E": ENERGY, name: values}
            dataset = load(saved(tmp_path / "a.npz", **arrays))
            assert dataset.targets["energy"].tolist() == ENERGY
            assert name in dataset.unused or name in dataset.targets

    def test_partial_charges_of_a_trajectory(self, tmp_path):
        arrays = {"z": [6, 1, 1, 8], "R": positions(), "E": ENERGY}
        dataset = load(saved(tmp_path / "a.npz", partial_charges=np.zeros((3, 4)), **arrays))
        assert "partial_charges: shape (3, 4), for each atom" in dataset.unused["partial_charges"]

    @pytest.mark.parametrize("cell", [9.0, [9.0], [9.0, 9, 9], np.eye(3) * 9])
    def test_cubic_cells(self, tmp_path, cell):
        arrays = {"z": [6, 1, 1, 8], "R": positions(), "E": ENERGY}
        structures = load(saved(tmp_path / "a.npz", box_length=cell, **arrays)).structures
        np.testing.assert_array_equal(structures.cells[0], np.eye(3) * 9)

    def test_single_number_is_named(self, tmp_path):
        arrays = {"z": [6, 1, 1, 8], "R": positions(), "E": ENERGY}
        assert "L" in load(saved(tmp_path / "a.npz", L=9.0, **arrays)).unused

    @pytest.mark.parametrize("unit", [["Ha"], np.array(["Ha", "bohr"]), np.array([b"Ha"]), "Ha"])
    def test_units_in_arrays_of_text(self, tmp_path, unit):
        arrays = {"z": [6, 1, 1, 8], "R": positions(), "E": ENERGY}
        name = "units" if len(np.atleast_1d(unit)) > 1 else "energy_unit"
        dataset = load(saved(tmp_path / "a.npz", **arrays, **{name: unit}))
        assert dataset.units["energy"] == "hartree"

    def test_unit_of_cells(self, tmp_path):
        arrays = {"z": [6, 1, 1, 8], "R": positions(), "E": ENERGY, "cell": np.eye(3)}
        dataset = load(saved(tmp_path / "a.npz", cell_unit="nm", **arrays))
        np.testing.assert_allclose(dataset.structures.cells[0], np.eye(3) * 10)
        assert dataset.structures.positions[0, 0] == arrays["R"][0, 0, 0]


class TestMatlab:
    @pytest.mark.parametrize("compressed", [True, False])
    def test_trajectory_with_units(self, tmp_path, compressed):
        r, path = positions(), tmp_path / "a.mat"
        arrays = {"z": [6, 1, 1, 8], "R": r, "E": ENERGY, "F": r, "units": "Hartree, Bohr"}
        savemat(path, arrays, do_compression=compressed)
        dataset = load(path)
        np.testing.assert_allclose(dataset.structures.positions, r.reshape(-1, 3) * 0.529177210544)
        assert dataset.units == {"energy": "hartree", "forces": "hartree/angstrom"}
        assert dataset.targets["energy"].tolist() == ENERGY

    @pytest.mark.parametrize("oned_as", ["row", "column"])
    def test_packed(self, tmp_path, oned_as):
        arrays = {"numbers": [8, 1, 1, 6, 8, 7, 7], "positions": RNG.normal(size=(7, 3))}
        more = {"offsets": [0, 3, 5, 7], "energy": ENERGY}
        savemat(tmp_path / "a.mat", arrays | more, oned_as=oned_as)
        dataset = load(tmp_path / "a.mat")
        assert dataset.structures.sizes.tolist() == [3, 2, 2]
        np.testing.assert_array_equal(dataset.structures.positions, arrays["positions"])
