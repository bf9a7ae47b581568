"""Verification of a data set by what it holds."""

from __future__ import annotations

import numpy as np

from molkern.datasets.dataset import Dataset
from molkern.datasets.entry import Content

__all__ = ["check_content"]


def check_content(dataset: Dataset, content: Content) -> tuple[str, ...]:
    """Compare a data set with what it must hold.

    Returns
    -------
    tuple of str
        What was checked.

    Raises
    ------
    ValueError
        For the first difference; names the file.
    """
    structures = dataset.structures
    done = []

    def require(ok: bool, what: str) -> None:
        if not ok:
            raise ValueError(f"{dataset.source}: not the expected data: {what}")

    expected = " or ".join(map(str, content.n_structures))
    n = len(dataset)
    require(n in content.n_structures, f"expected {expected} structures, found {n}")
    done.append(f"{n} structures")
    if content.n_atoms is not None:
        found = structures.n_atoms
        require(found == content.n_atoms, f"expected {content.n_atoms} atoms, found {found}")
        done.append(f"{found} atoms")
    if content.species is not None:
        species = tuple(structures.species.tolist())
        require(
            species == content.species,
            f"expected the elements {content.species}, found {species}",
        )
        done.append("elements")
    if content.formula is not None:
        species = tuple(structures.species.tolist())
        counts = structures.composition()
        same = species == tuple(z for z, _ in content.formula) and bool(
            (counts == [count for _, count in content.formula]).all()
        )
        require(same, f"expected {dict(content.formula)} atoms of each element in each structure")
        done.append("composition")
    for name, low, high in content.ranges:
        values = dataset.targets[name]
        values = values[np.isfinite(values)]
        require(
            bool(values.size and low <= values.min() and values.max() <= high),
            f"{name} outside {low} to {high} {dataset.units[name]}",
        )
        done.append(f"range of {name}")
    if content.n_folds:
        found = len(dataset.folds or dataset.splits or ())
        require(found == content.n_folds, f"expected {content.n_folds} folds, found {found}")
        done.append("folds")
    return tuple(done)
