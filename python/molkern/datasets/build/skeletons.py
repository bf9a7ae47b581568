"""Bond orders on a graph, and elements on the atoms: every molecule that the valences allow.

Each stage lists one representative of each class of isomorphic results, found with the symmetry
of what it starts from: a result is kept if no symmetry makes it smaller. So nothing is generated
twice, except molecules whose localized (Kekulé) bonds differ only by resonance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from molkern.datasets.build.graphs import Graph, Permutation, automorphisms

__all__ = ["VALENCES", "Skeleton", "bond_orders", "colourings", "count_colourings"]

VALENCES: dict[int, int] = {6: 4, 7: 3, 8: 2, 9: 1, 16: 2}
_CARBON, _NITROGEN, _OXYGEN, _SULFUR = 6, 7, 8, 16


@dataclass(frozen=True)
class Skeleton:
    """A graph with bond orders, and its symmetries: a molecule without elements.

    Attributes
    ----------
    n_atoms : int
    edges : tuple of (int, int)
    orders : tuple of int
        1, 2 or 3 for each edge.
    symmetries : tuple of tuple of int
        All permutations of the atoms that keep edges and orders; the identity is one of them.
    """

    n_atoms: int
    edges: Graph
    orders: tuple[int, ...]
    symmetries: tuple[Permutation, ...]

    @cached_property
    def bonds(self) -> list[dict[int, int]]:
        """Neighbour and bond order, for each atom."""
        bonds: list[dict[int, int]] = [{} for _ in range(self.n_atoms)]
        for (i, j), order in zip(self.edges, self.orders, strict=True):
            bonds[i][j] = bonds[j][i] = order
        return bonds

    @cached_property
    def used(self) -> list[int]:
        """Sum of the bond orders at each atom."""
        return [sum(around.values()) for around in self.bonds]

    @cached_property
    def unsaturated(self) -> list[bool]:
        """Whether an atom has a double or triple bond, for each atom."""
        return [max(around.values(), default=1) > 1 for around in self.bonds]


def bond_orders(edges: Graph, n_atoms: int) -> Iterator[Skeleton]:
    """All ways to give a graph bonds of order 1, 2 and 3 within the valence of carbon.

    Parameters
    ----------
    edges : tuple of (int, int)
    n_atoms : int

    Yields
    ------
    Skeleton
        One of each class under the symmetry of the graph; the saturated one first.
    """
    position = {edge: number for number, edge in enumerate(edges)}
    symmetries = automorphisms(edges, n_atoms)
    edge_maps = [[position[min(p[i], p[j]), max(p[i], p[j])] for i, j in edges] for p in symmetries]
    free = [VALENCES[_CARBON]] * n_atoms
    for edge in edges:
        for node in edge:
            free[node] -= 1
    orders: list[int] = []

    def extend() -> Iterator[Skeleton]:
        if len(orders) == len(edges):
            keep = []
            for permutation, edge_map in zip(symmetries, edge_maps, strict=True):
                image = [orders[number] for number in edge_map]
                if image < orders:
                    return
                if image == orders:
                    keep.append(permutation)
            yield Skeleton(n_atoms, edges, tuple(orders), tuple(keep))
            return
        i, j = edges[len(orders)]
        for extra in range(min(2, free[i], free[j]) + 1):
            free[i] -= extra
            free[j] -= extra
            orders.append(1 + extra)
            yield from extend()
            orders.pop()
            free[i] += extra
            free[j] += extra

    return extend()


def colourings(skeleton: Skeleton, elements: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """All ways to place elements by valence, without bonds between heteroatoms that none keeps.

    Left out at once, for speed: every bond between two heteroatoms but N=N, and N-N, N-O and N-S
    with an unsaturated atom at a nitrogen (hydrazones, oximes, hydrazides, heteroaromatic rings).

    Parameters
    ----------
    skeleton : Skeleton
    elements : tuple of int
        Atomic numbers, from `VALENCES`.

    Yields
    ------
    tuple of int
        An atomic number for each atom; one of each class under the symmetries of the skeleton.
    """
    choices = [[z for z in elements if VALENCES[z] >= used] for used in skeleton.used]
    conjugated = [
        skeleton.unsaturated[atom] or any(skeleton.unsaturated[other] for other in around)
        for atom, around in enumerate(skeleton.bonds)
    ]
    colours: list[int] = []

    def allowed(z: int, atom: int, other: int, order: int) -> bool:
        partner = colours[other]
        if z == _CARBON or partner == _CARBON:
            return True
        if order > 1:
            return order == 2 and z == partner == _NITROGEN
        soft = (z == _NITROGEN and conjugated[atom]) or (partner == _NITROGEN and conjugated[other])
        return soft and {z, partner} <= {_NITROGEN, _OXYGEN, _SULFUR}

    def extend() -> Iterator[tuple[int, ...]]:
        atom = len(colours)
        if atom == skeleton.n_atoms:
            if all([colours[k] for k in p] >= colours for p in skeleton.symmetries):
                yield tuple(colours)
            return
        earlier = [(other, order) for other, order in skeleton.bonds[atom].items() if other < atom]
        for z in choices[atom]:
            if all(allowed(z, atom, other, order) for other, order in earlier):
                colours.append(z)
                yield from extend()
                colours.pop()

    return extend()


def count_colourings(skeleton: Skeleton, elements: tuple[int, ...]) -> int:
    """Number of ways to place elements by valence alone, up to symmetry (Burnside's lemma)."""
    choices = [sum(VALENCES[z] >= used for z in elements) for used in skeleton.used]
    total = 0
    for permutation in skeleton.symmetries:
        fixed = 1
        seen: set[int] = set()
        for start in range(skeleton.n_atoms):
            if start in seen:
                continue
            # A symmetry keeps the bonds: all atoms of its cycle have the same choices.
            fixed *= choices[start]
            atom = start
            while atom not in seen:
                seen.add(atom)
                atom = permutation[atom]
        total += fixed
    return total // len(skeleton.symmetries)
