"""The cost of the report: networks on the result, on random images, on the full set, and the analyses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from core.plan import limits
from core.plan.cost import regression
from core.plan.cost.passes import Algebra, Sizes, Work, showing, testing, training
from core.plan.cost.scale import Scale
from core.plan.cost.selecting import VECTOR
from core.plan.cost.students import in_order, stages
from core.plan.cost.teacher import comparing, passes
from core.plan.steps import Baseline, Cover, Evaluate, FindNeighbours, FullReference, TrainWitness, Transfer


def evaluated(step: Evaluate, scale: Scale, missing: int) -> Iterator[Work | Algebra]:
    """Every line of the table but those that jobs share."""
    recipe, sizes, stack = scale.recipe, scale.sizes, scale.stack
    evaluation, own, (times, shown, size) = recipe.evaluation, _compared(scale), _shown(scale)
    epochs, batch, seeds = evaluation.epochs, evaluation.batch_size, evaluation.seeds
    looks, labelled = _tried(scale) if recipe.relabel.needs_teacher else 0, recipe.relabel.needs_teacher
    students: list[Work] = []
    versions = 1 + step.rounds
    for _ in range(versions):
        students += in_order(step.phase, seeds, times, shown, size, stack(min(sizes.synthetic, batch)))
    networks = versions * seeds
    if labelled:  # random images labelled as the distilled ones, and those with one class an image
        for together in (seeds, looks):
            students += training(step.phase, together, *own, stack)
        students += training(step.phase, seeds, epochs, sizes.synthetic, batch, stack)
        networks += 2 * seeds
    students += testing(step.phase, looks, sizes.validation)
    students += testing(step.phase, networks, sizes.test)
    students += testing(step.phase, networks, sizes.validation)
    yield from regression.trained(recipe, students)
    yield from comparing(recipe, sizes)
    yield from regression.judging(recipe, sizes)
    yield Algebra(step.phase, regression.compared(recipe, scale.network, sizes))


def drawn(step: Baseline, scale: Scale, missing: int) -> Iterator[Work]:
    """Random images, as long as the distilled ones; their rate was chosen where any of the networks is there."""
    recipe, sizes = scale.recipe, scale.sizes
    evaluation, looks = recipe.evaluation, _tried(scale) if missing == step.count else 0
    epochs = evaluation.epochs * recipe.schedule.stages.count
    students: list[Work] = []
    for together in (missing, looks):
        students += training(step.phase, together, epochs, sizes.synthetic, evaluation.batch_size, scale.stack)
    students += testing(step.phase, looks, sizes.validation)
    students += testing(step.phase, missing, sizes.test)
    students += testing(step.phase, missing, sizes.validation)
    yield from regression.trained(recipe, students)


def referenced(step: FullReference, scale: Scale, missing: int) -> Iterator[Work]:
    """The full training set."""
    full, sizes = scale.recipe.evaluation.full, scale.sizes
    assert full is not None, "a plan with this step"
    yield from training(step.phase, missing, full.epochs, sizes.train, full.batch_size, scale.stack)
    yield from testing(step.phase, missing, sizes.test)
    yield from testing(step.phase, missing, sizes.validation)


def transferred(step: Transfer, scale: Scale, missing: int) -> Iterator[Work]:
    """Networks of other architectures, one at a time, on the distilled and on random images."""
    recipe, sizes, tried, seeds = scale.recipe, scale.sizes, _tried(scale), scale.recipe.evaluation.seeds
    calls = [
        *in_order(step.phase, seeds, *_shown(scale), 1),
        *training(step.phase, seeds + tried, *_compared(scale), lambda _: 1),
        *testing(step.phase, 2 * seeds, sizes.test),
        *testing(step.phase, 2 * seeds + tried, sizes.validation),
    ]
    for place in range(len(recipe.evaluation.across)):
        for call in calls:
            yield call._replace(by_kernels=False, across=place)


def witnessed(step: TrainWitness, scale: Scale, missing: int) -> Iterator[Work]:
    """A network that is tested after each epoch."""
    asked, sizes = scale.recipe.evaluation.coverage, scale.sizes
    assert asked is not None, "a plan with this step"
    yield from training(step.phase, missing, asked.epochs, sizes.train, asked.batch_size, scale.stack)
    yield from testing(step.phase, missing * asked.epochs, sizes.test)


def covered(step: Cover, scale: Scale, missing: int) -> Iterator[Work | Algebra]:
    """The features of all images, and products of them, of which those to each random draw are picked."""
    sizes = scale.sizes
    spaced = -(-sizes.train // -(-sizes.train // limits.SPACED))
    for n in (sizes.test, sizes.train, spaced, sizes.synthetic):
        yield from showing(step.phase, 1, n)
    pairs = sizes.test * (sizes.train + sizes.synthetic) + spaced * sizes.train
    picked = scale.recipe.evaluation.seeds * sizes.test * sizes.synthetic
    yield Algebra(step.phase, 2 * scale.network.features * pairs + VECTOR * picked)


def compared(step: FindNeighbours, scale: Scale, missing: int) -> Iterator[Work]:
    """Bounded by a number of products that takes seconds: not counted."""
    yield from ()


def _tried(scale: Scale) -> int:
    """Networks that only choose a learning rate for random images."""
    tried = len(scale.recipe.evaluation.baseline_lrs)
    return tried if tried > 1 else 0


def _shown(scale: Scale) -> tuple[int, list[Sizes], int]:
    """Passes over the images that networks are trained on, these one set after the other, and those of a step."""
    recipe, sizes, evaluation = scale.recipe, scale.sizes, scale.recipe.evaluation
    if not recipe.relabel.needs_teacher:
        return evaluation.epochs, [own for _, own in stages(recipe, sizes)], evaluation.batch_size
    count, images, size = passes(recipe, sizes, evaluation.epochs)
    return count, [replace(sizes, synthetic=images)], size


def _compared(scale: Scale) -> tuple[int, int, int]:
    """Passes of networks over random images, these, and those of a step: as long as on the distilled ones."""
    recipe = scale.recipe
    return passes(recipe, scale.sizes, recipe.evaluation.epochs * recipe.schedule.stages.count)
