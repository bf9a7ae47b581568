"""`study.scaling`: the systems, where a series ends, the exponents."""

import numpy as np
import pytest

import molkern as mk
from molkern._measuring import Worker
from molkern.study import Measurements, systems

QUICK = {"n_threads": 1, "repeats": 1}


@pytest.fixture
def chains():
    """Chains of 4 to 64 carbon atoms."""
    return mk.Structures.from_arrays(
        [([6] * n, [[1.5 * k, 0, 0] for k in range(n)]) for n in (16, 4, 64)]
    )


@pytest.fixture
def fake(monkeypatch):
    """Times that are the given function of the number of atoms; nothing is computed."""

    def install(seconds):
        def measure(self, request):
            n = request.structures.n_atoms
            return {"seconds": seconds(n), "seconds_median": seconds(n), "n_repeats": 1,
                    "peak_bytes": 8 * n, "n_features": request.model.n_features_out_}  # fmt: skip

        monkeypatch.setattr(Worker, "measure", measure)

    return install


def test_water_is_what_the_recipe_says():
    box = systems.water(216)
    assert box.numbers.reshape(-1, 3).tolist() == [[8, 1, 1]] * 216
    atoms = box.positions.reshape(-1, 3, 3)
    bonds = atoms[:, 1:] - atoms[:, :1]
    np.testing.assert_allclose(np.linalg.norm(bonds, axis=-1), 0.9572, rtol=1e-12)
    cosine = (bonds[:, 0] * bonds[:, 1]).sum(axis=-1) / 0.9572**2
    np.testing.assert_allclose(np.degrees(np.arccos(cosine)), 104.52, rtol=1e-12)
    volume = np.linalg.det(box.cells[0])
    density = 216 * 18.015 / 0.602214076 / volume  # g/cm³
    assert density == pytest.approx(1.0, abs=2e-3)
    assert box.pbc.all()
    directions = bonds.mean(axis=1)
    assert np.linalg.norm(directions.mean(axis=0)) < 0.2 * np.linalg.norm(directions[0])
    assert box == systems.water(216)
    assert box != systems.water(216, seed=1)


def test_diamond_is_what_the_recipe_says():
    crystal = systems.diamond(1000)
    assert crystal.n_atoms == 1000
    pairs = mk.neighbors.neighbor_list(crystal, 2.0)
    assert np.bincount(pairs.i).tolist() == [4] * 1000
    assert pairs.distance.mean() == pytest.approx(3.567 * np.sqrt(3) / 4, rel=0.01)
    assert np.linalg.det(crystal.cells[0]) == pytest.approx(1000 / 8 * 3.567**3)


@pytest.mark.parametrize("max_atoms", [10, 1000, 5000])
def test_default_systems_grow_up_to_the_limit(max_atoms, monkeypatch, tmp_path):
    monkeypatch.delenv("MOLKERN_DATA", raising=False)
    monkeypatch.setenv("MOLKERN_CACHE", str(tmp_path))
    found, notes = systems.default_systems(max_atoms)
    assert set(found) == {"water", "diamond"}
    for made in found.values():
        assert (np.diff(made.sizes) > 0).all()
        assert made.sizes[-1] <= max_atoms
        assert made.sizes[-1] >= 0.2 * max_atoms
    assert notes[-1] == (
        "molecules: not found (large-structures: no address is registered for it); their file, "
        "large_structures.npz, belongs into the folder named by MOLKERN_DATA"
    )


def test_damaged_file_of_large_molecules_is_noted(monkeypatch, tmp_path):
    monkeypatch.setenv("MOLKERN_DATA", str(tmp_path))
    np.savez(tmp_path / "large_structures.npz", names=["a"], sources=["b"], offsets=[0, 1])
    note = systems.default_systems(10)[1][-1]
    assert "SHA-256 is" in note
    assert "path" not in note.replace(str(tmp_path), "")
    assert note.endswith("large_structures.npz, belongs into the folder named by MOLKERN_DATA")


def test_large_molecules_are_used_where_they_are(shared_data, monkeypatch):
    monkeypatch.setenv("MOLKERN_DATA", str(shared_data))
    found, _ = systems.default_systems(3000)
    everything = mk.datasets.load("large-structures").structures.sizes
    assert found["molecules"].sizes.tolist() == sorted(everything[everything <= 3000])
    assert found["molecules"].sizes[0] == 140


