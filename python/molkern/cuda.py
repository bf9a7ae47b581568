"""Computing on a CUDA device: whether one can be used, and which there are.

``transform`` and ``vjp`` of the representations take ``device="cuda"``, ``positions`` that live on
a device, or structures that stay there (``to_device``); Gaussian, Laplacian and local kernels are
computed where the features are. The compiled module is a package of its own, molkern-cuda13;
``import molkern`` never needs it.
"""

from __future__ import annotations

import importlib
import sys
from functools import cache
from typing import Any

from molkern._core import __version__
from molkern._device_structures import DeviceStructures
from molkern.structures import as_structures

__all__ = ["devices", "is_available", "reason", "to_device"]

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


def to_device(structures: Any, device: Any = "cuda") -> DeviceStructures:
    """Structures that stay on a device, for many computations with the same atoms.

    The first ``transform`` or ``vjp`` of a representation checks and copies numbers, offsets and
    cells; the next ones do not look at atoms on the host, and take these positions or those that
    the argument ``positions`` has. ``device`` need not be named again; with ``device="cpu"`` the
    host computes.

    Parameters
    ----------
    structures : Structures, or list of ase.Atoms or of (numbers, positions)
        Copied: changing them changes nothing there.
    device : {"cuda", "cuda:<number>"} or torch.device, default="cuda"

    Returns
    -------
    DeviceStructures
        ``Structures`` with the attribute ``device``, a number; a part of them stays there, too,
        `Structures.concatenate` gives ones of the host.

    Raises
    ------
    ValueError
        For an unknown device.
    RuntimeError
        Where no device can be used.

    Examples
    --------
    >>> import molkern as mk
    >>> water = ([8, 1, 1], [[0.0, 0.0, 0.12], [0.0, 0.76, -0.48], [0.0, -0.76, -0.48]])
    >>> model = mk.SOAP(r_cut=3.0).fit([water])
    >>> if mk.cuda.is_available():
    ...     batch = mk.cuda.to_device([water])
    ...     for _ in range(100):  # of a training, say
    ...         X = model.transform(batch)
    """
    return DeviceStructures(as_structures(structures), device_number(device))


def device_number(device: Any) -> int:
    """The number in "cuda" or "cuda:1"."""
    text = _text_of(device) if type(device).__module__ == "torch" else device
    name, _, number = text.partition(":") if isinstance(text, str) else ("", "", "")
    if name != "cuda" or (":" in text and not number.isdecimal()):
        raise ValueError(
            f'device: expected None, "cpu", "cuda" or "cuda:<number>", found {device!r}'
        )
    k = int(number or 0)
    n = extension().n_devices()
    if k >= n:
        raise ValueError(f"device: expected a number below {n}, found {device!r}")
    return k


def _text_of(device: Any) -> str:
    """The name of a torch.device; without a number it is torch's current one."""
    torch = sys.modules["torch"]
    if device.type == "cuda" and device.index is None and torch.cuda.is_available():
        return f"cuda:{torch.cuda.current_device()}"
    return str(device)


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
    return "the CUDA module, molkern-cuda13, is not installed (README: On a GPU)"
