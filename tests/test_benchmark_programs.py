"""The programs of benchmarks/: adapters of other libraries, race, report, and asv's suite."""

from __future__ import annotations

import argparse
import inspect
import itertools
import json
import subprocess
import sys
import warnings

import numpy as np
import pytest

import molkern as mk
from definitions import random_molecules

SUITE = (
    "acsf",
    "aev",
    "bag_of_bonds",
    "coulomb_matrix",
    "kernels",
    "local_kernels",
    "neighbors",
    "regression",
    "soap",
    "structures",
)
SMALL = {"N_STRUCTURES": 15, "N_ROWS": 40, "N_TUNED": 20, "N_JACOBIAN": 2}


def test_adapters_give_our_values(bench, monkeypatch):
    tasks, task_module = bench("peers.tasks"), bench("peers.task")
    monkeypatch.setattr(tasks, "N_PACKED", 100)
    for size in ("N_VALUES", "N_GRADIENTS", "N_KERNEL"):
        monkeypatch.setattr(bench("peers.local_tasks"), size, 20)
    monkeypatch.setattr(bench("peers.local_tasks"), "N_JACOBIAN", 4)
    monkeypatch.setattr(bench("peers.soap_adapters"), "SLOW_DERIVATIVES", 3)
    pairs = bench("peers.molecules").synthetic_pairs(60, seed=1)
    compared = set()
    for name in tasks.NAMES:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # other libraries' own warnings
            task = tasks.build(name, pairs, 1)
            reference = task_module.reference_of(task)
            for contestant in task.contestants:
                source = bench("peers.race").subset(task.source, contestant.rows)
                result = contestant.run(contestant.convert(source))
                if contestant.values is None:
                    continue
                values = task_module.compare_values(contestant, result, reference, task)
                assert isinstance(values, dict), (name, contestant.name, values)
                assert values["max_deviation"] < contestant.tolerance, (name, contestant.name)
                assert contestant.tolerance <= 1e-4
                assert values["rows_compared"] >= 20, (name, contestant.name)
                compared.add((name, contestant.ours))
    assert ("coulomb_sorted", False) in compared
    assert ("gaussian", False) in compared
    assert {name for name, ours in compared if ours} == set(tasks.NAMES)


def test_agreement_finds_a_difference(bench):
    agreement = bench("peers.task").agreement
    ours = np.arange(1.0, 13.0).reshape(4, 3)
    theirs = ours.copy()
    theirs[2, 1] += 0.12
    assert agreement(ours, ours, None, None)["max_deviation"] == 0.0
    assert agreement(ours, theirs, None, None)["max_deviation"] == pytest.approx(0.01)
    mask = np.array([True, True, False, True])
    assert agreement(ours, theirs, None, mask)["rows_left_out"] == 1
    assert agreement(ours, theirs, None, mask)["max_deviation"] == 0.0
    part = np.array([1, 2])
    assert agreement(ours, theirs[part], part, None)["max_deviation"] == pytest.approx(0.12 / 9)
    with pytest.raises(ValueError, match="3 rows, expected 4"):
        agreement(ours, theirs[:3], None, None)
    with pytest.raises(ValueError, match="2 features, ours has 3"):
        agreement(ours, theirs[:, :2], None, None)


def test_turns_are_interleaved_and_slow_ones_spread(bench):
    race = bench("peers.race")
    order = []
    contestants = [
        race.Contestant(name, race.unchanged, lambda _, name=name: order.append(name))
        for name in "ab"
    ]
    times = race.race(contestants, None, [4, 2])
    assert order == ["a", "a", "b", "a", "a", "b"]
    assert [len(t.run) for t in times] == [4, 2]


