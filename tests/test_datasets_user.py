"""A user's own files: npz of three layouts, extended XYZ, ASE databases, and wrong ones."""

import warnings

import numpy as np
import pytest

from molkern.datasets import load
from molkern.datasets.units import BOHR

ase = pytest.importorskip("ase")

NUMBERS = [[8, 1, 1], [1, 1], [8, 1, 1]]
ENERGY = np.array([-76.0, -1.0, -76.5])


def geometry(seed=0):
    """Three molecules, without and with padding; distances of about 1 Å."""
    rng = np.random.default_rng(seed)
    base = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.96], [0.93, 0.0, -0.24]])
    positions = [base[: len(z)] + rng.normal(0, 0.01, (len(z), 3)) for z in NUMBERS]
    padded_z, padded_r = np.zeros((3, 4), int), np.zeros((3, 4, 3))
    for k, (z, r) in enumerate(zip(NUMBERS, positions, strict=True)):
        padded_z[k, : len(z)], padded_r[k, : len(z)] = z, r
    return np.concatenate(NUMBERS), np.concatenate(positions), padded_z, padded_r


def packed(path, **changes):
    numbers, positions, _, _ = geometry()
    arrays = {"numbers": numbers, "positions": positions, "offsets": np.array([0, 3, 5, 8])}
    arrays = {**arrays, "energy": ENERGY, **changes}
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})
    return path


