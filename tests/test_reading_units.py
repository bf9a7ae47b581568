"""Units that files state: in names, beside values, in words, for frames that differ."""

import numpy as np
import pytest

from molkern.datasets import Dataset, load
from molkern.datasets.named_units import split_name
from molkern.datasets.stated import agreed, stated_units
from molkern.datasets.units import conversion_factor, energy_unit, force_unit
from molkern.structures import Structures

BOHR = 0.529177210544
AMMONIA = np.array(
    [[0.0, 0.0, 0.12], [0.94, 0.0, -0.27], [-0.47, 0.81, -0.27], [-0.47, -0.81, -0.27]]
)
ENERGIES = np.array([-56.51, -56.53, -56.48])
COLUMNS = "Properties=species:S:1:pos:R:3"


def frames(comment, *, scale=1.0, forces=None):
    """Three frames of ammonia; the comment is made of the energy and the number of the frame."""
    lines = []
    for k, energy in enumerate(ENERGIES):
        lines += ["4", comment(energy, k)]
        for atom, (symbol, r) in enumerate(zip("NHHH", (AMMONIA + 0.01 * k) * scale, strict=True)):
            more = "" if forces is None else "".join(f" {f!r}" for f in forces[k, atom].tolist())
            lines.append(f"{symbol} {float(r[0])!r} {float(r[1])!r} {float(r[2])!r}{more}")
    return "\n".join(lines) + "\n"


def read(folder, text, **options):
    path = folder / "a.xyz"
    path.write_text(text)
    return load(path, **options)


def value_of(energy, unit="hartree"):
    return repr(float(energy * conversion_factor("hartree", unit)))


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("energy_Ha", "hartree"),
        ("energy_hartree", "hartree"),
        ("E_eV", "eV"),
        ("energyHartree", "hartree"),
        ("REF_energy_kcal", "kcal/mol"),
        ("U0_kcal_mol", "kcal/mol"),
        ("E_kJ_per_mol", "kJ/mol"),
        ("total_energy_in_meV", "meV"),
        ("E[Eh]", "hartree"),
        ("Energy(kcal/mol)", "kcal/mol"),
        ("dft_energy_au", "hartree"),
    ],
)
def test_unit_in_a_name(tmp_path, name, unit):
    text = frames(lambda e, k: f"{COLUMNS} {name}={value_of(e, unit)} nelec=10")
    dataset = read(tmp_path, text, unit="eV")
    expected = ENERGIES * conversion_factor("hartree", "eV")
    np.testing.assert_allclose(dataset.targets["energy"], expected, rtol=1e-12)
    assert dataset.decisions[0].source == name
    stated = read(tmp_path, text)
    assert stated.units["energy"] == unit
    assert f"by name {name}" in stated.decisions[0].words


@pytest.mark.parametrize(
    "comment",
    [
        "E = {} Eh",
        "energy={} Ha",
        "energy: {} hartree",
        "energy:{} Hartree",
        "{} Eh",
        "optimized, E {} Ha after 12 steps",
        f"{COLUMNS} REF_energy={{}} Ha",
    ],
)
def test_unit_after_a_value(tmp_path, comment):
    dataset = read(tmp_path, frames(lambda e, k: comment.format(value_of(e))), unit="kcal/mol")
    expected = ENERGIES * conversion_factor("hartree", "kcal/mol")
    np.testing.assert_allclose(dataset.targets[dataset.default_target], expected, rtol=1e-12)


def test_word_that_is_a_unit_but_follows_no_value_is_mentioned(tmp_path):
    dataset = read(tmp_path, frames(lambda e, k: f"hartree step energy={value_of(e)}"))
    assert dataset.units["energy"] == "unknown"
    assert any("has the word 'hartree'" in note for note in dataset.notes)


@pytest.mark.parametrize(
    ("words", "energy", "length"),
    [
        ("units=au", "hartree", "bohr"),
        ('units="atomic units"', "hartree", "bohr"),
        ("units=real", "kcal/mol", "angstrom"),
        ("units=metal", "eV", "angstrom"),
        ('units="Hartree, Bohr"', "hartree", "bohr"),
        ("unit=eV/Angstrom", "eV", "angstrom"),
        ('units="energies in kJ mol-1; positions in nm"', "kJ/mol", "nm"),
        ('units="Energy: eV, coordinates: bohr"', "eV", "bohr"),
        ("energy_unit=kilojoules/mole", "kJ/mol", "angstrom"),
        ("length_unit=Bohr energy-unit=a.u.", "hartree", "bohr"),
    ],
)
def test_words_of_a_file(tmp_path, words, energy, length):
    scale = conversion_factor("angstrom", length)
    text = frames(lambda e, k: f"{COLUMNS} energy={value_of(e, energy)} {words}", scale=scale)
    dataset = read(tmp_path, text)
    assert dataset.units["energy"] == energy
    np.testing.assert_allclose(dataset.structures.positions[:4], AMMONIA, rtol=1e-12, atol=1e-12)


