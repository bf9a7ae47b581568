"""Tables beside geometries: which row is whose, what is missing, and in which unit."""

import io
import os
import tarfile
import zipfile

import numpy as np
import pytest

from molkern.datasets import load

FRAME = "2\n{comment}\nC 0 0 0\nO 0 0 {r}\n"
NAMES = ("co_a", "co_b", "co_c")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("MOLKERN_CACHE", str(tmp_path_factory.mktemp("cache")))


def written(tmp_path, files):
    path = tmp_path / "runs"
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def with_table(tmp_path, table, name="labels.csv", titles=NAMES, comment="made"):
    frames = {f"{t}.xyz": FRAME.format(comment=comment, r=1 + k / 10) for k, t in enumerate(titles)}
    return written(tmp_path, {**frames, name: table})


def notes(dataset):
    return " | ".join(dataset.notes)


class TestRows:
    def test_two_that_differ_are_named(self, tmp_path):
        table = "file,energy\nco_a,1\nco_b,2\nco_c,3\nco_b.xyz,9\n"
        with pytest.raises(ValueError, match=r"labels\.csv: .*lines 3 and 5 .* energy '2' and '9'"):
            load(with_table(tmp_path, table.replace("co_b.xyz", "co_b")))

    def test_equal_ones_are_fine(self, tmp_path):
        table = "file,energy\nco_a,1\nco_b,2\nco_c,3\nco_b,2.0\n"
        assert load(with_table(tmp_path, table)).targets["energy"].tolist() == [1, 2, 3]

    def test_of_no_structure_are_counted(self, tmp_path):
        table = "file,energy\nco_a,1\nlost_1,7\nco_b,2\nlost_2,8\nco_c,3\n"
        assert "2 of its rows name no structure, first 'lost_1'" in notes(
            load(with_table(tmp_path, table))
        )

    def test_same_name_in_two_folders(self, tmp_path):
        frames = {f"{f}/mol.xyz": FRAME.format(comment="", r=1) for f in ("cold", "warm")}
        path = written(tmp_path, {**frames, "t.csv": "id,energy\nmol,1\n"})
        with pytest.raises(ValueError, match=r"t\.csv: line 2: .* cold/mol\.xyz or warm/mol\.xyz"):
            load(path)
        (path / "t.csv").write_text("id,energy\nwarm/mol,2\ncold/mol,1\n")
        assert load(path).targets["energy"].tolist() == [1, 2]

    def test_one_for_a_file_of_several_frames(self, tmp_path):
        frame = FRAME.format(comment="", r=1)
        path = written(tmp_path, {"a.xyz": frame * 3, "b.xyz": frame, "t.csv": "id,e\na,1\nb,2\n"})
        with pytest.raises(ValueError, match=r"t\.csv: line 2: 3 structures are called 'a\.xyz'"):
            load(path)

    def test_more_entries_than_names(self, tmp_path):
        table = "file,energy\nco_a,-1,5\nco_b,-2,5\nco_c,-3,5\n"
        with pytest.raises(ValueError, match=r"labels\.csv: line 2: expected 2 entries .* found 3"):
            load(with_table(tmp_path, table))

    def test_two_columns_of_names(self, tmp_path):
        table = "old,new,energy\nco_a,co_b,1\nco_b,co_c,2\nco_c,co_a,3\n"
        with pytest.raises(ValueError, match=r"columns 'old' and 'new' both call the structures"):
            load(with_table(tmp_path, table))

    def test_numbers_that_lost_their_zeros(self, tmp_path):
        table = "id,energy\n3,30.5\n1,10.5\n2,20.5\n"
        path = with_table(tmp_path, table, titles=("0001", "0002", "0003"))
        assert load(path).targets["energy"].tolist() == [10.5, 20.5, 30.5]

    @pytest.mark.parametrize("ids", [("1.0", "2.0", "3.0"), ("1", "2", "3")])
    def test_energies_are_no_names(self, tmp_path, ids):
        table = "id,energy\n" + "".join(f"{k},{4 - int(k[0])}\n" for k in ids)
        path = with_table(tmp_path, table, titles=("1", "2", "3"))
        assert load(path).targets["energy"].tolist() == [3, 2, 1]

    def test_endings_that_are_part_of_the_name(self, tmp_path):
        table = "id,energy\nco.ts,2\nco.opt,1\n"
        path = with_table(tmp_path, table, titles=("co.opt", "co.ts"))
        assert load(path).targets["energy"].tolist() == [1, 2]


