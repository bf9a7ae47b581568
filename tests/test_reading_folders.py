"""Folders, archives, SDF, tables, DeePMD-kit, LAMMPS, and kinds of files that are not read."""

import gzip
import io
import tarfile
import warnings
import zipfile

import numpy as np
import pytest

from molkern.datasets import load

ENERGIES = {"m2": -2.5, "m10": -10.5, "m1": -1.5}
XYZ = "2\n{comment}\nO 0 0 0\nH 0 0 {z}\n"


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("MOLKERN_CACHE", str(tmp_path_factory.mktemp("cache")))


def texts(with_energies=True):
    return {
        f"{name}.xyz": XYZ.format(comment=f"energy={e}" if with_energies else name, z=-e)
        for name, e in ENERGIES.items()
    }


def folder(tmp_path, files):
    path = tmp_path / "set"
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def archive(tmp_path, files, kind):
    path = tmp_path / f"set.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
            for name, text in files.items():
                made.writestr(name, text)
        return path
    with tarfile.open(path, f"w:{kind.partition('.')[2]}") as made:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            made.addfile(member, io.BytesIO(text.encode()))
    return path


class TestFolders:
    def test_numbers_in_names_count(self, tmp_path):
        dataset = load(folder(tmp_path, texts()), unit="eV")
        assert dataset.targets["energy"].tolist() == [-1.5, -2.5, -10.5]
        assert dataset.name == "set"

    @pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])
    def test_archives(self, tmp_path, kind):
        files = {f"deep/{name}": text for name, text in texts().items()}
        dataset = load(archive(tmp_path, files, kind), unit="eV")
        assert sorted(dataset.targets["energy"].tolist()) == [-10.5, -2.5, -1.5]
        assert dataset.name == "set"

    @pytest.mark.parametrize(
        "table",
        [
            ("t.csv", "file,E_tot,note\nm1.xyz,-1.5,a\nm2.xyz,-2.5,b\nm10.xyz,-10.5,c\n"),
            ("t.csv", "E_tot;name\n-1.5;m1\n-2.5;m2\n-10.5;m10\n"),
            ("hof.txt", "m1.xyz  -1.5  0.5\nm2.xyz  -2.5  0.25\nm10.xyz -10.5 0\n"),
            ("labels.tsv", "id\tE_tot\n# comment\nset/m1.xyz\t-1.5\nm2\t-2.5\nm10\t-10.5\n"),
        ],
    )
    def test_labels_in_a_table_beside_them(self, tmp_path, table):
        name, text = table
        path = folder(tmp_path, {**texts(with_energies=False), name: text})
        key = "label_1" if name == "hof.txt" else "E_tot"
        dataset = load(path, property=key, unit="eV")
        assert dataset.targets[key].tolist() == [-1.5, -2.5, -10.5]
        assert any(f"labels joined from {name}" in note for note in dataset.notes)

    def test_table_that_lacks_rows(self, tmp_path):
        files = {**texts(with_energies=False), "t.csv": "file,E\nm1.xyz,-1.5\nm2.xyz,-2.5\n"}
        with pytest.raises(ValueError, match=r"E is missing .* 1 of 3 .* m10\.xyz, frame 0"):
            load(folder(tmp_path, files), property="E")
        assert len(load(tmp_path / "set", property="E", skip_missing=True)) == 2

    def test_compressed_files_and_several_frames(self, tmp_path):
        files = {"a.xyz.gz": gzip.compress("".join(texts().values()).encode()),
                 "b.xyz": XYZ.format(comment="energy=-3.5", z=1)}  # fmt: skip
        assert len(load(folder(tmp_path, files), unit="eV")) == 4

    def test_damaged_file_is_named(self, tmp_path):
        files = {**texts(), "m3.xyz": "2\n\nO 0 0 0\nH 0 0\n"}
        with pytest.raises(ValueError, match=r"set: m3\.xyz: line 4 \(frame 0\): expected more"):
            load(folder(tmp_path, files))

    def test_other_files_are_counted(self, tmp_path):
        files = {**texts(), "README.md": "words", "run.log": "words", ".hidden.xyz": "junk"}
        dataset = load(folder(tmp_path, files))
        assert "other files in it are not read: 1 .md, 1 .log" in dataset.notes

    @pytest.mark.parametrize(
        ("files", "match"),
        [
            ({"a.md": "words"}, r"a folder without geometries; .* it holds 1 \.md"),
            ({"a.cif": "data_x"}, r"a folder without XYZ files .* give one of its \.cif files"),
            ({"t.csv": "a,b\n1,2\n"}, r"a folder without geometries; .* t\.csv"),
        ],
    )
    def test_folders_without_geometries(self, tmp_path, files, match):
        with pytest.raises(ValueError, match=match):
            load(folder(tmp_path, files))

    @pytest.mark.parametrize("kind", ["zip", "tar.gz"])
    @pytest.mark.parametrize("share", [0.3, 0.8])
    def test_truncated_archives(self, tmp_path, kind, share):
        files = {f"m{k}.xyz": XYZ.format(comment=f"energy={k}.5", z=1) for k in range(300)}
        path = archive(tmp_path, files, kind)
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(ValueError, match=rf"set\.{kind}.*(damaged|truncated)"):
            load(path)

    def test_nothing_is_extracted(self, tmp_path):
        path = archive(tmp_path, {"../../evil.xyz": XYZ.format(comment="energy=1.5", z=1)}, "tar")
        assert len(load(path)) == 1
        assert not list(tmp_path.parent.rglob("evil.xyz"))


