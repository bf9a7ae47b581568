"""Data sets: the class, units, the choice of property, where files come from."""

import sys

import numpy as np
import pytest

from molkern.datasets import Dataset, atomization_energies, available, fetch, load, verify
from molkern.datasets.registry import ENTRIES
from molkern.datasets.units import BOHR, conversion_factor, length_factor, unit_name
from molkern.structures import Structures

WATER = ([8, 1, 1], [[0.0, 0.0, 0.119], [0.0, 0.763, -0.477], [0.0, -0.763, -0.477]])
HYDROGEN = ([1, 1], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.74]])


def make_dataset(**changes):
    structures = Structures.from_arrays([WATER, HYDROGEN, WATER, HYDROGEN])
    arguments = {
        "name": "made",
        "structures": structures,
        "targets": {
            "energy": np.array([1.0, 2.0, 3.0, 4.0]),
            "forces": np.arange(30.0).reshape(10, 3),
        },
        "units": {"energy": "eV", "forces": "eV/angstrom"},
        "default_target": "energy",
        "folds": (np.array([0, 2]), np.array([1, 3])),
        "splits": ((np.array([0, 1]), np.array([2, 3])),),
    }
    return Dataset(**{**arguments, **changes})


def write_npz(path, **changes):
    """A packed file of two waters and a hydrogen molecule."""
    structures = Structures.from_arrays([WATER, HYDROGEN, WATER])
    arrays = {
        "numbers": structures.numbers,
        "positions": structures.positions,
        "offsets": structures.offsets,
        "energy": np.array([-76.0, -1.0, -76.5]),
        "gap": np.array([0.3, 0.4, 0.5]),
    }
    arrays = {key: value for key, value in {**arrays, **changes}.items() if value is not None}
    np.savez(path, **arrays)
    return path


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    """No test sees the data or the cache of the machine, unless it asks."""
    monkeypatch.delenv("MOLKERN_DATA", raising=False)
    monkeypatch.setenv("MOLKERN_CACHE", str(tmp_path / "cache"))


class TestDataset:
    def test_select_keeps_atoms_with_their_structures(self):
        subset = make_dataset().select([3, 0])
        np.testing.assert_array_equal(subset.targets["energy"], [4.0, 1.0])
        expected = np.arange(30.0).reshape(10, 3)[[8, 9, 0, 1, 2]]
        np.testing.assert_array_equal(subset.targets["forces"], expected)
        np.testing.assert_array_equal(subset.structures.numbers, [1, 1, 8, 1, 1])

    def test_select_moves_folds_and_splits(self):
        subset = make_dataset().select(np.array([True, False, True, True]))
        np.testing.assert_array_equal(subset.folds[0], [0, 1])
        np.testing.assert_array_equal(subset.folds[1], [2])
        np.testing.assert_array_equal(subset.splits[0][0], [0])
        np.testing.assert_array_equal(subset.splits[0][1], [1, 2])

    def test_select_twice_the_same_has_no_folds(self):
        subset = make_dataset().select([0, 0])
        assert len(subset) == 2
        assert subset.folds is None
        assert subset.splits is None

    @pytest.mark.parametrize("index", [4, [0, 9], np.array([True, False])])
    def test_select_out_of_range_raises(self, index):
        with pytest.raises(IndexError):
            make_dataset().select(index)

    def test_wrong_rows_raise(self):
        with pytest.raises(ValueError, match="'energy' needs 4 rows, found shape \\(3,\\)"):
            make_dataset(targets={"energy": np.zeros(3)})
        with pytest.raises(ValueError, match="'forces' needs 10 rows"):
            make_dataset(targets={"energy": np.zeros(4), "forces": np.zeros((4, 3))})

    def test_lists_and_other_numbers_become_float64(self):
        forces = make_dataset().targets["forces"]
        for energy in ([1, 2, 3, 4], np.arange(1, 5, dtype=np.float32)):
            dataset = make_dataset(targets={"energy": energy, "forces": forces})
            assert dataset.targets["energy"].dtype == np.float64
            np.testing.assert_array_equal(dataset.targets["energy"], [1.0, 2.0, 3.0, 4.0])
            assert dataset.targets["forces"] is forces

    def test_wrong_types_raise(self):
        with pytest.raises(TypeError, match="'energy' must hold real numbers, found list of <U1"):
            make_dataset(targets={"energy": ["a", "b", "c", "d"]})
        with pytest.raises(ValueError, match="'energy' has rows of different lengths"):
            make_dataset(targets={"energy": [[1.0], [1.0, 2.0]]})
        with pytest.raises(TypeError, match="targets: expected a dict of arrays, found list"):
            make_dataset(targets=[1.0, 2.0])
        with pytest.raises(TypeError, match="structures: expected Structures, found list"):
            make_dataset(structures=[WATER, WATER])

    def test_masked_labels_raise(self):
        forces = make_dataset().targets["forces"]
        masked = np.ma.array([1.0, 1e20, 3.0, 4.0], mask=[0, 1, 0, 0])
        for energy in (masked, list(masked)):
            with pytest.raises(ValueError, match=r"targets: 'energy': .* masked .* in row 1"):
                make_dataset(targets={"energy": energy, "forces": forces})
        whole = np.ma.array([1.0, 2.0, 3.0, 4.0])
        made = make_dataset(targets={"energy": whole, "forces": forces})
        assert type(made.targets["energy"]) is np.ndarray

    def test_target_without_unit_raises(self):
        with pytest.raises(ValueError, match="no unit for target 'forces'"):
            make_dataset(units={"energy": "eV"})

    def test_unknown_default_raises(self):
        with pytest.raises(ValueError, match="default_target: 'gap' is not among"):
            make_dataset(default_target="gap")

    def test_repr_and_len(self):
        dataset = make_dataset()
        assert len(dataset) == 4
        assert "energy [eV]" in repr(dataset)


