"""What a file is, by its content: what is read under any name, and what is refused and why."""

import gzip
import os
import socket
import zipfile

import numpy as np
import pytest

from molkern.datasets import load

XYZ = "2\nenergy=-1.5\nC 0 0 0\nO 0 0 1.13\n"
MOL = (
    "carbon monoxide\n  mine\n\n  2  1  0  0  0  0  0  0  0  0999 V2000\n"
    "    0.0000    0.0000    0.0000 C   0  0\n    0.0000    0.1000    1.1300 O   0  0\n"
    "  1  2  3  0\nM  END\n"
)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("MOLKERN_CACHE", str(tmp_path_factory.mktemp("cache")))


class TestContentBeforeName:
    @pytest.mark.parametrize("ending", ["npz", "h5", "hdf5", "mat", "db", "sdf", "json", "dat"])
    def test_xyz(self, tmp_path, ending):
        path = tmp_path / f"a.{ending}"
        path.write_text(XYZ)
        assert load(path).targets["energy"].tolist() == [-1.5]

    @pytest.mark.parametrize("ending", ["npz", "h5", "mat", "db", "xyz", "sdf", "csv"])
    @pytest.mark.parametrize(
        ("content", "match"),
        [
            ("<!DOCTYPE html>\n<html>404</html>", "a web page, not the data"),
            ("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a pointer of Git LFS"),
        ],
    )
    def test_what_downloads_leave(self, tmp_path, ending, content, match):
        path = tmp_path / f"a.{ending}"
        path.write_text(content)
        with pytest.raises(ValueError, match=rf"a\.{ending}: .*{match}"):
            load(path)

    def test_other_content_of_npz(self, tmp_path):
        (tmp_path / "a.npz").write_text("energies of mine\n")
        with pytest.raises(ValueError, match=r"a\.npz: not a readable \.npz archive") as error:
            load(tmp_path / "a.npz")
        assert "pickle" not in str(error.value)

    def test_single_mol(self, tmp_path):
        (tmp_path / "a.mol").write_text(MOL)
        assert load(tmp_path / "a.mol").structures.numbers.tolist() == [6, 8]
        (tmp_path / "a.mol").write_text(MOL.replace("M  END\n", ""))
        with pytest.raises(ValueError, match=r"a\.mol: truncated"):
            load(tmp_path / "a.mol")
        (tmp_path / "b.sdf").write_text(MOL + "$$$$\n" + MOL)
        with pytest.raises(ValueError, match=r"b\.sdf: truncated"):
            load(tmp_path / "b.sdf")


def test_comment_that_looks_like_an_atom_of_tinker(tmp_path):
    (tmp_path / "a.xyz").write_text("2\n1 CO -113.5 0.5 0.25 7\nC 0 0 0\nO 0 0 1.13\n" * 3)
    assert len(load(tmp_path / "a.xyz", structures_only=True)) == 3


class TestAdvice:
    @pytest.mark.parametrize(
        ("name", "content", "match"),
        [
            ("a.json", '{"atoms": [1, 2], "energy": -1.5}', "JSON that is no database of ASE"),
            ("a.jsonl", '{"z": [1]}\n{"z": [2]}\n', "JSON that is no database of ASE"),
            ("a.cfg", "BEGIN_CFG\n Size\n    2\n", r"configurations of MLIP .* extended XYZ"),
            ("a.xyz.zst", b"\x28\xb5\x2f\xfd" + b"\0" * 20, "compressed by zstd; .* zstd -d"),
            ("a.7z", b"7z\xbc\xaf\x27\x1c" + b"\0" * 20, "a 7z archive; unpack it"),
            ("a.rar", b"Rar!\x1a\x07\x00" + b"\0" * 20, "a RAR archive; unpack it"),
            ("a.smi", "CCO ethanol\nC methane\n", "SMILES, which have no geometries"),
            ("a.yaml", "energy: -1.5\natoms: [C, O]\n", "YAML; save the arrays"),
            ("a.xyz", "  3  water\n 1 O 0.0 0.0 0.0 1 2 3\n 2 H 0 0 1.0 2 1\n", "XYZ of Tinker"),
            ("a.txyz", "2\n 1 O 0.0 0.0 0.0 1 2\n 2 H 0 0 1.0 2 1\n", "XYZ of Tinker"),
            ("a.xyz", "C 0.0 0.0 0.0\nO 0.0 0.0 1.13\n", "without the two lines that XYZ begins"),
            ("a.txt", "C 0.0 0.0 0.0\nO 0.0 0.0 1.13\n", "without the two lines that XYZ begins"),
        ],
    )
    def test_named_with_what_to_do(self, tmp_path, name, content, match):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(
            ValueError, match=rf"{name}: not a kind of file that is read: .*{match}"
        ):
            load(path)

    @pytest.mark.parametrize("content", ["[section]\na = 1\n", "{\\rtf1 words}\n"])
    def test_brackets_alone_are_no_json(self, tmp_path, content):
        (tmp_path / "a.thing").write_text(content)
        with pytest.raises(ValueError, match=r"a\.thing: not a kind of file that is known here"):
            load(tmp_path / "a.thing")

    def test_arrays_that_are_compressed_once_more(self, tmp_path):
        np.savez(tmp_path / "a.npz", Z=[[6, 8]], R=np.zeros((1, 2, 3)))
        (tmp_path / "a.npz.gz").write_bytes(gzip.compress((tmp_path / "a.npz").read_bytes()))
        with pytest.raises(ValueError, match=r"a\.npz\.gz: compressed once more: decompress"):
            load(tmp_path / "a.npz.gz")

    def test_sheets_of_excel(self, tmp_path):
        with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as archive:
            archive.writestr("xl/workbook.xml", "<x/>")
        with pytest.raises(ValueError, match=r"a\.xlsx: .*an Excel sheet; save it as CSV"):
            load(tmp_path / "a.xlsx")

    def test_messages_are_one_line(self, tmp_path):
        (tmp_path / "a.gen").write_text("2 C\nC O\n1 1 0 0 0\n")
        (tmp_path / "b.tar").write_bytes(b"x" * 600)
        (tmp_path / "c.db").write_bytes(b"SQLite format 3\0" + b"\1" * 300)
        for name in ("a.gen", "b.tar", "c.db"):
            with pytest.raises(ValueError, match=name) as error:
                load(tmp_path / name)
            assert "\n" not in str(error.value)