class TestTables:
    @pytest.mark.parametrize(
        ("text", "match"),
        [
            ("smiles,gap\nCCO,1.5\nc1ccccc1,2.5\n", "column 'smiles' holds SMILES, .* make them f"),
            ("mol,gap\nCC(=O)O,1.5\nC#N,2.5\n", "column 'mol' holds SMILES"),
            (
                "path,gap\na/m1.xyz,1.5\na/m2.xyz,2.5\n",
                "column 'path' names files .* give the fold",
            ),
            ("x,y\n1,2\n3,4\n", r"holds labels without geometries \(columns: x, y\)"),
        ],
    )
    def test_alone_they_say_what_to_do(self, tmp_path, text, match):
        (tmp_path / "a.csv").write_text(text)
        with pytest.raises(ValueError, match=rf"a\.csv: {match}"):
            load(tmp_path / "a.csv")


def record(title, fields="", v3000=False, z=0.5):
    if v3000:
        block = (
            "  0  0  0     0  0            999 V3000\nM  V30 BEGIN CTAB\nM  V30 COUNTS 2 1 0 0 0\n"
            f"M  V30 BEGIN ATOM\nM  V30 1 O 0 0 0 0\nM  V30 2 H 0 0.1 {z} 0\nM  V30 END ATOM\n"
            "M  V30 BEGIN BOND\nM  V30 1 1 1 2\nM  V30 END BOND\nM  V30 END CTAB\n"
        )
    else:
        block = (
            "  2  1  0  0  0  0  0  0  0  0999 V2000\n"
            "    0.0000    0.0000    0.0000 O   0  0\n"
            f"    0.0000    0.1000 {z:9.4f} H   0  0\n  1  2  1  0\n"
        )
    return f"{title}\n  made\n\n{block}M  END\n{fields}$$$$\n"


