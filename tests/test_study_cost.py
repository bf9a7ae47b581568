"""`study.cost`: which measurements are made, what their rows say, and the store."""

import json

import numpy as np
import pytest
from ase.build import bulk, molecule

import molkern as mk
from molkern._measuring import OPERATIONS, Worker
from molkern.study import Measurements, Progress

QUICK = {"n_threads": 1, "repeats": 1, "sizes": [10], "n_tune": 10}


def dataset(n=40, names=("CH4", "H2O", "NH3")):
    rng = np.random.default_rng(3)
    frames = [molecule(names[k % len(names)]) for k in range(n)]
    for atoms in frames:
        atoms.positions += rng.normal(0, 0.05, atoms.positions.shape)
    structures = mk.Structures.from_ase(frames)
    energy = np.array([float(len(atoms)) for atoms in frames]) + rng.normal(0, 0.01, n)
    return mk.datasets.Dataset("some", structures, {"energy": energy}, {"energy": "eV"}, "energy")


@pytest.fixture(scope="module")
def everything():
    """Two representations, every operation, both precisions, two averages."""
    return mk.study.cost(
        dataset(),
        ["bag_of_bonds", "acsf"],
        dtypes=["float64", "float32"],
        averages=["sum", None],
        sources=["structures", "arrays", "ase"],
        **QUICK,
    )


def test_every_combination_is_measured_once(everything):
    frame = everything.frame
    found = frame.groupby(["representation", "dtype", "average", "operation"]).size()
    for name, averages in (("Bag of bonds", [""]), ("ACSF (8 G2, 16 G4, sum)", ["sum", ""])):
        for dtype in ("float64", "float32"):
            for average in averages:
                counts = found[name, dtype, average]
                assert counts["values"] == 3
                assert counts["vjp"] == 1
                learnt = name == "Bag of bonds" or average == "sum"
                for operation in OPERATIONS[2:]:
                    assert counts.get(operation, 0) == int(learnt)
    assert not everything.notes


def test_rows_say_what_was_done(everything):
    frame = everything.frame
    values = frame[(frame["operation"] == "values") & (frame["source"] == "structures")]
    structures = dataset().structures
    for _, row in values.iterrows():
        per_atom = row["representation"].startswith("ACSF") and row["average"] == ""
        n_rows = structures.n_atoms if per_atom else 40
        size = 4 if row["dtype"] == "float32" else 8
        assert row["bytes"] == size * n_rows * row["n_features"]
        assert (row["n_structures"], row["n_atoms"]) == (40, structures.n_atoms)
        assert row["kernel"] == ""
        assert row["n_train"] == 0
    bags = mk.BagOfBonds().fit(structures)
    assert set(frame[frame["representation"] == "Bag of bonds"]["n_features"]) == {
        bags.n_features_out_
    }
    learnt = frame[frame["operation"].isin(OPERATIONS[2:])]
    assert set(learnt["n_train"]) == {10}
    assert set(learnt["kernel"]) == {"laplacian"}
    assert set(frame[frame["operation"] == "predict"]["n_structures"]) == {1000}  # repeated
    assert (frame["n_threads"] == 1).all()
    assert set(frame["isa"]) == {mk.build_info()["isa"]}


def test_times_are_derived_by_division(everything):
    frame = everything.frame
    assert (frame["seconds"] > 0).all()
    assert (frame["seconds_median"] >= frame["seconds"]).all()
    for name in ("structure", "atom"):
        expected = frame["seconds"] / frame[f"n_{name}s"]
        np.testing.assert_allclose(frame[f"seconds_per_{name}"], expected)


def test_structures_without_labels():
    found = mk.study.cost(dataset().structures, ["coulomb_matrix"], n_threads=[1, 2], repeats=1)
    assert found.frame["operation"].tolist() == ["values", "vjp"] * 2
    assert found.frame["n_threads"].tolist() == [1, 1, 2, 2]


def test_sample_is_limited():
    found = mk.study.cost(dataset().structures, ["coulomb_matrix"], max_structures=7, n_threads=1)
    assert set(found.frame["n_structures"]) == {7}
    assert found.metadata["n_sample"] == 7


def test_crystals_have_no_arrays():
    crystals = mk.Structures.from_ase([bulk("Si"), bulk("C")])
    soap = {"name": "soap", "n_max": 2, "l_max": 1}
    options = {"sources": ["arrays", "ase"], "operations": ["values"], "n_threads": 1}
    found = mk.study.cost(crystals, [soap], **options)
    assert found.frame["source"].tolist() == ["ase"]


def test_elements_that_were_not_learnt_are_not_predicted():
    """One molecule of silane: not in the training set of 10 of seed 0."""
    found = mk.study.cost(
        dataset(names=("CH4", "H2O", "NH3", "SiH4", *["CH4"] * 30)),
        ["bag_of_bonds"],
        operations=["predict"],
        baseline="elements",
        **QUICK,
    )
    assert found.frame["n_structures"].tolist()[0] == 1000  # of other elements