def test_report_judges_by_cost_per_item(bench):
    report = bench("peers.report")

    def entry(name, seconds, items):
        keys = ("seconds_min", "seconds_median", "seconds_with_conversion_min")
        return {"name": name, "items": items, **dict.fromkeys(keys, seconds)}

    task = {
        "name": "coulomb_sorted",
        "contestants": [
            entry("molkern fresh", 1.0, 100),
            entry("molkern out", 0.5, 100),
            entry("slow", 1.0, 2),
            entry("fast", 6.0, 100),
            {"name": "broken", "items": 1, "error": "no"},
        ],
    }
    rows = report.requirements_table({"tasks": [task]})[2:]
    assert len(rows) == 2
    assert "| fast | 6.00 | 6.00 | 6.00 | 5 | yes |" in rows[0]
    assert "| fast | 12.00 | 12.00 | 12.00 | 10 | yes |" in rows[1]
    task["contestants"][3] = entry("fast", 4.0, 100)
    assert report.requirements_table({"tasks": [task]})[2].endswith("| 5 | **no** |")


def test_summary_and_speed_ups(bench):
    report = bench("peers.report")

    def task(**seconds):
        keys = ("seconds_min", "seconds_median", "seconds_with_conversion_min")
        entries = [{"name": n, "items": 10, **dict.fromkeys(keys, s)} for n, s in seconds.items()]
        return {"name": "soap", "contestants": entries}

    one = task(**{"molkern fresh": 2.0, "molkern out": 1.0, "slow": 50.0, "fast": 20.0})
    two = task(**{"molkern fresh": 1.5, "molkern out": 0.5, "molkern out, 1 thread": 0.8})
    runs = [{"threads": 1, "tasks": [one]}, {"threads": 2, "tasks": [two]}]
    assert report.summary_table({"runs": runs})[2:] == [
        "| soap | fast | 0.5 | 10.0 | 20.0 | 1.60 |"
    ]
    assert report.speed_up_table(runs[1])[2:] == [
        "| soap | molkern out | 500.00 | 800.00 | 1.60 | 1.60 | 1.8 | **no** |"
    ]
    assert report.summary_table({"runs": runs[:1]})[2].endswith("| 20.0 |  |")


def test_gradients_of_dense_derivatives_are_vjp(bench):
    adapters, molecules = bench("peers.soap_adapters"), bench("peers.molecules")
    pairs = random_molecules(6, seed=4)
    soap = mk.SOAP(species=[1, 6, 7, 8], n_max=2, l_max=1, r_cut=3.0).fit(pairs)
    rows = molecules.evenly_spaced(pairs, 3)
    assert rows.tolist() == [0, 2, 5]
    assert molecules.evenly_spaced(pairs, 6) is None
    mine = molecules.atom_rows(pairs, rows)
    gX = adapters.cotangent(sum(len(z) for z, _ in pairs), soap.n_features_out_)
    whole = soap.vjp(pairs, gX)
    dense = [soap.jacobian([pairs[i]]).to_dense() for i in rows]
    found = adapters.gradients(dense, gX[mine])
    np.testing.assert_allclose(found, whole[mine], atol=1e-12 * np.abs(whole).max())


def test_features_padded_for_other_libraries(bench):
    pairs = random_molecules(3, seed=1)
    sizes = [len(numbers) for numbers, _ in pairs]
    X = np.random.default_rng(0).normal(size=(sum(sizes), 4))
    blocks, numbers = bench("peers.atom_adapters").to_blocks((X, pairs))
    assert blocks.shape == (3, max(sizes), 4)
    parts = [(block[:n], block[n:]) for block, n in zip(blocks, sizes, strict=True)]
    np.testing.assert_array_equal(np.concatenate([atoms for atoms, _ in parts]), X)
    assert not any(padding.any() for _, padding in parts)
    assert [len(n) for n in numbers] == sizes