class TestSDF:
    @pytest.mark.parametrize("v3000", [False, True])
    def test_fields_of_the_records(self, tmp_path, v3000):
        fields = "> <energy>\n{e}\n\n>  25 <mu (D)>\n1 2 3\n\n> <name>\nwater\n\n"
        text = "".join(record(f"mine {k}", fields.format(e=-k - 0.5), v3000) for k in range(3))
        (tmp_path / "a.sdf").write_text(text)
        dataset = load(tmp_path / "a.sdf", unit="eV")
        assert dataset.targets["energy"].tolist() == [-0.5, -1.5, -2.5]
        assert dataset.targets["mu (D)"].tolist() == [[1, 2, 3]] * 3
        assert dataset.structures.numbers.tolist() == [8, 1] * 3
        assert dataset.structures.positions[1].tolist() == [0, 0.1, 0.5]
        assert "text such as 'water'" in dataset.unused["name"]

    def test_table_beside_it(self, tmp_path):
        (tmp_path / "a.sdf").write_text(record("one") + record("two"))
        (tmp_path / "a.sdf.csv").write_text("id,gap\ntwo,2.5\none,1.25\n")
        dataset = load(tmp_path / "a.sdf", unit="eV")
        assert dataset.targets["gap"].tolist() == [1.25, 2.5]
        (tmp_path / "a.sdf.csv").rename(tmp_path / "a.csv")
        assert load(tmp_path / "a.sdf").targets["gap"].tolist() == [1.25, 2.5]

    def test_records_without_the_field(self, tmp_path):
        (tmp_path / "a.sdf").write_text(record("a", "> <E>\n1.5\n\n") + record("b"))
        with pytest.raises(ValueError, match=r"E is missing .* first for record 2 \(line 13\)"):
            load(tmp_path / "a.sdf", property="E")

    @pytest.mark.parametrize(
        ("text", "match"),
        [
            (record("a")[:-60], "truncated: the last record does not end"),
            (
                record("a").replace("  2  1", "  9  1"),
                r"record 1 \(line 1\): .* expected 9 atoms, found 4",
            ),
            (record("a").replace(" H ", " Qq"), r"record 1 \(line 1\): .* found 'Qq'"),
            (record("a") + "x\n$$$$\n", r"record 2 \(line \d+\): .* found 1 lines"),
        ],
    )
    def test_damaged(self, tmp_path, text, match):
        (tmp_path / "a.sdf").write_text(text)
        with pytest.raises(ValueError, match=rf"a\.sdf: {match}"):
            load(tmp_path / "a.sdf")

    def test_drawings_are_no_geometries(self, tmp_path):
        lines = "".join(f"{k:10.4f}    0.5000    0.0000 C   0  0\n" for k in range(4))
        text = f"flat\n  made\n\n  4  0  0  0  0  0  0  0  0  0999 V2000\n{lines}M  END\n$$$$\n"
        (tmp_path / "a.sdf").write_text(text)
        with pytest.raises(ValueError, match=r"a\.sdf: holds drawings in two dimensions"):
            load(tmp_path / "a.sdf")