class TestUnits:
    def test_energies(self):
        # CODATA 2022, written down independently of the table.
        assert conversion_factor("hartree", "kcal/mol") == pytest.approx(627.509474063, rel=1e-11)
        assert conversion_factor("eV", "kcal/mol") == pytest.approx(23.060547830619, rel=1e-11)
        assert conversion_factor("kcal/mol", "kJ/mol") == pytest.approx(4.184, rel=1e-11)
        assert conversion_factor("eV", "meV") == pytest.approx(1000.0, rel=1e-14)
        assert conversion_factor("rydberg", "eV") == pytest.approx(13.605693122990, rel=1e-12)
        assert conversion_factor("eV", "cm^-1") == pytest.approx(8065.543937, rel=1e-9)

    def test_energy_per_length(self):
        # hartree/bohr in eV/angstrom: 51.42206747.
        factor = conversion_factor("hartree/bohr", "eV/angstrom")
        assert factor == pytest.approx(51.422067, rel=1e-7)

    def test_spelling_of_other_units(self):
        assert conversion_factor("debye", "Debye") == 1.0

    def test_there_and_back(self):
        for a in ("hartree", "kcal/mol", "meV"):
            assert conversion_factor(a, "eV") * conversion_factor("eV", a) == pytest.approx(1.0)

    @pytest.mark.parametrize(
        ("source", "target"), [("eV", "debye"), ("eV", "angstrom"), ("a", "b")]
    )
    def test_other_kind_raises(self, source, target):
        with pytest.raises(ValueError, match=f"cannot convert '{source}' to '{target}'"):
            conversion_factor(source, target)

    def test_lengths(self):
        assert length_factor("bohr") == BOHR
        assert length_factor("Angstrom") == 1.0
        assert length_factor("nm") == 10.0
        with pytest.raises(ValueError, match="length_unit: expected one of"):
            length_factor("eV")

    def test_names(self):
        assert unit_name(" kcal/mol ") == "kcal/mol"
        with pytest.raises(ValueError, match="found an empty string"):
            unit_name(" ")
        with pytest.raises(TypeError, match="unit: expected a string, found int"):
            unit_name(1)


