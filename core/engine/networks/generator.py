"""The generator of synthetic images: image to image, one at a time, and at first the identity (MGDD)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from core.engine.keys import Key

_EPS = 1e-5
_BLOCKS = 4


@dataclass(frozen=True)
class Generator:
    """x + R(x): a residual encoder and decoder for images of any size, whose last convolution starts at 0.

    Convolution to w channels; two of stride 2, to 2 w; four residual blocks; twice enlarged by the nearest neighbour,
    convolved and added to what the encoder had at that size; convolution to an image. 3x3 throughout, instance norm and
    ReLU after all but the last. No image sees another: a set may have any number of them. Reconstructed: the paper's
    architecture was not available.
    """

    channels: int
    width: int

    @property
    def name(self) -> str:
        """For instance `generator-w16-c1`."""
        return f"generator-w{self.width}-c{self.channels}"

    @cached_property
    def layout(self) -> tuple[tuple[int, int], ...]:
        """Channels that each convolution puts out and takes in, in the order they lie in theta."""
        c, w = self.channels, self.width
        inner = ((2 * w, 2 * w),) * (2 * _BLOCKS)
        return ((w, c), (2 * w, w), (2 * w, 2 * w), *inner, (2 * w, 2 * w), (w, 2 * w), (c, w))

    @cached_property
    def size(self) -> int:
        """Q, the number of parameters: weights and biases."""
        return sum(9 * out * into + out for out, into in self.layout)

    def init(self, key: Key) -> Tensor:
        """theta [Q], float32 on the CPU: Kaiming for ReLUs, biases and the last convolution 0."""
        parts: list[Tensor] = []
        for index, (out, into) in enumerate(self.layout):
            last = index + 1 == len(self.layout)
            scale = 0.0 if last else math.sqrt(2 / (9 * into))
            parts += [key.fold(index).normal(9 * out * into) * scale, torch.zeros(out)]
        return torch.cat(parts)

    def apply(self, theta: Tensor, images: Tensor) -> Tensor:
        """Images [n, C, H, W] for images [n, C, H, W]."""
        layers = iter(self._layers(theta))

        def convolved(x: Tensor, stride: int = 1) -> Tensor:
            weight, bias = next(layers)
            x = F.conv2d(x, weight, bias, stride=stride, padding=1)
            return F.group_norm(x, x.shape[1], eps=_EPS)

        fine = F.relu(convolved(images))
        middle = F.relu(convolved(fine, 2))
        x = F.relu(convolved(middle, 2))
        for _ in range(_BLOCKS):
            x = x + convolved(F.relu(convolved(x)))
        x = F.relu(convolved(F.interpolate(x, size=middle.shape[2:]))) + middle
        x = F.relu(convolved(F.interpolate(x, size=fine.shape[2:]))) + fine
        weight, bias = next(layers)
        return images + F.conv2d(x, weight, bias, padding=1)

    def _layers(self, theta: Tensor) -> list[tuple[Tensor, Tensor]]:
        sizes = [n for out, into in self.layout for n in (9 * out * into, out)]
        parts = theta.split(sizes)
        return [(parts[2 * i].view(out, into, 3, 3), parts[2 * i + 1]) for i, (out, into) in enumerate(self.layout)]
