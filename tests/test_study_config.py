"""Studies as TOML files."""

import numpy as np
import pytest

from molkern.study import compare, read_study, run

STUDY = """
data = "springs.npz"
property = "energy"
unit = "eV"
representations = ["bag_of_bonds", {name = "coulomb_matrix_random", n_copies = 2}]
kernels = ["laplacian"]
sizes = [10, 20]
seeds = [1]
baseline = "mean"
n_tune = 10
forces = false
"""


@pytest.fixture
def folder(tmp_path):
    """A study file and its data: 40 springs of H and F."""
    lengths = np.random.default_rng(0).uniform(0.7, 1.5, 40)
    R = np.zeros((40, 2, 3))
    R[:, 1, 2] = lengths
    np.savez(tmp_path / "springs.npz", z=np.array([1, 9]), R=R, E=(lengths - 1) ** 2)
    (tmp_path / "study.toml").write_text(STUDY)
    return tmp_path


def test_a_study_file_is_run(folder):
    result = run(folder / "study.toml", store=folder / "store")
    frame = result.frame
    assert (
        list(frame["representation"])
        == ["Bag of bonds"] * 2 + ["Coulomb matrix (random, 2 copies)"] * 2
    )
    assert list(frame["n_train"]) == [10, 20, 10, 20]
    assert set(frame["unit"]) == {"eV"}
    assert set(frame["n_tune"]) == {10}
    assert len(list((folder / "store").glob("*.json"))) == 6  # 2 choices, 4 fits


def test_same_as_the_call(folder):
    from molkern import datasets

    data = datasets.load(folder / "springs.npz", property="energy", unit="eV")
    called = compare(
        data, ["bag_of_bonds"], kernels=["laplacian"], sizes=[10, 20], seeds=[1],
        baseline="mean", n_tune=10,
    )  # fmt: skip
    (folder / "study.toml").write_text(
        STUDY.replace(', {name = "coulomb_matrix_random", n_copies = 2}', "")
    )
    from_file = run(folder / "study.toml")
    columns = ["n_train", "mae", "rmse", "max_error", "sigma", "alpha", "unit"]
    assert from_file.frame[columns].equals(called.frame[columns])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data = ", r"study.toml is not a TOML file"),
        ("sizes = [1]", r"study.toml: the key data is missing"),
        ('data = "qm7"\nforces = true', "forces are foreseen .* cannot be learnt yet"),
        ('data = "qm7"\nsize = [1]', "unknown key 'size', expected one of"),
        ('data = "qm7"\nsizes = 100', "sizes must be a list of integers, found 100"),
        ('data = "qm7"\nsizes = [true]', r"sizes must be a list of integers, found \[True\]"),
        ('data = "qm7"\nkernels = [1]', "kernels must be a list of names"),
        ('data = "qm7"\nn_tune = "many"', "n_tune must be an integer, found 'many'"),
        ('data = "qm7"\nsplit = 6', "split must be text, found 6"),
        ("data = 7", "data must be a name or path, found 7"),
        ('data = "qm7"\ntest = 7', "test must be a name or path, or a list of these, found 7"),
        ('data = "qm7"\ntest = [7]', r"a name or path, or a list of these, found \[7\]"),
        (f"data = {'[' * 10_000}", "study.toml is not a study file: too many brackets in one"),
        (f"data = {'[' * 400}{']' * 400}", r"data must be a name or path, found \[\[\["),
        (f"data = {'9' * 9000}", "study.toml is not a TOML file: Exceeds the limit"),
    ],
)
def test_wrong_file_raises(tmp_path, text, message):
    path = tmp_path / "study.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_study(path)


def test_split_of_a_file(folder):
    (folder / "study.toml").write_text(STUDY + 'split = "energy:0.6"\n')
    result = run(folder / "study.toml")
    assert set(result.frame["split"]) == {"energy:0.6"}
    assert set(result.frame["n_test"]) == {16}


def test_tests_of_a_file(folder):
    lengths = np.random.default_rng(1).uniform(0.7, 1.5, 9)
    R = np.zeros((9, 2, 3))
    R[:, 1, 2] = lengths
    # Without a name that asks for one, the property of the data is learnt.
    for name in ("long", "short"):
        np.savez(folder / f"{name}.npz", z=[1, 9], R=R, E=(lengths - 1) ** 2, other=lengths)
    for text, names in (
        ('"long.npz"', ("long",)),
        ('["long.npz", "short.npz"]', ("long", "short")),
    ):
        (folder / "study.toml").write_text(
            STUDY.replace('property = "energy"', "") + f"test = {text}\n"
        )
        result = run(folder / "study.toml")
        assert result.tests == names
        assert set(result.frame["n_test"]) == {9}


def test_atoms_of_a_file(folder):
    text = STUDY.replace('baseline = "mean"', 'baseline = "atoms:H=0.5,F=-1"')
    (folder / "study.toml").write_text(text)
    result = run(folder / "study.toml")
    assert result.metadata["atom_energies"] == {"H": 0.5, "F": -1.0}
    assert set(result.frame["baseline"]) == {"atoms"}


def test_missing_file_raises(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such file: .*nothing.toml"):
        run(tmp_path / "nothing.toml")
