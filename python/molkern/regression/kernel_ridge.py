"""Kernel ridge regression with the protocol that makes representations comparable."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from molkern._atom_features import AtomFeatures, atom_features
from molkern._errors import NotFittedError
from molkern._numbers import whole_number
from molkern.regression.baseline import Baseline, check_baseline, fit_baseline
from molkern.regression.inputs import grid, labels, require_finite, require_known
from molkern.regression.linear import (
    blas_threads,
    predict_in_blocks,
    real_array,
    solve_with_larger_alpha,
)
from molkern.regression.similarity import (
    LOCAL_TUNING_ROWS,
    MAX_BYTES,
    Features,
    Similarity,
    is_local,
    kernel_matrix,
)
from molkern.regression.validation import DEFAULT_ALPHAS, Tuned, default_sigmas, tune
from molkern.structures import as_structures

if TYPE_CHECKING:
    from molkern.structures import Structures

__all__ = ["KernelRidge"]

Floats = npt.NDArray[np.float64]


class KernelRidge:
    r"""Kernel ridge regression.

    .. math:: f(x) = b(x) + \sum_i c_i k(x, x_i), \qquad (K + \alpha I)\, c = y - b

    with a kernel of width ``sigma`` and a baseline :math:`b` fitted first.
    Follows the estimator protocol of scikit-learn (``clone``, ``Pipeline``, ``GridSearchCV``).

    Parameters
    ----------
    kernel : {"laplacian", "gaussian", "local.gaussian"}, default="laplacian"
        :math:`e^{-\|x-x'\|_1/\sigma}`, :math:`e^{-\|x-x'\|^2/(2\sigma^2)}`, or the sum of the
        latter over pairs of atoms of equal element (`molkern.kernels.local.gaussian`): X then has
        one row for each atom of ``structures``, float64 or float32.
    sigma : float, sequence of float, or None, default=None
        Width, > 0, in the unit of the features. A sequence is a grid from which cross-validation
        chooses; None: powers of two from 1/8 to 512 times the median distance. For a local kernel
        the choice of ``sigma``, and of ``alpha`` with it, is made on 1000 structures at most.
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
        The values in use. Where ``alpha`` was chosen from a grid and the whole training set needs
        more for a positive definite matrix, ``alpha_`` is the next larger value that works.
    dual_coef_ : ndarray of float64, shape (n,) or (n, n_targets)
    baseline_ : Baseline
    X_fit_ : ndarray, shape (n, n_features_in_), or (n_atoms, n_features_in_) for a local kernel
    species_ : ndarray of int32, or None
        Elements of the training set, for ``baseline="elements"``.
    cv_results_ : dict of ndarray, or None
        ``n_train``, ``sigma``, ``alpha``, ``score``: every point that was tried.
    n_features_in_ : int

    Notes
    -----
    Everything is computed in float64, but for the products of float32 features by a local kernel.
    X is kept, not copied: it must not be written to before the last `predict`. With both parameters
    fixed, fitting n structures takes memory for one n × n matrix, for 8 copies too; choosing them
    takes two or three more, or 2 GiB, whichever is less, and the matrices of one fold. The search
    is that of `molkern.regression.tune`. The solve goes through a BLAS: results agree to rounding,
    not bitwise, between numbers of threads.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.linspace(0.0, 3.0, 40)[:, None]
    >>> model = KernelRidge(kernel="gaussian", sigma=1.0, alpha=1e-8).fit(X, np.sin(X[:, 0]))
    >>> model.predict([[1.5]]).round(3), np.sin(1.5).round(3)
    (array([0.997]), np.float64(0.997))
    """

    _estimator_type = "regressor"

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
            For no structures, a wrong shape, a value that is not finite, a parameter out of range,
            n < cv where a parameter is open, or a matrix that is not positive definite.
        TypeError
            For X or y that hold no real numbers, or ``cv`` that is no integer.
        """
        check_baseline(self.baseline)
        sigmas = grid("sigma", self.sigma, positive=True)
        alphas = grid("alpha", self.alpha, positive=False) or DEFAULT_ALPHAS
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
        similarity = Similarity(
            features[order] if searching else features,
            kernel=self.kernel,
            n_copies=self.n_copies,
            n_threads=self.n_threads,
            max_bytes=MAX_BYTES if searching else 0,
        )
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

    def _set_solution(self, features: Features, dual: Floats, sigma: float) -> None:
        self._training = features
        self.X_fit_ = _matrix(features)
        self.n_features_in_ = self.X_fit_.shape[1]
        self.dual_coef_, self.sigma_ = dual, sigma

    def predict(self, X: npt.ArrayLike, structures: Any = None) -> Floats:
        """Predictions, computed in blocks of rows.

        Parameters
        ----------
        X : array_like of float, shape (m, n_features_in_), or (n_atoms, n_features_in_)
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
        features = self._features(X, structures, method)
        n_features = _matrix(features).shape[1]
        if n_features != self.n_features_in_:
            raise ValueError(
                f"X: expected {self.n_features_in_} features as in fit, found {n_features}"
            )
        counts = self._counts(structures, len(features), method)

        def cross(rows: slice) -> Floats:
            return kernel_matrix(
                features[rows],
                self._training,
                kernel=self.kernel,
                sigma=self.sigma_,
                n_copies=self.n_copies,
                n_threads=self.n_threads,
            )

        dual = self.dual_coef_.reshape(len(self._training), -1)
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

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters by name, as given to the constructor."""
        return {name: getattr(self, name) for name in _parameter_names()}

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name.

        Raises
        ------
        ValueError
            For an unknown name.
        """
        for name, value in params.items():
            if name not in _parameter_names():
                raise ValueError(
                    f"KernelRidge has no parameter {name!r}: expected {_parameter_names()}"
                )
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        defaults = inspect.signature(KernelRidge.__init__).parameters
        changed = [
            f"{name}={value!r}"
            for name, value in self.get_params().items()
            if value is not defaults[name].default
        ]
        return f"KernelRidge({', '.join(changed)})"

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "dual_coef_")

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import RegressorTags, Tags, TargetTags  # Only scikit-learn calls this.

        return Tags(
            estimator_type="regressor",
            target_tags=TargetTags(required=True, multi_output=True),
            regressor_tags=RegressorTags(),
        )

    def _check_folds(self, n: int) -> None:
        most = min(n, LOCAL_TUNING_ROWS) if is_local(self.kernel) else n
        if whole_number("cv", self.cv, 2) > most:
            raise ValueError(
                f"cv: choosing sigma and alpha in {self.cv} folds needs as many structures, found "
                f"{most}; or give both as numbers"
            )

    def _choose(
        self,
        similarity: Similarity,
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
        if is_local(self.kernel) and (sigmas is None or len(sigmas) > 1):
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

    def _features(self, X: npt.ArrayLike, structures: Any, method: str) -> Features:
        if is_local(self.kernel):
            if structures is None:
                raise ValueError(f'kernel="{self.kernel}": {method} needs structures=, found None')
            if self.n_copies != 1:
                raise ValueError(
                    f'n_copies: expected 1 with kernel="{self.kernel}", found {self.n_copies!r}'
                )
            atoms = atom_features("X", X, structures)
            if method == "fit":
                return atoms.with_centres(self.n_threads)
            if atoms.X.dtype != self.X_fit_.dtype:
                raise TypeError(f"X: expected {self.X_fit_.dtype} as in fit, found {atoms.X.dtype}")
            return atoms
        features = real_array("X", X)
        if features.ndim != 2:
            raise ValueError(f"X: expected shape (n, n_features), found {features.shape}")
        whole_number("n_copies", self.n_copies, 1)
        if features.shape[1] % self.n_copies:
            raise ValueError(
                f"X: expected a multiple of n_copies={self.n_copies} columns, "
                f"found {features.shape[1]}"
            )
        require_finite("X", features)
        return features

    def _counts(self, structures: Any, n: int, method: str) -> npt.NDArray[Any] | None:
        if self.baseline != "elements":
            return None
        if structures is None:
            raise ValueError(f'baseline="elements": {method} needs structures=, found None')
        batch: Structures = as_structures(structures)
        if len(batch) != n:
            raise ValueError(f"structures: expected {n} as rows of X, found {len(batch)}")
        if method == "fit":
            self.species_ = batch.species
        else:
            require_known(batch, self.species_)
        counts: npt.NDArray[Any] = batch.composition(self.species_)
        return counts


def _parameter_names() -> list[str]:
    return [name for name in inspect.signature(KernelRidge.__init__).parameters if name != "self"]


def _matrix(features: Features) -> npt.NDArray[Any]:
    return features.X if isinstance(features, AtomFeatures) else features


def _as_columns(tuned: Tuned) -> dict[str, npt.NDArray[Any]]:
    names = ("n_train", "sigma", "alpha", "score")
    return {name: np.array([row[k] for row in tuned.table]) for k, name in enumerate(names)}
