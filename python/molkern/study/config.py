"""Studies as small text files.

.. code-block:: toml

    data = "qm7"                    # a name, or a path as seen from this file
    property = "energy"             # optional, as all that follow
    unit = "kcal/mol"
    length_unit = "bohr"            # this and the next three: see molkern.datasets.load
    species = ["Si", "O"]
    skip_missing = true
    skip_dummies = true
    representations = ["coulomb_matrix", { name = "coulomb_matrix_random", n_copies = 4 }]
    kernels = ["laplacian"]
    sizes = [100, 1000, 5732]
    seeds = [0]
    baseline = "mean"               # or "atoms:H=-13.6,C=-1029.3"
    split = "heavy_atoms:6"         # or "energy:0.5": tested beyond what is learnt from
    n_tune = 2000

With ``test = "other.xyz"``, or a list of such, all structures of ``data`` are learnt from, and
those of the other files are tested on.
"""

from __future__ import annotations

import reprlib
import tomllib
from pathlib import Path
from typing import Any

from molkern import datasets
from molkern.datasets import Dataset
from molkern.study.progress import ProgressCallback
from molkern.study.protocol import compare
from molkern.study.result import Result
from molkern.study.store import Store

__all__ = ["read_study", "run"]

_TYPES: dict[str, tuple[type | tuple[type, ...], str]] = {
    "data": (str, "a name or path"),
    "property": (str, "text"),
    "unit": (str, "text"),
    "length_unit": (str, "text"),
    "species": (list, "a list of symbols"),
    "skip_missing": (bool, "true or false"),
    "skip_dummies": (bool, "true or false"),
    "representations": (list, "a list of names or tables"),
    "kernels": (list, "a list of names"),
    "sizes": (list, "a list of integers"),
    "seeds": (list, "a list of integers"),
    "baseline": (str, "text"),
    "split": (str, "text"),
    "test": ((str, list), "a name or path, or a list of these"),
    "n_tune": (int, "an integer"),
}
_ITEMS: dict[str, tuple[type, ...]] = {
    "representations": (str, dict),
    "kernels": (str,),
    "test": (str,),
    "sizes": (int,),
    "seeds": (int,),
    "species": (str, int),
}
_READING = ("unit", "length_unit", "species", "skip_missing", "skip_dummies")


def read_study(path: str | Path) -> dict[str, Any]:
    """Content of a study file, checked for keys and types.

    Parameters
    ----------
    path : str or Path
        A TOML file; keys: ``data`` and, optional, ``property``, ``unit``, ``length_unit``,
        ``species``, ``skip_missing``, ``skip_dummies`` (see `molkern.datasets.load`),
        ``representations``, ``kernels``, ``sizes``, ``seeds``, ``baseline``, ``split``, ``test``,
        ``n_tune`` (see `molkern.study.compare`), ``forces`` (false).

    Returns
    -------
    dict

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        For text that is not TOML, an unknown key, a wrong type, no ``data``, or forces.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError(f"{path.name} is not a study file: too many brackets in one") from error
    except ValueError as error:  # of TOML, of UTF-8, or of a number that Python does not take
        raise ValueError(f"{path.name} is not a TOML file: {error}") from error
    if content.pop("forces", False) is not False:
        raise ValueError(
            f"{path.name}: forces are foreseen in the schema of a study, but cannot be learnt yet"
        )
    if "data" not in content:
        raise ValueError(f"{path.name}: the key data is missing")
    for key, value in content.items():
        if key not in _TYPES:
            raise ValueError(f"{path.name}: unknown key {key!r}, expected one of {list(_TYPES)}")
        kind, words = _TYPES[key]
        items = _ITEMS.get(key, ())
        right = isinstance(value, kind) and isinstance(value, bool) == (kind is bool)
        if not right or (
            items and not all(isinstance(v, items) and not isinstance(v, bool) for v in value)
        ):
            # Not the whole of it, which may be very long or too deep to be written.
            raise ValueError(f"{path.name}: {key} must be {words}, found {reprlib.repr(value)}")
    return content


def run(
    path: str | Path,
    *,
    store: Store | str | Path | None = None,
    n_threads: int | None = None,
    executor: Any = None,
    progress: ProgressCallback | None = None,
) -> Result:
    """Run a study file.

    Parameters
    ----------
    path : str or Path
        See `read_study` for the keys; paths in ``data`` and ``test`` are looked up from the file's
        folder first.
    store : Store or path, optional
        Folder of finished tasks.
    n_threads : int, optional
    executor : optional
        Where tasks run, as in `accuracy`.
    progress : callable, optional

    Returns
    -------
    Result

    Raises
    ------
    ValueError, OSError, RuntimeError
        See `read_study` and `compare`.
    """
    content = read_study(path)
    folder = Path(path).parent
    store = store if store is None or isinstance(store, Store) else Store(store)
    reading = {key: content.pop(key) for key in _READING if key in content}
    data = _loaded(content.pop("data"), folder, property=content.get("property"), **reading)
    if "test" in content:
        given = content["test"]
        names = [given] if isinstance(given, str) else given
        content["test"] = [_loaded(name, folder, like=data, **reading) for name in names]
    return compare(
        data,
        content.pop("representations", None),
        store=store,
        n_threads=n_threads,
        executor=executor,
        progress=progress,
        **content,
    )


def _loaded(source: str, folder: Path, **options: Any) -> Dataset:
    """A data set by its name, or by its path as seen from a folder."""
    beside = folder / source
    is_path = beside.is_file() or (beside.is_dir() and len(Path(source).parts) > 1)
    return datasets.load(beside if is_path else source, **options)
