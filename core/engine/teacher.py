"""The teacher: a network trained on the real data, held in evaluation mode, and what its layers read of real images."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from core.engine import balance, evaluate
from core.engine.evaluate import Trained
from core.engine.kernels import Kernels
from core.engine.keys import Key
from core.engine.networks import Moments, Network, Taps
from core.engine.real import Labelled, Real
from core.engine.train import Protocol
from core.plan import limits
from core.recipe import Augment, Statistics
from core.recipe import Teacher as Training
from core.recipe.balance import Measure
from core.worth import balanced

GRID = 4
"""Patches along each side of what a convolution reads (G-VBSM)."""

_ERRORS = 2  # standard errors that a teacher has to be better than chance by
_COUNTED = {"accuracy": "the validation split", "balanced": "a class of the validation split in the mean"}


class TeacherAtChance(ValueError):
    """The teacher does not know the classes: what it says of images would be noise."""


@dataclass(frozen=True)
class Teacher:
    """A trained network: theta [P], and for batch norm the running moments of its training."""

    kernels: Kernels
    theta: Tensor
    moments: Moments | None

    @property
    def network(self) -> Network:
        """The network whose parameters these are."""
        return self.kernels.network

    def logits(self, images: Tensor) -> Tensor:
        """[n, K] of images [n, C, H, W], without gradient."""
        with torch.no_grad():
            parts = [self.kernels.logits(self.theta, part, self.moments) for part in images.split(limits.TESTED)]
        return torch.cat(parts)

    @property
    def nbytes(self) -> int:
        """Bytes of its parameters and moments."""
        tensors = [self.theta, *(tensor for kind in self.moments or () for tensor in kind)]
        return sum(tensor.nbytes for tensor in tensors)


class Moment(NamedTuple):
    """Mean and variance of what a layer reads, [G, d] each, of each of G groups of images."""

    mean: Tensor
    variance: Tensor


def train(
    training: Training, kernels: Kernels, real: Labelled, augment: Augment, key: Key
) -> Generator[float, None, Trained]:
    """The trained network; yields the share of the work that is done."""
    protocol = Protocol(
        training.epochs,
        training.batch_size,
        training.lr,
        training.momentum,
        training.weight_decay,
        "cosine",
        augment if training.augment else Augment(transforms=()),
        "simple",
        members=balance.members(real.labels, kernels.network.classes, training.balance),
    )
    labels = balance.supervision(real.labels, kernels.network.classes, training.balance)
    (trained,) = yield from evaluate.train(kernels, real, labels, protocol, [key])
    return trained


def accuracy(teacher: Teacher, data: Labelled, measure: Measure = "accuracy") -> float:
    """Share of images it is right about, or the mean of each class's share."""
    guesses = torch.cat([teacher.logits(x).argmax(1) for x in data.batches(limits.TESTED)])
    overall, per_class = evaluate.graded(guesses, data.labels, teacher.network.classes)
    counts = torch.bincount(data.labels, minlength=teacher.network.classes)
    return overall if measure == "accuracy" else balanced(per_class, counts.tolist())


def examine(teacher: Teacher, real: Real, measure: Measure = "accuracy") -> str:
    """A sentence of its accuracy on the validation split, which has to be better than chance.

    Chance is to name one class always, the most frequent one where images count as there are. Better is by two standard
    errors, or half of what is missing to 1. A teacher whose classes are in another order, or that learned nothing,
    would go unnoticed: its labels agree with its images. One for which classes count alike is held to the "balanced"
    accuracy: it may be right about fewer images than the most frequent class has.

    Raises:
        TeacherAtChance: it is not, with what to change.
    """
    labels = real.validation.labels
    counts = torch.bincount(labels, minlength=real.classes)
    alike = measure == "balanced"
    chance = 1 / int((counts > 0).sum()) if alike else float(counts.max()) / len(labels)
    found = accuracy(teacher, real.validation, measure)
    least = chance + _ERRORS * math.sqrt(chance * (1 - chance) / evaluate.telling(measure, labels))
    said = f"The teacher is right about {found:.1%} of {_COUNTED[measure]}"
    if found < min(least, (1 + chance) / 2):
        named = "one class" if alike else "the most frequent class"
        raise TeacherAtChance(
            f"{said}, and always naming {named} about {chance:.1%}: it has learned nothing that images could be "
            "recovered from. Raise teacher.epochs, lower teacher.lr by a factor of ten, or see that the labels belong "
            "to the images."
        )
    return f"{said}."


