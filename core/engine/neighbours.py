"""The training images nearest to synthetic ones, pixel by pixel: whether what was made are copies of them."""

from __future__ import annotations

import statistics
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from core.engine.preprocess import Transform
from core.report import Neighbours, Pair

PER_CLASS = 3
"""Images of a class that are named, those nearest to a training image first."""

BATCH = 4096
"""Training images compared at a time."""

PRODUCTS = 100_000_000_000
"""Multiplications of a search, at most: a second or two on two cores. Of a larger set fewer images are looked at."""

_NAMED = 300  # pairs in a report; of more classes than that those with the nearest


@dataclass(frozen=True)
class Nearest:
    """The training images nearest to m synthetic images, and their distances, the nearest pair first.

    image, nearest int64 [m] are places in the set and in the training split. distance [m] are root mean square
    differences of normalised pixels, spacing [m] those from the nearest training image to its own nearest other one.
    """

    image: Tensor
    nearest: Tensor
    distance: Tensor
    spacing: Tensor


def find(pixels: Tensor, train: Tensor, transform: Transform) -> Generator[float, None, Nearest]:
    """Search the training split for the neighbours of images; yields the share of the work that is done.

    The distance of two images is the root mean square difference of their pixels after `transform`, so that it does not
    depend on their size: 0 between copies, about 1.4 between images without relation. It sees no copy that is moved,
    mirrored or recoloured, and is no guarantee of privacy.

    Args:
        pixels: uint8 [n, C, H, W], as they are published.
        train: uint8 [N, C, H, W], N > 1; may be on another device.
        transform: brings every channel of the training split to mean 0 and standard deviation 1.
    """
    looked = torch.linspace(0, len(pixels) - 1, _most(pixels, train), device=pixels.device).round().long()
    images = transform.forward(pixels[looked]).flatten(1)
    nearest = yield from _search(images, train, transform, 0.0)
    real, place = nearest.unique(return_inverse=True)
    stored = real.to(train.device)
    twins = transform.forward(train[stored].to(pixels.device)).flatten(1)
    others = yield from _search(twins, train, transform, 0.5, real)
    beside = transform.forward(train[others.to(train.device)].to(pixels.device)).flatten(1)
    # From the differences themselves: of a copy the expanded square is not quite 0.
    distance = (images - twins[place]).square().mean(1).sqrt()
    spacing = (twins - beside).square().mean(1).sqrt()[place]
    order = distance.sort(stable=True).indices
    return Nearest(looked[order], nearest[order], distance[order], spacing[order])


def table(
    found: Nearest, labels: Sequence[int], train_labels: Sequence[int], names: Sequence[str], everything: int
) -> Neighbours:
    """The neighbours of a report: of each class up to `PER_CLASS` images, those nearest to a training image.

    Args:
        found: what `find` returned for images of which `labels` are the classes.
        labels, train_labels: by the places that `found` speaks of.
        names: of the classes.
        everything: synthetic images there are, of which `found` may be some.
    """
    each = min(PER_CLASS, max(1, _NAMED // len(names)))
    pairs: dict[int, list[Pair]] = {}
    for image, nearest, distance, spacing in zip(
        *(column.tolist() for column in (found.image, found.nearest, found.distance, found.spacing)), strict=True
    ):
        own = pairs.setdefault(labels[image], [])
        if len(own) < each and sum(map(len, pairs.values())) < _NAMED:
            own.append(
                Pair(
                    image=image,
                    class_name=names[labels[image]],
                    nearest=nearest,
                    nearest_class=names[train_labels[nearest]],
                    distance=distance,
                    spacing=spacing,
                )
            )
    return Neighbours(
        images=len(found.image),
        of=everything,
        closer=int((found.distance < found.spacing).sum()),
        median_distance=statistics.median(found.distance.tolist()),
        median_spacing=statistics.median(found.spacing.tolist()),
        pairs=tuple(pair for label in sorted(pairs) for pair in pairs[label]),
    ).worded()


def squares(points: Tensor, others: Tensor) -> Tensor:
    """Squared distances [n, m] of points [n, d] from others [m, d], never negative."""
    apart = torch.addmm(others.square().sum(1), points, others.T, alpha=-2)
    return apart.add_(points.square().sum(1)[:, None]).clamp_min_(0)


def _search(
    points: Tensor, train: Tensor, transform: Transform, before: float, itself: Tensor | None = None
) -> Generator[float, None, Tensor]:
    """The training image nearest to each point, int64 [m]; one that a point is `itself` does not count."""
    best = torch.full((len(points),), torch.inf, device=points.device)
    nearest = torch.zeros(len(points), dtype=torch.int64, device=points.device)
    for first in range(0, len(train), BATCH):
        part = transform.forward(train[first : first + BATCH].to(points.device)).flatten(1)
        apart = squares(points, part)
        if itself is not None:
            places = torch.arange(first, first + len(part), device=points.device)
            apart.masked_fill_(itself[:, None] == places, torch.inf)
        least, place = apart.min(1)
        nearest = torch.where(least < best, place + first, nearest)
        best = torch.minimum(best, least)
        yield before + 0.5 * min(1.0, (first + BATCH) / len(train))
    return nearest


def _most(pixels: Tensor, train: Tensor) -> int:
    return min(len(pixels), max(1, PRODUCTS // train.numel()))
