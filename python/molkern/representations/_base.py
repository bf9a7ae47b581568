"""What all representations share: parameters, fit and transform, checks of the common ones."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from molkern._arrays import checked_threads
from molkern._errors import NotFittedError
from molkern.representations._output import checked_output
from molkern.structures import Structures, as_structures

# CODATA 2022, Å.
BOHR = 0.529177210544

_UNIT_LENGTHS = {"bohr": BOHR, "angstrom": 1.0}


class Representation(ABC):
    """A transformer in scikit-learn's sense, without importing scikit-learn.

    Parameters are the keyword arguments of ``__init__``, stored unchanged under their names and
    checked by ``fit``; what ``fit`` learns ends in an underscore.
    """

    dtype: str
    n_threads: int | None

    @abstractmethod
    def fit(self, structures: Any, y: Any = None) -> Self:
        """Learn the shape of the result from structures; labels are never looked at."""

    @abstractmethod
    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Names of the features: the definition of their order."""

    @abstractmethod
    def transform(self, structures: Any, out: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
        """Features of structures."""

    def fit_transform(
        self, structures: Any, y: Any = None, out: npt.NDArray[Any] | None = None
    ) -> npt.NDArray[Any]:
        """``fit`` to the structures, then ``transform`` them."""
        batch = as_structures(structures)
        return self.fit(batch).transform(batch, out=out)

    def set_output(self, *, transform: str | None = None) -> Self:
        """Set what ``transform`` and ``fit_transform`` return, as in scikit-learn.

        Parameters
        ----------
        transform : {"default", "pandas", "polars", "features"}, optional
            - ``"default"``: an ndarray.
            - ``"pandas"``, ``"polars"``: a DataFrame with the columns ``get_feature_names_out()``
              and rows that are counted from 0. That library must be installed.
            - ``"features"``: `molkern.regression.Features`, which keep the structures with their
              features. In a pipeline, ``KernelRidge`` then finds the structures that local kernels
              and ``baseline="elements"`` need.

            None: no change.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For another value.

        Notes
        -----
        Where it was never called, ``sklearn.set_config(transform_output=...)`` applies. ``clone``
        and pickling keep the setting. With ``out=``, ``transform`` fills that array and returns it
        in the container. Results on a device stay arrays.

        Examples
        --------
        >>> import molkern as mk
        >>> hydrogen = ([1, 1], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.529177210544]])
        >>> mk.BagOfBonds().set_output(transform="pandas").fit_transform([hydrogen]).round(9)
           H[0]  H[1]  H-H[0]
        0   0.5   0.5     1.0
        >>> soap = mk.SOAP(r_cut=3.0, n_max=2, l_max=1).set_output(transform="features")
        >>> soap.fit_transform([hydrogen])
        Features(n_structures=1, rows='atoms', n_features=6)
        """
        if transform is not None:
            # The attribute that scikit-learn's clone copies.
            self._sklearn_output_config = {"transform": checked_output(transform)}
        return self

    @property
    def n_features_out_(self) -> int:
        """Columns of the result."""
        self._require_fitted()
        return self._n_features()

    @abstractmethod
    def _n_features(self) -> int:
        """Columns of the result of what is fitted."""

    @abstractmethod
    def _fitted(self) -> bool: ...

    def _require_fitted(self) -> None:
        if not self._fitted():
            raise NotFittedError(f"{type(self).__name__} is not fitted: call fit first")

    def __sklearn_is_fitted__(self) -> bool:
        return self._fitted()

    def __sklearn_tags__(self) -> Any:
        # Only scikit-learn calls this, so it is there to be imported.
        from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=False),
            transformer_tags=TransformerTags(),
            input_tags=InputTags(two_d_array=False),
            requires_fit=True,
        )

    @classmethod
    def _parameter_names(cls) -> list[str]:
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters by name; ``deep`` is accepted for scikit-learn and changes nothing."""
        return {name: getattr(self, name) for name in self._parameter_names()}

    def set_params(self, **parameters: Any) -> Self:
        """Set parameters by name.

        Raises
        ------
        ValueError
            For an unknown name.
        """
        known = self._parameter_names()
        for name, value in parameters.items():
            if name not in known:
                raise ValueError(
                    f"{type(self).__name__} has no parameter {name!r}; it has {', '.join(known)}"
                )
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self).__init__).parameters
        changed = [
            f"{name}={value!r}"
            for name, value in self.get_params().items()
            if not _same(value, defaults[name].default)
        ]
        return f"{type(self).__name__}({', '.join(changed)})"

    def _check_common(self) -> None:
        real_type(self.dtype)
        checked_threads(self.n_threads)


def real_type(dtype: Any) -> np.dtype[Any]:
    """The NumPy type of a name such as "float32", or of a type."""
    try:
        found: np.dtype[Any] = np.dtype(dtype)
    except TypeError:
        found = np.dtype(object)
    if found not in (np.float32, np.float64):
        raise ValueError(f'dtype: expected "float64" or "float32", found {dtype!r}')
    return found


def require_atoms(structures: Structures, parameter: str) -> None:
    """Raise where there are no atoms to learn a parameter from that was not given."""
    if structures.n_atoms == 0:
        raise ValueError(
            f"structures: expected atoms to learn {parameter} from, found {len(structures)} "
            f"structures without any; or give {parameter}"
        )


def unit_length(name: str) -> float:
    """What 1/Å is multiplied by to be 1/unit."""
    if not isinstance(name, str) or name not in _UNIT_LENGTHS:
        raise ValueError(f'length_unit: expected "bohr" or "angstrom", found {name!r}')
    return _UNIT_LENGTHS[name]


def _same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and bool(a == b)
