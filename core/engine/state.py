"""The loop between two outer steps, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Leaves:
    """The tensors that are optimised: images [n, C, H, W], label logits [n, K], the logarithm of the step size."""

    images: Tensor
    logits: Tensor
    log_step_size: Tensor


@dataclass(frozen=True)
class State:
    """The loop between two outer steps.

    `good` are the last leaves whose loss was finite; `curves` are what the objective noted of the step behind it;
    `damping` multiplies every outer learning rate and is halved by each of the `rollbacks`. `average` is the running
    mean of the leaves, if the recipe has one.
    """

    step: int
    leaves: Leaves
    velocity: Leaves
    good: Leaves
    loss: float = float("nan")
    curves: Mapping[str, float] = field(default_factory=dict)
    damping: float = 1.0
    rollbacks: int = 0
    student: Tensor | None = None
    """The parameters that a `Carrying` objective trains beside the images, [P], or [G, P] of several networks."""
    squares: Leaves | None = None
    """Adam's second moments, of which `velocity` is the first; None for SGD and at rest."""
    updates: int = 0
    """The number of Adam's updates since it was at rest."""
    usual: float = float("nan")
    """Running mean of the norm of the images' gradient, where that is clipped."""
    average: Leaves | None = None
    stage: int = 0
    """The one being distilled, counted from 0."""
    step_sizes: tuple[float, ...] = ()
    """The step sizes that the stages before the present one learned."""
    rounds: int = 0
    """The rounds of real images that are over; images of later ones are blank."""
    anchors: Tensor | None = None
    """The real images that training images are paired with, [n, C, H, W]."""
    initial: Tensor | None = None
    """The stored images that it began with, where the recipe blends with them."""

    @property
    def result(self) -> Leaves:
        """The leaves that are the result if this state is the last: their running mean, with the present step size."""
        return replace(self.average, log_step_size=self.leaves.log_step_size) if self.average else self.leaves


def tensors(leaves: Leaves) -> tuple[Tensor, Tensor, Tensor]:
    """The leaves in their order."""
    return leaves.images, leaves.logits, leaves.log_step_size


def still(leaves: Leaves) -> Leaves:
    """The velocity of leaves at rest."""
    return Leaves(*(torch.zeros_like(leaf) for leaf in tensors(leaves)))


def at_rest(state: State) -> State:
    """The state without momentum."""
    return replace(state, velocity=still(state.leaves), squares=None, updates=0)
