"""Other libraries' symmetry functions, ANI's vectors and kernels of atoms, with derivatives."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peers.adapters import largest, to_frames, to_int32_pairs
from peers.molecules import Pair, evenly_spaced
from peers.race import Contestant
from peers.soap_adapters import (
    SLOW_DERIVATIVES,
    SPECIES,
    cotangent,
    dscribe_derivatives,
    stacked,
)

# 8 G2 and 16 G4 within 6 angstrom: 285 features of 5 elements, as DScribe and we define them.
G2 = [[float(eta), 0.0] for eta in np.geomspace(0.02, 4.0, 8)]
G4 = [
    [eta, zeta, sign] for eta in (0.01, 0.05, 0.2, 0.8) for zeta in (1.0, 4.0) for sign in (-1, 1)
]
# qmllib has the same number of functions: 8 radial, and 4 shifts times 4 angles for a pair.
QMLLIB = {"elements": SPECIES, "nRs2": 8, "nRs3": 4, "nTs": 4, "rcut": 6.0, "acut": 6.0}
ANI_1X = {1: 0, 6: 1, 7: 2, 8: 3}  # the elements of ANI-1x and their numbers in torchani
ANI_BATCH = 256
Padded = list[tuple[Any, Any]]


def dscribe_functions() -> Any:
    from dscribe.descriptors import ACSF

    return ACSF(species=SPECIES, r_cut=6.0, g2_params=G2, g4_params=G4)


def dscribe_acsf(pairs: list[Pair], threads: int) -> Contestant:
    descriptor = dscribe_functions()

    def run(frames: Any) -> Any:
        return descriptor.create(frames, n_jobs=threads)

    return Contestant("DScribe", to_frames, run, stacked)


def dscribe_acsf_derivatives(pairs: list[Pair], threads: int) -> Contestant:
    """Central differences: DScribe has no others of these functions."""
    return dscribe_derivatives(dscribe_functions(), "numerical", 1e-6, pairs, threads)


def qmllib_acsf(pairs: list[Pair], threads: int) -> Contestant:
    """qmllib's symmetry functions, one molecule per call."""
    from qmllib.representations import generate_acsf

    def run(native: Any) -> Any:
        return [generate_acsf(numbers, positions, **QMLLIB) for numbers, positions in native]

    note = "as many functions, other angular ones: values not compared"
    return Contestant("qmllib", to_int32_pairs, run, None, note)


def qmllib_acsf_derivatives(pairs: list[Pair], threads: int) -> Contestant:
    """The same with dense derivatives."""
    from qmllib.representations import generate_acsf

    rows = evenly_spaced(pairs, 5 * SLOW_DERIVATIVES)

    def run(native: Any) -> Any:
        return [generate_acsf(z, r, gradients=True, **QMLLIB) for z, r in native]

    note = "as many functions, other angular ones: values not compared; dense derivatives"
    return Contestant("qmllib derivatives", to_int32_pairs, run, None, note, rows)


def torchani_computer(threads: int) -> tuple[Any, Any]:
    os.environ.setdefault("TORCHANI_NO_WARN_EXTENSIONS", "1")
    import torch
    from torchani.aev import AEVComputer

    torch.set_num_threads(threads)
    return torch, AEVComputer.like_1x()


def padded(pairs: list[Pair]) -> Padded:
    """torchani's input: batches padded to their largest molecule, float32."""
    import torch

    batches = []
    for start in range(0, len(pairs), ANI_BATCH):
        part = pairs[start : start + ANI_BATCH]
        elements = np.full((len(part), largest(part)), -1, dtype=np.int64)
        positions = np.zeros((*elements.shape, 3), dtype=np.float32)
        for i, (numbers, coordinates) in enumerate(part):
            elements[i, : len(numbers)] = [ANI_1X[int(number)] for number in numbers]
            positions[i, : len(numbers)] = coordinates
        batches.append((torch.from_numpy(elements), torch.from_numpy(positions)))
    return batches


def of_atoms(pairs: list[Pair], batches: list[Any]) -> NDArray[np.float64]:
    """The rows of a padded result that belong to atoms."""
    rows = [molecule for batch in batches for molecule in batch.detach().numpy()]
    return stacked([row[: len(pair[0])] for row, pair in zip(rows, pairs, strict=True)])


def torchani_aev(pairs: list[Pair], threads: int) -> Contestant:
    """torchani's PyTorch code; its extension needs CUDA."""
    torch, computer = torchani_computer(threads)

    def run(batches: Padded) -> Any:
        with torch.no_grad():
            return [computer(elements, positions) for elements, positions in batches]

    def values(result: Any) -> NDArray[np.float64]:
        return of_atoms(pairs, result)

    note = f"PyTorch, padded batches of {ANI_BATCH}"
    # both in float32; torchani rounds every step
    return Contestant("torchani", padded, run, values, note, tolerance=1e-5)


def torchani_aev_derivatives(pairs: list[Pair], threads: int) -> Contestant:
    """The gradient by automatic differentiation, for the cotangent of the task."""
    torch, computer = torchani_computer(threads)
    gX = cotangent(sum(len(numbers) for numbers, _ in pairs), 384).astype(np.float32)
    weights, first = [], 0
    for elements, _ in padded(pairs):
        weight = np.zeros((*elements.shape, 384), dtype=np.float32)
        real = elements.numpy() >= 0
        weight[real] = gX[first : first + int(real.sum())]
        first += int(real.sum())
        weights.append(torch.from_numpy(weight))

    def run(batches: Padded) -> Any:
        found = []
        for (elements, positions), weight in zip(batches, weights, strict=True):
            moved = positions.clone().requires_grad_(True)
            scalar = (computer(elements, moved) * weight).sum()
            found.append(torch.autograd.grad(scalar, moved)[0])
        return found

    def values(result: Any) -> NDArray[np.float64]:
        return of_atoms(pairs, result)

    note = "PyTorch's automatic differentiation, values included"
    return Contestant("torchani backward", padded, run, values, note, tolerance=1e-4)


def to_blocks(source: tuple[Any, list[Pair]]) -> tuple[Any, list[Any]]:
    """Features padded with zeros: (n_molecules, most atoms, n_features), and numbers."""
    X, pairs = source
    blocks = np.zeros((len(pairs), largest(pairs), X.shape[1]))
    first = 0
    for block, (numbers, _) in zip(blocks, pairs, strict=True):
        block[: len(numbers)] = X[first : first + len(numbers)]
        first += len(numbers)
    return blocks, [numbers.astype(np.int32) for numbers, _ in pairs]


def qmllib_local(sigma: float) -> Contestant:
    """qmllib's symmetric local kernel (Fortran, half of the pairs)."""
    from qmllib.kernels import get_local_symmetric_kernel

    def run(native: Any) -> Any:
        return get_local_symmetric_kernel(native[0], native[1], sigma)

    return Contestant("qmllib", to_blocks, run, note="its symmetric function")


def kernelforge_local(sigma: float) -> Contestant:
    """kernelforge's symmetric local kernel."""
    from kernelforge.local_kernels import kernel_gaussian_symm

    def convert(source: Any) -> Any:
        blocks, numbers = to_blocks(source)
        sizes = np.array([len(n) for n in numbers], dtype=np.int32)
        elements = np.zeros(blocks.shape[:2], dtype=np.int32)
        for row, n in zip(elements, numbers, strict=True):
            row[: len(n)] = n
        return blocks, elements, sizes

    def run(native: Any) -> Any:
        return kernel_gaussian_symm(*native, sigma)

    return Contestant("kernelforge", convert, run, note="its symmetric function")
