from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

__version__: str

def build_info() -> dict[str, Any]: ...
def threads_in_use(n_threads: int | None, /) -> int: ...
def check_elements(
    numbers: npt.NDArray[np.int32],
    positions: npt.NDArray[np.float64],
    offsets: npt.NDArray[np.int64],
    what: str,
) -> None: ...
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
def coulomb_matrix_vjp(
    numbers: npt.NDArray[np.int32],
    positions: npt.NDArray[np.float64],
    offsets: npt.NDArray[np.int64],
    permutation: str,
    size: int,
    unit_length: float,
    noise: npt.NDArray[np.float64],
    cotangent: npt.NDArray[np.float64],
    n_threads: int | None,
) -> npt.NDArray[np.float64]: ...
def coulomb_matrix_jacobian(
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
def check_bags(
    numbers: npt.NDArray[np.int32],
    positions: npt.NDArray[np.float64],
    offsets: npt.NDArray[np.int64],
    species: npt.NDArray[np.int32],
    bag_sizes: npt.NDArray[np.int64],
) -> None: ...
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
def bag_of_bonds_vjp(
    numbers: npt.NDArray[np.int32],
    positions: npt.NDArray[np.float64],
    offsets: npt.NDArray[np.int64],
    species: npt.NDArray[np.int32],
    bag_sizes: npt.NDArray[np.int64],
    unit_length: float,
    cotangent: npt.NDArray[np.float64],
    n_threads: int | None,
) -> npt.NDArray[np.float64]: ...
def bag_of_bonds_jacobian(
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
def atom_centres(
    x: tuple[Any, ...],
    centres: tuple[npt.NDArray[np.int32], npt.NDArray[Any]],
    n_threads: int | None,
) -> None: ...
def local_kernel(
    x: tuple[Any, ...],
    y: tuple[Any, ...] | None,
    centres: tuple[npt.NDArray[np.int32], npt.NDArray[Any]],
    similarity: str,
    scales: npt.NDArray[np.float64],
    offset: float,
    degree: int,
    roots: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None,
    out: npt.NDArray[Any],
    n_threads: int | None,
) -> None: ...
def local_kernel_diagonal(
    x: tuple[Any, ...],
    centres: tuple[npt.NDArray[np.int32], npt.NDArray[Any]],
    similarity: str,
    scales: npt.NDArray[np.float64],
    offset: float,
    degree: int,
    out: npt.NDArray[np.float64],
    n_threads: int | None,
) -> None: ...
def neighbors(
    numbers: npt.NDArray[np.int32],
    positions: npt.NDArray[np.float64],
    offsets: npt.NDArray[np.int64],
    cells: npt.NDArray[np.float64] | None,
    pbc: npt.NDArray[np.bool_] | None,
    r_cut: float,
    check: Callable[[int], None],
    n_threads: int | None,
) -> tuple[Any, Any, Any, Any, Any, Any]: ...

class LocalKernel:
    @property
    def n_features(self) -> int: ...
    @property
    def own(self) -> bool: ...

def soap_kernel(
    species: npt.NDArray[np.int32],
    r_cut: float,
    cutoff_function: str | None,
    exponents: npt.NDArray[np.float64],
    transform: npt.NDArray[np.float64],
    table: npt.NDArray[np.float64] | None,
    spacing: float,
    compression: str | None,
    normalize: bool,
    weighting: str | None,
    weight: tuple[float, float, float, float],
    own_weight: float,
    of_species: npt.NDArray[np.float64] | None,
) -> LocalKernel: ...
def acsf_kernel(
    species: npt.NDArray[np.int32],
    r_cut: float,
    cutoff_function: str,
    g1: bool,
    g2: npt.NDArray[np.float64],
    g3: npt.NDArray[np.float64],
    g4: npt.NDArray[np.float64],
    g5: npt.NDArray[np.float64],
) -> LocalKernel: ...
def aev_kernel(
    species: npt.NDArray[np.int32],
    r_cut: float,
    eta: float,
    shifts: npt.NDArray[np.float64],
    angular_r_cut: float,
    angular_eta: float,
    zeta: float,
    angular_shifts: npt.NDArray[np.float64],
    sections: npt.NDArray[np.float64],
) -> LocalKernel: ...
def check_local(
    kernel: LocalKernel,
    numbers: npt.NDArray[np.int32],
    positions: npt.NDArray[np.float64],
    offsets: npt.NDArray[np.int64],
    cells: npt.NDArray[np.float64] | None,
    pbc: npt.NDArray[np.bool_] | None,
    centers: npt.NDArray[np.int64] | None,
    average: str,
) -> None: ...
def local_values(
    kernel: LocalKernel,
    numbers: npt.NDArray[np.int32],
    positions: npt.NDArray[np.float64],
    offsets: npt.NDArray[np.int64],
    cells: npt.NDArray[np.float64] | None,
    pbc: npt.NDArray[np.bool_] | None,
    centers: npt.NDArray[np.int64] | None,
    average: str,
    out: npt.NDArray[Any],
    warm: bool,
    n_threads: int | None,
) -> None: ...
def local_vjp(
    kernel: LocalKernel,
    numbers: npt.NDArray[np.int32],
    positions: npt.NDArray[np.float64],
    offsets: npt.NDArray[np.int64],
    cells: npt.NDArray[np.float64] | None,
    pbc: npt.NDArray[np.bool_] | None,
    centers: npt.NDArray[np.int64] | None,
    average: str,
    cotangent: npt.NDArray[np.float32] | npt.NDArray[np.float64],
    strain: bool,
    n_threads: int | None,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]: ...
def local_neighbor_counts(
    kernel: LocalKernel,
    numbers: npt.NDArray[np.int32],
    positions: npt.NDArray[np.float64],
    offsets: npt.NDArray[np.int64],
    cells: npt.NDArray[np.float64] | None,
    pbc: npt.NDArray[np.bool_] | None,
    centers: npt.NDArray[np.int64] | None,
    n_threads: int | None,
) -> npt.NDArray[np.int64]: ...
def local_columns(
    kernel: LocalKernel, neighbors: npt.NDArray[np.bool_], center: int, species: int
) -> npt.NDArray[np.int64]: ...
def local_jacobian(
    kernel: LocalKernel,
    numbers: npt.NDArray[np.int32],
    positions: npt.NDArray[np.float64],
    offsets: npt.NDArray[np.int64],
    cells: npt.NDArray[np.float64] | None,
    pbc: npt.NDArray[np.bool_] | None,
    centers: npt.NDArray[np.int64] | None,
    first: npt.NDArray[np.int64],
    start: npt.NDArray[np.int64],
    compact: bool,
    out: npt.NDArray[Any],
    warm: bool,
    n_threads: int | None,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]: ...

class XyzError(ValueError): ...

class XyzParser:
    def __init__(self, codes: list[tuple[str, int]]) -> None: ...
    def feed(self, bytes: bytes) -> bytes | None: ...
    def finish(self) -> bytes | None: ...
    def add_layout(self, properties: bytes, columns: list[tuple[int, int, int]]) -> None: ...
    def results(self) -> dict[str, Any]: ...
    @property
    def n_frames(self) -> int: ...
    @property
    def n_lines(self) -> int: ...
    @property
    def bytes(self) -> int: ...
