"""Enumerate organic molecules as the GDB databases do: graphs, bond orders, elements, filters.

A connected graph of at most four edges a node stands for the heavy atoms. It gets bond orders,
then elements, always within the valences, and at each stage the rules of `filters` leave out what
is strained or unstable. Nitro groups are made from carboxylic acids. Of tautomers (mobile
hydrogens as in InChI) and of mirror images one is kept.
"""

from __future__ import annotations

import itertools
import operator
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rdkit import Chem, rdBase
from rdkit.Chem import rdinchi

from molkern.datasets.build import filters, stereo
from molkern.datasets.build.graphs import (
    ATLAS_NODES,
    Graph,
    connected_graphs,
    geng_program,
    relevant_rings,
)
from molkern.datasets.build.skeletons import (
    VALENCES,
    Skeleton,
    bond_orders,
    colourings,
    count_colourings,
)
from molkern.elements import SYMBOLS

__all__ = [
    "STAGES",
    "Enumeration",
    "checked_arguments",
    "combined",
    "enumerate_molecules",
    "graph_tasks",
    "molecules_of",
]

STAGES = (
    "graphs",
    "graphs_kept",
    "skeletons_by_valence",
    "skeletons_kept",
    "molecules_by_valence",
    "nitro_compounds_made",
    "molecules",
    "stereo_isomers",
    "stereo_isomers_without_mirror_images",
)
MOST_ATOMS = 11  # of GDB-11; far beyond what is quick here
RESONANCE = "resonance form of another"
TAUTOMER = "tautomer of another"
Progress = Callable[[int, int], None]

_BONDS = {1: Chem.BondType.SINGLE, 2: Chem.BondType.DOUBLE, 3: Chem.BondType.TRIPLE}
_CARBON, _NITROGEN, _OXYGEN = 6, 7, 8


@dataclass(frozen=True)
class Enumeration:
    """Molecules, and how many there were at each stage.

    Attributes
    ----------
    smiles : tuple of str
        Canonical SMILES of RDKit, with stereochemistry unless ``stereo=False``; sorted by the
        number of heavy atoms, then as text.
    counts : dict of str to list of int
        For each of `STAGES`, the number for 1, 2, ... heavy atoms: connected graphs of degree up
        to 4 and those kept; skeletons (graphs with bond orders) and those kept; molecules by
        valence on these; nitro compounds added to them; molecules kept (constitutions);
        stereo-isomers, and those with one of each pair of mirror images, which is what ``smiles``
        holds. The last two are left out with ``stereo=False``.
    rejected : dict of str to list of int
        For each rule, how many it left out for 1, 2, ... heavy atoms: graphs, skeletons or
        molecules, depending on the rule. What several rules hit counts for the first of them.
        ``molecules_by_valence`` + ``nitro_compounds_made`` - ``molecules`` is the sum over the
        rules for molecules, resonance forms and tautomers included.
    """

    smiles: tuple[str, ...]
    counts: dict[str, list[int]]
    rejected: dict[str, list[int]]

    def to_json(self) -> dict[str, Any]:
        """Attributes as plain lists and dicts."""
        return {**asdict(self), "smiles": list(self.smiles)}


def enumerate_molecules(
    heavy_atoms: int,
    elements: Sequence[str] = ("C", "N", "O"),
    *,
    stereo: bool = True,
    progress: Progress | None = None,
) -> Enumeration:
    """Organic molecules of up to some number of heavy atoms, neutral and closed-shell.

    Parameters
    ----------
    heavy_atoms : int
        Largest number of atoms that are not hydrogen, 1 to 11.
    elements : sequence of str
        Among C, N, O, F and S (divalent). C is needed.
    stereo : bool
        Whether to list stereo-isomers (one of each pair of mirror images) or constitutions.
    progress : callable, optional
        Called as ``progress(done, total)`` with numbers of graphs.

    Returns
    -------
    Enumeration

    Raises
    ------
    TypeError
        If ``heavy_atoms`` is no integer, or ``elements`` no sequence of text.
    ValueError
        If ``heavy_atoms`` is out of range, or an element is not possible.
    FileNotFoundError
        If more than seven atoms are asked for and nauty's geng is not installed.

    Notes
    -----
    The list depends on the arguments and the versions of RDKit and InChI only. Cost for C, N and O
    on one core: 7 atoms about 20 s, 8 atoms about 5 minutes.

    Examples
    --------
    >>> enumerate_molecules(2).smiles
    ('C', 'N', 'O', 'C#C', 'C#N', 'C=C', 'C=O', 'CC', 'CN', 'CO')
    """
    tasks = graph_tasks(heavy_atoms, elements, stereo)
    results = []
    for done, (_, task) in enumerate(tasks, 1):
        results.append(molecules_of(task))
        if progress is not None:
            progress(done, len(tasks))
    return combined(results, operator.index(heavy_atoms), stereo)


