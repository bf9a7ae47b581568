"""What names in files mean: energies, forces, cells, bookkeeping. A dialect is an entry here."""

from __future__ import annotations

import re

from molkern.datasets.named_units import split_name

__all__ = [
    "CELLS",
    "COUNTS",
    "INDICES",
    "KINDS",
    "NUMBERS",
    "OFFSETS",
    "PBC",
    "POSITIONS",
    "TYPES",
    "is_bookkeeping",
    "is_cell_name",
    "is_energy_name",
    "is_forces_name",
    "is_fractional_name",
    "is_gradient_name",
    "is_intensive_name",
    "is_mask_name",
    "is_of_atoms_name",
    "is_of_structure_name",
    "is_part_of_energy",
    "is_plain_forces_name",
    "is_stress_name",
    "is_virial_name",
    "marks_of",
    "pairs_with",
    "words_of",
]

# Names of arrays in lower case, the most telling first.
NUMBERS = (
    "numbers atomic_numbers atomicnumbers atomic_number nuclear_charges z species elements element "
    "symbols atnum atom_numbers atom_symbols"
).split()
TYPES = "atom_types atom_type types type atype".split()
POSITIONS = (
    "positions position coordinates coords coord cart_coords cartesian_coordinates conformations "
    "conformers geometries geometry atxyz pos xyz r r_bohr r_angstrom"
).split()
CELLS = (
    "cells cell lattices lattice _cell cell_vectors lattice_vectors unit_cells unit_cell boxes box "
    "box_vectors box_length box_lengths box_size cell_lengths cellpar cell_parameters"
).split()
PBC = (
    "pbc _pbc pbcs periodic is_periodic periodicity boundary periodic_boundary "
    "periodic_boundary_conditions boundary_conditions"
).split()
OFFSETS = "offsets offset ptr mol_ptr".split()
# The structure of each atom, as PyTorch Geometric and SchNetPack number them.
INDICES = (
    "batch idx_m _idx_m mol_id mol_idx molecule_id molecule_index structure_id batch_index".split()
)
COUNTS = "n n_atoms num_atoms natoms natom n_atom counts sizes".split()
KINDS = "config_type configtype config_types".split()
# Whole names of total energies, in lower case; longer names are told by their words.
_ENERGIES = frozenset(
    "e e0 e_0 en ener etot e_tot etotal toten e_dft edft e_pot epot u u0 u_0 u0_atom u298 "
    "u298_atom u_298 h h298 h298_atom h_298 g g298 g298_atom g_298 hof heat_of_formation eat ae "
    "scf zpve potential potential_total".split()
)
_ENERGY = re.compile(r"energ(y|ies|ie|ia)|\beng\b|enthalp|heat of formation|\bener\b")
# Words that say which energy it is, before or after an e: E_total, E_KS, ref_e, E(RB3LYP).
_WHICH = (
    r"(?:tot|total|ref|reference|dft|ks|pot|potential|el|elec|electronic|scf|qm|ml|0|f|final|form|"
    r"coh|at|atom|ads|bind|binding|int|disp|vdw|zpe|kin|corr|conf|free|sol|solv|rel|relative|gs|"
    r"(?:r|u|ro)?(?:hf|b3lyp|blyp|bp86|pbe\w*|revpbe|rpbe|tpss\w*|r?2?scan\w*|m0\w+|wb97\w*|"
    r"b97\w*|hse\w*|mp\d|ccsd\w*|cc\d?|lda|gga|pw91|cam|dlpno|cbs|casscf|mrci|fci|dmc|vmc|gw|"
    r"rpa|mbd|d\d\w*|xtb|gfn\w*|pm\d|am1|dftb\d?|mace|gap|nn|ani\w*|vasp|aims|cp2k|qe|g\d\w*))"
)
_LETTER = re.compile(
    rf"(?:{_WHICH} )*(?:e|e0|etot|etotal|epot|toten|edft|eref)(?: {_WHICH}(?= |$))*"
    r"(?: (?:svp|tz|dz|qz|tzvp|tzvpp|t|cbs|631g|\d+))*"
)
# A part of the total energy, or one that is measured from somewhere else: meant if nothing else is.
_PART = re.compile(
    r"\b(disp|dispersion|vdw|kin|kinetic|ke|zero point|zpe|repulsion|repulsive|nuclear|coulomb|"
    r"electrostatic|exchange|correlation|correction|solvation|vibrational|thermal|entropy|"
    r"atomization|atomisation|formation|cohesive|coh|ads|adsorption|interaction|int|binding|"
    r"hull|reaction|barrier|activation|relative|strain|deformation|free|gibbs|external|smearing|"
    r"xc|nn|one electron|two electron|bond|angle|torsion|improper|lj|long|short|pair|restraint|"
    r"bias|shift|offset|conserved|baseline|delta|difference|diff)\b"
)
# Of one electron, of one state or of one atom: no sum over atoms, whatever the unit.
_INTENSIVE = re.compile(
    r"\b(gap|homo\d*|lumo\d*|orbitals?|fermi|band|bandgap|ionization|ionisation|ip|affinity|ea|"
    r"excitation|excited|singlet|triplet|s1|t1|electronegativity|hardness|"
    r"per atom|peratom|pa|per site|per formula unit|by atom|specific|eigenvalues?)\b"
)
# Of an energy, but none: its error, its weight in a fit, its unit.
_ABOUT = re.compile(
    r"\b(errors?|err|std|stddev|sigma|uncertainty|variance|weights?|cutoff|threshold|units?|"
    r"convergence|converged|residual|rmse|mae|rms|mad|tolerance|tol|var|deviation|noise)\b"
)
_FORCES = re.compile(r"\b(forces?|forc|totfor|frc)\b")
_GRADIENT = re.compile(r"\b(gradients?|grads?)\b")
_STRESS = re.compile(r"\bstress(es)?\b")
_VIRIAL = re.compile(r"\bvirials?\b")
# How many there are, or which one, of what has an energy.
_COUNTS_ENERGIES = re.compile(r".*\b(index|idx|ids?|count|rank|calls|evaluations|levels?|rmse|mae)")
_CELL_WORDS = frozenset(
    "cell cells lattice lattices box boxes latvec latvecs lat hmat unitcell supercell simcell "
    "bravais cellpar".split()
)
_OF_CELLS = frozenset(
    "volume angles type system energy unit units id index origin offset shift stress virial "
    "gradient grad gradients velocity force forces strain displacement pbc".split()
)
_POSITION_WORDS = frozenset(
    "position positions pos coordinates coordinate coords coord r xyz".split()
)
_OF_FORCES = frozenset(
    "weight weights rmse mae max min mean rms norm norms scale std error errors sum mask "
    "threshold tolerance constant constants count magnitude converged unit units".split()
)
_OF_STRUCTURES = frozenset(
    "dipole dipoles mu quadrupole octupole polarizability polarizabilities polarisability alpha "
    "tensor energies energy eigenvalues frequencies spectrum".split()
)
_OF_ATOMS = frozenset(
    "charge charges mulliken hirshfeld loewdin lowdin esp resp spin spins magmom magmoms atomic "
    "atom atoms partial mass masses shielding shieldings nmr tags tag".split()
)
_PLAIN = frozenset("e f total tot free potential pot negative neg minus".split())
_CORRECTIONS = frozenset("d2 d3 d3bj d4 mbd ts vv10".split())
_ATOMIZATION = frozenset("eat ae hof heat_of_formation zpve".split())
# Numbers that say which structure it is, when, or how it was computed.
_BOOKKEEPING = frozenset(
    "step steps timestep timesteps time t frame frames frameno framenumber image iteration iter i "
    "n index idx id ids no number num nr count config conf conformer structure molecule mol system "
    "sys row key seed replica walker generation epoch rank fold split origin sourceframe serial "
    "charge totalcharge multiplicity mult spin nelect nelectrons natoms nat natom size nsteps "
    "temperature temp pressure mass weight weights age duration cputime cpu walltime wall runtime "
    "date year version converged periodic pbc volume md5 hash uid uuid pid jobid job nelec "
    "nelectron scfcycles cycles cycle ncycles scfsteps mdstep mdsteps ecut encut ecutwfc ecutrho "
    "cutoff kpoints nkpts sigma smearing energysigma elapsed memory threads ncores".split()
)
_COUNTED = frozenset(
    "index idx id ids no number num nr count step frame time config conf structure molecule mol "
    "atoms electrons charge spin multiplicity weight seed".split()
)


