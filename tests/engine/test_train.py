"""Networks trained together are, bit for bit, those trained one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from core.engine import train
from core.engine.augment import dsa
from core.engine.kernels import Adjoint, Eager
from core.engine.keys import Key
from core.engine.networks import ConvNet, Moments, build
from core.engine.train import Protocol, Take, TrainState, drawn, sgd, shared
from core.plan import packing
from core.recipe import Augment, Network

SHAPE = (3, 8, 8)
IMAGES, LABELS = Key(1).normal(22, *SHAPE), Key(2).normal(22, 4).softmax(1)
PROTOCOL = Protocol(4, 8, 0.05, 0.9, 5e-4, "step", Augment())
KEYS = [Key(seed) for seed in range(3)]


def net(norm: str) -> ConvNet:
    return build(Network(width=5, depth=2, norm=norm), SHAPE, 4)  # type: ignore[arg-type]


def trained(
    network: ConvNet, take: Take, keys: Sequence[Key], protocol: Protocol = PROTOCOL, rates: list[float] | None = None
) -> list[TrainState]:
    return list(sgd(Eager(network), take, LABELS, protocol, keys, rates))


def alone(network: ConvNet, images: Tensor, protocol: Protocol, key: Key) -> tuple[Tensor, Moments | None]:
    """One network, written down without a stack: theta [P] at the end, and its batch norm's running moments."""
    kernels, theta, running = Eager(network), network.init(key.fold("init")), None
    velocity = torch.zeros_like(theta)
    for epoch in range(protocol.epochs):
        order = key.fold("order", epoch).permutation(len(images))
        for step, batch in enumerate(order.split(protocol.batch_size)):
            view = dsa(images[batch], protocol.augment, key.fold("augment", epoch, step))
            g, seen = kernels.gradient_and_batch_stats(theta, view, LABELS[batch])
            pairs = [list(zip(*kinds, strict=True)) for kinds in zip(running or seen, seen, strict=True)]
            running = Moments(*(tuple(old + 0.1 * (new - old) for old, new in kind) for kind in pairs))
            velocity = protocol.momentum * velocity + g + protocol.weight_decay * theta
            theta = theta - protocol.rate(epoch) * velocity
    return theta, running


@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
@pytest.mark.parametrize("count", [1, 3])
def test_a_stack_is_its_networks(norm: str, count: int) -> None:
    """Ragged batches, momentum, decay, a schedule, augmentation and, for batch norm, the running moments."""
    network, keys = net(norm), KEYS[:count]
    end = trained(network, shared(IMAGES), keys)[-1]
    assert end.theta.shape == (count, network.size)
    for s, key in enumerate(keys):
        theta, running = alone(network, IMAGES, PROTOCOL, key)
        assert torch.equal(end.theta[s], theta)
        seen = end.moments(s)
        assert (seen is None) == (norm != "batch")
        if seen is not None and running is not None:
            for mine, its in zip((*seen.means, *seen.variances), (*running.means, *running.variances), strict=True):
                assert torch.equal(mine, its)


@pytest.mark.parametrize("transforms", [(name,) for name in Augment().transforms] + [Augment().transforms], ids=str)
def test_one_channel_makes_no_difference(transforms: tuple[str, ...]) -> None:
    """Strides of a dimension of one are anybody's guess, and convolutions choose their way by strides."""
    network, images = build(Network(width=5, depth=2), (1, 8, 8), 4), Key(4).normal(22, 1, 8, 8)
    protocol = replace(PROTOCOL, augment=Augment(transforms=transforms))  # type: ignore[arg-type]
    together = trained(network, shared(images), KEYS, protocol)[-1].theta
    for s, key in enumerate(KEYS):
        assert torch.equal(together[s], trained(network, shared(images), [key], protocol)[-1].theta[0])


def test_the_first_moments_are_the_batch_s() -> None:
    network = net("batch")
    whole = replace(PROTOCOL, epochs=1, batch_size=100, augment=Augment(transforms=()))
    start, end = trained(network, shared(IMAGES), KEYS, whole)
    assert start.moments(0) is None
    for s in range(len(KEYS)):
        _, truth = network.apply_and_observe(start.theta[s], IMAGES)
        seen = end.moments(s)
        assert seen is not None
        for mine, its in zip((*seen.means, *seen.variances), (*truth.means, *truth.variances), strict=True):
            assert torch.allclose(mine, its, rtol=1e-5, atol=1e-6)


def test_images_of_one_s_own() -> None:
    network, images = net("instance"), Key(3).normal(60, *SHAPE)
    chosen = torch.stack([key.fold("draw").permutation(60)[: len(LABELS)] for key in KEYS])
    end = trained(network, drawn(shared(images), chosen), KEYS)[-1]
    for s, key in enumerate(KEYS):
        assert torch.equal(end.theta[s], alone(network, images[chosen[s]], PROTOCOL, key)[0])


def test_a_rate_of_one_s_own() -> None:
    network, rates = net("instance"), [0.001, 0.05, 0.3]
    end = trained(network, shared(IMAGES), [Key(0)] * 3, rates=rates)[-1]
    for s, lr in enumerate(rates):
        assert torch.equal(end.theta[s], alone(network, IMAGES, replace(PROTOCOL, lr=lr), Key(0))[0])


def test_one_network_is_stepped_without_a_stack() -> None:
    """Kernels may be made for either: which one they are given is part of the contract."""

    @dataclass(frozen=True)
    class Flat:
        network: ConvNet

        def gradient(self, theta: Tensor, images: Tensor, labels: Tensor) -> Tensor:
            assert (theta.ndim, images.ndim, labels.ndim) == (1, 4, 2)
            return Eager(self.network).gradient(theta, images, labels)

        def gradient_and_batch_stats(self, theta: Tensor, images: Tensor, labels: Tensor) -> tuple[Tensor, Moments]:
            raise AssertionError("only batch norm is observed")

        def adjoint(self, theta: Tensor, images: Tensor, labels: Tensor, u: Tensor) -> Adjoint:
            raise AssertionError("training needs no adjoint")

    moments = list(sgd(Flat(net("instance")), shared(IMAGES), LABELS, PROTOCOL, KEYS[:1]))
    assert torch.equal(moments[-1].theta, trained(net("instance"), shared(IMAGES), KEYS[:1])[-1].theta)


def test_every_moment_is_a_tensor_of_its_own() -> None:
    moments = trained(net("none"), shared(IMAGES), KEYS)
    assert [(m.epoch, m.step) for m in moments] == [divmod(i, 3) for i in range(13)]
    assert [m.epochs for m in moments[:4]] == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert len({m.theta.data_ptr() for m in moments}) == 13


def test_large_networks_are_trained_one_by_one_and_small_ones_together() -> None:
    cpu = torch.device("cpu")
    assert train.stack_for(build(Network(width=128), (3, 32, 32), 10), 256, cpu) == 1
    assert train.stack_for(build(Network(width=32), (3, 32, 32), 10), 10, cpu) == 1
    assert train.stack_for(build(Network(width=32, depth=2), (1, 8, 8), 10), 128, cpu) == 1
    assert train.stack_for(build(Network(width=32, depth=2), (1, 8, 8), 10), 10, cpu) == 11
    assert train.stack_for(build(Network(width=16), (1, 8, 8), 10), 10, cpu) == 32
    thin = build(Network(width=1, depth=1), (1, 64, 64), 10).convolutions
    assert packing.stack(thin, 18_000, "cuda", 2**40) == 32
    assert packing.stack(thin, 18_000, "cuda", 2**33) == 1, "two would not fit"
