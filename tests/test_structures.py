import numpy as np
import pytest

from definitions import MOLECULES
from molkern import Structures
from molkern.elements import numbers_of, symbol_of
from molkern.structures import as_structures


def test_packs_pairs(structures, molecules):
    assert len(structures) == len(molecules)
    assert structures.n_atoms == sum(len(z) for z, _ in molecules)
    assert structures.offsets.dtype == np.int64
    assert structures.numbers.dtype == np.int32
    for (z, r), (given_z, given_r) in zip(structures, molecules, strict=True):
        np.testing.assert_array_equal(z, given_z)
        np.testing.assert_array_equal(r, given_r)
    assert structures.species.tolist() == [1, 6, 7, 8, 16]
    assert repr(structures) == (
        f"Structures(n_structures=10, n_atoms={structures.n_atoms}, "
        "species=['H', 'C', 'N', 'O', 'S'])"
    )


def test_arrays_are_taken_over_without_a_copy():
    numbers = np.ones(4, np.int32)
    positions = np.random.default_rng(0).normal(size=(4, 3))
    offsets = np.array([0, 1, 4])
    batch = Structures(numbers, positions, offsets)
    assert np.shares_memory(batch.numbers, numbers)
    assert np.shares_memory(batch.positions, positions)


@pytest.mark.parametrize(
    "index",
    [0, -1, 3, slice(2, 5), slice(None), slice(None, None, -2), slice(8, 3), [1, 1, 0], [], [-2],
     np.arange(10) % 3 == 0],
)  # fmt: skip
def test_indexing(structures, index):
    chosen = structures[index]
    expected = np.arange(len(structures))[index]
    assert len(chosen) == np.size(expected)
    for (z, r), k in zip(chosen, np.atleast_1d(expected), strict=True):
        np.testing.assert_array_equal(z, MOLECULES[k][0])
        np.testing.assert_array_equal(r, MOLECULES[k][1])


def test_bad_index_raises(structures):
    with pytest.raises(IndexError, match="index 10 is out of range for 10 structures"):
        structures[10]
    with pytest.raises(IndexError, match="index -11 is out of range"):
        structures[[0, -11]]
    with pytest.raises(IndexError, match="mask: expected 10 booleans, found 3"):
        structures[np.array([True, False, True])]
    with pytest.raises(TypeError, match="index: expected an integer, a slice"):
        structures["water"]


def test_ase_round_trip():
    from ase.build import bulk, molecule

    frames = [molecule("H2O"), bulk("NaCl", "rocksalt", a=5.6), molecule("CH4")]
    packed = Structures.from_ase(frames)
    assert "periodic=1" in repr(packed)
    for before, after in zip(frames, packed.to_ase(), strict=True):
        assert before == after
    assert Structures.from_ase(molecule("H2O")).cells is None
    assert packed[1].pbc.all()
    assert packed[[0, 2]].cells.shape == (2, 3, 3)


def test_concatenate():
    from ase.build import bulk

    a = Structures.from_arrays(MOLECULES[:2])
    b = Structures.from_ase([bulk("Si")])
    both = Structures.concatenate([a, b, a])
    assert len(both) == 5
    assert both.pbc.tolist() == [[False] * 3] * 2 + [[True] * 3] + [[False] * 3] * 2
    assert both[:2].positions.tolist() == a.positions.tolist()
    assert both[3:].offsets.tolist() == a.offsets.tolist()
    assert len(Structures.concatenate([])) == 0


def test_equality(structures):
    assert structures == structures[:]
    assert structures != structures[:-1]
    assert structures != 3


def test_composition(structures):
    counts = structures.composition()
    assert counts.sum() == structures.n_atoms
    np.testing.assert_array_equal(counts[0], [2, 0, 0, 1, 0])
    np.testing.assert_array_equal(structures.composition(["O", "F"])[:3], [[1, 0], [0, 0], [1, 0]])


def test_read(tmp_path, structures):
    from ase.io import write

    frames = structures.to_ase()
    write(tmp_path / "all.xyz", frames, format="extxyz")
    read = Structures.read(tmp_path / "all.xyz")
    np.testing.assert_allclose(read.positions, structures.positions, atol=1e-7)
    assert len(Structures.read(tmp_path / "all.xyz", index="2:4")) == 2
    assert len(Structures.read(tmp_path / "all.xyz", index=-1)) == 1
    with pytest.raises(ValueError, match="index: expected a number or a slice"):
        Structures.read(tmp_path / "all.xyz", index="last")
    with pytest.raises(FileNotFoundError, match=r"no such file: .*missing\.xyz"):
        Structures.read(tmp_path / "missing.xyz")
    (tmp_path / "broken.xyz").write_text("3\n\nH 0 0 0\n")
    with pytest.raises(
        ValueError, match=r"broken\.xyz: line 3 \(frame 0\): the file ends after 1 of 3"
    ):
        Structures.read(tmp_path / "broken.xyz")


