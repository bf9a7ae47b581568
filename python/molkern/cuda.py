"""Computing on a CUDA device: whether one can be used, and which there are.

Functions and representations take ``device="cuda"``, or arrays that live on a device already. The
compiled module for it comes with ``pip install "molkern[cuda13]"``; ``import molkern`` never needs
it.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

from molkern._core import __version__

__all__ = ["devices", "is_available", "reason"]

# Built into this package, or installed beside it.
_HOMES = ("molkern", "molkern_cuda13")


def is_available() -> bool:
    """Whether there is a CUDA device that can be used.

    Examples
    --------
    >>> from molkern import cuda
    >>> cuda.is_available() == (cuda.reason() == "")
    True
    """
    return not reason()


def reason() -> str:
    """Why no device can be used, in words; empty when one can."""
    found = _found()
    return found if isinstance(found, str) else str(found.unavailable())


def devices() -> list[str]:
    """Name, compute capability and memory of each device; empty where there is none."""
    if not is_available():
        return []
    module = extension()
    return [module.description(k) for k in range(module.n_devices())]


def extension() -> Any:
    """The compiled module.

    Raises
    ------
    RuntimeError
        Where no device can be used, with the reason.
    """
    if why := reason():
        raise RuntimeError(f"no CUDA device can be used: {why}")
    return _found()


def device_kind() -> int | None:
    """DLPack's number of the devices of the compiled module; None without one."""
    found = _found()
    return None if isinstance(found, str) else int(found.device_kind)


@cache
def _found() -> Any:
    """The compiled module, or why there is none."""
    for home in _HOMES:
        try:
            module = importlib.import_module(f"{home}._cuda")
        except ModuleNotFoundError:
            continue
        except ImportError as error:
            return f"{home}._cuda cannot be loaded: {error}"
        if module.__version__ != __version__:
            return (
                f"{home}._cuda is of version {module.__version__}, molkern of "
                f"{__version__}: install the same of both"
            )
        return module
    return 'the CUDA module is not installed: pip install "molkern[cuda13]"'
