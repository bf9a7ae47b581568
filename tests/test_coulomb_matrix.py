import numpy as np
import pytest

import definitions
from definitions import BOHR, MOLECULES
from molkern import CoulombMatrix, Structures

PERMUTATIONS = ["row_norm", "random", "eigenspectrum", "none"]
SIZE = 15


def expected_rows(permutation, unit_length):
    define = {
        "row_norm": definitions.sorted_coulomb_matrix,
        "eigenspectrum": definitions.eigenspectrum,
        "none": lambda z, r, size, unit: definitions.padded_triangle(
            definitions.coulomb_matrix(z, r, unit), size
        ),
    }[permutation]
    return np.array([define(z, r, SIZE, unit_length) for z, r in MOLECULES])


@pytest.mark.parametrize(("length_unit", "unit_length"), [("bohr", BOHR), ("angstrom", 1.0)])
@pytest.mark.parametrize("permutation", ["row_norm", "eigenspectrum", "none"])
def test_matches_definition(structures, permutation, length_unit, unit_length):
    model = CoulombMatrix(size=SIZE, permutation=permutation, length_unit=length_unit)
    # Matrix: one rounding per operation. Eigenvalues: of the largest, 200 here.
    rtol, atol = (1e-14, 0) if permutation != "eigenspectrum" else (1e-13, 1e-12)
    np.testing.assert_allclose(
        model.fit_transform(structures),
        expected_rows(permutation, unit_length),
        rtol=rtol,
        atol=atol,
    )


@pytest.mark.parametrize("n_copies", [1, 5])
def test_random_matches_definition(structures, n_copies):
    model = CoulombMatrix(
        size=SIZE, permutation="random", n_copies=n_copies, noise=2.0, random_state=3
    )
    rows = model.fit_transform(structures)
    for copy in range(n_copies):
        noise = 2.0 * np.random.default_rng([3, copy]).standard_normal(SIZE)
        expected = [definitions.random_coulomb_matrix(z, r, SIZE, noise) for z, r in MOLECULES]
        part = rows.reshape(len(rows), n_copies, -1)[:, copy]
        np.testing.assert_allclose(part, expected, rtol=1e-14)


@pytest.mark.parametrize("library", ["qmllib", "dscribe"])
@pytest.mark.parametrize("permutation", ["row_norm", "eigenspectrum", "none"])
def test_reference(request, library, permutation):
    path = request.path.parent / "reference" / "coulomb_matrix.npz"
    with np.load(path) as stored:
        structures = Structures(stored["numbers"], stored["positions"], stored["offsets"])
        expected = stored[f"{library}_{permutation}"]
    model = CoulombMatrix(size=14, permutation=permutation, length_unit="angstrom")
    result = model.fit_transform(structures)
    if library == "dscribe" and permutation != "eigenspectrum":
        expected = expected.reshape(-1, 14, 14)[:, *np.tril_indices(14)]
    if library == "qmllib" and permutation == "eigenspectrum":
        # qmllib orders eigenvalues by value, padding among them.
        result, expected = np.sort(result), np.sort(expected)
    # 1e-7: qmllib's Z^2.4 / 2 and eigenvalues carry fewer digits than a double.
    np.testing.assert_allclose(result, expected, rtol=1e-7, atol=1e-7)


def test_qm7_matches_definition(qm7_sample):
    size = int(qm7_sample.sizes.max())
    expected = [definitions.sorted_coulomb_matrix(z, r, size) for z, r in qm7_sample]
    np.testing.assert_allclose(CoulombMatrix().fit_transform(qm7_sample), expected, rtol=1e-14)


def test_qm7_eigenvalues(qm7_sample):
    size = int(qm7_sample.sizes.max())
    expected = np.array([definitions.eigenspectrum(z, r, size) for z, r in qm7_sample])
    result = CoulombMatrix(permutation="eigenspectrum").fit_transform(qm7_sample)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-14 * np.abs(expected).max())


@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 9, 16, 17, 33, 70, 130, 300])
@pytest.mark.parametrize("permutation", ["row_norm", "eigenspectrum"])
def test_sizes(n, permutation):
    """Below, at and above the widths of vectors, and where other sorting takes over."""
    rng = np.random.default_rng(n)
    molecule = (rng.integers(1, 17, n), rng.uniform(0, 2 * n ** (1 / 3) + 2, (n, 3)))
    result = CoulombMatrix(permutation=permutation).fit_transform([molecule])[0]
    define = (
        definitions.sorted_coulomb_matrix
        if permutation == "row_norm"
        else definitions.eigenspectrum
    )
    expected = define(*molecule, n)
    np.testing.assert_allclose(result, expected, rtol=1e-13, atol=1e-13 * np.abs(expected).max())


