"""The cost of a search: short distillations of the first stage, and networks that judge images."""

from __future__ import annotations

from collections.abc import Iterator

from core.plan import steps
from core.plan.cost.matching import judging, segments
from core.plan.cost.passes import Algebra, Work, testing, training
from core.plan.cost.scale import Scale
from core.plan.cost.students import stages
from core.plan.cost.teacher import choosing
from core.recipe import Trajectory, search


def searched(step: steps.Search, scale: Scale, missing: int) -> Iterator[Work]:
    """As if every candidate were tried; of those that distil, none is where an earlier job tried them."""
    if not missing:
        return
    if step.kept.files:  # real images are judged as they are
        yield from _judged(step, scale, missing, scale.sizes.synthetic)
        return
    recipe, sizes = scale.recipe, scale.sizes
    experts, (objective, own) = recipe.experts, stages(search.largest(recipe), sizes)[0]
    assert isinstance(objective, Trajectory), "only trajectories are searched for"
    assert experts is not None, "trajectories are those of experts"
    together = scale.stack(min(experts.batch_size, sizes.train))
    yield from choosing(recipe, sizes)
    yield from judging(step.phase, recipe, sizes, search.experts(experts.count, together))
    for tried in step.candidates:
        yield from segments(step.phase, objective, len(tried.values) * tried.steps, own)
        if tried.judged == "validation":
            yield from _judged(step, scale, len(tried.values), own.synthetic)


def _judged(step: steps.Search, scale: Scale, candidates: int, images: int) -> Iterator[Work]:
    """Networks on so many images of each candidate."""
    evaluation, epochs = scale.recipe.evaluation, search.epochs(scale.recipe)
    for _ in range(candidates):
        yield from training(step.phase, search.NETWORKS, epochs, images, evaluation.batch_size, scale.stack)
        yield from testing(step.phase, search.NETWORKS, scale.sizes.validation)


def raced(step: steps.Race, scale: Scale, missing: int) -> Iterator[Algebra]:
    """Its budget: it takes all the time that it is given, and no more."""
    yield Algebra(step.phase, 0.0, step.entrants.seconds)


def sized(step: steps.FindSize, scale: Scale, missing: int) -> Iterator[Algebra]:
    """The same of the races at several sizes."""
    yield Algebra(step.phase, 0.0, step.sizing.seconds)
