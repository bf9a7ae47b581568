"""The published file formats, on small files written here, whole and damaged."""

import io
import tarfile

import numpy as np
import pytest

from molkern.datasets import QM9_ATOM_ENERGIES, formats, load
from molkern.datasets.qm9 import PROPERTIES, parse_xyz
from molkern.datasets.units import BOHR

# Numbers made up for the format; exponents as QM9 writes them.
VALUES = "157.7 157.8 157.9 0. 13.2 -0.38 0.11 0.49 35.3 0.044 -40.4 -40.3 -40.2 -40.5 6.4"
XYZ = (
    "5\n"
    "gdb {number}\t" + VALUES.replace(" ", "\t") + "\t\n"
    "C\t-0.0126981359\t 1.0858041578\t 0.0080009958\t-0.535689\n"
    "H\t 2.1997*^-6\t-0.0060313176\t 0.0019761204\t 0.133921\n"
    "H\t 1.0117308433\t 1.4637511618\t 0.0002765748\t 0.133922\n"
    "H\t-0.540815069\t 1.4475266138\t-8.766437152*^-1\t 1.33923*^-1\n"
    "H\t-0.5238136345\t 1.4379326443\t 0.9063972942\t 0.133923\n"
    "1341.3\t1341.3\t1341.4\t1562.7\t1562.7\t3038.3\t3151.6\t3151.7\t3151.7\nC\tC\t\nInChI=1S/CH4/h1H4\tInChI=1S/CH4/h1H4\n"
)
SDF = """gdb_{number}
  made for a test

  3  2  0     0  0  0  0  0  0999 V2000
   -0.0344    0.9775    0.0076 O   0  0  0  0  0  0  0  0  0  0  0  0
    0.0648    0.0206    0.0015 H   0  0  0  0  0  0  0  0  0  0  0  0
    0.8718    1.3008    0.0007 H   0  0  0  0  0  0  0  0  0  0  0  0
  1  2  1  0  0  0  0
  1  3  1  0  0  0  0
M  END
$$$$
"""
CSV_HEAD = "mol_id,A,B,C,mu,alpha,homo,lumo,gap,r2,zpve,u0,u298,h298,g298,cv,u0_atom\n"


def write_tar(path, numbers):
    with tarfile.open(path, "w:bz2") as archive:
        for number in numbers:
            content = XYZ.format(number=number).encode()
            member = tarfile.TarInfo(f"dsgdb9nsd_{number:06d}.xyz")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


class TestQM9Xyz:
    def test_values(self):
        number, values, numbers, positions = parse_xyz(XYZ.format(number=7))
        assert number == 7
        assert values == [float(word) for word in VALUES.split()]
        assert numbers == [6, 1, 1, 1, 1]
        assert positions[1] == (2.1997e-6, -0.0060313176, 0.0019761204)
        assert positions[3] == (-0.540815069, 1.4475266138, -0.8766437152)

    def test_one_file(self, tmp_path):
        path = tmp_path / "dsgdb9nsd_000007.xyz"
        path.write_text(XYZ.format(number=7))
        dataset = load(path)
        assert dataset.default_target == "U0_atomization"
        free = QM9_ATOM_ENERGIES["U0"]
        expected = (-40.4 - free["C"] - 4 * free["H"]) * 627.509474063
        assert dataset.targets["U0_atomization"][0] == pytest.approx(expected, rel=1e-11)
        assert dataset.units["gap"] == "hartree"
        assert any("NOT left out" in note for note in dataset.notes)
        assert load(path, property="u0").targets["U0"][0] == -40.4
        assert load(path, property="gap", unit="eV").targets["gap"][0] == pytest.approx(13.3335792)

    def test_tar_and_folder_with_list(self, tmp_path):
        path = write_tar(tmp_path / "dsgdb9nsd.xyz.tar.bz2", [3, 1, 2])
        (tmp_path / "uncharacterized.txt").write_text("# Index\n      2   NC(=N)C#N   x   6.03\n")
        dataset = load(path)
        assert len(dataset) == 2
        assert any("1 uncharacterized molecules left out" in note for note in dataset.notes)
        assert len(load(path, keep_uncharacterized=True)) == 3
        for number in (1, 2, 3):
            (tmp_path / f"dsgdb9nsd_{number:06d}.xyz").write_text(XYZ.format(number=number))
        folder = load(tmp_path)
        assert folder.structures == dataset.structures
        np.testing.assert_array_equal(folder.targets["U0"], dataset.targets["U0"])

    @pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
    def test_truncated_tar_raises(self, tmp_path, share):
        path = write_tar(tmp_path / "dsgdb9nsd.xyz.tar.bz2", range(1, 200))
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(ValueError, match=r"tar\.bz2: .*(damaged|truncated)"):
            load(path)

    def test_tar_without_molecules_raises(self, tmp_path):
        path = write_tar(tmp_path / "a.tar.bz2", [])
        with pytest.raises(ValueError, match=r"an archive without geometries; expected XYZ files"):
            load(path)

    def test_same_number_twice_raises(self, tmp_path):
        with pytest.raises(ValueError, match="two molecules have the same QM9 number"):
            load(write_tar(tmp_path / "a.tar.bz2", [1, 1]))

    @pytest.mark.parametrize(
        ("old", "new", "match"),
        [
            ("\nC\tC\t\nInChI=1S/CH4/h1H4\tInChI=1S/CH4/h1H4\n", "\n", "expected 10 lines for 5"),
            ("\t35.3", "", "'gdb', a number and 15 values"),
            (
                "\t0.133921\n".replace("\t", "\t "),
                "\n",
                "line 4: expected element, x, y, z, charge",
            ),
            ("1.0858041578", "1.08x", "could not convert string to float"),
            ("C\t-", "Xx\t-", "expected a chemical symbol, found 'Xx'"),
            (" 1.0858041578", "nan", "positions: expected finite values"),
        ],
    )
    def test_damaged_file_raises(self, tmp_path, old, new, match):
        text = XYZ.format(number=1)
        assert old in text
        path = tmp_path / "dsgdb9nsd_000001.xyz"
        path.write_text(text.replace(old, new))
        with pytest.raises(ValueError, match=rf"dsgdb9nsd_000001\.xyz: .*{match}"):
            load(path)

    def test_list_without_numbers_raises(self, tmp_path):
        path = write_tar(tmp_path / "a.tar.bz2", [1])
        (tmp_path / "uncharacterized.txt").write_text("<html>\n")
        with pytest.raises(ValueError, match=r"uncharacterized\.txt: no QM9 numbers found"):
            load(path)


