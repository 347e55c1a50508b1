"""A function's value, and how a derivative of something in that value becomes one in the function's argument."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def pullback(function: Callable[[Tensor], Tensor], at: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """The value of a function, and what takes a cotangent of the value to the cotangent of the argument, once.

    It does what torch.func.vjp does, whose first call imports torch's compiler: seconds in the life of every job.

    Args:
        function: of a tensor; differentiable, first order.
        at: the argument, of any shape.

    Returns:
        The value, a constant; and the transposed Jacobian as a function, which frees what it was computed from.
    """
    with torch.enable_grad():
        leaf = at.detach().requires_grad_()
        value = function(leaf)

    def back(cotangent: Tensor) -> Tensor:
        # to the bit what grad gives of a cotangent, to check whose shape it imports a library of algebra
        with torch.enable_grad():
            along = (value * cotangent).sum()
        (pulled,) = torch.autograd.grad(along, leaf)
        return pulled

    return value.detach(), back