class TestEntries:
    @pytest.mark.parametrize("word", ["NA", "n/a", "None", "NULL", "-", "nan", "", "NaN", "null"])
    def test_missing_ones(self, tmp_path, word):
        path = with_table(tmp_path, f"file,energy\nco_a,1\nco_b,{word}\nco_c,3\n")
        with pytest.raises(ValueError, match=r"energy is missing .* 1 of 3 .* co_b\.xyz"):
            load(path)
        assert load(path, skip_missing=True).targets["energy"].tolist() == [1, 3]

    def test_decimal_commas(self, tmp_path):
        table = "file;energy;gap\nco_a;-1,25;0,5\nco_b;-2,5;0,25\nco_c;-3,125;1\n"
        dataset = load(with_table(tmp_path, table))
        assert dataset.targets["energy"].tolist() == [-1.25, -2.5, -3.125]
        assert dataset.targets["gap"].tolist() == [0.5, 0.25, 1]

    @pytest.mark.parametrize("second", ["-2,125", "-2.5"])
    def test_commas_that_may_divide_thousands(self, tmp_path, second):
        table = f"file;energy\nco_a;-1,250\nco_b;{second}\nco_c;3\n"
        with pytest.raises(ValueError, match=r"labels\.csv: '-1,250' may have a decimal comma"):
            load(with_table(tmp_path, table))

    def test_text_drops_the_column_and_says_so(self, tmp_path):
        table = "file,energy,gap\nco_a,1,0.5\nco_b,failed,0.5\nco_c,1_0,0.5\n"
        dataset = load(with_table(tmp_path, table))
        assert "found text such as 'failed'" in dataset.unused["energy"]

    @pytest.mark.parametrize("mark", ["|", " | ", "\t", ";"])
    def test_marks_between_them(self, tmp_path, mark):
        rows = (("file", "energy"), ("co_a", "1"), ("co_b", "2"), ("co_c", "3"))
        table = "".join(mark.join(row) + "\n" for row in rows)
        assert load(with_table(tmp_path, table)).targets["energy"].tolist() == [1, 2, 3]

    def test_columns_without_values(self, tmp_path):
        table = "file,energy,gap,\nco_a,1,NA,\nco_b,2,,\nco_c,3,NA,\n"
        dataset = load(with_table(tmp_path, table))
        assert list(dataset.targets) == ["energy"]
        assert dataset.unused == {"gap": "gap: no structure has a value"}

    def test_pointer_of_git_lfs(self, tmp_path):
        path = with_table(tmp_path, "version https://git-lfs.github.com/spec/v1\noid x\n")
        with pytest.raises(ValueError, match=r"labels\.csv: a pointer of Git LFS"):
            load(path)

    def test_utf_16(self, tmp_path):
        table = "file,energy\nco_a,1\nco_b,2\nco_c,3\n".encode("utf-16")
        assert load(with_table(tmp_path, table)).targets["energy"].tolist() == [1, 2, 3]

    def test_names_of_columns_in_a_comment(self, tmp_path):
        table = "# name energy gap\nco_a 1.5 0.5\nco_b 2.5 0.5\nco_c 3.5 0.5\n"
        dataset = load(with_table(tmp_path, table, "labels.dat"))
        assert dataset.targets["energy"].tolist() == [1.5, 2.5, 3.5]

    def test_header_without_a_name_for_the_rows(self, tmp_path):
        table = "energy gap\nco_a 1.5 0.5\nco_b 2.5 0.25\nco_c 3.5 0.5\n"
        dataset = load(with_table(tmp_path, table, "labels.dat"))
        assert dataset.targets["energy"].tolist() == [1.5, 2.5, 3.5]

    def test_unit_behind_a_name(self, tmp_path):
        table = "file energy (Hartree)\nco_a 1.5\nco_b 2.5\nco_c 3.5\n"
        dataset = load(with_table(tmp_path, table, "labels.dat"), overview=True)
        assert any(v.tolist() == [1.5, 2.5, 3.5] for v in dataset.targets.values())


