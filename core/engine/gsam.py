"""Gradients that lead to flat minima: surrogate gap guided sharpness-aware minimisation (Zhuang et al. 2022)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from core.recipe import Gsam

_TINY = 1e-12  # of divisors: what has no gradient stays where it is


def flat(gsam: Gsam, theta: Tensor, g: Tensor, again: Callable[[Tensor], Tensor]) -> Tensor:
    """The direction [S, P] that S networks step along instead of their gradients g.

    `again` is the gradient of the same batches at other points. With the perturbation
    e = rho theta^2 g / || |theta| g ||, which grows with a parameter's own size, and h the gradient at theta + e,
    the direction is h less alpha times the part of g that is at right angles to h. As FTD's released code has it.
    """
    away = gsam.rho * theta.square() * g / (_dots(theta.square() * g, g).sqrt() + _TINY)
    steep = again(theta + away)
    aside = g - _dots(g, steep) / (_dots(steep, steep) + _TINY) * steep
    return steep - gsam.alpha * aside


def _dots(one: Tensor, other: Tensor) -> Tensor:
    """Products [S, 1] of each network's own vectors, summed alike however many networks there are."""
    return torch.stack([(a * b).sum() for a, b in zip(one, other, strict=True)])[:, None]
