"""Lines of the report as work: networks on a result, and on the random real images that it is compared with."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Self, TypeVar, final

import torch
import torch.nn.functional as F
from torch import Tensor

from core.engine import evaluate, init, jury, relabel
from core.engine.context import JobContext, follow
from core.engine.evaluate import Draws, Replays, Result
from core.engine.jury import Jury, Say
from core.engine.kernels import Kernels
from core.engine.keys import Key
from core.engine.synthetic import SyntheticDataset
from core.engine.teacher import Teacher
from core.engine.train import Protocol
from core.engine.view_labels import Replay
from core.recipe import Architecture, Counts, LabelledViews, Recipe, SoftLabels

Work = Generator[float, None, Result]

T = TypeVar("T")


def draws(context: JobContext, counts: Counts) -> Tensor:
    """Random real images, so many of each class: training indices, a fresh draw a seed, [S, n]."""
    real, key = context.real, context.key.fold("evaluate").fold("random")
    seeds = range(context.recipe.evaluation.seeds)
    return torch.stack([init.chosen(real, counts, key.fold("draw", seed)) for seed in seeds])


def keys(key: Key, seeds: int) -> list[Key]:
    """The keys of a line's networks."""
    return [key.fold("seed", seed) for seed in range(seeds)]


def trained_on(
    context: JobContext, result: SyntheticDataset, images: Tensor, architecture: Architecture | None = None
) -> Jury:
    """Fresh networks on a result, of which `images` may be another version, under the recipe's protocol."""
    recipe = context.recipe
    shown = images if result.views is None else Replays((Replay(images, result.views),))
    labels = result.supervision(context.real.classes)
    protocol = replace(evaluate.on_result(recipe, result), temperature=result.temperature)
    own = keys(context.key.fold("evaluate"), recipe.evaluation.seeds)
    return Jury(shown, labels, protocol, (*own,), architecture=architecture)


def random(
    name: str,
    context: JobContext,
    chosen: Tensor,
    key: Key,
    say: Say,
    taught: Teacher | None = None,
    architecture: Architecture | None = None,
    stages: int = 1,
) -> Result:
    """Random real images, a fresh draw for each seed, at the rate that is best on the validation split.

    Beside a result in several `stages` they are trained on all at once, for as many epochs as all its stages together.

    Where the policy is "combined" they get the views of real images, the simple ones, as in the paper. A teacher that
    is given labels them as the recipe has the distilled ones labelled. Networks are the recipe's own, or those of
    another `architecture`.

    Raises:
        Drained: the job was told to stop.
        TimeUp: no time is left, and the context is `hurried`.
    """
    arm, rate = Drawn.of(context, chosen, key, taught, stages), context.recipe.evaluation.baseline_lrs[0]
    tried, seeds = tries(context.recipe), len(chosen)
    share = tried / (tried + seeds)
    if tried:
        looks = arm.looks(context, key, architecture)
        found, _ = jury.validated(context, looks, lambda done: say(share * done))
        rate = context.recipe.evaluation.baseline_lrs[found.index(max(found))]
    judges = arm.jury(key, rate, architecture)
    return jury.tested(name, context, judges, lambda done: say(share + (1 - share) * done))


def tries(recipe: Recipe) -> int:
    """Networks that only choose a learning rate for random images."""
    rates = recipe.evaluation.baseline_lrs
    return len(rates) if len(rates) > 1 else 0


@final
@dataclass(frozen=True)
class Drawn:
    """Random real images as networks are trained on them, a draw for each; `labels` are [n, K], or [S, n, K]."""

    kernels: Kernels
    images: Draws | Replays
    labels: Tensor
    protocol: Protocol

    @classmethod
    def of(
        cls,
        context: JobContext,
        chosen: Tensor,
        key: Key,
        taught: Teacher | None = None,
        stages: int = 1,
    ) -> Self:
        """The draws `chosen` [S, n]; see `random`."""
        recipe, real = context.recipe, context.real
        labels = F.one_hot(real.train.labels[chosen[0]], real.classes).float()
        every = torch.ones(chosen.shape[1], dtype=torch.bool, device=real.device)
        protocol = evaluate.on_synthetic(recipe.evaluation, recipe.augment, recipe.evaluation.baseline_lrs[0], every)
        protocol = replace(protocol, epochs=protocol.epochs * stages)
        images: Draws | Replays = Draws(real.train, chosen)
        if taught is not None:
            protocol = replace(protocol, temperature=recipe.relabel.temperature)
        match recipe.relabel:
            case LabelledViews() if taught is not None:
                images = _labelled(context, recipe.relabel, taught, chosen, key)
            case SoftLabels() if taught is not None:
                labels = torch.stack([relabel.soft(recipe.relabel, taught, real.train.take(own)) for own in chosen])
        return cls(context.judging, images, labels, protocol)

    def rate(self, context: JobContext, key: Key) -> Generator[float, None, float]:
        """The rate at which a network on the first draw does best on the validation split."""
        evaluation = context.recipe.evaluation
        if not tries(context.recipe):
            return self.protocol.lr
        (first, labels), rates = self._first, evaluation.baseline_lrs
        own, measure = key.fold("look"), evaluation.measure
        looks = evaluate.tune(self.kernels, first, labels, context.real, self.protocol, rates, own, measure)
        found = yield from looks
        return rates[found.index(max(found))]

    def looks(self, context: JobContext, key: Key, architecture: Architecture | None) -> Jury:
        """The same network on the first draw at each of the rates that there are to choose from."""
        (first, labels), rates = self._first, context.recipe.evaluation.baseline_lrs
        own = (key.fold("look"),) * len(rates)
        return Jury(first, labels, self.protocol, own, rates, architecture, "validation")

    def jury(self, key: Key, rate: float, architecture: Architecture | None) -> Jury:
        """A network on each draw."""
        own = tuple(key.fold("seed", seed).fold("seed", 0) for seed in range(self._draws))
        return Jury(self.images, self.labels, replace(self.protocol, lr=rate), own, architecture=architecture)

    @property
    def _draws(self) -> int:
        return len(self.images.chosen) if isinstance(self.images, Draws) else len(self.images.each)

    @property
    def _first(self) -> tuple[Tensor | Replays, Tensor]:
        """The images and labels of the first draw."""
        labels = self.labels if self.labels.ndim == 2 else self.labels[0]
        match self.images:
            case Draws(data, chosen):
                return data.take(chosen[0]), labels
            case Replays(each):
                return Replays(each[:1]), labels

    def scored(self, name: str, context: JobContext, key: Key, rate: float, seeds: Sequence[int]) -> Work:
        """The networks of these seeds, one on each draw."""
        protocol, own = replace(self.protocol, lr=rate), [key.fold("seed", seed).fold("seed", 0) for seed in seeds]
        return evaluate.evaluate(name, self.kernels, self.images, self.labels, context.real, protocol, own)


def _labelled(context: JobContext, choice: LabelledViews, taught: Teacher, chosen: Tensor, key: Key) -> Replays:
    recipe, each = context.recipe, []
    for seed, own in enumerate(chosen):
        images = context.real.train.take(own)
        work = relabel.views(choice, taught, images, recipe.evaluation, recipe.augment, key.fold("views", seed))
        each.append(Replay(images, follow(context, work)))
    return Replays(tuple(each))


def part(work: Generator[float, None, T], start: float, end: float) -> Generator[float, None, T]:
    """Work that is the part from `start` to `end` of a larger one."""
    while True:
        try:
            yield start + (end - start) * next(work)
        except StopIteration as done:
            result: T = done.value
            return result
