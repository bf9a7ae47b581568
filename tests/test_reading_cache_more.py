"""What the cache of parsed files goes by: everything that is read, and the names of it."""

import shutil
import zipfile

import numpy as np
import pytest

from molkern.datasets import load, reading

FRAME = "2\nmade\nN 0 0 0\nN 0 0 {r}\n"


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("MOLKERN_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setattr("molkern.datasets.parsed.WORTH_SECONDS", -1.0)


def folder(tmp_path, labels=(1, 2), names=("first", "second")):
    path = tmp_path / "mine"
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    for k, name in enumerate(names):
        (path / f"{name}.xyz").write_text(FRAME.format(r=1 + k / 10))
    rows = "".join(f"{n},{e}\n" for n, e in zip(("first", "second"), labels, strict=True))
    (path / "labels.csv").write_text(f"name,energy\n{rows}")
    return path


def energies(path):
    dataset = load(path, property="energy", skip_missing=True)
    return dataset.targets["energy"].tolist()


def test_tables_in_a_folder(tmp_path):
    assert energies(folder(tmp_path)) == [1, 2]
    before = load(tmp_path / "mine").sha256
    assert energies(folder(tmp_path, labels=(5, 6))) == [5, 6]
    assert load(tmp_path / "mine").sha256 != before


def test_names_in_a_folder(tmp_path):
    assert energies(folder(tmp_path)) == [1, 2]
    before = load(tmp_path / "mine").sha256
    # The same contents, in the same order, under other names.
    assert energies(folder(tmp_path, names=("fifth", "second"))) == [2]
    assert load(tmp_path / "mine", skip_missing=True).sha256 != before


def test_one_file_in_a_folder(tmp_path):
    path = folder(tmp_path)
    (path / "labels.csv").unlink()
    (path / "second.xyz").unlink()
    one = load(path).sha256
    assert one != load(path / "first.xyz").sha256
    (path / "first.xyz").rename(path / "third.xyz")
    assert load(path).sha256 != one


def test_tables_beside_an_archive(tmp_path):
    with zipfile.ZipFile(tmp_path / "mine.v2.zip", "w") as archive:
        for k, name in enumerate(("first", "second")):
            archive.writestr(f"{name}.xyz", FRAME.format(r=1 + k / 10))
    plain = load(tmp_path / "mine.v2.zip")
    assert plain.default_target == ""
    seen = {plain.sha256}
    for labels in ((1, 2), (5, 6)):
        rows = "".join(f"{n},{e}\n" for n, e in zip(("first", "second"), labels, strict=True))
        (tmp_path / "mine.v2.csv").write_text(f"name,energy\n{rows}")
        assert energies(tmp_path / "mine.v2.zip") == list(labels)
        seen.add(load(tmp_path / "mine.v2.zip").sha256)
    assert len(seen) == 3


def test_a_file_alone_keeps_its_hash_under_any_name(tmp_path):
    (tmp_path / "a.xyz").write_text(FRAME.format(r=1))
    (tmp_path / "b.xyz").write_text(FRAME.format(r=1))
    assert load(tmp_path / "a.xyz").sha256 == load(tmp_path / "b.xyz").sha256


def test_formats_that_ase_tells_by_name(tmp_path):
    pytest.importorskip("ase")
    text = "2 C\nN\n1 1 0 0 0\n2 1 0 0 1.1\n"
    (tmp_path / "a.gen").write_text(text)
    assert len(load(tmp_path / "a.gen")) == 1
    (tmp_path / "a.gen").rename(tmp_path / "a.res")
    with pytest.raises(ValueError, match=r"a\.res"):
        load(tmp_path / "a.res")


def test_what_is_not_read_is_told_anew(tmp_path):
    path = folder(tmp_path)
    load(path)
    (path / "more.npz").write_bytes(b"x")
    assert any("not read: 1 .npz" in note for note in load(path).notes)


def test_kept_contents_are_the_same(tmp_path, monkeypatch):
    first = load(folder(tmp_path), unit="eV")
    monkeypatch.setattr(reading, "_READERS", {})
    again = load(tmp_path / "mine", unit="eV")
    assert (again.structures, again.notes, again.unused, again.sha256) == (
        first.structures, first.notes, first.unused, first.sha256
    )  # fmt: skip
    assert again.targets["energy"].tolist() == first.targets["energy"].tolist()


def test_units_of_cells_are_kept(tmp_path, monkeypatch):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as hdf5:
        hdf5["numbers"], hdf5["energy"] = [10], [-128.5, -128.4]
        hdf5["positions"], hdf5["cell"] = np.zeros((2, 1, 3)), np.eye(3)
        hdf5["cell"].attrs["unit"] = "nm"
    first = load(tmp_path / "a.h5").structures.cells
    monkeypatch.setattr(reading, "_READERS", {})
    again = load(tmp_path / "a.h5").structures.cells
    assert again[0].tolist() == first[0].tolist() == [[10, 0, 0], [0, 10, 0], [0, 0, 10]]


def test_damaged_copy_is_read_anew(tmp_path):
    path = folder(tmp_path)
    first = energies(path)
    from molkern.datasets.cache import cache_folder

    (kept,) = (cache_folder() / "parsed").glob("*.npz")
    for content in (kept.read_bytes()[:300], b"PK\x03\x04", b""):
        kept.write_bytes(content)
        assert energies(path) == first