def test_random_copies_are_learnt_as_copies():
    model = {"name": "coulomb_matrix_random", "n_copies": 2}
    found = mk.study.cost(dataset(), [model], operations=["gram", "predict"], **QUICK)
    assert found.frame["n_features"].tolist() == [2 * 15] * 2


def test_too_large_results_are_left_out_and_noted(monkeypatch):
    def measure(self, request):
        raise MemoryError(f"{request.operation} needs too much")

    monkeypatch.setattr(Worker, "measure", measure)
    found = mk.study.cost(dataset().structures, ["coulomb_matrix"])
    assert found.rows == ()
    assert found.notes[0] == "Coulomb matrix (sorted), values: values needs too much"


def test_store_is_used_again(tmp_path, monkeypatch):
    options = {"operations": ["values", "train"], "store": tmp_path, **QUICK}
    first = mk.study.cost(dataset(), ["bag_of_bonds"], **options)
    kept = sorted(tmp_path.glob("*.json"))
    assert len(kept) == 2
    specification = json.loads(kept[0].read_text())["specification"]
    assert specification["machine"]["molkern"] == mk.__version__

    def measure(self, request):
        raise AssertionError("measured again")

    monkeypatch.setattr(Worker, "measure", measure)
    again = mk.study.cost(dataset(), ["bag_of_bonds"], **options)
    assert again.rows == first.rows


@pytest.mark.parametrize(
    "change", [{"n_threads": 2}, {"dtypes": ["float32"]}, {"repeats": 2}, {"max_structures": 5}]
)
def test_other_measurements_are_others(change, tmp_path):
    options = {"operations": ["values"], "n_threads": 1, "repeats": 1, "store": tmp_path}
    mk.study.cost(dataset().structures, ["bag_of_bonds"], **options)
    mk.study.cost(dataset().structures, ["bag_of_bonds"], **{**options, **change})
    assert len(list(tmp_path.glob("*.json"))) == 2


def test_progress():
    steps = []
    mk.study.cost(dataset().structures, ["bag_of_bonds"], n_threads=1, progress=steps.append)
    assert steps[0] == Progress("cost", 0, 2, "cost of Bag of bonds")
    assert steps[-1].completed == steps[-1].total


def test_saved_and_loaded(everything, tmp_path):
    path = everything.save(tmp_path / "costs.json")
    assert Measurements.load(path) == everything
    assert everything.save(tmp_path / "costs.csv").read_text().startswith("system,representation")
    with pytest.raises(ValueError, match=r"expected the ending \.json or \.csv, found 'costs.txt'"):
        everything.save(tmp_path / "costs.txt")
    path.write_text('{"rows": []}')
    with pytest.raises(ValueError, match=r"costs\.json holds no measurements"):
        Measurements.load(path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"operations": ["value"]}, r"operations: expected some of \['values', 'vjp', 'gram'"),
        ({"operations": []}, "operations: expected some of"),
        ({"sources": ["xyz"]}, r"sources: expected some of .*, found \['xyz'\]"),
        ({"kernels": ["linear"]}, "kernel: expected one of"),
        ({"dtypes": ["float16"]}, "dtype: expected"),
        ({"averages": ["median"]}, "average: expected"),
        ({"n_threads": [1, 1]}, "n_threads: expected different numbers of threads"),
        ({"n_threads": 0}, "n_threads: expected None or an integer from 1"),
        ({"max_structures": 0}, "max_structures: expected an integer of 1 or more, found 0"),
        ({"repeats": 0}, "repeats: expected an integer of 1 or more, found 0"),
        ({"sizes": [4000]}, "sizes: expected training-set sizes from 5"),
    ],
)
def test_wrong_options_raise(options, message):
    with pytest.raises(ValueError, match=message):
        mk.study.cost(dataset(), ["acsf"], **options)


def test_single_representation_is_one_of_a_list():
    options = {"operations": ["values"], "n_threads": 1, "repeats": 1}
    structures = dataset().structures
    for single in (mk.BagOfBonds(), "bag_of_bonds", {"name": "bag_of_bonds"}):
        frame = mk.study.cost(structures, single, **options).frame
        assert frame["representation"].tolist() == ["Bag of bonds"]


def test_wrong_representations_raise():
    with pytest.raises(ValueError, match=r"representations: expected at least one, found \[\]"):
        mk.study.cost(dataset(), [])
    with pytest.raises(TypeError, match=r"representation: expected a name, .* found int"):
        mk.study.cost(dataset(), 3)
    with pytest.raises(TypeError, match="found a class, BagOfBonds"):
        mk.study.cost(dataset(), mk.BagOfBonds)


def test_wrong_data_raise():
    with pytest.raises(ValueError, match="gram, tune, train, predict need a data set with labels"):
        mk.study.cost(dataset().structures, ["acsf"], operations=["gram"])
    with pytest.raises(ValueError, match="data: expected at least one structure, found none"):
        mk.study.cost(mk.Structures.from_arrays([]), ["acsf"])
