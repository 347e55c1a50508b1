"""Networks as pure functions of one flat parameter vector.

A trajectory is a list of points in parameter space, so the parameters of a network are one vector theta [P]:
distances, inner products and stored experts need no tree of tensors.
"""

from __future__ import annotations

from core.architectures import network_depth
from core.engine.networks.convnet import ConvNet
from core.engine.networks.layered import Layered
from core.engine.networks.loss import CrossEntropy, SquaredError
from core.engine.networks.network import Moments, Network, Taps
from core.recipe import Architecture
from core.recipe import Network as Blocks

__all__ = ["ConvNet", "CrossEntropy", "Layered", "Moments", "Network", "SquaredError", "Taps", "build", "convnet"]


def build(network: Architecture, shape: tuple[int, int, int], classes: int) -> Network:
    """The network of a recipe for images of `shape` (C, H, W); a ConvNet of no depth halves the image down to 4x4."""
    return convnet(network, shape, classes) if isinstance(network, Blocks) else Layered(shape, classes, network)


def convnet(network: Blocks, shape: tuple[int, int, int], classes: int) -> ConvNet:
    """The same of a ConvNet."""
    return ConvNet(shape, classes, network.width, network_depth(network, shape), network.norm)
