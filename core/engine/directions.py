"""The gradient outer product of a trained network, from which advice estimates a task's intrinsic dimension."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from core.advice.directions import HELD
from core.engine.evaluate import Trained
from core.engine.keys import Key
from core.engine.networks import Network

EXAMPLES: Final = 512
"""Examples that gradients are taken at, at most."""
_BATCH: Final = 64


def spectrum(network: Network, trained: Trained, images: Tensor, key: Key) -> Tensor:
    """Eigenvalues [n] of E sum_k grad f_k grad f_k^T over images [n, C, H, W], the largest first, double precision.

    Each image gives the gradient of one combination of the answers with random signs, the outer product of which is
    right in the mean (Hutchinson). Answers are less their mean over classes, of which a softmax sees nothing.
    """
    rows = []
    for place, part in enumerate(images.split(_BATCH)):
        x = part.detach().clone().requires_grad_()
        answers = network.apply(trained.theta, x, trained.moments)
        answers = answers - answers.mean(1, keepdim=True)
        signs = (2 * (key.fold(place).uniform(*answers.shape) < 0.5) - 1).to(answers)
        (gradient,) = torch.autograd.grad((signs * answers).sum(), x)
        rows.append(gradient.flatten(1).double())
    stacked = torch.cat(rows)
    smaller = stacked @ stacked.T if len(stacked) <= stacked.shape[1] else stacked.T @ stacked
    found: Tensor = torch.linalg.eigvalsh(smaller)
    return found.clamp(min=0).flip(0) / len(stacked)


def counted(eigenvalues: Tensor) -> tuple[int, float]:
    """The eigenvalues that hold `HELD` of their sum, and the participation ratio; 0 of a network that never changes."""
    total = float(eigenvalues.sum())
    if total <= 0:
        return 0, 0.0
    held = int((eigenvalues.cumsum(0) < HELD * total).sum()) + 1
    return held, total**2 / float((eigenvalues**2).sum())