class TestUnits:
    def test_in_a_column(self, tmp_path):
        table = "file,energy,energy_unit\nco_a,1,Ha\nco_b,2,hartree\nco_c,3,Ha\n"
        dataset = load(with_table(tmp_path, table))
        assert dataset.units["energy"] == "hartree"

    def test_in_a_column_of_that_name(self, tmp_path):
        table = "file,energy,unit\nco_a,1,kcal/mol\nco_b,2,kcal/mol\nco_c,3,kcal/mol\n"
        assert load(with_table(tmp_path, table)).units["energy"] == "kcal/mol"

    def test_in_a_comment(self, tmp_path):
        table = "# energy_unit: Ha\n# made in May\nfile,energy\nco_a,1\nco_b,2\nco_c,3\n"
        dataset = load(with_table(tmp_path, table))
        assert dataset.units["energy"] == "hartree"
        assert "comments are not read, such as 'made in May'" in notes(dataset)

    def test_numbers_of_units_are_none(self, tmp_path):
        table = "file,energy,units\nco_a,1.5,4\nco_b,2.5,8\nco_c,3.5,8\n"
        dataset = load(with_table(tmp_path, table))
        assert dataset.targets["units"].tolist() == [4, 8, 8]
        assert dataset.units["energy"] == "unknown"

    @pytest.mark.parametrize("second", ["eV", ""])
    def test_that_differ(self, tmp_path, second):
        table = f"file,energy,energy_unit\nco_a,1,Ha\nco_b,2,{second}\nco_c,3,Ha\n"
        with pytest.raises(ValueError, match=r"co_a\.xyz.* energy_unit='Ha', co_b\.xyz"):
            load(with_table(tmp_path, table))

    def test_of_the_files_that_differ_from_the_table(self, tmp_path):
        table = "file,gap_energy,energy_unit\nco_a,1,Ha\nco_b,2,Ha\nco_c,3,Ha\n"
        path = with_table(tmp_path, table, comment="energy=1.5 energy_unit=eV")
        with pytest.raises(ValueError, match=r"energy_unit: the files state 'eV', the table 'Ha'"):
            load(path)


class TestSeveralTables:
    def test_halves_are_joined(self, tmp_path):
        path = with_table(tmp_path, "file,energy\nco_a,1\n", "test.csv")
        (path / "train.csv").write_text("file,energy,gap\nco_b,2,0.5\nco_c,3,0.5\n")
        assert load(path).targets["energy"].tolist() == [1, 2, 3]

    def test_values_that_differ(self, tmp_path):
        path = with_table(tmp_path, "file,energy\nco_a,1\nco_b,2\n", "one.csv")
        (path / "two.csv").write_text("file,energy\nco_b,5\nco_c,3\n")
        with pytest.raises(
            ValueError, match=r"co_b\.xyz.* one\.csv and two\.csv have energy 2 and 5"
        ):
            load(path)

    def test_one_that_fits_nothing_is_said(self, tmp_path):
        path = with_table(tmp_path, "file,energy\nco_a,1\nco_b,2\nco_c,3\n")
        (path / "other.csv").write_text("who,energy\nx,5\n")
        (path / "README.txt").write_text("co_a.xyz and others\nwere made for 1,000 euros\nhere\n")
        dataset = load(path)
        assert dataset.targets["energy"].tolist() == [1, 2, 3]
        for name in ("other.csv", "README.txt"):
            assert f"{name} is not used: none of its columns calls the structures" in notes(dataset)

    def test_one_in_each_folder(self, tmp_path):
        files = {}
        for k, folder in enumerate(("cold", "warm")):
            files |= {f"{folder}/m{j}.xyz": FRAME.format(comment="", r=1 + k) for j in range(2)}
            files[f"{folder}/labels.csv"] = f"id,energy\nm0,{k}.5\nm1.xyz,{k}.25\n"
        dataset = load(written(tmp_path, files))
        assert dataset.targets["energy"].tolist() == [0.5, 0.25, 1.5, 1.25]

    @pytest.mark.parametrize("content", [b"\0\1,\2\n\3" * 50, b"a,b\n" + b"x" * 200_000 + b",1\n"])
    def test_other_data_are_no_table(self, tmp_path, content):
        path = with_table(tmp_path, content, "weights.dat", comment="energy=1.5")
        assert "weights.dat is not used" in notes(load(path))

    def test_labels_of_the_files_are_kept(self, tmp_path):
        table = "file,energy\nco_a,1\nco_b,2\nco_c,3\n"
        dataset = load(with_table(tmp_path, table, comment="energy=7.5"))
        assert dataset.targets["energy"].tolist() == [7.5] * 3
        assert "with other values" in dataset.unused["energy of labels.csv"]


