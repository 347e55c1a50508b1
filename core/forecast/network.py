"""What a ConvNet costs, from its recipe alone: parameters, arithmetic, activations. The engine's network, counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from core.economy import Convolutions
from core.recipe import Network


@final
@dataclass(frozen=True)
class Geometry:
    """ConvNet-D{depth}-W{width} on images of one shape."""

    shape: tuple[int, int, int]
    """(channels, height, width) of an image."""
    classes: int
    width: int
    depth: int
    norm: str
    features: int
    """Floats that an image comes to before the linear layer."""
    parameters: int
    """P."""
    forward_flops: int
    """Of one image's forward pass: multiplications and additions of the convolutions and the linear layer."""
    convolutions: Convolutions
    """Their part of it, and what they put out."""

    @property
    def activations(self) -> int:
        """Floats one image's convolutions put out, all blocks together."""
        return self.convolutions.outputs

    @property
    def pixels(self) -> int:
        """Floats of an image."""
        channels, height, width = self.shape
        return channels * height * width


def geometry(network: Network, shape: tuple[int, int, int], classes: int) -> Geometry:
    """The network a recipe means for images of `shape` in `classes` classes."""
    channels, height, width = shape
    depth = network.depth or max(1, (min(height, width) // 4).bit_length() - 1)
    if channels == 1 and (height, width) == (28, 28):  # padded to 32, as the literature does for MNIST
        height, width = 32, 32
    convolutions = Convolutions.of(shape, network.width, depth)
    weights = 9 * network.width * (channels + (depth - 1) * network.width)
    parameters = weights + depth * network.width * (1 if network.norm == "none" else 3)
    features = network.width * (height >> depth) * (width >> depth)
    return Geometry(
        shape=shape,
        classes=classes,
        width=network.width,
        depth=depth,
        norm=network.norm,
        features=features,
        parameters=parameters + (features + 1) * classes,
        forward_flops=convolutions.operations + 2 * features * classes,
        convolutions=convolutions,
    )
