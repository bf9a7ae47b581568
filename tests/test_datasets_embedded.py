"""The data sets of the package: they load without anything else, and can be made again."""

import importlib.metadata
from pathlib import Path

import numpy as np
import pytest

import molkern as mk
from molkern.datasets import embedded
from molkern.datasets.build import build_molecules, xtb
from molkern.datasets.built import provenance_of

FILES = {name: embedded.FOLDER / f"{name.replace('-', '_')}.npz" for name in embedded.NAMES}


@pytest.fixture(autouse=True)
def no_other_data(monkeypatch, tmp_path):
    monkeypatch.delenv("MOLKERN_DATA", raising=False)
    monkeypatch.setenv("MOLKERN_CACHE", str(tmp_path / "none"))


@pytest.mark.parametrize("name", embedded.NAMES)
def test_loads_without_network_and_is_verified(name):
    data = mk.datasets.load(name, download=False)
    assert data.name == name
    assert data.verified.startswith("SHA-256")
    assert all(np.isfinite(values).all() for values in data.targets.values())
    assert "no replacement for density functional theory" in data.notes[0]
    assert mk.datasets.verify(name).checks
    line = next(line for line in mk.datasets.available() if line.name == name)
    assert (line.place, line.path, line.check) == ("package", FILES[name], "SHA-256")


def test_together_small():
    assert sum(path.stat().st_size for path in FILES.values()) <= 4 * 2**20


def test_molecules_are_different_and_small():
    data = mk.datasets.load(embedded.MOLECULES)
    with np.load(FILES[embedded.MOLECULES]) as arrays:
        smiles = arrays["smiles"].tolist()
    assert len(set(smiles)) == len(smiles) == len(data) >= 2000
    heavy = [int((numbers > 1).sum()) for numbers, _ in data.structures]
    assert max(heavy) == 7
    assert data.structures.species.tolist() == [1, 6, 7, 8]
    assert data.targets["atomization_energy"].max() < 0
    assert (data.targets["gap"] > 0).all()


@pytest.mark.parametrize("name", embedded.NAMES[1:])
def test_trajectories_conserve_energy(name):
    found = provenance_of(FILES[name])
    assert found["frames"] == 2000
    assert max(abs(check["drift"]) for check in found["conservation"]) < 0.5  # meV/atom/ps
    # The proton of malonaldehyde goes from one oxygen to the other, as it does in nature.
    assert (found["frames_with_broken_bonds"] > 0) == (name == "mini-malonaldehyde")
    assert 450 < found["mean_temperature"] < 550
    assert found["energy_correlation"] < 0.6


@pytest.mark.parametrize("name", embedded.NAMES)
def test_readme_says_how_it_was_made(name):
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    assert provenance_of(FILES[name])["command"] in readme


@pytest.mark.parametrize("name", embedded.NAMES)
def test_labels_are_computed_again(name):
    data = mk.datasets.load(name)
    chosen = np.random.default_rng(0).choice(len(data), 10, replace=False)
    for k in chosen:
        (numbers, positions) = next(iter(data.structures[int(k)]))
        if name == embedded.MOLECULES:
            for target, value in xtb.labels(numbers, positions).items():
                if target != "partial_charges":
                    assert data.targets[target][k] == pytest.approx(value, rel=1e-5, abs=1e-4)
        else:
            atoms = xtb.as_ase(numbers, positions)
            factor = mk.datasets.units.conversion_factor("eV", "kcal/mol")
            energy = atoms.get_potential_energy() * factor
            assert data.targets["energy"][k] == pytest.approx(energy, abs=1e-3)
            forces = data.targets["forces"].reshape(len(data), -1, 3)[k]
            np.testing.assert_allclose(forces, atoms.get_forces() * factor, atol=1e-2)


def test_fifty_molecules_are_built_again(tmp_path):
    path = FILES[embedded.MOLECULES]
    found = provenance_of(path)
    for package in ("rdkit", "tblite", "ase"):
        installed = importlib.metadata.version(package)
        if installed != found["versions"][package]:
            pytest.skip(f"made with {package} {found['versions'][package]}, found {installed}")
    with np.load(path) as arrays:
        smiles = arrays["smiles"].tolist()
    chosen = np.random.default_rng(1).choice(len(smiles), 50, replace=False)
    again = build_molecules(
        tmp_path / "again.npz",
        smiles=[smiles[k] for k in chosen],
        seed=found["seed"],
        n_conformers=found["n_conformers"],
    )
    old, new = mk.datasets.load(path), mk.datasets.load(again)
    assert len(new) == 50
    for place, k in enumerate(chosen):
        before, after = old.structures[int(k)], new.structures[place]
        assert np.array_equal(before.numbers, after.numbers)
        # Å. The same steps; another processor rounds differently, and flat valleys magnify it.
        np.testing.assert_allclose(before.positions, after.positions, atol=0.05)
        for target, tolerance in (("atomization_energy", 0.01), ("gap", 0.01), ("dipole", 0.05)):
            assert abs(old.targets[target][k] - new.targets[target][place]) < tolerance
