"""Plain NumPy transcriptions of the definitions, and molecules to try them on."""

import numpy as np
from ase.build import molecule

BOHR = 0.529177210544  # Å, CODATA 2022

_NAMES = ["H2O", "CH4", "CH3CH2OH", "C6H6", "CH3SH", "HCN", "CH3CONH2", "C5H5N", "H", "N2O"]


def _distorted(name, seed):
    atoms = molecule(name)
    noise = np.random.default_rng(seed).normal(scale=0.05, size=(len(atoms), 3))
    return atoms.numbers.astype(np.int32), atoms.positions + noise


# Distorted, so that no two atoms are equivalent and no norms are equal.
MOLECULES = [_distorted(name, seed) for seed, name in enumerate(_NAMES)]


def coulomb_matrix(numbers, positions, unit_length=BOHR):
    charges = np.asarray(numbers, float)
    positions = np.asarray(positions, float)
    distances = np.linalg.norm(positions[:, None] - positions, axis=-1)
    np.fill_diagonal(distances, 1.0)
    matrix = unit_length * np.outer(charges, charges) / distances
    np.fill_diagonal(matrix, 0.5 * charges**2.4)
    return matrix


def ten_digits(norms):
    unit = 10.0 ** (np.floor(np.log10(norms)) - 9)
    return np.floor(norms / unit + 0.5) * unit


def row_norm_order(matrix):
    return np.argsort(-ten_digits(np.linalg.norm(matrix, axis=1)), kind="stable")


def padded_triangle(matrix, size):
    full = np.zeros((size, size))
    full[: len(matrix), : len(matrix)] = matrix
    return full[np.tril_indices(size)]


def sorted_coulomb_matrix(numbers, positions, size, unit_length=BOHR):
    matrix = coulomb_matrix(numbers, positions, unit_length)
    order = row_norm_order(matrix)
    return padded_triangle(matrix[order][:, order], size)


def random_coulomb_matrix(numbers, positions, size, noise, unit_length=BOHR):
    """One copy; noise[k] belongs to the atom of rank k after sorting by norm."""
    matrix = coulomb_matrix(numbers, positions, unit_length)
    order = row_norm_order(matrix)
    matrix = matrix[order][:, order]
    norms = np.linalg.norm(matrix, axis=1) + noise[: len(matrix)]
    order = np.argsort(-norms, kind="stable")
    return padded_triangle(matrix[order][:, order], size)


def eigenspectrum(numbers, positions, size, unit_length=BOHR):
    values = np.linalg.eigvalsh(coulomb_matrix(numbers, positions, unit_length))
    values = values[np.argsort(-np.abs(values), kind="stable")]
    return np.concatenate((values, np.zeros(size - len(values))))


def bag_of_bonds(numbers, positions, bags, unit_length=BOHR):
    """`bags` maps pairs or single atomic numbers, as tuples, to sizes, in order."""
    matrix = coulomb_matrix(numbers, positions, unit_length)
    found = {bag: [] for bag in bags}
    for i, a in enumerate(numbers):
        found[(int(a),)].append(matrix[i, i])
        for j in range(i):
            found[tuple(sorted((int(a), int(numbers[j]))))].append(matrix[i, j])
    row = []
    for bag, size in bags.items():
        row += sorted(found[bag], reverse=True) + [0.0] * (size - len(found[bag]))
    return np.array(row)


def manhattan(x, y):
    return np.abs(x[:, None] - y[None]).sum(axis=-1)


def squared_euclidean(x, y):
    return ((x[:, None] - y[None]) ** 2).sum(axis=-1)


def rotation(seed):
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return q


def random_molecules(n_structures, seed=0):
    """Atoms on distinct sites of a grid, jittered: no two closer than 1 angstrom."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[np.arange(3)] * 3), axis=-1).reshape(-1, 3) * 1.5
    molecules = []
    for n_atoms in rng.integers(1, 24, size=n_structures):
        sites = rng.permutation(27)[:n_atoms]
        positions = grid[sites] + rng.uniform(-0.25, 0.25, size=(n_atoms, 3))
        molecules.append((rng.choice([1, 6, 7, 8], size=n_atoms), positions))
    return molecules