class TestArrays:
    def test_packed(self, tmp_path):
        forces = np.arange(24.0).reshape(8, 3)
        dataset = load(packed(tmp_path / "mine.npz", forces=forces), unit="eV")
        numbers, positions, _, _ = geometry()
        np.testing.assert_array_equal(dataset.structures.numbers, numbers)
        np.testing.assert_array_equal(dataset.structures.positions, positions)
        np.testing.assert_array_equal(dataset.targets["energy"], ENERGY)
        np.testing.assert_array_equal(dataset.targets["forces"], forces)
        assert dataset.name == "mine"
        assert dataset.is_energy("energy")
        assert len(dataset.sha256) == 64
        assert dataset.verified.startswith("not verified")

    def test_packed_with_cells(self, tmp_path):
        cells, pbc = np.tile(np.eye(3) * 9.0, (3, 1, 1)), np.ones((3, 3), bool)
        dataset = load(packed(tmp_path / "a.npz", cells=cells, pbc=pbc))
        np.testing.assert_array_equal(dataset.structures.cells, cells)
        assert dataset.structures.pbc.all()

    def test_padded_equals_packed(self, tmp_path):
        _, _, z, r = geometry()
        forces = np.where(z[..., None] > 0, np.arange(36.0).reshape(3, 4, 3), np.nan)
        np.savez(tmp_path / "b.npz", Z=z, R=r, E=ENERGY, F=forces)
        dataset = load(tmp_path / "b.npz")
        expected = load(packed(tmp_path / "a.npz"))
        assert dataset.structures == expected.structures
        np.testing.assert_array_equal(dataset.targets["energy"], ENERGY)
        np.testing.assert_array_equal(dataset.targets["forces"], forces[z > 0])

    def test_trajectory(self, tmp_path):
        rng = np.random.default_rng(1)
        frames, forces = rng.uniform(0, 1, (5, 3, 3)), rng.normal(size=(5, 3, 3))
        energies = rng.normal(size=(5, 1))
        np.savez(tmp_path / "t.npz", z=np.array([8, 1, 1]), R=frames, E=energies, F=forces)
        dataset = load(tmp_path / "t.npz", property="E", unit="kcal/mol")
        assert len(dataset) == 5
        np.testing.assert_array_equal(dataset.structures.numbers, [8, 1, 1] * 5)
        np.testing.assert_array_equal(dataset.structures.positions, frames.reshape(-1, 3))
        np.testing.assert_array_equal(dataset.targets["E"], energies[:, 0])
        np.testing.assert_array_equal(dataset.targets["forces"], forces.reshape(-1, 3))
        assert dataset.units["forces"] == "kcal/mol/angstrom"

    def test_units_in_the_file(self, tmp_path):
        path = packed(tmp_path / "a.npz", e_unit=np.array("Ha"), r_unit=np.array("bohr"))
        dataset = load(path)
        assert dataset.units["energy"] == "hartree"
        np.testing.assert_allclose(dataset.structures.positions, geometry()[1] * BOHR)
        assert "positions converted from bohr to angstrom" in dataset.notes

    def test_length_unit(self, tmp_path):
        path = packed(tmp_path / "a.npz")
        assert any("taken to be in angstrom" in note for note in load(path).notes)
        dataset = load(path, length_unit="bohr")
        np.testing.assert_allclose(dataset.structures.positions, geometry()[1] * BOHR)
        with pytest.raises(ValueError, match="length_unit: expected one of"):
            load(path, length_unit="mile")

    def test_forces_are_per_length_unit_of_the_file(self, tmp_path):
        path = packed(tmp_path / "a.npz", forces=np.ones((8, 3)))
        dataset = load(path, length_unit="bohr")
        assert dataset.units["forces"] == "unknown/bohr"
        dataset = load(path, length_unit="bohr", unit="hartree")
        assert dataset.units["forces"] == "hartree/angstrom"
        np.testing.assert_allclose(dataset.targets["forces"], 1.0 / BOHR)

    def test_forces_are_no_property(self, tmp_path):
        path = packed(tmp_path / "a.npz", F=np.ones((8, 3)))
        with pytest.raises(ValueError, match="property: 'F' has a row per atom; expected one of"):
            load(path, property="F")

    def test_two_spellings_of_energy_are_both_kept(self, tmp_path):
        dataset = load(packed(tmp_path / "a.npz", energy=None, E=ENERGY, energies=ENERGY + 1))
        np.testing.assert_array_equal(dataset.targets["energy"], ENERGY + 1)
        np.testing.assert_array_equal(dataset.targets["E"], ENERGY)
        assert any("has other ones, too: E (" in note for note in dataset.notes)

    def test_positions_that_look_like_bohr_are_mentioned(self, tmp_path):
        path = packed(tmp_path / "a.npz", positions=geometry()[1] / BOHR)
        words = 'say --length-unit bohr, in Python length_unit="bohr"'
        assert any(words in note for note in load(path).notes)
        assert not any(words in note for note in load(packed(tmp_path / "b.npz")).notes)

    def test_several_columns_can_be_chosen(self, tmp_path):
        table = np.arange(6.0).reshape(3, 2)
        dataset = load(packed(tmp_path / "a.npz", dipole=table), property="dipole")
        np.testing.assert_array_equal(dataset.targets["dipole"], table)

    @pytest.mark.parametrize(
        ("arrays", "match"),
        [
            ({"a": np.zeros(3), "b": np.zeros((2, 2))}, r"found a \(3,\), b \(2, 2\)"),
            ({"Z": np.ones((2, 3)), "R": np.zeros((2, 4, 3))}, r"need positions of shape \(2, 3"),
            ({"z": np.ones(3), "R": np.zeros((2, 4, 3))}, r"need positions of shape \(n_frames, 3"),
            ({"Z": np.ones(3), "R": np.zeros((3, 3))}, r"neither packed \(with offsets, or counts"),
            ({"Z": np.array([["Qq"]]), "R": np.zeros((1, 1, 3))}, "chemical symbol, found 'Qq'"),
            ({"Z": np.array([[-2]]), "R": np.zeros((1, 1, 3))}, "number -2, expected 1 to 118"),
            ({"Z": np.array([[1.5]]), "R": np.zeros((1, 1, 3))}, "Z: numbers: expected integers"),
            ({"Z": np.array([[1]]), "R": np.full((1, 1, 3), np.nan)}, "expected finite values"),
        ],
    )
    def test_wrong_arrays_raise(self, tmp_path, arrays, match):
        np.savez(tmp_path / "wrong.npz", **arrays)
        with pytest.raises(ValueError, match=rf"wrong\.npz: .*{match}"):
            load(tmp_path / "wrong.npz")

    @pytest.mark.parametrize(
        ("changes", "match"),
        [
            ({"energy": np.zeros(4)}, r"energy: expected 3 values, found shape \(4,\)"),
            ({"forces": np.zeros((3, 3))}, r"forces: expected forces of 8 atoms, found .*\(3, 3\)"),
            ({"offsets": np.array([0, 3, 9])}, "offsets: expected to run from 0 to 8"),
            ({"offsets": None}, "neither packed"),
        ],
    )
    def test_inconsistent_arrays_raise(self, tmp_path, changes, match):
        with pytest.raises(ValueError, match=rf"a\.npz: .*{match}"):
            load(packed(tmp_path / "a.npz", **changes))

    def test_objects_are_never_unpickled(self, tmp_path):
        class Dangerous:
            def __reduce__(self):
                return (pytest.fail, ("unpickled",))

        path = packed(tmp_path / "a.npz", note=np.array([Dangerous()], dtype=object))
        assert load(path).unused["note"] == "note: expected numbers, found text"
        path = packed(tmp_path / "b.npz", positions=np.array([Dangerous()] * 8, dtype=object))
        with pytest.raises(ValueError, match=r"b\.npz: positions: expected numbers of shape"):
            load(path)
        path = packed(tmp_path / "c.npz", numbers=np.array([Dangerous()] * 8, dtype=object))
        match = r"c\.npz: array 'numbers' holds Python objects.* packed \(numbers, .* padded \(Z"
        with pytest.raises(ValueError, match=match):
            load(path)

    def test_label_arrays_of_a_wrong_length_are_named(self, tmp_path):
        path = packed(tmp_path / "a.npz", gap=np.zeros(4), words=np.array(["a", "b", "c"]))
        assert load(path).default_target == "energy"
        with pytest.raises(ValueError, match=r"property: gap: .* 3 rows, .* \(4,\); a has: en"):
            load(path, property="gap")
        with pytest.raises(ValueError, match=r"it has: energy \[unknown\]$"):
            load(path, property="charm")
        bare = packed(tmp_path / "b.npz", energy=None, gap=np.zeros(4), words=np.array(["a"] * 3))
        found = "expected 3 rows, found shape (4,); words: expected numbers, found text such as 'a'"
        assert any(found in note for note in load(bare).notes)
        with pytest.raises(ValueError, match=r"it has: none; gap: expected 3 rows"):
            load(bare, property="energy")

    def test_text_is_no_property(self, tmp_path):
        path = packed(tmp_path / "a.npz", words=np.array(["a", "b", "c"]), i=np.ones(3) * 1j)
        text = r"property: words: expected numbers, found text such as 'a'; a has: energy \[unknown"
        with pytest.raises(ValueError, match=text):
            load(path, property="words")
        with pytest.raises(ValueError, match="property: i: expected numbers, found type complex"):
            load(path, property="i")

    def test_listing_is_cut(self, tmp_path):
        path = packed(tmp_path / "a.npz", **{f"x{k:02}": np.zeros(3) for k in range(30)})
        with pytest.raises(ValueError, match=r"x08 \[unknown\], \.\.\. \(21 more\)$"):
            load(path, property="charm")

    def test_unit_of_an_energy_is_one_of_those_known(self, tmp_path):
        path = packed(tmp_path / "a.npz", gap=np.zeros(3))
        with pytest.raises(ValueError, match=r"energy is an energy, .*hartree, eV.*'bananas'; a "):
            load(path, unit="bananas")
        assert load(path, unit="rydberg").units["energy"] == "Ry"
        assert load(path, property="gap", unit="bananas").units["gap"] == "bananas"
        stated = packed(tmp_path / "b.npz", e_unit=np.array("eV"))
        with pytest.raises(ValueError, match="cannot convert 'eV' to 'bananas', only to: hartree"):
            load(stated, unit="bananas")

    def test_unknown_unit_says_both_spellings(self, tmp_path):
        notes = load(packed(tmp_path / "a.npz")).notes
        assert any('say it with --unit eV, in Python unit="eV"' in note for note in notes)

    @pytest.mark.parametrize("share", [0.01, 0.3, 0.9, 0.999])
    def test_truncated_npz_raises(self, tmp_path, share):
        path = packed(tmp_path / "a.npz")
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(ValueError, match=r"a\.npz: not a readable \.npz archive"):
            load(path)

    def test_damaged_npz_raises(self, tmp_path):
        path = packed(tmp_path / "a.npz")
        content = bytearray(path.read_bytes())
        place = content.index(ENERGY.tobytes())
        content[place] ^= 255
        path.write_bytes(bytes(content))
        with pytest.raises(ValueError, match=r"a\.npz: array 'energy' is damaged: Bad CRC"):
            load(path)

    def test_array_file_that_is_no_archive_raises(self, tmp_path):
        np.save(tmp_path / "a.npy", ENERGY)
        with pytest.raises(ValueError, match=r"a\.npy: not a kind of file that is read"):
            load(tmp_path / "a.npy")
        (tmp_path / "a.npy").rename(tmp_path / "a.npz")
        with pytest.raises(ValueError, match=r"a\.npz: .*a single NumPy array; save the arrays by"):
            load(tmp_path / "a.npz")

    def test_folder_without_data_raises(self, tmp_path):
        with pytest.raises(ValueError, match="a folder without geometries; expected XYZ files"):
            load(tmp_path)


