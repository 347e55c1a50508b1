"""Lines of the report as work: networks on a result, and on the random real images that it is compared with."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from core.engine import evaluate, init, relabel
from core.engine.context import JobContext, follow
from core.engine.evaluate import Draws, Images, Replays, Result
from core.engine.kernels import Kernels
from core.engine.keys import Key
from core.engine.synthetic import SyntheticDataset
from core.engine.teacher import Teacher
from core.engine.view_labels import Replay
from core.recipe import LabelledViews, SoftLabels

Work = Generator[float, None, Result]

T = TypeVar("T")


def draws(context: JobContext, result: SyntheticDataset) -> Tensor:
    """Random real images, of each class as many as a result has: training indices, a fresh draw a seed, [S, n]."""
    real, key = context.real, context.key.fold("evaluate").fold("random")
    seeds = range(context.recipe.evaluation.seeds)
    counts = result.counts(real.classes)
    return torch.stack([init.chosen(real, counts, key.fold("draw", seed)) for seed in seeds])


def keys(key: Key, seeds: int) -> list[Key]:
    """The keys of a line's networks."""
    return [key.fold("seed", seed) for seed in range(seeds)]


def trained_on(context: JobContext, result: SyntheticDataset, name: str, images: Tensor, kernels: Kernels) -> Work:
    """Fresh networks on a result, of which `images` may be another version, under the recipe's protocol."""
    recipe = context.recipe
    shown = images if result.views is None else Replays((Replay(images, result.views),))
    labels = result.supervision(context.real.classes)
    protocol = replace(evaluate.on_result(recipe, result), temperature=result.temperature)
    own = keys(context.key.fold("evaluate"), recipe.evaluation.seeds)
    return evaluate.evaluate(name, kernels, shown, labels, context.real, protocol, own)


def random(
    name: str,
    context: JobContext,
    chosen: Tensor,
    key: Key,
    taught: Teacher | None = None,
    kernels: Kernels | None = None,
    stages: int = 1,
) -> Work:
    """Random real images, a fresh draw for each seed, at the rate that is best on the validation split.

    Beside a result in several `stages` they are trained on all at once, for as many epochs as all its stages together.

    Where the policy is "combined" they get the views of real images, the simple ones, as in the paper. A teacher that
    is given labels them as the recipe has the distilled ones labelled. `kernels` are those of another network than the
    recipe's own.
    """
    recipe, real = context.recipe, context.real
    kernels = kernels or context.judging
    (seeds, n), rates = chosen.shape, recipe.evaluation.baseline_lrs
    labels = F.one_hot(real.train.labels[chosen[0]], real.classes).float()
    every = torch.ones(n, dtype=torch.bool, device=real.device)
    protocol = evaluate.on_synthetic(recipe.evaluation, recipe.augment, rates[0], every)
    protocol = replace(protocol, epochs=protocol.epochs * stages)
    images: Images = Draws(real.train, chosen)
    first: Images = real.train.take(chosen[0])
    if taught is not None:
        protocol = replace(protocol, temperature=recipe.relabel.temperature)
    match recipe.relabel:
        case LabelledViews() if taught is not None:
            images = _labelled(context, recipe.relabel, taught, chosen, key)
            first = Replays(images.each[:1])
        case SoftLabels() if taught is not None:
            labels = torch.stack([relabel.soft(recipe.relabel, taught, real.train.take(own)) for own in chosen])
    tried = 0 if len(rates) == 1 else len(rates)
    if tried:
        looks = evaluate.tune(
            kernels,
            first,
            labels if labels.ndim == 2 else labels[0],
            real,
            protocol,
            rates,
            key.fold("look"),
            recipe.evaluation.measure,
        )
        found = yield from _part(looks, 0, tried / (tried + seeds))
        protocol = replace(protocol, lr=rates[found.index(max(found))])
    own = [each.fold("seed", 0) for each in keys(key, seeds)]
    arm = evaluate.evaluate(name, kernels, images, labels, real, protocol, own)
    return (yield from _part(arm, tried / (tried + seeds), 1))


def _labelled(context: JobContext, choice: LabelledViews, taught: Teacher, chosen: Tensor, key: Key) -> Replays:
    recipe, each = context.recipe, []
    for seed, own in enumerate(chosen):
        images = context.real.train.take(own)
        work = relabel.views(choice, taught, images, recipe.evaluation, recipe.augment, key.fold("views", seed))
        each.append(Replay(images, follow(context, work)))
    return Replays(tuple(each))


def _part(work: Generator[float, None, T], start: float, end: float) -> Generator[float, None, T]:
    """Work that is the part from `start` to `end` of a larger one."""
    while True:
        try:
            yield start + (end - start) * next(work)
        except StopIteration as done:
            result: T = done.value
            return result
