"""The command line of data: the list, downloads, checks, the builder."""

from pathlib import Path

import pytest

from cli_calls import failing
from molkern import cli

pytestmark = pytest.mark.usefixtures("own_folders")


def test_data_list(capsys):
    assert cli.main(["data", "list"]) == 0
    shown = capsys.readouterr().out
    assert "qm7" in shown
    assert "download" in shown
    assert "kcal/mol" in shown


def test_data_verify_and_fetch(shared_data, capsys, monkeypatch):
    monkeypatch.setenv("MOLKERN_DATA", str(shared_data))
    assert cli.main(["data", "verify", "qm7"]) == 0
    assert "7165 structures" in capsys.readouterr().out
    assert cli.main(["data", "fetch", "qm7"]) == 0
    assert capsys.readouterr().out == f"{shared_data / 'qm7.npz'}\n"


FRAME = "3\nProperties=species:S:1:pos:R:3:REF_forces:R:3 REF_energy={energy} {more}\n{atoms}"
ATOMS = "O 0 0 0 1 1 1\nH 0.96 0 0 1 1 1\nH -0.24 0.93 0 1 1 1\n"


def water(n=4, more="", atoms=ATOMS):
    text = "".join(FRAME.format(energy=-76.5 - k / 7, more=more, atoms=atoms) for k in range(n))
    Path("water.xyz").write_text(text)
    return "water.xyz"


def shown(capsys, *arguments):
    assert cli.main(["data", "show", *arguments]) == 0
    return " ".join(capsys.readouterr().out.split())


def test_data_show_says_what_is_taken_for_what(capsys):
    words = shown(capsys, water(), "--unit", "hartree")
    assert "water: 4 structures, 3 atoms" in words
    assert "elements H in 4, O in 4 structures" in words
    said = "energy ← REF_energy hartree, as said by the user; all structures have one composition"
    assert said in words
    assert (
        "forces ← REF_forces hartree/angstrom, by the unit of the energy; sign as stored" in words
    )
    assert "* energy hartree structure 4 -76.92857" in words


def test_data_show_needs_no_choice_and_no_labels(capsys):
    words = shown(capsys, water(more="dft_energy=1.5 xtb_energy=2.5"))
    assert "choose one of: REF_energy" in words
    assert "xtb_energy unknown structure 4" in words
    Path("some.xyz").write_text("1\nenergy=1.5\nH 0 0 0\n1\n\nH 0 0 1\n")
    assert "1 of 2 structures have no energy" in shown(capsys, "some.xyz")
    Path("none.xyz").write_text("1\nstep=1\nH 0 0 0\n")
    assert "step: a number that counts or describes" in shown(capsys, "none.xyz")


def test_data_show_of_a_known_set(capsys):
    words = shown(capsys, "mini-ethanol")
    assert "energy ← energy kcal/mol; all structures have one composition: mean baseline" in words
    assert "forces kcal/mol/angstrom atom: 3 18000" in words
    assert "did you mean qm7" in failing(capsys, "data", "show", "qm77")


def test_data_show_of_a_wrong_file(capsys):
    path = water(atoms=ATOMS.replace("H 0.96", "1 0.96"))
    assert "water.xyz: line 3: the first column holds numbers" in failing(
        capsys, "data", "show", path
    )
    Path("water.xyz").write_text("3\n\nO 0 0 0\n")
    assert "water.xyz: line 3 (frame 0): the file ends after" in failing(
        capsys, "data", "show", "water.xyz"
    )
    assert "no such file: absent.xyz" in failing(capsys, "data", "show", "absent.xyz")


def test_data_wrong_name(capsys):
    assert "did you mean qm7" in failing(capsys, "data", "verify", "qm77")
    assert "did you mean qm7" in failing(capsys, "data", "fetch", "qm77")
    assert "Missing argument" in failing(capsys, "data", "fetch")
    assert "Missing command" in failing(capsys, "data")
    assert "qm7: not found" in failing(capsys, "data", "verify", "qm7")


def test_data_damaged(tmp_path, capsys, monkeypatch, shared_data):
    folder = tmp_path / "copy"
    folder.mkdir()
    content = bytearray((shared_data / "qm7.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "qm7.npz").write_bytes(content)
    monkeypatch.setenv("MOLKERN_DATA", str(folder))
    line = failing(capsys, "data", "verify", "qm7")
    assert "qm7.npz" in line
    assert "damaged" in line


def test_build_molecules_of_a_list(capsys):
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
def test_wrong_build(words, message, tmp_path, capsys):
    Path("bad.smi").write_text("# a comment\nCC\nC1C\n")
    assert cli.main(["data", "build", *words]) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("molkern: error: ")
    assert message in shown.err
    assert [path.name for path in tmp_path.iterdir()] == ["bad.smi"]
