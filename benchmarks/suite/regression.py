"""Kernel ridge regression: 1000 rows of 276 features, or the atoms of 100 molecules."""

import numpy as np

import molkern as mk

from . import libraries

N_ROWS, N_FEATURES = 1000, 276
N_STRUCTURES = 100
N_TUNED = 300
ALPHA = 1e-6


def labels(X):
    """Smooth in the features."""
    return np.sin(0.1 * X[:, :8]).sum(axis=1)


class Models:
    """Fit with given parameters, prediction of half as many rows, and the choice of parameters
    from the default grid by five folds on 300 rows."""

    param_names = ("kernel", "n_threads")
    params = (["laplacian", "gaussian"], [1, 2])

    def setup(self, kernel, n_threads):
        self.X = libraries.features(N_ROWS, N_FEATURES, "float64")
        self.y = labels(self.X)
        self.open = mk.regression.KernelRidge(kernel=kernel, n_threads=n_threads)
        self.model = mk.regression.KernelRidge(
            kernel=kernel, sigma=libraries.SIGMA[kernel], alpha=ALPHA, n_threads=n_threads
        ).fit(self.X, self.y)

    def time_fit(self, kernel, n_threads):
        self.model.fit(self.X, self.y)

    def time_predict(self, kernel, n_threads):
        self.model.predict(self.X[::2])

    def time_fit_with_search(self, kernel, n_threads):
        self.open.fit(self.X[:N_TUNED], self.y[:N_TUNED])

    def peakmem_fit(self, kernel, n_threads):
        self.model.fit(self.X, self.y)


class LocalModels:
    """The same with the similarities of atoms, 720 features each."""

    param_names = ("dtype", "n_threads")
    params = (["float64", "float32"], [1, 2])

    def setup(self, dtype, n_threads):
        self.structures = libraries.structures(N_STRUCTURES)
        self.X = libraries.atom_features(len(self.structures.numbers), 720, dtype)
        self.y = self.structures.sizes.astype(float)
        self.model = mk.regression.KernelRidge(
            kernel="local.gaussian", sigma=20.0, alpha=ALPHA, n_threads=n_threads
        ).fit(self.X, self.y, self.structures)

    def time_fit(self, dtype, n_threads):
        self.model.fit(self.X, self.y, self.structures)

    def time_predict(self, dtype, n_threads):
        self.model.predict(self.X, self.structures)


class Libraries:
    """Against whom? Fit and prediction with the same parameters, one thread."""

    param_names = ("kernel", "library")
    params = (["laplacian", "gaussian"], ["molkern", "scikit-learn"])

    def setup(self, kernel, library):
        self.X = libraries.features(N_ROWS, N_FEATURES, "float64")
        self.y = labels(self.X)
        self.model = libraries.kernel_ridge(library, kernel, ALPHA).fit(self.X, self.y)
        residual = np.abs(self.model.predict(self.X[::2]) - self.y[::2]).max()
        assert residual < 1e-3, residual

    def time_fit(self, kernel, library):
        self.model.fit(self.X, self.y)

    def time_predict(self, kernel, library):
        self.model.predict(self.X[::2])