def test_rows_are_single_systems_in_order(chains):
    found = mk.study.scaling(["coulomb_matrix", "soap"], systems={"chains": chains}, **QUICK)
    assert found.frame["n_atoms"].tolist() == [4, 16, 64] * 2
    assert set(found.frame["n_structures"]) == {1}
    matrix, soap = (found.frame["n_features"].tolist()[k : k + 3] for k in (0, 3))
    assert matrix == [10, 136, 2080]
    assert len(set(soap)) == 1
    assert set(found.frame["system"]) == {"chains"}


def test_max_atoms_and_gradients(chains):
    found = mk.study.scaling(
        ["acsf"], systems={"chains": chains}, max_atoms=20, operations=["values", "vjp"], **QUICK
    )
    assert found.frame["operation"].tolist() == ["values"] * 2 + ["vjp"] * 2
    assert found.frame["n_atoms"].tolist() == [4, 16] * 2


def test_series_ends_where_the_result_is_too_large(chains):
    options = {"systems": {"chains": chains}, "max_bytes": 8 * 136}
    found = mk.study.scaling(["coulomb_matrix"], **options, **QUICK)
    assert found.frame["n_atoms"].tolist() == [4, 16]
    assert found.notes == (
        "Coulomb matrix (sorted), chains, values: ends before 64 atoms: the result would need "
        "16640 bytes, the limit is 1088",
    )


def test_series_ends_where_the_call_is_too_slow(chains, fake):
    fake(lambda n: 1e-2 * n**2)
    options = {"systems": {"chains": chains}, "max_seconds": 10.0}
    found = mk.study.scaling(["coulomb_matrix"], **options, **QUICK)
    assert found.frame["n_atoms"].tolist() == [4, 16]
    assert found.notes[0].endswith("the call would take about 41 s, the limit is 10 s")


def test_series_ends_where_memory_ends(chains, monkeypatch):
    def measure(self, request):
        raise MemoryError("no more")

    monkeypatch.setattr(Worker, "measure", measure)
    found = mk.study.scaling(["coulomb_matrix"], systems={"chains": chains}, **QUICK)
    assert found.rows == ()
    assert found.notes[0].endswith("ends before 4 atoms: no more")


def test_systems_with_other_elements_are_left_out(chains):
    phosphine = mk.Structures.from_arrays([([15, 1, 1, 1], np.eye(4, 3) * 1.4)])
    both = mk.Structures.concatenate([chains, phosphine])
    found = mk.study.scaling(["ani-2x"], systems={"some": both}, **QUICK)
    assert found.frame["n_atoms"].tolist() == [4, 16, 64]
    assert "4 atoms left out: " in found.notes[0]
    assert "P" in found.notes[0]


@pytest.mark.parametrize("power", [1.0, 2.5])
def test_exponent_is_that_of_the_power_law(power, fake):
    fake(lambda n: 1e-12 * n**power if n >= 1000 else 1e-3)
    found = mk.study.scaling(["soap"], max_atoms=30_000, **QUICK)
    fits = found.exponents()
    own = fits[fits["system"].isin(["water", "diamond"])]
    assert len(own) == 2
    np.testing.assert_allclose(own["exponent"], power, rtol=1e-9)
    assert (own["n_largest"] >= 20_000).all()
    assert not len(found.exponents(n_min=40_000))


def test_exponents_of_one_size_are_none():
    assert list(Measurements(()).frame.columns) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_atoms": 9}, "max_atoms: expected 10 or more, found 9"),
        ({"operations": ["gram"]}, r"operations: expected values, vjp or both, found \['gram'\]"),
        ({"operations": []}, "operations: expected values, vjp or both"),
        ({"repeats": 0}, "repeats and max_seconds: expected more than 0, found 0"),
        ({"max_seconds": float("nan")}, "repeats and max_seconds: expected more than 0"),
        ({"max_bytes": 0}, "max_bytes: expected 1 or more, found 0"),
        ({"dtype": "float16"}, "dtype: expected"),
        ({"systems": {"none": []}}, "systems: 'none' has no system of 1 to 100000 atoms"),
    ],
)
def test_wrong_options_raise(options, message):
    with pytest.raises(ValueError, match=message):
        mk.study.scaling(["soap"], **options)


def test_representations_are_one_or_several():
    systems = {"chains": [([6] * n, [[1.5 * k, 0, 0] for k in range(n)]) for n in (4, 8)]}
    for single in (mk.BagOfBonds(), "bag_of_bonds"):
        found = mk.study.scaling(single, systems=systems, n_threads=1, repeats=1)
        assert found.frame["representation"].tolist() == ["Bag of bonds"] * 2
    with pytest.raises(ValueError, match=r"representations: expected at least one, found \[\]"):
        mk.study.scaling([], systems=systems)
