"""Cells and periodicity in named arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern.datasets.contents import Contents, Stated
from molkern.datasets.headers import Header
from molkern.datasets.named_units import split_name
from molkern.datasets.names import CELLS, PBC, is_cell_name, words_of
from molkern.datasets.units import length_unit

__all__ = ["add_cells", "cells_of_parameters", "length_of", "multiply_by_cells"]

Array = npt.NDArray[Any]


def add_cells(contents: Contents, arrays: Mapping[str, Header], lower: Mapping[str, str]) -> None:
    """Cells and periodicity; one for all structures or one for each."""
    n = len(contents)
    key = next((lower[name] for name in CELLS if name in lower), None)
    if key is None:
        usual = [(3, 3), (9,), (6,), (n, 3, 3), (n, 9), (n, 6)]
        others = [
            k
            for k, h in arrays.items()
            if is_cell_name(k)
            and h.shape in (usual if "length" not in words_of(k) else [(3,), (n, 3)])
        ]
        key = others[0] if len(others) == 1 and arrays[others[0]].is_number else None
    if key is not None:
        contents.sources["cell"] = key
        _check_alone(key, arrays)
        contents.cells = _cells(key, arrays[key], n)
        contents.cell_length = arrays[key].stated or length_of(key)
        if key.lower() == "lattice" and "type" in lower and {"theory", "md5"} & lower.keys():
            contents.cells = contents.cells.transpose(0, 2, 1)
            contents.notes.append(f"{key}: vectors are the columns, as in data sets of sGDML")
    key = next((lower[name] for name in PBC if name in lower), None)
    if key is None:
        return
    contents.sources["pbc"] = key
    header = arrays[key]
    values = header.read()
    numbers = header.is_number and bool(np.isin(values, (0, 1)).all())
    if header.dtype.kind != "b" and not numbers:
        raise ValueError(f"{key}: expected booleans, found type {header.dtype}")
    # Three values belong to the three vectors, also where there are three structures.
    shapes = {(n,): (n, 1), (n, 1): (n, 1), (n, 3): (n, 3), (): (1, 1), (1,): (1, 1), (3,): (1, 3)}
    if values.shape not in shapes:
        raise ValueError(
            f"{key}: expected shape (3,) or ({n}, 3) for {n} structures, found {values.shape}"
        )
    contents.pbc = np.broadcast_to(values.astype(bool).reshape(shapes[values.shape]), (n, 3)).copy()


def _cells(key: str, header: Header, n: int) -> Array:
    shape = header.shape
    if not header.is_number:
        raise ValueError(f"{key}: expected numbers, found type {header.dtype}")
    values = header.read().astype(np.float64)
    if shape in ((), (1,)):
        return np.broadcast_to(np.eye(3) * values.reshape(-1)[0], (n, 3, 3)).copy()
    # Of three structures, three equal rows are lengths.
    lengths = shape == (3, 3) and n == 3 and bool((values == values[0]).all())
    if shape == (3, 3) and n == 3 and not lengths and (values > 0).all():
        raise ValueError(
            f"{key}: shape (3, 3) of 3 structures may be one cell or three lengths of each; save "
            "cells of shape (3, 3, 3)"
        )
    if shape in ((3, 3), (9,), (1, 3, 3), (1, 9)) and not lengths:
        return np.broadcast_to(values.reshape(1, 3, 3), (n, 3, 3)).copy()
    if shape in ((n, 3, 3), (n, 9)):
        return values.reshape(n, 3, 3)
    if shape in ((6,), (1, 6), (n, 6)):
        try:
            cells = cells_of_parameters(values.reshape(-1, 6))
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from error
        return np.broadcast_to(cells, (n, 3, 3)).copy()
    if shape in ((3,), (n, 3)):
        cells = np.zeros((n, 3, 3))
        cells[:, range(3), range(3)] = values
        return cells
    raise ValueError(
        f"{key}: expected cells of shape (3, 3) or ({n}, 3, 3) for {n} structures, found {shape}"
    )


def _check_alone(key: str, arrays: Mapping[str, Header]) -> None:
    """Raise where an array of angles or tilts belongs to lengths of cells."""
    shape = arrays[key].shape
    if len(shape) in (1, 2) and shape[-1] == 3 and (arrays[key].read() > 0).all():
        for name in arrays:
            if set(words_of(name).split()) & {"angles", "tilt", "tilts", "gamma"}:
                raise ValueError(
                    f"{key} and {name}: lengths and angles apart are not read; save the three "
                    "vectors of each cell, shape (n, 3, 3), or a, b, c and the angles, (n, 6)"
                )


def cells_of_parameters(parameters: Array) -> Array:
    """Cells of lengths a, b, c and angles alpha, beta, gamma in degrees.

    The first vector lies along x, the second in the plane of x and y.

    Parameters
    ----------
    parameters : ndarray, shape (n, 6)

    Returns
    -------
    ndarray, shape (n, 3, 3)

    Raises
    ------
    ValueError
        For numbers that are no lengths and angles.

    Examples
    --------
    >>> cells_of_parameters(np.array([[3.0, 4.0, 5.0, 90.0, 90.0, 90.0]])).round(12).tolist()
    [[[3.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 5.0]]]
    """
    lengths, angles = parameters[:, :3], np.radians(parameters[:, 3:])
    cosines = np.cos(angles)
    cosines[np.abs(angles - np.pi / 2) < 1e-12] = 0.0
    alpha, beta, gamma = cosines.T
    sine = np.sin(angles[:, 2])
    with np.errstate(all="ignore"):
        y = (alpha - beta * gamma) / sine
        z = np.sqrt(1.0 - beta**2 - y**2)
    inside = (parameters[:, 3:] > 1) & (parameters[:, 3:] < 179)
    if not ((lengths > 0).all() and inside.all() and np.isfinite(z).all()):
        raise ValueError("expected lengths a, b, c and angles alpha, beta, gamma in degrees")
    cells = np.zeros((len(parameters), 3, 3))
    cells[:, 0, 0] = lengths[:, 0]
    cells[:, 1, 0], cells[:, 1, 1] = lengths[:, 1] * gamma, lengths[:, 1] * sine
    for k, part in enumerate((beta, y, z)):
        cells[:, 2, k] = lengths[:, 2] * part
    return cells


def length_of(name: str) -> Stated | None:
    """The unit that a name of positions or cells carries."""
    unit = split_name(name)[1]
    return Stated(unit, f"name {name}") if length_unit(unit) else None


def multiply_by_cells(contents: Contents, name: str) -> None:
    """Positions that are multiples of the cell's vectors."""
    has = np.zeros(len(contents)) if contents.cells is None else contents.cells.any(axis=(1, 2))
    if contents.cells is None or not has.all():
        where = contents.name_of(int(np.argmin(has)))
        raise ValueError(f"{name}: multiples of the vectors of a cell, but {where} has no cell")
    each = np.repeat(contents.cells, np.diff(contents.offsets), axis=0)
    contents.positions = np.einsum("ni,nij->nj", contents.positions.astype(np.float64), each)
    contents.length, contents.fractional = contents.cell_length, True
    contents.notes.append(f"{name} multiplied by the vectors of {contents.sources['cell']}")