def test_eigenvalues_are_sorted_by_magnitude_and_keep_their_sign(structures):
    hydrogen = Structures.from_arrays([([1, 1], [[0.0, 0, 0], [0, 0, 0.3]])])
    batch = Structures.concatenate([structures, hydrogen])
    rows = CoulombMatrix(permutation="eigenspectrum").fit_transform(batch)
    assert (np.diff(np.abs(rows), axis=1) <= 0).all()
    np.testing.assert_allclose(rows[-1][:2], 0.5 + BOHR / 0.3 * np.array([1, -1]), rtol=1e-14)


def test_sorted_matrix_is_a_permutation_of_a_symmetric_one(structures):
    """Rows and columns are permuted together: the spectrum stays."""
    rows = CoulombMatrix(size=SIZE).fit_transform(structures)
    spectra = CoulombMatrix(size=SIZE, permutation="eigenspectrum").fit_transform(structures)
    for row, spectrum in zip(rows, spectra, strict=True):
        matrix = np.zeros((SIZE, SIZE))
        matrix[np.tril_indices(SIZE)] = row
        matrix += np.tril(matrix, -1).T
        values = np.linalg.eigvalsh(matrix)
        np.testing.assert_allclose(np.sort(values), np.sort(spectrum), rtol=0, atol=1e-12)
        norms = np.linalg.norm(matrix, axis=1)
        assert (np.diff(norms) <= 0).all()


def test_degenerate_and_diagonal_matrices():
    """Equal eigenvalues, no coupling, and eigenvalues of equal magnitude."""
    far = np.array([[0.0, 0, 0], [1e9, 0, 0], [0, 1e9, 0], [0, 0, 1e9]])
    row = CoulombMatrix(permutation="eigenspectrum").fit_transform([([1, 1, 1, 1], far)])[0]
    np.testing.assert_allclose(row, 0.5, rtol=1e-8)
    tetrahedron = np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    row = CoulombMatrix(permutation="eigenspectrum").fit_transform([([6] * 4, tetrahedron)])[0]
    expected = definitions.eigenspectrum([6] * 4, tetrahedron, 4)
    np.testing.assert_allclose(row, expected, rtol=1e-14)


def test_lattices_beside_other_molecules():
    """Exact degeneracies make the solver take its rare branches; neighbours must not matter."""
    rng = np.random.default_rng(0)
    model = CoulombMatrix(size=7, permutation="eigenspectrum")
    generic = (np.full(7, 6), rng.uniform(0, 5, (7, 3)))
    for _ in range(300):
        cells = rng.permutation(27)[:7]
        grid = 1e17 * np.stack(np.unravel_index(cells, (3, 3, 3)), axis=1)
        lattice = (np.full(7, 6), grid)
        together = model.fit_transform([generic, lattice, generic])
        np.testing.assert_array_equal(together[1], model.fit_transform([lattice])[0])


def test_nan_positions_spoil_no_other_molecule(molecules):
    """Arrays are taken over without a copy: they may change after they were checked."""
    structures = Structures.from_arrays([molecules[3]] * 16)
    model = CoulombMatrix(permutation="eigenspectrum")
    expected = model.fit_transform(structures)
    structures.positions[3 * 12 + 5] = np.nan
    with pytest.raises(ValueError, match="molecule 3"):
        model.transform(structures)
    structures.positions[3 * 12 + 5] = molecules[3][1][5]
    np.testing.assert_array_equal(model.transform(structures), expected)


def test_benzene_depends_on_the_order_of_its_atoms():
    """Documented: rows of equal norm keep the order of the atoms."""
    from ase.build import molecule

    atoms = molecule("C6H6")
    shuffled = np.random.default_rng(0).permutation(12)
    pairs = [
        (atoms.numbers, atoms.positions),
        (atoms.numbers[shuffled], atoms.positions[shuffled]),
    ]
    a, b = CoulombMatrix().fit_transform(pairs)
    np.testing.assert_allclose(a, definitions.sorted_coulomb_matrix(*pairs[0], 12), rtol=1e-14)
    np.testing.assert_allclose(b, definitions.sorted_coulomb_matrix(*pairs[1], 12), rtol=1e-14)
    assert np.abs(a - b).max() > 1
    a, b = CoulombMatrix(permutation="eigenspectrum").fit_transform(pairs)
    np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


