"""Networks as pure functions of one flat parameter vector.

A trajectory is a list of points in parameter space, so the parameters of a network are one vector theta [P]:
distances, inner products and stored experts need no tree of tensors.
"""

from __future__ import annotations

from core.engine.networks.convnet import ConvNet, Moments, Taps
from core.engine.networks.loss import CrossEntropy, SquaredError
from core.recipe import Network

__all__ = ["ConvNet", "CrossEntropy", "Moments", "SquaredError", "Taps", "build"]


def build(network: Network, shape: tuple[int, int, int], classes: int) -> ConvNet:
    """The network of a recipe for images of `shape` (C, H, W); `depth=None` halves the image down to 4x4."""
    side = min(shape[1:])
    depth = network.depth or max(1, (side // 4).bit_length() - 1)
    return ConvNet(shape, classes, network.width, depth, network.norm)
