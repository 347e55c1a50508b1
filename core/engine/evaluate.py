"""Fresh networks trained under a stated protocol, and how well they do on data they never saw."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from core.engine.augment import dsa
from core.engine.kernels import Kernels
from core.engine.keys import Key
from core.engine.networks import ConvNet, Moments
from core.engine.real import Labelled, Real
from core.recipe import Augment, Evaluation, FullTraining

_RUNNING = 0.1  # share of the new batch in batch norm's running moments
_TEST_BATCH = 1024


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

    def rate(self, epoch: int) -> float:
        """Learning rate in an epoch."""
        match self.schedule:
            case "step":
                return self.lr * (0.1 if epoch >= self.epochs // 2 + 1 else 1.0)
            case "cosine":
                return self.lr * 0.5 * (1 + math.cos(math.pi * epoch / self.epochs))
            case "constant":
                return self.lr


def on_synthetic(evaluation: Evaluation, augment: Augment, lr: float) -> Protocol:
    """The recipe's protocol for training on the synthetic set."""
    return Protocol(
        evaluation.epochs,
        evaluation.batch_size,
        lr,
        evaluation.momentum,
        evaluation.weight_decay,
        evaluation.schedule,
        augment if evaluation.augment else Augment(transforms=()),
    )


def on_full(full: FullTraining, augment: Augment) -> Protocol:
    """The recipe's protocol for the reference on the full training set."""
    return Protocol(full.epochs, full.batch_size, full.lr, 0.9, 5e-4, "cosine", augment)


@dataclass(frozen=True)
class Trained:
    """A trained network: theta [P] and, for batch norm, its running moments."""

    theta: Tensor
    moments: Moments | None


@dataclass(frozen=True)
class Score:
    """Test and validation accuracy of one trained network, and test accuracy per class [K]."""

    accuracy: float
    validation: float
    per_class: tuple[float, ...]
    seconds: float


@dataclass(frozen=True)
class Result:
    """Scores of several fresh networks trained on one set; accuracies are shares of 1."""

    name: str
    images: int
    network: str
    lr: float
    scores: tuple[Score, ...] = field(repr=False)

    @property
    def mean(self) -> float:
        """Mean test accuracy."""
        return statistics.fmean(score.accuracy for score in self.scores)

    @property
    def std(self) -> float:
        """Sample standard deviation of the test accuracy; 0 for one seed."""
        return statistics.stdev(score.accuracy for score in self.scores) if len(self.scores) > 1 else 0.0

    @property
    def validation(self) -> float:
        """Mean validation accuracy."""
        return statistics.fmean(score.validation for score in self.scores)


def train(kernels: Kernels, images: Tensor, labels: Tensor, protocol: Protocol, key: Key) -> Trained:
    """Train a fresh network on images [n, C, H, W] with label probabilities [n, K]."""
    network = kernels.network
    theta = network.init(key.fold("init")).to(images.device)
    velocity = torch.zeros_like(theta)
    running: Moments | None = None
    for epoch in range(protocol.epochs):
        rate = protocol.rate(epoch)
        order = key.fold("order", epoch).permutation(len(images)).to(images.device)
        for step, batch in enumerate(order.split(protocol.batch_size)):
            view = dsa(images[batch], protocol.augment, key.fold("augment", epoch, step))
            if network.norm == "batch":
                g, seen = kernels.observe(theta, view, labels[batch])
                running = _blend(running, seen)
            else:
                g = kernels.gradient(theta, view, labels[batch])
            velocity = protocol.momentum * velocity + g + protocol.weight_decay * theta
            theta = theta - rate * velocity
    return Trained(theta, running)


def accuracy(network: ConvNet, trained: Trained, data: Labelled) -> tuple[float, tuple[float, ...]]:
    """Overall accuracy, and accuracy per class."""
    with torch.no_grad():
        guesses = [network.apply(trained.theta, x, trained.moments).argmax(1) for x in data.images.split(_TEST_BATCH)]
    right = (torch.cat(guesses) == data.labels).float()
    hits = torch.zeros(network.classes, device=right.device).index_add_(0, data.labels, right)
    counts = torch.bincount(data.labels, minlength=network.classes).clamp_min(1)
    return float(right.mean()), tuple((hits / counts).tolist())


def evaluate(
    name: str,
    kernels: Kernels,
    images: Tensor,
    labels: Tensor,
    real: Real,
    protocol: Protocol,
    seeds: int,
    key: Key,
) -> Iterator[Result]:
    """Train `seeds` fresh networks and test each; yields the result so far after each of them."""
    scores: list[Score] = []
    for seed in range(seeds):
        started = time.perf_counter()
        trained = train(kernels, images, labels, protocol, key.fold("seed", seed))
        seconds = time.perf_counter() - started
        test, per_class = accuracy(kernels.network, trained, real.test)
        validation, _ = accuracy(kernels.network, trained, real.validation)
        scores.append(Score(test, validation, per_class, seconds))
        yield Result(name, len(images), kernels.network.name, protocol.lr, tuple(scores))


def look(kernels: Kernels, images: Tensor, labels: Tensor, real: Real, protocol: Protocol, key: Key) -> float:
    """Validation accuracy of one fresh network: what selection and tuning may see."""
    return accuracy(kernels.network, train(kernels, images, labels, protocol, key), real.validation)[0]


def _blend(running: Moments | None, new: Moments) -> Moments:
    if running is None:
        return new
    old_and_new = [zip(old, fresh, strict=True) for old, fresh in zip(running, new, strict=True)]
    means, variances = (tuple(torch.lerp(old, fresh, _RUNNING) for old, fresh in pairs) for pairs in old_and_new)
    return Moments(means, variances)