@pytest.mark.parametrize("permutation", PERMUTATIONS)
def test_empty_molecule_and_single_atom(permutation):
    pairs = [([], []), ([6], [[1.0, 2.0, 3.0]])]
    rows = CoulombMatrix(size=3, permutation=permutation, random_state=0).fit_transform(pairs)
    assert not rows[0].any()
    np.testing.assert_allclose(rows[1][0], 0.5 * 6**2.4, rtol=1e-15)
    assert not rows[1][1:].any()


@pytest.mark.parametrize("permutation", PERMUTATIONS)
def test_no_structures(permutation):
    model = CoulombMatrix(size=3, permutation=permutation, random_state=0)
    assert model.fit_transform([]).shape == (0, model.n_features_out_)


@pytest.mark.parametrize("shift", [0.0, 1e-160, 1e-9, 5e-4])
@pytest.mark.parametrize("permutation", PERMUTATIONS)
def test_coincident_atoms_raise(permutation, shift, molecules):
    numbers, positions = molecules[2]
    positions[4] = positions[1] + shift
    molecules[2] = numbers, positions
    model = CoulombMatrix(permutation=permutation, random_state=0)
    with pytest.raises(ValueError, match="atoms 1 and 4 of molecule 2 coincide"):
        model.fit_transform(molecules)


@pytest.mark.parametrize("permutation", PERMUTATIONS)
def test_larger_molecule_raises(permutation, molecules):
    model = CoulombMatrix(permutation=permutation, random_state=0).fit(molecules[:2])
    with pytest.raises(ValueError, match="molecule 1 has 9 atoms, size is 5"):
        model.transform(molecules[1:3])


def test_fit_with_a_size_too_small_raises(molecules):
    with pytest.raises(ValueError, match="largest molecule has 12 atoms, size is 4"):
        CoulombMatrix(size=4).fit(molecules)


def test_label_above_118_raises():
    with pytest.raises(ValueError, match="molecule 0 has an atom of number 119"):
        CoulombMatrix().fit_transform([([119], [[0.0, 0, 0]])])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"permutation": "sorted"}, "permutation: expected one of"),
        ({"length_unit": "nm"}, "length_unit: expected"),
        ({"dtype": "float16"}, "dtype: expected"),
        ({"n_copies": 2}, "n_copies: expected 1"),
        ({"n_copies": 0, "permutation": "random"}, "n_copies: expected an integer of 1 or more"),
        ({"noise": -1.0}, "noise: expected a number of 0 or more"),
        ({"size": -1}, "size: expected an integer of 0 or more, found -1"),
        ({"random_state": -1}, "random_state: expected an integer of 0 or more"),
        ({"dtype": "text"}, "dtype: expected"),
    ],
)
def test_bad_parameter_raises(parameters, message, molecules):
    with pytest.raises(ValueError, match=message):
        CoulombMatrix(**parameters).fit(molecules)


def test_bad_n_threads_raises(structures):
    with pytest.raises(ValueError, match="n_threads: expected None or an integer from 1"):
        CoulombMatrix(n_threads=0).fit_transform(structures)


def test_random_state(structures):
    def rows(seed):
        return CoulombMatrix(permutation="random", random_state=seed).fit_transform(structures)

    np.testing.assert_array_equal(rows(1), rows(1))
    assert not np.array_equal(rows(1), rows(2))
    unseeded = CoulombMatrix(permutation="random").fit(structures)
    np.testing.assert_array_equal(unseeded.transform(structures), unseeded.transform(structures))


def test_feature_names_are_the_order(structures):
    model = CoulombMatrix(size=SIZE, permutation="none").fit(structures)
    names = model.get_feature_names_out()
    matrix = definitions.coulomb_matrix(*MOLECULES[2])
    row = model.transform(structures)[2]
    for name, value in zip(names, row, strict=True):
        i, j = map(int, name[2:-1].split(","))
        expected = matrix[i, j] if i < len(matrix) else 0.0
        np.testing.assert_allclose(value, expected, rtol=1e-14)
    copies = CoulombMatrix(size=2, permutation="random", n_copies=2, random_state=0).fit([])
    assert copies.get_feature_names_out()[3] == "copy1 M[0,0]"
    spectrum = CoulombMatrix(size=2, permutation="eigenspectrum").fit([])
    assert spectrum.get_feature_names_out().tolist() == ["eigenvalue[0]", "eigenvalue[1]"]
