"""``molkern scaling``."""

import pytest

from molkern import cli
from molkern.study import Measurements

pytestmark = pytest.mark.usefixtures("own_folders")


def test_scaling_writes_a_report(tmp_path, capsys):
    arguments = ["scaling", "--max-atoms", "100", "--representations", "acsf,bag_of_bonds",
                 "--operations", "values,vjp", "--out", "out"]  # fmt: skip
    assert cli.main(arguments) == 0
    shown = capsys.readouterr()
    words = " ".join(shown.out.split())
    assert "Bag of bonds, gradient: water" in words
    assert "diamond: cubic supercells" in words
    assert "molecules: not found" in words
    assert "out/scaling.html" in words
    found = Measurements.load(tmp_path / "out" / "scaling.json")
    assert set(found.frame["n_threads"]) == {1}
    assert found.frame["n_atoms"].max() <= 100
    assert set(found.frame["operation"]) == {"values", "vjp"}
    # Given again, everything is there.
    stored = {path: path.read_bytes() for path in (tmp_path / "out" / "store").glob("*.json")}
    assert len(stored) == len(found.rows)
    assert cli.main(arguments) == 0
    assert Measurements.load(tmp_path / "out" / "scaling.json").rows == found.rows
    assert {path: path.read_bytes() for path in stored} == stored
    capsys.readouterr()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--max-atoms", "5"], "--max-atoms: expected at least 10, found 5"),
        (["--representations", "cm"], "--representations: expected one of coulomb_matrix,"),
        (["--operations", "gram"], "--operations: expected one of values, vjp, found 'gram'"),
        (["--n-threads", "0"], "--n-threads: expected at least 1, found 0"),
        (["--dtype", "half"], "dtype: expected"),
        (["--max-seconds", "0"], "max_seconds: expected more than 0"),
        (["--out", "taken"], "cannot write to the folder taken"),
        (["--max-atoms", "many"], "Invalid value for '--max-atoms'"),
    ],
)
def test_wrong_input(arguments, words, tmp_path, capsys):
    (tmp_path / "taken").write_text("a file, where a folder is wanted")
    assert cli.main(["scaling", *arguments]) == 2
    assert words in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
