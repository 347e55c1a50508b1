"""The cost of a teacher: its training, the images it is shown while others are recovered from it, and its labels."""

from __future__ import annotations

from collections.abc import Iterator

from core.plan import limits
from core.plan.cost.passes import Kernel, Sizes, Work, batches, testing, training
from core.plan.cost.scale import Scale
from core.plan.phases import Phase
from core.plan.steps import Relabel, TrainTeacher
from core.recipe import Crops, KeepLabels, LabelledViews, Recipe, SoftLabels, Statistics
from core.recipe.relabel import replay_steps

_TRIALS = 4
"""Lengths of an adjustment that are tried, usually."""


def trained(step: TrainTeacher, scale: Scale, missing: int) -> Iterator[Work]:
    """The training of the teacher, its examination, and a pass over the real images where statistics are taken anew."""
    teacher, objective, train = scale.recipe.teacher, scale.recipe.objective, scale.sizes.train
    assert teacher is not None, "a plan with this step"
    for call in training(step.phase, missing, teacher.epochs, train, teacher.batch_size, scale.stack):
        yield call._replace(teacher=True, by_kernels=shared(scale.recipe))
    yield from _asked(step.phase, scale.recipe, scale.sizes.validation)
    if isinstance(objective, Statistics):
        for _ in range((objective.group == "class" or objective.statistics == "convolution") + 2 * _ranks(objective)):
            for calls, images in batches(train, limits.TAUGHT):
                yield Work(step.phase, "forward", calls, images, teacher=True)


def _ranks(objective: Statistics) -> bool:
    """Whether real images are ranked by their statistics, and those of parts of them taken."""
    return objective.group == "difficulty"


def choosing(recipe: Recipe, sizes: Sizes) -> Iterator[Work]:
    """Parts of real images that the teacher is shown."""
    if isinstance(recipe.init, Crops):
        crops, stored = recipe.init, sizes.synthetic // sizes.classes // recipe.parameterize.formation
        wanted = stored * crops.factor**2
        seen = min(max(crops.candidates, wanted), sizes.members)
        for call in _asked("selecting", recipe, seen):
            yield call._replace(calls=call.calls * sizes.classes * crops.crops)


def recovering(objective: Statistics, steps: int, sizes: Sizes) -> Iterator[Work]:
    """A gradient in the images of each group, and the ascents by which their teachers are adjusted."""
    groups, each = grouped(objective, sizes)
    adjust = objective.adjust if objective.adjust and objective.adjust.rho != 0 else None
    for calls, together in batches(groups, max(1, limits.RECOVERED // each)):
        images, networks = (each, together) if adjust else (each * together, 1)
        yield _recovered("gradient", steps * calls, images, networks)
        yield _recovered("data", 2 * steps * calls, images, networks)
        if adjust:
            ascents = adjust.steps if adjust.rho is not None else _TRIALS * adjust.steps
            yield _recovered("gradient", ascents * calls, images, networks)


def pairing(steps: int, sizes: Sizes) -> Iterator[Work]:
    """Features of the real images, and a gradient in the synthetic ones; both are augmented, which is pulled back."""
    for calls, images in batches(sizes.synthetic, limits.RECOVERED):
        yield Work("distilling", "forward", steps * calls, images, teacher=True)
        yield _recovered("gradient", steps * calls, images, 1)
        yield _recovered("data", 3 * steps * calls, images, 1)


def grouped(objective: Statistics, sizes: Sizes) -> tuple[int, int]:
    """Groups of images, and images of each."""
    ipc = sizes.synthetic // sizes.classes
    match objective.group:
        case "slot" | "difficulty":
            return ipc, sizes.classes
        case "class":
            return sizes.classes, ipc
        case "whole":
            return 1, sizes.synthetic


def relabelled(step: Relabel, scale: Scale, missing: int) -> Iterator[Work]:
    """The labels of the synthetic images, or of their views."""
    yield from labels(step.phase, scale.recipe, scale.sizes)


def comparing(recipe: Recipe, sizes: Sizes) -> Iterator[Work]:
    """The labels of the random images of each seed, once an architecture, and the teacher's own line of the report."""
    times = recipe.evaluation.seeds * (1 + len(recipe.evaluation.across))
    for call in labels("evaluating", recipe, sizes):
        yield call._replace(calls=call.calls * times)
    if recipe.teacher is not None:
        for n in (sizes.test, sizes.validation):
            yield from _asked("evaluating", recipe, n)


def shared(recipe: Recipe) -> bool:
    """Whether the teacher is a network of the recipe's own kind, whose kernels it then has."""
    return recipe.teacher is not None and recipe.teacher.network == recipe.network


def passes(recipe: Recipe, sizes: Sizes, epochs: int) -> tuple[int, int, int]:
    """Passes that are a student's so many epochs, the images of each, and of a step.

    Views come in whole batches, which lie end to end: they are one long pass.
    """
    evaluation = recipe.evaluation
    if not isinstance(recipe.relabel, LabelledViews):
        return epochs, sizes.synthetic, evaluation.batch_size
    size = recipe.relabel.stored(sizes.synthetic, evaluation.epochs, evaluation.batch_size)[1]
    return 1, sum(replay_steps(sizes.synthetic, epochs, size)) * size, size


def label_bytes(recipe: Recipe, sizes: Sizes) -> int:
    """Bytes of a teacher's labels, as they are published."""
    match recipe.relabel:
        case KeepLabels():
            return 0
        case SoftLabels():
            return 4 * sizes.synthetic * sizes.classes
        case LabelledViews() as choice:
            evaluation = recipe.evaluation
            return choice.size(sizes.synthetic, evaluation.epochs, evaluation.batch_size, sizes.classes)


def labels(phase: Phase, recipe: Recipe, sizes: Sizes) -> Iterator[Work]:
    """The labels of so many images, or of their views."""
    match recipe.relabel:
        case KeepLabels():
            return
        case SoftLabels():
            yield from _asked(phase, recipe, sizes.synthetic)
        case LabelledViews() as choice:
            evaluation = recipe.evaluation
            records, size = choice.stored(sizes.synthetic, evaluation.epochs, evaluation.batch_size)
            yield from _asked(phase, recipe, records * size)
            yield Work(phase, "data", records, size)


def _asked(phase: Phase, recipe: Recipe, n: int) -> Iterator[Work]:
    for call in testing(phase, 1, n):
        yield call._replace(teacher=True, by_kernels=shared(recipe))


def _recovered(kernel: Kernel, calls: int, images: int, networks: int) -> Work:
    return Work("distilling", kernel, calls, images, networks, by_kernels=False, teacher=True)