class TestWhatIsNoFile:
    def test_pipe(self, tmp_path):
        os.mkfifo(tmp_path / "a.xyz")
        with pytest.raises(ValueError, match=r"a\.xyz: a pipe, socket or device, not a file"):
            load(tmp_path / "a.xyz")

    def test_socket(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)  # names of sockets are short
        with socket.socket(socket.AF_UNIX) as made:
            made.bind("a.xyz")
            with pytest.raises(ValueError, match=r"a\.xyz: a pipe, socket or device"):
                load("a.xyz" if (tmp_path / "a.xyz").exists() else made.getsockname())

    @pytest.mark.parametrize("device", ["/dev/zero", "/dev/urandom", "/dev/null"])
    def test_devices(self, device):
        with pytest.raises(ValueError, match=rf"{device}: a pipe, socket or device"):
            load(device)


class TestQM9Layout:
    VALUES = "157.7 157.8 157.9 0 13.2 -0.38 0.11 0.49 35.3 0.04 {u0} -40.3 -40.2 -40.5 6.4"

    def frame(self, comment):
        atoms = "".join(f"{e} {x} 0 0.1 0\n" for e, x in zip("CHHHH", range(5), strict=True))
        return f"5\n{comment}\n{atoms}"

    def tail(self):
        return "\t".join("1" * 9) + "\nC\tC\nInChI\tInChI\n"

    @pytest.mark.parametrize("comment", ["gdb 5 energy=-40.5", "gdb 5", "gdb 5 -40.5"])
    def test_comment_of_another(self, tmp_path, comment):
        (tmp_path / "mine").mkdir()
        for k in range(3):
            path = tmp_path / "mine" / f"dsgdb9nsd_{k:06}.xyz"
            path.write_text(self.frame(comment))
        for found in (path, tmp_path / "mine"):
            dataset = load(found)
            assert dataset.citation == ""
            assert set(dataset.units.values()) <= {"unknown"}

    def test_energies_in_another_unit(self, tmp_path):
        for u0, known in ((-40.4, True), (-40.4 * 27.2114, False)):
            path = tmp_path / "dsgdb9nsd_000001.xyz"
            path.write_text(self.frame("gdb 1 " + self.VALUES.format(u0=u0)) + self.tail())
            if known:
                assert load(path).units["U0"] == "hartree"
            else:
                with pytest.raises(ValueError, match=r"dsgdb9nsd_000001\.xyz"):
                    load(path)  # as plain XYZ, which does not end so

    @pytest.mark.parametrize(("unit", "known"), [(1.0, True), (27.211386, False)])
    def test_pair_that_was_computed_anew(self, tmp_path, unit, known):
        names = "mol_id,A,B,C,mu,alpha,homo,lumo,gap,r2,zpve,u0,u298,h298,g298,cv,u0_atom"
        free = -75.064579 - 37.846772
        values = [1, 2, 3, 0.1, 13, -0.3, 0.1, 0.4, 35, 0.01, -113.3, -113.2, -113.1, -113.5, 7]
        values = [v * unit if 5 <= k < 14 and k != 8 else v for k, v in enumerate(values)]
        row = ",".join(
            map(str, [*values, (values[10] - free * unit) * (627.509474 if known else 1)])
        )
        (tmp_path / "gdb9.sdf").write_text(MOL.replace("carbon monoxide", "gdb_12") + "$$$$\n")
        (tmp_path / "gdb9.sdf.csv").write_text(f"{names}\ngdb_12,{row}\n")
        dataset = load(tmp_path / "gdb9.sdf", property="U0" if known else "u0")
        assert dataset.units["U0" if known else "u0"] == ("hartree" if known else "unknown")
        assert bool(dataset.citation) == known
        assert known or any("not its energies" in note for note in dataset.notes)


