"""Other libraries' representations. A library that is not installed raises ImportError here and
is then left out of the race.

Every function takes ``(pairs, threads)``: all molecules of the task (to learn sizes from, outside
the clock) and the number of threads of this process.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from peers.molecules import Pair, evenly_spaced
from peers.race import Contestant

SLOW_ROWS = 500  # molecules given to a library written in pure Python
SYMBOLS = {1: "H", 6: "C", 7: "N", 8: "O", 16: "S"}


def largest(pairs: list[Pair]) -> int:
    return max(len(numbers) for numbers, _ in pairs)


def by_magnitude(spectrum: NDArray[np.float64]) -> NDArray[np.float64]:
    order = np.argsort(-np.abs(spectrum), axis=1, kind="stable")
    return np.take_along_axis(spectrum, order, axis=1)


def by_value(features: Any) -> NDArray[np.float64]:
    """Entries of each row in descending order: comparable whatever the order of the bags."""
    return -np.sort(-np.asarray(features, dtype=np.float64), axis=1)


def to_int32_pairs(pairs: list[Pair]) -> list[tuple[NDArray[np.int32], NDArray[np.float64]]]:
    return [(numbers.astype(np.int32), positions) for numbers, positions in pairs]


def to_frames(pairs: list[Pair]) -> list[Any]:
    from ase import Atoms

    return [Atoms(numbers=numbers, positions=positions) for numbers, positions in pairs]


def to_lists(pairs: list[Pair]) -> list[tuple[list[int], list[list[float]]]]:
    return [(numbers.tolist(), positions.tolist()) for numbers, positions in pairs]


def qmllib_coulomb(permutation: str, pairs: list[Pair], threads: int) -> Contestant:
    """qmllib: one call per molecule, filling rows of one array."""
    from qmllib.representations import (
        generate_coulomb_matrix,
        generate_coulomb_matrix_eigenvalue,
    )

    size = largest(pairs)
    n_features = size if permutation == "eigenspectrum" else size * (size + 1) // 2
    sorting = {"row_norm": "row-norm", "none": "unsorted"}.get(permutation)

    def run(native: Any) -> NDArray[np.float64]:
        X = np.empty((len(native), n_features))
        for row, (numbers, positions) in zip(X, native, strict=True):
            if sorting is None:
                row[:] = generate_coulomb_matrix_eigenvalue(numbers, positions, size=size)
            else:
                row[:] = generate_coulomb_matrix(numbers, positions, size=size, sorting=sorting)
        return X

    if permutation == "eigenspectrum":
        note = "sorted by value; compared after sorting by magnitude"
        return Contestant("qmllib", to_int32_pairs, run, by_magnitude, note)
    return Contestant("qmllib", to_int32_pairs, run, note="one molecule per call, no threads")


def dscribe_coulomb(permutation: str, pairs: list[Pair], threads: int) -> Contestant:
    """DScribe: a list of frames per call; threads are processes (joblib)."""
    from dscribe.descriptors import CoulombMatrix

    size = largest(pairs)
    name = {"row_norm": "sorted_l2"}.get(permutation, permutation)
    descriptor = CoulombMatrix(n_atoms_max=size, permutation=name)
    rows, columns = np.tril_indices(size)

    def run(frames: Any) -> Any:
        return descriptor.create(frames, n_jobs=threads)

    if permutation == "eigenspectrum":
        return Contestant("DScribe", to_frames, run)

    def values(X: Any) -> NDArray[np.float64]:
        return np.asarray(X).reshape(len(X), size, size)[:, rows, columns]

    note = "writes the full square matrix; its lower triangle is compared"
    return Contestant("DScribe", to_frames, run, values, note)


def restore_infinity() -> None:
    """Give back the name that NumPy 2 removed and molml 0.9 imports."""
    if not hasattr(np, "Infinity"):
        np.Infinity = np.inf  # type: ignore[attr-defined]  # noqa: NPY201


def molml_coulomb(permutation: str, pairs: list[Pair], threads: int) -> Contestant:
    """molml: pure Python, on a part of the molecules."""
    restore_infinity()
    from molml.molecule import CoulombMatrix

    descriptor = CoulombMatrix(
        input_type=["numbers", "coords"],
        n_jobs=1,
        sort=permutation == "row_norm",
        eigen=permutation == "eigenspectrum",
        only_lower_triangle=True,
    )
    descriptor.fit(to_lists(pairs))
    values: Any = np.asarray
    note = "pure Python, a part of the molecules"
    if permutation == "row_norm":
        values, note = None, f"{note}; sorts by row sums, not norms: values not compared"
    elif permutation == "eigenspectrum":
        values, note = by_magnitude, f"{note}; compared after sorting by magnitude"
    rows = evenly_spaced(pairs, SLOW_ROWS)
    return Contestant("molml", to_lists, descriptor.transform, values, note, rows)


def numpy_coulomb(permutation: str, pairs: list[Pair], threads: int) -> Contestant:
    """What a user writes with NumPy in one loop over molecules."""
    size = largest(pairs)
    n_features = size if permutation == "eigenspectrum" else size * (size + 1) // 2
    triangles = [np.tril_indices(n) for n in range(size + 1)]

    def run(native: list[Pair]) -> NDArray[np.float64]:
        X = np.zeros((len(native), n_features))
        for row, (numbers, positions) in zip(X, native, strict=True):
            difference = positions[:, None] - positions
            distance = np.sqrt(np.einsum("ijk,ijk->ij", difference, difference))
            np.fill_diagonal(distance, 1.0)
            matrix = numbers[:, None] * numbers / distance
            np.fill_diagonal(matrix, 0.5 * numbers**2.4)
            if permutation == "eigenspectrum":
                spectrum = np.linalg.eigvalsh(matrix)
                row[: len(spectrum)] = spectrum[np.argsort(-np.abs(spectrum))]
                continue
            if permutation == "row_norm":
                order = np.argsort(-np.linalg.norm(matrix, axis=1), kind="stable")
                matrix = matrix[np.ix_(order, order)]
            entries = matrix[triangles[len(numbers)]]
            row[: len(entries)] = entries
        return X

    return Contestant("NumPy by hand", list, run, note="a loop over molecules")


def qmllib_bags(pairs: list[Pair], threads: int) -> Contestant:
    """qmllib's bag of bonds; bags sized by the largest count of each element."""
    from qmllib.representations import generate_bob

    size = largest(pairs)
    elements = sorted({int(z) for numbers, _ in pairs for z in numbers})
    counts = {SYMBOLS[z]: max(int((n == z).sum()) for n, _ in pairs) for z in elements}

    def run(native: Any) -> NDArray[np.float64]:
        return np.array([generate_bob(z, r, None, size=size, asize=counts) for z, r in native])

    note = "order of the bags differs; compared after sorting each row"
    return Contestant("qmllib", to_int32_pairs, run, by_value, note)


def molml_bags(pairs: list[Pair], threads: int) -> Contestant:
    """molml's bag of bonds: pure Python, on a part of the molecules."""
    restore_infinity()
    from molml.molecule import BagOfBonds

    descriptor = BagOfBonds(input_type=["numbers", "coords"], n_jobs=1, add_atoms=True)
    descriptor.fit(to_lists(pairs))
    note = "pure Python, a part of the molecules; compared after sorting each row"
    return Contestant(
        "molml", to_lists, descriptor.transform, by_value, note, evenly_spaced(pairs, SLOW_ROWS)
    )
