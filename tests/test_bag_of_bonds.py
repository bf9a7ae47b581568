import numpy as np
import pytest

import definitions
from definitions import BOHR, MOLECULES
from molkern import BagOfBonds, Structures
from molkern.elements import numbers_of


def as_tuples(bags):
    return {tuple(sorted(numbers_of(name.split("-")))): size for name, size in bags.items()}


@pytest.mark.parametrize(("length_unit", "unit_length"), [("bohr", BOHR), ("angstrom", 1.0)])
def test_matches_definition(structures, length_unit, unit_length):
    model = BagOfBonds(length_unit=length_unit).fit(structures)
    bags = as_tuples(model.bags_)
    expected = [definitions.bag_of_bonds(z, r, bags, unit_length) for z, r in MOLECULES]
    np.testing.assert_allclose(model.transform(structures), expected, rtol=1e-14)


def test_qm7_matches_definition(qm7_sample):
    model = BagOfBonds().fit(qm7_sample)
    bags = as_tuples(model.bags_)
    expected = [definitions.bag_of_bonds(z, r, bags) for z, r in qm7_sample]
    np.testing.assert_allclose(model.transform(qm7_sample), expected, rtol=1e-14)


def test_reference_qmllib(request):
    """Same values; qmllib orders the bags differently and makes some of them larger."""
    with np.load(request.path.parent / "reference" / "bag_of_bonds.npz") as stored:
        structures = Structures(stored["numbers"], stored["positions"], stored["offsets"])
        expected = stored["qmllib"]
    result = BagOfBonds(length_unit="angstrom").fit_transform(structures)
    for ours, theirs in zip(result, expected, strict=True):
        assert np.count_nonzero(ours) == np.count_nonzero(theirs)
        # 1e-7: qmllib's Z^2.4 / 2 carries fewer digits than a double.
        np.testing.assert_allclose(np.sort(ours[ours > 0]), np.sort(theirs[theirs > 0]), rtol=1e-7)


