"""A network is a pure function of images and one flat parameter vector, whatever its architecture."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from functools import cached_property
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from core.engine.keys import Key
from core.plan.packing import Convolutions
from core.recipe import Norm

EPS = 1e-5  # of every normalisation, as torch's own layers have it


class Moments(NamedTuple):
    """Mean and variance per channel of each batch normalisation, [width] each, in the order of the layers."""

    means: tuple[Tensor, ...]
    variances: tuple[Tensor, ...]


class Taps(NamedTuple):
    """The inputs of convolutions and batch norms for a batch, [B, C, H, W] each, in the order of the layers."""

    convolutions: tuple[Tensor, ...]
    norms: tuple[Tensor, ...]


class Run(NamedTuple):
    """One pass over a batch: parameters by name, moments for batch norms to use, and lists of what is to be kept."""

    parameters: dict[str, Tensor]
    moments: Moments | None = None
    seen: list[tuple[Tensor, Tensor]] | None = None
    """Mean and variance that each batch norm saw."""
    read: list[tuple[Tensor, Tensor | None]] | None = None
    """The inputs of each convolution and of the batch norm after it."""


class Network(ABC):
    """Features of images by a body of its own, and one linear layer on them.

    "instance" is a group norm with one group a channel (affine, no running statistics); "batch" normalises with the
    batch's own statistics unless `moments` are given.
    """

    shape: tuple[int, int, int]
    """(channels, height, width) of an image."""
    classes: int
    norm: Norm

    @property
    @abstractmethod
    def name(self) -> str:
        """For instance `convnet-d3-w128-instance`."""

    @property
    @abstractmethod
    def layout(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Name and shape of every parameter, in the order they lie in theta."""

    @property
    @abstractmethod
    def convolutions(self) -> Convolutions:
        """The convolutions, which take the time and the memory of a pass."""

    @abstractmethod
    def features(self, run: Run, images: Tensor) -> Tensor:
        """The inputs of the linear layer, [B, features], for images [B, C, H, W]."""

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
        return self._classify(Run(self.unflatten(theta), moments), images)

    def embed(self, theta: Tensor, images: Tensor, moments: Moments | None = None) -> Tensor:
        """The features before the linear layer, [B, features]."""
        return self.features(Run(self.unflatten(theta), moments), images)

    def apply_and_observe(self, theta: Tensor, images: Tensor) -> tuple[Tensor, Moments]:
        """Logits, and the statistics each batch norm saw (empty for the other norms)."""
        seen: list[tuple[Tensor, Tensor]] = []
        logits = self._classify(Run(self.unflatten(theta), seen=seen), images)
        return logits, Moments(tuple(mean for mean, _ in seen), tuple(variance for _, variance in seen))

    def trace(self, theta: Tensor, images: Tensor, moments: Moments | None = None) -> tuple[Tensor, Taps]:
        """Logits as of `apply`, and what layers read on the way, which gradients may be taken through."""
        read: list[tuple[Tensor, Tensor | None]] = []
        logits = self._classify(Run(self.unflatten(theta), moments, read=read), images)
        return logits, Taps(tuple(x for x, _ in read), tuple(y for _, y in read if y is not None))

    def unflatten(self, theta: Tensor) -> dict[str, Tensor]:
        """Views of theta [P] by the names of `layout`."""
        pieces = theta.split([math.prod(shape) for _, shape in self.layout])
        return {name: piece.view(shape) for (name, shape), piece in zip(self.layout, pieces, strict=True)}

    def _convolve(self, run: Run, place: int, x: Tensor, padding: int | tuple[int, int], stride: int = 1) -> Tensor:
        """The convolution `conv{place}` and its norm, if it has one."""
        p, into = run.parameters, x
        x = F.conv2d(x, p[f"conv{place}.weight"], p.get(f"conv{place}.bias"), stride=stride, padding=padding)
        if run.read is not None:
            run.read.append((into, x if self.norm == "batch" else None))
        if self.norm == "none":
            return x
        weight, bias = p[f"norm{place}.weight"], p[f"norm{place}.bias"]
        if self.norm == "instance":
            return F.group_norm(x, x.shape[1], weight, bias, EPS)
        if run.seen is not None:
            values = x.numel() // x.shape[1]
            variance, mean = torch.var_mean(x.detach(), (0, 2, 3), correction=min(1, values - 1))
            run.seen.append((mean, variance))
        means, variances = (run.moments.means[place], run.moments.variances[place]) if run.moments else (None, None)
        # torch's functional form would refuse the single value a channel that the last image of an epoch may leave
        own, backend = run.moments is None, torch.backends.cudnn.enabled
        return torch.batch_norm(x, weight, bias, means, variances, own, 0.1, EPS, backend)

    def _classify(self, run: Run, images: Tensor) -> Tensor:
        return F.linear(self.features(run, images), run.parameters["linear.weight"], run.parameters["linear.bias"])
