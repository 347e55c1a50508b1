"""The cost of rounds of real images: networks on the set so far, which judge the training images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from core.plan.cost import selecting, teacher
from core.plan.cost.passes import Sizes, Work, testing, training
from core.plan.cost.scale import Scale
from core.plan.steps import ChooseRounds, RankImages
from core.recipe import Recipe


def ranked(step: RankImages, scale: Scale, missing: int) -> Iterator[Work]:
    """Networks score the training images."""
    yield from selecting.score(step.phase, step.score, scale, missing)


def made(recipe: Recipe, sizes: Sizes) -> Sizes:
    """The sizes with the images that the recipe makes itself, before rounds of real ones."""
    return sizes if recipe.rounds is None else _until(recipe, sizes, 0)


def chosen(step: ChooseRounds, scale: Scale, missing: int) -> Iterator[Work]:
    """For each round the labels of the set so far, a network on it, and what that makes of the training images."""
    asked, sizes = scale.recipe.rounds, scale.sizes
    assert asked is not None, "a plan with this step"
    evaluation = scale.recipe.evaluation.model_copy(update={"epochs": asked.epochs})
    own = scale.recipe.model_copy(update={"evaluation": evaluation})
    if own.relabel.needs_teacher:
        for call in testing(step.phase, 1, sizes.train):
            yield call._replace(teacher=True, by_kernels=teacher.shared(own))
    for over in range(asked.count):
        seen = _until(own, sizes, over)
        yield from teacher.labels(step.phase, own, seen)
        yield from training(step.phase, 1, *teacher.passes(own, seen, asked.epochs), scale.stack)
        yield from testing(step.phase, 1, sizes.train)


def _until(recipe: Recipe, sizes: Sizes, over: int) -> Sizes:
    assert recipe.rounds is not None, "asked of recipes with rounds"
    each = recipe.rounds.sizes(sizes.synthetic // sizes.classes)
    return replace(sizes, synthetic=sizes.classes * sum(each[: over + 1]))