class TestDeepmd:
    def write(self, path, types=(1, 0, 0), names="H\nO\n", n=4, periodic=False, sets=2, **labels):
        path.mkdir(parents=True)
        (path / "type.raw").write_text("\n".join(map(str, types)))
        if names:
            (path / "type_map.raw").write_text(names)
        if not periodic:
            (path / "nopbc").touch()
        rng = np.random.default_rng(n)
        for k in range(sets):
            part = path / f"set.{k:03}"
            part.mkdir()
            size = 3 * len(types)
            arrays = {"coord": rng.normal(size=(n, size)), "energy": rng.normal(size=(n, 1)),
                      "force": rng.normal(size=(n, size)),
                      "box": np.tile(np.eye(3).reshape(9) * 5, (n, 1))}  # fmt: skip
            for name, values in {**arrays, **labels}.items():
                if values is not None:
                    np.save(part / f"{name}.npy", values)
        return path

    def test_molecules(self, tmp_path):
        path = self.write(tmp_path / "a")
        dataset = load(path, unit="eV")
        assert dataset.structures.numbers.tolist() == [8, 1, 1] * 8
        assert dataset.structures.pbc is None or not dataset.structures.pbc.any()
        energies = [np.load(path / f"set.00{k}" / "energy.npy")[:, 0] for k in range(2)]
        np.testing.assert_array_equal(dataset.targets["energy"], np.concatenate(energies))
        forces = np.load(path / "set.000" / "force.npy").reshape(-1, 3)
        np.testing.assert_array_equal(dataset.targets["forces"][:12], forces)
        assert any("nothing is periodic" in note for note in dataset.notes)

    def test_crystals_and_several_systems(self, tmp_path):
        self.write(tmp_path / "all" / "a", periodic=True)
        self.write(tmp_path / "all" / "b", types=(0, 1), names="C\nO\n", force=None)
        dataset = load(tmp_path / "all", unit="eV")
        assert dataset.structures.sizes.tolist() == [3] * 8 + [2] * 8
        assert dataset.structures.pbc.all(axis=1).tolist() == [True] * 8 + [False] * 8
        assert np.isnan(dataset.targets["forces"][24:]).all()

    def test_types_without_a_map(self, tmp_path):
        path = self.write(tmp_path / "a", names="")
        with pytest.raises(ValueError, match=r"type\.raw: numbers of types, .* --species Si,O"):
            load(path)
        assert load(path, species=["H", "O"]).structures.numbers[:3].tolist() == [8, 1, 1]

    @pytest.mark.parametrize(
        ("changes", "match"),
        [
            ({"coord": np.zeros((4, 6))}, r"coord\.npy has shape .* each of 3 atoms in type\.raw"),
            ({"energy": np.zeros(3)}, r"energy\.npy: expected 8 rows, found"),
            ({"types": (1, 0, 2)}, r"type\.raw: expected types below 2, found 2"),
            ({"types": ("x",)}, r"type\.raw: expected an integer for each atom"),
            ({"names": "H\nQq\n"}, r"type_map\.raw: .* found 'Qq'"),
        ],
    )
    def test_wrong_files(self, tmp_path, changes, match):
        with pytest.raises(ValueError, match=match):
            load(self.write(tmp_path / "a", **changes))


LAMMPS = """ITEM: TIMESTEP
{step}
ITEM: NUMBER OF ATOMS
2
ITEM: BOX BOUNDS pp pp pp
0.0 6.0
0.0 6.0
0.0 6.0
ITEM: ATOMS id type{element} x y z
1 1{si} 0 0 0
2 2{o} 0 0 1.6
"""


