"""What the README shows is what happens: its Python runs, and its example of a file is real."""

import re
from pathlib import Path

import numpy as np
import pytest
from ase.build import molecule

from molkern import cli

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
FREE = {"H": -13.6, "C": -1029.3, "O": -2041.8}  # eV
COLUMNS = "Properties=species:S:1:pos:R:3:REF_forces:R:3"


def training_file(path, n=300):
    """Frames of isolated atoms, and distorted molecules with a sum over pairs of atoms."""
    rng = np.random.default_rng(0)
    frames = [
        f"1\n{COLUMNS} config_type=IsolatedAtom REF_energy={energy}\n{symbol} 0 0 0 0 0 0\n"
        for symbol, energy in FREE.items()
    ]
    for k in range(n):
        atoms = molecule(["CH4", "CH3OH", "H2O", "H2CO"][k % 4])
        atoms.positions += rng.normal(0, 0.05, atoms.positions.shape)
        i, j = np.triu_indices(len(atoms), 1)
        vectors = atoms.positions[i] - atoms.positions[j]
        distances = np.linalg.norm(vectors, axis=1)
        energy = sum(FREE[s] for s in atoms.symbols) - 4 * np.exp(-distances).sum()
        forces = np.zeros((len(atoms), 3))
        pulls = -(4 * np.exp(-distances) / distances)[:, None] * vectors
        np.add.at(forces, i, pulls)
        np.add.at(forces, j, -pulls)
        rows = zip(atoms.symbols, np.hstack([atoms.positions, forces]), strict=True)
        lines = [f"{s} {' '.join(f'{x:.8f}' for x in row)}" for s, row in rows]
        frames.append(
            f"{len(atoms)}\n{COLUMNS} REF_energy={energy:.8f}\n" + "\n".join(lines) + "\n"
        )
    path.write_text("".join(frames))


def test_python_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) >= 2
    exec(compile("\n".join(blocks), "README.md", "exec"), {})


@pytest.mark.usefixtures("own_folders")
def test_the_file_that_the_readme_shows(tmp_path, capsys):
    training_file(tmp_path / "train.xyz")
    assert cli.main(["data", "show", "train.xyz", "--unit", "eV"]) == 0
    found = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    match = re.search(r"<!-- shown: train.xyz -->\n```\n(.*?)```\n<!-- end -->", README, re.DOTALL)
    assert match is not None
    assert found == match[1].splitlines()
