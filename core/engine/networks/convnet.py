"""ConvNet-D{d}-W{w}, the network of the dataset-distillation literature (Gidaris & Komodakis 2018)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from core.engine.keys import Key

EPS = 1e-5  # of every normalisation, as torch's own layers have it


class Moments(NamedTuple):
    """Mean and variance per channel of each batch normalisation, [width] each, in the order of the blocks."""

    means: tuple[Tensor, ...]
    variances: tuple[Tensor, ...]


class Taps(NamedTuple):
    """What convolutions and batch norms read of a batch, [B, C, H, W] each, in the order of the layers."""

    convolutions: tuple[Tensor, ...]
    norms: tuple[Tensor, ...]


@dataclass(frozen=True)
class ConvNet:
    """d blocks of conv 3x3, norm, ReLU, average pooling 2x2; then one linear layer.

    "instance" is a group norm with one group a channel (affine, no running statistics); "batch" normalises with the
    batch's own statistics unless `moments` are given. Single-channel images below 32 pixels are padded by 3 in the
    first convolution when that makes the side a power of two (28 -> 32), as the literature does for MNIST.
    """

    shape: tuple[int, int, int]
    classes: int
    width: int
    depth: int
    norm: Literal["instance", "batch", "none"]

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

    @cached_property
    def size(self) -> int:
        """P, the number of parameters."""
        return sum(math.prod(shape) for _, shape in self.layout)

    def init(self, key: Key) -> Tensor:
        """theta [P], float32 on the CPU: torch's default initialisation of each layer."""
        parts: list[Tensor] = []
        bound = 0.0
        for index, (name, shape) in enumerate(self.layout):
            if name.startswith("norm"):
                parts.append(torch.ones(shape) if name.endswith("weight") else torch.zeros(shape))
                continue
            if name.endswith("weight"):  # Kaiming uniform with a = sqrt(5); the bias has the same bound
                bound = 1 / math.sqrt(math.prod(shape[1:]))
            parts.append((2 * key.fold(index).uniform(*shape) - 1) * bound)
        return torch.cat([part.reshape(-1) for part in parts])

    def apply(self, theta: Tensor, images: Tensor, moments: Moments | None = None) -> Tensor:
        """Logits [B, K] of images [B, C, H, W]; batch norm uses `moments` if given, else the batch's statistics."""
        return self._classify(theta, self.embed(theta, images, moments))

    def embed(self, theta: Tensor, images: Tensor, moments: Moments | None = None) -> Tensor:
        """The features before the linear layer, [B, width * h * w]."""
        return self._features(theta, images, moments, None)

    def apply_and_observe(self, theta: Tensor, images: Tensor) -> tuple[Tensor, Moments]:
        """Logits, and the statistics each batch norm saw (empty for the other norms)."""
        seen: list[tuple[Tensor, Tensor]] = []
        logits = self._classify(theta, self._features(theta, images, None, seen))
        return logits, Moments(tuple(mean for mean, _ in seen), tuple(variance for _, variance in seen))

    def trace(self, theta: Tensor, images: Tensor, moments: Moments | None = None) -> tuple[Tensor, Taps]:
        """Logits as of `apply`, and what layers read on the way, which gradients may be taken through."""
        read: list[tuple[Tensor, Tensor | None]] = []
        logits = self._classify(theta, self._features(theta, images, moments, None, read))
        return logits, Taps(tuple(x for x, _ in read), tuple(y for _, y in read if y is not None))

    @property
    def first_padding(self) -> int:
        """Of the first convolution; 1 in all others."""
        channels, height, width = self.shape
        return 3 if channels == 1 and (height, width) == (28, 28) else 1

    def unflatten(self, theta: Tensor) -> dict[str, Tensor]:
        """Views of theta [P] by the names of `layout`."""
        pieces = theta.split([math.prod(shape) for _, shape in self.layout])
        return {name: piece.view(shape) for (name, shape), piece in zip(self.layout, pieces, strict=True)}

    def _classify(self, theta: Tensor, features: Tensor) -> Tensor:
        p = self.unflatten(theta)
        return F.linear(features, p["linear.weight"], p["linear.bias"])

    def _features(
        self,
        theta: Tensor,
        x: Tensor,
        moments: Moments | None,
        seen: list[tuple[Tensor, Tensor]] | None,
        read: list[tuple[Tensor, Tensor | None]] | None = None,
    ) -> Tensor:
        p = self.unflatten(theta)
        for block in range(self.depth):
            padding, into = self.first_padding if block == 0 else 1, x
            x = F.conv2d(x, p[f"conv{block}.weight"], p[f"conv{block}.bias"], padding=padding)
            if read is not None:
                read.append((into, x if self.norm == "batch" else None))
            if self.norm == "instance":
                x = F.group_norm(x, self.width, p[f"norm{block}.weight"], p[f"norm{block}.bias"], EPS)
            elif self.norm == "batch":
                if seen is not None:
                    variance, mean = torch.var_mean(x.detach(), (0, 2, 3))
                    seen.append((mean, variance))
                mean_, variance_ = (moments.means[block], moments.variances[block]) if moments else (None, None)
                affine = p[f"norm{block}.weight"], p[f"norm{block}.bias"]
                x = F.batch_norm(x, mean_, variance_, *affine, training=moments is None, eps=EPS)
            x = F.avg_pool2d(F.relu(x), 2)
        return x.flatten(1)
