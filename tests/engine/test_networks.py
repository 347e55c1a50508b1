"""ConvNet against torch's own layers, and its published parameter counts."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from core.engine.keys import Key
from core.engine.networks import ConvNet, build
from core.recipe import Network


def layers(network: ConvNet) -> nn.Sequential:
    """The same network out of torch's modules."""
    modules: list[nn.Module] = []
    channels, side = network.shape[0], network.shape[1]
    for block in range(network.depth):
        padding = 3 if block == 0 and network.shape == (1, 28, 28) else 1
        side += 2 * (padding - 1)
        modules.append(nn.Conv2d(channels, network.width, 3, padding=padding))
        if network.norm == "instance":
            modules.append(nn.GroupNorm(network.width, network.width))
        elif network.norm == "batch":
            modules.append(nn.BatchNorm2d(network.width))
        modules += [nn.ReLU(), nn.AvgPool2d(2)]
        channels, side = network.width, side // 2
    return nn.Sequential(*modules, nn.Flatten(), nn.Linear(channels * side * side, network.classes))


@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (1, 8, 8)])
def test_equals_torchs_layers(shape: tuple[int, int, int], norm: str) -> None:
    network = build(Network(width=6, norm=norm), shape, 5)  # type: ignore[arg-type]
    theta = network.init(Key(0))
    theirs = layers(network)
    nn.utils.vector_to_parameters(theta, theirs.parameters())
    images = Key(1).normal(4, *shape)
    assert torch.allclose(network.apply(theta, images), theirs(images), atol=1e-5)


def test_batch_norm_in_evaluation_equals_torchs() -> None:
    network = ConvNet((3, 8, 8), 4, 6, 1, "batch")
    theta, images = network.init(Key(0)), Key(1).normal(16, 3, 8, 8)
    theirs = layers(network)
    nn.utils.vector_to_parameters(theta, theirs.parameters())
    norm = theirs[1]
    assert isinstance(norm, nn.BatchNorm2d)
    norm.momentum = 1.0  # the running statistics become those of the batch
    theirs(images)
    _, moments = network.apply_and_observe(theta, images)
    theirs.eval()
    assert torch.allclose(network.apply(theta, images, moments), theirs(images), atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "classes", "parameters"),
    [
        ((3, 32, 32), 10, 320_010),
        ((3, 32, 32), 100, 504_420),
        ((3, 64, 64), 200, 857_160),
        ((3, 128, 128), 10, 615_690),
    ],
)
def test_published_sizes(shape: tuple[int, int, int], classes: int, parameters: int) -> None:
    assert build(Network(), shape, classes).size == parameters


def test_initialisation_is_torchs() -> None:
    """Same bounds and spread in every layer, drawn from our keys."""
    network = ConvNet((3, 32, 32), 10, 64, 3, "instance")
    ours = layers(network)
    nn.utils.vector_to_parameters(network.init(Key(0)), ours.parameters())
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = layers(network)
    for (name, one), other in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
        if other.std() > 0:
            assert float(one.abs().max()) == pytest.approx(float(other.abs().max()), rel=0.15), name
            assert float(one.std()) == pytest.approx(float(other.std()), rel=0.25), name
        else:
            assert torch.equal(one, other), name