class TestAse:
    def test_types_of_lammps(self, tmp_path):
        pytest.importorskip("ase")
        text = "".join(LAMMPS.format(step=k, element="", si="", o="") for k in range(2))
        (tmp_path / "a.lammpstrj").write_text(text)
        with pytest.raises(
            ValueError, match=r"a\.lammpstrj: the file calls atoms by numbers of ty"
        ):
            load(tmp_path / "a.lammpstrj", structures_only=True)
        found = load(tmp_path / "a.lammpstrj", structures_only=True, species=["Si", "O"])
        assert found.structures.numbers.tolist() == [14, 8] * 2
        text = "".join(
            LAMMPS.format(step=k, element=" element", si=" Si", o=" O") for k in range(2)
        )
        (tmp_path / "b.lammpstrj").write_text(text)
        assert load(tmp_path / "b.lammpstrj", structures_only=True).structures.numbers.tolist() == [
            14, 8, 14, 8
        ]  # fmt: skip

    def test_trajectories_and_databases(self, tmp_path):
        ase = pytest.importorskip("ase")
        from ase.calculators.singlepoint import SinglePointCalculator
        from ase.db import connect
        from ase.io import write

        images = []
        for k in range(4):
            image = ase.Atoms("OH", [[0, 0, 0], [0, 0, 1 + 0.1 * k]], cell=np.eye(3) * 7, pbc=True)
            forces = np.full((2, 3), float(k))
            image.calc = SinglePointCalculator(image, energy=-k - 0.5, forces=forces)
            images.append(image)
        write(tmp_path / "a.traj", images)
        with connect(tmp_path / "a.db") as database:
            for image in images:
                database.write(image)
        (tmp_path / "a.db").rename(tmp_path / "no_ending")
        for name in ("a.traj", "no_ending"):
            dataset = load(tmp_path / name, unit="eV")
            assert dataset.targets["energy"].tolist() == [-0.5, -1.5, -2.5, -3.5]
            assert dataset.targets["forces"][:, 0].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
            assert dataset.structures.pbc.all()

    def test_database_of_schnetpack(self, tmp_path):
        ase = pytest.importorskip("ase")
        from ase.db import connect

        with connect(tmp_path / "a.db") as database:
            for k in range(3):
                data = {"energy": np.array([-k - 0.5]), "forces": np.full((2, 3), float(k))}
                database.write(ase.Atoms("OH", [[0, 0, 0], [0, 0, 2.0]]), data=data)
            database.metadata = {"_property_unit_dict": {"energy": "Hartree", "forces": "Ha/Bohr"},
                                 "_distance_unit": "Bohr"}  # fmt: skip
        dataset = load(tmp_path / "a.db")
        assert dataset.units == {"energy": "hartree", "forces": "hartree/angstrom"}
        assert dataset.structures.positions[1, 2] == pytest.approx(2 * 0.529177210544)
        assert dataset.targets["forces"][2, 0] == pytest.approx(1 / 0.529177210544)

    def test_error_of_a_frame_names_it(self, tmp_path):
        pytest.importorskip("ase")
        text = LAMMPS.format(step=0, element=" element", si=" Si", o=" O")
        (tmp_path / "a.lammpstrj").write_text(text + text.replace(" Si 0", " Qq 0"))
        with pytest.raises(ValueError, match=r"a\.lammpstrj: ASE cannot read frame \d"):
            load(tmp_path / "a.lammpstrj", structures_only=True)


class TestKindsThatAreNotRead:
    @pytest.mark.parametrize(
        ("content", "match"),
        [
            (b"", "is empty"),
            (b"\x93NUMPY\x01\x00", "a single NumPy array; save the arrays by name in one .npz"),
            (b"PAR1" + b"\0" * 40, "a Parquet table; read it with pandas or pyarrow"),
            (b"\0" * 16 + b"\xde\xc0\xef\xbe" + b"\0" * 40, "an LMDB database .*ase-db-backends"),
            (b"\x80\x04\x95" + b"\0" * 40, "a pickle, which can run code and is never read"),
            (b"<!DOCTYPE html><html>", "a web page, not the data: the download went wrong"),
            (b"SQLite format 3\0" + b"\0" * 100, "ASE cannot read row 1 of the database"),
            (b"\x89HDF\r\n\x1a\n" + b"\0" * 50, "not a readable HDF5 file"),
            (b"MATLAB 5.0 MAT-file" + b" " * 105 + b"\0\1IM" + b"\1" * 50, "not a readable MATLAB"),
            (b"what is this\n", "not a kind of file that is known here or to ASE"),
        ],
    )
    def test_named_with_what_to_do(self, tmp_path, content, match):
        (tmp_path / "a.thing").write_bytes(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # ASE's, of the damaged database
            with pytest.raises(ValueError, match=rf"a\.thing: .*{match}"):
                load(tmp_path / "a.thing")

    def test_files_of_torch(self, tmp_path):
        with zipfile.ZipFile(tmp_path / "a.pt", "w") as made:
            made.writestr("archive/data.pkl", b"x")
        with pytest.raises(ValueError, match=r"a\.pt: .* a file of torch\.save, whose pickle"):
            load(tmp_path / "a.pt")


def test_progress_is_told(tmp_path):
    (tmp_path / "a.xyz").write_text("".join(texts().values()))
    steps = []
    load(tmp_path / "a.xyz", progress=lambda *step: steps.append(step))
    size = (tmp_path / "a.xyz").stat().st_size
    assert steps[-1] == ("reading a.xyz", size, size)
