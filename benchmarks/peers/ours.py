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
    """Blocks of all molecules at once, dense and compact; compared as a gradient."""
    fitted = make(threads).fit(pairs)
    gX = cotangent(sum(len(numbers) for numbers, _ in pairs), fitted.n_features_out_)
    pack = mk.Structures.from_arrays
    out = fitted.jacobian(pack(pairs)).values  # memory that was written before

    def into(n_threads: int) -> Any:
        representation = make(n_threads).fit(pairs)
        return lambda structures: representation.jacobian(structures, out=out)

    def compact(structures: mk.Structures) -> Any:
        return fitted.jacobian(structures, compact=True)

    def dense_gradient(found: Any) -> NDArray[np.float64]:
        blocks = ((slice(None), values) for values in found.values)
        return gradient_of(found, blocks, gX)

    def compact_gradient(found: Any) -> NDArray[np.float64]:
        return gradient_of(found, map(found.block, range(len(found.center))), gX)

    note = "without the features of absent species"
    variants = thread_variants("molkern out", threads)
    return [
        Contestant("molkern fresh", pack, fitted.jacobian, dense_gradient),
        *[Contestant(name, pack, into(n), dense_gradient) for name, n in variants],
        Contestant("molkern compact", pack, compact, compact_gradient, note),
    ]


def gradient_of(found: Any, blocks: Any, gX: NDArray[np.float64]) -> NDArray[np.float64]:
    """What ``vjp`` returns, from (columns, (3, n_columns)) of every block."""
    gradient = np.zeros((found.n_atoms, 3))
    for center, atom, (columns, values) in zip(found.center, found.atom, blocks, strict=True):
        gradient[atom] += values @ gX[center, columns]
    return gradient


def local_kernel_contestants(sigma: float, n_structures: int, threads: int) -> list[Contestant]:
    """The local Gaussian kernel of (features, molecules)."""

    def convert(source: Any) -> Any:
        X, pairs = source
        return X, mk.Structures.from_arrays(pairs)

    def fresh(native: Any) -> Any:
        return mk.kernels.local.gaussian(*native, sigma=sigma, n_threads=threads)

    out = np.zeros((n_structures, n_structures))

    def into(n_threads: int) -> Any:
        return lambda native: mk.kernels.local.gaussian(
            *native, sigma=sigma, out=out, n_threads=n_threads
        )

    variants = thread_variants("molkern out", threads)
    return [
        Contestant("molkern fresh", convert, fresh),
        *[Contestant(name, convert, into(n)) for name, n in variants],
    ]


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
