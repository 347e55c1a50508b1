"""The layers of a network as data, which the engine computes with and a forecast counts; no torch.

Those of the cross-architecture tables (Zhao, Mopuri & Bilen 2021), in the form of the released code for 32x32 images
and the 28x28 of MNIST, and for images of other sizes what follows from it: classifiers read all that is left of an
image, except a residual network's, which reads its mean. The ConvNet is not among them: `Convolutions.of` counts it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, NamedTuple

from core.plan.packing import Convolutions, padded
from core.recipe.network import (
    AlexNet,
    Architecture,
    LeNet,
    Linear,
    Mlp,
    Network,
    ResNet18,
    SeriesConvNet,
    Vgg11,
)

Shape = tuple[int, int, int]
"""(channels, height, width)."""

MOST_BLOCKS: Final = 3
"""Blocks of a ConvNet for series that says no depth, at most."""
LARGEST: Final = 1024
"""Pixels a side up to which the least is looked for that an architecture can read."""


class Conv(NamedTuple):
    """A convolution of stride 1 with a bias, the norm and a ReLU."""

    outputs: int
    kernel: int = 3
    padding: int = 1


class ConvAlong(NamedTuple):
    """A convolution over 3 steps of a series, with a bias, the norm and a ReLU."""

    outputs: int


class MeanPool(NamedTuple):
    """The mean of 2 steps of a series."""


class Stem(NamedTuple):
    """The first convolution of a residual network: 3x3, without a bias, the norm and a ReLU."""

    outputs: int


class Residual(NamedTuple):
    """Two 3x3 convolutions, the first of them strided, added to their input: by way of 1x1 where shapes differ."""

    outputs: int
    stride: int


class MaxPool(NamedTuple):
    """The maximum of 2x2 pixels."""

    side: int = 2


class Mean(NamedTuple):
    """The mean over all positions."""


class Hidden(NamedTuple):
    """A linear layer and a ReLU."""

    outputs: int


Step = Conv | ConvAlong | Stem | Residual | MaxPool | MeanPool | Mean | Hidden


class Layer(NamedTuple):
    """A convolution or a linear layer: `height` and `width` are of what it puts out, 1 x 1 for a linear one."""

    inputs: int
    outputs: int
    kernel: int
    height: int
    width: int
    biased: bool
    normed: bool
    linear: bool = False
    along: bool = False
    """Whether the kernel is one row."""

    @property
    def window(self) -> tuple[int, int]:
        """Height and width of the kernel."""
        return (1, self.kernel) if self.along else (self.kernel, self.kernel)

    @property
    def operations(self) -> int:
        """Multiplications and additions for one image."""
        return 2 * math.prod(self.window) * self.inputs * self.outputs * self.height * self.width

    @property
    def parameters(self) -> int:
        """Weights and biases, those of its norm included."""
        return self.outputs * (math.prod(self.window) * self.inputs + self.biased + 2 * self.normed)


class Body(NamedTuple):
    """All layers before the last linear one, in the order they are computed, and how many features they leave."""

    layers: tuple[Layer, ...]
    features: int

    @property
    def cost(self) -> Convolutions:
        """Arithmetic, and floats that are put out; those of an image where there is no layer, and no arithmetic."""
        return Convolutions(
            sum(layer.operations for layer in self.layers) or 1,
            sum(layer.outputs * layer.height * layer.width for layer in self.layers) or self.features,
        )


def steps(network: Architecture, shape: Shape) -> tuple[Step, ...]:
    """The steps that an architecture takes with images of a shape before its last linear layer."""
    w = network.width
    more = (padded(shape)[1] - shape[1]) // 2  # of the first convolution's padding
    match network:
        case Mlp():
            return Hidden(w), Hidden(w)
        case Linear():
            return ()
        case SeriesConvNet():
            return (ConvAlong(w), MeanPool()) * network_depth(network, shape)
        case LeNet():
            first = Conv(w, 5, 2 if shape[0] == 1 else 0)
            return first, MaxPool(), Conv(8 * w // 3, 5, 0), MaxPool(), Hidden(20 * w), Hidden(14 * w)
        case AlexNet():
            middle = 3 * w // 2
            first, second = Conv(w, 5, 2 + more), Conv(middle, 5, 2)
            return first, MaxPool(), second, MaxPool(), Conv(2 * w), Conv(middle), Conv(middle), MaxPool()
        case Vgg11():
            found: list[Step] = [Conv(w, 3, 1 + more), MaxPool(), Conv(2 * w), MaxPool()]
            for outputs in (4 * w, 8 * w, 8 * w):
                found += [Conv(outputs), Conv(outputs), MaxPool()]
            return tuple(found)
        case ResNet18():
            blocks = [Residual(w << level, 1 + (level > 0 and not place)) for level in range(4) for place in range(2)]
            return Stem(w), *blocks, Mean()
        case Network():
            raise AssertionError("a ConvNet has blocks of its own")


def body(network: Architecture, shape: Shape) -> Body | None:
    """The layers for images of a shape; None where nothing is left of these on the way.

    Nothing is left by a convolution or pooling larger than the map, or by instance norm of a single pixel.
    """
    layers, (channels, height, width) = list[Layer](), shape
    normed, instance = network.norm != "none", network.norm == "instance"
    for step in steps(network, shape):
        match step:
            case Conv() | ConvAlong() | Stem() | Residual():
                for layer in _convolutions(step, channels, height, width, normed):
                    pixels = layer.height * layer.width if min(layer.height, layer.width) > 0 else 0
                    if pixels < 1 + instance:
                        return None
                    layers.append(layer)
                channels, height, width = layers[-1].outputs, layers[-1].height, layers[-1].width
            case MaxPool(side):
                height, width = height // side, width // side
                if not (height and width):
                    return None
            case MeanPool():
                width //= 2
                if not width:
                    return None
            case Mean():
                height = width = 1
            case Hidden(outputs):
                layers.append(
                    Layer(channels * height * width, outputs, 1, 1, 1, biased=True, normed=False, linear=True)
                )
                channels, height, width = outputs, 1, 1
    return Body(tuple(layers), channels * height * width)


def network_depth(network: Network | SeriesConvNet, shape: Shape) -> int:
    """Blocks of a ConvNet for images of a shape; one of no depth halves the image down to 4x4, or series to 4 steps."""
    if isinstance(network, SeriesConvNet):
        return network.depth or min(MOST_BLOCKS, max(1, (shape[2] // 4).bit_length() - 1))
    return network.depth or max(1, (min(shape[1:]) // 4).bit_length() - 1)


def network_name(network: Architecture, shape: Shape) -> str:
    """For instance `convnet-d3-w128-instance` or `mlp-w128`: of equal networks, and of no others."""
    norm = [network.norm] if "norm" in type(network).model_fields else []
    depth = [f"d{network_depth(network, shape)}"] if isinstance(network, Network | SeriesConvNet) else []
    return "-".join([network.kind, *depth, *([f"w{network.width}"] if network.width else []), *norm])


def least_side(network: Architecture, channels: int) -> int:
    """The least side of a square image that the architecture can read."""
    if isinstance(network, Network):
        return 1 << (network.depth or 1)
    return next(side for side in range(1, LARGEST) if body(network, (channels, side, side)) is not None)


def reads(network: Architecture, shape: Shape) -> bool:
    """Whether anything is left of images of that shape before the last linear layer."""
    if isinstance(network, Network):
        return min(shape[1:]) >= least_side(network, shape[0])
    return body(network, shape) is not None


def _convolutions(
    step: Conv | ConvAlong | Stem | Residual, inputs: int, height: int, width: int, normed: bool
) -> Iterator[Layer]:
    """Those of a step; a residual block's own first, then that of its way around, which has the same shape."""
    match step:
        case Conv(outputs, kernel, padding):
            more = 2 * padding - kernel + 1
            yield Layer(inputs, outputs, kernel, height + more, width + more, biased=True, normed=normed)
        case ConvAlong(outputs):
            yield Layer(inputs, outputs, 3, height, width, biased=True, normed=normed, along=True)
        case Stem(outputs):
            yield Layer(inputs, outputs, 3, height, width, biased=False, normed=normed)
        case Residual(outputs, stride):
            height, width = -(-height // stride), -(-width // stride)
            yield Layer(inputs, outputs, 3, height, width, biased=False, normed=normed)
            yield Layer(outputs, outputs, 3, height, width, biased=False, normed=normed)
            if stride > 1 or inputs != outputs:
                yield Layer(inputs, outputs, 1, height, width, biased=False, normed=normed)
