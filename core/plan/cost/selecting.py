"""The cost of choosing the first images: networks that score or embed them."""

from __future__ import annotations

from collections.abc import Iterator

from core.plan.cost.geometry import Geometry
from core.plan.cost.passes import Algebra, Sizes, Work, batches, showing, testing, training
from core.plan.cost.scale import Scale
from core.plan.phases import Phase
from core.plan.steps import ScoreImages, TrainEmbedder
from core.recipe import Dual, Forgetting, KMeans, LearnedScore, Recipe

# How much longer than in a forward pass an operation takes that multiplies features by one vector, or by few.
VECTOR, _THIN = 30, 4


def scored(step: ScoreImages, scale: Scale, missing: int) -> Iterator[Work]:
    """Networks are trained and say what they make of the training images."""
    yield from score(step.phase, step.score, scale, missing)


def score(phase: Phase, wanted: LearnedScore, scale: Scale, missing: int) -> Iterator[Work]:
    """So many networks of a score."""
    train = scale.sizes.train
    yield from training(phase, missing, wanted.epochs, train, wanted.batch_size, scale.stack)
    if isinstance(wanted, Forgetting):  # every batch is judged before it is learned from
        for calls, images in batches(train, wanted.batch_size):
            yield Work(phase, "forward", missing * wanted.epochs * calls, images)
    else:
        looks = wanted.epochs if isinstance(wanted, Dual) else 1
        yield from testing(phase, missing * looks, train)


def embedded(step: TrainEmbedder, scale: Scale, missing: int) -> Iterator[Work | Algebra]:
    """A network is trained and says its features of the training images, class by class, also if it was there.

    A generator's judge says them of its samples, later, and of the training images never.
    """
    embedding, sizes = step.embedding, scale.sizes
    yield from training(step.phase, missing, embedding.epochs, sizes.train, embedding.batch_size, scale.stack)
    if not scale.recipe.objective.draws_images:
        yield from showing(step.phase, sizes.classes, sizes.members)
        yield Algebra(step.phase, _comparing(scale.recipe, scale.network, sizes))


def _comparing(recipe: Recipe, network: Geometry, sizes: Sizes) -> float:
    """Operations of choosing by features: for each image, those of its class times one of them, read anew."""
    ipc, pair = sizes.synthetic // sizes.classes, 2 * sizes.train * network.features
    operations = float(VECTOR * pair * ipc)
    if isinstance(recipe.init, KMeans):  # a start and an end of that kind, and two products with all centroids between
        operations = 2 * operations + _THIN * recipe.init.iterations * 2 * pair * ipc
    return operations