def test_unit_of_another_energy_is_not_taken(tmp_path):
    text = frames(lambda e, k: f"energy={value_of(e, 'eV')} xtb_energy_unit=hartree")
    dataset = read(tmp_path, text)
    assert dataset.units["energy"] == "unknown"
    assert any("xtb_energy_unit='hartree' is not used" in note for note in dataset.notes)
    text = frames(lambda e, k: f"energy=1.{k} xtb_energy={value_of(e)} xtb_energy_unit=hartree")
    dataset = read(tmp_path, text)
    assert (dataset.units["energy"], dataset.units["xtb_energy"]) == ("unknown", "hartree")


@pytest.mark.parametrize(
    ("comment", "words"),
    [
        (lambda e, k: f"energy={e} energy_unit={'Ha' if k < 2 else 'eV'}",
         r"frame 0 \(line 1\) states energy_unit='Ha', frame 2 \(line 13\) energy_unit='eV'"),
        (lambda e, k: f"energy={e}" + ("" if k else " energy_unit=Ha"), "frame 1.* no energy_unit"),
        (lambda e, k: f"energy={e} {'Ha' if k == 1 else 'eV'}", "frame 1 .*unit='Ha'"),
        (lambda e, k: f"energy={e} length_unit={'bohr' if k else 'angstrom'}", "one unit in all"),
        (lambda e, k: f"energy={e} energy_unit=Ha units=eV", "do not agree"),
        (lambda e, k: f"energy_Ha={e} energy_Ha_unit=eV", "do not agree"),
        (lambda e, k: f"energy_eV={e} Ha", "do not agree"),
    ],
)  # fmt: skip
def test_units_that_differ_are_refused(tmp_path, comment, words):
    with pytest.raises(ValueError, match=words):
        read(tmp_path, frames(comment))


def test_one_unit_in_two_spellings_is_one(tmp_path):
    text = frames(lambda e, k: f"energy={e} energy_unit={['Ha', 'hartree', 'Eh'][k]}")
    assert read(tmp_path, text).units["energy"] == "hartree"
    assert agreed("energy_unit", ["eV", "EV"], str) == "eV"


@pytest.mark.parametrize(
    "unit", ["kcal/(mol*A)", "kcal mol-1 A-1", "kcal/mol/Å", "kcal mol^-1 Å⁻¹"]
)
def test_spellings_of_units_of_forces(tmp_path, unit):
    forces = np.arange(36.0).reshape(3, 4, 3)
    columns = f"{COLUMNS}:forces:R:3"
    comment = f'{columns} energy_unit=eV forces_unit="{unit}"'
    text = frames(lambda e, k: f"{comment} energy={e}", forces=forces)
    dataset = read(tmp_path, text)
    factor = conversion_factor("kcal/mol", "eV")
    np.testing.assert_allclose(dataset.targets["forces"], forces.reshape(-1, 3) * factor)
    assert dataset.units["forces"] == "eV/angstrom"


def test_forces_in_atomic_units_and_by_their_name(tmp_path):
    forces = np.arange(36.0).reshape(3, 4, 3)
    factor = conversion_factor("hartree/bohr", "eV/angstrom")
    for name, more in (("forces_Ha_bohr", ""), ("forces", " forces_unit=a.u.")):
        comment = f"{COLUMNS}:{name}:R:3 energy_unit=eV{more}"
        dataset = read(tmp_path, frames(lambda e, k, c=comment: f"{c} energy={e}", forces=forces))
        np.testing.assert_allclose(dataset.targets["forces"], forces.reshape(-1, 3) * factor)


@pytest.mark.parametrize(
    ("name", "turned"),
    [
        ("negative_gradient", "gradient"),
        ("minus_gradients", "dE_dR"),
        ("neg_grad", "dEdx"),
        ("F_ref", "minus_F"),
        ("forc", "negative_forces"),
    ],
)
def test_forces_and_gradients_by_their_names(tmp_path, name, turned):
    forces = np.arange(36.0).reshape(3, 4, 3)
    comment = f"{COLUMNS}:{name}:R:3"
    dataset = read(tmp_path, frames(lambda e, k: f"{comment} energy={e}", forces=forces))
    np.testing.assert_array_equal(dataset.targets["forces"], forces.reshape(-1, 3))
    comment = f"{COLUMNS}:{turned}:R:3"
    dataset = read(tmp_path, frames(lambda e, k: f"{comment} energy={e}", forces=forces))
    np.testing.assert_array_equal(dataset.targets["forces"], -forces.reshape(-1, 3))


