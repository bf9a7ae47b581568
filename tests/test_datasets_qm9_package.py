"""Complete QM9 from the package qm9pack, beside the packed labels and geometries."""

import importlib.metadata

import numpy as np
import pytest

from molkern.datasets import available, load, qm9_package
from molkern.datasets.qm9 import PROPERTIES

HEAD = ["XYZ_file", "Index", "N_atoms", "Elements", "XYZ_Ang", "Mulliken_pop"]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.delenv("MOLKERN_DATA", raising=False)
    monkeypatch.setenv("MOLKERN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write(folder, **changes):
    """A package of two molecules."""
    columns = [*HEAD, *qm9_package._COLUMNS]
    rows = [
        ["a.xyz", "1", "2", "['H','F']", "[[0.,0,0],[0,0,9.2*^-1]]", "[0.3,-0.3]"],
        ["b.xyz", "4", "1", "['C']", "[[1,2,3.]]", "[0]"],
    ]
    numbers = [f"{k}.5" for k in range(15)]
    content = {
        "qm9_part1.csv": [columns, [*rows[0], *numbers]],
        "qm9_part2.csv": [columns, [*rows[1], *numbers[::-1]]],
        "qm9_part3.csv": [columns],
        "qm9_polarizability.csv": [
            ["XYZ_file", "A_xx", "A_xy", "A_yy", "A_xz", "A_yz", "A_zz"],
            ["b.xyz", "1", "2", "3", "4", "5", "6"],
            ["a.xyz", "7", "0", "7", "0", "0", "9"],
        ],
    } | changes
    for name, lines in content.items():
        text = "\n".join(",".join(f'"{entry}"' for entry in line) for line in lines)
        (folder / name).write_text(text + "\n")
    return folder / "qm9_part1.csv"


def test_values(tmp_path, cache):
    dataset = qm9_package.read_package(write(tmp_path))
    assert dataset.structures.numbers.tolist() == [1, 9, 6]
    assert dataset.structures.positions.tolist() == [[0, 0, 0], [0, 0, 0.92], [1, 2, 3]]
    assert dataset.targets["A"].tolist() == [0.5, 14.5]
    assert dataset.targets["Cv"].tolist() == [14.5, 0.5]
    assert dataset.targets["partial_charges"].tolist() == [0.3, -0.3, 0]
    tensor = [[1, 2, 4], [2, 3, 5], [4, 5, 6]]
    assert dataset.targets["polarizability_tensor"][1].tolist() == tensor
    assert dataset.units["polarizability_tensor"] == "bohr^3"
    assert list(dataset.targets)[:15] == list(PROPERTIES)


def test_converted_once_and_again_when_the_files_change(tmp_path, cache, monkeypatch):
    path = write(tmp_path)
    first = qm9_package.read_package(path)
    converted = qm9_package._convert
    monkeypatch.setattr(qm9_package, "_convert", lambda _: pytest.fail("converted again"))
    assert qm9_package.read_package(path).structures == first.structures
    monkeypatch.setattr(qm9_package, "_convert", converted)
    kept = next((cache / "qm9").glob("*.npz"))
    kept.write_bytes(kept.read_bytes()[:-200])
    assert qm9_package.read_package(path).structures == first.structures
    write(tmp_path, **{"qm9_part2.csv": [[*HEAD, *qm9_package._COLUMNS]],
                       "qm9_polarizability.csv": [["XYZ_file", *qm9_package._TENSOR]]})  # fmt: skip
    assert len(qm9_package.read_package(path)) == 1


def test_damaged_files_raise(tmp_path, cache):
    columns = [*HEAD, *qm9_package._COLUMNS]
    wrong = ["b.xyz", "4", "1", "['C','H']", "[[1,2,3.]]", "[0]", *["1"] * 15]
    path = write(tmp_path, **{"qm9_part2.csv": [columns, wrong]})
    with pytest.raises(ValueError, match=r"qm9_part2\.csv: line 2: .* of different lengths"):
        qm9_package.read_package(path)
    path = write(tmp_path, **{"qm9_part2.csv": [columns, wrong[:-3]]})
    with pytest.raises(ValueError, match=r"qm9_part2\.csv: line 2: "):
        qm9_package.read_package(path)
    assert not list(cache.rglob("*.npz"))


def test_not_installed(cache, monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    assert qm9_package.installed() is None
    place = {line.name: line.place for line in available()}["qm9"]
    assert place == "download"


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    if qm9_package.installed() is None:
        pytest.skip('needs pip install "molkern[qm9]"')
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MOLKERN_DATA", raising=False)
        patch.setenv("MOLKERN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield load("qm9")


def test_complete(complete):
    assert len(complete) == 130831
    assert complete.verified == "SHA-256 (RECORD of qm9pack 1.0.3 on PyPI)"
    for name in (*PROPERTIES, "U0_atomization", "polarizability_tensor", "partial_charges"):
        assert np.isfinite(complete.targets[name]).all()
    # The isotropic polarizability is a third of the trace, both to three decimals.
    traces = np.trace(complete.targets["polarizability_tensor"], axis1=1, axis2=2)
    assert np.median(np.abs(traces / 3 - complete.targets["alpha"])) < 0.01
    charges = np.add.reduceat(complete.targets["partial_charges"], complete.structures.offsets[:-1])
    assert np.abs(charges).max() < 1e-4  # of neutral molecules, from 6 decimals
    assert complete.decisions[0].what == "U0_atomization"


def test_equal_to_the_packed_labels_and_geometries(complete, shared_data):
    ids = qm9_package._converted(qm9_package.installed())["gdb_id"]
    with np.load(shared_data / "qm9.npz") as packed:
        kept = ~packed["uncharacterized"]
        assert np.array_equal(packed["gdb_id"][kept], ids)
        labelled = np.isfinite(packed["props"][kept]).all(axis=1)
        exact = packed["label_source"][kept] == 1
        values = np.stack([complete.targets[name] for name in PROPERTIES], axis=1)
        assert labelled.sum() == 34146
        # Some of the packed labels went through one more rounding of their last bit.
        np.testing.assert_allclose(values[exact], packed["props"][kept][exact], rtol=1e-13)
        near = packed["props"][kept][labelled]
        np.testing.assert_allclose(values[labelled], near, rtol=1e-6, atol=3e-5)
        atoms = np.repeat(kept, np.diff(packed["offsets"]))
        assert np.array_equal(complete.structures.numbers, packed["Z"][atoms])
        assert np.abs(complete.structures.positions - packed["R"][atoms]).max() < 6e-5


def test_labels_of_g4mp2_stay(complete, shared_data):
    joined = qm9_package.with_g4mp2(complete, shared_data / "qm9.npz")
    values = joined.targets["G4MP2_atomization"]
    known = np.isfinite(values)
    assert known.sum() > 119_000
    difference = values[known] - joined.targets["U0_atomization"][known]
    assert np.abs(difference - np.median(difference)).max() < 60  # kcal/mol, of two methods
