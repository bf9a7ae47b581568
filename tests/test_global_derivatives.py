"""Derivatives of the representations with one row for each structure."""

import numpy as np
import pytest

import definitions
import molkern.representations._eigenspectrum as eigenspectrum
from all_representations import CASES
from definitions import BOHR, MOLECULES
from molkern import BagOfBonds, CoulombMatrix, Structures

STEP = 1e-4
GLOBAL = [case for case in CASES if case[1] in (CoulombMatrix, BagOfBonds)]
every_model = pytest.mark.parametrize(
    ("cls", "parameters"), [case[1:] for case in GLOBAL], ids=[case[0] for case in GLOBAL]
)
PERMUTATIONS = ["row_norm", "random", "eigenspectrum", "none"]


def smallest_gap(numbers, positions):
    """Between any two values whose order matters, with the parameters of the models here."""
    gaps = []
    for unit_length in (1.0, BOHR):
        matrix = definitions.coulomb_matrix(numbers, positions, unit_length)
        norms = -np.sort(-np.linalg.norm(matrix, axis=1))
        gaps += [norms, np.abs(np.linalg.eigvalsh(matrix))]
        for copy in range(3):
            noise = np.random.default_rng([7, copy]).standard_normal(7)
            gaps.append(norms + 0.5 * noise[: len(norms)])
        i, j = np.tril_indices(len(numbers), -1)
        products = np.asarray(numbers)[i] * np.asarray(numbers)[j]
        gaps += [matrix[i, j][products == product] for product in np.unique(products)]
    return min((np.diff(np.sort(values)).min(initial=1.0) for values in gaps), default=1.0)


def cluster(seed, n):
    """Random atoms whose order no small displacement changes."""
    rng = np.random.default_rng(seed)
    numbers = rng.permutation(np.resize([1, 6, 8], n))
    while True:
        positions = rng.uniform(0, 3.2, (n, 3))
        distances = np.linalg.norm(positions[:, None] - positions, axis=-1)[np.tril_indices(n, -1)]
        # A step moves a value by at most about 64 / 0.9^2 * 2e-4.
        if distances.min(initial=9) > 0.9 and smallest_gap(numbers, positions) > 0.03:
            return numbers, positions


@pytest.fixture(scope="module")
def clusters():
    """Of several sizes: a full row, padded ones, one atom, none."""
    pairs = [cluster(1, 5), ([], []), cluster(2, 7), ([6], [[1.0, 2.0, 3.0]]), cluster(3, 5)]
    return Structures.from_arrays(pairs)


@pytest.fixture(scope="module")
def many():
    rng = np.random.default_rng(5)
    sizes = rng.integers(0, 25, 300)
    return Structures.from_arrays(
        [(rng.integers(1, 9, n), rng.uniform(0, 9, (n, 3))) for n in sizes]
    )


def cotangent(model, structures, seed=0):
    shape = (len(structures), model.n_features_out_)
    return np.random.default_rng(seed).normal(size=shape)


def central(function, structures):
    """Derivatives by central differences of fourth order, the shape of the positions first."""
    result = []
    for index in np.ndindex(structures.positions.shape):
        values = []
        for k in (-2, -1, 1, 2):
            moved = structures.positions.copy()
            moved[index] += k * STEP
            values.append(function(Structures(structures.numbers, moved, structures.offsets)))
        result.append((8 * (values[2] - values[1]) - (values[3] - values[0])) / (12 * STEP))
    return np.array(result).reshape(*structures.positions.shape, *np.shape(result[0]))


@every_model
def test_jacobian_against_differences(cls, parameters, clusters):
    model = cls(**parameters).fit(clusters)
    jacobian = model.jacobian(clusters)
    assert jacobian.values.shape == (clusters.n_atoms, 3, model.n_features_out_)
    assert (jacobian.n_centers, jacobian.n_atoms) == (len(clusters), clusters.n_atoms)
    np.testing.assert_array_equal(jacobian.center, np.repeat(range(5), clusters.sizes))
    expected = central(model.transform, clusters)
    assert np.abs(expected).max() > 5
    # Rounding of values up to 200, divided by the step.
    np.testing.assert_allclose(
        jacobian.to_dense().transpose(1, 2, 0, 3), expected, rtol=0, atol=3e-9
    )


