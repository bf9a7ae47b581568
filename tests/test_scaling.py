"""The benchmark of cost against size: its structures and its program."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

import molkern as mk


def as_structures(system):
    n = len(system.numbers)
    cells = system.edge * np.eye(3)[None]
    return mk.Structures(system.numbers, system.positions, [0, n], cells=cells, pbc=[[True] * 3])


def test_diamond_has_four_neighbours_everywhere(bench):
    system = bench("systems").diamond(3)
    assert len(system.numbers) == 8 * 27
    pairs = mk.neighbors.neighbor_list(as_structures(system), 2.0)
    assert (np.diff(pairs.first) == 4).all()
    assert pairs.distance.min() > 1.2


def test_water_is_as_dense_as_water_and_of_whole_molecules(bench):
    system = bench("systems").water(4)
    assert system.numbers.tolist() == [8, 1, 1] * 64
    grams = 64 * 18.015 / 6.02214e23
    assert grams / (system.edge * 1e-8) ** 3 == pytest.approx(0.997, rel=1e-3)
    pairs = mk.neighbors.neighbor_list(as_structures(system), 1.05)
    bonds = np.diff(pairs.first).reshape(-1, 3)
    assert (bonds == [2, 1, 1]).all()
    assert pairs.distance == pytest.approx(0.9572, abs=1e-3)


def test_stored_structures_are_found_by_name(bench, shared_data):
    system = bench("systems").stored(shared_data / "large_structures.npz", "ubiquitin_1ubq")
    assert system.positions.shape == (1231, 3)
    assert system.edge is None


def test_batches_of_dense_results_have_the_size_asked_for(bench):
    systems, case = bench("systems"), bench("scaling_case")
    for size, least in ((1, 2e5), (3, 2e5)):
        ours = case.Molkern("soap dense", [6], least)
        run, n_atoms = ours.prepare(systems.diamond(size), 1)
        assert ours.out.nbytes >= least
        assert n_atoms * 252 * 8 >= least
        run()
        expected = mk.SOAP(species=[6]).fit_transform(as_structures(systems.diamond(size)))
        n_last = n_atoms if size == 1 else n_atoms // int(n_atoms * 252 * 8 // least)
        # the last block lies at the beginning of the memory
        np.testing.assert_array_equal(ours.out[n_last - 1], expected[-1])


def test_scaling_runs_from_the_command_line(tmp_path, benchmarks):
    out = tmp_path / "scaling.json"
    program = [sys.executable, str(benchmarks / "scaling.py"), "--quick", "--no-peer"]
    command = [*program, "--what", "soap,aev", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    document = json.loads(out.read_text())
    assert [row["size"] for row in document["rows"]] == [1, 2, 1, 2, 2, 3, 2, 3]
    for row in document["rows"]:
        found = row["molkern"]
        assert found["n_atoms"] == (8 if row["system"] == "diamond" else 3) * row["size"] ** 3
        assert found["microseconds_per_atom"] > 0
        assert found["bytes_peak"] > found["bytes_before"] * 0.99 > 10e6
        smallest = {"diamond": 1, "water": 2}[row["system"]]
        assert ("to_smallest" in found) == (row["size"] != smallest)
    assert str(tmp_path) not in out.read_text()  # a result names no folder of this machine
    table = out.with_suffix(".md").read_text().splitlines()
    assert sum(line.startswith(("| soap |", "| aev |")) for line in table) == 8
    wrong = subprocess.run([*program, "--what", "soup"], capture_output=True, text=True)
    assert wrong.returncode == 2
    assert "expected some of soap, soap dense, acsf, aev, found soup" in wrong.stderr


def test_table_says_what_is_not_as_required(bench):
    scaling = bench("scaling")
    mine = {
        "n_atoms": 1000,
        "microseconds_per_atom": 10.0,
        "two_threads": 1.9,
        "to_smallest": 1.4,
        "bytes_before": 1e8,
        "bytes_peak": 3e8,
    }
    peer = {"microseconds_per_atom": 45.0, "bytes_before": 1e8, "bytes_peak": 6e8}
    row = {"system": "water", "size": 7, "what": "soap", "molkern": mine, "DScribe": peer}
    assert scaling.table_row(row) == (
        "| soap | water | 1000 | 10.00 | **1.40** | 1.90 | 45.0 | **4.50** | 200 | 500 |"
    )
    row["DScribe"] = {"left_out": "No module named 'dscribe'"}
    assert "| 1.90 | left out |  | 200 |" in scaling.table_row(row)
    assert scaling.left_out([row])[2:] == ["- DScribe, soap, 7: No module named 'dscribe'"]
    row["molkern"] = {"error": "the process ended with code 1"}
    assert scaling.table_row(row).startswith("| soap | water | | the process ended with code 1 |")


def test_an_unknown_element_is_left_out_and_said(bench, shared_data, capsys):
    request = {
        "system": "stored",
        "size": "popc_membrane",
        "smallest": "popc_membrane",
        "what": "aev",
        "library": "molkern",
        "data": str(shared_data / "large_structures.npz"),
        "seconds": 0,
        "least_bytes": 1e5,
    }
    bench("scaling_case").main(json.dumps(request))
    left_out = json.loads(capsys.readouterr().out)["left_out"]
    assert "has P; expected some of H, C, N, O, S, F, Cl" in left_out
