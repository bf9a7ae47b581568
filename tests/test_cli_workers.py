"""The command line beyond one process: ``--workers``, ``--dask`` and ``molkern featurize``."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import zarr
from ase import Atoms
from ase.io import write

import molkern as mk
from dask_cluster import cluster
from molkern import cli
from molkern.study import Result, dask_executor
from molkern.study.result import ORIGIN

pytestmark = pytest.mark.usefixtures("own_folders")

SOAP = '{"r_cut": 3.0, "n_max": 2, "l_max": 1, "average": null}'
FEATURIZE = ["featurize", "mini-ethanol", "--representation", "SOAP", "--parameters", SOAP]
COMPARE = ["--representations", "bag_of_bonds,coulomb_matrix", "--sizes", "10,20", "--seeds", "0,1",
           "--n-threads", "1", "--no-cost"]  # fmt: skip


@pytest.fixture
def xyz(tmp_path):
    """40 triangles of oxygen, whose energy is the sum of their sides."""
    rng = np.random.default_rng(3)
    frames = []
    for _ in range(40):
        frame = Atoms("O3", positions=rng.uniform(-2, 2, (3, 3)))
        frame.info["energy"] = float(frame.get_all_distances().sum())
        frames.append(frame)
    write(tmp_path / "mine.xyz", frames)
    return tmp_path / "mine.xyz"


def values(folder):
    frame = Result.load(folder / "results.json").frame
    return frame.drop(columns=[name for name in frame if name.startswith("seconds")] + ORIGIN)


def files(folder):
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_compare_with_workers(xyz, tmp_path, capsys):
    def compare(out, *options):
        assert cli.main(["compare", str(xyz), *COMPARE, "--out", out, *options]) == 0
        shown = capsys.readouterr()
        assert [line for line in shown.err.splitlines() if "model 4 of 4" in line]
        assert len([line for line in shown.err.splitlines() if "of 4: " in line]) == 4
        assert "written:" in shown.out
        return values(tmp_path / out)

    here = compare("here")
    assert compare("processes", "--workers", "2").equals(here)
    with cluster(tmp_path) as address:
        assert compare("dask", "--dask", address).equals(here)
        # Cost is measured in a process beside this one, whatever the study ran on.
        arguments = ["compare", str(xyz), *COMPARE[:-1], "--out", "dask", "--dask", address]
        assert cli.main(arguments) == 0
    assert "to train" in capsys.readouterr().out


def test_featurize(tmp_path, capsys):
    structures = mk.datasets.load("mini-ethanol").structures
    model = mk.SOAP(r_cut=3.0, n_max=2, l_max=1)
    X = model.fit_transform(structures)
    assert cli.main([*FEATURIZE, "--output", "x.zarr", "--chunk-bytes", "500000"]) == 0
    shown = capsys.readouterr()
    n_rows = 500_000 // (8 * X.shape[1])
    words = f"18000 atoms x {X.shape[1]} features, float64: {X.nbytes / 1e6:.3g} MB in "
    assert f"{words}{-(-18000 // n_rows)} chunks of up to {n_rows} rows" in shown.out
    assert shown.out.endswith("written: x.zarr\n")
    np.testing.assert_array_equal(zarr.open_group("x.zarr", mode="r")["features"][:], X)
    arguments = [*FEATURIZE, "--chunk-bytes", "500000", "--output", "y.zarr", "--workers", "2"]
    assert cli.main([*arguments, "--n-threads", "1"]) == 0
    assert files(tmp_path / "x.zarr") == files(tmp_path / "y.zarr")
    assert cli.main(["featurize", "mini-ethanol", "--representation", "bag_of_bonds",
                     "--output", "x.npz"]) == 0  # fmt: skip
    capsys.readouterr()


def test_featurize_a_file_without_labels(tmp_path, capsys):
    water = Atoms("OH2", positions=[[0, 0, 0], [0, 0.76, 0.59], [0, -0.76, 0.59]])
    write(tmp_path / "bare.xyz", [water, water])
    arguments = ["featurize", "bare.xyz", "--representation", "soap", "--output", "x.npz"]
    assert cli.main(arguments) == 0
    assert "2 structures x " in capsys.readouterr().out


def test_interrupted_featurize_continues(tmp_path):
    arguments = [*FEATURIZE, "--output", "x.zarr", "--chunk-bytes", "1", "--workers", "2"]
    running = subprocess.Popen(
        [sys.executable, "-m", "molkern", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background jobs, and so their children, ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 120
    while not list((tmp_path / "x.zarr").glob("features/c/*/0")):
        assert time.monotonic() < deadline
        assert running.poll() is None
        time.sleep(0.001)
    os.kill(running.pid, signal.SIGINT)
    _, shown = running.communicate(timeout=120)
    assert running.returncode == 130
    assert "interrupted; finished chunks are kept, the same command continues" in shown
    assert "Traceback" not in shown
    done = files(tmp_path / "x.zarr" / "features" / "c")
    assert 0 < len(done) < 18000


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--workers", "0"], "--workers: expected at least 1, found 0"),
        (["--workers", "2", "--dask", "tcp://a:1"], "--workers, --dask: expected one of them"),
        (["--dask", "tcp://127.0.0.1:9"], "no Dask scheduler answers at 'tcp://127.0.0.1:9'"),
        (["--output", "x.h5"], "output: expected the ending .zarr or .npz, found 'x.h5'"),
        (["--parameters", "{"], "--parameters: '{' is not JSON"),
        (["--parameters", "[1]"], "--parameters: expected an object of parameters, found '[1]'"),
        (["--parameters", '{"rcut": 3}'], "unexpected keyword argument 'rcut'"),
        (["--representation", "soup"], "representation: expected one of"),
        (["--chunk-bytes", "0"], "chunk_bytes: expected an integer of 1 or more, found 0"),
        (["--n-threads", "0"], "--n-threads: expected at least 1, found 0"),
    ],
)
def test_wrong_options(arguments, words, capsys, monkeypatch):
    monkeypatch.setattr(dask_executor, "CONNECT_SECONDS", 1)
    assert cli.main([*FEATURIZE, "--output", "x.npz", *arguments]) == 2
    (line,) = [x for x in capsys.readouterr().err.splitlines() if x.startswith("molkern: error")]
    assert words in line


def test_unknown_data(capsys):
    assert cli.main(["featurize", "nothing", *FEATURIZE[2:], "--output", "x.npz"]) == 2
    assert "no data set or file 'nothing'" in capsys.readouterr().err


def test_compare_takes_one_kind_of_workers(xyz, capsys):
    arguments = ["compare", str(xyz), "--workers", "2", "--dask", "tcp://a:1"]
    assert cli.main(arguments) == 2
    assert "--workers, --dask: expected one of them, found both" in capsys.readouterr().err
