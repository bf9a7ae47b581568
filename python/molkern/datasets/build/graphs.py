"""Connected graphs with at most four edges at a node: the skeletons of molecules without elements.

The graphs come from the atlas of networkx (Read, Wilson, An Atlas of Graphs, 1998) up to seven
nodes, and from geng of nauty (McKay, Piperno, J. Symb. Comput. 60, 94 (2014),
doi:10.1016/j.jsc.2013.09.003) beyond, as in GDB-13 (doi:10.1021/ja902302h).
"""

from __future__ import annotations

import itertools
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from functools import cache

__all__ = ["Edge", "Graph", "Permutation", "automorphisms", "connected_graphs", "cycles"]

Edge = tuple[int, int]
Graph = tuple[Edge, ...]
Permutation = tuple[int, ...]

ATLAS_NODES = 7
GENG = ("geng", "nauty-geng")
OFFSET = 63  # graph6: six bits in a printable character


def connected_graphs(n_nodes: int, *, max_degree: int = 4) -> Iterator[Graph]:
    """All connected graphs without loops and parallel edges, each once.

    Parameters
    ----------
    n_nodes : int
        At least 1.
    max_degree : int
        Most edges at a node; 4 for carbon.

    Yields
    ------
    tuple of (int, int)
        The edges, smaller node first, sorted. Always in the same order.

    Raises
    ------
    FileNotFoundError
        If more than seven nodes are asked for and nauty is not installed.
    """
    graphs = _atlas(n_nodes) if n_nodes <= ATLAS_NODES else geng(n_nodes, max_degree=max_degree)
    for edges in graphs:
        if max(degrees(edges, n_nodes)) <= max_degree:
            yield edges


def degrees(edges: Graph, n_nodes: int) -> list[int]:
    """Number of edges at each node."""
    counts = [0] * n_nodes
    for edge in edges:
        for node in edge:
            counts[node] += 1
    return counts


@cache
def _atlas(n_nodes: int) -> tuple[Graph, ...]:
    import networkx

    return tuple(
        tuple(sorted((min(edge), max(edge)) for edge in graph.edges))
        for graph in networkx.graph_atlas_g()
        if len(graph) == n_nodes and networkx.is_connected(graph)
    )


def geng_program(n_nodes: int) -> str:
    """Where geng is.

    Raises
    ------
    FileNotFoundError
        If it is not installed; says how to install it.
    """
    program = next(filter(None, map(shutil.which, GENG)), None)
    if program is None:
        raise FileNotFoundError(
            f"graphs of more than {ATLAS_NODES} nodes, {n_nodes} asked for, need the program "
            "geng of nauty; install the package nauty (Debian, Ubuntu) or put geng into PATH"
        )
    return program


def geng(n_nodes: int, *, max_degree: int = 4) -> Iterator[Graph]:
    """The connected graphs as nauty lists them; see `connected_graphs`."""
    program = geng_program(n_nodes)
    command = [program, "-cq", f"-D{max_degree}", str(n_nodes)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout is None:
            raise ChildProcessError(f"no output from {program}")
        for line in process.stdout:
            yield _from_graph6(line.strip())
    if process.returncode != 0:
        raise ChildProcessError(f"{' '.join(command)} ended with status {process.returncode}")


def _from_graph6(line: str) -> Graph:
    """Edges of a graph of at most 62 nodes in graph6: the upper triangle, column by column."""
    n_nodes, *values = (ord(character) - OFFSET for character in line)
    bits = (value >> shift & 1 for value in values for shift in range(5, -1, -1))
    pairs = ((i, j) for j in range(n_nodes) for i in range(j))
    return tuple(sorted(pair for pair, bit in zip(pairs, bits, strict=False) if bit))


def automorphisms(edges: Graph, n_nodes: int) -> list[Permutation]:
    """All permutations of the nodes that map the graph onto itself; the identity comes first."""
    neighbours = _neighbours(edges, n_nodes)
    colours = [
        (len(around), sorted(len(neighbours[node]) for node in around)) for around in neighbours
    ]
    found: list[Permutation] = []

    def extend(image: list[int]) -> None:
        node = len(image)
        if node == n_nodes:
            found.append(tuple(image))
            return
        for target in range(n_nodes):
            if target in image or colours[target] != colours[node]:
                continue
            if all(
                (other in neighbours[node]) == (image[other] in neighbours[target])
                for other in range(node)
            ):
                extend([*image, target])

    extend([])
    return found


def _neighbours(edges: Graph, n_nodes: int) -> list[set[int]]:
    neighbours: list[set[int]] = [set() for _ in range(n_nodes)]
    for i, j in edges:
        neighbours[i].add(j)
        neighbours[j].add(i)
    return neighbours


def cycles(edges: Graph, n_nodes: int) -> list[tuple[int, ...]]:
    """All simple cycles, each once, its nodes in order; sorted by size.

    Not only a smallest set of rings: no choice between rings of equal size is made.
    """
    neighbours = _neighbours(edges, n_nodes)
    found: list[tuple[int, ...]] = []

    def walk(path: list[int]) -> None:
        for node in neighbours[path[-1]]:
            # The first node is the smallest, the second smaller than the last: each cycle once.
            if node == path[0] and len(path) > 2 and path[1] < path[-1]:
                found.append(tuple(path))
            elif node > path[0] and node not in path:
                walk([*path, node])

    for start in range(n_nodes):
        walk([start])
    return sorted(found, key=lambda cycle: (len(cycle), cycle))


def relevant_rings(edges: Graph, n_nodes: int) -> list[tuple[int, ...]]:
    """Cycles that are no sum of shorter ones: the rings a chemist counts, ties included."""
    rings: list[tuple[int, ...]] = []
    basis: dict[int, int] = {}
    index = {edge: 1 << number for number, edge in enumerate(edges)}
    for _, group in itertools.groupby(cycles(edges, n_nodes), key=len):
        same_size = list(group)
        reduced = [_reduce(_edge_set(cycle, index), basis) for cycle in same_size]
        rings += [cycle for cycle, rest in zip(same_size, reduced, strict=True) if rest]
        for rest in reduced:
            rest = _reduce(rest, basis)
            if rest:
                basis[rest.bit_length()] = rest
    return rings


def _edge_set(cycle: Sequence[int], index: dict[Edge, int]) -> int:
    pairs = zip(cycle, [*cycle[1:], cycle[0]], strict=True)
    return sum(index[min(pair), max(pair)] for pair in pairs)


def _reduce(bits: int, basis: dict[int, int]) -> int:
    """What is left of a set of edges after adding (modulo 2) members of the basis."""
    while bits and bits.bit_length() in basis:
        bits ^= basis[bits.bit_length()]
    return bits
