"""ConvNet-D{d}-W{w}, the network of the dataset-distillation literature (Gidaris & Komodakis 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch.nn.functional as F
from torch import Tensor

from core.architectures import network_name
from core.engine.networks.network import Network, Run
from core.plan.packing import Convolutions, padded
from core.recipe import Network as Blocks
from core.recipe import Norm


@dataclass(frozen=True)
class ConvNet(Network):
    """d blocks of conv 3x3, norm, ReLU, average pooling 2x2; then one linear layer.

    Single-channel images of 28x28 pixels are padded by 3 in the first convolution, which makes maps of 32x32 of them,
    as the literature does for MNIST; no other shape is.
    """

    shape: tuple[int, int, int]
    classes: int
    width: int
    depth: int
    norm: Norm

    @property
    def name(self) -> str:
        """For instance `convnet-d3-w128-instance`."""
        return network_name(Blocks(width=self.width, depth=self.depth, norm=self.norm), self.shape)

    @cached_property
    def layout(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Name and shape of every parameter, in the order they lie in theta."""
        channels, height, width = self.shape
        pad = 2 * (self.first_padding - 1)
        height, width = height + pad, width + pad
        layers: list[tuple[str, tuple[int, ...]]] = []
        for block in range(self.depth):
            layers += [
                (f"conv{block}.weight", (self.width, channels, 3, 3)),
                (f"conv{block}.bias", (self.width,)),
            ]
            if self.norm != "none":
                layers += [(f"norm{block}.weight", (self.width,)), (f"norm{block}.bias", (self.width,))]
            channels, height, width = self.width, height // 2, width // 2
        features = channels * height * width
        return (*layers, ("linear.weight", (self.classes, features)), ("linear.bias", (self.classes,)))

    @property
    def convolutions(self) -> Convolutions:
        """Those of all blocks."""
        return Convolutions.of(self.shape, self.width, self.depth)

    @property
    def first_padding(self) -> int:
        """The padding of the first convolution; it is 1 in all others."""
        return 1 + (padded(self.shape)[1] - self.shape[1]) // 2

    def features(self, run: Run, images: Tensor) -> Tensor:
        """The last block's maps, [B, width * h * w]."""
        x = images
        for block in range(self.depth):
            x = F.avg_pool2d(F.relu(self._convolve(run, block, x, self.first_padding if block == 0 else 1)), 2)
        return x.flatten(1)