class TestAtomization:
    def test_matches_sum_over_atoms(self):
        structures = Structures.from_arrays([WATER, HYDROGEN])
        free = {"H": -0.5, "O": -75.0}
        result = atomization_energies(structures, [-76.4, -1.17], free)
        np.testing.assert_allclose(result, [-76.4 + 76.0, -1.17 + 1.0], rtol=1e-14)

    def test_integers_as_keys(self):
        result = atomization_energies(Structures.from_arrays([HYDROGEN]), [-1.17], {1: -0.5})
        np.testing.assert_allclose(result, [-0.17])

    def test_missing_element_raises(self):
        with pytest.raises(ValueError, match="atom_energies: no energy for O"):
            atomization_energies(Structures.from_arrays([WATER]), [-76.4], {"H": -0.5})

    def test_wrong_shape_raises(self):
        with pytest.raises(ValueError, match="total_energies: expected shape \\(1,\\), found"):
            atomization_energies(Structures.from_arrays([WATER]), [1.0, 2.0], {"H": 0, "O": 0})


class TestPropertyAndUnit:
    def test_energy_is_the_default(self, tmp_path):
        assert load(write_npz(tmp_path / "a.npz")).default_target == "energy"

    def test_single_one_is_taken(self, tmp_path):
        dataset = load(write_npz(tmp_path / "a.npz", energy=None))
        assert dataset.default_target == "gap"

    def test_several_without_energy_raise(self, tmp_path):
        path = write_npz(tmp_path / "a.npz", energy=None, mu=np.array([0.1, 1.5, 1.4]))
        with pytest.raises(ValueError, match=r"choose one of: gap \[unknown\], mu \[unknown\]"):
            load(path)

    def test_chosen_by_name_any_case(self, tmp_path):
        assert load(write_npz(tmp_path / "a.npz"), property="GAP").default_target == "gap"

    def test_unknown_property_raises(self, tmp_path):
        with pytest.raises(ValueError, match=r"has no 'mu'; it has: energy \[unknown\], gap"):
            load(write_npz(tmp_path / "a.npz"), property="mu")

    def test_no_targets(self, tmp_path):
        path = write_npz(tmp_path / "a.npz", energy=None, gap=None)
        dataset = load(path)
        assert dataset.default_target == ""
        assert "no property found: structures only" in dataset.notes
        with pytest.raises(ValueError, match="unit: a has no target"):
            load(path, unit="eV")

    def test_unit_is_not_guessed(self, tmp_path):
        dataset = load(write_npz(tmp_path / "a.npz"))
        assert dataset.units["energy"] == "unknown"
        assert any("unit of energy is unknown" in note for note in dataset.notes)

    def test_unit_states_an_unknown_one(self, tmp_path):
        forces = np.ones((8, 3))
        dataset = load(write_npz(tmp_path / "a.npz", forces=forces), unit="Ha")
        assert dataset.units == {
            "energy": "hartree",
            "gap": "unknown",
            "forces": "hartree/angstrom",
        }
        np.testing.assert_array_equal(dataset.targets["energy"], [-76.0, -1.0, -76.5])

    def test_unit_converts_a_known_one(self, tmp_path):
        stated = {"e_unit": np.array("hartree"), "forces": np.ones((8, 3))}
        path = write_npz(tmp_path / "a.npz", **stated)
        assert load(path).units["energy"] == "hartree"
        dataset = load(path, unit="kcal/mol")
        assert dataset.units["energy"] == "kcal/mol"
        assert dataset.targets["energy"][1] == pytest.approx(-627.509474063)
        assert dataset.units["forces"] == "kcal/mol/angstrom"
        assert dataset.targets["forces"][0, 0] == pytest.approx(627.509474063)
        assert "energy converted from hartree to kcal/mol" in dataset.notes
        with pytest.raises(ValueError, match="cannot convert 'hartree' to 'debye'"):
            load(path, unit="debye")

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_labels_not_finite_raise(self, tmp_path, bad):
        path = write_npz(tmp_path / "a.npz", energy=np.array([1.0, bad, bad]))
        with pytest.raises(
            ValueError,
            match=r"2 of 3 structures, first for structure 1; --skip-missing leaves .*in Py",
        ):
            load(path)
        assert len(load(path, property="gap")) == 3
        assert len(load(path, skip_missing=True)) == 1


