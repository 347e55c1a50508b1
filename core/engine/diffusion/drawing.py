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
    """Images [K * ipc, C, H, W], class by class, and what became known of the samples they are or were chosen from.

    `agreement` is the share of all samples that the judge takes for the class they stand for; None without a judge.
    """

    images: Tensor
    samples: int
    seconds: float
    agreement: float | None


def noise(a: Architecture, classes: int, n: int, std: float, key: Key) -> Tensor:
    """[K * n, c, h, w], class by class; the first of a class are the same for every n."""
    keys = [key.fold(c, i) for c in range(classes) for i in range(n)]
    return std * torch.stack([own.normal(*a.latent) for own in keys])


def draw(
    generator: Generator, classes: int, ipc: int, std: float, key: Key, judge: Judge | None, candidates: int = 1
) -> Yielding[float, None, Drawn]:
    """ipc images of each class; yields the share of the samples that there are.

    Args:
        generator: where they come from.
        classes, ipc: K, and how many of each.
        std: deviation of the noise they are led back from.
        key: draws it.
        judge: says which class a sample is of.
        candidates: samples for each image that is taken; more than one needs a judge.
    """
    assert candidates == 1 or judge is not None, "a recipe with candidates has a judge"
    device = generator.weights["latent.mean"].device
    labels = torch.arange(classes).repeat_interleave(ipc * candidates)
    begun = noise(generator.architecture, classes, ipc * candidates, std, key)
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
            each = zip(images.split(ipc * candidates), said.split(ipc * candidates), strict=True)
            images = torch.cat(
                [_chosen(own, p, c, ipc, key.fold("choice", c), judge) for c, (own, p) in enumerate(each)]
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
