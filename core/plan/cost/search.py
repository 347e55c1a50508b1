"""The cost of a search: short distillations of the first stage, and networks that judge what some end with."""

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
    """As if every candidate were tried; none is where an earlier job tried them."""
    if not missing:
        return
    recipe, sizes = scale.recipe, scale.sizes
    evaluation, experts, (objective, own) = recipe.evaluation, recipe.experts, stages(search.largest(recipe), sizes)[0]
    assert isinstance(objective, Trajectory), "only trajectories are searched for"
    assert experts is not None, "trajectories are those of experts"
    rates, ends = search.image_lrs(recipe), search.start_epochs(recipe)
    together = scale.stack(min(experts.batch_size, sizes.train))
    yield from choosing(recipe, sizes)
    yield from judging(step.phase, recipe, sizes, search.experts(experts.count, together))
    yield from segments(step.phase, objective, len(rates) * search.rate_steps(recipe), own)
    if each := search.end_steps(recipe):
        yield from segments(step.phase, objective, len(ends) * each, own)
        for _ in ends:
            networks, epochs = search.NETWORKS, search.epochs(recipe)
            yield from training(step.phase, networks, epochs, own.synthetic, evaluation.batch_size, scale.stack)
            yield from testing(step.phase, networks, sizes.validation)


def raced(step: steps.Race, scale: Scale, missing: int) -> Iterator[Algebra]:
    """Its budget: it takes all the time that it is given, and no more."""
    yield Algebra(step.phase, 0.0, step.entrants.seconds)