def describe(taps: Taps, objective: Statistics, groups: int) -> list[Moment]:
    """The moments of every layer read, of images that lie group by group, [groups * B] of them.

    "norm": of what batch norms read, over images and positions, [groups, C] a layer. "convolution": of what
    convolutions read, the same, and over images, channels and the positions of each of GRID x GRID patches. Variances
    are biased.
    """
    if objective.statistics == "norm":
        return [_by_channel(x, groups) for x in taps.norms]
    return [moment for x in taps.convolutions for moment in (_by_channel(x, groups), _by_patch(x, groups))]


def goals(teacher: Teacher, objective: Statistics, real: Real, slots: int = 1) -> list[Moment]:
    """The moments `describe` should find: those of the real images, [K, d] for class groups, else [1, d].

    Batch norm's own running moments where those are what is wanted; otherwise one pass over the training split. Of
    groups by difficulty [slots, d]: of the real images of each of so many parts, the easiest first.
    """
    if objective.group == "difficulty":
        return _together(
            _described(teacher, objective, real.train, part) for part in _parts(teacher, objective, real, slots)
        )
    return _goals(teacher, objective, real)


def _goals(teacher: Teacher, objective: Statistics, real: Real) -> list[Moment]:
    if objective.statistics == "norm" and objective.group != "class":
        assert teacher.moments is not None, "a teacher of norms' statistics has batch norm"
        pairs = zip(teacher.moments.means, teacher.moments.variances, strict=True)
        return [Moment(mean[None], variance[None]) for mean, variance in pairs]
    if objective.group == "class":
        return _together(_described(teacher, objective, real.train, members) for members in real.members)
    return _overall(_described(teacher, objective, real.train, torch.arange(len(real.train), device=real.device)))


def _parts(teacher: Teacher, objective: Statistics, real: Real, slots: int) -> list[Tensor]:
    """Training indices of so many parts, each with its share of every class, the easiest images first.

    An image is the harder the farther its own moments are from those of the whole training split.
    """
    whole, every = _goals(teacher, objective, real), torch.arange(len(real.train), device=real.device)
    apart = list[Tensor]()
    for images in every.split(limits.TAUGHT):
        with torch.no_grad():
            taps = teacher.network.trace(teacher.theta, real.train.take(images), teacher.moments)[1]
        own = zip(describe(taps, objective, len(images)), whole, strict=True)
        apart.append(torch.stack([(a - b).norm(dim=1) for pair in own for a, b in zip(*pair, strict=True)]).sum(0))
    difficulty = torch.cat(apart)
    ranked = [members[difficulty[members].argsort(stable=True)] for members in real.members]

    def part(own: Tensor, slot: int) -> Tensor:
        first = len(own) * slot // slots
        return own[first : max(first + 1, len(own) * (slot + 1) // slots)]

    return [torch.cat([part(own, slot) for own in ranked]) for slot in range(slots)]


def _together(groups: Iterable[Iterator[tuple[int, list[Moment]]]]) -> list[Moment]:
    """Moments [G, d] of each layer, of groups of images that are described one after the other."""
    layers = zip(*(_overall(group) for group in groups), strict=True)
    return [Moment(*(torch.cat(same) for same in zip(*layer, strict=True))) for layer in layers]


def _described(
    teacher: Teacher, objective: Statistics, data: Labelled, index: Tensor
) -> Iterator[tuple[int, list[Moment]]]:
    for part in index.split(limits.TAUGHT):
        with torch.no_grad():
            taps = teacher.network.trace(teacher.theta, data.take(part), teacher.moments)[1]
        yield len(part), describe(taps, objective, 1)


def _overall(parts: Iterable[tuple[int, list[Moment]]]) -> list[Moment]:
    """Moments of all images from those of parts of them, with their numbers."""
    total, sums = 0, list[tuple[Tensor, Tensor]]()
    for n, layers in parts:
        total += n
        own = [(n * m.mean.double(), n * (m.variance.double() + m.mean.double().square())) for m in layers]
        sums = own if not sums else [(a + c, b + d) for (a, b), (c, d) in zip(sums, own, strict=True)]
    means = [(first / total, second / total) for first, second in sums]
    return [Moment(mean.float(), (square - mean.square()).clamp_min(0).float()) for mean, square in means]


def _by_channel(x: Tensor, groups: int) -> Moment:
    variance, mean = torch.var_mean(x.view(groups, -1, *x.shape[1:]), (1, 3, 4), correction=0)
    return Moment(mean, variance)


def _by_patch(x: Tensor, groups: int) -> Moment:
    sides = [-(-side // GRID) * GRID for side in x.shape[2:]]
    if sides != list(x.shape[2:]):
        x = F.interpolate(x, size=sides, mode="bilinear", align_corners=False)
    patches = x.view(groups, -1, x.shape[1], GRID, sides[0] // GRID, GRID, sides[1] // GRID)
    variance, mean = torch.var_mean(patches, (1, 2, 4, 6), correction=0)
    return Moment(mean.flatten(1), variance.flatten(1))