class TestFolders:
    def test_empty_files_are_named(self, tmp_path):
        files = {f"{n}.xyz": FRAME.format(comment="energy=1.5", r=1) for n in NAMES}
        dataset = load(written(tmp_path, {**files, "hole.xyz": "\n \n"}))
        assert len(dataset) == 3
        assert "empty, and not read: hole.xyz" in notes(dataset)

    def test_links_and_pipes_are_named(self, tmp_path):
        path = written(tmp_path, {"a.xyz": FRAME.format(comment="energy=1.5", r=1)})
        (tmp_path / "elsewhere").mkdir()
        (path / "linked").symlink_to(tmp_path / "elsewhere")
        (path / "gone.xyz").symlink_to(tmp_path / "nowhere.xyz")
        os.mkfifo(path / "pipe.xyz")
        assert "and not read: gone.xyz, linked, pipe.xyz" in notes(load(path))

    def test_folder_that_cannot_be_listed(self, tmp_path, monkeypatch):
        path = written(tmp_path, {"sub/a.xyz": FRAME.format(comment="energy=1.5", r=1)})
        scandir = os.scandir

        def refusing(folder):
            if str(folder).endswith("sub"):
                raise PermissionError(13, "Permission denied", str(folder))
            return scandir(folder)

        monkeypatch.setattr(os, "scandir", refusing)
        with pytest.raises(ValueError, match=r"runs: .*sub cannot be read: Permission denied"):
            load(path)

    def test_compressed_by_bzip2(self, tmp_path):
        import bz2

        frame = FRAME.format(comment="energy=1.5", r=1)
        path = written(tmp_path, {"a.xyz.bz2": bz2.compress(frame.encode()), "b.xyz": frame})
        assert len(load(path)) == 2

    def test_table_that_declares_too_much(self, tmp_path):
        with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.xyz", FRAME.format(comment="", r=1))
            archive.writestr("t.csv", b" " * (80 * 2**20))
        with pytest.raises(ValueError, match=r"a\.zip: t\.csv would take \d+ bytes .*--max-bytes"):
            load(tmp_path / "a.zip")

    def test_archive_of_deepmd(self, tmp_path):
        with tarfile.open(tmp_path / "dp.tar", "w") as archive:
            for name in ("dp/type.raw", "dp/set.000/coord.npy"):
                member = tarfile.TarInfo(name)
                archive.addfile(member, io.BytesIO())
        with pytest.raises(ValueError, match=r"dp\.tar: an archive of DeePMD-kit's files: unpack"):
            load(tmp_path / "dp.tar")


def test_table_beside_a_file_of_frames(tmp_path):
    (tmp_path / "a.xyz").write_text(FRAME.format(comment="energy=1.5", r=1))
    (tmp_path / "a.csv").write_text("id,gap\n0,0.5\n")
    assert "a.csv beside it is not read" in notes(load(tmp_path / "a.xyz"))


def test_peak_of_a_long_table_with_few_files(tmp_path):
    rows = "".join(f"other_{k},{k}.5\n" for k in range(20_000))
    path = with_table(tmp_path, f"file,energy\n{rows}co_a,1\nco_b,2\nco_c,3\n")
    dataset = load(path)
    np.testing.assert_array_equal(dataset.targets["energy"], [1, 2, 3])
    assert "20000 of its rows name no structure" in notes(dataset)
