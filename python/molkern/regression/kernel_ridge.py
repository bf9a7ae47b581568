"""Kernel ridge regression with the protocol that makes representations comparable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from molkern._atom_features import AtomFeatures
from molkern._errors import NotFittedError
from molkern._numbers import whole_number
from molkern.regression.baseline import Baseline, check_baseline, fit_baseline
from molkern.regression.inputs import (
    checked_features,
    checked_structures,
    grid,
    labels,
    require_known,
    taken_apart,
)
from molkern.regression.linear import blas_threads, predict_in_blocks, solve_with_larger_alpha
from molkern.regression.precomputed import Precomputed
from molkern.regression.protocol import Regressor
from molkern.regression.similarity import (
    LOCAL_KERNELS,
    LOCAL_TUNING_ROWS,
    MAX_BYTES,
    PRECOMPUTED,
    Inputs,
    Similarity,
    check_model_kernel,
    kernel_matrix,
)
from molkern.regression.validation import DEFAULT_ALPHAS, Tuned, default_sigmas, tune

__all__ = ["KernelRidge"]

Floats = npt.NDArray[np.float64]


class KernelRidge(Regressor):
    r"""Kernel ridge regression.

    .. math:: f(x) = b(x) + \sum_i c_i k(x, x_i), \qquad (K + \alpha I)\, c = y - b

    with a kernel of width ``sigma`` and a baseline :math:`b` fitted first.
    Follows the estimator protocol of scikit-learn (``clone``, ``Pipeline``, ``GridSearchCV``).

    Parameters
    ----------
    kernel : {"laplacian", "gaussian", "local.gaussian", "precomputed"}, default="laplacian"
        :math:`e^{-\|x-x'\|_1/\sigma}`, :math:`e^{-\|x-x'\|^2/(2\sigma^2)}`, or the sum of the
        latter over pairs of atoms of equal element (`molkern.kernels.local.gaussian`): X then has
        one row for each atom of ``structures``, float64 or float32. ``"precomputed"``: X is the
        kernel matrix, of the training structures in `fit`, and in `predict` with a row for each
        new structure and a column for each training structure.
    sigma : float, sequence of float, or None, default=None
        Width, > 0, in the unit of the features. A sequence is a grid from which cross-validation
        chooses; None: powers of two from 1/8 to 512 times the median distance. For a local kernel
        the choice of ``sigma``, and of ``alpha`` with it, is made on 1000 structures at most. None
        for a precomputed kernel.
    alpha : float, sequence of float, or None, default=None
        Added to the diagonal, >= 0. A sequence is a grid; None: `DEFAULT_ALPHAS`, 1e-12 to 1.
    baseline : {"none", "mean", "elements"}, default="none"
        Subtracted before the fit and added to predictions. ``"elements"``: least squares in the
        counts of elements, needs ``structures``.
    n_copies : int, default=1
        Copies of each structure side by side in X (``CoulombMatrix(permutation="random",
        n_copies=...)``): the kernel is averaged over all pairs of copies.
    cv : int, default=5
        Folds of the cross-validation.
    random_state : int, default=0
        Seed of the order in which structures are dealt to folds.
    n_threads : int or None, default=None
        None: all allowed cores. Governs the BLAS too where threadpoolctl is installed.

    Attributes
    ----------
    sigma_, alpha_ : float
        The values in use; ``sigma_`` is None for a precomputed kernel. Where ``alpha`` was chosen
        from a grid and the whole training set needs more for a positive definite matrix, ``alpha_``
        is the next larger value that works.
    dual_coef_ : ndarray of float64, shape (n,) or (n, n_targets)
    baseline_ : Baseline
    X_fit_ : ndarray, shape (n, n_features_in_), or (n_atoms, n_features_in_) for a local kernel
        None for a precomputed kernel, which is not kept.
    species_ : ndarray of int32, or None
        Elements of the training set, for ``baseline="elements"``.
    cv_results_ : dict of ndarray, or None
        ``n_train``, ``sigma``, ``alpha``, ``score``: every point that was tried. ``sigma`` is NaN
        for a precomputed kernel.
    n_features_in_ : int

    Notes
    -----
    Everything is computed in float64, but for the products of float32 features by a local kernel.
    X is kept, not copied: it must not be written to before the last `predict`. With both parameters
    fixed, fitting n structures takes memory for one n × n matrix, for 8 copies too; choosing them
    takes two or three more, or 2 GiB, whichever is less, and the matrices of one fold. The search
    is that of `molkern.regression.tune`. The solve goes through a BLAS: results agree to rounding,
    not bitwise, between numbers of threads.

    Model selection of scikit-learn divides X and y, but not ``structures``. Where a local kernel or
    ``baseline="elements"`` needs them, give `Features` as X, which has both; a representation with
    ``set_output(transform="features")`` passes them on in a pipeline. With metadata routing enabled
    ``fit``, ``predict`` and ``score`` also ask for ``structures``, but ``cross_val_predict``,
    ``GridSearchCV.predict`` and scorers other than the default give none to ``predict``.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.linspace(0.0, 3.0, 40)[:, None]
    >>> model = KernelRidge(kernel="gaussian", sigma=1.0, alpha=1e-8).fit(X, np.sin(X[:, 0]))
    >>> model.predict([[1.5]]).round(3), np.sin(1.5).round(3)
    (array([0.997]), np.float64(0.997))

    >>> import molkern as mk
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.pipeline import make_pipeline
    >>> chains = [([1] * n, [[0.0, 0.0, 0.8 * k] for k in range(n)]) for n in range(1, 13)]
    >>> y = np.arange(12.0)
    >>> acsf = mk.ACSF(r_cut=3.0, g2=[(1.0, 1.0)]).set_output(transform="features")
    >>> model = KernelRidge(kernel="local.gaussian", sigma=1.0, alpha=1e-6)
    >>> bool(cross_val_score(make_pipeline(acsf, model), chains, y, cv=3).min() > 0.9)
    True
    """

    def __init__(
        self,
        *,
        kernel: str = "laplacian",
        sigma: float | Sequence[float] | None = None,
        alpha: float | Sequence[float] | None = None,
        baseline: str = "none",
        n_copies: int = 1,
        cv: int = 5,
        random_state: int = 0,
        n_threads: int | None = None,
    ) -> None:
        self.kernel = kernel
        self.sigma = sigma
        self.alpha = alpha
        self.baseline = baseline
        self.n_copies = n_copies
        self.cv = cv
        self.random_state = random_state
        self.n_threads = n_threads

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike, structures: Any = None) -> Self:
        """Fit the baseline, choose ``sigma`` and ``alpha`` where they are open, and solve.

        Parameters
        ----------
        X : array_like of float, shape (n, n_copies * n_features), or (n_atoms, n_features)
            Or `Features`, then without ``structures``. A precomputed kernel has the shape (n, n).
        y : array_like of float, shape (n,) or (n, n_targets)
            Finite. All targets share ``sigma``, ``alpha`` and one factorisation.
        structures : Structures, list of ase.Atoms or of (numbers, positions), optional
            The n structures; needed for ``baseline="elements"``
            and local kernels.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For no structures, a wrong shape, a value that is not finite or masked, a parameter out
            of range, n < cv where a parameter is open, a precomputed matrix that is not symmetric,
            or a matrix that is not positive definite.
        TypeError
            For X or y that hold no real numbers, or ``cv`` that is no integer.
        """
        check_baseline(self.baseline)
        check_model_kernel(self.kernel)
        sigmas = self._sigmas()
        alphas = grid("alpha", self.alpha, positive=False) or DEFAULT_ALPHAS
        X, structures = taken_apart(X, structures, self.kernel)
        features = self._features(X, structures, "fit")
        n = len(features)
        if n == 0:
            raise ValueError("X: expected at least one structure to learn from, found none")
        targets = labels(y, n)
        self.species_: npt.NDArray[np.int32] | None = None
        counts = self._counts(structures, n, "fit")
        searching = sigmas is None or len(sigmas) > 1 or len(alphas) > 1
        if searching:
            self._check_folds(n)
        order = np.arange(n)
        if searching:
            order = np.random.default_rng(self.random_state).permutation(n)
        similarity = self._similarity(features, order if searching else None)
        ordered_counts = None if counts is None else counts[order]
        with blas_threads(self.n_threads, rows=n):
            sigma, alpha = self._choose(similarity, targets[order], sigmas, alphas, ordered_counts)
            self.baseline_: Baseline = fit_baseline(self.baseline, targets, counts)
            residual = (targets - self.baseline_.predict(n, counts))[order]
            coefficients, self.alpha_ = solve_with_larger_alpha(
                lambda: similarity.gram(np.arange(n), sigma),
                residual,
                [a for a in alphas if a >= alpha],
            )
        dual = np.empty_like(coefficients)
        dual[order] = coefficients
        self._set_solution(features, dual[:, 0] if np.ndim(y) == 1 else dual, sigma)
        return self

    def _similarity(
        self, features: Inputs, order: npt.NDArray[np.int64] | None
    ) -> Similarity | Precomputed:
        """Kernel matrices of the training structures, in an order of them."""
        if self._is_pairwise():
            return Precomputed(_matrix(features), order)
        return Similarity(
            features if order is None else features[order],
            kernel=self.kernel,
            n_copies=self.n_copies,
            n_threads=self.n_threads,
            max_bytes=0 if order is None else MAX_BYTES,
        )

    def _set_solution(self, features: Inputs, dual: Floats, sigma: float) -> None:
        given = self._is_pairwise()
        self._training = None if given else features
        self.X_fit_ = None if given else _matrix(features)
        self.n_features_in_ = _matrix(features).shape[1]
        self.dual_coef_, self.sigma_ = dual, None if given else sigma

    def predict(self, X: npt.ArrayLike, structures: Any = None) -> Floats:
        """Predictions, computed in blocks of rows.

        Parameters
        ----------
        X : array_like of float, shape (m, n_features_in_), or (n_atoms, n_features_in_)
            Or `Features`, then without ``structures``.
        structures : Structures, list of ase.Atoms or of (numbers, positions), optional
            The m structures; needed for ``baseline="elements"``
            and local kernels.

        Returns
        -------
        ndarray of float64, shape (m,) or (m, n_targets)
            In the unit of the training labels.

        Raises
        ------
        ValueError
            Before `fit`, for a wrong shape, or with ``baseline="elements"`` for an element that the
            training set lacks. To a local kernel atoms of such an element add nothing.
        """
        return self._predicted(X, structures, "predict")

    def _predicted(self, X: npt.ArrayLike, structures: Any, method: str) -> Floats:
        if not hasattr(self, "dual_coef_"):
            raise NotFittedError("KernelRidge is not fitted: call fit first")
        X, structures = taken_apart(X, structures, self.kernel)
        features = self._features(X, structures, method)
        n_features = _matrix(features).shape[1]
        if n_features != self.n_features_in_:
            what = "columns, one for each training structure" if self._is_pairwise() else "features"
            raise ValueError(
                f"X: expected {self.n_features_in_} {what} as in fit, found {n_features}"
            )
        counts = self._counts(structures, len(features), method)

        def cross(rows: slice) -> Floats:
            if self._is_pairwise():
                return _matrix(features)[rows]
            return kernel_matrix(
                features[rows],
                self._training,
                kernel=self.kernel,
                sigma=self.sigma_,
                n_copies=self.n_copies,
                n_threads=self.n_threads,
            )

        dual = self.dual_coef_.reshape(len(self.dual_coef_), -1)
        with blas_threads(self.n_threads):
            result = predict_in_blocks(cross, len(features), dual)
        result += self.baseline_.predict(len(features), counts)
        return result[:, 0] if self.dual_coef_.ndim == 1 else result

    def score(self, X: npt.ArrayLike, y: npt.ArrayLike, structures: Any = None) -> float:
        """Coefficient of determination R², averaged over targets; 1 is best.

        A constant target counts 1 when it is predicted exactly, else 0.
        """
        predicted = self._predicted(X, structures, "score")
        truth = labels(y, len(predicted))
        residual = ((truth - predicted.reshape(truth.shape)) ** 2).sum(axis=0)
        spread = ((truth - truth.mean(axis=0)) ** 2).sum(axis=0)
        constant = np.where(residual == 0, 1.0, 0.0)
        safe = np.where(spread > 0, spread, 1.0)
        return float(np.where(spread > 0, 1 - residual / safe, constant).mean())

    def _is_pairwise(self) -> bool:
        return self.kernel == PRECOMPUTED

    def _check_folds(self, n: int) -> None:
        most = min(n, LOCAL_TUNING_ROWS) if self.kernel in LOCAL_KERNELS else n
        if whole_number("cv", self.cv, 2) > most:
            names, given = "sigma and alpha", "both as numbers"
            if self._is_pairwise():
                names, given = "alpha", "it as a number"
            raise ValueError(
                f"cv: choosing {names} in {self.cv} folds needs as many structures, found "
                f"{most}; or give {given}"
            )

    def _sigmas(self) -> tuple[float, ...] | None:
        if not self._is_pairwise():
            return grid("sigma", self.sigma, positive=True)
        if self.sigma is not None:
            raise ValueError(
                'sigma: expected None with kernel="precomputed", whose width is in its matrix, '
                f"found {self.sigma!r}"
            )
        return (float("nan"),)

    def _choose(
        self,
        similarity: Similarity | Precomputed,
        y: Floats,
        sigmas: Sequence[float] | None,
        alphas: Sequence[float],
        counts: npt.NDArray[Any] | None,
    ) -> tuple[float, float]:
        """``sigma`` and ``alpha``; the rows of ``similarity`` and ``y`` are in random order."""
        self.cv_results_: dict[str, npt.NDArray[Any]] | None = None
        if sigmas is not None and len(sigmas) == len(alphas) == 1:
            return sigmas[0], alphas[0]
        rows = np.arange(len(y))
        if self.kernel in LOCAL_KERNELS and (sigmas is None or len(sigmas) > 1):
            rows = rows[:LOCAL_TUNING_ROWS]
        if sigmas is None:
            sigmas = default_sigmas(similarity.median_distance(rows))
        tuned = tune(
            similarity.gram_for_tuning(rows, sigmas),
            y[rows],
            sigmas=sigmas,
            alphas=alphas,
            cv=self.cv,
            baseline=self.baseline,
            counts=None if counts is None else counts[rows],
        )
        self.cv_results_ = _as_columns(tuned)
        if len(rows) < len(y):
            return tuned.sigma_larger, tuned.alpha_larger
        return tuned.sigma, tuned.alpha

    def _features(self, X: Any, structures: Any, method: str) -> Inputs:
        features = checked_features(
            X, structures, kernel=self.kernel, n_copies=self.n_copies, method=method
        )
        if not isinstance(features, AtomFeatures):
            return features
        if method == "fit":
            return features.with_centres(self.n_threads)
        assert self._training is not None
        fitted = _matrix(self._training)
        if features.X.dtype != fitted.dtype:
            raise TypeError(f"X: expected {fitted.dtype} as in fit, found {features.X.dtype}")
        return features

    def _counts(self, structures: Any, n: int, method: str) -> npt.NDArray[Any] | None:
        if self.baseline != "elements":
            return None
        batch = checked_structures(structures, n, method)
        if method == "fit":
            self.species_ = batch.species
        else:
            require_known(batch, self.species_)
        counts: npt.NDArray[Any] = batch.composition(self.species_)
        return counts


def _matrix(features: Inputs) -> npt.NDArray[Any]:
    return features.X if isinstance(features, AtomFeatures) else features


def _as_columns(tuned: Tuned) -> dict[str, npt.NDArray[Any]]:
    names = ("n_train", "sigma", "alpha", "score")
    return {name: np.array([row[k] for row in tuned.table]) for k, name in enumerate(names)}
