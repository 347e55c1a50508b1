"""The cost of a regression: features of synthetic and of real images, and the linear algebra on them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from core.forecast.network import Geometry
from core.forecast.passes import Sizes, Work, batches, testing
from core.plan import limits
from core.plan.phases import Phase
from core.recipe import Generated, Recipe, Regression, Solved, Spanning

_GENERATED = 90
"""Operations that a generator takes for a pixel and a square of its width, times ours for small convolutions."""
_DOUBLES = 4
"""How much longer an operation takes in float64, in matrices of this size, than one of a forward pass."""


def regressing(objective: Regression, steps: int, sizes: Sizes) -> Iterator[Work]:
    """Features of real and of synthetic images, and a step of a network of the pool, in each outer step."""
    yield Work("distilling", "forward", steps, min(objective.real_batch, sizes.train))
    yield Work("distilling", "gradient", steps, sizes.synthetic, by_kernels=False)
    trained = min(objective.pool.batch_size, sizes.synthetic)
    yield Work("distilling", "gradient", steps, trained, by_kernels=False)
    for images in (min(objective.real_batch, sizes.train), trained, trained):
        yield Work("distilling", "data", steps, images)


def generator_steps(choice: Generated, *, meta: bool, adapted: bool) -> int:
    """Steps of a generator's training that are left where it is there already, adapted or only meta-trained."""
    return 0 if adapted else choice.steps if meta else choice.total


def generating(choice: Generated, sizes: Sizes, steps: int) -> Iterator[Work]:
    """So many steps of a generator's training: features, and a step of a network of the pool.

    Those of subsets of classes count as those of all.
    """
    own = round(sum(choice.sizes) / len(choice.sizes)) * sizes.classes
    for images in (choice.real_batch // 2, choice.real_batch - choice.real_batch // 2):
        yield Work("distilling", "forward", steps, images)
    yield Work("distilling", "gradient", steps, own, by_kernels=False)
    yield Work("distilling", "gradient", steps, min(choice.pool.batch_size, own), by_kernels=False)


def trained(recipe: Recipe, calls: Iterable[Work]) -> Iterator[Work]:
    """Trainings on the set and on as many random images: targets are learned by a loss that kernels do not compile."""
    for call in calls:
        yield call._replace(by_kernels=not recipe.regresses)


def solving(recipe: Recipe, sizes: Sizes) -> Iterator[Work]:
    """Features by which labels are solved, once at the end and for every look."""
    labels = recipe.labels
    if not isinstance(labels, Solved) or labels.features == "pixels":
        return
    times = labels.networks * (1 + _looks(recipe))
    yield Work("distilling", "forward", times, sizes.synthetic)
    for calls, images in batches(_support(labels, sizes), limits.TESTED):
        yield Work("distilling", "forward", times * calls, images)


def judging(recipe: Recipe, sizes: Sizes) -> Iterator[Work]:
    """Regressions on features of fresh networks: of the set, and of as many random images."""
    if not recipe.regresses or _on_pixels(recipe):
        return
    seeds = 2 * recipe.evaluation.seeds
    yield Work("evaluating", "forward", seeds, sizes.synthetic)
    yield from testing("evaluating", seeds, sizes.test)
    yield from testing("evaluating", seeds, sizes.validation)


def algebra(recipe: Recipe, network: Geometry, sizes: Sizes, *, meta: bool, adapted: bool) -> dict[Phase, float]:
    """Operations of a forward pass that the linear algebra takes as long as, by phase.

    `meta` and `adapted` say whether the generator of initial images is there, as in `generator_steps`.
    """
    matched = 0.0
    if isinstance(recipe.init, Generated):  # three passes of a step, one of the set
        steps = generator_steps(recipe.init, meta=meta, adapted=adapted)
        seen = 3 * steps * sum(recipe.init.sizes) / len(recipe.init.sizes) * sizes.classes
        matched = (seen + sizes.synthetic) * _GENERATED * network.pixels * recipe.init.width**2
        if recipe.init.given == "means":
            clustered = min(limits.CLUSTERED, sizes.train // sizes.classes)
            matched += (seen / 3 + sizes.synthetic) * limits.LLOYD * 4 * clustered * network.pixels
    if isinstance(recipe.objective, Regression):
        each = 4.0 * sizes.synthetic * network.features * (sizes.synthetic + recipe.objective.real_batch)
        matched = _DOUBLES * recipe.schedule.steps * (each + sizes.synthetic**3)
    if not isinstance(recipe.labels, Solved):
        return {"distilling": matched} if matched else {}
    pixels, n = network.pixels, sizes.synthetic
    width = pixels if _on_pixels(recipe) else recipe.labels.networks * network.features
    known = _support(recipe.labels, sizes)
    classifier = 2.0 * pixels**2 * (sizes.train + pixels)
    solved = 2.0 * min(n, width) * (known * (width + min(n, width)) + 8 * width * n)
    distilling = solved * (1 + _looks(recipe)) + (classifier if isinstance(recipe.init, Spanning) else 0)
    evaluating = classifier if _on_pixels(recipe) else 0.0
    return {"distilling": matched + _DOUBLES * distilling, "evaluating": _DOUBLES * evaluating}


def solving_bytes(recipe: Recipe, network: Geometry, sizes: Sizes) -> int:
    """Features of the set and their decomposition, and a matrix of features two by two, all in float64."""
    if not isinstance(recipe.labels, Solved):
        return 8 * 4 * sizes.synthetic * network.features if recipe.regresses else 0
    width = network.pixels if _on_pixels(recipe) else recipe.labels.networks * network.features
    square = network.pixels**2 if _on_pixels(recipe) else min(sizes.synthetic, width) ** 2
    return 8 * (4 * sizes.synthetic * width + 3 * square + 2 * limits.TESTED * width)


def _on_pixels(recipe: Recipe) -> bool:
    return isinstance(recipe.labels, Solved) and recipe.labels.features == "pixels"


def _looks(recipe: Recipe) -> int:
    every = recipe.evaluation.look_every
    return 0 if every is None else recipe.schedule.steps // every


def _support(labels: Solved, sizes: Sizes) -> int:
    """Every so-manieth of the real images."""
    wanted = labels.support or sizes.train
    return -(-sizes.train // -(-sizes.train // wanted))
