"""Other libraries' SOAP power spectra and their derivatives.

Every function takes ``(pairs, threads)`` after its own options, as in ``adapters``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from peers.adapters import SYMBOLS, to_frames
from peers.molecules import Pair, atom_rows, evenly_spaced
from peers.race import Contestant

SPECIES = sorted(SYMBOLS)
SETTINGS = {"r_cut": 5.0, "n_max": 8, "l_max": 6, "sigma": 0.5}
SLOW_DERIVATIVES = 20  # molecules given to a library that writes dense derivatives
FEATOMIC = {
    "cutoff": {"radius": 5.0, "smoothing": {"type": "ShiftedCosine", "width": 0.5}},
    "density": {"type": "Gaussian", "width": 0.5},
    "basis": {
        "type": "TensorProduct",
        "max_angular": 6,
        "radial": {"type": "Gto", "max_radial": 7},
    },
}


def stacked(results: list[Any]) -> NDArray[np.float64]:
    """The rows of all molecules, one below the other."""
    return np.concatenate([np.asarray(rows, dtype=np.float64) for rows in results])


def dscribe(**options: Any) -> Any:
    from dscribe.descriptors import SOAP

    return SOAP(species=SPECIES, **SETTINGS, **options)


def dscribe_soap(
    basis: str, average: str | None, dtype: str, pairs: list[Pair], threads: int
) -> Contestant:
    """DScribe's values; it knows our bases, so they are compared."""
    descriptor = dscribe(rbf=basis, average=average or "off", dtype=dtype)

    def run(frames: Any) -> Any:
        return descriptor.create(frames, n_jobs=threads)

    # its polynomials are orthonormalised from a matrix inverted in float64
    tolerance = 1e-5 if basis == "polynomial" else 1e-6 if dtype == "float32" else 1e-9
    values = stacked if average is None else np.asarray
    return Contestant(f"DScribe {basis}", to_frames, run, values, tolerance=tolerance)


def quippy_descriptor(average: str | None = None) -> Any:
    from quippy.descriptors import Descriptor

    numbers = " ".join(map(str, SPECIES))
    text = (
        f"soap cutoff=5.0 cutoff_transition_width=0.5 n_max=8 l_max=6 atom_sigma=0.5 "
        f"n_Z={len(SPECIES)} Z={{{numbers}}} n_species={len(SPECIES)} species_Z={{{numbers}}}"
    )
    return Descriptor(f"{text} average=T" if average else text)


def quippy_soap(average: str | None, pairs: list[Pair], threads: int) -> Contestant:
    """quippy's values, one molecule per call."""
    descriptor = quippy_descriptor(average)

    def run(frames: Any) -> Any:
        return [descriptor.calc(frame)["data"] for frame in frames]

    note = "other radial functions, normalised: values not compared; one molecule per call"
    return Contestant("quippy", to_frames, run, None, note)


def featomic_calculator() -> Any:
    from featomic import SoapPowerSpectrum

    return SoapPowerSpectrum(**FEATOMIC)


def featomic_soap_blocks(pairs: list[Pair], threads: int) -> Contestant:
    """featomic's own output: blocks of the pairs of species that occur."""
    calculator = featomic_calculator()
    note = "blocks of the species that occur, other radial functions: values not compared"
    return Contestant("featomic blocks", to_frames, calculator.compute, None, note)


def featomic_soap_dense(pairs: list[Pair], threads: int) -> Contestant:
    """featomic's blocks put together to one matrix, as the others return it."""
    from metatensor import Labels

    calculator = featomic_calculator()
    of_pairs = [[a, b] for i, a in enumerate(SPECIES) for b in SPECIES[i:]]
    keys = Labels(["neighbor_1_type", "neighbor_2_type"], np.array(of_pairs, dtype=np.int32))

    def run(frames: Any) -> Any:
        blocks = calculator.compute(frames).keys_to_samples("center_type")
        return blocks.keys_to_properties(keys).block().values

    note = "one matrix, rows ordered by element, other radial functions: values not compared"
    return Contestant("featomic dense", to_frames, run, None, note)


def cotangent(n_rows: int, n_features: int) -> NDArray[np.float64]:
    """The derivative of some scalar by the features; different for every row and column."""
    return np.random.default_rng(0).normal(size=(n_rows, n_features))


def gradients(blocks: list[Any], gX: NDArray[np.float64]) -> NDArray[np.float64]:
    """What ``vjp`` returns, from dense (n_centers, n_atoms, 3, n_features) of each molecule."""
    found, first = [], 0
    for block in blocks:
        rows = gX[first : first + len(block)]
        found.append(np.einsum("cajf,cf->aj", np.asarray(block), rows, optimize=True))
        first += len(block)
    return np.concatenate(found)


def dscribe_derivatives(
    descriptor: Any, method: str, tolerance: float, pairs: list[Pair], threads: int
) -> Contestant:
    """DScribe's dense derivatives of a part of the molecules, one molecule per call.

    Compared by what they give for the cotangent of the task.
    """
    rows = evenly_spaced(pairs, SLOW_DERIVATIVES)
    mine = atom_rows(pairs, rows)
    n_features = descriptor.get_number_of_features()
    gX = cotangent(sum(len(numbers) for numbers, _ in pairs), n_features)[mine]

    def run(frames: Any) -> Any:
        return [
            descriptor.derivatives(
                frame, method=method, attach=True, return_descriptor=False, n_jobs=threads
            )
            for frame in frames
        ]

    def values(blocks: Any) -> NDArray[np.float64]:
        return gradients(blocks, gX)

    note = f"{method}, dense (n_centers, n_atoms, 3, n_features)"
    return Contestant("DScribe derivatives", to_frames, run, values, note, rows, tolerance)


def dscribe_soap_derivatives(pairs: list[Pair], threads: int) -> Contestant:
    return dscribe_derivatives(dscribe(rbf="gto"), "analytical", 1e-8, pairs, threads)


def featomic_soap_derivatives(pairs: list[Pair], threads: int) -> Contestant:
    """featomic's values and derivatives as blocks of the species that occur."""
    calculator = featomic_calculator()
    rows = evenly_spaced(pairs, 5 * SLOW_DERIVATIVES)

    def run(frames: Any) -> Any:
        return calculator.compute(frames, gradients=["positions"])

    note = "blocks of the species that occur, other radial functions: values not compared"
    return Contestant("featomic derivatives", to_frames, run, None, note, rows)


def quippy_soap_derivatives(pairs: list[Pair], threads: int) -> Contestant:
    """quippy's derivatives of all pairs within the cutoff, one molecule per call."""
    descriptor = quippy_descriptor()
    rows = evenly_spaced(pairs, SLOW_DERIVATIVES)

    def run(frames: Any) -> Any:
        return [descriptor.calc(frame, grad=True)["grad_data"] for frame in frames]

    note = "other radial functions, normalised: values not compared"
    return Contestant("quippy derivatives", to_frames, run, None, note, rows)
