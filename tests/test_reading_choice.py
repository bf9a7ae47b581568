"""Which column is learnt: several energies, parts of them, bookkeeping; and in test files."""

import numpy as np
import pytest
from ase.geometry import cellpar_to_cell

from molkern import study
from molkern.cli import main
from molkern.datasets import load

RNG = np.random.default_rng(11)
WATER = np.array([[0.0, 0.0, 0.0], [0.96, 0.0, 0.0], [-0.24, 0.93, 0.0]])
METHANE = np.array([[0, 0, 0], [1, 1, 1], [-1, -1, 1], [-1, 1, -1], [1, -1, -1]]) * 0.63
SYMBOLS = {"w": ["O", "H", "H"], "m": ["C", "H", "H", "H", "H"]}
FRAMES = [
    (SYMBOLS["w" if k % 2 else "m"], (WATER if k % 2 else METHANE) + 0.02 * RNG.normal(size=(1, 3)))
    for k in range(24)
]
TOTALS = [(-76.3 if k % 2 else -40.5) + 0.01 * float(RNG.normal()) for k in range(24)]


def written(path, comment, n=24):
    """Frames of water and methane; the comment is made of the number of the frame."""
    lines = []
    for k, (symbols, positions) in enumerate(FRAMES[:n]):
        lines += [str(len(symbols)), comment(k)]
        lines += [
            f"{s} {r[0]:.8f} {r[1]:.8f} {r[2]:.8f}" for s, r in zip(symbols, positions, strict=True)
        ]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    "name",
    ["E_total", "Etotal", "E_ref", "PotEng", "E_tot_DFT", "E_KS", "E(RB3LYP)", "Potential", "E0",
     "TotEnergy", "ccsd_e", "pbe.E0", "energy_conf"],
)  # fmt: skip
@pytest.mark.parametrize("part", ["dispersion_energy", "E_ZPE", "kinetic_energy", "E_ads"])
def test_total_energy_is_taken_beside_a_part_of_it(tmp_path, name, part):
    path = written(tmp_path / "a.xyz", lambda k: f"{part}={0.01 * k**0.5:.5f} {name}={TOTALS[k]!r}")
    dataset = load(path)
    assert (dataset.default_target, dataset.decisions[0].source) == ("energy", name)
    np.testing.assert_array_equal(dataset.targets["energy"], TOTALS)
    assert dataset.extensivity("energy").baseline == "elements"


def test_part_of_an_energy_is_learnt_where_nothing_else_can_be(tmp_path):
    path = written(tmp_path / "a.xyz", lambda k: f"E_ads={TOTALS[k]!r} step={k}")
    assert load(path).decisions[0].source == "E_ads"
    path = written(tmp_path / "b.xyz", lambda k: f"dispersion_energy={TOTALS[k]!r} y={k**0.5}")
    with pytest.raises(ValueError, match=r"choose one of: dispersion_energy \[unknown\], y"):
        load(path)


@pytest.mark.parametrize(("first", "second"), [("E", "REF_energy"), ("dft_energy", "mp2_energy")])
def test_two_energies_are_asked_for(tmp_path, first, second):
    path = written(tmp_path / "a.xyz", lambda k: f"{first}={-(k**0.5)} {second}={TOTALS[k]!r}")
    with pytest.raises(ValueError, match=f"choose one of: {first} .unknown., {second}"):
        load(path)
    assert load(path, property=second).targets[second][3] == TOTALS[3]
    same = written(tmp_path / "b.xyz", lambda k: f"{first}={TOTALS[k]!r} {second}={TOTALS[k]!r}")
    np.testing.assert_array_equal(load(same).targets["energy"], TOTALS)


def test_energies_beside_energy_are_mentioned(tmp_path):
    path = written(tmp_path / "a.xyz", lambda k: f"energy={TOTALS[k]!r} REF_energy={-(k**0.5)}")
    dataset = load(path)
    np.testing.assert_array_equal(dataset.targets["energy"], TOTALS)
    assert any("other ones, too: REF_energy" in note for note in dataset.notes)


