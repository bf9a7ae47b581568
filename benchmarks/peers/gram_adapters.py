"""Other libraries' Gram matrices of one feature matrix X, Gaussian and Laplacian."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from peers.race import Contestant, unchanged

Array = NDArray[np.float64]


def qmllib_gram(kernel: str, sigma: float) -> Contestant:
    """qmllib's symmetric kernels (Fortran, half of the pairs)."""
    from qmllib import kernels

    function = {
        "gaussian": kernels.gaussian_kernel_symmetric,
        "laplacian": kernels.laplacian_kernel_symmetric,
    }[kernel]

    def run(X: Array) -> Any:
        return function(X, sigma)

    return Contestant("qmllib", unchanged, run, note="its symmetric function")


def sklearn_gram(kernel: str, sigma: float) -> Contestant:
    """scikit-learn's rbf_kernel and laplacian_kernel."""
    from sklearn.metrics import pairwise

    def gaussian(X: Array) -> Any:
        return pairwise.rbf_kernel(X, gamma=0.5 / sigma**2)

    def laplacian(X: Array) -> Any:
        return pairwise.laplacian_kernel(X, gamma=1.0 / sigma)

    run = {"gaussian": gaussian, "laplacian": laplacian}[kernel]
    return Contestant("scikit-learn", unchanged, run)


def scipy_gram(kernel: str, sigma: float) -> Contestant:
    """SciPy's cdist and an exponential in place."""
    from scipy.spatial.distance import cdist

    metric = {"gaussian": "sqeuclidean", "laplacian": "cityblock"}[kernel]
    factor = {"gaussian": -0.5 / sigma**2, "laplacian": -1.0 / sigma}[kernel]

    def run(X: Array) -> Any:
        K = cdist(X, X, metric)
        K *= factor
        return np.exp(K, out=K)

    return Contestant("SciPy cdist", unchanged, run, note="one thread by design")


def numpy_gram(_: str, sigma: float) -> Contestant:
    """The product a user writes by hand."""

    def run(X: Array) -> Any:
        half_squares = np.einsum("ij,ij->i", X, X)
        half_squares *= 0.5
        K = X @ X.T
        K -= half_squares[:, None]
        K -= half_squares
        K *= 1.0 / sigma**2
        return np.exp(K, out=K)

    return Contestant("NumPy by hand", unchanged, run, note="product, then four passes in place")


def kernelforge_gram(_: str, sigma: float) -> Contestant:
    """kernelforge's symmetric Gaussian kernel, the only one it has for such features."""
    from kernelforge.global_kernels import kernel_gaussian_symm

    def run(X: Array) -> Any:
        return kernel_gaussian_symm(X, sigma)

    return Contestant("kernelforge", unchanged, run, note="its symmetric function")


PEERS = {
    "gaussian": (qmllib_gram, sklearn_gram, scipy_gram, numpy_gram, kernelforge_gram),
    "laplacian": (qmllib_gram, sklearn_gram, scipy_gram),
}
