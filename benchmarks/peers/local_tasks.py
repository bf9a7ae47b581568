"""Tasks of the representations of atoms, their derivatives and their kernel."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import molkern as mk
from peers import atom_adapters, ours, soap_adapters
from peers.molecules import Pair, evenly_spaced
from peers.task import Task, available

N_VALUES = 500
N_GRADIENTS = 200
N_JACOBIAN = 20  # 0.7 GB of derivatives
N_KERNEL = 100
SIGMA = 2.0
Builder = Callable[..., Any]


def some(pairs: list[Pair], n_structures: int) -> list[Pair]:
    rows = evenly_spaced(pairs, n_structures)
    return pairs if rows is None else [pairs[i] for i in rows]


def soap(n_threads: int, **options: Any) -> mk.SOAP:
    """5740 features."""
    species = soap_adapters.SPECIES
    return mk.SOAP(species=species, n_threads=n_threads, **soap_adapters.SETTINGS, **options)


def acsf(n_threads: int) -> mk.ACSF:
    """285 features."""
    species, g2, g4 = soap_adapters.SPECIES, atom_adapters.G2, atom_adapters.G4
    return mk.ACSF(species=species, r_cut=6.0, g2=g2, g4=g4, n_threads=n_threads)


def aev(n_threads: int) -> mk.AEV:
    """384 features."""
    return mk.AEV("ani-1x", dtype="float32", n_threads=n_threads)


def functions_of_fchl19_size(n_threads: int) -> mk.ACSF:
    """720 features of each atom, as many as qmllib's FCHL19 has for five elements."""
    g2 = [(eta, shift) for eta in (1.0, 4.0, 16.0) for shift in (1, 1.5, 2, 2.5, 3, 4, 5)]
    g2 += [(0.5, 1.0), (0.5, 3.0)]
    g4 = [
        (eta, zeta, sign)
        for eta in (0.01, 0.03, 0.1, 0.3, 1.0)
        for zeta in (1, 2, 4, 16)
        for sign in (1, -1)
    ]
    species = soap_adapters.SPECIES
    return mk.ACSF(species=species, r_cut=6.0, g2=g2, g4=g4, n_threads=n_threads)


def values_task(
    make: Builder,
    builders: list[Builder],
    description: str,
    name: str,
    pairs: list[Pair],
    threads: int,
) -> Task:
    """``make(n_threads)`` gives our representation; of every atom, or with its average."""
    pairs = some(pairs, N_VALUES)
    peers, skipped = available(builders, pairs, threads)
    mine = ours.local_contestants(make, pairs, threads)
    made = make(1)
    return Task(
        name,
        description,
        pairs,
        len(pairs),
        mine + peers,
        skipped,
        of_atoms=made.average is None,
        precision=made.dtype,
    )


def soap_builders(basis: str, average: str | None, dtype: str) -> list[Builder]:
    """The other libraries that have such a result; DScribe has all of them."""
    builders: list[Builder] = [partial(soap_adapters.dscribe_soap, basis, average, dtype)]
    if basis == "polynomial" or dtype == "float32" or average == "outer":
        return builders
    builders.append(partial(soap_adapters.quippy_soap, average))
    if average is None:
        builders += [soap_adapters.featomic_soap_blocks, soap_adapters.featomic_soap_dense]
    return builders


def soap_task(
    name: str,
    pairs: list[Pair],
    threads: int,
    *,
    basis: str = "gto",
    average: str | None = None,
    dtype: str = "float64",
) -> Task:
    words = f"average {average}" if average else "one row for each atom"
    description = f"SOAP, {basis}, n_max 8, l_max 6, r_cut 5 Å, 5 elements, {words}"
    make = partial(soap, radial_basis=basis, average=average, dtype=dtype)
    builders = soap_builders(basis, average, dtype)
    return values_task(make, builders, description, name, pairs, threads)


def acsf_task(*rest: Any) -> Task:
    builders = [atom_adapters.dscribe_acsf, atom_adapters.qmllib_acsf]
    return values_task(acsf, builders, "ACSF, 8 G2 and 16 G4, r_cut 6 Å, 5 elements", *rest)


