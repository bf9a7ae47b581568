"""Features on disk: the same bytes wherever they are computed and however often they are killed."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import zarr

import molkern as mk
from dask_cluster import cluster
from molkern import cli
from molkern.datasets import Dataset
from molkern.study import Dask, feature_files, featurize, plan_features
from molkern.study.store import structures_hash
from worker_tasks import SlowBags

SOAP = {"name": "SOAP", "r_cut": 3.0, "n_max": 2, "l_max": 1}
MODELS = {
    "atoms": SOAP,
    "float32": {**SOAP, "dtype": "float32"},
    "sum": {**SOAP, "average": "sum"},
    "bags": mk.BagOfBonds(),
    "random": {"name": "CoulombMatrix", "permutation": "random", "n_copies": 3},
}


@pytest.fixture(scope="module")
def structures():
    """Molecules, and one without atoms."""
    batch = mk.datasets.load("mini-molecules").structures[:120]
    offsets = np.insert(batch.offsets, 60, batch.offsets[60])
    return mk.Structures(batch.numbers, batch.positions, offsets)


def files(folder):
    """Content of all files of a folder."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def expected(model, structures):
    fitted = mk.study.models.representation(model).fit(structures)
    return fitted.transform(structures), fitted


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("rows", [7, 10_000])
def test_zarr_holds_what_transform_gives(tmp_path, structures, name, rows):
    X, fitted = expected(MODELS[name], structures)
    chunk_bytes = rows * X.shape[1] * X.itemsize
    path = featurize(structures, MODELS[name], tmp_path / "x.zarr", chunk_bytes=chunk_bytes)
    group = zarr.open_group(path, mode="r")
    assert group["features"].dtype == X.dtype
    assert group["features"].chunks == (min(rows, len(X)), X.shape[1])
    np.testing.assert_array_equal(group["features"][:], X, strict=True)
    np.testing.assert_array_equal(group["offsets"][:], structures.offsets, strict=True)
    np.testing.assert_array_equal(group["numbers"][:], structures.numbers, strict=True)
    assert group.attrs["complete"] is True
    assert group.attrs["feature_names"] == list(fitted.get_feature_names_out())


def test_npz_holds_the_same(tmp_path, structures):
    X, _ = expected(SOAP, structures)
    paths = [tmp_path / "a.npz", tmp_path / "b.npz"]
    featurize(structures, SOAP, paths[0])
    featurize(structures, SOAP, paths[1], chunk_bytes=1000, executor=2)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    with np.load(paths[0]) as content:
        np.testing.assert_array_equal(content["features"], X, strict=True)
        np.testing.assert_array_equal(content["offsets"], structures.offsets, strict=True)
        np.testing.assert_array_equal(content["numbers"], structures.numbers, strict=True)
        attributes = json.loads(str(content["attributes"]))
    group = zarr.open_group(featurize(structures, SOAP, tmp_path / "x.zarr"), mode="r")
    assert {**attributes, "complete": True} == dict(group.attrs)


def test_attributes_say_what_the_features_are(tmp_path):
    data = mk.datasets.load("mini-ethanol").select(slice(0, 20))
    path = featurize(data, {**SOAP, "average": "mean"}, tmp_path / "x.zarr")
    found = dict(zarr.open_group(path, mode="r").attrs)
    assert found["rows"] == "structures"
    assert found["dataset"] == "mini-ethanol"
    assert found["structures_sha256"] == structures_hash(data.structures)
    assert found["file_sha256"] == data.sha256
    assert found["molkern"] == mk.__version__
    assert found["values_version"] == mk.study.VALUES_VERSION
    assert found["representation"]["class"] == "SOAP"
    assert found["representation"]["parameters"]["average"] == "mean"
    assert "n_threads" not in found["representation"]["parameters"]


@pytest.mark.parametrize("where", ["threads", "processes", "dask"])
def test_same_bytes_wherever_computed(tmp_path, structures, where):
    featurize(structures, SOAP, tmp_path / "here.zarr", chunk_bytes=20_000, n_threads=1)
    options = {"chunk_bytes": 20_000}
    if where == "dask":
        with cluster(tmp_path) as address:
            featurize(structures, SOAP, tmp_path / "x.zarr", executor=Dask(address), **options)
    elif where == "processes":
        featurize(structures, SOAP, tmp_path / "x.zarr", executor=2, **options)
    else:
        featurize(structures, SOAP, tmp_path / "x.zarr", n_threads=2, **options)
    assert files(tmp_path / "x.zarr") == files(tmp_path / "here.zarr")