def frames(periodic=False):
    from ase import Atoms

    numbers, positions, _, _ = geometry()
    offsets = [0, 3, 5, 8]
    result = []
    for k in range(3):
        atoms = slice(offsets[k], offsets[k + 1])
        frame = Atoms(numbers[atoms], positions[atoms])
        if periodic:
            frame.cell, frame.pbc = np.eye(3) * 7.0, True
        result.append(frame)
    return result


class TestAse:
    def test_extended_xyz(self, tmp_path):
        from ase.calculators.singlepoint import SinglePointCalculator
        from ase.io import write

        images = frames()
        for k, image in enumerate(images):
            image.info = {"gap": 0.1 * k, "label": "water", "cluster": k}
            forces = np.full((len(image), 3), float(k))
            image.calc = SinglePointCalculator(image, energy=ENERGY[k], forces=forces)
        write(tmp_path / "a.xyz", images, format="extxyz")
        dataset = load(tmp_path / "a.xyz")
        np.testing.assert_allclose(dataset.targets["energy"], ENERGY)
        np.testing.assert_allclose(dataset.targets["gap"], [0.0, 0.1, 0.2])
        np.testing.assert_array_equal(dataset.targets["forces"][:, 0], [0, 0, 0, 1, 1, 2, 2, 2])
        np.testing.assert_allclose(dataset.structures.positions, geometry()[1], atol=1e-8)
        assert dataset.default_target == "energy"
        assert dataset.units["energy"] == "unknown"
        assert load(tmp_path / "a.xyz", unit="eV").units["forces"] == "eV/angstrom"

    @pytest.mark.parametrize("ending", ["xyz", "db"])
    def test_text_is_no_property(self, tmp_path, ending):
        from ase.db import connect
        from ase.io import write

        path, values = tmp_path / f"a.{ending}", {"source": "mine", "gap": 0.5}
        if ending == "db":
            with connect(path) as database:
                for image in frames():
                    database.write(image, **values)
        else:
            images = frames()
            for image in images:
                image.info = values
            write(path, images, format="extxyz")
        assert list(load(path).targets) == ["gap"]
        match = r"source: expected numbers, found text such as 'mine'; a has: gap \[unknown\]"
        with pytest.raises(ValueError, match=match):
            load(path, property="source")

    def test_energies_that_are_text_are_named(self, tmp_path):
        (tmp_path / "a.xyz").write_text('1\nenergies="n/a" note=x\nH 0 0 0\n')
        match = "property: energies: expected numbers, found text such as 'n/a'; a has: none"
        for name in ("energy", "energies"):
            with pytest.raises(ValueError, match=match):
                load(tmp_path / "a.xyz", property=name)
        notes = load(tmp_path / "a.xyz").notes
        assert any("note: expected numbers, found text such as 'x'" in note for note in notes)

    def test_length_unit_and_cells(self, tmp_path):
        from ase.io import write

        images = frames(periodic=True)
        for image, energy in zip(images, ENERGY, strict=True):
            image.info["energy"] = energy
        write(tmp_path / "a.xyz", images, format="extxyz")
        dataset = load(tmp_path / "a.xyz", length_unit="bohr")
        np.testing.assert_allclose(dataset.structures.cells[0], np.eye(3) * 7.0 * BOHR)
        np.testing.assert_allclose(dataset.structures.positions, geometry()[1] * BOHR, atol=1e-8)

    def test_property_missing_in_a_frame_raises(self, tmp_path):
        from ase.io import write

        images = frames()
        for k in (0, 2):
            images[k].info["gap"] = 0.5
        write(tmp_path / "a.xyz", images, format="extxyz")
        with pytest.raises(
            ValueError, match=r"a\.xyz: gap is missing .* 1 of 3 .* frame 1 \(line 6\)"
        ):
            load(tmp_path / "a.xyz")

    @pytest.mark.parametrize("cut", [-30, -120])
    def test_truncated_xyz_raises(self, tmp_path, cut):
        from ase.io import write

        write(tmp_path / "a.xyz", frames(), format="extxyz")
        text = (tmp_path / "a.xyz").read_text()
        (tmp_path / "a.xyz").write_text(text[:cut])
        with pytest.raises(ValueError, match=r"a\.xyz: line 1\d \(frame 2\): expected more than"):
            load(tmp_path / "a.xyz")

    def test_number_that_begins_every_comment_is_offered(self, tmp_path):
        lines = "".join(f"1\n{-0.5 - k / 3} converged\nH 0 0 {k}\n" for k in range(3))
        (tmp_path / "a.xyz").write_text(lines)
        dataset = load(tmp_path / "a.xyz")
        np.testing.assert_allclose(dataset.targets["comment"], [-0.5, -0.5 - 1 / 3, -0.5 - 2 / 3])
        assert dataset.default_target == "comment"
        assert dataset.units["comment"] == "unknown"
        said = "comment ← the number that begins every comment line (unit unknown"
        assert str(dataset.decisions[0]).startswith(said)
        energy = load(tmp_path / "a.xyz", property="energy", unit="hartree")
        np.testing.assert_array_equal(energy.targets["energy"], dataset.targets["comment"])
        (tmp_path / "b.xyz").write_text(lines.replace("converged", "gap=1.5"))
        with pytest.raises(ValueError, match=r"several numbers, choose one of: comment .*, gap"):
            load(tmp_path / "b.xyz")

    def test_numbers_of_frames_are_no_property(self, tmp_path):
        lines = "".join(f"1\n{k} of a trajectory\nH 0 0 {k}\n" for k in range(3))
        (tmp_path / "a.xyz").write_text(lines)
        assert load(tmp_path / "a.xyz").default_target == ""

    def test_wrong_structures_and_units_are_not_blamed_on_ase(self, tmp_path):
        (tmp_path / "a.xyz").write_text("1\nenergy=1.0\nH 0 0 nan\n")
        with pytest.raises(ValueError, match=r"a\.xyz: line 3 \(frame 0\): expected a finite pos"):
            load(tmp_path / "a.xyz")
        (tmp_path / "b.xyz").write_text("1\nenergy=1.0\nH 0 0 0\n")
        with pytest.raises(ValueError, match="length_unit: expected one of"):
            load(tmp_path / "b.xyz", length_unit="mile")

    def test_empty_and_unknown_files_raise(self, tmp_path):
        (tmp_path / "a.xyz").write_text("")
        with pytest.raises(ValueError, match=r"a\.xyz: "):
            load(tmp_path / "a.xyz")
        (tmp_path / "a.unknown").write_text("what is this\n")
        with pytest.raises(ValueError, match=r"a\.unknown: not a kind of file that is known"):
            load(tmp_path / "a.unknown")

    def test_database(self, tmp_path):
        from ase.calculators.singlepoint import SinglePointCalculator
        from ase.db import connect

        with connect(tmp_path / "a.db") as database:
            for k, image in enumerate(frames()):
                image.calc = SinglePointCalculator(image, energy=ENERGY[k])
                database.write(image, gap=0.1 * k, data={"U0": np.array([2.0 * k])})
        dataset = load(tmp_path / "a.db", unit="eV")
        np.testing.assert_array_equal(dataset.targets["energy"], ENERGY)
        np.testing.assert_allclose(dataset.targets["gap"], [0.0, 0.1, 0.2])
        np.testing.assert_array_equal(dataset.targets["U0"], [0.0, 2.0, 4.0])
        assert dataset.units == {"energy": "eV", "gap": "unknown", "U0": "unknown"}

    def test_database_with_units(self, tmp_path):
        from ase.db import connect

        with connect(tmp_path / "a.db") as database:
            for image in frames():
                database.write(image, data={"U0": np.array([1.0])})
            database.metadata = {"_property_unit_dict": {"U0": "Hartree", "absent": "eV"}}
        assert load(tmp_path / "a.db").units == {"energy": "hartree"}
        assert load(tmp_path / "a.db", property="U0").units == {"U0": "hartree"}

    def test_damaged_database_raises(self, tmp_path):
        (tmp_path / "a.db").write_bytes(b"SQLite format 3\x00" + b"\x00" * 100)
        with warnings.catch_warnings():
            # The connection to a damaged file is not closed by ASE.
            warnings.simplefilter("ignore", ResourceWarning)
            with pytest.raises(ValueError, match=r"a\.db: "):
                load(tmp_path / "a.db")
