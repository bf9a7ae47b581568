"""molkern's own contestants: ``fresh`` returns a new array, ``out`` writes into warm memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import molkern as mk
from peers.molecules import Pair
from peers.race import Contestant, unchanged
from peers.soap_adapters import cotangent


def coulomb_matrix(permutation: str, pairs: list[Pair], n_threads: int) -> mk.CoulombMatrix:
    """In angstrom, the unit the other libraries compute in, fitted outside the clock."""
    structures = mk.Structures.from_arrays(pairs)
    representation = mk.CoulombMatrix(
        permutation=permutation, length_unit="angstrom", n_threads=n_threads
    )
    return representation.fit(structures)


def bag_of_bonds(pairs: list[Pair], n_threads: int) -> mk.BagOfBonds:
    """In angstrom, bags learnt from all molecules outside the clock."""
    structures = mk.Structures.from_arrays(pairs)
    return mk.BagOfBonds(length_unit="angstrom", n_threads=n_threads).fit(structures)


def thread_variants(name: str, threads: int) -> list[tuple[str, int]]:
    """With all threads and, for the speed-up, with one thread in the same process."""
    variants = [(name, threads)]
    return variants if threads == 1 else [*variants, (f"{name}, 1 thread", 1)]


def representation_contestants(
    make: Any, pairs: list[Pair], threads: int, values: Any = unchanged
) -> list[Contestant]:
    """``make(pairs, n_threads)`` gives the fitted representation."""
    fitted = make(pairs, threads)
    pack = mk.Structures.from_arrays
    contestants = [Contestant("molkern fresh", pack, fitted.transform, values)]
    for name, n_threads in thread_variants("molkern out", threads):
        out = fitted.transform(pack(pairs))  # memory that was written before
        contestants.append(into_out(name, pack, make(pairs, n_threads), out, values))
    return contestants


def local_contestants(make: Any, pairs: list[Pair], threads: int) -> list[Contestant]:
    """``make(n_threads)`` gives a representation of atoms."""

    def fitted(pairs: list[Pair], n_threads: int) -> Any:
        return make(n_threads).fit(pairs)

    return representation_contestants(fitted, pairs, threads)


def gradient_contestants(make: Any, pairs: list[Pair], threads: int) -> list[Contestant]:
    """``vjp`` of all molecules at once, for a cotangent that exists before."""
    fitted = make(1).fit(pairs)
    n_atoms = sum(len(numbers) for numbers, _ in pairs)
    gX = cotangent(n_atoms, fitted.n_features_out_).astype(fitted.dtype)

    def vjp(n_threads: int) -> Any:
        representation = make(n_threads).fit(pairs)
        return lambda structures: representation.vjp(structures, gX)

    variants = thread_variants("molkern vjp", threads)
    return [Contestant(name, mk.Structures.from_arrays, vjp(n)) for name, n in variants]


def jacobian_contestants(make: Any, pairs: list[Pair], threads: int) -> list[Contestant]:
    """Blocks of all molecules at once; compared by what they give for a cotangent."""
    fitted = make(1).fit(pairs)
    n_atoms = sum(len(numbers) for numbers, _ in pairs)
    gX = cotangent(n_atoms, fitted.n_features_out_)

    def gradient(blocks: Any) -> NDArray[np.float64]:
        found = np.zeros((n_atoms, 3))
        for center, atom, values in zip(blocks.center, blocks.atom, blocks.values, strict=True):
            found[atom] += values @ gX[center]
        return found

    def jacobian(n_threads: int) -> Any:
        return make(n_threads).fit(pairs).jacobian

    variants = thread_variants("molkern jacobian", threads)
    pack = mk.Structures.from_arrays
    return [Contestant(name, pack, jacobian(n), gradient) for name, n in variants]


def into_out(
    name: str, convert: Any, representation: Any, out: NDArray[np.float64], values: Any
) -> Contestant:
    def run(structures: mk.Structures) -> Any:
        return representation.transform(structures, out=out)

    return Contestant(name, convert, run, values)


def gram_contestants(
    kernel: str, sigma: float, n_structures: int, threads: int
) -> list[Contestant]:
    function = getattr(mk.kernels, kernel)

    def fresh(X: NDArray[np.float64]) -> Any:
        return function(X, sigma=sigma, n_threads=threads)

    out = np.zeros((n_structures, n_structures))

    def into(n_threads: int) -> Any:
        return lambda X: function(X, sigma=sigma, out=out, n_threads=n_threads)

    variants = thread_variants("molkern out", threads)
    return [
        Contestant("molkern fresh", unchanged, fresh),
        *[Contestant(name, unchanged, into(n_threads)) for name, n_threads in variants],
    ]


def packing_contestants() -> list[Contestant]:
    """Packing itself as the timed step."""
    from peers.adapters import to_frames

    def from_arrays(pairs: list[Pair]) -> mk.Structures:
        return mk.Structures.from_arrays(pairs)

    def from_ase(frames: list[Any]) -> mk.Structures:
        return mk.Structures.from_ase(frames)

    return [
        Contestant("molkern from_arrays", unchanged, from_arrays, packed_values),
        Contestant("molkern from_ase", to_frames, from_ase, packed_values),
    ]


def packed_values(structures: mk.Structures) -> NDArray[np.float64]:
    return np.column_stack([structures.numbers, structures.positions])
