"""GFN2-xTB by tblite: relaxation and labels of a molecule.

C. Bannwarth, S. Ehlert, S. Grimme, J. Chem. Theory Comput. 15, 1652 (2019),
doi:10.1021/acs.jctc.8b01176.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

from molkern.datasets.build.pool import Failure
from molkern.datasets.units import BOHR, conversion_factor
from molkern.structures import SYMBOLS

__all__ = [
    "FREE_ATOMS",
    "HARTREE_KCAL",
    "as_ase",
    "atom_energy",
    "calculator",
    "labels",
    "relax",
    "supported",
]

METHOD = "GFN2-xTB"
ACCURACY = 0.01  # of tblite: thresholds of the self-consistent charges, in units of its default
FORCE = 0.01  # eV/Å, largest force on an atom left by the relaxation
STEPS = 500
FIELD = 0.001  # atomic units; polarizabilities by central differences of the dipole

HARTREE_EV = conversion_factor("hartree", "eV")
HARTREE_KCAL = conversion_factor("hartree", "kcal/mol")
DEBYE = 2.541746471  # one atomic unit of dipole moment; CODATA 2022

# Unpaired electrons of the free atoms in their ground states.
FREE_ATOMS = {1: 1, 6: 2, 7: 3, 8: 2, 9: 1, 16: 2}

Numbers = npt.NDArray[np.int32]
Positions = npt.NDArray[np.float64]


def calculator(numbers: Numbers, positions: Positions, unpaired: int = 0) -> Any:
    """A tblite calculator that prints nothing."""
    from tblite.interface import Calculator

    made = Calculator(METHOD, numbers, positions / BOHR, uhf=unpaired)
    made.set("verbosity", 0)
    made.set("accuracy", ACCURACY)
    return made


def single_point(made: Any) -> Any:
    """Result of a calculation.

    Raises
    ------
    Failure
        If the charges do not converge.
    """
    try:
        return made.singlepoint()
    except RuntimeError as error:
        raise Failure(f"GFN2-xTB: {error}") from error


@functools.cache
def atom_energy(number: int) -> float:
    """Energy of a free atom in hartree, at tblite's electronic temperature of 300 K.

    Open shells have an electronic entropy there: 1.1 kcal/mol for C, O, F and S, none for H and N.
    """
    made = calculator(np.array([number], dtype=np.int32), np.zeros((1, 3)), FREE_ATOMS[number])
    return float(single_point(made).get("energy"))


def relax(numbers: Numbers, positions: Positions) -> Positions:
    """Positions in Å at a stationary point: BFGS until no force exceeds 0.01 eV/Å.

    Raises
    ------
    Failure
        If it does not converge.
    """
    from ase.optimize import BFGS

    atoms = as_ase(numbers, positions)
    optimizer: Any = BFGS(atoms, logfile=None)
    try:
        converged = optimizer.run(fmax=FORCE, steps=STEPS)
    except RuntimeError as error:
        raise Failure(f"relaxation: {error}") from error
    if not converged:
        left = float(np.abs(atoms.get_forces()).max())
        raise Failure(f"relaxation: a force of {left:.2g} eV/Å is left after {STEPS} steps")
    return np.array(atoms.positions, dtype=np.float64)


def as_ase(numbers: Numbers, positions: Positions) -> Any:
    """``ase.Atoms`` that computes with GFN2-xTB."""
    from ase import Atoms
    from tblite.ase import TBLite

    atoms = Atoms(numbers=numbers, positions=positions)
    atoms.calc = TBLite(method=METHOD, accuracy=ACCURACY, verbosity=0)
    return atoms


def labels(numbers: Numbers, positions: Positions) -> dict[str, Any]:
    """Energies, frontier orbitals, dipole, polarizability and charges at a geometry.

    Returns
    -------
    dict
        ``total_energy`` hartree, ``atomization_energy`` kcal/mol (negative for a bound molecule),
        ``homo``, ``lumo``, ``gap`` eV, ``dipole`` debye, ``polarizability`` bohr^3 (isotropic, by
        finite fields), ``partial_charges`` (n_atoms,) in e.
    """
    result = single_point(calculator(numbers, positions))
    energy = float(result.get("energy"))
    free = sum(atom_energy(int(number)) for number in numbers)
    orbitals = np.asarray(result.get("orbital-energies"))
    occupied = np.asarray(result.get("orbital-occupations")) > 1.0
    homo = float(orbitals[occupied].max()) * HARTREE_EV
    lumo = float(orbitals[~occupied].min()) * HARTREE_EV
    return {
        "total_energy": energy,
        "atomization_energy": (energy - free) * HARTREE_KCAL,
        "homo": homo,
        "lumo": lumo,
        "gap": lumo - homo,
        "dipole": float(np.linalg.norm(result.get("dipole"))) * DEBYE,
        "polarizability": _polarizability(numbers, positions),
        "partial_charges": np.asarray(result.get("charges")).tolist(),
    }


def _polarizability(numbers: Numbers, positions: Positions) -> float:
    """A third of the trace of the derivative of the dipole by a uniform field."""
    trace = 0.0
    for axis in range(3):
        dipoles = []
        for sign in (1.0, -1.0):
            field = np.zeros(3)
            field[axis] = sign * FIELD
            made = calculator(numbers, positions)
            made.add("electric-field", field.tolist())  # cffi takes a list
            dipoles.append(np.asarray(single_point(made).get("dipole"))[axis])
        trace += (dipoles[0] - dipoles[1]) / (2 * FIELD)
    return float(trace) / 3


def supported(numbers: npt.ArrayLike) -> None:
    """Check the elements.

    Raises
    ------
    ValueError
        If one is not among those of the builder.
    """
    for number in np.unique(numbers).tolist():
        if number not in FREE_ATOMS:
            name = SYMBOLS[number] if number < len(SYMBOLS) else str(number)
            allowed = ", ".join(SYMBOLS[z] for z in FREE_ATOMS)
            raise ValueError(f"elements: expected {allowed}, found {name}")