def test_killed_workers_are_not_noticed(tmp_path, structures):
    model, killed = SlowBags(folder=str(tmp_path)), set()
    options = {"chunk_bytes": 20_000}

    def kill(step):
        at_work = {int(path.stem) for path in tmp_path.glob("*.pid")} - killed
        if len(killed) < 2 and at_work:
            pid = at_work.pop()
            killed.add(pid)
            os.kill(pid, signal.SIGKILL)

    featurize(structures, model, tmp_path / "x.zarr", executor=2, progress=kill, **options)
    assert len(killed) == 2
    featurize(structures, model, tmp_path / "here.zarr", **options)
    assert files(tmp_path / "x.zarr") == files(tmp_path / "here.zarr")


MEMORY = """
import resource, sys
import molkern as mk

def peak():
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

soap = mk.SOAP(r_cut=3.0, dtype="float32")
plan = mk.study.plan_features("mini-ethanol", soap, chunk_bytes=2**21)
mk.study.featurize("mini-ethanol", "bag_of_bonds", sys.argv[1] + "/warm.zarr")
before = peak()
plan.write(sys.argv[1] + "/x.zarr", n_threads=1)
print(plan.n_bytes, peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count in other units")
def test_memory_is_that_of_chunks(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path)], capture_output=True, text=True, check=True
    )
    n_bytes, needed = map(int, done.stdout.split())
    assert n_bytes > 150e6
    assert needed < n_bytes / 5  # some chunks of 2 MiB, and what the system keeps


SCRIPT = """
import sys
import molkern as mk
from worker_tasks import SlowBags

if __name__ == "__main__":
    model = SlowBags(folder=sys.argv[2])
    data = mk.datasets.load("mini-molecules").select(slice(0, 100))
    mk.study.featurize(data, model, sys.argv[1], chunk_bytes=20_000)
