"""The cost of a regression: features of synthetic and of real images, and the linear algebra on them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from core.plan import limits
from core.plan.cost.geometry import Geometry
from core.plan.cost.passes import Algebra, Sizes, Work, batches, showing
from core.plan.cost.scale import Scale
from core.plan.phases import Phase
from core.plan.steps import AdaptGenerator, MetaTrain
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


def meta_trained(step: MetaTrain, scale: Scale, missing: int) -> Iterator[Work | Algebra]:
    """A generator's training on subsets of classes, which count as all of them."""
    choice = scale.recipe.init
    assert isinstance(choice, Generated), "a plan with this step"
    yield from _generating(step.phase, choice, scale, missing * (choice.total - choice.steps))


def adapted(step: AdaptGenerator, scale: Scale, missing: int) -> Iterator[Work | Algebra]:
    """Its training on this data, and the first images that pass through it."""
    choice, sizes = scale.recipe.init, scale.sizes
    assert isinstance(choice, Generated), "a plan with this step"
    yield from _generating(step.phase, choice, scale, missing * choice.steps)
    ipc = sizes.synthetic // sizes.classes
    yield Algebra(step.phase, _passed(choice, scale, sizes.synthetic, sizes.synthetic, ipc))


def _generating(phase: Phase, choice: Generated, scale: Scale, steps: int) -> Iterator[Work | Algebra]:
    """So many steps: features, and a step of a network of the pool."""
    mean, classes = sum(choice.sizes) / len(choice.sizes), scale.sizes.classes
    own = round(mean) * classes
    for images in (choice.real_batch // 2, choice.real_batch - choice.real_batch // 2):
        yield Work(phase, "forward", steps, images)
    yield Work(phase, "gradient", steps, own, by_kernels=False)
    yield Work(phase, "gradient", steps, min(choice.pool.batch_size, own), by_kernels=False)
    yield Algebra(phase, _passed(choice, scale, 3 * steps * mean * classes, steps * mean * classes, mean))


def _passed(choice: Generated, scale: Scale, passes: float, given: float, ipc: float) -> float:
    """Operations of so many passes of an image, and of clustering where each is given the mean of a cluster.

    Of a class there are `ipc` clusters at a time.
    """
    pixels = scale.network.pixels
    operations = passes * _GENERATED * pixels * choice.width**2
    if choice.given == "means":
        most = max(limits.CLUSTERED, limits.CLUSTERED_EACH * ipc)
        clustered = min(most, scale.sizes.train // scale.sizes.classes)
        operations += given * limits.LLOYD * 4 * clustered * pixels
    return operations


def trained(recipe: Recipe, calls: Iterable[Work]) -> Iterator[Work]:
    """Trainings on the set and on as many random images, and tests: targets are learned by a loss that kernels do not
    compile."""
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
    yield from showing("evaluating", seeds, sizes.test)
    yield from showing("evaluating", seeds, sizes.validation)


def solved(recipe: Recipe, network: Geometry, sizes: Sizes) -> float:
    """Operations of the linear algebra in the outer steps, and of solving for labels."""
    matched, n = 0.0, sizes.synthetic
    if isinstance(recipe.objective, Regression):
        each = 4.0 * n * network.features * (n + recipe.objective.real_batch)
        matched = recipe.schedule.steps * (each + n**3)
    if isinstance(recipe.labels, Solved):
        width = network.pixels if _on_pixels(recipe) else recipe.labels.networks * network.features
        known = _support(recipe.labels, sizes)
        one = 2.0 * min(n, width) * (known * (width + min(n, width)) + 8 * width * n)
        matched += one * (1 + _looks(recipe))
        if isinstance(recipe.init, Spanning):
            matched += _classifier(network, sizes)
    return _DOUBLES * matched


def compared(recipe: Recipe, network: Geometry, sizes: Sizes) -> float:
    """Operations of the full set's regression on pixels, with which the set's own is compared."""
    return _DOUBLES * _classifier(network, sizes) if _on_pixels(recipe) else 0.0


def _classifier(network: Geometry, sizes: Sizes) -> float:
    return 2.0 * network.pixels**2 * (sizes.train + network.pixels)


def solving_bytes(recipe: Recipe, network: Geometry, sizes: Sizes) -> int:
    """Features of the set and their decomposition, and a matrix of features two by two, all in float64."""
    if not isinstance(recipe.labels, Solved):
        return 8 * 4 * sizes.synthetic * network.features if recipe.regresses else 0
    width = network.pixels if _on_pixels(recipe) else recipe.labels.networks * network.features
    square = network.pixels**2 if _on_pixels(recipe) else min(sizes.synthetic, width) ** 2
    return 8 * (4 * sizes.synthetic * width + 3 * square + 2 * limits.TESTED * width)


def _on_pixels(recipe: Recipe) -> bool:
    return recipe.labels.for_pixels


def _looks(recipe: Recipe) -> int:
    every = recipe.evaluation.look_every
    return 0 if every is None else recipe.schedule.steps // every


def _support(labels: Solved, sizes: Sizes) -> int:
    """Every so-manieth of the real images; where classes count alike as many of each, at most."""
    wanted = labels.support or sizes.train
    if labels.balance != "none":
        return min(sizes.train, -(-wanted // sizes.classes) * sizes.classes)
    return -(-sizes.train // -(-sizes.train // wanted))
