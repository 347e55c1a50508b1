"""Outer updates of each leaf: SGD with momentum, as the trajectory line does it, or Adam."""

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


_EPS = 1e-8


@dataclass(frozen=True)
class Adam:
    """m' = b1 m + (1 - b1) g;  s' = b2 s + (1 - b2) g^2;  x' = x - lr m~ / (sqrt(s~) + eps).

    The tilde divides by 1 - b^k after k updates. Kingma & Ba 2015, algorithm 1.
    """

    lr: float
    momentum: float
    beta_2: float = 0.999

    def update(
        self, value: Tensor, gradient: Tensor, velocity: Tensor, squares: Tensor, updates: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The new value, first and second moment; `updates` were made since both were 0."""
        velocity = self.momentum * velocity + (1 - self.momentum) * gradient
        squares = self.beta_2 * squares + (1 - self.beta_2) * gradient.square()
        mean = velocity / (1 - self.momentum ** (updates + 1))
        scale = (squares / (1 - self.beta_2 ** (updates + 1))).sqrt() + _EPS
        return value - self.lr * mean / scale, velocity, squares
