"""The ragged batch of atomic structures that every representation takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern._arrays import booleans, chosen_items, floats, integers, joined_ranges, unmasked
from molkern._structure_checks import (
    atomic_numbers,
    check_atoms,
    check_cells,
    check_masks,
    first_bad_pair,
    joined,
    numbers_of_pairs,
    place_of_atom,
    shaped,
)
from molkern.elements import SYMBOLS, numbers_of, symbol_of

__all__ = ["SYMBOLS", "Structures", "as_structures", "numbers_of", "symbol_of"]


class Structures:
    """A batch of molecules or crystals, packed: atoms of all structures one after the other.

    Structure ``k`` owns the atoms ``offsets[k]`` to ``offsets[k + 1] - 1``. The batch crosses into
    the compiled module as it is, so it is made once and used by every representation.

    Parameters
    ----------
    numbers : array_like of int or str, shape (n_atoms,)
        Atomic numbers: positive integers, above 118 the user's own labels; or chemical symbols, as
        ``numbers_of`` takes them.
    positions : array_like of float, shape (n_atoms, 3)
        Cartesian positions in Å. Finite, and below 1e100.
    offsets : array_like of int, shape (n_structures + 1,)
        First atom of each structure, then ``n_atoms``. Starts at 0, never decreases: an empty
        structure is allowed here, and each representation says what it does with one.
    cells : array_like of float, shape (n_structures, 3, 3), optional
        Cell vectors as rows, in Å. None: no structure has a cell.
    pbc : array_like of bool, shape (n_structures, 3), optional
        Periodicity along each cell vector. None: no structure is periodic.

    Attributes
    ----------
    numbers : ndarray of int32, shape (n_atoms,)
    positions : ndarray of float64, shape (n_atoms, 3)
    offsets : ndarray of int64, shape (n_structures + 1,)
    cells : ndarray of float64, shape (n_structures, 3, 3), or None
    pbc : ndarray of bool, shape (n_structures, 3), or None

    Raises
    ------
    ValueError
        For a wrong shape, a position that is not finite, a number below 1, an unknown symbol, a
        masked value, or offsets that do not run from 0 to ``n_atoms``; the message names the
        structure.
    TypeError
        For numbers that are neither integers nor symbols, or offsets that are not integers.

    Notes
    -----
    Arrays of the right type and layout are taken over without a copy, and are read-only from here
    only by agreement: nothing in molkern writes to them.

    Examples
    --------
    >>> import molkern as mk
    >>> water = ([8, 1, 1], [[0.0, 0.0, 0.12], [0.0, 0.76, -0.48], [0.0, -0.76, -0.48]])
    >>> batch = mk.Structures.from_arrays([water, ([1], [[0.0, 0.0, 0.0]])])
    >>> batch
    Structures(n_structures=2, n_atoms=4, species=['H', 'O'])
    >>> batch[1].positions
    array([[0., 0., 0.]])
    """

    __slots__ = ("cells", "numbers", "offsets", "pbc", "positions")

    def __init__(
        self,
        numbers: npt.ArrayLike,
        positions: npt.ArrayLike,
        offsets: npt.ArrayLike,
        cells: npt.ArrayLike | None = None,
        pbc: npt.ArrayLike | None = None,
    ) -> None:
        self.offsets: npt.NDArray[np.int64] = integers("offsets", offsets, np.int64)
        self.numbers: npt.NDArray[np.int32] = atomic_numbers(numbers, self.offsets)
        positions = unmasked("positions", positions, partial(place_of_atom, offsets=self.offsets))
        self.positions: npt.NDArray[np.float64] = floats("positions", positions)
        check_atoms(self.numbers, self.positions, self.offsets)
        cells = unmasked("cells", cells, "structure {}".format)
        pbc = unmasked("pbc", pbc, "structure {}".format)
        self.cells = None if cells is None else floats("cells", cells)
        self.pbc = None if pbc is None else booleans("pbc", pbc)
        check_cells(len(self), self.cells, self.pbc)

    @classmethod
    def _trusted(cls, *arrays: Any) -> Structures:
        """Structures from arrays that already passed the checks."""
        self = cls.__new__(cls)
        self.numbers, self.positions, self.offsets, self.cells, self.pbc = arrays
        return self

    @classmethod
    def from_arrays(cls, molecules: Iterable[tuple[npt.ArrayLike, npt.ArrayLike]]) -> Structures:
        """Pack ``(numbers, positions)`` pairs.

        Parameters
        ----------
        molecules : iterable of (numbers, positions)
            Atomic numbers or chemical symbols, shape (n,), and positions in Å, shape (n, 3).

        Returns
        -------
        Structures

        Raises
        ------
        ValueError
            For shapes that do not match or values that are not allowed; names the structure.
        TypeError
            For an item that is not a pair, or numbers that are neither integers nor symbols.

        Examples
        --------
        >>> water = (["O", "H", "H"], [[0, 0, 0], [0, 0.76, 0.59], [0, -0.76, 0.59]])
        >>> Structures.from_arrays([water])
        Structures(n_structures=1, n_atoms=3, species=['H', 'O'])
        """
        pairs = list(molecules)
        if not pairs:
            return cls(np.empty(0, np.int32), np.empty((0, 3)), [0])
        try:
            given, places = zip(*pairs, strict=True)
        except (TypeError, ValueError) as error:
            raise first_bad_pair(pairs) from error
        check_masks(given, places)
        try:
            numbers = [np.asarray(z) for z in given]
            positions = [np.asarray(r, dtype=np.float64) for r in places]
        except (TypeError, ValueError) as error:
            raise first_bad_pair(pairs) from error
        sizes = [len(z) if z.ndim == 1 else -1 for z in numbers]
        if [r.shape for r in positions] != [(n, 3) for n in sizes]:
            positions = shaped(numbers, positions)
        offsets = np.concatenate(([0], np.cumsum(sizes)))
        return cls(numbers_of_pairs(numbers, given), np.concatenate(positions), offsets)

    @classmethod
    def from_ase(cls, frames: Any) -> Structures:
        """Pack ``ase.Atoms`` objects, or anything with ``numbers`` and ``positions``.

        Cells and periodicity are kept if any frame has one. ASE itself is not imported.

        Parameters
        ----------
        frames : Atoms or iterable of Atoms
            Positions and cells in Å, as everywhere in ASE.

        Returns
        -------
        Structures
        """
        frames = [frames] if hasattr(frames, "positions") else list(frames)
        for k, frame in enumerate(frames):
            atoms = hasattr(frame, "numbers") and hasattr(frame, "positions")
            if not atoms or isinstance(frame, Structures):  # a batch is not one molecule
                raise TypeError(f"structure {k}: expected ase.Atoms, found {type(frame).__name__}")
        packed = cls.from_arrays((frame.numbers, frame.positions) for frame in frames)
        cells = joined("cells", [getattr(f, "cell", np.zeros((3, 3))) for f in frames])
        pbc = joined("pbc", [getattr(f, "pbc", np.zeros(3, bool)) for f in frames])
        if cells.any() or pbc.any():
            packed.cells = floats("cells", cells)
            packed.pbc = booleans("pbc", pbc)
            check_cells(len(packed), packed.cells, packed.pbc)
        return packed

    @classmethod
    def read(cls, path: str | Path, index: str | int = ":") -> Structures:
        """Read the structures of a file of any kind that `molkern.datasets.load` reads.

        Parameters
        ----------
        path : str or Path
        index : str or int, default=":"
            Which structures, in ASE's notation: a number, or a slice such as ``"::10"``.

        Returns
        -------
        Structures

        Raises
        ------
        ImportError
            If the kind of file needs a package that is not installed.
        FileNotFoundError
            If there is no such file.
        ValueError
            If it cannot be read, or the index is none.
        """
        # The readers stand above this module; they are needed for this call alone.
        from molkern.datasets import load

        chosen = _index_of(index)
        if not Path(path).exists():
            raise FileNotFoundError(f"no such file: {path}")
        return load(Path(path), structures_only=True).structures[chosen]

    @classmethod
    def concatenate(cls, batches: Sequence[Structures]) -> Structures:
        """Join batches; cells and periodicity are zero where a batch has none."""
        batches = list(batches)
        if not batches:
            return cls.from_arrays([])
        shift = np.cumsum([0] + [b.n_atoms for b in batches])
        offsets = [b.offsets[:-1] + s for b, s in zip(batches, shift[:-1], strict=True)]
        cells = pbc = None
        if any(b.cells is not None for b in batches):
            cells = np.concatenate(
                [np.zeros((len(b), 3, 3)) if b.cells is None else b.cells for b in batches]
            )
        if any(b.pbc is not None for b in batches):
            pbc = np.concatenate(
                [np.zeros((len(b), 3), bool) if b.pbc is None else b.pbc for b in batches]
            )
        return cls._trusted(
            np.concatenate([b.numbers for b in batches]),
            np.concatenate([b.positions for b in batches]),
            np.concatenate([*offsets, shift[-1:]]),
            cells,
            pbc,
        )

    @property
    def n_atoms(self) -> int:
        """Atoms in all structures together."""
        return int(self.numbers.shape[0])

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """Atoms of each structure, shape (n_structures,)."""
        return np.diff(self.offsets)

    @property
    def species(self) -> npt.NDArray[np.int32]:
        """The atomic numbers that occur, sorted."""
        return np.unique(self.numbers)

    def composition(self, species: Iterable[str | int] | None = None) -> npt.NDArray[np.int64]:
        """Number of atoms of each element in each structure.

        Parameters
        ----------
        species : iterable of str or int, optional
            The columns. None: ``self.species``.

        Returns
        -------
        ndarray of int64, shape (n_structures, n_species)
            Atoms of elements that are not in ``species`` are not counted.
        """
        columns = self.species.tolist() if species is None else numbers_of(species)
        counts = np.zeros((len(self), len(columns)), np.int64)
        for column, number in enumerate(columns):
            running = np.concatenate(([0], np.cumsum(self.numbers == number)))
            counts[:, column] = np.diff(running[self.offsets])
        return counts

    def to_ase(self) -> list[Any]:
        """The structures as ``ase.Atoms``. Needs ASE."""
        try:
            from ase import Atoms
        except ImportError as error:
            raise ImportError('to_ase needs ASE: pip install "molkern[study]"') from error
        frames = []
        for k, (numbers, positions) in enumerate(self):
            cell = None if self.cells is None else self.cells[k]
            pbc = None if self.pbc is None else self.pbc[k]
            frames.append(Atoms(numbers=numbers, positions=positions, cell=cell, pbc=pbc))
        return frames

    def __len__(self) -> int:
        return int(self.offsets.shape[0]) - 1

    def __iter__(self) -> Iterator[tuple[npt.NDArray[np.int32], npt.NDArray[np.float64]]]:
        for start, stop in pairwise(self.offsets.tolist()):
            yield self.numbers[start:stop], self.positions[start:stop]

    def __getitem__(self, index: Any) -> Structures:
        chosen = chosen_items(index, len(self))
        if isinstance(chosen, slice):
            start, stop = chosen.start, chosen.stop
            first, last = int(self.offsets[start]), int(self.offsets[stop])
            atoms: Any = slice(first, last)
            offsets = self.offsets[start : stop + 1] - first
        else:
            sizes = self.sizes[chosen]
            offsets = np.concatenate(([0], np.cumsum(sizes)))
            atoms = joined_ranges(self.offsets[:-1][chosen], sizes)
        return Structures._trusted(
            self.numbers[atoms],
            self.positions[atoms],
            offsets,
            None if self.cells is None else self.cells[chosen],
            None if self.pbc is None else self.pbc[chosen],
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Structures):
            return NotImplemented
        return all(
            _equal(getattr(self, name), getattr(other, name)) for name in Structures.__slots__
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        species = [symbol_of(int(z)) for z in self.species]
        periodic = ""
        if self.pbc is not None and self.pbc.any():
            periodic = f", periodic={int(self.pbc.any(axis=1).sum())}"
        return (
            f"Structures(n_structures={len(self)}, n_atoms={self.n_atoms}, "
            f"species={species}{periodic})"
        )


def _index_of(index: str | int) -> int | slice:
    """A number or a slice from ASE's notation."""
    parts = str(index).split(":")
    try:
        numbers = [int(part) if part.strip() else None for part in parts]
        if len(numbers) == 1 and numbers[0] is not None:
            return numbers[0]
        if 2 <= len(numbers) <= 3:
            return slice(*numbers)
    except ValueError:
        pass
    raise ValueError(f'index: expected a number or a slice such as "::10", found {index!r}')


