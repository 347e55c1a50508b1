"""Images from a trained generator: drawn, judged by a network that knows the real ones, and chosen among."""

from __future__ import annotations

import time
from collections.abc import Generator as Yielding
from dataclasses import dataclass

import torch
from torch import Tensor

from core.engine import selection
from core.engine.diffusion.generator import BATCH, Architecture, Generator
from core.engine.evaluate import Trained
from core.engine.keys import Key
from core.engine.networks import Network
from core.engine.real import Labelled
from core.recipe import Counts

_LLOYD = 30  # iterations, unless nothing moves before
_COMPARED = 500  # images, at most, whose nearest real one is looked for
_NEAR = 0.5  # of the usual distance between real images, below which a sample is a copy


@dataclass(frozen=True)
class Judge:
    """A network that was trained on the real images."""

    network: Network
    trained: Trained

    def probabilities(self, images: Tensor) -> Tensor:
        """[n, K] of images [n, C, H, W]."""
        with torch.no_grad():
            parts = images.split(BATCH)
            logits = [self.network.apply(self.trained.theta, part, self.trained.moments) for part in parts]
        return torch.cat(logits).softmax(1)

    def features(self, images: Tensor) -> Tensor:
        """[n, d]."""
        with torch.no_grad():
            parts = images.split(BATCH)
            return torch.cat([self.network.embed(self.trained.theta, part, self.trained.moments) for part in parts])


@dataclass(frozen=True)
class Drawn:
    """Images [sum(counts), C, H, W], class by class, and what became known of the samples they are or were chosen from.

    `agreement` is the share of all samples that the judge takes for the class they stand for; None without a judge.
    """

    images: Tensor
    samples: int
    seconds: float
    agreement: float | None


def noise(a: Architecture, counts: Counts, std: float, key: Key) -> Tensor:
    """[sum(counts), c, h, w], class by class; the first of a class are the same however many there are."""
    keys = [key.fold(c, i) for c, count in enumerate(counts) for i in range(count)]
    return std * torch.stack([own.normal(*a.latent) for own in keys])


def draw(
    generator: Generator, counts: Counts, std: float, key: Key, judge: Judge | None, candidates: int = 1
) -> Yielding[float, None, Drawn]:
    """So many images of each class; yields the share of the samples that there are.

    Args:
        generator: where they come from.
        counts: how many of each class.
        std: deviation of the noise they are led back from.
        key: draws it.
        judge: says which class a sample is of.
        candidates: samples for each image that is taken; more than one needs a judge.
    """
    assert candidates == 1 or judge is not None, "a recipe with candidates has a judge"
    device = generator.weights["latent.mean"].device
    each = [count * candidates for count in counts]
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(each))
    begun = noise(generator.architecture, tuple(each), std, key)
    found, started = [], time.perf_counter()
    for y, z in zip(labels.split(BATCH), begun.split(BATCH), strict=True):
        found.append(generator.sample(y.to(device), z.to(device)))
        yield sum(map(len, found)) / len(labels)
    images, labels = torch.cat(found), labels.to(device)
    seconds = time.perf_counter() - started
    agreement = None
    if judge is not None:
        said = judge.probabilities(images)
        agreement = float((said.argmax(1) == labels).float().mean())
        if candidates > 1:
            parts = zip(images.split(each), said.split(each), counts, strict=True)
            images = torch.cat(
                [_chosen(own, p, c, count, key.fold("choice", c), judge) for c, (own, p, count) in enumerate(parts)]
            )
    return Drawn(images, len(labels), seconds, agreement)


def _chosen(images: Tensor, said: Tensor, c: int, ipc: int, key: Key, judge: Judge) -> Tensor:
    """The medoids of the samples of class c that the judge agrees with: the surest ones, at most half of all samples.

    Where it agrees with fewer than ipc, those that it thinks likeliest fill up.
    """
    right = int((said.argmax(1) == c).sum())
    order = ((said.argmax(1) == c).float() + said[:, c]).argsort(descending=True, stable=True)
    kept = order[: max(ipc, min(right, -(-len(images) // 2)))]
    return images[kept[selection.k_means(judge.features(images[kept]), ipc, _LLOYD, key)]]


def copies(images: Tensor, real: Labelled) -> float:
    """Share of images that are nearly a training image: nearer to one than half of what is usual among those.

    Usual is the median distance (L2, preprocessed) of a training image from its nearest other one. At most 500 images
    on either side are looked at, evenly spaced.
    """
    some, own = images[:: -(-len(images) // _COMPARED)], real.sample(_COMPARED)
    known = own.take(torch.arange(len(own), device=own.device))
    usual = _nearest(known, real, 2).median()  # the nearest one is itself
    return float((_nearest(some, real, 1) < _NEAR * usual).float().mean())


def _nearest(images: Tensor, real: Labelled, rank: int) -> Tensor:
    """Distance [n] of each image from the training image that is the rank-nearest to it."""
    flat, best = images.flatten(1), torch.full((len(images), rank), torch.inf, device=images.device)
    for part in real.batches(4096):
        best = torch.cat([best, torch.cdist(flat, part.flatten(1))], 1).topk(rank, 1, largest=False).values
    return best[:, -1]