@pytest.mark.parametrize(
    "comment",
    [
        "{charge} {multiplicity}",
        "{shuffled} water",
        "C 1 H {shuffled}",
        "time_fs={half}",
        "Time(fs)={half}",
        "temperature_K={half}",
        "walltime_s={half}",
        "nelec={shuffled}",
        "scf_cycles={shuffled}",
        "mdstep={shuffled}",
        "ecut={half}",
        "energy_sigma={half}",
        "uid={shuffled}",
        "label={multiplicity}",
    ],
)
def test_numbers_that_count_or_describe_are_not_learnt(tmp_path, comment):
    def words(k):
        return comment.format(
            charge=[0, 1, -1][k % 3],
            multiplicity=1 + k % 2,
            shuffled=(7 * k) % 24,
            half=0.37 * k**2,
        )

    assert load(written(tmp_path / "a.xyz", words)).default_target == ""


def test_word_of_a_file_may_be_learnt_if_named(tmp_path):
    path = written(tmp_path / "a.xyz", lambda k: f"time_fs={0.1 * k**2}")
    assert load(path, property="time_fs").default_target == "time_fs"


def test_number_for_each_structure_under_a_name_of_forces(tmp_path):
    path = written(tmp_path / "a.xyz", lambda k: f"energy={TOTALS[k]!r} forces_weight=10.5")
    dataset = load(path)
    assert dataset.default_target == "energy"
    assert "forces_weight" in dataset.unused


class TestTestFiles:
    def test_column_of_the_same_name(self, tmp_path):
        train = load(written(tmp_path / "train.xyz", lambda k: f"REF_energy={TOTALS[k]!r}"))
        path = written(
            tmp_path / "t.xyz", lambda k: f"energy={TOTALS[k] + 5} REF_energy={TOTALS[k]!r}"
        )
        test = load(path, like=train)
        assert (test.default_target, test.decisions[0].source) == ("energy", "REF_energy")
        np.testing.assert_array_equal(test.targets["energy"], TOTALS)
        assert test.unused["energy"] == "energy: not used: REF_energy is taken for it"
        result = study.compare(
            train,
            ["coulomb_matrix"],
            kernels=["laplacian"],
            sizes=[12, 24],
            seeds=[0],
            test=str(path),
        )
        assert result.frame["mae"].max() < 4

    def test_only_energy_under_another_name(self, tmp_path):
        train = load(written(tmp_path / "train.xyz", lambda k: f"REF_energy={TOTALS[k]!r}"))
        path = written(tmp_path / "test.xyz", lambda k: f"energy={TOTALS[k]!r}")
        np.testing.assert_array_equal(load(path, like=train).targets["energy"], TOTALS)
        path = written(
            tmp_path / "two.xyz", lambda k: f"energy={TOTALS[k]!r} dft_energy={-(k**0.5)}"
        )
        with pytest.raises(ValueError, match="is called 'REF_energy'; two has several"):
            load(path, like=train)
        train = load(written(tmp_path / "gap.xyz", lambda k: f"gap={TOTALS[k]!r}"))
        with pytest.raises(ValueError, match="has no 'gap'"):
            load(path, like=train)

    def test_number_that_begins_every_comment(self, tmp_path):
        train = load(written(tmp_path / "train.xyz", lambda k: f"{TOTALS[k]!r} converged"))
        test = load(
            written(tmp_path / "test.xyz", lambda k: f"{TOTALS[k]!r} energy=1.5"), like=train
        )
        np.testing.assert_array_equal(test.targets[train.default_target], TOTALS)

    def test_options_hold_where_the_test_file_is_silent(self, tmp_path):
        train = load(
            written(tmp_path / "train.xyz", lambda k: f"energy={TOTALS[k]!r}"), length_unit="bohr"
        )
        silent = written(tmp_path / "a.xyz", lambda k: f"energy={TOTALS[k]!r}")
        stated = written(tmp_path / "b.xyz", lambda k: f"energy={TOTALS[k]!r} length_unit=angstrom")
        options = {"like": train, "length_unit": "bohr", "species": ["O"]}
        silent, stated = (load(path, **options).structures.positions for path in (silent, stated))
        np.testing.assert_allclose(silent, stated * 0.529177210544)

    def test_study_file_has_the_options_of_reading(self, tmp_path):
        written(
            tmp_path / "train.xyz", lambda k: "energy=" + ("nan" if k == 5 else repr(TOTALS[k]))
        )
        written(tmp_path / "test.xyz", lambda k: f"energy={TOTALS[k]!r}", n=8)
        file = tmp_path / "study.toml"
        file.write_text(
            'data = "train.xyz"\ntest = "test.xyz"\nlength_unit = "bohr"\nskip_missing = true\n'
            'unit = "eV"\nsizes = [12, 23]\nseeds = [0]\nrepresentations = ["bag_of_bonds"]\n'
            'kernels = ["laplacian"]\n'
        )
        result = study.run(file)
        assert result.frame["n_train"].max() == 23
        file.write_text('data = "train.xyz"\nskip_missing = 1\n')
        with pytest.raises(ValueError, match="skip_missing must be true or false, found 1"):
            study.run(file)

    def test_decisions_on_the_test_file_are_shown(self, tmp_path, capsys):
        train = written(tmp_path / "train.xyz", lambda k: f"REF_energy={TOTALS[k]!r}")
        test = written(tmp_path / "new.xyz", lambda k: f"energy={TOTALS[k]!r}", n=6)
        arguments = ["compare", str(train), "--test", str(test), "--unit", "eV", "--sizes", "12,24"]
        arguments += ["--seeds", "0", "--no-cost", "--representations", "bag_of_bonds"]
        assert main([*arguments, "--kernels", "laplacian", "--out", str(tmp_path / "out")]) == 0
        shown = capsys.readouterr().out
        assert "tested on new: 6 structures" in shown
        assert "← energy" in shown.partition("tested on new")[2]


