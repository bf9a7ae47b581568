"""XYZ files as people have them: read in one pass, or refused with the line and what to do."""

import bz2
import gzip
import lzma
import subprocess
import sys

import numpy as np
import pytest

from molkern import Structures
from molkern.datasets import load

FRAME = "3\n{comment}\nO 0 0 0\nH 0.96 0 0\nH -0.24 0.93 0\n"


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MOLKERN_CACHE", str(tmp_path / "cache"))


def written(tmp_path, text, name="a.xyz"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def frames(*comments):
    return "".join(FRAME.format(comment=comment) for comment in comments)


class TestFrames:
    @pytest.mark.parametrize("gap", ["\n", "\n\n \t\n", "\r\n"])
    def test_blank_lines_between_frames_end_nothing(self, tmp_path, gap):
        text = "".join(FRAME.format(comment=f"energy={k}.5") + gap * (k % 3 == 1) for k in range(9))
        dataset = load(written(tmp_path, gap + text + gap))
        assert dataset.targets["energy"].tolist() == [k + 0.5 for k in range(9)]
        assert len(Structures.read(tmp_path / "a.xyz")) == 9

    def test_line_endings_of_windows_and_no_last_one(self, tmp_path):
        text = frames("energy=1.5", "energy=2.5").replace("\n", "\r\n").rstrip()
        assert load(written(tmp_path, text)).targets["energy"].tolist() == [1.5, 2.5]

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "latin-1"])
    def test_encodings(self, tmp_path, encoding):
        text = frames("energy=1.5 name=café", "energy=2.5 name=eau")
        mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
        dataset = load(written(tmp_path, mark + text.encode(encoding)))
        assert dataset.targets["energy"].tolist() == [1.5, 2.5]
        assert "such as 'café'" in dataset.unused["name"]

    @pytest.mark.parametrize(("module", "ending"), [(gzip, "gz"), (bz2, "bz2"), (lzma, "xz")])
    def test_compressed_whatever_its_name(self, tmp_path, module, ending):
        content = module.compress(frames("energy=1.5", "energy=2.5").encode())
        for name in (f"a.xyz.{ending}", "a.data"):
            dataset = load(written(tmp_path, content, name))
            assert dataset.targets["energy"].tolist() == [1.5, 2.5]
        with pytest.raises(ValueError, match=r"b\.xyz.*: damaged or truncated"):
            load(written(tmp_path, content[: len(content) // 2], f"b.xyz.{ending}"))

    def test_kind_is_told_by_the_content(self, tmp_path):
        text = frames("energy=1.5", "energy=2.5")
        for name in ("a.txt", "a", "a.XYZ", "a.npz.xyz"):
            assert len(load(written(tmp_path, text, name))) == 2

    def test_pieces_do_not_matter(self, tmp_path, monkeypatch):
        text = frames(*(f"energy={k}.25 note='a b' v=\"1 2 3\"" for k in range(40)))
        whole = load(written(tmp_path, text))
        for piece in (1, 7, 64):
            monkeypatch.setattr("molkern.datasets.readers.pieces.PIECE", piece)
            parts = load(tmp_path / "a.xyz")
            assert parts.structures == whole.structures
            assert parts.targets["energy"].tolist() == whole.targets["energy"].tolist()
            assert parts.targets["v"].tolist() == whole.targets["v"].tolist()

    def test_frames_without_atoms(self, tmp_path):
        text = frames("energy=1.5") + "0\nenergy=0\n" + frames("energy=2.5") + "0\n"
        dataset = load(written(tmp_path, text), skip_missing=True)
        assert dataset.structures.sizes.tolist() == [3, 0, 3]

    @pytest.mark.parametrize(
        ("text", "match"),
        [
            (frames("energy=1") + "what\n", r"line 6: expected a number of atoms, found 'what'"),
            (frames("energy=1") + "-3\n", r"line 6: expected a number of atoms, found '-3'"),
            (frames("energy=1") + "\0\0", r"line 6: .* found '\\x00\\x00'"),
            (frames("energy=1")[:30], r"line 4 \(frame 0\): the file ends after 2 of 3 atoms"),
            ("2\n", r"line 1 \(frame 0\): the file ends where the comment line was expected"),
            ("9" * 15 + "\n\nH 0 0 0\n", r"line 3 \(frame 0\): the file ends after 1 of 9"),
            ("2\n\nH 0 0 0\n\nH 0 0 1\n", r"line 4 \(frame 0\): .* found an empty line"),
            ("1\n\nH 0 0\n", r"line 3 \(frame 0\): expected more than 3 columns, found 'H 0 0'"),
            ("1\n\nH 0 0 z\n", r"line 3 \(frame 0\): expected a number in column 4, found 'z'"),
            ("1\n\nH 0 0 inf\n", r"line 3 \(frame 0\): expected a finite position in column 4"),
            (frames("e=1") + "1\n\nXy 0 0 0\n", r"line 8 \(frame 1\): expected a chemical symbol"),
            (
                "1\n\nCarbon12345 0 0 0\n",
                r"line 3 .*expected a chemical symbol, found 'Carbon12345'",
            ),
            ("1\nenergy=1 energy=2\nH 0 0 0\n", r"line 2 \(frame 0\): energy= stands there twice"),
        ],
    )
    def test_damaged_files_say_the_line_and_the_frame(self, tmp_path, text, match):
        with pytest.raises(ValueError, match=rf"a\.xyz: {match}"):
            load(written(tmp_path, text))

    def test_the_same_value_twice_is_one(self, tmp_path):
        text = "1\nenergy=1.5 energy=1.5\nH 0 0 0\n"
        assert load(written(tmp_path, text)).targets["energy"].tolist() == [1.5]


class TestAtoms:
    def test_columns_in_any_order_and_forces_under_any_name(self, tmp_path):
        for name in ("forces", "force", "REF_forces", "dft_forces", "mace_force", "F"):
            properties = f"Properties=id:I:1:pos:R:3:{name}:R:3:species:S:1:q:R:1"
            text = f"1\n{properties} energy=2.5\n7 0.1 0.2 0.3 1 2 3 N 0.5\n"
            dataset = load(written(tmp_path, text), unit="eV")
            assert dataset.structures.numbers.tolist() == [7]
            assert dataset.structures.positions.tolist() == [[0.1, 0.2, 0.3]]
            assert dataset.targets["forces"].tolist() == [[1, 2, 3]]
            assert dataset.units["forces"] == "eV/angstrom"
            assert dataset.unused["q"] == "q: a number for each atom, which is not used"
            said = {d.what: d for d in dataset.decisions}["forces"]
            assert said.source == name
            assert "sign as stored" in said.words

    def test_gradient_becomes_forces(self, tmp_path):
        text = "1\nProperties=species:S:1:pos:R:3:gradient:R:3 energy=2.5\nN 0 0 0 1 2 3\n"
        dataset = load(written(tmp_path, text))
        assert dataset.targets["forces"].tolist() == [[-1, -2, -3]]
        assert "sign turned" in {d.what: d for d in dataset.decisions}["forces"].words

    def test_forces_belong_to_their_energy(self, tmp_path):
        head = "Properties=species:S:1:pos:R:3:forces:R:3:REF_forces:R:3"
        text = f"1\n{head} energy=2.5 REF_energy=9.5\nN 0 0 0 1 2 3 4 5 6\n"
        plain = load(written(tmp_path, text))
        assert plain.targets["forces"].tolist() == [[1, 2, 3]]
        assert plain.targets["forces_REF_forces"].tolist() == [[4, 5, 6]]
        ours = load(tmp_path / "a.xyz", property="REF_energy")
        assert ours.targets["forces"].tolist() == [[4, 5, 6]]
        assert ours.targets["REF_energy"].tolist() == [9.5]

    def test_frames_without_forces_have_none(self, tmp_path):
        text = frames("energy=1") + (
            "1\nProperties=species:S:1:pos:R:3:forces:R:3 energy=2\nN 0 0 0 1 2 3\n"
        )
        forces = load(written(tmp_path, text)).targets["forces"]
        assert np.isnan(forces[:3]).all()
        assert forces[3].tolist() == [1, 2, 3]

    @pytest.mark.parametrize("symbol", ["Cl", "CL", "cl"])
    def test_spellings_of_symbols(self, tmp_path, symbol):
        dataset = load(written(tmp_path, f"1\nenergy=1\n{symbol} 0 0 0\n"))
        assert dataset.structures.numbers.tolist() == [17]

    def test_isotopes_are_hydrogen(self, tmp_path):
        dataset = load(written(tmp_path, "3\nenergy=1\nD 0 0 0\nT 0 0 1\nD 0 0 2\n"))
        assert dataset.structures.numbers.tolist() == [1, 1, 1]
        assert "2 atoms of D taken for hydrogen" in dataset.notes
        assert "1 atoms of T taken for hydrogen" in dataset.notes

    def test_dummy_atoms_are_left_out_on_request(self, tmp_path):
        text = frames("energy=1") + (
            "3\nProperties=species:S:1:pos:R:3:forces:R:3 energy=2\n"
            "O 0 0 0 1 1 1\nX 0 0 9 9 9 9\nH 0 0 1 2 2 2\n"
        )
        match = r"frame 1 \(line 6\): atom 1 is a dummy atom.* --skip-dummies leaves them out"
        with pytest.raises(ValueError, match=match):
            load(written(tmp_path, text))
        dataset = load(tmp_path / "a.xyz", skip_dummies=True)
        assert dataset.structures.numbers.tolist() == [8, 1, 1, 8, 1]
        assert dataset.structures.sizes.tolist() == [3, 2]
        assert dataset.targets["forces"][3:].tolist() == [[1, 1, 1], [2, 2, 2]]
        assert "1 dummy atoms left out" in dataset.notes

    def test_numbers_in_the_first_column_may_be_types(self, tmp_path):
        text = "2\nAtoms. Timestep: 0\n1 0 0 0\n2 0 0 1.6\n"
        match = r"a\.xyz: line 3: the first column holds numbers.* --species Si,O .* --species numb"
        with pytest.raises(ValueError, match=match):
            load(written(tmp_path, text))
        found = load(tmp_path / "a.xyz", species=["Si", "O"], structures_only=True)
        assert found.structures.numbers.tolist() == [14, 8]
        found = load(tmp_path / "a.xyz", species=["numbers"], structures_only=True)
        assert found.structures.numbers.tolist() == [1, 2]
        with pytest.raises(ValueError, match=r"frame 0 \(line 1\) has type 2, expected 1 to 1"):
            load(tmp_path / "a.xyz", species=["Si"])
        with pytest.raises(ValueError, match=r"--species: .* chemical symbol, found 'Zz'"):
            load(tmp_path / "a.xyz", species=["Zz", "O"])
        named = written(tmp_path, frames("energy=1"), "b.xyz")
        with pytest.raises(ValueError, match=r"b\.xyz: species: the file names its elements"):
            load(named, species=["Si"])

    def test_atomic_numbers_in_a_column_of_their_own(self, tmp_path):
        text = "1\nProperties=Z:I:1:pos:R:3 energy=1\n17 0 0 0\n"
        assert load(written(tmp_path, text)).structures.numbers.tolist() == [17]

    def test_further_columns_are_counted(self, tmp_path):
        dataset = load(written(tmp_path, "1\nenergy=1\nH 0 0 0 0.5 0.25\n"))
        assert dataset.notes[0].startswith("1 lines of atoms have more columns than were expected")

    @pytest.mark.parametrize(
        ("properties", "match"),
        [
            ("species:S:1:pos:R:99999999999", "Properties: expected name:type:columns"),
            ("species:S:1:pos:R", "Properties: expected name:type:columns"),
            ("species:S:1:pos:R:2", "Properties: expected the symbols and three columns"),
            ("pos:R:3", "Properties: expected the symbols and three columns"),
            ("species:S:1:pos:R:3:pos:R:3", "Properties: expected the symbols and three columns"),
        ],
    )
    def test_wrong_properties(self, tmp_path, properties, match):
        text = f"1\nenergy=1\nH 0 0 0\n1\nProperties={properties} energy=1\nH 0 0 0\n"
        with pytest.raises(ValueError, match=rf"a\.xyz: line 5 \(frame 1\): {match}"):
            load(written(tmp_path, text))

    @pytest.mark.parametrize(
        ("text", "value"),
        [("1.5D-3", 1.5e-3), ("-2.5*^-4", -2.5e-4), ("+.5", 0.5), ("5.", 5.0), ("1e22", 1e22),
         ("0.1234567890123456789", 0.12345678901234568), ("1e-320", 1e-320), ("1e-999", 0.0),
         ("123456789012345678901234567890", 1.2345678901234568e29), ("-0.0", -0.0)],
    )  # fmt: skip
    def test_numbers_are_read_exactly(self, tmp_path, text, value):
        path = written(tmp_path, f"1\nenergy=1\nH 0 0 {text}\n")
        found = load(path).structures.positions[0, 2]
        assert found == value
        assert np.signbit(found) == np.signbit(value)

    def test_numbers_equal_pythons(self, tmp_path):
        rng = np.random.default_rng(0)
        values = rng.normal(size=3000) * 10.0 ** rng.integers(-30, 30, 3000)
        digits, forms = rng.integers(0, 20, 3000), rng.choice(["e", "g"], 3000)
        texts = [f"{x:.{d}{f}}" for x, d, f in zip(values, digits, forms, strict=True)]
        lines = "".join(f"H {a} {b} {c}\n" for a, b, c in np.reshape(texts, (-1, 3)))
        found = load(written(tmp_path, f"1000\nenergy=1\n{lines}")).structures.positions
        assert found.reshape(-1).tolist() == [float(text) for text in texts]


class TestComments:
    @pytest.mark.parametrize(
        "comment",
        [
            "REF_energy=-1.5",
            'name="a = b" dft_energy=-1.5 free=yes',
            "energy: -1.5 gnorm: 0.001 xtb: 6.5.0",
            "TotEnergy = -1.5, dipole = [1, 2, 3]",
            "Coordinates from ORCA-job water E -1.5",
            " i =        3, time =        0.5, E =       -1.5",
            '{"energy": -1.5, "label": "x"}',
            "'total energy'=-1.5",
            "step=1 energy=-1.5 key= word",
        ],
    )
    def test_energies_in_the_dialects_of_programs(self, tmp_path, comment):
        second = comment.replace("-1.5", "-2.5")
        dataset = load(written(tmp_path, frames(comment, second)), property="energy", unit="eV")
        assert dataset.targets["energy"].tolist() == [-1.5, -2.5]

    @pytest.mark.parametrize("first", ["-1.5", "-1.5 converged", "  -1.5  (GFN2)"])
    def test_number_that_begins_the_comment(self, tmp_path, first):
        text = frames(first, first.replace("-1.5", "-2.25"))
        dataset = load(written(tmp_path, text), unit="hartree")
        assert dataset.targets[dataset.default_target].tolist() == [-1.5, -2.25]
        assert dataset.units[dataset.default_target] == "hartree"

    def test_exact_name_wins_over_its_aliases(self, tmp_path):
        text = frames("energy=-1.5 E=3 energies=7", "energy=-2.5 E=4 energies=8")
        for name, values in (("E", [3, 4]), ("energies", [7, 8]), ("energy", [-1.5, -2.5])):
            dataset = load(written(tmp_path, text), property=name)
            assert dataset.targets[dataset.default_target].tolist() == values
        assert load(tmp_path / "a.xyz").targets["energy"].tolist() == [-1.5, -2.5]

    def test_several_energies_ask_for_a_choice(self, tmp_path):
        text = frames("dft_energy=-1.5 xtb_energy=3.5", "dft_energy=-2.5 xtb_energy=4.5")
        with pytest.raises(ValueError, match=r"choose one of: dft_energy .*, xtb_energy"):
            load(written(tmp_path, text))

    def test_tensors_are_kept_and_said(self, tmp_path):
        numbers = " ".join(map(str, range(9)))
        text = frames(f'alpha="{numbers}" energy=1', f'alpha="{numbers}" energy=2')
        dataset = load(written(tmp_path, text))
        assert dataset.targets["alpha"].shape == (2, 9)
        alone = written(tmp_path, frames(f'alpha="{numbers}"'), "b.xyz")
        assert load(alone).unused["alpha"] == "alpha: 9 numbers for each structure"
        assert load(alone, property="alpha").targets["alpha"].shape == (1, 9)
        with pytest.raises(ValueError, match=r"equally many numbers in each frame, found \[2, 3\]"):
            load(written(tmp_path, frames('v="1 2"', 'v="1 2 3"'), "c.xyz"), property="v")

    @pytest.mark.parametrize("key", ["stress", "REF_stress"])
    @pytest.mark.parametrize("form", ["1 2 3 4 5 6", "1 6 5 6 2 4 5 4 3"])
    def test_stress_in_full(self, tmp_path, key, form):
        energy = key.replace("stress", "energy")
        text = frames(f'{energy}=1.5 {key}="{form}"')
        dataset = load(written(tmp_path, text), unit="eV")
        expected = [[1, 6, 5], [6, 2, 4], [5, 4, 3]]
        assert dataset.targets["stress"].tolist() == [expected]
        assert dataset.units["stress"] == "eV/angstrom^3"
        assert "sign as stored" in {d.what: d for d in dataset.decisions}["stress"].words

    def test_bookkeeping_is_no_property_unless_asked_for(self, tmp_path):
        for key in ("step", "Time", "timestep", "charge", "config_id", "frame_number"):
            text = frames(f"{key}=0.5", f"{key}=1.7", f"{key}=3.1")
            dataset = load(written(tmp_path, text))
            assert dataset.default_target == ""
            assert f"--property {key} learns it" in dataset.unused[key]
            assert load(tmp_path / "a.xyz", property=key).targets[key].tolist() == [0.5, 1.7, 3.1]

    def test_numbers_that_count_are_no_property_under_any_name(self, tmp_path):
        assert load(written(tmp_path, frames("q=1", "q=2", "q=3"))).default_target == ""
        assert load(written(tmp_path, frames("q=1.1", "q=2.4", "q=2"))).default_target == "q"

    @pytest.mark.parametrize(
        ("words", "unit"),
        [("energy-unit=Hartree", "hartree"), ('units="kcal/mol"', "kcal/mol"), ("unit=eV", "eV"),
         ('energy_units="a.u."', "hartree"), ('units="energy: Ry, positions: A"', "Ry"),
         ('energyUnit="kJ/mol"', "kJ/mol")],
    )  # fmt: skip
    def test_units_in_the_comment(self, tmp_path, words, unit):
        text = frames(f"energy=-1.5 {words}", f"energy=-2.5 {words}")
        dataset = load(written(tmp_path, text))
        assert dataset.units["energy"] == unit
        assert not any("unit of energy is unknown" in note for note in dataset.notes)

    def test_length_units_in_the_comment(self, tmp_path):
        text = frames("energy=1 length_unit=Bohr", "energy=2 length_unit=Bohr")
        dataset = load(written(tmp_path, text))
        assert dataset.structures.positions[1, 0] == pytest.approx(0.96 * 0.529177210544)
        assert "positions converted from bohr to angstrom" in dataset.notes

    def test_unit_that_is_not_understood_is_quoted(self, tmp_path):
        text = frames("energy=1.5 energy_unit=Zork", "energy=2.5 energy_unit=Zork")
        dataset = load(written(tmp_path, text))
        assert dataset.units["energy"] == "unknown"
        assert any("energy_unit=Zork" in note for note in dataset.notes)
        assert load(tmp_path / "a.xyz", unit="eV").units["energy"] == "eV"

    def test_quotes_and_brackets_that_are_never_closed(self, tmp_path):
        text = frames('name="abc energy=1.5', "it's {a [b 'c energy=2.5")
        assert load(written(tmp_path, text)).targets["energy"].tolist() == [1.5, 2.5]
        many = frames("{a [b 'c " * 2000 + "energy=1.5")
        assert load(written(tmp_path, many)).targets["energy"].tolist() == [1.5]

    def test_comment_of_very_many_words_raises(self, tmp_path):
        many = frames("energy=1.5", "energy=1.5 " + "{a [b 'c " * 200_000)
        # It is looked at in a time that grows with its length.
        with pytest.raises(ValueError, match=r"line 7 \(frame 1\): expected a comment line of at"):
            load(written(tmp_path, many))


class TestCells:
    LATTICE = 'Lattice="5 0 0 1 6 0 0 0 7" energy=1.5'

    def test_cell_without_pbc_is_periodic(self, tmp_path):
        structures = load(written(tmp_path, frames(self.LATTICE))).structures
        assert structures.cells[0].tolist() == [[5, 0, 0], [1, 6, 0], [0, 0, 7]]
        assert structures.pbc.all()

    @pytest.mark.parametrize(
        ("pbc", "expected"),
        [("T T F", [1, 1, 0]), ("1 0 0", [1, 0, 0]), ("False", [0, 0, 0]), ("T", [1, 1, 1])],
    )
    def test_periodicity(self, tmp_path, pbc, expected):
        structures = load(written(tmp_path, frames(f'{self.LATTICE} pbc="{pbc}"'))).structures
        assert structures.pbc.tolist() == [[bool(x) for x in expected]]

    def test_cells_under_other_names(self, tmp_path):
        for key in ("cell", "Cell", "box"):
            text = frames(self.LATTICE.replace("Lattice", key))
            assert load(written(tmp_path, text)).structures.pbc.all()
        text = frames('box="5 6 7" energy=1.5')
        assert (
            load(written(tmp_path, text)).structures.cells[0].tolist()
            == np.diag([5.0, 6, 7]).tolist()
        )

    @pytest.mark.parametrize(
        ("comment", "match"),
        [
            ('Lattice="1 2 3 4" energy=1', r"line 2 \(frame 0\): Lattice: expected the nine"),
            ('Lattice="a b c" energy=1', r"line 2 \(frame 0\): Lattice: expected the nine"),
            ('Lattice="5 0 0 0 nan 0 0 0 7" energy=1', r"line 2 \(frame 0\): Lattice is not fin"),
            ('pbc="T T T" energy=1', r"pbc: frame 0 \(line 1\) is periodic, but .* no cell"),
            ('Lattice="5 0 0 0 5 0 0 0 5" pbc="yes" energy=1', "pbc: expected three of T and F"),
        ],
    )
    def test_wrong_cells(self, tmp_path, comment, match):
        with pytest.raises(ValueError, match=match):
            load(written(tmp_path, frames(comment)))

    def test_mixed_frames(self, tmp_path):
        text = frames(self.LATTICE, "energy=2.5", self.LATTICE + ' pbc="F F F"')
        assert load(written(tmp_path, text)).structures.pbc.all(axis=1).tolist() == [
            True, False, False
        ]  # fmt: skip


class TestIsolatedAtoms:
    ATOMS = (
        "1\nenergy=-13.5 config_type=IsolatedAtom\nH 0 0 0\n"
        "1\nenergy=-2041.5 config_type=IsolatedAtom\nO 0 0 0\n"
    )

    def test_named_ones_are_set_apart(self, tmp_path):
        text = self.ATOMS + frames(*(f"energy={k}.5 config_type=md" for k in range(5)))
        dataset = load(written(tmp_path, text), unit="eV")
        assert len(dataset) == 5
        assert dataset.atom_energies["energy"] == {1: -13.5, 8: -2041.5}
        assert any("2 frames (H, O), neither learnt from nor tested" in n for n in dataset.notes)
        assert len(load(tmp_path / "a.xyz", structures_only=True)) == 7

    def test_their_labels_follow_the_unit(self, tmp_path):
        text = self.ATOMS.replace("config", "unit=eV config")
        text += frames(*(f"energy={k}.5 unit=eV" for k in range(5)))
        dataset = load(written(tmp_path, text), unit="meV")
        assert dataset.atom_energies["energy"][1] == pytest.approx(-13500)

    def test_single_atoms_among_molecules_are_isolated(self, tmp_path):
        text = "1\nenergy=-13.5\nH 0 0 0\n" + frames(*(f"energy={k}.5" for k in range(5)))
        assert load(written(tmp_path, text)).atom_energies["energy"] == {1: -13.5}

    def test_single_atoms_alone_or_in_cells_are_structures(self, tmp_path):
        text = "".join(f"1\nenergy={k}.5\nHe 0 0 0\n" for k in range(5))
        assert len(load(written(tmp_path, text))) == 5
        cell = 'Lattice="4 0 0 0 4 0 0 0 4"'
        text = f"1\n{cell} energy=1.5\nCu 0 0 0\n" + frames(*(f"energy={k}.5" for k in range(5)))
        assert len(load(written(tmp_path, text))) == 6


def test_sixty_bytes_take_no_memory(tmp_path):
    """A header that declares 10^11 columns, and one that declares 10^15 atoms."""
    for k, text in enumerate(
        ["1\nProperties=species:S:1:pos:R:99999999999 energy=1\nH 0 0 0\n",
         f"{10**15}\nProperties=species:S:1:pos:R:3 energy=1\nH 0 0 0\n"]
    ):  # fmt: skip
        path = written(tmp_path, text, f"{k}.xyz")
        code = (
            "import resource, sys\n"
            "import molkern.datasets.reading\n"
            "from molkern.datasets import load\n"
            "pages = int(open('/proc/self/statm').read().split()[0])\n"
            "limit = pages * resource.getpagesize() + 64 * 2**20\n"
            "resource.setrlimit(resource.RLIMIT_AS, (limit, limit))\n"
            "try:\n    load(sys.argv[1])\nexcept ValueError as error:\n    print(error)\n"
        )
        run = subprocess.run(
            [sys.executable, "-c", code, path], capture_output=True, text=True, timeout=60
        )
        assert path.name in run.stdout, run.stderr


def test_memory_beyond_the_limit_names_the_option(tmp_path):
    text = frames(*["energy=1.5 " + "a=1 " * 2000] * 200)
    path = written(tmp_path, text)
    with pytest.raises(ValueError, match=r"a\.xyz: what it holds would take .* --max-bytes \d+"):
        load(path, max_bytes=1000)
    assert len(load(path, max_bytes=10**9)) == 200


def test_parsed_file_is_kept_by_its_hash(tmp_path, monkeypatch):
    monkeypatch.setattr("molkern.datasets.parsed.WORTH_SECONDS", 0.0)
    head = 'Lattice="5 0 0 0 5 0 0 0 5" Properties=species:S:1:pos:R:3:forces:R:3'
    text = "".join(f"1\n{head} energy={k}.5 word=x{k}\nD 0 0 {k} 1 2 3\n" for k in range(4))
    first = load(written(tmp_path, text), unit="eV")
    monkeypatch.setattr("molkern.datasets.reading._READERS", {})
    again = load(tmp_path / "a.xyz", unit="eV")
    assert again.structures == first.structures
    assert again.decisions == first.decisions
    assert again.notes == first.notes
    assert again.unused == first.unused
    for name, values in first.targets.items():
        np.testing.assert_array_equal(again.targets[name], values)