@every_model
def test_vjp_against_differences(cls, parameters, clusters):
    model = cls(**parameters).fit(clusters)
    gX = cotangent(model, clusters)
    result = model.vjp(clusters, gX)
    assert result.shape == (clusters.n_atoms, 3)
    assert result.dtype == np.float64
    expected = central(lambda moved: (gX * model.transform(moved)).sum(), clusters)
    assert np.abs(expected).max() > 5
    np.testing.assert_allclose(result, expected, rtol=0, atol=2e-8)
    assert not result[12].any()  # the single atom


@every_model
def test_vjp_is_the_jacobians_product(cls, parameters, many):
    model = cls(**parameters).fit(many)
    gX = cotangent(model, many)
    jacobian = model.jacobian(many)
    expected = np.einsum("axf,af->ax", jacobian.values, gX[jacobian.center])
    result = model.vjp(many, gX)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-13 * np.abs(expected).max())
    single = cls(**parameters, dtype="float32").fit(many).jacobian(many)
    assert single.values.dtype == np.float32
    np.testing.assert_array_equal(single.values, jacobian.values.astype(np.float32))


@every_model
def test_padded_features_do_not_move(cls, parameters, clusters):
    model = cls(**parameters).fit(clusters)
    values = model.jacobian(clusters[0]).values
    row = model.transform(clusters[0])[0]
    assert (row == 0).any()
    assert not values[:, :, row == 0].any()


@every_model
def test_translation_changes_nothing(cls, parameters, many):
    model = cls(**parameters).fit(many)
    result = model.vjp(many, cotangent(model, many))
    sums = np.add.reduceat(result, many.offsets[:-1][many.sizes > 0])
    np.testing.assert_allclose(sums, 0, rtol=0, atol=1e-13 * np.abs(result).max())


@every_model
def test_batch_equals_one_by_one(cls, parameters, many):
    model = cls(**parameters).fit(many)
    gX = cotangent(model, many)
    gradient, values = model.vjp(many, gX), model.jacobian(many).values
    for k in range(0, len(many), 7):
        atoms = slice(*many.offsets[k : k + 2])
        np.testing.assert_array_equal(model.vjp(many[k], gX[k : k + 1]), gradient[atoms])
        np.testing.assert_array_equal(model.jacobian(many[k]).values, values[atoms])


@every_model
def test_threads_are_bitwise_equal(cls, parameters, many):
    def derivatives(n_threads):
        model = cls(**parameters, n_threads=n_threads).fit(many)
        return model.vjp(many, cotangent(model, many)), model.jacobian(many).values

    expected = derivatives(1)
    for n_threads in (2, 7):
        for a, b in zip(derivatives(n_threads), expected, strict=True):
            np.testing.assert_array_equal(a, b)


@every_model
def test_no_structures(cls, parameters, clusters):
    model = cls(**parameters).fit(clusters)
    assert model.vjp([], np.empty((0, model.n_features_out_))).shape == (0, 3)
    jacobian = model.jacobian([])
    assert jacobian.values.shape == (0, 3, model.n_features_out_)
    assert jacobian.to_dense().shape == (0, 0, 3, model.n_features_out_)
    assert BagOfBonds(bags={}).fit([]).vjp([([], [])], [[]]).shape == (0, 3)


def benzene():
    from ase.build import molecule

    atoms = molecule("C6H6")
    return atoms.numbers, atoms.positions


@pytest.mark.parametrize("pair", [*MOLECULES, benzene()], ids=lambda pair: str(len(pair[0])))
@pytest.mark.parametrize("permutation", ["row_norm", "random"])
def test_order_is_that_of_the_matrix(permutation, pair):
    """The same as of atoms that were sorted by the definition, ties included."""
    numbers, positions = pair
    matrix = definitions.coulomb_matrix(numbers, positions)
    order = definitions.row_norm_order(matrix)
    model = CoulombMatrix(size=14, permutation=permutation, random_state=3, noise=2.0)
    if permutation == "random":
        norms = np.linalg.norm(matrix[order][:, order], axis=1)
        noise = 2.0 * np.random.default_rng([3, 0]).standard_normal(14)[: len(norms)]
        order = order[np.argsort(-(norms + noise), kind="stable")]
    gX = cotangent(model.fit([pair]), [pair])
    unsorted = CoulombMatrix(size=14, permutation="none").fit([pair])
    expected = unsorted.vjp([(numbers[order], positions[order])], gX)
    result = model.vjp([pair], gX)[order]
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-13 * np.abs(expected).max())


