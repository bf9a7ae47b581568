"""Systems of 10 to 100 000 atoms: real molecules, and periodic water and diamond by recipe."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from molkern import datasets
from molkern.datasets.registry import ENTRIES
from molkern.structures import Structures

__all__ = ["default_systems", "diamond", "sizes_up_to", "water"]

ATOMS = (10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000)

WATER = (
    "water: molecules (0.9572 Å, 104.52°) in random orientations on a cubic lattice of 3.104 Å, "
    "the density 1 g/cm³; periodic; not equilibrated"
)
DIAMOND = "diamond: cubic supercells, 3.567 Å, atoms displaced by 0.05 Å at random; periodic"
MOLECULES = "molecules: proteins, a nucleic acid, boxes of water and a membrane, not periodic"

_WATER_SPACING = 3.104  # Å: (18.015 g/mol / 6.02214e23 / 1 g/cm³)^(1/3)
_DIAMOND_LATTICE = 3.567  # Å at 298 K
_BASIS = np.array(
    [[0, 0, 0], [0, 2, 2], [2, 0, 2], [2, 2, 0], [1, 1, 1], [1, 3, 3], [3, 1, 3], [3, 3, 1]]
)


def sizes_up_to(max_atoms: int) -> tuple[int, ...]:
    """`ATOMS` as far as they go, and ``max_atoms`` itself.

    Examples
    --------
    >>> sizes_up_to(5000)
    (10, 30, 100, 300, 1000, 3000, 5000)
    """
    return (*(n for n in ATOMS if n < max_atoms), max_atoms)


def water(n_molecules: int, *, seed: int = 0) -> Structures:
    """A periodic cube of water by the recipe `WATER`.

    Parameters
    ----------
    n_molecules : int
        Rounded to a cube of an integer, at least 1.
    seed : int

    Returns
    -------
    Structures
        One structure, atoms O, H, H of each molecule.

    Examples
    --------
    >>> water(30)
    Structures(n_structures=1, n_atoms=81, species=['H', 'O'], periodic=1)
    """
    m = max(1, round(n_molecules ** (1 / 3)))
    half = np.radians(104.52) / 2
    x, y = 0.9572 * np.sin(half), 0.9572 * np.cos(half)
    molecule = np.array([[0.0, 0.0, 0.0], [x, y, 0.0], [-x, y, 0.0]])
    quaternions = np.random.default_rng(seed).normal(size=(m**3, 4))
    positions = np.einsum("mij,aj->mai", _rotations(quaternions), molecule)
    positions += _WATER_SPACING * _grid(m)[:, None]
    return _periodic(np.tile([8, 1, 1], m**3), positions.reshape(-1, 3), m * _WATER_SPACING)


def diamond(n_atoms: int, *, seed: int = 0) -> Structures:
    """A periodic cube of diamond by the recipe `DIAMOND`.

    Parameters
    ----------
    n_atoms : int
        Rounded to 8 times a cube of an integer, at least 8.
    seed : int

    Returns
    -------
    Structures
        One structure.

    Examples
    --------
    >>> diamond(1000)
    Structures(n_structures=1, n_atoms=1000, species=['C'], periodic=1)
    """
    m = max(1, round((n_atoms / 8) ** (1 / 3)))
    cells = _grid(m)[:, None] + _BASIS / 4
    positions = _DIAMOND_LATTICE * cells.reshape(-1, 3)
    positions += np.random.default_rng(seed).normal(0.0, 0.05, positions.shape)
    return _periodic(np.full(len(positions), 6), positions, m * _DIAMOND_LATTICE)


def _series(make: Callable[[int], Structures], each: int, sizes: Sequence[int]) -> Structures:
    """Cubes of ``make(number of units of each atoms)`` near these sizes, none above the largest."""
    edges = set()
    for n in sizes:
        edge = max(1, round((n / each) ** (1 / 3)))
        edges.add(edge if each * edge**3 <= max(sizes) else edge - 1)
    made = [make(edge**3) for edge in sorted(edges) if edge > 0]
    return Structures.concatenate(made) if made else Structures.from_arrays([])


def default_systems(max_atoms: int) -> tuple[dict[str, Structures], tuple[str, ...]]:
    """Water, diamond and, where they are found, the large molecules of the data sets.

    Parameters
    ----------
    max_atoms : int

    Returns
    -------
    systems : dict from name to Structures
        Ascending numbers of atoms.
    notes : tuple of str
        The recipes, and what was not found.
    """
    sizes = sizes_up_to(max_atoms)
    found = {
        "water": _series(water, 3, sizes),
        "diamond": _series(lambda n: diamond(8 * n), 8, sizes),
    }
    notes = [WATER, DIAMOND]
    try:
        molecules = datasets.load("large-structures").structures
    except (OSError, ValueError) as error:
        notes.append(_not_found(error))
    else:
        order = np.argsort(molecules.sizes, kind="stable")
        found["molecules"] = molecules[order[molecules.sizes[order] <= max_atoms]]
        notes.append(MOLECULES)
    return {name: systems for name, systems in found.items() if len(systems)}, tuple(notes)


def _not_found(error: Exception) -> str:
    """The first sentence of an error; a second one would advise a path, which is not taken here."""
    why = " ".join(str(error).partition(". ")[0].split())
    (file,) = ENTRIES["large-structures"].files
    return (
        f"molecules: not found ({why}); their file, {file.path}, belongs into the folder named by "
        "MOLKERN_DATA"
    )


def _grid(m: int) -> npt.NDArray[np.float64]:
    """The m³ points of a cubic lattice of spacing 1, shape (m³, 3)."""
    axes = np.meshgrid(*[np.arange(float(m))] * 3, indexing="ij")
    return np.stack(axes, axis=-1).reshape(-1, 3)


def _rotations(quaternions: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Rotation matrices, shape (n, 3, 3), of quaternions (n, 4) of any length."""
    w, x, y, z = (quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), -1, 0)


def _periodic(
    numbers: npt.ArrayLike, positions: npt.NDArray[np.float64], length: float
) -> Structures:
    cell, pbc = length * np.eye(3)[None], np.ones((1, 3), dtype=bool)
    return Structures(numbers, positions, [0, len(positions)], cell, pbc)
