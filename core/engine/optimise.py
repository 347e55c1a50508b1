"""Outer updates: SGD with momentum on each leaf, as the trajectory line does it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Sgd:
    """v' = momentum * v + g;  x' = x - lr * v'."""

    lr: float
    momentum: float

    def update(self, value: Tensor, gradient: Tensor, velocity: Tensor) -> tuple[Tensor, Tensor]:
        """The new value and velocity; the old ones are left as they are."""
        velocity = self.momentum * velocity + gradient
        return value - self.lr * velocity, velocity
