"""MD17, rMD17, ANI-1 and COMP6: small files in their formats, whole and damaged."""

import numpy as np
import pytest

from molkern.datasets import formats, load

h5py = pytest.importorskip("h5py")

ETHANOL = np.array([6, 6, 8, 1, 1, 1, 1, 1, 1])


def published(path, form):
    """A file read as the published one that it is laid out like."""
    return formats.read(path, form, False)


def rmd17_arrays(n=4):
    rng = np.random.default_rng(3)
    return {
        "nuclear_charges": ETHANOL.astype(np.uint8),
        "coords": rng.normal(size=(n, 9, 3)),
        "energies": rng.normal(size=n) - 97000.0,
        "forces": rng.normal(size=(n, 9, 3)),
        "old_indices": np.arange(n),
        "old_energies": rng.normal(size=n) - 97000.0,
        "old_forces": rng.normal(size=(n, 9, 3)),
    }


def write_splits(folder):
    for k in range(1, 6):
        (folder / f"index_train_{k:02d}.csv").write_text("0\n2\n")
        (folder / f"index_test_{k:02d}.csv").write_text(f"1\n{k % 4}\n")


class TestRMD17:
    def test_published_form(self, tmp_path):
        arrays = rmd17_arrays()
        np.savez(tmp_path / "rmd17_ethanol.npz", **arrays)
        dataset = published(tmp_path / "rmd17_ethanol.npz", "rmd17")
        np.testing.assert_array_equal(dataset.structures.positions, arrays["coords"].reshape(-1, 3))
        np.testing.assert_array_equal(dataset.targets["energy"], arrays["energies"])
        np.testing.assert_array_equal(dataset.targets["forces"], arrays["forces"].reshape(-1, 3))
        old = arrays["old_forces"].reshape(-1, 3)
        np.testing.assert_array_equal(dataset.targets["forces_md17"], old)
        assert dataset.units["energy"] == "kcal/mol"
        assert dataset.units["forces_md17"] == "kcal/mol/angstrom"
        assert dataset.splits is None
        assert any("no official splits" in note for note in dataset.notes)

    def test_layout_alone_tells_neither_unit_nor_source(self, tmp_path):
        arrays = rmd17_arrays()
        np.savez(tmp_path / "rmd17_ethanol.npz", **arrays)
        dataset = load(tmp_path / "rmd17_ethanol.npz", unit="eV")
        np.testing.assert_array_equal(dataset.targets["energy"], arrays["energies"])
        np.testing.assert_array_equal(dataset.targets["forces"], arrays["forces"].reshape(-1, 3))
        assert dataset.units["energy"] == "eV"
        assert dataset.units["forces"] == "eV/angstrom"
        assert dataset.citation == ""
        assert not any("correlated" in note for note in dataset.notes)
        assert load(tmp_path / "rmd17_ethanol.npz").units["energy"] == "unknown"

    @pytest.mark.parametrize("where", ["", "splits", "../splits"])
    def test_published_splits(self, tmp_path, where):
        folder = tmp_path / "npz_data"
        (folder / where).mkdir(parents=True)
        if where == "":
            write_splits(folder)
        else:
            write_splits((folder / where).resolve())
        np.savez(folder / "rmd17_ethanol.npz", **rmd17_arrays())
        dataset = published(folder / "rmd17_ethanol.npz", "rmd17")
        assert len(dataset.splits) == 5
        assert dataset.splits[1][0].tolist() == [0, 2]
        assert dataset.splits[1][1].tolist() == [1, 2]

    def test_wrong_split_raises(self, tmp_path):
        np.savez(tmp_path / "a.npz", **rmd17_arrays())
        write_splits(tmp_path)
        (tmp_path / "index_test_03.csv").write_text("0\n4\n")
        with pytest.raises(ValueError, match=r"a\.npz: a split names frame 4, the file has 4"):
            published(tmp_path / "a.npz", "rmd17")
        (tmp_path / "index_test_03.csv").write_text("<html>\n")
        with pytest.raises(ValueError, match=r"index_test_03\.csv: expected one frame number"):
            published(tmp_path / "a.npz", "rmd17")

    @pytest.mark.parametrize(
        ("changes", "match"),
        [
            ({"coords": np.zeros((4, 8, 3))}, r"9 numbers need positions of shape \(n_frames, 9"),
            ({"energies": np.zeros(3)}, r"energies: expected 4 of them, found shape \(3,\)"),
            ({"forces": np.zeros((4, 9))}, r"forces: expected shape \(4, 9, 3\), found"),
        ],
    )
    def test_inconsistent_shapes_raise(self, tmp_path, changes, match):
        np.savez(tmp_path / "a.npz", **{**rmd17_arrays(), **changes})
        with pytest.raises(ValueError, match=rf"a\.npz: {match}"):
            published(tmp_path / "a.npz", "rmd17")


