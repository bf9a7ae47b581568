"""How many molecules we enumerate beside GDB-11, and how many of QM7 are among them.

    python benchmarks/enumeration.py --heavy-atoms 8
    python benchmarks/enumeration.py --heavy-atoms 7 --qm7 qm7

Prints Markdown. The first table compares numbers of constitutions (no stereochemistry) of C, N, O
and F with those published for GDB-11 (Fink, Reymond, J. Chem. Inf. Model. 47, 342 (2007),
doi:10.1021/ci600423u); the second says what each rule left out. With ``--qm7`` (a name or a file
that ``molkern.datasets.load`` understands) the molecular graph of every molecule of QM7 without
sulphur is made from its geometry and looked up among ours of C, N and O. QM7 is all of GDB-13
up to seven heavy atoms (doi:10.1021/ja902302h; doi:10.1103/PhysRevLett.108.058301). Two tautomers
count as one molecule there, as far as InChI sees it.

Rules with the source "QM7" were read off these very molecules: that they are found again is no
independent test. The counts of GDB-11 are one. "Before filters" is by valence on the kept
skeletons, so without cumulated double bonds and strained rings.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem import rdDetermineBonds, rdinchi

from molkern import datasets
from molkern.datasets.build import enumeration, filters

GDB_11 = (4, 9, 20, 80, 352, 1850, 10568, 66706, 444313, 3114041, 22796628)
BOND = 1.25  # longest bond between heavy atoms, in sums of the covalent radii
SHOWN = 12

# What is in our list and not in QM7, for a reason that we see.
NITRO = Chem.MolFromSmarts("[N+](=O)[O-]")
CROWDED = Chem.MolFromSmarts("[CX4;D4;r3]")
UNSATURATED = Chem.MolFromSmarts("[$(*=*),$(*#*)]")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--heavy-atoms", type=int, default=7)
    parser.add_argument("--elements", default="C,N,O,F", help="comma-separated")
    parser.add_argument("--qm7", help="QM7: name or file")
    arguments = parser.parse_args()
    start = time.perf_counter()
    found = enumeration.enumerate_molecules(
        arguments.heavy_atoms, arguments.elements.split(","), stereo=False
    )
    seconds = time.perf_counter() - start
    print(f"Elements {arguments.elements}; {seconds:.0f} s on one core.\n")
    print_counts(found)
    print_rejected(found)
    if arguments.qm7:
        compare(arguments.qm7)


def print_row(cells: Iterable[object]) -> None:
    print("| " + " | ".join(map(str, cells)) + " |")


def print_table(head: list[str], rows: Iterable[Iterable[object]]) -> None:
    print_row(head)
    print_row("---" for _ in head)
    for row in rows:
        print_row(row)
    print()


def print_counts(found: enumeration.Enumeration) -> None:
    stages = list(found.counts)
    head = ["heavy atoms", *(stage.replace("_", " ") for stage in stages), "GDB-11"]
    rows = []
    for n, ours in enumerate(zip(*found.counts.values(), strict=True)):
        kept = ours[stages.index("molecules")]
        published = GDB_11[n] if n < len(GDB_11) else "-"
        ratio = [f"{kept / GDB_11[n]:.3f}", f"{before(ours, stages) / GDB_11[n]:.1f}"]
        rows.append([n + 1, *ours, published, *(ratio if n < len(GDB_11) else ["-", "-"])])
    print_table([*head, "ours/GDB-11", "before filters/GDB-11"], rows)


def before(ours: tuple[int, ...], stages: list[str]) -> int:
    return ours[stages.index("molecules_by_valence")]


def print_rejected(found: enumeration.Enumeration) -> None:
    tables = {
        "graphs": filters.GRAPH_RULES,
        "skeletons": filters.SKELETON_RULES,
        "molecules": filters.MOLECULE_RULES,
    }
    source = {rule.name: (kind, rule.source) for kind, rules in tables.items() for rule in rules}
    sizes = range(1, len(found.counts["graphs"]) + 1)
    rows = [
        [name, *source.get(name, ("molecules", "duplicate")), *numbers]
        for name, numbers in found.rejected.items()
        if any(numbers)
    ]
    print_table(["left out", "of", "source", *map(str, sizes)], rows)


def compare(name: str) -> None:
    """Print how our molecules of C, N, O and those of QM7 overlap."""
    data = datasets.load(name)
    theirs, problems, n_molecules = {}, [], 0
    for index, (numbers, positions) in enumerate(data.structures):
        if 16 in numbers:
            continue
        n_molecules += 1
        try:
            molecule = perceive(numbers, positions)
        except ValueError as error:
            problems.append((index, str(error).splitlines()[0]))
        else:
            theirs[identifier(molecule)] = molecule
    found = enumeration.enumerate_molecules(7, ("C", "N", "O"), stereo=False)
    molecules = [Chem.MolFromSmiles(smiles) for smiles in found.smiles]
    ours = {identifier(molecule): molecule for molecule in molecules}
    both = ours.keys() & theirs.keys()
    missing = [molecule for key, molecule in theirs.items() if key not in ours]
    extra = [molecule for key, molecule in ours.items() if key not in theirs]
    print(f"QM7: {n_molecules} molecules without S, {len(theirs)} different up to tautomers, ")
    print(f"{len(problems)} without a valid graph {problems[:SHOWN]}.")
    print(f"In our list: {len(both)} ({100 * len(both) / len(theirs):.2f} %).")
    print(f"Of our {len(ours)}, {100 * len(both) / len(ours):.1f} % are in QM7.\n")
    print_groups("QM7's, missing here; by the rule", missing, filters.molecule_rule)
    print_groups("ours, not in QM7; by the group", extra, reason)


def identifier(molecule: Any) -> str:
    return str(rdinchi.MolToInchi(molecule, options="-SNon")[0])


def perceive(numbers: np.ndarray, positions: np.ndarray) -> Any:
    """Molecule without hydrogen and stereochemistry, from bond lengths and valences."""
    table = Chem.GetPeriodicTable()
    radii = np.array([table.GetRcovalent(int(number)) for number in numbers])
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    heavy = numbers > 1
    bonded = (distances < BOND * (radii[:, None] + radii[None])) & heavy[:, None] & heavy
    # One molecule of QM7 has C-H bonds of 1.35 Å: a hydrogen belongs to the nearest heavy atom.
    nearest = np.where(heavy, distances, np.inf)[~heavy].argmin(axis=1)
    bonded[nearest, np.flatnonzero(~heavy)] = True
    molecule = Chem.RWMol()
    conformer = Chem.Conformer(len(numbers))
    for k, (number, position) in enumerate(zip(numbers, positions, strict=True)):
        atom = Chem.Atom(int(number))
        atom.SetNoImplicit(True)
        molecule.AddAtom(atom)
        conformer.SetAtomPosition(k, [float(x) for x in position])
    for i, j in zip(*np.nonzero(np.triu(bonded | bonded.T, 1)), strict=True):
        molecule.AddBond(int(i), int(j), Chem.BondType.SINGLE)
    molecule.AddConformer(conformer)
    with rdBase.BlockLogs():
        rdDetermineBonds.DetermineBondOrders(molecule, charge=0)
        flat = Chem.RemoveHs(molecule)
        return Chem.MolFromSmiles(Chem.MolToSmiles(flat, isomericSmiles=False))


def reason(molecule: Any) -> str:
    """Why a molecule of ours is not in QM7, as far as we see."""
    if outside_composition(molecule):
        return "composition: N+O > C, N > 4/7 C or O >= 2/3 C, nitrile N counted as O"
    if molecule.HasSubstructMatch(NITRO):
        return "nitro compound"
    if molecule.HasSubstructMatch(CROWDED) and molecule.HasSubstructMatch(UNSATURATED):
        return "quaternary carbon in a ring of three and a multiple bond"
    return "no reason seen"


def outside_composition(molecule: Any) -> bool:
    """Outside the ratios of the elements that hold for all molecules of QM7."""
    counts = Counter(atom.GetSymbol() for atom in molecule.GetAtoms())
    n_nitriles = len(molecule.GetSubstructMatches(Chem.MolFromSmarts("C#N")))
    carbon, nitrogen = counts["C"], counts["N"] - n_nitriles
    oxygen = counts["O"] + n_nitriles
    return nitrogen + oxygen > carbon or 7 * nitrogen > 4 * carbon or 3 * oxygen >= 2 * carbon


def print_groups(title: str, molecules: list[Any], group: Any) -> None:
    members: dict[str, list[str]] = {}
    for molecule in molecules:
        members.setdefault(group(molecule) or "no rule", []).append(Chem.MolToSmiles(molecule))
    ordered = sorted(members.items(), key=lambda item: -len(item[1]))
    rows = [
        [name, len(found), "`" + "` `".join(found[:: max(1, len(found) // SHOWN)][:SHOWN]) + "`"]
        for name, found in ordered
    ]
    print_table([f"{len(molecules)} {title}", "molecules", "some of them"], rows)


if __name__ == "__main__":
    main()