class TestNames:
    def test_every_entry_is_complete(self):
        for name, entry in ENTRIES.items():
            assert entry.name == name
            assert entry.files
            for file in (f for g in entry.files for f in (g, *g.companions)):
                assert file.source
                assert file.sha256 is None or len(file.sha256) == 64
                assert file.md5 is None or len(file.md5) == 32
                assert file.format == "list" or file.content is not None

    def test_unknown_name_raises_with_a_hint(self):
        with pytest.raises(ValueError, match=r"no data set or file 'qm77'.*did you mean"):
            load("qm77")

    @pytest.mark.parametrize("path", ["nowhere.npz", "no/where"])
    def test_missing_file_raises(self, path):
        with pytest.raises(FileNotFoundError, match=f"no such file: {path}"):
            load(path)

    def test_wrong_type_raises(self):
        with pytest.raises(TypeError, match="name_or_path: expected a string or Path, found int"):
            load(7)
        for name in ("property", "unit", "length_unit"):
            with pytest.raises(TypeError, match=f"{name}: expected a string or None, found 3"):
                load("mini-ethanol", **{name: 3})

    def test_length_unit_of_a_known_set_raises(self):
        with pytest.raises(ValueError, match=r"length_unit: qm7 has a known.* --length-unit"):
            load("qm7", length_unit="bohr")

    def test_not_there_and_no_download(self):
        match = r'qm7: not found in MOLKERN_DATA .*"molkern data fetch qm7", in Python datasets'
        with pytest.raises(FileNotFoundError, match=match):
            load("qm7", download=False)
        with pytest.raises(FileNotFoundError, match="qm7: not found"):
            verify("qm7")

    def test_no_address_says_what_to_do(self):
        with pytest.raises(FileNotFoundError, match=r"qm7-qml: no address is registered.*its path"):
            load("qm7-qml")

    @pytest.mark.parametrize(
        ("module", "file", "match"),
        [
            ("h5py", "a.h5", r"reading HDF5 files needs h5py: pip install \"molkern\[study\]\""),
            ("scipy.io", "a.mat", "reading MATLAB files needs scipy: pip install"),
            ("ase.io.formats", "a.cif", r"reading a\.cif needs ase: pip install"),
            ("ase.db", "a.db", r"reading a\.db needs ase: pip install"),
        ],
    )
    def test_missing_extra_raises(self, monkeypatch, tmp_path, module, file, match):
        (tmp_path / file).write_bytes(b"SQLite format 3\0" if module == "ase.db" else b"#")
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(ImportError, match=match):
            load(tmp_path / file)

    def test_wrong_data_folder_raises(self, monkeypatch, tmp_path):
        monkeypatch.setenv("MOLKERN_DATA", str(tmp_path / "absent"))
        with pytest.raises(FileNotFoundError, match="MOLKERN_DATA: no such folder"):
            load("qm7")

    def test_available_lists_all_without_reading(self):
        lines = {line.name: line for line in available()}
        assert list(lines) == list(ENTRIES)
        assert lines["qm7"].place == "download"
        assert lines["qm7"].check == "content"
        assert lines["qm9"].check == "SHA-256"
        assert lines["rmd17-ethanol"].check == "MD5"
        assert lines["ani1-s02"].place == "by hand"

    def test_unknown_names_of_fetch_and_verify_raise(self):
        with pytest.raises(ValueError, match="'gdb17'; the data sets are: mini-molecules,"):
            fetch("gdb17")
        with pytest.raises(ValueError, match="no data set 'gdb17'"):
            verify("gdb17")