@pytest.mark.parametrize("n", [2, 9, 23, 24, 60, 120])
def test_large_bags(n):
    """Bags below and above the length from which blocks are merged (256 values)."""
    rng = np.random.default_rng(n)
    molecule = (np.full(n, 6), rng.uniform(0, 10, (n, 3)))
    row = BagOfBonds().fit_transform([molecule])[0]
    expected = definitions.bag_of_bonds(*molecule, {(6,): n, (6, 6): n * (n - 1) // 2})
    np.testing.assert_allclose(row, expected, rtol=1e-14)


def test_equal_values_are_all_kept():
    """Many exactly equal distances, in short bags and in merged ones."""
    grid = np.array([[i, j, k] for i in range(4) for j in range(4) for k in range(3)], float)
    row = BagOfBonds().fit_transform([(np.full(len(grid), 6), grid)])[0]
    n = len(grid)
    expected = definitions.bag_of_bonds(np.full(n, 6), grid, {(6,): n, (6, 6): n * (n - 1) // 2})
    np.testing.assert_allclose(row, expected, rtol=1e-14)


def test_fitted_bags_are_as_large_as_needed():
    water, methane = MOLECULES[0], MOLECULES[1]
    assert BagOfBonds().fit([water, methane]).bags_ == {
        "H": 4, "C": 1, "O": 1, "H-H": 6, "H-C": 4, "H-O": 2, "C-C": 0, "C-O": 0, "O-O": 0,
    }  # fmt: skip


def test_given_bags():
    model = BagOfBonds(bags={"O-H": 3, "O": 1, "H": 4, "H-H": 6}).fit([])
    assert model.bags_ == {"H": 4, "O": 1, "H-H": 6, "H-O": 3, "O-O": 0}
    row = model.transform([MOLECULES[0]])[0]
    expected = definitions.bag_of_bonds(*MOLECULES[0], as_tuples(model.bags_))
    np.testing.assert_allclose(row, expected, rtol=1e-14)


def test_unused_species_only_adds_named_zero_columns():
    narrow = BagOfBonds().fit([MOLECULES[0]])
    wide = BagOfBonds(bags={**narrow.bags_, "S": 1, "H-S": 2}).fit([])
    names = wide.get_feature_names_out().tolist()
    kept = [name in narrow.get_feature_names_out() for name in names]
    row = wide.transform([MOLECULES[0]])[0]
    np.testing.assert_array_equal(row[kept], narrow.transform([MOLECULES[0]])[0])
    assert [n for n, k in zip(names, kept, strict=True) if not k] == ["S[0]", "H-S[0]", "H-S[1]"]
    assert not row[~np.array(kept)].any()


def test_feature_names_are_the_order(structures):
    model = BagOfBonds().fit(structures)
    row = model.transform(structures)[2]
    numbers, positions = MOLECULES[2]
    matrix = definitions.coulomb_matrix(numbers, positions)
    for name, value in zip(model.get_feature_names_out(), row, strict=True):
        bag, place = name[:-1].split("[")
        elements = numbers_of(bag.split("-"))
        pairs = [
            matrix[i, j]
            for i in range(len(numbers))
            for j in range(i + 1)
            if (len(elements) == 1) == (i == j)
            and sorted({1: [numbers[i]]}.get(len(elements), [numbers[i], numbers[j]]))
            == sorted(elements)
        ]
        expected = sorted(pairs, reverse=True) + [0.0] * 200
        np.testing.assert_allclose(value, expected[int(place)], rtol=1e-14)


def test_empty_molecule_and_single_atom():
    model = BagOfBonds(bags={"C": 2, "C-C": 1}).fit([])
    rows = model.transform([([], []), ([6], [[0.0, 0.0, 0.0]])])
    assert not rows[0].any()
    np.testing.assert_allclose(rows[1], [0.5 * 6**2.4, 0, 0], rtol=1e-15)


def test_no_structures():
    assert BagOfBonds(bags={"H": 2, "H-H": 1}).fit_transform([]).shape == (0, 3)


@pytest.mark.parametrize("shift", [0.0, 1e-160, 1e-9, 5e-4])
def test_coincident_atoms_raise(shift, molecules):
    numbers, positions = molecules[2]
    positions[4] = positions[1] + shift
    molecules[2] = numbers, positions
    with pytest.raises(ValueError, match="atoms 1 and 4 of molecule 2 coincide"):
        BagOfBonds().fit_transform(molecules)


def test_unknown_species_are_listed(molecules):
    model = BagOfBonds().fit(molecules[:2])
    with pytest.raises(ValueError, match=r"no bag for N, S \(first in molecule 1\).* H, C, O"):
        model.transform([molecules[0], molecules[5], molecules[4]])


def test_bag_too_small_raises(molecules):
    model = BagOfBonds().fit(molecules[:2])
    with pytest.raises(
        ValueError, match="molecule 1 needs 6 values in the bag of element 1, which holds 4"
    ):
        model.transform([molecules[0], molecules[2]])
    narrow = BagOfBonds(bags={"H": 2, "O": 1, "H-H": 1, "H-O": 1}).fit([])
    with pytest.raises(ValueError, match="2 values in the bag of elements 1 and 8, which holds 1"):
        narrow.transform(molecules[:1])


@pytest.mark.parametrize(
    ("bags", "message"),
    [
        ({"H-C-O": 1}, "no pair of elements"),
        ({"H-C": 1, "C-H": 1}, "is there twice"),
        ({"Q": 1}, "species: expected a chemical symbol"),
        ({"H": -1}, "bags: H: expected an integer of 0 or more, found -1"),
        ({"H": 2**62, "C": 2**62, "H-H": 2**62, "C-C": 2**62}, "bags: expected fewer than 2"),
        ({"H": 2**63}, "bags: expected fewer than 2"),
    ],
)
def test_bad_bags_raise(bags, message):
    with pytest.raises(ValueError, match=message):
        BagOfBonds(bags=bags).fit([])


def test_bags_of_the_wrong_type_raise():
    with pytest.raises(TypeError, match="bags: expected a dict of names and sizes, found list"):
        BagOfBonds(bags=["C"]).fit([])
    with pytest.raises(TypeError, match="bags: C: expected an integer of 0 or more, found True"):
        BagOfBonds(bags={"C": True}).fit([])
    with pytest.raises(TypeError, match="bags: expected names such as 'C' or 'H-C', found 6"):
        BagOfBonds(bags={6: 1}).fit([])


def test_label_above_118_raises():
    with pytest.raises(ValueError, match="molecule 0 has an atom of number 200"):
        BagOfBonds().fit([([200], [[0.0, 0, 0]])])