class TestQM9Sdf:
    def write(self, folder, sdf_numbers, csv_numbers):
        sdf = "".join(SDF.format(number=k) for k in sdf_numbers)
        values = VALUES.replace("-40.4", "-76.4").replace("-40.3", "-76.3").split()
        free = QM9_ATOM_ENERGIES["U0"]["O"] + 2 * QM9_ATOM_ENERGIES["U0"]["H"]
        values.append(repr((-76.4 - free) * 627.509474063))
        rows = (f"gdb_{k}," + ",".join(values) + "\n" for k in csv_numbers)
        (folder / "gdb9.sdf").write_text(sdf)
        (folder / "gdb9.sdf.csv").write_text(CSV_HEAD + "".join(rows))
        return folder / "gdb9.sdf"

    def test_joined_by_name(self, tmp_path):
        path = self.write(tmp_path, [5, 2], [1, 2, 5])
        dataset = load(path)
        np.testing.assert_array_equal(dataset.structures.numbers, [8, 1, 1] * 2)
        assert list(dataset.targets)[: len(PROPERTIES)] == list(PROPERTIES)
        np.testing.assert_array_equal(dataset.targets["U"], [-76.3, -76.3])
        assert load(tmp_path / "gdb9.sdf.csv").structures == dataset.structures
        (tmp_path / "uncharacterized.txt").write_text("2\n")
        assert len(load(path)) == 1

    def test_end_without_newline(self, tmp_path):
        path = self.write(tmp_path, [1, 2], [1, 2])
        path.write_text(path.read_text().rstrip("\n"))
        assert len(load(path)) == 2

    @pytest.mark.parametrize(
        ("cut", "match"),
        [(-60, "the last record does not end"), (-330, "the last record does not end")],
    )
    def test_truncated_raises(self, tmp_path, cut, match):
        path = self.write(tmp_path, [1, 2], [1, 2])
        path.write_text(path.read_text()[:cut])
        with pytest.raises(ValueError, match=rf"gdb9\.sdf: truncated: {match}"):
            load(path)

    def test_missing_partner_raises(self, tmp_path):
        path = self.write(tmp_path, [1], [1])
        (tmp_path / "gdb9.sdf.csv").rename(tmp_path / "other.csv")
        dataset = load(path)
        assert dataset.default_target == ""
        assert "in a table beside the file (gdb9.sdf.csv)" in dataset.unused["labels"]
        with pytest.raises(ValueError, match=r"other\.csv: holds labels without geometries"):
            load(tmp_path / "other.csv")

    def test_missing_row_raises(self, tmp_path):
        with pytest.raises(ValueError, match=r"csv: no row for 1 molecules .*first gdb_3"):
            load(self.write(tmp_path, [1, 3], [1]))

    def test_wrong_csv_raises(self, tmp_path):
        path = self.write(tmp_path, [1], [1])
        table = tmp_path / "gdb9.sdf.csv"
        text = table.read_text()
        table.write_text(text.replace(",gap", ",hole"))
        dataset = load(path, property="hole", unit="eV")  # QM9's no more: labels of one's own
        assert dataset.targets["hole"].tolist() == [0.49]
        assert dataset.units["hole"] == "eV"
        assert dataset.citation == ""
        table.write_text(text[:-60])
        with pytest.raises(ValueError, match=r"line 2: .*truncated"):
            load(path)

    def test_wrong_record_raises(self, tmp_path):
        path = self.write(tmp_path, [1], [1])
        path.write_text(path.read_text().replace("  3  2", "  9  2"))
        with pytest.raises(ValueError, match="record 1: not a V2000 record of QM9"):
            load(path)