def as_structures(structures: Any) -> Structures:
    """``Structures`` as they are; a list of ``ase.Atoms`` or ``(numbers, positions)`` packed.

    Raises
    ------
    TypeError
        For anything else.
    """
    if isinstance(structures, Structures):
        return structures
    if hasattr(structures, "positions"):
        raise TypeError(
            "structures: expected Structures, a list of ase.Atoms or a list of "
            f"(numbers, positions), found a single {type(structures).__name__}; put it in a list"
        )
    if isinstance(structures, (str, bytes, dict)) or not isinstance(structures, Iterable):
        raise TypeError(
            "structures: expected Structures, a list of ase.Atoms or a list of "
            f"(numbers, positions), found {type(structures).__name__}"
        )
    items = list(structures)
    if any(isinstance(item, Structures) for item in items):
        # A list of single ones is what scikit-learn makes of a batch when it divides it.
        for k, item in enumerate(items):
            if not isinstance(item, Structures) or len(item) != 1:
                raise TypeError(
                    f"structure {k}: expected one structure each, found {type(item).__name__}"
                    f"{f' of {len(item)}' if isinstance(item, Structures) else ''}; "
                    "Structures.concatenate makes one batch of several"
                )
        return Structures.concatenate(items)
    if items and hasattr(items[0], "positions"):
        return Structures.from_ase(items)
    return Structures.from_arrays(items)


def _equal(a: Any, b: Any) -> bool:
    if a is None or b is None:
        return a is None and b is None
    return bool(np.array_equal(a, b))
