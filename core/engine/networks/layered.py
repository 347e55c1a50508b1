"""The other networks: MLP, LeNet, AlexNet, VGG11 and ResNet-18; for vectors and series linear ones and ConvNets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import count

import torch.nn.functional as F
from torch import Tensor

from core.architectures import (
    Body,
    Conv,
    ConvAlong,
    Hidden,
    Layer,
    MaxPool,
    Mean,
    MeanPool,
    Residual,
    Stem,
    body,
    network_name,
    steps,
)
from core.engine.networks.network import Network, Run
from core.plan.packing import Convolutions
from core.recipe import Architecture, Norm

Parameters = tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True)
class Layered(Network):
    """The steps that `core.architectures` lists of an architecture, and one linear layer.

    Parameters are named `conv{i}` with its `norm{i}`, `hidden{i}` and `linear`; convolutions are counted in the order
    they are computed, in a residual block the 1x1 last.
    """

    shape: tuple[int, int, int]
    classes: int
    architecture: Architecture

    @property
    def norm(self) -> Norm:  # type: ignore[override]
        """After each convolution."""
        return self.architecture.norm

    @property
    def name(self) -> str:
        """For instance `resnet18-w64-instance`; without the norm where there can be none."""
        return network_name(self.architecture, self.shape)

    @cached_property
    def body(self) -> Body:
        """All layers but the last."""
        found = body(self.architecture, self.shape)
        assert found is not None, f"a {self.architecture.kind} that cannot read {self.shape} is refused with its recipe"
        return found

    @cached_property
    def layout(self) -> Parameters:
        """Name and shape of every parameter, in the order they lie in theta."""
        convolutions, hidden, found = count(), count(), list[tuple[str, tuple[int, ...]]]()
        for layer in self.body.layers:
            found += _hidden(next(hidden), layer) if layer.linear else _convolution(next(convolutions), layer)
        features = self.body.features
        return (*found, ("linear.weight", (self.classes, features)), ("linear.bias", (self.classes,)))

    @property
    def convolutions(self) -> Convolutions:
        """The cost of all layers but the last, hidden linear ones too."""
        return self.body.cost

    def features(self, run: Run, images: Tensor) -> Tensor:
        """The output of the last step, [B, features]."""
        x, convolutions, hidden = images, count(), count()
        for step in steps(self.architecture, self.shape):
            match step:
                case Conv(_, _, padding):
                    x = F.relu(self._convolve(run, next(convolutions), x, padding))
                case ConvAlong():
                    x = F.relu(self._convolve(run, next(convolutions), x, (0, 1)))
                case MeanPool():
                    x = F.avg_pool2d(x, (1, 2))
                case Stem():
                    x = F.relu(self._convolve(run, next(convolutions), x, 1))
                case Residual(outputs, stride):
                    inner = F.relu(self._convolve(run, next(convolutions), x, 1, stride))
                    inner = self._convolve(run, next(convolutions), inner, 1)
                    if stride > 1 or x.shape[1] != outputs:
                        # Thinned out first, which is the same: oneDNN's backward pass of a strided 1x1 convolution
                        # writes beyond its memory where there are few channels (torch 2.15 on CPU).
                        x = self._convolve(run, next(convolutions), x[:, :, ::stride, ::stride], 0)
                    x = F.relu(inner + x)
                case MaxPool(side):
                    x = F.max_pool2d(x, side)
                case Mean():
                    x = x.mean((2, 3))
                case Hidden():
                    place = next(hidden)
                    weight, bias = run.parameters[f"hidden{place}.weight"], run.parameters[f"hidden{place}.bias"]
                    x = F.relu(F.linear(x.flatten(1), weight, bias))
        return x.flatten(1)


def _convolution(place: int, layer: Layer) -> Parameters:
    out = layer.outputs
    return (
        (f"conv{place}.weight", (out, layer.inputs, *layer.window)),
        *(((f"conv{place}.bias", (out,)),) if layer.biased else ()),
        *(((f"norm{place}.weight", (out,)), (f"norm{place}.bias", (out,))) if layer.normed else ()),
    )


def _hidden(place: int, layer: Layer) -> Parameters:
    return (f"hidden{place}.weight", (layer.outputs, layer.inputs)), (f"hidden{place}.bias", (layer.outputs,))
