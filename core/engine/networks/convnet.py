"""ConvNet-D{d}-W{w}, the network of the dataset-distillation literature (Gidaris & Komodakis 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch.nn.functional as F
from torch import Tensor

from core.economy import Convolutions
from core.engine.networks.network import Network, Run
from core.recipe import Norm


@dataclass(frozen=True)
class ConvNet(Network):
    """d blocks of conv 3x3, norm, ReLU, average pooling 2x2; then one linear layer.

    Single-channel images below 32 pixels are padded by 3 in the first convolution when that makes the side a power of
    two (28 -> 32), as the literature does for MNIST.
    """

    shape: tuple[int, int, int]
    classes: int
    width: int
    depth: int
    norm: Norm

    @property
    def name(self) -> str:
        """For instance `convnet-d3-w128-instance`."""
        return f"convnet-d{self.depth}-w{self.width}-{self.norm}"

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
        """Of the first convolution; 1 in all others."""
        channels, height, width = self.shape
        return 3 if channels == 1 and (height, width) == (28, 28) else 1

    def features(self, run: Run, images: Tensor) -> Tensor:
        """The last block's maps, [B, width * h * w]."""
        x = images
        for block in range(self.depth):
            x = F.avg_pool2d(F.relu(self._convolve(run, block, x, self.first_padding if block == 0 else 1)), 2)
        return x.flatten(1)
