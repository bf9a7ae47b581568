from typing import Any

import numpy as np
import numpy.typing as npt

__version__: str

def build_info() -> dict[str, Any]: ...
def threads_in_use(n_threads: int | None, /) -> int: ...
def coulomb_matrix(
    numbers: npt.NDArray[np.int32],
    positions: npt.NDArray[np.float64],
    offsets: npt.NDArray[np.int64],
    permutation: str,
    size: int,
    unit_length: float,
    noise: npt.NDArray[np.float64],
    out: npt.NDArray[Any],
    n_threads: int | None,
) -> None: ...
def bag_counts(
    numbers: npt.NDArray[np.int32],
    positions: npt.NDArray[np.float64],
    offsets: npt.NDArray[np.int64],
    species: npt.NDArray[np.int32],
) -> npt.NDArray[np.int64]: ...
def bag_of_bonds(
    numbers: npt.NDArray[np.int32],
    positions: npt.NDArray[np.float64],
    offsets: npt.NDArray[np.int64],
    species: npt.NDArray[np.int32],
    bag_sizes: npt.NDArray[np.int64],
    unit_length: float,
    out: npt.NDArray[Any],
    n_threads: int | None,
) -> None: ...
def pairwise(
    X: npt.NDArray[Any],
    Y: npt.NDArray[Any] | None,
    n_copies: int,
    metric: str,
    similarity: str,
    scales: npt.NDArray[Any],
    out: npt.NDArray[Any],
    n_threads: int | None,
) -> None: ...
def from_distances(
    distances: npt.NDArray[Any],
    similarity: str,
    scale: float,
    out: npt.NDArray[Any],
    n_threads: int | None,
) -> None: ...
