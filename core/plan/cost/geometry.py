"""The cost of a network, from its recipe alone: parameters, arithmetic, activations. The engine's network, counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Self, final

from core.architectures import body, network_depth
from core.plan.cost.passes import Work
from core.plan.packing import Convolutions, padded
from core.recipe import Architecture, Network, Recipe


@final
@dataclass(frozen=True)
class Geometry:
    """A network on images of one shape."""

    shape: tuple[int, int, int]
    """(channels, height, width) of an image."""
    classes: int
    norm: str
    features: int
    """Floats that an image comes to before the last linear layer."""
    parameters: int
    """P."""
    forward_flops: int
    """The multiplications and additions of one image's forward pass, in convolutions and linear layers."""
    convolutions: Convolutions
    """Their part of it, and what they put out; of hidden linear layers too."""
    compiles: bool
    """Whether its passes are written out, so that they may be compiled."""

    @property
    def activations(self) -> int:
        """Floats one image's convolutions put out, all blocks together."""
        return self.convolutions.outputs

    @property
    def pixels(self) -> int:
        """Floats of an image."""
        channels, height, width = self.shape
        return channels * height * width


class Geometries(NamedTuple):
    """All networks of a job."""

    own: Geometry
    teacher: Geometry | None
    across: tuple[Geometry, ...]

    @classmethod
    def of(cls, recipe: Recipe, shape: tuple[int, int, int], classes: int) -> Self:
        """Those that a recipe asks for."""
        taught = None if recipe.teacher is None else geometry(recipe.teacher.network, shape, classes)
        across = (geometry(each, shape, classes) for each in recipe.evaluation.across)
        return cls(geometry(recipe.network, shape, classes), taught, tuple(across))

    def behind(self, call: Work) -> Geometry:
        """The network whose passes those are."""
        if call.across is not None:
            return self.across[call.across]
        return self.teacher if call.teacher and self.teacher else self.own


def geometry(network: Architecture, shape: tuple[int, int, int], classes: int) -> Geometry:
    """The network a recipe means for images of `shape` in `classes` classes."""
    if isinstance(network, Network):
        (channels, height, width), depth = padded(shape), network_depth(network, shape)
        convolutions = Convolutions.of(shape, network.width, depth)
        weights = 9 * network.width * (channels + (depth - 1) * network.width)
        parameters = weights + depth * network.width * (1 if network.norm == "none" else 3)
        features = network.width * (height >> depth) * (width >> depth)
    else:
        found = body(network, shape)
        assert found is not None, "a network that cannot read the images is refused with its recipe"
        convolutions, features = found.cost, found.features
        parameters = sum(layer.parameters for layer in found.layers)
    return Geometry(
        shape=shape,
        classes=classes,
        norm=network.norm,
        features=features,
        parameters=parameters + (features + 1) * classes,
        forward_flops=convolutions.operations + 2 * features * classes,
        convolutions=convolutions,
        compiles=network.compiles,
    )
