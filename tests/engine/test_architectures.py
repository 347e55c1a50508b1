"""The networks of cross-architecture tables: published sizes, torch's layers, second derivatives, what they learn."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from core.engine import evaluate
from core.engine.kernels import Eager, choose
from core.engine.keys import Key
from core.engine.networks import Layered, build
from core.engine.real import Real
from core.engine.train import Protocol
from core.recipe import AlexNet, Architecture, Augment, LeNet, Mlp, ResNet18, Vgg11

CPU = torch.device("cpu")
SMALL: tuple[tuple[Architecture, tuple[int, int, int]], ...] = (
    (Mlp(width=8), (1, 8, 8)),
    (LeNet(), (1, 28, 28)),
    (AlexNet(width=4), (1, 8, 8)),
    (AlexNet(width=4, norm="instance"), (3, 8, 8)),
    (Vgg11(width=2), (3, 32, 32)),
    (ResNet18(width=2), (3, 16, 16)),
    (ResNet18(width=2, norm="batch"), (1, 8, 8)),
    (ResNet18(width=2, norm="none"), (1, 8, 8)),
)
IDS = [f"{network.kind}-{network.norm}" for network, _ in SMALL]


@pytest.mark.parametrize(
    ("network", "shape", "parameters"),
    [
        (ResNet18(norm="batch"), (3, 32, 32), 11_173_962),
        (ResNet18(), (3, 64, 64), 11_173_962),
        (Vgg11(norm="batch"), (3, 32, 32), 9_231_114),
        (AlexNet(), (3, 32, 32), 1_872_202),
        (LeNet(), (3, 32, 32), 62_006),
        (LeNet(), (1, 28, 28), 61_706),
        (Mlp(), (3, 32, 32), 411_146),
    ],
)
def test_published_sizes(network: Architecture, shape: tuple[int, int, int], parameters: int) -> None:
    assert build(network, shape, 10).size == parameters


class Block(nn.Module):
    """A basic block of torch's modules."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
        around = stride > 1 or inputs != outputs
        self.around = (
            [nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)] if around else [nn.Identity()]
        )
        self.parts = nn.ModuleList([*self.first, *self.second, *self.around])

    def forward(self, x: Tensor) -> Tensor:
        inner = self.first[1](self.first[0](x)).relu()
        return (self.second[1](self.second[0](inner)) + nn.Sequential(*self.around)(x)).relu()


def torchs(network: Layered) -> nn.Module:
    """The same network out of torch's modules."""
    w, (channels, height, _) = network.architecture.width, network.shape
    match network.architecture:
        case ResNet18():
            blocks, inputs = list[nn.Module](), w
            for level in range(4):
                for stride in (1 + (level > 0), 1):
                    blocks.append(Block(inputs, w << level, stride))
                    inputs = w << level
            stem = nn.Conv2d(channels, w, 3, 1, 1, bias=False), nn.BatchNorm2d(w), nn.ReLU()
            return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8 * w, 5))
        case LeNet():
            ends = nn.Conv2d(channels, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
            shrunk = [layer for conv in ends for layer in (conv, nn.ReLU(), nn.MaxPool2d(2))]
            dense = nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 5)
            return nn.Sequential(*shrunk, nn.Flatten(), *dense)
        case Vgg11():
            layers, inputs = list[nn.Module](), channels
            for outputs in (1, "M", 2, "M", 4, 4, "M", 8, 8, "M", 8, 8, "M"):
                if isinstance(outputs, str):
                    layers.append(nn.MaxPool2d(2))
                    continue
                layers += [nn.Conv2d(inputs, outputs * w, 3, padding=1 if layers or height == 32 else 3)]
                layers += [nn.GroupNorm(outputs * w, outputs * w), nn.ReLU()]
                inputs = outputs * w
            return nn.Sequential(*layers, nn.Flatten(), nn.Linear(8 * w, 5))
        case _:
            pytest.fail(f"{network.architecture.kind} is not written with torch's layers here")


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (ResNet18(width=3, norm="batch"), (3, 16, 16)),
        (LeNet(), (1, 28, 28)),
        (Vgg11(width=2), (3, 32, 32)),
        (Vgg11(width=2), (1, 28, 28)),
    ],
)
def test_equals_torchs_layers(network: Architecture, shape: tuple[int, int, int]) -> None:
    ours = build(network, shape, 5)
    assert isinstance(ours, Layered)
    theta, theirs, images = ours.init(Key(0)), torchs(ours), Key(1).normal(4, *shape)
    nn.utils.vector_to_parameters(theta, theirs.parameters())
    assert torch.allclose(ours.apply(theta, images), theirs(images), atol=1e-4)
    if network.norm == "batch":
        for module in theirs.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 1.0
        theirs(images)
        moments = ours.apply_and_observe(theta, images)[1]
        assert torch.allclose(ours.apply(theta, images, moments), theirs.eval()(images), atol=1e-4)