def without_sulphur(pairs: list[Pair]) -> list[Pair]:
    """ANI-1x knows H, C, N and O."""
    return [pair for pair in pairs if set(pair[0].tolist()) <= set(atom_adapters.ANI_1X)]


def aev_task(name: str, pairs: list[Pair], threads: int) -> Task:
    description = "AEV of ANI-1x, float32, molecules of H, C, N, O"
    builders = [atom_adapters.torchani_aev]
    return values_task(aev, builders, description, name, without_sulphur(pairs), threads)


def gradients_task(
    make: Builder,
    builders: list[Builder],
    description: str,
    n_structures: int,
    name: str,
    pairs: list[Pair],
    threads: int,
) -> Task:
    """Our ``vjp`` and ``jacobian`` beside what other libraries have."""
    pairs = some(pairs, n_structures)
    peers, skipped = available(builders, pairs, threads)
    contestants = ours.gradient_contestants if "vjp" in name else ours.jacobian_contestants
    return Task(
        name,
        description,
        pairs,
        len(pairs),
        contestants(make, pairs, threads) + peers,
        skipped,
        of_atoms=True,
        precision=make(1).dtype,
    )


SOAP_DERIVATIVES = [
    soap_adapters.featomic_soap_derivatives,
    soap_adapters.dscribe_soap_derivatives,
    soap_adapters.quippy_soap_derivatives,
]
ACSF_DERIVATIVES = [atom_adapters.qmllib_acsf_derivatives, atom_adapters.dscribe_acsf_derivatives]


def soap_vjp_task(*rest: Any) -> Task:
    words = "Gradient through SOAP (vjp), beside the others' derivatives"
    return gradients_task(soap, SOAP_DERIVATIVES, words, N_GRADIENTS, *rest)


def soap_jacobian_task(*rest: Any) -> Task:
    words = "All derivatives of SOAP"
    return gradients_task(soap, SOAP_DERIVATIVES, words, N_JACOBIAN, *rest)


def acsf_vjp_task(*rest: Any) -> Task:
    words = "Gradient through ACSF (vjp), beside the others' derivatives"
    return gradients_task(acsf, ACSF_DERIVATIVES, words, N_GRADIENTS, *rest)


def aev_vjp_task(name: str, pairs: list[Pair], threads: int) -> Task:
    words = "Gradient through the AEV of ANI-1x (vjp), float32 features"
    builders = [atom_adapters.torchani_aev_derivatives]
    pairs = without_sulphur(pairs)
    return gradients_task(aev, builders, words, N_GRADIENTS, name, pairs, threads)


def local_gaussian_task(name: str, pairs: list[Pair], threads: int) -> Task:
    pairs = some(pairs, N_KERNEL)
    X = functions_of_fchl19_size(threads).fit_transform(pairs)
    builders = [
        partial(atom_adapters.qmllib_local, SIGMA),
        partial(atom_adapters.kernelforge_local, SIGMA),
    ]
    peers, skipped = available(builders)
    mine = ours.local_kernel_contestants(SIGMA, len(pairs), threads)
    description = (
        f"Local Gaussian kernel of {len(pairs)} molecules, {len(X)} atoms, {X.shape[1]} features "
        f"(ACSF, as many as FCHL19 has), sigma {SIGMA:g}"
    )
    return Task(name, description, (X, pairs), len(pairs), mine + peers, skipped)


BUILDERS: dict[str, Callable[[str, list[Pair], int], Task]] = {
    "soap": soap_task,
    "soap_polynomial": partial(soap_task, basis="polynomial"),
    "soap_float32": partial(soap_task, dtype="float32"),
    "soap_inner": partial(soap_task, average="inner"),
    "soap_outer": partial(soap_task, average="outer"),
    "soap_vjp": soap_vjp_task,
    "soap_jacobian": soap_jacobian_task,
    "acsf": acsf_task,
    "acsf_vjp": acsf_vjp_task,
    "aev": aev_task,
    "aev_vjp": aev_vjp_task,
    "local_gaussian": local_gaussian_task,
}
