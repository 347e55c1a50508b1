"""The one training loop: S networks at once, each from its own key, by SGD.

Experts on the real data and students on a synthetic set are trained by the same steps. A network's path depends on its
own key and learning rate alone: how many others are trained beside it changes its arithmetic no more than the kernels
do, and `Eager` kernels not at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from core.engine import balance, gsam
from core.engine.augment import cutmix, views_each
from core.engine.kernels import Kernels
from core.engine.keys import Key
from core.engine.networks import Moments, Network
from core.engine.optimise import Adam
from core.plan import packing
from core.recipe import Augment, CutMix, Gsam, Policy

_RUNNING = 0.1  # share of the new batch in batch norm's running moments

Take = Callable[[Tensor], Tensor]
"""Indices int64 [S, B], a row for each network, to images float32 [S, B, C, H, W]."""


@dataclass(frozen=True)
class Curriculum:
    """Images have an order: their stages, int64 [n], counted from 0, and the learning rate of each stage's training."""

    stage: Tensor
    rates: tuple[float, ...]


@dataclass(frozen=True)
class Protocol:
    """How a network is trained: SGD, `epochs` passes in batches of `batch_size`."""

    epochs: int
    batch_size: int
    lr: float
    momentum: float
    weight_decay: float
    schedule: Literal["step", "cosine", "constant"]
    augment: Augment
    policy: Policy = "batch"
    real: Tensor | None = field(default=None, compare=False)
    """Which of the images that are trained on the policy "combined" takes for real ones, bool [n]; None: none."""
    flat: Gsam | None = None
    """The choice that makes steps lead to flat minima; None steps along the gradient."""
    curriculum: Curriculum | None = field(default=None, compare=False)
    """Train on S_1, then on S_1 u S_2, up to all: each time so many epochs, at that stage's rate instead of `lr`."""

    optimiser: Literal["sgd", "adamw"] = "sgd"
    """AdamW (Loshchilov & Hutter 2019): beta_1 is the momentum, and weights decay by rate x weight_decay beside it."""
    temperature: float = 1.0
    """Divides the logits of which the loss is taken."""
    cutmix: CutMix | None = None
    """Mixes what the policy made; None leaves it."""
    members: tuple[Tensor, ...] | None = field(default=None, compare=False)
    """The images of each class, where an epoch has as many of one as of the other; None has every image once."""

    @property
    def shown(self) -> Augment:
        """The transforms that views are drawn from: with CutMix nothing is cut out besides (as IDC's released code)."""
        if self.cutmix is None:
            return self.augment
        return Augment(transforms=tuple(name for name in self.augment.transforms if name != "cutout"))

    @property
    def total_epochs(self) -> int:
        """Those of every stage."""
        return self.epochs * (len(self.curriculum.rates) if self.curriculum else 1)

    def rate(self, epoch: int) -> float:
        """Learning rate in an epoch."""
        match self.schedule:
            case "step":
                return self.lr * (0.1 if epoch >= self.epochs // 2 + 1 else 1.0)
            case "cosine":
                return self.lr * 0.5 * (1 + math.cos(math.pi * epoch / self.epochs))
            case "constant":
                return self.lr


class TrainState(NamedTuple):
    """Training in progress: `epoch` whole epochs and `step` of the next one's `steps` are behind it.

    theta [S, P], a tensor of its own at every moment. `running` are batch norm's moments so far, [S, width] each; None
    for other norms and before the first step.
    """

    epoch: int
    step: int
    steps: int
    theta: Tensor
    running: Moments | None

    @property
    def epochs(self) -> float:
        """Epochs behind it, with the fraction of the one it is in."""
        return self.epoch + self.step / self.steps

    def moments(self, network: int) -> Moments | None:
        """Batch norm's moments of one of the networks, [width] each."""
        return self.running and Moments(*(tuple(m[network] for m in kind) for kind in self.running))


Lesson = Callable[[int, int], tuple[Tensor, Tensor]]
"""(epoch, step) to what the networks are shown, [S, B, C, H, W], and label probabilities [S, B, K]."""


def shared(images: Tensor) -> Take:
    """Every network sees the same images [n, C, H, W]."""
    return lambda index: images[index]


def drawn(take: Take, chosen: Tensor) -> Take:
    """Each network sees its own choice of what there is to take, int64 [S, n]."""
    return lambda index: take(chosen.gather(1, index))


def sgd(
    kernels: Kernels,
    take: Take,
    labels: Tensor,
    protocol: Protocol,
    keys: Sequence[Key],
    rates: Sequence[float] | None = None,
    start: Tensor | None = None,
) -> Iterator[TrainState]:
    """Train one fresh network a key on images with label probabilities [n, K]; yields the start and every step.

    Labels [S, n, K] give each network its own. A key draws its network's initialisation, order and augmentation.
    `rates` gives each network a learning rate of its own instead of the protocol's, `start` [S, P] the parameters to
    begin with. The moments with `step == 0` lie between two epochs; of a curriculum `epoch` counts those
    of all stages.
    """
    if protocol.curriculum is not None:
        assert rates is None, "a curriculum has a rate for each stage, not for each network"
        return _in_order(kernels, take, labels, protocol, protocol.curriculum, keys, start)
    device = labels.device
    n = labels.shape[-2]
    steps, shown = -(-n // protocol.batch_size), protocol.shown
    batches: tuple[Tensor, ...] = ()
    students = torch.arange(len(keys), device=device)[:, None]

    def lesson(epoch: int, step: int) -> tuple[Tensor, Tensor]:
        nonlocal batches
        if step == 0:
            batches = order(keys, epoch, n, device, protocol.members).split(protocol.batch_size, 1)
        batch = batches[step]
        draws = [key.fold("augment", epoch, step) for key in keys]
        known = None if protocol.real is None else protocol.real[batch]
        own = labels[batch] if labels.ndim == 2 else labels[students, batch]
        views = views_each(take(batch), shown, protocol.policy, draws, known)
        return (views, own) if protocol.cutmix is None else cutmix(views, own, protocol.cutmix, draws)

    return learn(kernels, lesson, steps, protocol, keys, device, rates, start)


def learn(
    kernels: Kernels,
    lesson: Lesson,
    steps: int | Sequence[int],
    protocol: Protocol,
    keys: Sequence[Key],
    device: torch.device,
    rates: Sequence[float] | None = None,
    start: Tensor | None = None,
) -> Iterator[TrainState]:
    """Train one fresh network a key on what `lesson` shows at each of an epoch's `steps`; otherwise as `sgd`.

    Epochs have as many steps each, or each its own number.
    """
    counts = [steps] * protocol.epochs if isinstance(steps, int) else steps
    assert len(counts) == protocol.epochs, "a number of steps for each epoch"
    theta = start
    if theta is None:
        theta = torch.stack([kernels.network.init(key.fold("init")) for key in keys]).to(device)
    own_rules = [replace(protocol, lr=lr) for lr in rates] if rates else [protocol] * len(keys)
    heat = _heat(kernels.network, protocol.temperature, device)
    velocity = squares = None
    running: Moments | None = None
    updates = 0
    yield TrainState(0, 0, counts[0], theta, running)
    for epoch, count in enumerate(counts):
        rate = torch.tensor([rule.rate(epoch) for rule in own_rules], device=device)[:, None]
        for step in range(count):
            view, labels = lesson(epoch, step)
            g, seen = _direction(kernels, protocol.flat, theta, view, labels, heat)
            running = seen if running is None or seen is None else _blend(running, seen)
            if protocol.optimiser == "adamw":
                adam, rest = Adam(1.0, protocol.momentum), torch.zeros_like(theta)
                move, velocity, squares = adam.update(
                    rest, g, rest if velocity is None else velocity, rest if squares is None else squares, updates
                )
                theta = theta + rate * (move - protocol.weight_decay * theta)
            else:
                # Products and sums one by one: fused, they'd round differently at another place in the stack.
                velocity = g if velocity is None or not protocol.momentum else protocol.momentum * velocity + g
                if protocol.weight_decay:
                    velocity = velocity + protocol.weight_decay * theta
                theta = theta - rate * velocity
            updates += 1
            yield TrainState(epoch + (step + 1) // count, (step + 1) % count, count, theta, running)


def _in_order(
    kernels: Kernels,
    take: Take,
    labels: Tensor,
    protocol: Protocol,
    curriculum: Curriculum,
    keys: Sequence[Key],
    theta: Tensor | None,
) -> Iterator[TrainState]:
    """One training by the protocol for each stage, at rest in the beginning, from where the one before ended."""
    for stage, rate in enumerate(curriculum.rates):
        seen = (curriculum.stage <= stage).nonzero().flatten()
        own = replace(protocol, lr=rate, real=None if protocol.real is None else protocol.real[seen], curriculum=None)
        drawing = [key.fold("stage", stage) for key in keys] if stage else keys

        def among(index: Tensor, seen: Tensor = seen) -> Tensor:
            return take(seen[index])

        for moment in sgd(kernels, among, labels[seen], own, drawing, start=theta):
            if stage == 0 or moment.epoch or moment.step:  # the start of a later stage is the end of the one before
                yield moment._replace(epoch=stage * protocol.epochs + moment.epoch)
        theta = moment.theta


def order(
    keys: Sequence[Key], epoch: int, n: int, device: torch.device, members: tuple[Tensor, ...] | None = None
) -> Tensor:
    """The order in which each network sees n images in an epoch, int64 [S, n]; of `members` each class as often."""
    own = [key.fold("order", epoch) for key in keys]
    each = [key.permutation(n) if members is None else balance.order(key, n, members) for key in own]
    return torch.stack(each).to(device)


def stack_for(network: Network, batch: int, device: torch.device) -> int:
    """How many networks to train at once on batches of that size: `packing.stack` says why."""
    memory = torch.cuda.get_device_properties(device).total_memory if device.type == "cuda" else None
    return packing.stack(network.convolutions, batch, device.type, memory)


def _heat(network: Network, temperature: float, device: torch.device) -> Tensor | None:
    """The factors of theta, [P], that divide its logits by the temperature; None for a temperature of 1."""
    if temperature == 1:
        return None
    parts = [
        torch.full((math.prod(shape),), 1 / temperature if name.startswith("linear") else 1.0)
        for name, shape in network.layout
    ]
    return torch.cat(parts).to(device)


def _direction(
    kernels: Kernels, flat: Gsam | None, theta: Tensor, images: Tensor, labels: Tensor, heat: Tensor | None
) -> tuple[Tensor, Moments | None]:
    """Where the steps lead [S, P], and what batch norms saw at theta itself.

    A loss of logits divided by a temperature is the loss at theta x heat, and its gradient that one's x heat.
    """

    def gradient(there: Tensor) -> tuple[Tensor, Moments | None]:
        if heat is None:
            return _gradient(kernels, there, images, labels)
        g, seen = _gradient(kernels, there * heat, images, labels)
        return g * heat, seen

    g, seen = gradient(theta)
    if flat is not None:
        g = gsam.flat(flat, theta, g, lambda there: gradient(there)[0])
    return g, seen


def _gradient(kernels: Kernels, theta: Tensor, images: Tensor, labels: Tensor) -> tuple[Tensor, Moments | None]:
    """The gradients [S, P], and what batch norms saw; one network goes to the kernels unstacked."""
    alone = len(theta) == 1
    where = (theta[0], images[0], labels[0]) if alone else (theta, images, labels)
    if kernels.network.norm != "batch":
        g = kernels.gradient(*where)
        return (g[None] if alone else g), None
    g, seen = kernels.gradient_and_batch_stats(*where)
    return (g[None], Moments(*(tuple(m[None] for m in kind) for kind in seen))) if alone else (g, seen)


def _blend(running: Moments, new: Moments) -> Moments:
    means, variances = (
        tuple(old + _RUNNING * (fresh - old) for old, fresh in zip(*kinds, strict=True))
        for kinds in zip(running, new, strict=True)
    )
    return Moments(means, variances)