@pytest.mark.parametrize(("network", "shape"), SMALL, ids=IDS)
def test_the_adjoint_of_a_step_is_that_of_finite_differences(
    network: Architecture, shape: tuple[int, int, int]
) -> None:
    kernels = Eager(build(network, shape, 3))
    theta, images = kernels.network.init(Key(0)).double(), Key(1).normal(6, *shape).double()
    labels, u = torch.eye(3).repeat(2, 1).double(), 1e-2 * Key(2).normal(kernels.network.size).double()
    way, h = Key(3).normal(*images.shape).double(), 1e-6
    found = kernels.adjoint(theta, images, labels, u)
    ahead, behind = (kernels.gradient(theta, images + side * h * way, labels) @ u for side in (1, -1))
    assert float((found.images * way).sum()) == pytest.approx(float(ahead - behind) / (2 * h), rel=1e-3, abs=1e-9)


def test_only_the_convnet_is_compiled() -> None:
    chosen = choose(build(Mlp(), (1, 8, 8), 3), [], CPU)
    assert isinstance(chosen.kernels, Eager)
    assert "ConvNet" in chosen.reason


@pytest.mark.parametrize(("network", "shape"), [each for each in SMALL if each[1] == (1, 8, 8)])
def test_a_single_image_is_no_obstacle(network: Architecture, shape: tuple[int, int, int]) -> None:
    """An epoch's last step may see one image, whose one-pixel maps then have one value a channel."""
    kernels = Eager(build(network, shape, 3))
    theta, image = kernels.network.init(Key(0)), Key(1).normal(1, *shape)
    g, seen = kernels.gradient_and_batch_stats(theta, image, torch.eye(3)[:1])
    assert all(tensor.isfinite().all() for tensor in (g, *seen.means, *seen.variances))


def trained(network: Architecture, images: Tensor, labels: Tensor, lr: float) -> Callable[[Tensor], Tensor]:
    """The guesses of a network that was trained on images of two classes."""
    own = build(network, (images.shape[1], *images.shape[2:]), 2)
    protocol = Protocol(12, 8, lr, 0.9, 5e-4, "cosine", Augment(transforms=()))
    work = evaluate.train(Eager(own), images, torch.eye(2)[labels], protocol, [Key(0)])
    while True:
        try:
            next(work)
        except StopIteration as end:
            (found,) = end.value
            return lambda seen: own.apply(found.theta, seen, found.moments).argmax(1)


@pytest.mark.parametrize(
    ("network", "enlarged", "lr"),
    [
        (Mlp(width=32), 1, 0.05),
        (AlexNet(width=16), 1, 0.05),
        (ResNet18(width=4, norm="batch"), 1, 0.05),
        (LeNet(), 4, 0.05),
        (Vgg11(width=8), 4, 0.01),
    ],
    ids=lambda network: getattr(network, "kind", ""),
)
def test_each_learns_two_digits(network: Architecture, enlarged: int, lr: float, real: Real) -> None:
    """Digits of 8x8 pixels, each of which is drawn larger for those that can read no such."""
    index = torch.cat([members[:48] for members in real.members])
    images = real.train.take(index).repeat_interleave(enlarged, 2).repeat_interleave(enlarged, 3)
    labels = real.train.labels[index]
    guess = trained(network, images[::2], labels[::2], lr)
    assert float((guess(images[1::2]) == labels[1::2]).float().mean()) > 0.9