def test_copies_add_up(clusters):
    parameters = {"permutation": "random", "random_state": 7, "noise": 5.0}
    model = CoulombMatrix(**parameters, n_copies=4).fit(clusters)
    gX = cotangent(model, clusters).reshape(len(clusters), 4, -1)
    alone = CoulombMatrix(**parameters).fit(clusters)
    result = model.vjp(clusters, gX.reshape(len(clusters), -1))
    first = np.zeros_like(gX)
    first[:, 0] = gX[:, 0]
    np.testing.assert_array_equal(
        model.vjp(clusters, first.reshape(len(clusters), -1)), alone.vjp(clusters, gX[:, 0])
    )
    parts = [model.vjp(clusters, (gX * np.eye(4)[c][:, None]).reshape(5, -1)) for c in range(4)]
    np.testing.assert_allclose(result, sum(parts), rtol=0, atol=1e-12)
    assert min(np.abs(parts[0] - part).max() for part in parts[1:]) > 1e-3


def test_bags_of_equal_entries():
    """Where two entries are equal the order of their atoms decides: atoms 0, 1 come first."""
    triangle = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    model = BagOfBonds(length_unit="angstrom").fit([([1, 1, 1], triangle)])
    assert model.get_feature_names_out()[3] == "H-H[0]"
    for feature, atom in ((3, 1), (4, 2)):
        gX = np.zeros((1, 6))
        gX[0, feature] = 1.0
        expected = np.zeros((3, 3))
        expected[0, atom - 1], expected[atom, atom - 1] = 1.0, -1.0
        np.testing.assert_array_equal(model.vjp([([1, 1, 1], triangle)], gX), expected)


@pytest.mark.parametrize("n", [24, 60])
def test_large_bags(n):
    rng = np.random.default_rng(n)
    pair = (np.full(n, 6), rng.uniform(0, 12, (n, 3)))
    model = BagOfBonds(length_unit="angstrom").fit([pair])
    gX = cotangent(model, [pair])
    i, j = np.tril_indices(n, -1)
    vectors = pair[1][i] - pair[1][j]
    distances = np.linalg.norm(vectors, axis=1)
    slopes = -36 * vectors / distances[:, None] ** 3
    slopes *= gX[0, n:][np.argsort(np.argsort(distances))][:, None]
    expected = np.zeros((n, 3))
    np.add.at(expected, i, slopes)
    np.add.at(expected, j, -slopes)
    np.testing.assert_allclose(model.vjp([pair], gX), expected, rtol=0, atol=1e-11)


def test_eigenvalues_of_either_sign():
    """Close hydrogen atoms have negative eigenvalues larger than positive ones."""
    positions = np.array([[0.0, 0, 0], [0.25, 0, 0], [0, 0.31, 0], [0.1, 0.2, 0.29]])
    structures = Structures.from_arrays([([1, 1, 1, 1], positions)])
    model = CoulombMatrix(size=6, permutation="eigenspectrum").fit(structures)
    row = model.transform(structures)[0, :4]
    assert (np.diff(row) > 0).any()
    assert np.diff(np.abs(row)).max() < -0.05
    expected = central(model.transform, structures)[:, :, 0]
    values = model.jacobian(structures).values
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-9)


def methane():
    corners = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    return Structures.from_arrays([([6, 1, 1, 1, 1], 0.63 * np.array([[0, 0, 0], *corners]))])


def test_sums_over_degenerate_eigenvalues():
    structures = methane()
    model = CoulombMatrix(permutation="eigenspectrum").fit(structures)
    row = model.transform(structures)
    gX = np.isclose(row, np.median(row), atol=1e-9) * 1.0
    assert gX.sum() == 3
    result = model.vjp(structures, gX)
    expected = central(lambda moved: (gX * model.transform(moved)).sum(), structures)
    assert np.abs(expected).max() > 0.01
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-9)


