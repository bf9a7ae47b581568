"""Features as a differentiable function of positions in PyTorch."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
import torch

from molkern.structures import Structures, as_structures

__all__ = ["features"]


def features(representation: Any, structures: Any, positions: torch.Tensor) -> torch.Tensor:
    """Features of structures at these positions, through which gradients flow.

    Parameters
    ----------
    representation : fitted representation
        With ``vjp``.
    structures : Structures, or list of ase.Atoms or of (numbers, positions)
        Numbers, offsets and cells; its own positions do not matter. In a loop on a device those of
        ``cuda.to_device``, which are checked and copied once.
    positions : torch.Tensor, shape (n_atoms, 3)
        Å, floating-point; on a CUDA device the work is done there.

    Returns
    -------
    torch.Tensor
        As ``representation.transform`` gives it, with the type and on the device of ``positions``,
        as is the gradient.

    Raises
    ------
    TypeError
        For positions that are no tensor of real numbers, or structures that are none.
    RuntimeError
        When a gradient is differentiated: second derivatives are not there, so a loss may not hold
        forces, nor may ``torch.func`` be used.

    Notes
    -----
    The cost of the gradient is that of ``representation.vjp``: the Jacobian is never formed.
    Kernels and `regression` pass no gradients on: they raise for tensors that require them.
    """
    if not isinstance(positions, torch.Tensor) or not positions.is_floating_point():
        found = getattr(positions, "dtype", type(positions).__name__)
        raise TypeError(f"positions: expected a floating-point torch.Tensor, found {found}")
    result: torch.Tensor = _Features.apply(positions, representation, as_structures(structures))
    return result


class _Features(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, positions: torch.Tensor, representation: Any, structures: Structures
    ) -> torch.Tensor:
        ctx.save_for_backward(positions)
        ctx.of = representation, structures
        there = positions.detach().double().contiguous()
        if there.is_cuda:
            result: torch.Tensor = representation.transform(structures, positions=there)
        else:
            result = torch.from_numpy(
                np.asarray(representation.transform(_moved(structures, there)))
            )
        return result.to(positions.dtype)

    @staticmethod
    def backward(ctx: Any, *gX: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (positions,) = ctx.saved_tensors
        return _Gradient.apply(positions, gX[0], *ctx.of), None, None


class _Gradient(torch.autograd.Function):
    """A function of its own, so that nobody differentiates a gradient and gets nothing."""

    @staticmethod
    def forward(
        ctx: Any,
        positions: torch.Tensor,
        gX: torch.Tensor,
        representation: Any,
        structures: Structures,
    ) -> torch.Tensor:
        there, cotangent = positions.detach().double().contiguous(), gX.detach().contiguous()
        if cotangent.dtype != torch.float32:  # half precision, too
            cotangent = cotangent.double()
        if there.is_cuda:
            gradient = representation.vjp(structures, cotangent, positions=there)
        else:
            moved = _moved(structures, there)
            gradient = torch.from_numpy(representation.vjp(moved, cotangent.numpy()))
        result: torch.Tensor = gradient.to(positions.dtype)
        return result

    @staticmethod
    def backward(ctx: Any, *gradient: torch.Tensor) -> NoReturn:
        raise RuntimeError(
            "molkern.torch.features has no second derivatives: a loss may not hold its gradients"
        )


def _moved(structures: Structures, positions: torch.Tensor) -> Structures:
    return Structures(
        structures.numbers, positions.numpy(), structures.offsets, structures.cells, structures.pbc
    )