class TestTypesInColumns:
    TEXT = (
        "3\nProperties=id:I:1:{column}:I:1:pos:R:3 energy=-1.5\n1 2 0 0 0\n2 1 1 0 0\n3 1 0 1 0\n"
    )

    @pytest.mark.parametrize("column", ["type", "atom_types"])
    def test_types_need_elements(self, tmp_path, column):
        path = tmp_path / "a.xyz"
        path.write_text(self.TEXT.format(column=column))
        with pytest.raises(ValueError, match=f"the column {column} of the atoms holds types"):
            load(path)
        assert load(path, species=["H", "O"]).structures.numbers.tolist() == [8, 1, 1]

    def test_types_beside_elements_are_not_read(self, tmp_path):
        path = tmp_path / "a.xyz"
        text = "1\nProperties=type:I:1:species:S:1:pos:R:3 energy=-1.5\n7 O 0 0 0\n"
        path.write_text(text)
        assert load(path).structures.numbers.tolist() == [8]
        path.write_text(text + self.TEXT.format(column="type"))
        with pytest.raises(
            ValueError, match=r"frame 0 \(line 1\) names elements, frame 1 \(line 4"
        ):
            load(path)


class TestCellsOfComments:
    def frame(self, tmp_path, comment):
        path = tmp_path / "a.xyz"
        path.write_text(f"1\n{comment} energy=1.5\nO 0 0 0\n1\n{comment} energy=2.5\nO 0 0 0\n")
        return load(path)

    def test_two_names_of_one_cell(self, tmp_path):
        cell = "5 0 0 0 6 0 0 0 7"
        structures = self.frame(tmp_path, f'Lattice="{cell}" cell="{cell}"').structures
        np.testing.assert_array_equal(structures.cells[1], np.diag([5, 6, 7]))
        with pytest.raises(ValueError, match="Lattice and cell are different cells"):
            self.frame(tmp_path, f'Lattice="{cell}" cell="5 0 0 0 6 0 0 0 8"')

    def test_lengths(self, tmp_path):
        structures = self.frame(tmp_path, "box_length=9.0 pbc=TTF").structures
        np.testing.assert_array_equal(structures.cells[0], np.eye(3) * 9)
        assert structures.pbc[0].tolist() == [True, True, False]
        notes = self.frame(tmp_path, "a=5.0 b=6.0 c=7.0").notes
        assert any("a, b, c may be lengths of a cell" in note for note in notes)

    @pytest.mark.parametrize(
        "name", ["unitcell", "supercell", "lattice_matrix", "simulation_cell", "hmat", "latvec"]
    )
    def test_other_names(self, tmp_path, name):
        structures = self.frame(tmp_path, f'{name}="5 0 0 1 6 0 0 2 7"').structures
        assert structures.cells[0].tolist() == [[5, 0, 0], [1, 6, 0], [0, 2, 7]]

    @pytest.mark.parametrize(
        "name", ["cellpar", "cell_parameters", "Lattice", "lattice_parameters"]
    )
    def test_lengths_and_angles(self, tmp_path, name):
        structures = self.frame(tmp_path, f'{name}="3 4 5 90 90 120"').structures
        expected = cellpar_to_cell([3, 4, 5, 90, 90, 120])
        np.testing.assert_allclose(structures.cells[1], expected, atol=1e-12)
        with pytest.raises(ValueError, match=f"line 2 .frame 0.: {name}: expected lengths a, b, c"):
            self.frame(tmp_path, f'{name}="0 9 0 9 0 9"')

    def test_vectors_apart(self, tmp_path):
        structures = self.frame(tmp_path, 'Vec1="5 0 0" Vec2="1 6 0" Vec3="0 0 7"').structures
        assert structures.cells[0].tolist() == [[5, 0, 0], [1, 6, 0], [0, 0, 7]]
        with pytest.raises(ValueError, match="cell_angles: lengths and angles apart are not read"):
            self.frame(tmp_path, 'cell_lengths="5 6 7" cell_angles="90 90 80"')

    @pytest.mark.parametrize(
        ("words", "pbc"), [("[True,True,False]", "TTF"), ('"p p f"', "TTF"), ("(1,0,0)", "TFF")]
    )
    def test_periodicity_in_other_words(self, tmp_path, words, pbc):
        structures = self.frame(tmp_path, f'Lattice="5 0 0 0 6 0 0 0 7" pbc={words}').structures
        assert structures.pbc[0].tolist() == [letter == "T" for letter in pbc]

    @pytest.mark.parametrize(
        ("unit", "factor"), [("angstrom", 1.0), ("atomic_unit", 0.529177210544)]
    )
    def test_comments_of_i_pi(self, tmp_path, unit, factor):
        units = f"positions{{{unit}}}  cell{{{unit}}}"
        cell = "# CELL(abcABC):  10.0  11.0  12.0  90.0  90.0  90.0"
        path = tmp_path / "a.xyz"
        path.write_text("".join(f"1\n{cell}  Step: {k} Bead: 0 {units}\nO 0 0 2\n" for k in (0, 7)))
        structures = load(path).structures
        np.testing.assert_allclose(structures.cells[1], np.diag([10, 11, 12]) * factor)
        np.testing.assert_allclose(structures.positions[1], [0, 0, 2 * factor])
        path.write_text(f"1\n# CELL(H): 5 1 0 0 6 2 0 0 7 Step: 1 {units}\nO 0 0 2\n")
        expected = np.array([[5, 0, 0], [1, 6, 0], [0, 2, 7]]) * factor
        np.testing.assert_allclose(load(path).structures.cells[0], expected)
        path.write_text(f"1\n# CELL(H): 5 1 0 Step: 1 {units}\nO 0 0 2\n")
        with pytest.raises(ValueError, match=r"line 2 \(frame 0\): CELL\(H\): expected 9 numbers"):
            load(path)
