"""How much arithmetic the two kernels are: by definition, and as a kernel really does it.

Operations are those of matrix products and convolutions, a multiplication and an addition counting as two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils.flop_counter import FlopCounterMode, bmm_flop

from core.engine.kernels import Adjoint, Compiled, Kernels, Shape
from core.engine.networks import ConvNet

Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Needs:
    """How often a kernel needs each pass of a convolution."""

    forward: int
    activations: int
    weights: int

    def of(self, forward: Number, activations: Number, weights: Number) -> Number:
        """The sum, each pass at its price."""
        return self.forward * forward + self.activations * activations + self.weights * weights


@dataclass(frozen=True)
class Layer:
    """One 3x3 convolution of `channels` into `width`; `height` and `side` are those of its output."""

    channels: int
    width: int
    height: int
    side: int
    padding: int

    @property
    def flops(self) -> int:
        """The operations of one forward pass of one image; a multiplication and an addition count as two."""
        return 2 * 9 * self.channels * self.width * self.height * self.side


INNER = {"gradient": Needs(1, 1, 1), "adjoint": Needs(3, 3, 2)}
FIRST = {"gradient": Needs(1, 0, 1), "adjoint": Needs(2, 2, 1)}


def layers(network: ConvNet) -> list[Layer]:
    """The convolutions of a network."""
    channels, height, side = network.shape
    found = []
    for block in range(network.depth):
        padding = 3 if block == 0 and network.shape == (1, 28, 28) else 1
        height, side = height + 2 * padding - 2, side + 2 * padding - 2
        found.append(Layer(channels, network.width, height, side, padding))
        channels, height, side = network.width, height // 2, side // 2
    return found


def convolved(kernel: str, network: ConvNet, batch: int) -> int:
    """Operations that a kernel's convolutions are by definition, on a batch."""
    return sum(
        (INNER if i else FIRST)[kernel].of(*[layer.flops * batch] * 3) for i, layer in enumerate(layers(network))
    )


def work(kernel: str, network: ConvNet, batch: int) -> int:
    """Operations that a kernel is by definition, the linear layer included."""
    classes, features = dict(network.layout)["linear.weight"]
    return convolved(kernel, network, batch) + INNER[kernel].of(*[2 * classes * features * batch] * 3)


def done(kernel: str, kernels: Kernels, theta: Tensor, images: Tensor, labels: Tensor, u: Tensor) -> int:
    """Operations that `kernels` really do, what a compiler leaves out because nobody reads it not counted."""
    gradient, adjoint = kernels.gradient, kernels.adjoint
    if isinstance(kernels, Compiled):  # a program can't be looked into: count what it was compiled from
        two = kernels.passes(Shape(1, len(images)), theta.device)

        def gradient(theta: Tensor, images: Tensor, labels: Tensor) -> Tensor:
            return two.first(theta, images, labels)[0]

        def adjoint(theta: Tensor, images: Tensor, labels: Tensor, u: Tensor) -> Adjoint:
            return two.second(theta, two.first(theta, images, labels)[1], u)[0]

    if kernel == "gradient":
        return _count(lambda *given: [gradient(*given)], theta, images, labels)
    return _count(lambda *given: adjoint(*given), theta, images, labels, u)


def _count(run: Callable[..., Sequence[Tensor]], *given: Tensor) -> int:
    with torch.no_grad():
        graph = make_fx(run)(*given)
    graph.graph.eliminate_dead_code()
    graph.recompile()
    own = {torch.ops.stillhouse.product: lambda a, b, **_: sum(map(bmm_flop, a, b))}
    with FlopCounterMode(display=False, custom_mapping=own) as counter:
        graph(*given)
    return int(counter.get_total_flops())
