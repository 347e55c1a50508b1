"""The losses that networks are trained to minimise."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from core.engine.networks.network import Network


@dataclass(frozen=True)
class CrossEntropy:
    """Mean cross-entropy of a network's logits to label probabilities; a `kernels.Loss`, comparable and hashable."""

    network: Network

    def __call__(self, theta: Tensor, images: Tensor, labels: Tensor) -> Tensor:
        """theta [P], images [B, C, H, W], labels [B, K] -> scalar."""
        return self.of(self.network.apply(theta, images), labels)

    @staticmethod
    def of(logits: Tensor, labels: Tensor) -> Tensor:
        """The mean cross-entropy of logits [B, K] with labels [B, K], a scalar."""
        return F.cross_entropy(logits, labels)


@dataclass(frozen=True)
class SquaredError:
    """Half the mean squared distance of a network's logits from targets; a `kernels.Loss`, comparable and hashable.

    Targets are real numbers, of which the mean over the classes is left out: probabilities, one-hot ones too, become
    targets by this alone. Zhou, Nezhadarya & Ba 2022 (FRePo) train networks by it.
    """

    network: Network

    def __call__(self, theta: Tensor, images: Tensor, labels: Tensor) -> Tensor:
        """theta [P], images [B, C, H, W], targets [B, K] -> scalar."""
        return self.of(self.network.apply(theta, images), labels)

    @staticmethod
    def of(logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of logits [B, K] against labels [B, K], a scalar."""
        return (logits - labels + labels.mean(1, keepdim=True)).square().sum(1).mean() / 2
