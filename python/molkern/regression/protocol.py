"""What scikit-learn asks of a regressor, without importing it."""

from __future__ import annotations

import copy
import inspect
import sys
from typing import Any, Self

__all__ = ["Regressor"]

# scikit-learn's word for "as it was" in a request of metadata.
_UNCHANGED = "$UNCHANGED$"
_METHODS = ("fit", "predict", "score")


class Regressor:
    """Base: parameters by name, tags, and the routing of ``structures``.

    Parameters are the keyword arguments of ``__init__``, stored unchanged under their names.
    """

    _estimator_type = "regressor"

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters by name, as given to the constructor."""
        return {name: getattr(self, name) for name in self._parameter_names()}

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name.

        Raises
        ------
        ValueError
            For an unknown name.
        """
        names = self._parameter_names()
        for name, value in params.items():
            if name not in names:
                raise ValueError(
                    f"{type(self).__name__} has no parameter {name!r}: expected {names}"
                )
            setattr(self, name, value)
        return self

    @classmethod
    def _parameter_names(cls) -> list[str]:
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self).__init__).parameters
        changed = [
            f"{name}={value!r}"
            for name, value in self.get_params().items()
            if value is not defaults[name].default
        ]
        return f"{type(self).__name__}({', '.join(changed)})"

    def _is_pairwise(self) -> bool:
        """Whether X has a column for each training structure."""
        return False

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "dual_coef_")

    def __sklearn_tags__(self) -> Any:
        # Only scikit-learn calls this, from version 1.6 on.
        from sklearn.utils import InputTags, RegressorTags, Tags, TargetTags

        return Tags(
            estimator_type="regressor",
            target_tags=TargetTags(required=True, multi_output=True),
            regressor_tags=RegressorTags(),
            input_tags=InputTags(pairwise=self._is_pairwise()),
        )

    def _more_tags(self) -> dict[str, Any]:
        # The same for scikit-learn 1.4 and 1.5.
        return {"requires_y": True, "multioutput": True, "pairwise": self._is_pairwise()}

    def get_metadata_routing(self) -> Any:
        """Which methods ask scikit-learn's metadata routing for ``structures``.

        All do by default: ``fit``, ``predict`` and ``score``.

        Returns
        -------
        sklearn.utils.metadata_routing.MetadataRequest
        """
        if hasattr(self, "_metadata_request"):
            return self._metadata_request
        return self._get_default_requests()

    @classmethod
    def _get_default_requests(cls) -> Any:
        # By this name the scorer of scikit-learn 1.5 to 1.7 asks what score is given.
        from sklearn.utils.metadata_routing import MetadataRequest

        request = MetadataRequest(owner=cls.__name__)
        for method in _METHODS:
            getattr(request, method).add_request(param="structures", alias=True)
        # Pipelines pass this on, as None, to every score, and want to see it there.
        request.score.add_request(param="sample_weight", alias=None)
        return request

    def set_fit_request(self, *, structures: bool | str | None = _UNCHANGED) -> Self:
        """Set whether scikit-learn's metadata routing gives ``structures`` to ``fit``.

        Parameters
        ----------
        structures : bool, str or None
            True (the default of this estimator): they are given where the user gives them. False:
            they are not. None: the user is told to decide. A text: they are given under that name.

        Returns
        -------
        self

        Raises
        ------
        RuntimeError
            Without ``sklearn.set_config(enable_metadata_routing=True)``, as in scikit-learn.
        """
        return self._set_request("fit", structures)

    def set_predict_request(self, *, structures: bool | str | None = _UNCHANGED) -> Self:
        """As `set_fit_request`, for ``predict``."""
        return self._set_request("predict", structures)

    def set_score_request(self, *, structures: bool | str | None = _UNCHANGED) -> Self:
        """As `set_fit_request`, for ``score``."""
        return self._set_request("score", structures)

    def _set_request(self, method: str, alias: bool | str | None) -> Self:
        ask = getattr(sys.modules.get("sklearn"), "get_config", None)
        if ask is None or not ask().get("enable_metadata_routing", False):
            raise RuntimeError(
                f"set_{method}_request: expected metadata routing to be enabled: call "
                "sklearn.set_config(enable_metadata_routing=True)"
            )
        request = copy.deepcopy(self.get_metadata_routing())
        if alias != _UNCHANGED:
            getattr(request, method).add_request(param="structures", alias=alias)
        self._metadata_request = request  # which scikit-learn's clone copies
        return self