def test_empty():
    nothing = Structures.from_arrays([])
    assert len(nothing) == 0
    assert nothing.positions.shape == (0, 3)
    assert nothing.composition().shape == (0, 0)
    batch = Structures.from_arrays([([], []), ([1], [[0.0, 0, 0]]), ([], np.empty((0, 3)))])
    assert batch.sizes.tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([1, 1], [[0, 0, 0]], [0, 2]), ValueError, r"positions: expected shape \(2, 3\)"),
        (([[1]], [[0, 0, 0]], [0, 1]), ValueError, "numbers: expected one dimension"),
        (([1], [[0, 0, 0]], [0, 2]), ValueError, "offsets: expected to run from 0 to 1"),
        (([1], [[0, 0, 0]], [1]), ValueError, "offsets: expected to run from 0 to 1"),
        (([1], [[0, 0, 0]], []), ValueError, "offsets: .* found an empty array"),
        (([1] * 3, np.zeros((3, 3)), [0, 2, 1, 3]), ValueError, "decrease after structure 1"),
        (([0], [[0, 0, 0]], [0, 1]), ValueError, "found 0 for atom 0 of structure 0"),
        (([1, 1, -6], np.zeros((3, 3)), [0, 1, 3]), ValueError, "found -6 for atom 1 of struct"),
        (([1.5], [[0, 0, 0]], [0, 1]), TypeError, "numbers: expected integers, found float64"),
        (
            (["H", None], np.zeros((2, 3)), [0, 2]),
            TypeError,
            "found None for atom 1 of structure 0",
        ),
        (([[]], [[0, 0, 0]], [0, 1]), ValueError, "numbers: expected one dimension"),
        (([2**40], [[0, 0, 0]], [0, 1]), ValueError, "1099511627776 does not fit in int32"),
        (([-(2**40)], [[0, 0, 0]], [0, 1]), ValueError, "-1099511627776 does not fit in int32"),
        (([1], [[0j, 0, 0]], [0, 1]), TypeError, "positions: expected real numbers"),
    ],
)
def test_bad_arrays_raise(arguments, error, message):
    with pytest.raises(error, match=message):
        Structures(*arguments)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e200])
@pytest.mark.parametrize("atom", [0, 4])
def test_positions_that_are_not_finite_raise(bad, atom):
    positions = np.arange(15.0).reshape(5, 3)
    positions[atom, 1] = bad
    where = {0: "atom 0 of structure 0", 4: "atom 2 of structure 1"}[atom]
    with pytest.raises(ValueError, match=f"positions: expected finite values.*{where}"):
        Structures([1] * 5, positions, [0, 2, 5])


@pytest.mark.parametrize(
    ("cells", "pbc", "error", "message"),
    [
        (np.zeros((2, 3, 3)), None, ValueError, r"cells: expected shape \(1, 3, 3\)"),
        (np.full((1, 3, 3), np.nan), None, ValueError, "cells: .* structure 0 has others"),
        (None, [[True, False, False]], ValueError, "structure 0 is periodic but cells is None"),
        (np.zeros((1, 3, 3)), [True], ValueError, r"pbc: expected shape \(1, 3\)"),
        (np.zeros((1, 3, 3)), [[1, 0, 0]], TypeError, "pbc: expected booleans"),
    ],
)
def test_bad_cells_raise(cells, pbc, error, message):
    with pytest.raises(error, match=message):
        Structures([1], [[0.0, 0, 0]], [0, 1], cells, pbc)


@pytest.mark.parametrize(
    ("pairs", "error", "message"),
    [
        ([([1], [[0.0, 0, 0]]), ([1, 1], [[0.0, 0, 0]])], ValueError, "structure 1: expected num"),
        ([([1], [0.0, 0, 0])], ValueError, "structure 0: expected numbers"),
        ([(6, [[0.0, 0, 0]])], ValueError, "structure 0: expected numbers"),
        ([([1], [[0.0, 0, 0]]), 5], TypeError, "structure 1: expected .*, found int"),
        ([([1], [["a", 0, 0]])], ValueError, "structure 0: expected positions as real numbers"),
    ],
)
def test_bad_pairs_raise(pairs, error, message):
    with pytest.raises(error, match=message):
        Structures.from_arrays(pairs)


