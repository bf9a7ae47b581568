"""Options of reading on the command line: what they change is in the report, too."""

import numpy as np
import pytest
from ase.build import molecule

from molkern import cli
from molkern.study import Result

pytestmark = pytest.mark.usefixtures("own_folders")

FEW = ["--representations", "bag_of_bonds", "--kernels", "laplacian", "--seeds", "0", "--no-cost"]
FREE = {"H": -13.5, "C": -1030.0, "O": -2040.0}  # eV


def shown(capsys, *arguments, code=0):
    assert cli.main(list(arguments)) == code
    words = capsys.readouterr()
    return " ".join((words.out if code == 0 else words.err).split())


def text_of(rng, *, symbols=None, dummy=False, key="energy", scale=1.0):
    """A distorted water, methanol or methane; energies of free atoms and a sum over pairs."""
    atoms = molecule(str(rng.choice(["H2O", "CH3OH", "CH4"])))
    atoms.positions += rng.normal(0, 0.05, atoms.positions.shape)
    pairs = (1 / atoms.get_all_distances()[np.triu_indices(len(atoms), 1)]).sum()
    energy = (sum(FREE[s] for s in atoms.symbols) - pairs) * scale
    rows = [((symbols or {}).get(s, s), p) for s, p in zip(atoms.symbols, atoms.positions,
                                                           strict=True)]  # fmt: skip
    rows += [("X", np.zeros(3))] if dummy else []
    lines = [f"{s} {p[0]:.10f} {p[1]:.10f} {p[2]:.10f}" for s, p in rows]
    return "\n".join([str(len(rows)), f"{key}={energy:.10f}", *lines, ""])


def test_species(tmp_path, capsys):
    rng = np.random.default_rng(0)
    types = {"H": "1", "C": "2", "O": "3"}
    (tmp_path / "a.xyz").write_text("".join(text_of(rng, symbols=types) for _ in range(30)))
    words = shown(capsys, "compare", "a.xyz", *FEW, code=2)
    assert "--species Si,O" in words
    words = shown(capsys, "compare", "a.xyz", *FEW, "--species", "H, C,O")
    result = Result.load(tmp_path / "molkern-report" / "a" / "results.json")
    assert result.frame["mae"].max() < 1.0
    words = shown(capsys, "compare", "a.xyz", *FEW, "--species", "H,C", code=2)
    assert "species" in words
    assert "3" in words
    words = shown(capsys, "data", "show", "a.xyz", "--species", "H,C,O")
    assert "H in 30" in words


def test_dummies(tmp_path, capsys):
    rng = np.random.default_rng(1)
    (tmp_path / "a.xyz").write_text("".join(text_of(rng, dummy=True) for _ in range(20)))
    for command in (["compare", "a.xyz", *FEW], ["data", "show", "a.xyz"]):
        words = shown(capsys, *command, code=2)
        assert "--skip-dummies" in words
        assert "frame 0" in words
        words = shown(capsys, *command, "--skip-dummies")
        assert "20 dummy atoms" in words
    output = ["featurize", "a.xyz", "--representation", "bag_of_bonds", "--output", "a.npz"]
    assert "--skip-dummies" in shown(capsys, *output, code=2)
    shown(capsys, *output, "--skip-dummies")
    assert 0 not in np.load("a.npz")["numbers"]


def test_memory(tmp_path, capsys):
    np.savez_compressed(
        tmp_path / "a.npz", z=[8, 1, 1], R=np.zeros((4_000_000, 3, 3)), E=np.zeros(4_000_000)
    )
    words = shown(capsys, "data", "show", "a.npz", code=2)
    assert "a.npz" in words
    assert "--max-bytes" in words
    words = shown(capsys, "compare", "a.npz", *FEW, "--max-bytes", "1000", code=2)
    assert "up to 1000 are taken" in words


@pytest.mark.parametrize(
    "option", [["--species", "H"], ["--skip-dummies"], ["--skip-missing"], ["--max-bytes", "9"],
               ["--length-unit", "bohr"], ["--test", "a.xyz"]]
)  # fmt: skip
def test_options_of_reading_need_data(option, capsys):
    assert f"{option[0]}: needs DATA" in shown(capsys, "compare", *option, code=2)


def test_isolated_atoms(tmp_path, capsys):
    """They are neither learnt from nor tested on; the baseline takes their energies."""
    rng = np.random.default_rng(2)
    text = "".join(text_of(rng, key="REF_energy") for _ in range(40))
    for symbol, energy in FREE.items():
        text += f"1\nconfig_type=IsolatedAtom REF_energy={energy}\n{symbol} 0 0 0\n"
    (tmp_path / "a.xyz").write_text(text)
    options = ["--unit", "meV", "--baseline", "atoms", "--out", "out"]
    words = shown(capsys, "compare", "a.xyz", *FEW, *options, code=0)
    assert "a: 40 structures" in words
    result = Result.load(tmp_path / "out" / "results.json")
    assert result.metadata["atom_energies"] == pytest.approx(FREE)  # no unit is stated: as given
    words = shown(capsys, "compare", "a.xyz", *FEW)
    assert "3 frames (C, H, O), neither learnt from nor tested on" in words


def test_tests_are_read_as_the_data_are(tmp_path, capsys):
    """Other keys and other units of a file to test on; dummy atoms left out of both."""
    rng = np.random.default_rng(3)
    first = "".join(text_of(rng, dummy=True, key="energy-unit=eV energy") for _ in range(30))
    second = "".join(
        text_of(rng, key="energy-unit=hartree REF_energy", scale=1 / 27.211386245981)
        for _ in range(12)
    )
    (tmp_path / "a.xyz").write_text(first)
    (tmp_path / "b.xyz").write_text(second)
    shown(capsys, "compare", "a.xyz", *FEW, "--test", "b.xyz", "--skip-dummies", "--unit", "eV",
          "--out", "out")  # fmt: skip
    result = Result.load(tmp_path / "out" / "results.json")
    assert set(result.frame["unit"]) == {"eV"}
    assert result.frame["mae"].max() < 1.0
