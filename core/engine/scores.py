"""How hard each real training image is, judged while networks learn it; the higher, the harder.

Several networks are trained at once, by the loop that trains everything; what is judged are the images as they are
stored, without augmentation. Each score yields the share of the work that is done, and returns a row a network.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from core.engine import balance, evaluate
from core.engine.evaluate import Trained
from core.engine.kernels import Kernels
from core.engine.keys import Key
from core.engine.real import Labelled
from core.engine.train import Protocol, order, sgd
from core.recipe import Augment, CScore, Dual, El2n, Forgetting, LearnedScore, Score


class Events(NamedTuple):
    """The events of S networks on n images so far, [S, n] each: how often a network lost the image, and whether it had
    it right when it last saw it, and ever."""

    lost: Tensor
    before: Tensor
    ever: Tensor

    @classmethod
    def none(cls, networks: int, images: int, device: torch.device) -> Events:
        """Before anything was seen: an image that begins wrong has not been forgotten."""
        never = torch.zeros(networks, images, dtype=torch.bool, device=device)
        return cls(torch.zeros(networks, images, device=device), never, never)

    def seen(self, index: Tensor, right: Tensor) -> Events:
        """After the images `index` int64 [S, B] were classified right or not, bool [S, B]."""
        before = self.before.gather(1, index)
        return Events(
            self.lost.scatter_add(1, index, (before & ~right).float()),
            self.before.scatter(1, index, right),
            self.ever.scatter(1, index, right | self.ever.gather(1, index)),
        )

    def scores(self, epochs: int) -> Tensor:
        """Forgetting events [S, n]; an image that was never right counts `epochs`, more than any can be forgotten."""
        return self.lost.where(self.ever, float(epochs))


def difficulty(
    score: LearnedScore, kernels: Kernels, real: Labelled, augment: Augment, keys: Sequence[Key]
) -> Generator[float, None, Mapping[str, Tensor]]:
    """The figures of every image of `real` by one network a key, [S, n] each, under the names of kept results.

    The mean of `score` is what images are ranked by; a score that does not say how easy they are has `ease` beside it.
    """
    match score:
        case Forgetting():
            return {"score": (yield from forgetting(score, kernels, real, augment, keys))}
        case El2n():
            return {"score": (yield from el2n(score, kernels, real, augment, keys))}
        case Dual():
            found, ease = yield from dual(score, kernels, real, augment, keys)
            return {"score": found, "ease": ease}


def ease(score: Score, known: Mapping[str, Tensor]) -> Tensor:
    """How easy images are, between 0 and 1, [n], of means over networks."""
    match score:
        case Forgetting():
            return 1 - known["score"] / score.epochs
        case El2n():
            return 1 - known["score"] / math.sqrt(2)
        case CScore():
            return 1 - known["score"]
        case Dual():
            return known["ease"]


def forgetting(
    score: Forgetting, kernels: Kernels, real: Labelled, augment: Augment, keys: Sequence[Key]
) -> Generator[float, None, Tensor]:
    """Forgetting events [S, n]: right when the image's batch came, and wrong when it came the next time.

    Toneva, Sordoni, Tachet des Combes, Trischler, Bengio & Gordon, "An Empirical Study of Example Forgetting during
    Deep Neural Network Learning", ICLR 2019, definition of section 3. There an image that is never learned counts as
    forgotten infinitely often; here as often as there are epochs, so that means over networks stay numbers. Unlike
    there, what is judged is the image itself, not the augmented view that is trained on. Of a network that diverged
    there are no numbers: it would be wrong about every image.
    """
    network, protocol = kernels.network, _protocol(score, augment)
    events = Events.none(len(keys), len(real), real.device)
    batches: tuple[Tensor, ...] = ()
    for moment in sgd(kernels, real.take, _labels(score, kernels, real), protocol, keys):
        if moment.step == 0 and moment.epoch < protocol.epochs:
            batches = order(keys, moment.epoch, len(real), real.device).split(protocol.batch_size, 1)
        if moment.epoch < protocol.epochs:
            index = batches[moment.step]
            with torch.no_grad():
                guesses = [
                    network.apply(theta, real.take(own)).argmax(1)
                    for theta, own in zip(moment.theta, index, strict=True)
                ]
            events = events.seen(index, torch.stack(guesses) == real.labels[index])
        yield moment.epochs / protocol.epochs
    is_sound = moment.theta.isfinite().all(1, keepdim=True)
    return events.scores(protocol.epochs).where(is_sound, torch.nan)


def el2n(
    score: El2n, kernels: Kernels, real: Labelled, augment: Augment, keys: Sequence[Key]
) -> Generator[float, None, Tensor]:
    """|| softmax(f(x)) - one-hot(y) ||_2 [S, n] after the last epoch.

    Paul, Ganguli & Dziugaite, "Deep Learning on a Data Diet: Finding Important Examples Early in Training", NeurIPS
    2021, definition 2.2. Between 0 and sqrt(2).
    """
    truth = F.one_hot(real.labels, kernels.network.classes).float()
    labels = _labels(score, kernels, real)
    trained = yield from evaluate.train(kernels, real, labels, _protocol(score, augment), keys)
    errors = [evaluate.answers(kernels, one, real).softmax(1) - truth for one in trained]
    return torch.stack([error.norm(dim=1) for error in errors])


def dual(
    score: Dual, kernels: Kernels, real: Labelled, augment: Augment, keys: Sequence[Key]
) -> Generator[float, None, tuple[Tensor, Tensor]]:
    """Difficulty times uncertainty over windows of epochs, and the mean probability of the class, [S, n] each.

    Cho, Shin, Kang & Yun, "Lightweight Dataset Pruning without Full Training via Example Difficulty and Prediction
    Uncertainty", ICML 2025: the mean over windows of (1 - mean) x standard deviation. Unlike there, what is judged is
    the image itself after an epoch, not the view that was trained on during it.
    """
    protocol, own = _protocol(score, augment), real.labels[:, None]
    epochs = list[Tensor]()
    for moment in sgd(kernels, real.take, _labels(score, kernels, real), protocol, keys):
        if moment.step == 0 and moment.epoch:
            now = [Trained(theta, moment.moments(place), 0.0) for place, theta in enumerate(moment.theta)]
            sure = [evaluate.answers(kernels, one, real).softmax(1).gather(1, own)[:, 0] for one in now]
            epochs.append(torch.stack(sure))
        yield moment.epochs / protocol.epochs
    known = torch.stack(epochs)
    windows = [known[first : first + score.span] for first in range(len(known) - score.span + 1)]
    found = [(1 - window.mean(0)) * window.std(0) for window in windows]
    return torch.stack(found).mean(0), known.mean(0)


def _protocol(score: LearnedScore, augment: Augment) -> Protocol:
    return Protocol(
        score.epochs,
        score.batch_size,
        score.lr,
        0.9,
        5e-4,
        "cosine" if isinstance(score, Forgetting) else "constant",
        augment if score.augment else Augment(transforms=()),
    )


def _labels(score: LearnedScore, kernels: Kernels, real: Labelled) -> Tensor:
    return balance.supervision(real.labels, kernels.network.classes, score.balance)
