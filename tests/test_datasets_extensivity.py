"""Which properties are sums over atoms: decided by the numbers, whatever their names."""

import numpy as np
import pytest

from molkern.datasets import Dataset, load
from molkern.datasets.extensivity import extensivity
from molkern.datasets.names import is_bookkeeping, is_energy_name, is_intensive_name
from molkern.structures import Structures

ATOMS = {1: -13.7, 6: -1035.2, 7: -1488.1, 8: -2043.9}  # eV
FORMULAS = [{8: 1, 1: 2}, {7: 1, 1: 3}, {6: 1, 1: 4}, {6: 2, 1: 6}, {6: 1, 8: 1, 1: 4}]
FORMULAS += [{6: 1, 8: 1, 1: 2}, {6: 1, 7: 1, 1: 1}, {6: 2, 1: 4}, {7: 2}, {6: 1, 8: 2}]


def molecules(n=60, formulas=FORMULAS):
    """Structures of a few compositions, and their total energies with some scatter."""
    rng = np.random.default_rng(0)
    numbers = [[z for z, k in formulas[m % len(formulas)].items() for _ in range(k)]
               for m in range(n)]  # fmt: skip
    structures = Structures.from_arrays([(z, rng.normal(size=(len(z), 3))) for z in numbers])
    total = np.array([sum(ATOMS[a] for a in z) for z in numbers]) + rng.normal(0, 0.5, n)
    return structures, total


@pytest.mark.parametrize("name", ["energy", "REF_energy", "U0", "label", "y", "my number"])
@pytest.mark.parametrize("unit", ["unknown", "eV"])
def test_total_energy_is_one_under_any_name(name, unit):
    found = extensivity(*molecules(), name, unit)
    assert found.extensive
    assert found.baseline == "elements"
    assert "elements explain 99.99 % of its variance" in found.reason


@pytest.mark.parametrize("name", ["energy", "label"])
def test_energy_for_each_atom_is_none(name):
    structures, total = molecules()
    found = extensivity(structures, total / structures.sizes, name, "eV")
    assert found.baseline == "mean"
    assert "no sum over atoms" in found.reason


@pytest.mark.parametrize("name", ["energy", "value"])
def test_gap_is_none_whatever_its_unit(name):
    structures, _ = molecules()
    rng = np.random.default_rng(1)
    gap = rng.uniform(4, 9, len(FORMULAS))[np.arange(60) % len(FORMULAS)] + rng.normal(0, 0.1, 60)
    assert extensivity(structures, gap, name, "eV").baseline == "mean"


@pytest.mark.parametrize(
    ("name", "unit"), [("energy_per_atom", "eV"), ("energy", "eV/atom"), ("HOMO", "hartree")]
)
def test_name_or_unit_can_say_that_it_is_none(name, unit):
    found = extensivity(*molecules(), name, unit)
    assert not found.extensive
    assert "by its name or unit" in found.reason


def test_few_compositions_leave_it_to_the_name():
    structures, total = molecules(formulas=FORMULAS[:3])
    assert extensivity(structures, total, "dft_energy", "unknown").baseline == "elements"
    found = extensivity(structures, total, "label", "eV")
    assert found.baseline == "mean"
    assert found.reason == "too few compositions to tell"


def test_equal_sizes_leave_it_to_the_name():
    alloys = [{13: k, 28: 8 - k} for k in range(9)]
    numbers = [[z for z, k in a.items() for _ in range(k)] for a in alloys]
    structures = Structures.from_arrays([(z, np.zeros((8, 3))) for z in numbers])
    total = np.array([-3.0 * a[13] - 5.0 * a[28] for a in alloys])
    assert extensivity(structures, total, "energy", "eV").baseline == "elements"
    assert extensivity(structures, total, "label", "unknown").baseline == "mean"


def test_one_composition_has_the_mean():
    found = extensivity(*molecules(formulas=FORMULAS[:1]), "energy", "eV")
    assert found.extensive
    assert not found.differ
    assert found.baseline == "mean"


def test_missing_labels_and_empty_structures_do_not_count():
    structures, total = molecules()
    total[3] = np.nan
    structures = Structures.concatenate([structures, Structures.from_arrays([([], [])])])
    assert extensivity(structures, np.append(total, 1e6), "energy", "eV").baseline == "elements"


def test_constant_label_and_nothing_at_all():
    structures, total = molecules()
    assert extensivity(structures, np.zeros(60), "energy", "eV").baseline == "mean"
    assert extensivity(structures, total * np.nan, "energy", "eV").baseline == "mean"


def test_data_set_states_it_or_asks_the_data():
    structures, total = molecules()
    made = Dataset("made", structures, {"energy": total}, {"energy": "eV"}, "energy")
    assert made.extensivity("energy").baseline == "elements"
    stated = made.replace(extensive=frozenset())
    assert stated.extensivity("energy").baseline == "mean"
    assert stated.extensivity("energy").reason == "no total energy, as the data set states"


def test_targets_of_the_package():
    data = load("mini-molecules").replace(extensive=None)
    found = {name: data.extensivity(name).baseline for name, v in data.targets.items()
             if len(v) == len(data)}  # fmt: skip
    assert {name for name, baseline in found.items() if baseline == "elements"} == {
        "total_energy",
        "atomization_energy",
    }


def test_words_that_names_are_made_of():
    totals = ["REF_energy", "dft_energy", "TotEnergy", "free_energy", "wb97x_dz.energy", "U0", "E"]
    totals += ["ccsd(t)_cbs.energy", "energy_U0", "ePBE0+MBD", "wB97x_6-31G(d).energy", "Etot"]
    assert all(map(is_energy_name, totals))
    others = ["gap", "HOMO-LUMO", "energy_per_atom", "E_gap", "mu", "alpha", "excitation_energy"]
    assert not any(map(is_energy_name, others))
    assert all(map(is_intensive_name, ["gap", "E_homo", "energy per atom", "eV/atom"]))
    assert not any(map(is_intensive_name, ["energy", "eV", "kcal/mol"]))
    counted = [
        "step",
        "Timestep",
        "Time",
        "config_id",
        "charge",
        "total_charge",
        "frame",
        "n_atoms",
    ]
    assert all(map(is_bookkeeping, counted))
    assert not any(map(is_bookkeeping, ["gap", "mu", "energy", "alpha", "label"]))
