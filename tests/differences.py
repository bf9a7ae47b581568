"""Central differences of the features of local representations."""

import numpy as np

import molkern as mk

STEP = 1e-5


def moved(structures, atom, axis, by):
    positions = structures.positions.copy()
    positions[atom, axis] += by
    return mk.Structures(
        structures.numbers, positions, structures.offsets, structures.cells, structures.pbc
    )


def strained(structures, axis, along, by):
    deformation = np.eye(3)
    deformation[axis, along] += by
    return mk.Structures(
        structures.numbers,
        structures.positions @ deformation,
        structures.offsets,
        structures.cells @ deformation,
        structures.pbc,
    )


def difference(function, move):
    return (function(move(STEP)) - function(move(-STEP))) / (2 * STEP)


def numerical_jacobian(model, structures, **centers):
    """Shape (n_centers, n_atoms, 3, n_features)."""

    def rows(batch):
        return model.transform(batch, **centers)

    columns = [
        [difference(rows, lambda by, i=i, d=d: moved(structures, i, d, by)) for d in range(3)]
        for i in range(structures.n_atoms)
    ]
    return np.array(columns).transpose(2, 0, 1, 3)