def test_squares_of_eigenvalues_are_those_of_the_matrix(many):
    """A smooth function of all eigenvalues, degenerate or not; their sum does not depend on R."""
    batch = Structures.concatenate([many, methane()])
    model = CoulombMatrix(permutation="eigenspectrum").fit(batch)
    matrix = CoulombMatrix(permutation="none").fit(batch)
    # Elements off the diagonal are there twice; those on it have no derivative.
    expected = matrix.vjp(batch, 4 * matrix.transform(batch))
    result = model.vjp(batch, 2 * model.transform(batch))
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-11 * np.abs(expected).max())
    trace = model.vjp(batch, np.ones((len(batch), model.size_)))
    np.testing.assert_allclose(trace, 0, rtol=0, atol=1e-12 * np.abs(expected).max())


def test_eigenspectra_in_pieces(many, monkeypatch):
    model = CoulombMatrix(permutation="eigenspectrum").fit(many)
    gX = cotangent(model, many)
    expected = model.vjp(many, gX)
    monkeypatch.setattr(eigenspectrum, "_ELEMENTS_AT_A_TIME", 300)
    np.testing.assert_array_equal(model.vjp(many, gX), expected)


@every_model
def test_cotangent_of_another_shape_raises(cls, parameters, clusters):
    model = cls(**parameters).fit(clusters)
    n = model.n_features_out_
    for shape in ((5, n + 1), (4, n), (n,), (5, n, 1)):
        message = rf"gX: expected shape \(5, {n}\), found \({', '.join(map(str, shape))},?\)"
        with pytest.raises(ValueError, match=message):
            model.vjp(clusters, np.zeros(shape))
    with pytest.raises(TypeError, match="gX: expected real numbers, found complex128"):
        model.vjp(clusters, np.zeros((5, n), complex))


@every_model
def test_not_fitted_raises(cls, parameters, clusters):
    with pytest.raises(ValueError, match=f"{cls.__name__} is not fitted: call fit first"):
        cls(**parameters).vjp(clusters, np.zeros((5, 1)))
    with pytest.raises(ValueError, match=f"{cls.__name__} is not fitted: call fit first"):
        cls(**parameters).jacobian(clusters)


@pytest.mark.parametrize("shift", [0.0, 1e-160, 5e-4])
@every_model
def test_coincident_atoms_raise(cls, parameters, shift, molecules):
    numbers, positions = molecules[2]
    positions[4] = positions[1] + shift
    molecules[2] = numbers, positions
    model = cls(**parameters).fit(molecules)
    gX = cotangent(model, molecules)
    with pytest.raises(ValueError, match="atoms 1 and 4 of molecule 2 coincide"):
        model.vjp(molecules, gX)
    with pytest.raises(ValueError, match="atoms 1 and 4 of molecule 2 coincide"):
        model.jacobian(molecules)


@every_model
def test_positions_that_became_nan_raise(cls, parameters, structures):
    model = cls(**parameters).fit(structures)
    gX = cotangent(model, structures)
    structures.positions[structures.offsets[3] + 2, 1] = np.nan
    with pytest.raises(ValueError, match="molecule 3 has values that are not finite"):
        model.vjp(structures, gX)


@pytest.mark.parametrize("permutation", PERMUTATIONS)
def test_larger_molecule_raises(permutation, molecules):
    model = CoulombMatrix(permutation=permutation, random_state=0).fit(molecules[:2])
    gX = cotangent(model, molecules[1:3])
    with pytest.raises(ValueError, match="molecule 1 has 9 atoms, size is 5"):
        model.vjp(molecules[1:3], gX)
    with pytest.raises(ValueError, match="molecule 1 has 9 atoms, size is 5"):
        model.jacobian(molecules[1:3])


def test_molecule_that_does_not_fit_the_bags_raises(molecules):
    model = BagOfBonds().fit(molecules[:2])
    with pytest.raises(ValueError, match=r"no bag for N \(first in molecule 1\).* H, C, O"):
        model.vjp([molecules[0], molecules[5]], cotangent(model, molecules[:2]))
    with pytest.raises(ValueError, match="molecule 1 needs 6 values in the bag of element 1"):
        model.jacobian([molecules[0], molecules[2]])


def test_result_too_large_raises():
    model = CoulombMatrix(size=2_000_000, permutation="none").fit([])
    shape = r"\(1, 3, 2000001000000\)"
    with pytest.raises(MemoryError, match=rf"CoulombMatrix.jacobian: the result of shape {shape}"):
        model.jacobian([([6], [[0.0, 0, 0]])])