class TestMD17:
    def write(self, path):
        arrays = rmd17_arrays()
        names = {"z": "nuclear_charges", "R": "coords", "F": "forces"}
        energies = arrays["energies"][:, None]
        content = {key: arrays[name] for key, name in names.items()}
        np.savez(path, E=energies, name=np.array("made for a test"), **content)
        return path

    def test_published_form(self, tmp_path):
        dataset = published(self.write(tmp_path / "md17_ethanol.npz"), "md17")
        assert dataset.units["energy"] == "kcal/mol"
        assert dataset.targets["energy"].shape == (4,)

    def test_name_of_a_published_file_is_no_sign_of_it(self, tmp_path):
        dataset = load(self.write(tmp_path / "md17_ethanol.npz"))
        assert dataset.units["energy"] == "unknown"
        assert dataset.citation == ""

    def test_two_versions_of_benzene_are_mentioned(self, tmp_path):
        dataset = published(self.write(tmp_path / "md17_benzene2017.npz"), "md17")
        assert any("two versions, 2017 and 2018" in note for note in dataset.notes)
        other = published(self.write(tmp_path / "azobenzene_dft.npz"), "md17")
        assert not any("two versions" in note for note in other.notes)

    def test_other_name_has_no_known_unit(self, tmp_path):
        dataset = load(self.write(tmp_path / "mine.npz"))
        assert dataset.units == {"energy": "unknown", "forces": "unknown"}

    def test_wrong_molecule_under_a_name_raises(self, tmp_path, monkeypatch):
        self.write(tmp_path / "md17_aspirin.npz")
        monkeypatch.setenv("MOLKERN_DATA", str(tmp_path))
        monkeypatch.setenv("MOLKERN_CACHE", str(tmp_path / "cache"))
        with pytest.raises(ValueError, match=r"md17_aspirin\.npz: not the expected data: .*211762"):
            load("md17-aspirin")


def write_h5(path, group="gdb11_s01", layout="ani", **changes):
    rng = np.random.default_rng(4)
    with h5py.File(path, "w") as file:
        for name, symbols in (("a-0", [b"C", b"H", b"Cl"]), ("a-1", [b"H", b"H"])):
            n = len(symbols)
            content = {
                "coordinates": rng.normal(size=(3, n, 3)).astype(np.float32),
                "energies": rng.normal(size=3),
                "species": np.array(symbols),
                "coordinatesHE": rng.normal(size=(2, n, 3)),
            }
            if layout == "comp6":
                content["forces"] = rng.normal(size=(3, n, 3)).astype(np.float32)
                for key in ("cm5", "hirdipole", "hirshfeld", "spindensities"):
                    content[key] = np.zeros((3, n + 1))
            content = {k: v for k, v in {**content, **changes}.items() if v is not None}
            for key, values in content.items():
                file[f"{group}/{name}/{key}"] = values
    return path


class TestHDF5:
    def test_ani1(self, tmp_path):
        path = write_h5(tmp_path / "ani_gdb_s01.h5")
        dataset = published(path, "ani-h5")
        assert len(dataset) == 6
        expected = [6, 1, 17] * 3 + [1, 1] * 3
        np.testing.assert_array_equal(dataset.structures.numbers, expected)
        assert dataset.molecules.tolist() == [0, 0, 0, 1, 1, 1]
        with h5py.File(path) as file:
            energies = [*file["gdb11_s01/a-0/energies"][:], *file["gdb11_s01/a-1/energies"][:]]
        np.testing.assert_array_equal(dataset.targets["energy"], energies)
        assert dataset.units == {"energy": "hartree"}
        assert any("hartree (not kcal/mol)" in note for note in dataset.notes)
        assert any("coordinatesHE" in note for note in dataset.notes)

    def test_comp6_forces_have_the_sign_of_forces(self, tmp_path):
        path = write_h5(tmp_path / "a.h5", group="s66x8", layout="comp6")
        dataset = published(path, "ani-h5")
        with h5py.File(path) as file:
            stored = file["s66x8/a-0/forces"][:].reshape(-1, 3)
        np.testing.assert_array_equal(dataset.targets["forces"][:9], -stored.astype(float))
        assert dataset.units == {"energy": "hartree", "forces": "hartree/angstrom"}
        assert any("sign flipped" in note for note in dataset.notes)

    def test_names_of_groups_tell_no_unit(self, tmp_path):
        path = write_h5(tmp_path / "ani_gdb_s01.h5")
        dataset = load(path, unit="eV")
        with h5py.File(path) as file:
            energies = [*file["gdb11_s01/a-0/energies"][:], *file["gdb11_s01/a-1/energies"][:]]
        np.testing.assert_array_equal(dataset.targets["energy"], energies)
        assert load(path).units == {"energy": "unknown"}
        assert load(path).citation == ""

    def test_others_have_no_known_unit_and_keep_their_sign(self, tmp_path):
        forces = np.ones((3, 2, 3))
        path = write_h5(
            tmp_path / "a.h5",
            group="mine",
            species=[1, 1],
            forces=forces,
            coordinates=np.random.default_rng(0).normal(size=(3, 2, 3)),
        )
        dataset = load(path)
        assert dataset.units == {"energy": "unknown", "forces": "unknown"}
        assert (dataset.targets["forces"] == 1.0).all()
        assert load(path, unit="eV").units["energy"] == "eV"

    @pytest.mark.parametrize(
        ("changes", "match"),
        [
            ({"species": None}, "group /gdb11_s01/a-0: no array of atomic numbers beside coord"),
            ({"energies": np.zeros(4)}, r"energies: expected 3 values, found shape \(4,\)"),
            ({"species": np.array([b"H"])}, r"group /gdb11_s01/a-0: 1 numbers need positions"),
            ({"species": np.array([b"Qq"] * 3)}, "expected a chemical symbol, found 'Qq'"),
        ],
    )
    def test_wrong_groups_raise(self, tmp_path, changes, match):
        path = write_h5(tmp_path / "a.h5", **changes)
        with pytest.raises(ValueError, match=rf"a\.h5: .*{match}"):
            load(path)

    def test_no_groups_raise(self, tmp_path):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file["table"] = np.zeros(3)
        with pytest.raises(ValueError, match=r"no group holds .*; found table$"):
            load(tmp_path / "a.h5")

    @pytest.mark.parametrize("share", [0.01, 0.3, 0.9])
    def test_truncated_raises(self, tmp_path, share):
        path = write_h5(tmp_path / "a.h5")
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(ValueError, match=r"a\.h5: not a readable HDF5 file \(truncated\?\)"):
            load(path)
