"""The command line of the builder."""

from pathlib import Path

import pytest

from molkern import cli


def test_build_molecules_of_a_list(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("list.smi").write_text("CCO ethanol\n\nC#N\n")
    words = ["data", "build", "molecules", "mine.npz", "--smiles", "list.smi", "--n-processes", "1"]
    assert cli.main(words) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines()[0].split() == ["written", "mine.npz"]
    assert "molecules  2" in shown.out
    assert "molecules: 2 of 2" in shown.err
    assert cli.main(words) == 2
    assert "out: mine.npz exists; delete it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["molecules", "a.npz"], "expected either --heavy-atoms or --smiles"),
        (["molecules", "a.npz", "--heavy-atoms", "0"], "heavy_atoms: expected"),
        (["molecules", "a.npz", "--heavy-atoms", "2", "--elements", "C,U"], "elements: "),
        (["molecules", "a.npz", "--smiles", "no.smi"], "No such file or directory: 'no.smi'"),
        (
            ["molecules", "a.npz", "--smiles", "bad.smi"],
            "bad.smi, line 3: smiles: 'C1C' is no valid",
        ),
        (["trajectory", "C1C", "a.npz"], "'C1C' is no valid SMILES"),
        (["trajectory", "C", "no/file/a.npz", "--frames", "0"], "frames: expected at least 1"),
    ],
)
def test_wrong_build(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("bad.smi").write_text("# a comment\nCC\nC1C\n")
    assert cli.main(["data", "build", *words]) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("molkern: error: ")
    assert message in shown.err
    assert [path.name for path in tmp_path.iterdir()] == ["bad.smi"]