GraphTask = tuple[Graph, int, tuple[int, ...], bool]


def graph_tasks(
    heavy_atoms: int, elements: Sequence[str], stereo: bool = True
) -> list[tuple[str, GraphTask]]:
    """The graphs of an enumeration, each a task for `molecules_of` with a name of its own."""
    largest, numbers = checked_arguments(heavy_atoms, elements)
    return [
        (f"graph {n}/{k}", (edges, n, numbers, stereo))
        for n in range(1, largest + 1)
        for k, edges in enumerate(connected_graphs(n))
    ]


def molecules_of(task: GraphTask) -> dict[str, Any]:
    """All molecules on one graph: ``n_atoms``, ``smiles``, ``counts``, ``rejected``."""
    edges, n_atoms, numbers, stereo = task
    found = _molecules_of(edges, n_atoms, numbers, stereo)
    counts, rejected = dict(found.counts), dict(found.rejected)
    return {"n_atoms": n_atoms, "smiles": found.smiles, "counts": counts, "rejected": rejected}


def combined(results: Sequence[dict[str, Any]], largest: int, stereo: bool = True) -> Enumeration:
    """The enumeration that the results of all graphs make."""
    counts = {stage: [0] * largest for stage in (STAGES if stereo else STAGES[:-2])}
    rejected: dict[str, list[int]] = {name: [0] * largest for name in _rule_names()}
    for result in results:
        for table, found in ((counts, result["counts"]), (rejected, result["rejected"])):
            for name, number in found.items():
                table[name][result["n_atoms"] - 1] += number
    smiles = [(result["n_atoms"], text) for result in results for text in result["smiles"]]
    return Enumeration(tuple(text for _, text in sorted(smiles)), counts, rejected)


def checked_arguments(heavy_atoms: int, elements: Sequence[str]) -> tuple[int, tuple[int, ...]]:
    """Size and atomic numbers; raises as `enumerate_molecules` does."""
    size, numbers = _checked_size(heavy_atoms), _checked_elements(elements)
    if size > ATLAS_NODES:
        geng_program(size)
    return size, numbers


def _checked_size(heavy_atoms: int) -> int:
    try:
        size = operator.index(heavy_atoms)
    except TypeError:
        raise TypeError(
            f"heavy_atoms: expected an integer, found {type(heavy_atoms).__name__}"
        ) from None
    if not 1 <= size <= MOST_ATOMS:
        raise ValueError(f"heavy_atoms: expected 1 to {MOST_ATOMS}, found {size}")
    return size


def _checked_elements(elements: Sequence[str]) -> tuple[int, ...]:
    allowed = [SYMBOLS[z] for z in VALENCES]
    if isinstance(elements, str) or not all(isinstance(symbol, str) for symbol in elements):
        raise TypeError(f"elements: expected a sequence of symbols, found {elements!r}")
    for symbol in elements:
        if symbol not in allowed:
            raise ValueError(f"elements: expected some of {', '.join(allowed)}; found {symbol!r}")
    if "C" not in elements:
        raise ValueError(f"elements: expected C among them, found {list(elements)}")
    return tuple(sorted({SYMBOLS.index(symbol) for symbol in elements}))


def _rule_names() -> list[str]:
    tables = (filters.GRAPH_RULES, filters.SKELETON_RULES, filters.MOLECULE_RULES)
    return [rule.name for table in tables for rule in table] + [RESONANCE, TAUTOMER]


@dataclass
class _Found:
    """What one graph gives."""

    smiles: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)


