"""Errors that are more than a type of Python's."""

from __future__ import annotations

__all__ = ["NotFittedError"]


class NotFittedError(ValueError, AttributeError):
    """What only ``fit`` can tell was asked for before it.

    A ValueError and an AttributeError, as scikit-learn's error of this name is.

    Examples
    --------
    >>> import molkern as mk
    >>> mk.SOAP().n_features_out_
    Traceback (most recent call last):
    molkern._errors.NotFittedError: SOAP is not fitted: call fit first
    """