class TestQM7Mat:
    def write(self, path, **changes):
        from scipy.io import savemat

        z = np.array([[8, 1, 1, 0], [1, 1, 0, 0]], np.float32)
        r = np.random.default_rng(0).normal(size=(2, 4, 3)).astype(np.float32)
        arrays = {"Z": z, "R": r, "T": np.array([[-218.0, -104.0]], np.float32)}
        arrays |= {"P": np.array([[1], [0]]), "X": np.zeros((2, 4, 4), np.float32)}
        arrays = {key: v for key, v in {**arrays, **changes}.items() if v is not None}
        savemat(path, arrays)
        return path, arrays

    @pytest.mark.parametrize("changes", [{}, {"X": None}])
    def test_values(self, tmp_path, changes):
        path, arrays = self.write(tmp_path / "qm7.mat", **changes)
        dataset = formats.read(path, "qm7-mat", False)
        r = arrays["R"].astype(float) * BOHR
        np.testing.assert_array_equal(dataset.structures.positions, [*r[0, :3], *r[1, :2]])
        np.testing.assert_array_equal(dataset.structures.numbers, [8, 1, 1, 1, 1])
        np.testing.assert_array_equal(dataset.targets["energy"], [-218.0, -104.0])
        assert dataset.units == {"energy": "kcal/mol"}
        assert [fold.tolist() for fold in dataset.folds] == [[1], [0]]
        assert any("converted from bohr" in note for note in dataset.notes)

    def test_without_folds(self, tmp_path):
        dataset = formats.read(self.write(tmp_path / "qm7.mat", P=None)[0], "qm7-mat", False)
        assert dataset.folds is None
        assert any("no folds" in note for note in dataset.notes)

    @pytest.mark.parametrize(
        ("changes", "match"),
        [
            ({"T": None}, r"lacks the keys \['T'\] of qm7.mat; found \['P', 'R', 'X', 'Z'\]"),
            ({"T": np.zeros((1, 3))}, "T has 3 energies for 2 molecules"),
            ({"R": np.zeros((2, 3, 3))}, "need positions of shape"),
            ({"Z": np.zeros(3)}, "T has|need positions"),
            ({"P": np.array([[0], [0]])}, "does not divide 2 molecules into folds"),
        ],
    )
    def test_wrong_content_raises(self, tmp_path, changes, match):
        path, _ = self.write(tmp_path / "qm7.mat", **changes)
        with pytest.raises(ValueError, match=rf"qm7\.mat: .*({match})"):
            formats.read(path, "qm7-mat", False)

    def test_layout_alone_is_no_qm7(self, tmp_path):
        path, arrays = self.write(tmp_path / "qm7.mat")
        dataset = load(path, property="T", unit="eV", length_unit="bohr")
        r = arrays["R"].astype(float) * BOHR
        np.testing.assert_allclose(dataset.structures.positions, [*r[0, :3], *r[1, :2]])
        np.testing.assert_array_equal(dataset.targets["T"], [-218.0, -104.0])
        assert dataset.units["T"] == "eV"
        assert dataset.citation == ""
        assert load(path, property="T").units["T"] == "unknown"

    @pytest.mark.parametrize("share", [0.0, 0.2, 0.6, 0.95])
    def test_truncated_raises(self, tmp_path, share):
        path, _ = self.write(tmp_path / "qm7.mat")
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(ValueError, match=r"qm7\.mat: (not a readable MATLAB|truncated)"):
            formats.read(path, "qm7-mat", False)
