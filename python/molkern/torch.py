"""Features as a differentiable function of positions in PyTorch."""

from __future__ import annotations

from typing import Any

import torch
from torch.autograd.function import once_differentiable

from molkern.structures import Structures

__all__ = ["features"]


def features(representation: Any, structures: Structures, positions: torch.Tensor) -> torch.Tensor:
    """Features of structures at these positions, through which gradients flow.

    Parameters
    ----------
    representation : fitted representation
        With ``vjp``.
    structures : Structures
        Numbers, offsets and cells; its own positions do not matter.
    positions : torch.Tensor, shape (n_atoms, 3)
        Å; on a CUDA device the work is done there. float64 is used as it is, other types are
        converted.

    Returns
    -------
    torch.Tensor
        As ``representation.transform`` gives it, on the device of ``positions``. The gradient has
        the type of ``positions``; a second derivative raises.

    Notes
    -----
    The cost of the gradient is that of ``representation.vjp``: the Jacobian is never formed.
    """
    result: torch.Tensor = _Features.apply(positions, representation, structures)
    return result


class _Features(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, positions: torch.Tensor, representation: Any, structures: Structures
    ) -> torch.Tensor:
        ctx.save_for_backward(positions)
        ctx.of = representation, structures
        if positions.is_cuda:
            there = positions.detach().double().contiguous()
            result: torch.Tensor = representation.transform(structures, positions=there)
            return result
        return torch.from_numpy(representation.transform(_moved(structures, positions)))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gX: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (positions,) = ctx.saved_tensors
        representation, structures = ctx.of
        if positions.is_cuda:
            there = positions.detach().double().contiguous()
            gradient = representation.vjp(structures, gX.contiguous(), positions=there)
        else:
            moved = _moved(structures, positions)
            gradient = torch.from_numpy(representation.vjp(moved, gX.numpy()))
        return gradient.to(positions.dtype), None, None


def _moved(structures: Structures, positions: torch.Tensor) -> Structures:
    there = positions.detach().double().contiguous().numpy()
    return Structures(
        structures.numbers, there, structures.offsets, structures.cells, structures.pbc
    )
