"""Representations by name, their words in tables, and their exact specification."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

import molkern
from molkern.elements import numbers_of
from molkern.structures import Structures

__all__ = [
    "DEFAULT_REPRESENTATIONS",
    "OF_FRAMES",
    "OF_PERIODIC",
    "REPRESENTATIONS",
    "default_representations",
    "label",
    "per_atom",
    "representation",
    "representations",
    "specification",
    "suitable",
]

REPRESENTATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "coulomb_matrix": ("CoulombMatrix", {}),
    "coulomb_matrix_unsorted": ("CoulombMatrix", {"permutation": "none"}),
    "coulomb_matrix_random": (
        "CoulombMatrix",
        {"permutation": "random", "n_copies": 8, "random_state": 0},
    ),
    "coulomb_matrix_eigenspectrum": ("CoulombMatrix", {"permutation": "eigenspectrum"}),
    "bag_of_bonds": ("BagOfBonds", {}),
    # Chosen by cross-validation among 13 sets of functions, on 1500 molecules of QM7.
    "acsf": (
        "ACSF",
        {
            "r_cut": 5.0,
            "g2": [(16.0, shift) for shift in (0.95, 1.1, 1.25, 1.4, 1.6, 2.1, 2.5, 3.0)],
            "g4": [
                (eta, zeta, sign)
                for eta in (0.05, 0.3)
                for zeta in (1.0, 2.0, 4.0, 16.0)
                for sign in (1.0, -1.0)
            ],
            "average": "sum",
        },
    ),
    "ani-2x": ("AEV", {"parameters": "ani-2x", "average": "sum"}),
    "soap": ("SOAP", {"r_cut": 2.5, "n_max": 8, "l_max": 6, "sigma": 0.2, "average": "sum"}),
    # Atom by atom, for local kernels; float32: the features of QM7 take 1.5 GB.
    "soap-local": (
        "SOAP",
        {
            "r_cut": 3.5,
            "n_max": 6,
            "l_max": 6,
            "sigma": 0.2,
            "cutoff_function": "cosine",
            "dtype": "float32",
        },
    ),
}
_LABELS = {
    "acsf": "ACSF (8 G2, 16 G4, sum)",
    "ani-2x": "AEV (ANI-2x, sum)",
    "soap": "SOAP (2.5 Å, sum)",
    "soap-local": "SOAP (3.5 Å)",
}
DEFAULT_REPRESENTATIONS = (
    "coulomb_matrix",
    "coulomb_matrix_random",
    "coulomb_matrix_eigenspectrum",
    "bag_of_bonds",
)
# Frames of one molecule keep the order of their atoms: no need of random sorting or of spectra.
OF_FRAMES = ("coulomb_matrix_unsorted", "coulomb_matrix", "bag_of_bonds")
_PERMUTATIONS = {
    "row_norm": "sorted",
    "random": "random",
    "eigenspectrum": "eigenspectrum",
    "none": "unsorted",
}
# Those of the families that see the images of periodic structures; ANI-2x where it can.
OF_PERIODIC = ("acsf", "ani-2x", "soap")
ANI_2X = ("H", "C", "N", "O", "F", "S", "Cl")
# They change the time that a result takes, not the result.
_WITHOUT_INFLUENCE = ("n_threads",)


def default_representations(structures: Structures) -> tuple[str, ...]:
    """What is compared unless named.

    `OF_PERIODIC` where any structure is periodic; `OF_FRAMES` for the same atoms in the same order.
    """
    if structures.pbc is not None and structures.pbc.any():
        unknown = set(structures.species.tolist()) - set(numbers_of(ANI_2X))
        return tuple(name for name in OF_PERIODIC if name != "ani-2x" or not unknown)
    sizes = structures.sizes
    if len(sizes) > 1 and sizes[0] > 0 and (sizes == sizes[0]).all():
        numbers = structures.numbers.reshape(len(sizes), -1)
        if (numbers == numbers[0]).all():
            return OF_FRAMES
    return DEFAULT_REPRESENTATIONS


def suitable(fresh: Sequence[Any], require: Callable[[Any], object]) -> tuple[list[Any], list[str]]:
    """Representations that can represent the structures at hand.

    Parameters
    ----------
    fresh : sequence of representations
    require : callable
        Fits one, and raises ValueError or MemoryError where it is unsuitable.

    Returns
    -------
    suitable : list of representations
    notes : list of str
        For each of the others, why it was left out.

    Raises
    ------
    ValueError, MemoryError
        What ``require`` raises for the first of them, if none is suitable.
    """
    kept, notes, errors = [], [], []
    for model in fresh:
        try:
            require(model)
        except (ValueError, MemoryError) as error:
            errors.append(error)
            notes.append(f"{label(model)} was left out: {error}")
        else:
            kept.append(model)
    if not kept:
        raise errors[0]
    return kept, notes


def representation(model: Any) -> Any:
    """A representation from a name, a table of a study file, or an object (a fresh copy of it).

    Parameters
    ----------
    model : str, mapping or representation
        A key of `REPRESENTATIONS`; or ``{"name": <key or class>, <parameter>: <value>, ...}``;
        or an object with ``fit``, ``transform`` and ``get_params``.

    Returns
    -------
    object
        Not fitted. Random sorting without ``random_state`` gets 0: a study can be repeated.

    Raises
    ------
    ValueError
        For an unknown name or a parameter that the class does not have.
    TypeError
        For anything else.
    """
    if isinstance(model, str):
        return representation({"name": model})
    if isinstance(model, Mapping):
        parameters = dict(model)
        name = parameters.pop("name", None)
        class_name, preset = REPRESENTATIONS.get(str(name), (str(name), {}))
        if class_name not in {known for known, _ in REPRESENTATIONS.values()}:
            raise ValueError(
                f"representation: expected one of {sorted(REPRESENTATIONS)}, found {name!r}"
            )
        try:
            made = getattr(molkern, class_name)(**{**preset, **parameters})
        except TypeError as error:
            raise ValueError(f"representation {name!r}: {error}") from error
    elif all(callable(getattr(model, method, None)) for method in ("fit", "transform")) and (
        callable(getattr(model, "get_params", None)) and not isinstance(model, type)
    ):
        made = type(model)(**model.get_params())
    else:
        found = f"a class, {model.__name__}" if isinstance(model, type) else type(model).__name__
        raise TypeError(
            "representation: expected a name, a table or an object with fit, transform and "
            f"get_params, found {found}"
        )
    parameters = made.get_params()
    if parameters.get("permutation") == "random" and parameters.get("random_state") is None:
        made.set_params(random_state=0)
    return made


def representations(models: Any) -> list[Any]:
    """Fresh representations, as `representation` makes them, of a single one or of several.

    Raises
    ------
    ValueError, TypeError
        As `representation`; ValueError for none.
    """
    several = isinstance(models, Iterable) and not isinstance(models, str | Mapping)
    fresh = [representation(model) for model in (models if several else [models])]
    if not fresh:
        raise ValueError(f"representations: expected at least one, found {models!r}")
    return fresh


def per_atom(model: Any) -> bool:
    """Whether a representation has one row for each atom, which only local kernels take."""
    return model.get_params().get("average", "") is None


def specification(model: Any) -> dict[str, Any]:
    """Class and parameters of a representation as JSON content; decides the identity of a task."""
    parameters = {
        name: _plain(value)
        for name, value in model.get_params().items()
        if name not in _WITHOUT_INFLUENCE
    }
    return {"class": type(model).__name__, "parameters": parameters}


def label(model: Any) -> str:
    """Words for a representation in tables and figures.

    Parameters that differ from the class's defaults follow the name.
    """
    for known, words_of_preset in _LABELS.items():
        if specification(model) == specification(representation(known)):
            return words_of_preset
    parameters = model.get_params()
    defaults = type(model)().get_params()
    changed = {
        name: value
        for name, value in parameters.items()
        if _plain(value) != _plain(defaults[name]) and name not in _WITHOUT_INFLUENCE
    }
    words = []
    if isinstance(model, molkern.CoulombMatrix):
        name = "Coulomb matrix"
        permutation = changed.pop("permutation", parameters["permutation"])
        words.append(_PERMUTATIONS[permutation])
        if permutation == "random":
            changed.pop("random_state", None)
            n_copies = changed.pop("n_copies", parameters["n_copies"])
            words.append(f"{n_copies} {'copy' if n_copies == 1 else 'copies'}")
    elif isinstance(model, molkern.BagOfBonds):
        name = "Bag of bonds"
    else:
        name = type(model).__name__
    words += [f"{key}={_plain(value)}" for key, value in changed.items()]
    return f"{name} ({', '.join(words)})" if words else name


def _plain(value: Any) -> Any:
    """Value as JSON content."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in (sorted(value) if isinstance(value, set) else value)]
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    raise TypeError(f"representation: a parameter of type {type(value).__name__} has no JSON form")
