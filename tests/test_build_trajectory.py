"""Molecular dynamics of the builder: reproducible, resumable, energy conserved."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import molkern as mk
from molkern.datasets.build import build_trajectory, dynamics, geometry, output, pool, xtb
from molkern.datasets.built import provenance_of

SHORT = {"frames": 60, "equilibrate": 20, "stride": 4, "n_walkers": 2, "seed": 3}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    path = tmp_path_factory.mktemp("built") / "water.npz"
    return build_trajectory("O", path, **SHORT, n_processes=2)


def test_labels_are_those_of_the_stored_positions(built):
    data = mk.datasets.load(built)
    assert data.units == {"energy": "kcal/mol", "forces": "kcal/mol/angstrom"}
    assert len(data) == 60
    forces = data.targets["forces"].reshape(60, 3, 3)
    factor = mk.datasets.units.conversion_factor("eV", "kcal/mol")
    for k in (0, 29, 59):
        numbers, positions = data.structures[k].numbers, data.structures[k].positions
        atoms = xtb.as_ase(numbers, positions)
        assert data.targets["energy"][k] == pytest.approx(atoms.get_potential_energy() * factor)
        np.testing.assert_allclose(forces[k], atoms.get_forces() * factor, atol=1e-4)


def test_frames_move_and_keep_their_bonds(built):
    data = mk.datasets.load(built)
    assert data.targets["energy"].std() > 0.1
    assert len(np.unique(data.targets["energy"])) == 60
    found = provenance_of(built)
    assert found["frames_with_broken_bonds"] == 0
    assert found["molecule"] == "O"
    assert 0 < found["mean_temperature"] < 2500
    assert abs(found["energy_correlation"]) <= 1
    assert len(found["conservation"]) == 2
    for check in found["conservation"]:
        assert abs(check["drift"]) < 1  # meV per atom and ps
        assert check["deviation"] < 1


def test_long_time_step_does_not_conserve_energy(tmp_path):
    options = dynamics.Options(500.0, 4.0, 1, 0, "nve", 0)  # not checked
    numbers, positions = np.array([1, 1], np.int32), np.array([[0.0, 0, 0], [0.78, 0, 0]])
    atoms = xtb.as_ase(numbers, positions)
    bad = dynamics.conservation(atoms, options)
    good = dynamics.conservation(
        xtb.as_ase(numbers, positions), dynamics.Options(500.0, 0.25, 1, 0, "nve", 0)
    )
    assert bad["deviation"] > 20 * good["deviation"]


@pytest.mark.parametrize("n_processes", [1, 2])
def test_result_does_not_depend_on_processes(built, tmp_path, n_processes):
    path = build_trajectory("O", tmp_path / "a.npz", **SHORT, n_processes=n_processes)
    with np.load(built) as old, np.load(path) as new:
        for name in ("R", "energy", "forces"):
            assert np.array_equal(old[name], new[name])


def test_nve_keeps_the_total_energy():
    numbers, positions = [8, 1, 1], [[0.0, 0.0, 0.0], [0.96, 0.0, 0.0], [-0.24, 0.93, 0.0]]
    energies = {}
    for ensemble in dynamics.ENSEMBLES:
        options = dynamics.Options(500.0, 0.5, 10, 0, ensemble, 1)
        state = {"positions": positions, "momenta": np.full((3, 3), 0.5).tolist()}
        found = []
        for block in range(1, 4):
            record = dynamics.block((numbers, state, options, 0, block, 5))
            state = record["state"]
            atoms = xtb.as_ase(np.array(numbers), np.array(state["positions"]))
            atoms.set_momenta(np.array(state["momenta"]))
            found.append(atoms.get_total_energy())
        energies[ensemble] = np.ptp(found)
    assert energies["nve"] < 5e-3  # eV
    assert energies["langevin"] > 5 * energies["nve"]


def test_long_time_step_is_reported(tmp_path):
    with pytest.warns(RuntimeWarning, match=r"the time step of 1\.6 fs is too long"):
        build_trajectory(
            "O",
            tmp_path / "a.npz",
            timestep=1.6,
            frames=1,
            equilibrate=0,
            stride=1,
            n_processes=1,
        )


def test_lone_atom_moves(tmp_path):
    (tmp_path / "a.xyz").write_text("1\n\nO 0 0 0\n")
    path = build_trajectory(
        tmp_path / "a.xyz", tmp_path / "a.npz", frames=20, equilibrate=0, stride=1, n_processes=1
    )
    found = provenance_of(path)
    assert found["energy_correlation"] is None
    assert found["start"] == [[0.0, 0.0, 0.0]]
    assert found["n_walkers"] == 4


def test_start_that_rearranges_fails(tmp_path, monkeypatch):
    _, positions = geometry.embed("CO", 1, 0)
    numbers = [6, 8, 1, 1, 1, 1]
    with pytest.raises(pool.Failure, match="another molecule after relaxation"):
        dynamics.relaxed((numbers, positions[::-1].tolist(), "CO"))


def test_two_builds_of_one_file_do_not_mix(tmp_path):
    path = tmp_path / "a.npz"
    words = [sys.executable, "-m", "molkern", "data", "build", "trajectory", "O", str(path)]
    first = subprocess.Popen(words, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    limit = time.monotonic() + 60
    while time.monotonic() < limit and not output.journal_of(path).exists():
        time.sleep(0.02)
    second = subprocess.run(words, capture_output=True, text=True, check=False)
    first.kill()
    first.wait()
    assert second.returncode == 2
    assert "another build is writing it" in second.stderr


def test_interrupted_build_says_how_to_continue(tmp_path):
    path = tmp_path / "a.npz"
    words = [sys.executable, "-m", "molkern", "data", "build", "trajectory", "CCO", str(path)]
    process = subprocess.Popen(
        words,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    limit = time.monotonic() + 60
    journal = output.journal_of(path)
    while time.monotonic() < limit and not (journal.exists() and b"start" in journal.read_bytes()):
        time.sleep(0.02)
    time.sleep(3.0)  # the walkers are at work, also on a busy machine
    process.send_signal(signal.SIGINT)
    _, shown = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "interrupted; finished work is in a.journal, the same command continues" in shown
    assert "Traceback" not in shown


def test_killed_build_continues_to_the_same_result(built, tmp_path):
    path = tmp_path / "a.npz"
    words = [sys.executable, "-m", "molkern", "data", "build", "trajectory", "O", str(path)]
    for name, value in SHORT.items():
        words += [f"--{name.replace('_', '-')}", str(value)]
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    journal = output.journal_of(path)
    limit = time.monotonic() + 100
    while time.monotonic() < limit and process.poll() is None:
        if journal.exists() and journal.read_bytes().count(b"\n") >= 4:
            break
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not path.exists()
    kept = journal.read_bytes().count(b"\n") - 1
    assert kept >= 3
    assert subprocess.run(words, capture_output=True, check=False).returncode == 0
    with np.load(built) as old, np.load(path) as new:
        assert np.array_equal(old["R"], new["R"])
        assert np.array_equal(old["energy"], new["energy"])
        before, after = (json.loads(str(f["molkern_provenance"])) for f in (old, new))
    assert after.pop("command").startswith("molkern data build trajectory O")
    before.pop("command")
    assert before == after


def test_file_as_a_start(tmp_path):
    molecule, positions = geometry.embed("CO", 1, 0)
    from ase import Atoms
    from ase.io import write

    write(tmp_path / "methanol.xyz", Atoms([a.GetSymbol() for a in molecule.GetAtoms()], positions))
    path = build_trajectory(
        tmp_path / "methanol.xyz",
        tmp_path / "a.npz",
        frames=2,
        equilibrate=0,
        stride=1,
        n_walkers=1,
        n_processes=1,
    )
    assert provenance_of(path)["molecule"] == "methanol.xyz"


WRONG = [
    (("C(C",), {}, "no valid SMILES of a molecule; nor is there a file of that name"),
    (("missing.xyz",), {}, "no valid SMILES of a molecule; nor is there a file"),
    (("CBr",), {}, "elements: expected H, C, N, O, F, S, found Br"),
    (("C",), {"frames": 0}, "frames: expected at least 1, found 0"),
    (("C",), {"n_walkers": 0}, "n_walkers: expected at least 1"),
    (("C",), {"frames": 2, "n_walkers": 3}, "n_walkers: 3 for 2 frames; expected a frame for each"),
    (("C",), {"temperature": 0.0}, "temperature: expected a positive number, found 0.0"),
    (("C",), {"timestep": float("nan")}, "timestep: expected a positive number"),
    (("C",), {"stride": 0}, "stride: expected at least 1"),
    (("C",), {"equilibrate": -1}, "equilibrate: expected at least 0"),
    (("C",), {"ensemble": "npt"}, "ensemble: expected one of langevin, nve, found 'npt'"),
    (("C",), {"n_processes": 0}, "n_processes: expected at least 1"),
]


@pytest.mark.parametrize(("words", "options", "message"), WRONG)
def test_wrong_arguments_leave_nothing(tmp_path, words, options, message):
    with pytest.raises(ValueError, match=message):
        build_trajectory(*words, tmp_path / "new" / "a.npz", **options)
    assert list(tmp_path.iterdir()) == []


def test_wrong_types_raise(tmp_path):
    with pytest.raises(TypeError, match=r"frames: expected an integer, found 2\.5"):
        build_trajectory("C", tmp_path / "a.npz", frames=2.5)
    with pytest.raises(TypeError, match="temperature: expected a number, found '500'"):
        build_trajectory("C", tmp_path / "a.npz", temperature="500")
    with pytest.raises(TypeError, match="molecule: expected SMILES or a file, found 7"):
        build_trajectory(7, tmp_path / "a.npz")


def test_molecule_that_can_not_be_embedded_raises(tmp_path):
    with pytest.raises(ValueError, match=r"C1C\[C@@H\]2C\[C@@H\]12: embedding: no conformer"):
        build_trajectory("C1C[C@@H]2C[C@@H]12", tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("nonsense", "ASE can not read it"),
        ("1\n\nH 0 0 0\n", "an odd number of electrons"),
        (2 * "1\n\nO 0 0 0\n", "expected one structure with atoms, found 2 frames"),
        ("1\n\nXe 0 0 0\n", "elements: expected H, C, N, O, F, S, found Xe"),
        ('1\nLattice="9 0 0 0 9 0 0 0 9"\nO 0 0 0\n', "a periodic structure"),
    ],
)
def test_wrong_files(tmp_path, content, message):
    path = tmp_path / "a.xyz"
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        build_trajectory(path, tmp_path / "a.npz")
    assert not (tmp_path / "a.npz").exists()