class TestDeepmdParts:
    def write(self, path, periodic=False, **arrays):
        path.mkdir(parents=True)
        (path / "type.raw").write_text("0 1")
        (path / "type_map.raw").write_text("C O")
        if not periodic:
            (path / "nopbc").touch()
        for k, names in enumerate(arrays.pop("sets", ((), ()))):
            (path / f"set.{k:03}").mkdir()
            np.save(path / f"set.{k:03}" / "coord.npy", np.arange(12.0).reshape(2, 6) / 3 + k)
            for name in names:
                np.save(path / f"set.{k:03}" / f"{name}.npy", arrays[name])
        return path

    def test_label_of_a_later_set(self, tmp_path):
        path = self.write(tmp_path / "a", sets=(("energy",), ("energy", "force")),
                          energy=np.array([1.5, 2.5]), force=np.ones((2, 6)))  # fmt: skip
        dataset = load(path)
        assert np.isnan(dataset.targets["forces"][:4]).all()
        assert (dataset.targets["forces"][4:] == 1).all()
        assert any("force.npy: missing for 2 frames" in note for note in dataset.notes)

    def test_energy_of_a_later_set(self, tmp_path):
        path = self.write(tmp_path / "a", sets=((), ("energy",)), energy=np.array([1.5, 2.5]))
        with pytest.raises(ValueError, match=r"energy is missing .* 2 of 4"):
            load(path)

    def test_box_of_a_later_set(self, tmp_path):
        path = self.write(tmp_path / "a", periodic=True, sets=((), ("box",)), box=np.ones((2, 9)))
        with pytest.raises(ValueError, match=r"set\.000 has no box\.npy, but other sets have"):
            load(path)

    def test_neither_box_nor_nopbc(self, tmp_path):
        dataset = load(self.write(tmp_path / "a", periodic=True))
        assert any("neither box.npy nor nopbc in a: taken as not" in n for n in dataset.notes)

    def test_padding(self, tmp_path):
        path = self.write(tmp_path / "a", sets=(("real_atom_types",),),
                          real_atom_types=np.array([[0, -1], [0, 1]]))  # fmt: skip
        with pytest.raises(ValueError, match=r"real_atom_types\.npy: -1 fills up smaller"):
            load(path)

    def test_types_named_in_some_systems(self, tmp_path):
        self.write(tmp_path / "all" / "a")
        self.write(tmp_path / "all" / "b")
        (tmp_path / "all" / "b" / "type_map.raw").unlink()
        with pytest.raises(ValueError, match=r"b: has no type_map\.raw, but other systems have"):
            load(tmp_path / "all")

    def test_parts_of_it(self, tmp_path):
        path = self.write(tmp_path / "a")
        with pytest.raises(ValueError, match=r"set\.000: a set of DeePMD-kit .* give the folder"):
            load(path / "set.000")
        for k in range(2):
            (path / f"set.{k:03}" / "coord.npy").unlink()
        with pytest.raises(ValueError, match=r"a: type\.raw of DeePMD-kit, but no set"):
            load(path)
        (path / "coord.raw").write_text("0 0 0 0 0 1\n")
        with pytest.raises(ValueError, match=r"a: text files of DeePMD-kit .* raw_to_set\.sh"):
            load(path)

    def test_in_hdf5(self, tmp_path):
        h5py = pytest.importorskip("h5py")
        with h5py.File(tmp_path / "a.hdf5", "w") as file:
            file["water/type.raw"] = [0, 1]
            file["water/set.000/coord.npy"] = np.zeros((2, 6))
        with pytest.raises(ValueError, match=r"a\.hdf5: DeePMD-kit's system in HDF5"):
            load(tmp_path / "a.hdf5")


@pytest.mark.parametrize("filler", [b" " * 80, b"\n"])
def test_compressed_sdf_that_never_ends(tmp_path, filler):
    text = MOL.encode()[:20] + filler * (80 * 2**20 // len(filler))
    (tmp_path / "a.sdf.gz").write_bytes(gzip.compress(text, 1))
    with pytest.raises(ValueError, match=r"a\.sdf\.gz: (a line|the record) .*--max-bytes"):
        load(tmp_path / "a.sdf.gz")