def test_compare_runs_from_the_command_line(tmp_path, benchmarks, bench):
    pairs = bench("peers.molecules").synthetic_pairs(30)
    packed = mk.Structures.from_arrays(pairs)
    data, out = tmp_path / "small.npz", tmp_path / "results.json"
    np.savez(data, numbers=packed.numbers, positions=packed.positions, offsets=packed.offsets)
    command = [sys.executable, str(benchmarks / "peers" / "compare.py"), "--data", str(data)]
    command += ["--tasks", "coulomb_sorted,gaussian", "--threads", "1", "--repeats", "2"]
    done = subprocess.run([*command, "--out", str(out)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    document = json.loads(out.read_text())
    run = document["runs"][0]
    assert [task["name"] for task in run["tasks"]] == ["coulomb_sorted", "gaussian"]
    assert run["environment"]["OMP_NUM_THREADS"] == "1"
    assert run["tasks"][0]["precision"] == "float64"
    assert str(tmp_path) not in out.read_text()  # a result names no folder of this machine
    assert "times as fast" in out.with_suffix(".md").read_text()
    absent = subprocess.run([*command[:2], "--data", str(tmp_path / "no.npz")], capture_output=True)
    assert absent.returncode == 2
    assert b"no file" in absent.stderr


def test_every_module_of_the_suite_is_run(benchmarks):
    shared = {"__init__", "atoms", "libraries"}
    assert {path.stem for path in (benchmarks / "suite").glob("*.py")} - shared == set(SUITE)


@pytest.mark.parametrize("stem", SUITE)
def test_suite_runs_with_every_parameter(bench, monkeypatch, stem):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other libraries' own warnings
        module, atoms = bench(f"suite.{stem}"), bench("suite.atoms")
        for target in (module, atoms):
            for constant in SMALL.keys() & vars(target).keys():
                monkeypatch.setattr(target, constant, SMALL[constant])
        smallest = atoms.crystal(8)
        monkeypatch.setattr(atoms, "crystal", lambda n_atoms: smallest)
        classes = [c for _, c in inspect.getmembers(module, inspect.isclass)]
        classes = [c for c in classes if c.__module__ == module.__name__]
        assert classes
        for case in classes:
            assert not inspect.isabstract(case)  # asv would leave it out
            assert len(case.params) == len(case.param_names)
            assert {"library", "dtype", "n_threads"} & set(case.param_names)
            n_run = sum(run_case(case, values) for values in itertools.product(*case.params))
            assert n_run > 0


def run_case(case, values):
    """One object per parameter set and method, as asv does; False if a library is missing."""
    n_methods = 0
    for name, method in inspect.getmembers(case, inspect.isfunction):
        if not name.startswith(("time_", "peakmem_")):
            continue
        instance = case()
        try:
            instance.setup(*values)
        except NotImplementedError:
            return False
        method(instance, *values)
        n_methods += 1
    return n_methods > 0


def test_race_of_readers(bench):
    """Each reader that is here reads all frames; the rows say which version and how fast."""
    reading = bench("reading")
    rows = reading.race(argparse.Namespace(frames=100, atoms=5, repeats=1))
    found = {row["reader"]: row for row in rows}
    assert {"molkern", "molkern's parser", "ASE"} <= set(found)
    assert found["molkern"]["times_molkern"] == 1.0
    assert all(row["microseconds_per_frame"] > 0 and row["version"] for row in rows)


def test_readers_agree_on_the_race(bench, tmp_path):
    reading = bench("reading")
    reading.write(tmp_path / "a.xyz", 3, 4)
    theirs = reading.by_ase(tmp_path / "a.xyz")
    assert len(theirs) == 3
    np.testing.assert_array_equal(
        reading.by_molkern(tmp_path / "a.xyz"), np.concatenate([forces for *_, forces in theirs])
    )
    positions = np.concatenate([positions for _, positions, _ in theirs])
    np.testing.assert_array_equal(reading.by_parser(tmp_path / "a.xyz"), positions)


def test_hostile_files_end_no_process_of_ours(bench, tmp_path):
    reading = bench("reading")
    path = tmp_path / "a.xyz"
    for name in ("10^11 columns declared", "10^14 atoms declared", "cut off", "energy= twice"):
        path.write_bytes(reading.HOSTILE[name])
        assert reading.outcome("molkern", path).startswith("error: "), name
    path.write_bytes(reading.HOSTILE["blank line between frames"])
    assert reading.outcome("molkern", path).startswith("2 ")