def _molecules_of(
    edges: Graph, n_atoms: int, numbers: tuple[int, ...], with_stereo: bool
) -> _Found:
    """All molecules on a graph. No molecule, and no tautomer of it, has another graph."""
    found = _Found()
    found.counts["graphs"] = 1
    rings = relevant_rings(edges, n_atoms)
    rule = filters.graph_rule(edges, n_atoms, rings)
    if rule is not None:
        found.rejected[rule] += 1
        return found
    found.counts["graphs_kept"] = 1
    kept: dict[str, Any] = {}
    seen: set[str] = set()
    for skeleton in bond_orders(edges, n_atoms):
        found.counts["skeletons_by_valence"] += 1
        rule = filters.skeleton_rule(skeleton, rings)
        if rule is not None:
            found.rejected[rule] += 1
            continue
        found.counts["skeletons_kept"] += 1
        for smiles, molecule in _constitutions(skeleton, numbers, found, seen):
            rule = filters.molecule_rule(molecule)
            if rule is None:
                kept[smiles] = molecule
            else:
                found.rejected[rule] += 1
    chosen = _without_tautomers(kept)
    found.rejected[TAUTOMER] += len(kept) - len(chosen)
    found.counts["molecules"] = len(chosen)
    found.smiles = chosen
    if with_stereo:
        isomers = [stereo.isomers(smiles) for smiles in chosen]
        found.smiles = [text for one in isomers for text in one.smiles]
        found.counts["stereo_isomers"] = sum(one.n_all for one in isomers)
        found.counts["stereo_isomers_without_mirror_images"] = len(found.smiles)
    return found


def _constitutions(
    skeleton: Skeleton, numbers: tuple[int, ...], found: _Found, seen: set[str]
) -> Iterator[tuple[str, Any]]:
    """The different molecules of a skeleton, nitro compounds included; counts what is left out."""
    template = Chem.RWMol()
    for _ in range(skeleton.n_atoms):
        template.AddAtom(Chem.Atom(_CARBON))
    for (i, j), order in zip(skeleton.edges, skeleton.orders, strict=True):
        template.AddBond(i, j, _BONDS[order])
    by_valence = count_colourings(skeleton, numbers)
    found.counts["molecules_by_valence"] += by_valence
    n_made = 0
    for colours in colourings(skeleton, numbers):
        n_made += 1
        for atom, number in zip(template.GetAtoms(), colours, strict=True):
            atom.SetAtomicNum(number)
        smiles, molecule = _canonical(template)
        if smiles in seen:
            found.rejected[RESONANCE] += 1
        else:
            seen.add(smiles)
            yield smiles, molecule
        for smiles, molecule in _nitro_compounds(template, skeleton, colours, numbers):
            if smiles not in seen:
                seen.add(smiles)
                found.counts["nitro_compounds_made"] += 1
                yield smiles, molecule
    found.rejected[filters.HETEROATOM_BOND] += by_valence - n_made


def _canonical(template: Any) -> tuple[str, Any]:
    molecule = Chem.Mol(template)
    Chem.SanitizeMol(molecule)
    return Chem.MolToSmiles(molecule), molecule


def _nitro_compounds(
    template: Any, skeleton: Skeleton, colours: tuple[int, ...], numbers: tuple[int, ...]
) -> Iterator[tuple[str, Any]]:
    """Put nitro groups in place of carboxyl groups at carbon: one, several, all."""
    if _NITROGEN not in numbers:
        return
    acids = []
    for atom, around in enumerate(skeleton.bonds):
        ends = sorted((o, a) for a, o in around.items() if len(skeleton.bonds[a]) == 1)
        oxygens = [(order, a) for order, a in ends if colours[a] == _OXYGEN]
        others = [colours[a] for a in around if a not in [a for _, a in oxygens]]
        if [order for order, _ in oxygens] == [1, 2] and others == [_CARBON]:
            acids.append((atom, oxygens[0][1]))
    for size in range(1, len(acids) + 1):
        for chosen in itertools.combinations(acids, size):
            molecule = Chem.RWMol(template)
            for atom, oxygen in chosen:
                molecule.GetAtomWithIdx(atom).SetAtomicNum(_NITROGEN)
                molecule.GetAtomWithIdx(atom).SetFormalCharge(1)
                molecule.GetAtomWithIdx(oxygen).SetFormalCharge(-1)
            yield _canonical(molecule)


def _without_tautomers(molecules: dict[str, Any]) -> list[str]:
    """One SMILES of each group that differs in mobile hydrogens only, as InChI sees it.

    Chosen is the one with most aromatic atoms, then with most C=O, then the first as text.
    """
    groups: dict[str, list[str]] = {}
    with rdBase.BlockLogs():
        for smiles, molecule in molecules.items():
            identifier = rdinchi.MolToInchi(molecule, options="-SNon")[0]
            groups.setdefault(identifier, []).append(smiles)

    def preference(smiles: str) -> tuple[int, int, str]:
        molecule = molecules[smiles]
        n_aromatic = sum(atom.GetIsAromatic() for atom in molecule.GetAtoms())
        carbonyl = Chem.MolFromSmarts("[#6]=O")
        return -n_aromatic, -len(molecule.GetSubstructMatches(carbonyl)), smiles

    return sorted(min(group, key=preference) for group in groups.values())