def words_of(name: str) -> str:
    """The words of a name in lower case, with spaces between them.

    Examples
    --------
    >>> words_of("TotEnergy"), words_of("wb97x_dz.energy"), words_of("REF_forces")
    ('tot energy', 'wb97x dz energy', 'ref forces')
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", " ", name)
    return re.sub(r"[\W_]+", " ", spaced).strip().lower()


def is_cell_name(name: str) -> bool:
    """Whether a name speaks of the cell, so that six or nine numbers under it are one.

    Examples
    --------
    >>> [is_cell_name(n) for n in ("simulation_cell", "lattice_matrix", "cell_volume", "hmat")]
    [True, True, False, True]
    """
    words = set(words_of(split_name(name)[0]).replace("unit cell", "unitcell").split())
    return bool(words & _CELL_WORDS) and not words & _OF_CELLS


def is_energy_name(name: str) -> bool:
    """Whether a name says that it is an energy of a whole structure.

    Examples
    --------
    >>> [is_energy_name(n) for n in ("REF_energy", "U0", "gap_energy", "energy_weight")]
    [True, True, False, False]
    >>> [is_energy_name(n) for n in ("E_total", "PotEng", "E(RB3LYP)", "E_kcal_mol", "E_field")]
    [True, True, True, True, False]
    """
    base = split_name(name)[0]
    words = words_of(base)
    if is_intensive_name(name) or is_mask_name(name) or _ABOUT.search(words.replace("sigma 0", "")):
        return False
    if base.strip().lower() in _ENERGIES or words.replace(" ", "_") in _ENERGIES:
        return True
    if _ENERGY.search(words) and not (is_forces_name(name) or is_gradient_name(name)):
        return not _COUNTS_ENERGIES.fullmatch(words)
    if _LETTER.fullmatch(words):
        return True
    # The energy that PBE0+MBD gives is called ePBE0+MBD in QM7-X.
    return bool(re.match(r"e[A-Z]{2,}", base))


def is_part_of_energy(name: str) -> bool:
    """Whether an energy is a part or a kind that is rarely meant where there is another.

    Examples
    --------
    >>> [is_part_of_energy(n) for n in ("dispersion_energy", "free_energy", "E_ads", "REF_energy")]
    [True, True, True, False]
    """
    base = split_name(name)[0]
    words = words_of(base)
    # Of a functional with a correction it is the whole, of the correction alone a part.
    rest = set(words.split()) - {"e", "energy", "energies"}
    return bool(
        _PART.search(words) or (rest and rest <= _CORRECTIONS) or base.lower() in _ATOMIZATION
    )


def is_intensive_name(name: str) -> bool:
    """Whether a name says that a property is no sum over atoms: of an orbital, for each atom.

    Examples
    --------
    >>> [is_intensive_name(n) for n in ("gap", "energy_per_atom", "eV/atom", "energy")]
    [True, True, True, False]
    """
    words = words_of(name)
    return bool(_INTENSIVE.search(words)) or bool(re.search(r"/\s*(n_?)?atoms?\b", name.lower()))


def is_forces_name(name: str) -> bool:
    """Whether a name with three numbers for each atom means forces.

    Examples
    --------
    >>> [is_forces_name(n) for n in ("REF_forces", "F", "negative_gradient", "gradient")]
    [True, True, True, False]
    """
    if _is_negative(name):
        return bool(_GRADIENT.search(words_of(name)))
    base = split_name(name)[0]
    # F, f, F_ref, dft_F; an f among other words may be an orbital.
    return bool(_FORCES.search(words_of(base)) or re.fullmatch(r"f|(\w+[_.])?F([_.]\w+)?", base))


def is_gradient_name(name: str) -> bool:
    """Whether a name with three numbers for each atom means the gradient of an energy.

    Examples
    --------
    >>> [is_gradient_name(n) for n in ("dE/dR", "dft_gradient", "negative_forces", "forces")]
    [True, True, True, False]
    """
    words = words_of(name)
    if _is_negative(name) and (_FORCES.search(words) or "f" in words.split()):
        return True
    letters = re.sub(r"[\W_]", "", name.lower())
    spelled = r"(total|nuclear)?de(nergy)?d[rx].*|grad(ient)?s?(e|energy)?"
    return bool(_GRADIENT.search(words) or re.fullmatch(spelled, letters))


def _is_negative(name: str) -> bool:
    """Whether a name says that the sign is turned."""
    return bool(re.search(r"\b(negative|neg|minus)\b", words_of(name))) or name.startswith("-")


def is_fractional_name(name: str) -> bool:
    """Whether a name says that positions are multiples of the cell's vectors.

    Examples
    --------
    >>> [is_fractional_name(n) for n in ("scaled_positions", "frac_coords", "positions")]
    [True, True, False]
    """
    words = set(words_of(name).split())
    known = {"scaled", "frac", "fractional", "reduced", "direct", "crystal", "relative"}
    return name.lower() in ("fcoords", "s_positions") or (
        bool(words & known) and (bool(words & (_POSITION_WORDS | {"x"})) or len(words) == 1)
    )


def is_plain_forces_name(name: str) -> bool:
    """Whether a name of forces or gradients means nothing derived from them: a weight, an error.

    Examples
    --------
    >>> [is_plain_forces_name(n) for n in ("dft_forces", "forces_rmse", "force_weight")]
    [True, False, False]
    """
    words = set(words_of(split_name(name)[0]).split())
    return not words & _OF_FORCES


def is_of_structure_name(name: str) -> bool:
    """Whether a name means a vector or a tensor of a whole structure, whatever its shape.

    Examples
    --------
    >>> [is_of_structure_name(n) for n in ("dipole", "stress", "charges")]
    [True, True, False]
    """
    words = set(words_of(split_name(name)[0]).split())
    return bool(words & _OF_STRUCTURES) or is_stress_name(name) or is_virial_name(name)


def is_of_atoms_name(name: str) -> bool:
    """Whether a name means one number for each atom, where the shape leaves it open.

    Examples
    --------
    >>> [is_of_atoms_name(n) for n in ("partial_charges", "magmoms", "dipole")]
    [True, True, False]
    """
    return bool(set(words_of(name).split()) & _OF_ATOMS)


def is_mask_name(name: str) -> bool:
    """Whether a name means flags that say which atoms or labels there are.

    Examples
    --------
    >>> [is_mask_name(n) for n in ("atom_mask", "E_valid", "has_energy", "energy")]
    [True, True, True, False]
    """
    words = words_of(name).split()
    return bool(set(words) & {"mask", "masks", "valid", "invalid", "missing", "masked"}) or (
        words[:1] == ["has"]
    )


def is_stress_name(name: str) -> bool:
    """Whether a name with six or nine numbers means the stress."""
    return bool(_STRESS.search(words_of(name)))


def is_virial_name(name: str) -> bool:
    """Whether a name with six or nine numbers means the virial."""
    return bool(_VIRIAL.search(words_of(name)))


def is_bookkeeping(name: str) -> bool:
    """Whether a number under this name tells which structure it is, and no property.

    Examples
    --------
    >>> [is_bookkeeping(n) for n in ("Timestep", "config_id", "charge", "gap", "mu")]
    [True, True, True, False, False]
    """
    if is_energy_name(name):
        return False
    words = words_of(split_name(name)[0]).split() or [""]
    # The unit of a time or a temperature may be one letter.
    plain = words[:-1] if words[-1] in ("s", "k", "sec", "min", "hours", "fs", "ps") else words
    return (
        any("".join(part) in _BOOKKEEPING for part in (words, plain))
        or words[-1] in _COUNTED
        or (len(words) == 2 and words[0] in ("n", "num", "number"))
    )


def marks_of(name: str) -> frozenset[str]:
    """The words of a name but for those that say what it is: a method, REF, DFT.

    Examples
    --------
    >>> sorted(marks_of("REF_energy")), sorted(marks_of("forces"))
    (['ref'], [])
    """
    words = words_of(split_name(name)[0])
    for kind in (_ENERGY, _FORCES, _GRADIENT, _STRESS, _VIRIAL):
        words = kind.sub(" ", words)
    return frozenset(words.split()) - _PLAIN


def pairs_with(energy: str, other: str) -> bool:
    """Whether forces or a stress bear the same marks as an energy: REF_energy, REF_forces.

    Examples
    --------
    >>> pairs_with("REF_energy", "REF_forces"), pairs_with("energy", "REF_forces")
    (True, False)
    """
    return marks_of(energy) == marks_of(other)