def test_forces_that_some_frames_lack_are_counted(tmp_path):
    forces = np.full((1, 4, 3), 0.5)
    first = frames(lambda e, k: f"{COLUMNS} energy={e}")
    more = frames(lambda e, k: f"{COLUMNS}:forces:R:3 energy={e}", forces=np.repeat(forces, 3, 0))
    dataset = read(tmp_path, first + more)
    assert np.isnan(dataset.targets["forces"][:12]).all()
    words = next(one.words for one in dataset.decisions if one.what == "forces")
    assert "3 of 6 structures have none" in words


def test_energy_for_each_atom_keeps_its_unit(tmp_path):
    text = frames(lambda e, k: f"energy_eV_per_atom={e / 4}")
    dataset = read(tmp_path, text)
    assert (dataset.default_target, dataset.units[dataset.default_target]) == (
        "energy_eV_per_atom", "eV/atom"
    )  # fmt: skip
    assert not dataset.extensivity(dataset.default_target).extensive


def test_units_in_memory_have_their_usual_name():
    structures = Structures.from_arrays([([7, 1, 1, 1], AMMONIA)])
    dataset = Dataset("a", structures, {"energy": [-56.5]}, {"energy": "Ha"})
    assert dataset.units == {"energy": "hartree"}


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("kilojoules per mole", "kJ/mol"),
        ("kcal·mol⁻¹", "kcal/mol"),
        ("kcal/mole", "kcal/mol"),
        ("kJ mol**-1", "kJ/mol"),
        ("electron volts", "eV"),
        ("E_h", "hartree"),
        ("Debye", None),
        ("eV/A", None),
        ("", None),
    ],
)
def test_spellings_of_units_of_energy(text, unit):
    assert energy_unit(text) == unit


def test_forces_keep_an_unknown_unit():
    assert force_unit("mdyn") == "mdyn"


@pytest.mark.parametrize(
    "name", ["E(RB3LYP)", "U0", "wb97x_dz.energy", "Ha", "e_h", "mol", "dE/dx"]
)
def test_names_without_a_unit(name):
    assert split_name(name) == (name, "")


def test_sentences_are_no_units():
    words = {"units": "see the paper", "unit_cell_note": "cubic", "community": "Ha"}
    assert stated_units(words, ["energy"])[0] == {}


@pytest.mark.parametrize(
    "comment",
    [
        "Energy (Ha): {}",
        "Total energy [Ha] = {}",
        "energy : {} Hartree",
        "energy={} Hartree/particle",
        "energy={} u=Hartree",
        "energy={} energyunit=hartree",
        "# units: hartree energy={}",
        '{{"E": {}, "unit": "hartree"}}',
        '{{"E":{},"unit":"hartree"}}',
        '{{"unit": "hartree", "E": {}}}',
        '{{"unit":"hartree","E":{}}}',
    ],
)
def test_units_in_the_ways_of_programs(tmp_path, comment):
    dataset = read(tmp_path, frames(lambda e, k: comment.format(value_of(e))), unit="eV")
    expected = ENERGIES * conversion_factor("hartree", "eV")
    np.testing.assert_allclose(dataset.targets[dataset.default_target], expected, rtol=1e-12)


@pytest.mark.parametrize(("text", "unit"), [("Ryd", "Ry"), ("kJ.mol-1", "kJ/mol")])
def test_more_spellings_after_a_value(tmp_path, text, unit):
    dataset = read(tmp_path, frames(lambda e, k: f"energy={value_of(e, unit)} {text}"), unit="Ha")
    np.testing.assert_allclose(dataset.targets["energy"], ENERGIES, rtol=1e-12)


@pytest.mark.parametrize(
    "words",
    ["lengthunit=bohr", "geom_unit=bohr", "length=bohr", "coordinate_unit=bohr", "unitlength=bohr",
     "position_units_are=bohr", "atomic_position_unit=bohr", "# units: bohr", "units: Ha, bohr"],
)  # fmt: skip
def test_units_of_lengths(tmp_path, words):
    text = frames(lambda e, k: f"{words} energy={value_of(e)}", scale=1 / BOHR)
    positions = read(tmp_path, text).structures.positions
    np.testing.assert_allclose(positions[:4], AMMONIA, atol=1e-12)
