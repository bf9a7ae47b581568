"""Seeded inputs, and the contestants of benchmarks/peers chosen by a library's name.

A library that is not installed raises NotImplementedError, which asv records as "not run".
"""

from functools import cache, partial

import numpy as np

import molkern as mk
from peers import adapters, atom_adapters, gram_adapters, local_tasks, ours, soap_adapters
from peers.molecules import synthetic_pairs

SIGMA = {"gaussian": 50.0, "laplacian": 500.0}
COULOMB = {
    "molkern": None,
    "qmllib": adapters.qmllib_coulomb,
    "dscribe": adapters.dscribe_coulomb,
    "numpy": adapters.numpy_coulomb,
}
LOCAL_MAKERS = {"soap": local_tasks.soap, "acsf": local_tasks.acsf, "aev": local_tasks.aev}
LOCAL = {
    ("soap", "dscribe"): partial(soap_adapters.dscribe_soap, "gto", None, "float64"),
    ("soap", "featomic"): soap_adapters.featomic_soap_blocks,
    ("soap", "quippy"): partial(soap_adapters.quippy_soap, None),
    ("acsf", "dscribe"): atom_adapters.dscribe_acsf,
    ("acsf", "qmllib"): atom_adapters.qmllib_acsf,
    ("aev", "torchani"): atom_adapters.torchani_aev,
}
LOCAL_KERNELS = {
    "molkern": None,
    "qmllib": atom_adapters.qmllib_local,
    "kernelforge": atom_adapters.kernelforge_local,
}
BAGS = {"molkern": None, "qmllib": adapters.qmllib_bags}
NEIGHBORS = ("molkern", "vesin", "ase")
GRAM = {
    "molkern": None,
    "qmllib": gram_adapters.qmllib_gram,
    "scikit-learn": gram_adapters.sklearn_gram,
    "scipy": gram_adapters.scipy_gram,
    "numpy": gram_adapters.numpy_gram,
    "kernelforge": gram_adapters.kernelforge_gram,
}


def with_local(representation):
    """Names of the libraries that have a representation of atoms."""
    return ["molkern", *(library for name, library in LOCAL if name == representation)]


@cache
def pairs(n_structures):
    return synthetic_pairs(n_structures)


def organic_pairs(n_structures):
    """The molecules of H, C, N and O among them: what ANI-1x knows."""
    return local_tasks.without_sulphur(pairs(n_structures))


@cache
def structures(n_structures):
    return mk.Structures.from_arrays(pairs(n_structures))


def frames(n_structures):
    return adapters.to_frames(pairs(n_structures))


def features(n_rows, n_features, dtype):
    """Descending positive rows, as sorted Coulomb matrices are: nothing to do with chance zeros."""
    rng = np.random.default_rng(0)
    return -np.sort(-rng.gamma(1.0, 8.0, size=(n_rows, n_features)), axis=1).astype(dtype)


def atom_features(n_atoms, n_features, dtype):
    return np.random.default_rng(0).random((n_atoms, n_features), dtype="float32").astype(dtype)


def _peer(builder, *arguments):
    try:
        return builder(*arguments)
    except ImportError as error:
        raise NotImplementedError(str(error)) from error


def coulomb(library, permutation, molecules):
    if library == "molkern":
        make = lambda p, n_threads: ours.coulomb_matrix(permutation, p, n_threads)  # noqa: E731
        return ours.representation_contestants(make, molecules, 1)[0]
    return _peer(COULOMB[library], permutation, molecules, 1)


def bags(library, molecules):
    if library == "molkern":
        return ours.representation_contestants(ours.bag_of_bonds, molecules, 1)[0]
    return _peer(BAGS[library], molecules, 1)


def local(library, representation, molecules):
    if library == "molkern":
        return ours.local_contestants(LOCAL_MAKERS[representation], molecules, 1)[0]
    return _peer(LOCAL[representation, library], molecules, 1)


def gram(library, kernel):
    if library == "molkern":
        return ours.gram_contestants(kernel, SIGMA[kernel], 1, 1)[0]
    if GRAM[library] not in gram_adapters.PEERS[kernel]:
        raise NotImplementedError(f"{library} has no {kernel} kernel")
    return _peer(GRAM[library], kernel, SIGMA[kernel])


def local_gram(library, sigma, n_structures):
    if library == "molkern":
        return ours.local_kernel_contestants(sigma, n_structures, 1)[0]
    return _peer(LOCAL_KERNELS[library], sigma)


def neighbors(library, structures, r_cut):
    """A search of the one structure, and the number of pairs in its result."""
    if library == "molkern":
        return partial(mk.neighbors.neighbor_list, structures, r_cut, n_threads=1), len
    return _peer(_vesin if library == "vesin" else _ase, structures, r_cut)


def _vesin(structures, r_cut):
    from vesin import NeighborList

    calculator = NeighborList(cutoff=r_cut, full_list=True)
    box = np.array(structures.cells[0])
    find = partial(calculator.compute, structures.positions, box, True, "ijSDd")
    return find, lambda found: len(found[0])


def _ase(structures, r_cut):
    from ase.neighborlist import neighbor_list

    return partial(neighbor_list, "ijSDd", structures.to_ase()[0], r_cut), lambda f: len(f[0])


def kernel_ridge(library, kernel, alpha):
    """A model with given parameters, of one thread."""
    sigma = SIGMA[kernel]
    if library == "molkern":
        return mk.regression.KernelRidge(kernel=kernel, sigma=sigma, alpha=alpha, n_threads=1)
    return _peer(_sklearn_ridge, kernel, sigma, alpha)


def _sklearn_ridge(kernel, sigma, alpha):
    from sklearn.kernel_ridge import KernelRidge

    if kernel == "gaussian":
        return KernelRidge(kernel="rbf", gamma=0.5 / sigma**2, alpha=alpha)
    return KernelRidge(kernel="laplacian", gamma=1.0 / sigma, alpha=alpha)
