"""The cost of expert trajectories, and of the networks that later stages begin with."""

from __future__ import annotations

from collections.abc import Iterator

from core.plan.cost.passes import Work, training
from core.plan.cost.scale import Scale
from core.plan.cost.students import in_order, stages
from core.plan.steps import PrepareNetworks, TrainExperts


def trained(step: TrainExperts, scale: Scale, missing: int) -> Iterator[Work]:
    """Their training, as far as segments or the first images' judges read. A search's few are counted as all."""
    experts = scale.recipe.experts
    assert experts is not None, "trajectories are those of experts"
    gradients, train = experts.optimiser.gradients, scale.sizes.train
    yield from training(step.phase, missing, step.snapshots.end, train, experts.batch_size, scale.stack, gradients)


def prepared(step: PrepareNetworks, scale: Scale, missing: int) -> Iterator[Work]:
    """Networks trained on the images of each stage before; they are this job's own, and not looked for."""
    recipe = scale.recipe
    ahead, batch = [own for _, own in stages(recipe, scale.sizes)][: step.stage], recipe.evaluation.batch_size
    together = scale.stack(min(ahead[-1].synthetic, batch))
    yield from in_order(step.phase, missing, recipe.schedule.stages.epochs, ahead, batch, together)
