"""The interface of kernels: the gradient of a loss, the adjoint of the step taken along it, and logits for tests.

Shapes: theta [P], images [B, C, H, W], labels [B, K] (probabilities). Several students are stepped at once where every
argument has a leading dimension S: theta [S, P], images [S, B, C, H, W], labels [S, B, K].
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from torch import Tensor

from core.engine.networks import Moments, Network

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(theta, images, labels) -> scalar, the mean over the batch."""


class Adjoint(NamedTuple):
    """The cotangents of one SGD step's inputs, for a cotangent `u` of the step's gradient g = grad_theta loss."""

    along: Tensor  # <g, u>, scalar
    theta: Tensor  # H u, [P]
    images: Tensor  # d<g, u>/d images, [B, C, H, W]
    labels: Tensor  # d<g, u>/d labels, [B, K]


class Kernels(Protocol):
    """The steps for the mean cross-entropy of one network; a value, safe to share."""

    @property
    def network(self) -> Network:
        """The network of the loss."""
        ...

    def logits(self, theta: Tensor, images: Tensor, moments: Moments | None = None) -> Tensor:
        """Logits [B, K] of one network; batch norm uses `moments` if given, else the batch's statistics.

        Nothing need be differentiable.
        """
        ...

    def gradient(self, theta: Tensor, images: Tensor, labels: Tensor) -> Tensor:
        """g = grad_theta loss, shaped like theta: all an SGD step needs. Stacked students are allowed."""
        ...

    def gradient_and_batch_stats(self, theta: Tensor, images: Tensor, labels: Tensor) -> tuple[Tensor, Moments]:
        """The gradient, and what each batch norm saw. Stacked students are allowed."""
        ...

    def adjoint(self, theta: Tensor, images: Tensor, labels: Tensor, u: Tensor) -> Adjoint:
        """Derivatives of <g, u> in theta, images and labels; symmetry of the Hessian makes the first H u."""
        ...

    def gradient_with_residuals(self, theta: Tensor, images: Tensor, labels: Tensor) -> tuple[Tensor, object]:
        """The gradient, and what `adjoint_from_residuals` needs of it: memory that spares the adjoint a pass."""
        ...

    def adjoint_from_residuals(self, theta: Tensor, residuals: object, u: Tensor) -> Adjoint:
        """`adjoint`, from what `gradient_with_residuals` gave; residuals are good for one call."""
        ...

    def kept_bytes(self, theta: Tensor, batch: int) -> int:
        """Bytes that `gradient_with_residuals` keeps of a step on so many images, about."""
        ...
