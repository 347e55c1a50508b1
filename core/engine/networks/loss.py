"""What networks are trained to minimise."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from core.engine.networks.convnet import ConvNet


@dataclass(frozen=True)
class CrossEntropy:
    """Mean cross-entropy of a network's logits to label probabilities; a `kernels.Loss`, comparable and hashable."""

    network: ConvNet

    def __call__(self, theta: Tensor, images: Tensor, labels: Tensor) -> Tensor:
        """theta [P], images [B, C, H, W], labels [B, K] -> scalar."""
        return F.cross_entropy(self.network.apply(theta, images), labels)