def test_as_structures(structures):
    assert as_structures(structures) is structures
    with pytest.raises(TypeError, match="put it in a list"):
        as_structures(structures.to_ase()[0])
    with pytest.raises(TypeError, match=r"structure 0: expected ase\.Atoms, found int"):
        Structures.from_ase([3])


SYMBOLS = [
    ["O", "H", "H", "Cl"],
    ("O", "D", "T", "CL"),
    np.array(["o", "h", "d", "cl"]),
    np.array([b"O", b"H", b"H", b"Cl"]),
    [b"O", np.str_("H"), "H ", "cL"],
    np.array(["O", "H", "H", "Cl"], dtype=object),
    ["O", 1, np.int64(1), 17],
    np.array([8, 1, 1, 17], dtype=object),
    "a pandas series",
]


@pytest.mark.parametrize("symbols", SYMBOLS)
def test_symbols_are_numbers(symbols):
    if isinstance(symbols, str):
        symbols = pytest.importorskip("pandas").Series(["O", "H", "H", "Cl"])
    positions = np.arange(12.0).reshape(4, 3)
    expected = [8, 1, 1, 17]
    assert Structures(symbols, positions, [0, 3, 4]).numbers.tolist() == expected
    # Beside pairs with numbers, and without atoms.
    pairs = [([6], positions[:1]), (symbols, positions), ([], [])]
    batch = Structures.from_arrays(pairs)
    assert batch.numbers.tolist() == [6, *expected]
    assert batch.numbers.dtype == np.int32
    assert batch == as_structures(pairs)
    assert Structures.from_arrays([(symbols, positions)]).numbers.tolist() == expected


@pytest.mark.parametrize("unknown", ["Xx", "X", "", "H2", "8", "Hydrogen", b"Q"])
def test_unknown_symbols_raise(unknown):
    text = unknown.decode() if isinstance(unknown, bytes) else unknown
    kind = bytes if isinstance(unknown, bytes) else str
    hydrogen = kind("H", "ascii") if kind is bytes else "H"
    symbols = [hydrogen, hydrogen, unknown]
    message = f"^numbers: expected a chemical symbol, found '{text}' for atom 1 of structure 1$"
    for given in (symbols, np.array(symbols)):
        with pytest.raises(ValueError, match=message):
            Structures(given, np.zeros((3, 3)), [0, 1, 3])
        with pytest.raises(ValueError, match=message):
            Structures.from_arrays([([1], np.zeros((1, 3))), (given[1:], np.zeros((2, 3)))])


def test_formula_is_no_list_of_symbols():
    message = r"expected a number or a symbol for each atom, as in \['O', 'H', 'H'\], found b?'H2O'"
    for formula in ("H2O", b"H2O", np.str_("H2O")):
        with pytest.raises(ValueError, match=f"numbers: {message}"):
            Structures(formula, np.zeros((3, 3)), [0, 3])
        with pytest.raises(ValueError, match=f"structure 1: {message}"):
            Structures.from_arrays([([1], np.zeros((1, 3))), (formula, np.zeros((3, 3)))])


def test_elements():
    assert numbers_of(["H", 8, 200]) == [1, 8, 200]
    assert numbers_of(["D", "T", "br", "SI", b"C", np.array(["Na"])[0]]) == [1, 1, 35, 14, 6, 11]
    assert [symbol_of(z) for z in (1, 118, 119)] == ["H", "Og", "119"]
    with pytest.raises(ValueError, match="species: expected a chemical symbol, found 'Xx'"):
        numbers_of(["Xx"])
    with pytest.raises(ValueError, match="or a positive integer, found 0"):
        numbers_of([0])


def test_batches_are_not_molecules():
    batch = Structures.from_arrays([([1], np.zeros((1, 3)))] * 2)
    with pytest.raises(TypeError, match=r"structure 0: expected ase\.Atoms, found Structures"):
        Structures.from_ase(batch)
    with pytest.raises(TypeError, match=r"structure 0: .* found tuple; .*concatenate makes one"):
        as_structures([([1], np.zeros((1, 3))), batch])
    with pytest.raises(TypeError, match=r"structure 1: .* found Structures of 2; .*concatenate"):
        as_structures([batch[:1], batch])


def test_list_of_single_structures_is_a_batch_with_its_cells():
    batch = Structures(
        np.array([1, 1], "i4"), np.zeros((2, 3)), np.arange(3), np.eye(3)[None].repeat(2, 0) * 5,
        np.ones((2, 3), bool),
    )  # fmt: skip
    again = as_structures([batch[0], batch[1]])
    assert len(again) == 2
    np.testing.assert_array_equal(again.cells, batch.cells)
    assert again.pbc.all()