"""


def test_killed_run_continues(tmp_path):
    script, output = tmp_path / "script.py", tmp_path / "x.zarr"
    script.write_text(SCRIPT)
    tests = os.path.dirname(__file__)
    environment = {**os.environ, "PYTHONPATH": tests}

    def chunks():
        return set(output.glob("features/c/*/0"))

    counts = [0]
    for goal in (1, 3):
        process = subprocess.Popen(
            [sys.executable, str(script), str(output), str(tmp_path)], env=environment
        )
        while process.poll() is None and len(chunks()) < goal:
            time.sleep(0.005)
        process.kill()
        assert process.wait() == -signal.SIGKILL
        counts.append(len(chunks()))
        assert zarr.open_group(output, mode="r").attrs["complete"] is False
    before = {path: path.stat().st_mtime_ns for path in chunks()}
    # What a process leaves that dies while it writes: half a file under another name.
    leftover = output / "features" / "c" / "0" / ".0.1.tmp"
    leftover.write_bytes(b"half")
    model, steps = SlowBags(folder=str(tmp_path)), []
    options = {"chunk_bytes": 20_000}
    data = mk.datasets.load("mini-molecules").select(slice(0, 100))
    featurize(data, model, output, progress=steps.append, **options)
    assert counts[0] < counts[1] < counts[2] < steps[0].total
    assert (steps[0].stage, steps[0].completed) == ("features", counts[2])
    assert steps[-1].completed == steps[-1].total == len(chunks())
    assert all(path.stat().st_mtime_ns == old for path, old in before.items())
    assert not leftover.exists()
    featurize(data, model, tmp_path / "undisturbed.zarr", **options)
    assert files(output) == files(tmp_path / "undisturbed.zarr")


def test_unfinished_rows_are_nan_and_cut_chunks_are_made_again(tmp_path, structures):
    path = tmp_path / "x.zarr"
    options = {"chunk_bytes": 20_000}
    featurize(structures, SOAP, path, **options)
    complete = files(path)
    chunks = [path / "features" / "c" / str(k) / "0" for k in range(2)]
    chunks[1].unlink()
    features = zarr.open_group(path, mode="r")["features"]
    n = features.chunks[0]
    assert np.isnan(features[n : 2 * n]).all()
    assert not np.isnan(features[:n]).any()
    assert not np.isnan(features[2 * n :]).any()
    chunks[0].write_bytes(chunks[0].read_bytes()[:-8])
    featurize(structures, SOAP, path, **options)
    assert files(path) == complete


def test_finished_output_is_not_computed_again(tmp_path, structures, monkeypatch):
    for name in ("x.zarr", "x.npz"):
        featurize(structures, SOAP, tmp_path / name)
    before = files(tmp_path)
    monkeypatch.setattr(mk.SOAP, "transform", None)
    for name in ("x.zarr", "x.npz"):
        featurize(structures, SOAP, tmp_path / name)
    assert files(tmp_path) == before


# Wrong input


@pytest.mark.parametrize("ending", ["zarr", "npz"])
def test_other_features_are_not_written_to(tmp_path, structures, ending):
    path = tmp_path / f"x.{ending}"
    featurize(structures, SOAP, path)
    before = files(tmp_path)
    named = Dataset("others", structures, {}, {}, "")
    for data, model, what in (
        (structures, {**SOAP, "r_cut": 3.5}, f"SOAP has r_cut={SOAP['r_cut']}, not 3.5; remove"),
        (structures, {**SOAP, "average": "sum"}, "SOAP has average=None, not 'sum'; remove it"),
        (structures, mk.BagOfBonds(), "the representation is SOAP, not BagOfBonds; remove it"),
        (structures[:100], SOAP, r"the data '' are not the same \(SHA-256\); remove it"),
        (named, SOAP, "the data are '', not 'others'; remove it"),
    ):
        with pytest.raises(ValueError, match=f"output: .* holds other features: {what}"):
            featurize(data, model, path)
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"molkern": "9.9"}, f"molkern was 9.9, not {mk.__version__}; remove it"),
        ({"values_version": 99}, "the version of its numbers was 99, not"),
        ({"rows": "bonds"}, "their rows are others; remove it"),
        ({"representation": None}, "the representation is None, not BagOfBonds"),
    ],
)
def test_attributes_of_others_are_named(tmp_path, structures, changes, words):
    path = featurize(structures, mk.BagOfBonds(), tmp_path / "x.npz")
    with np.load(path) as content:
        arrays = dict(content)
    attributes = json.loads(str(arrays["attributes"])) | changes
    np.savez(path, **arrays | {"attributes": np.array(json.dumps(attributes))})
    with pytest.raises(ValueError, match=f"holds other features: {words}"):
        featurize(structures, mk.BagOfBonds(), path)


def test_missing_folders_are_made(tmp_path, capsys, monkeypatch):
    """By the command, which says so; nothing is left of them where it fails."""
    words = ["featurize", "mini-ethanol", "--representation", "bag_of_bonds", "--output"]
    output = tmp_path / "a" / "b" / "x.npz"
    with monkeypatch.context() as full:
        full.setattr(
            feature_files.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1})
        )
        assert cli.main([*words, str(output)]) == 2
    assert not (tmp_path / "a").exists()
    assert "1 are free there" in capsys.readouterr().err
    assert cli.main([*words, str(output)]) == 0
    assert f"written: {output} (the folder {output.parent} was made)" in capsys.readouterr().out
    assert cli.main([*words, str(output)]) == 0
    assert "was made" not in capsys.readouterr().out
    with pytest.raises(OSError, match=r"output: cannot make the folder .*x\.npz: "):
        featurize("mini-ethanol", mk.BagOfBonds(), output / "y.npz")


def test_other_chunks_are_not_mixed(tmp_path, structures):
    featurize(structures, SOAP, tmp_path / "x.zarr", chunk_bytes=20_000)
    with pytest.raises(ValueError, match="give the same chunk_bytes again"):
        featurize(structures, SOAP, tmp_path / "x.zarr")


@pytest.mark.parametrize("ending", ["zarr", "npz"])
def test_something_else_is_there(tmp_path, structures, ending):
    path = tmp_path / f"x.{ending}"
    path.write_text("a letter")
    with pytest.raises(ValueError, match=r"exists and is no (folder|file) of features"):
        featurize(structures, SOAP, path)
    assert path.read_text() == "a letter"


def test_wrong_arguments(tmp_path, structures):
    with pytest.raises(ValueError, match=r"expected the ending .zarr or .npz, found 'x.h5'"):
        featurize(structures, SOAP, tmp_path / "x.h5")
    for wrong in (0, True, 1.5):
        with pytest.raises(ValueError, match=f"chunk_bytes: expected an integer.*found {wrong}"):
            featurize(structures, SOAP, tmp_path / "x.zarr", chunk_bytes=wrong)
    with pytest.raises(ValueError, match="data: expected at least one structure"):
        featurize(structures[:0], SOAP, tmp_path / "x.zarr")
    with pytest.raises(ValueError, match="n_threads: expected None or an integer"):
        featurize(structures, SOAP, tmp_path / "x.zarr", n_threads=0)
    assert not list(tmp_path.iterdir())


def test_error_of_a_chunk_names_the_molecule(tmp_path):
    pairs = [([1, 1], [[0.0, 0, 0], [0, 0, 1]])] * 3 + [([1, 1], np.zeros((2, 3)))]
    bad = mk.Structures.from_arrays(pairs)
    words = r"molecule 1 has two atoms .* \(counted from structure 2 of the data\)"
    for model in (SOAP, {**SOAP, "average": "sum"}):
        plan = plan_features(bad, model)
        rows = 4 if plan.per_atom else 2
        with pytest.raises(ValueError, match=words):
            featurize(bad, model, tmp_path / "x.npz", chunk_bytes=rows * plan.row_bytes)
    assert not list(tmp_path.iterdir())


def test_too_little_space(tmp_path, structures, monkeypatch):
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(feature_files.shutil, "disk_usage", lambda path: usage)
    for name in ("x.zarr", "x.npz"):
        with pytest.raises(OSError, match=r"bytes are to be written to .*1000 are free there"):
            featurize(structures, SOAP, tmp_path / name)


def test_too_large_for_npz(tmp_path, structures, monkeypatch):
    monkeypatch.setattr(mk._arrays, "available_bytes", lambda: 1000)
    plan = plan_features(
        structures, {"name": "SOAP", "radial_basis": "polynomial", "n_max": 10, "l_max": 30}
    )
    assert plan.n_bytes >= 1 << 28  # less is not asked about
    with pytest.raises(MemoryError, match="featurize: the result of shape"):
        plan.write(tmp_path / "x.npz")


def test_without_zarr(tmp_path, structures, monkeypatch):
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(ImportError, match=r'pip install "molkern\[zarr\]"'):
        featurize(structures, SOAP, tmp_path / "x.zarr")


def test_representation_that_breaks_its_word(tmp_path, structures, monkeypatch):
    monkeypatch.setattr(mk.BagOfBonds, "transform", lambda self, batch, out=None: np.zeros((1, 1)))
    with pytest.raises(ValueError, match="representation: chunk 0 should have shape"):
        featurize(structures, mk.BagOfBonds(), tmp_path / "x.zarr")


def test_labels_are_not_needed(tmp_path, structures):
    data = Dataset("bare", structures, {}, {}, "")
    path = featurize(data, mk.BagOfBonds(), tmp_path / "x.npz")
    with np.load(path) as content:
        assert len(content["features"]) == len(structures)


def test_labels_play_no_part(tmp_path, capsys):
    """Several properties, and labels that are no numbers: none of them is needed."""
    path = tmp_path / "two.xyz"
    frame = "2\nProperties=species:S:1:pos:R:3 first={} second=2.0\nH 0 0 0\nF 0 0 0.9\n"
    path.write_text(frame.format("1.0") + frame.format("nan"))
    output = tmp_path / "two.npz"
    words = ["featurize", str(path), "--representation", "bag_of_bonds", "--output", str(output)]
    assert cli.main(words) == 0
    assert "unit" not in capsys.readouterr().err
    with np.load(output) as content:
        assert len(content["features"]) == 2
    featurize(path, mk.BagOfBonds(), tmp_path / "again.npz")
