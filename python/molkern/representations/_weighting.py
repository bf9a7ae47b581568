"""Weights of neighbours by their distance, and of species: the dictionaries that SOAP takes."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from molkern.elements import numbers_of, symbol_of

# What each function needs; numbers of 0 or more, r0 above 0.
_KEYS = {"poly": ("c", "m", "r0"), "pow": ("c", "d", "m", "r0"), "exp": ("c", "d", "r0")}
_EXPECTED = (
    'weighting: expected "function", one of '
    + ", ".join(f"{name} (with {', '.join(keys)})" for name, keys in _KEYS.items())
    + ', or "w0", or both'
)
# Two atoms are at least this far apart, Å.
_NEAREST = 1e-3
_LARGEST = 1e100


class Weighting(NamedTuple):
    """Name and c, d, m, r0 of a function (name None: 1), and the weight of the centre."""

    function: str | None
    parameters: tuple[float, float, float, float]
    own: float


def checked_weighting(weighting: Any, reach: float) -> Weighting:
    """What the dictionary says, which is not modified. The weights are finite up to `reach`."""
    if weighting is None:
        return Weighting(None, (1.0, 0.0, 0.0, 1.0), 1.0)
    if not isinstance(weighting, Mapping):
        raise TypeError(f"weighting: expected a dictionary or None, found {weighting!r}")
    function, needed = _function(weighting)
    values = {key: _entry(weighting, key) for key in needed}
    parameters = (values.get("c", 1.0), values.get("d", 0.0), values.get("m", 0.0))
    result = Weighting(function, (*parameters, values.get("r0", 1.0)), 1.0)
    if weighting.get("w0") is not None:
        result = result._replace(own=_entry(weighting, "w0"))
    elif function:
        result = result._replace(own=weight_at(result, 0.0))
        if not result.own < _LARGEST:
            raise ValueError('weighting: infinite at the centre; expected "w0", or "d" above 0')
    for r in (_NEAREST, reach):
        if function and not weight_at(result, r) < _LARGEST:
            raise ValueError(f"weighting: expected finite weights, found infinity at {r:g} Å")
    return result


def _function(weighting: Mapping[str, Any]) -> tuple[str | None, tuple[str, ...]]:
    """Name of the function, if any, and the keys that it needs, all of which are there."""
    function = weighting.get("function")
    others = [key for key in weighting if key not in ("function", "w0")]
    if function is None:
        if others or weighting.get("w0") is None:
            raise ValueError(f"{_EXPECTED}, found {dict(weighting)!r}")
        return None, ()
    if not isinstance(function, str) or function not in _KEYS:
        raise ValueError(f"{_EXPECTED}, found the function {function!r}")
    needed = _KEYS[function]
    wrong = [f"{key!r} unknown" for key in others if key not in needed]
    wrong += [f"no {key!r}" for key in needed if key not in weighting]
    if wrong:
        raise ValueError(
            f'weighting: expected the keys {", ".join(needed)} beside "function": "{function}", '
            f"and w0 if wanted; found {', '.join(wrong)}"
        )
    return function, needed


def _finite(value: Any) -> float | None:
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return float(value) if real and math.isfinite(value) else None


def _entry(weighting: Mapping[str, Any], key: str) -> float:
    value = _finite(weighting.get(key))
    if value is None or value < 0 or (key == "r0" and value == 0):
        allowed = "above 0" if key == "r0" else "of 0 or more"
        raise ValueError(
            f'weighting: expected "{key}", a number {allowed}, found {weighting.get(key)!r}'
        )
    return value


def weight_at(weighting: Weighting, r: float) -> float:
    """The function at one distance; infinity where it overflows."""
    c, d, m, r_0 = weighting.parameters
    x = np.float64(r / r_0)
    with np.errstate(all="ignore"):
        if weighting.function == "poly":
            return float(c * ((1 - x) ** 2 * (1 + 2 * x)) ** m) if x < 1 else 0.0
        if weighting.function == "pow":
            return float(c / (d + x**m))
        return float(c / (d + np.exp(-x)))


def checked_species_weights(
    weights: Any, species: npt.NDArray[np.int32]
) -> npt.NDArray[np.float64] | None:
    """One for each of the species."""
    if weights is None:
        return None
    if not isinstance(weights, Mapping):
        raise TypeError(
            f"species_weighting: expected a dictionary of species or None, found {weights!r}"
        )
    of_number: dict[int, float] = {}
    for name, weight in weights.items():
        value = _finite(weight)
        if value is None:
            raise ValueError(
                f"species_weighting: expected finite numbers, found {weight!r} for {name!r}"
            )
        number = numbers_of([name])[0]
        if number in of_number:
            raise ValueError(
                f"species_weighting: expected one weight for {symbol_of(number)}, found several"
            )
        of_number[number] = value
    missing = [symbol_of(number) for number in species.tolist() if number not in of_number]
    if missing:
        raise ValueError(f"species_weighting: expected a weight of {', '.join(missing)}")
    return np.array([of_number[number] for number in species.tolist()])
