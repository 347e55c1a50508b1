"""The cost of the outer steps, and of looks at the validation split between them."""

from __future__ import annotations

from collections.abc import Iterator

from core.plan import limits
from core.plan.cost import regression, teacher
from core.plan.cost.passes import Algebra, Sizes, Work, batches, testing
from core.plan.cost.scale import Scale
from core.plan.cost.students import order, stages, student_steps
from core.plan.phases import Phase
from core.plan.steps import Begin, Distil
from core.recipe import (
    Distribution,
    Generative,
    Gradient,
    NoObjective,
    Paired,
    Performance,
    Recipe,
    Regression,
    Statistics,
    Trajectory,
    TwoLayer,
)
from core.recipe.objective import Objective


def begun(step: Begin, scale: Scale, missing: int) -> Iterator[Work]:
    """The choice of images by a teacher or by experts."""
    recipe, sizes = scale.recipe, scale.sizes
    yield from teacher.choosing(recipe, sizes)
    if isinstance(recipe.objective, Trajectory):
        yield from judging(step.phase, recipe, sizes, recipe.experts.count if recipe.experts else 0)


def distilled(step: Distil, scale: Scale, missing: int) -> Iterator[Work | Algebra]:
    """A stage, and after all of them the labels that are solved for."""
    recipe, sizes = scale.recipe, scale.sizes
    if not step.stage:
        yield from regression.solving(recipe, sizes)
        yield Algebra(step.phase, regression.solved(recipe, scale.network, sizes))
    objective, own = stages(recipe, sizes)[step.stage]
    yield from _outer_steps(objective, recipe.schedule.steps, own)
    yield from regression.trained(recipe, _looks(recipe, step.stage, own))


def _outer_steps(objective: Objective, steps: int, sizes: Sizes) -> Iterator[Work]:
    match objective:
        case Trajectory():
            yield from segments("distilling", objective, steps, sizes)
        case Distribution():
            real = min(objective.real_batch, sizes.train // sizes.classes)
            own = sizes.synthetic // sizes.classes
            yield Work("distilling", "forward", steps * sizes.classes, real)
            yield Work("distilling", "gradient", steps * sizes.classes, own, by_kernels=False)
            yield Work("distilling", "data", steps * sizes.classes, real)
            yield Work("distilling", "data", steps * sizes.classes, own)
        case Gradient():
            yield from _matching(objective, steps, sizes)
        case Performance():
            yield from _unrolling(objective, steps, sizes)
        case Statistics() as objective:
            yield from teacher.recovering(objective, steps, sizes)
        case Paired():
            yield from teacher.pairing(steps, sizes)
        case Regression() as objective:
            yield from regression.regressing(objective, steps, sizes)
        case Generative() | NoObjective() | TwoLayer():
            return


def segments(phase: Phase, objective: Trajectory, steps: int, sizes: Sizes) -> Iterator[Work]:
    """A student's segment each outer step."""
    for calls, images in student_steps(objective.syn_steps, objective.batch_size, sizes.synthetic):
        yield Work(phase, "gradient", steps * calls, images)
        # of a student that is compared where it is closest, at most
        yield Work(phase, "adjoint", steps * calls, images)
        # once on the way forth; on the way back again, and pulled back
        yield Work(phase, "data", 3 * steps * calls, images)


def _unrolling(objective: Performance, steps: int, sizes: Sizes) -> Iterator[Work]:
    """Student steps before and in the window, and the real images the student is judged on.

    Of a window that is drawn the middle one stands for all.
    """
    taken, window = objective.syn_steps, objective.window or objective.syn_steps
    end = taken if objective.end == "last" else (window + taken) // 2
    turns = order(taken, objective.batch_size, sizes.synthetic)
    before = taken if objective.end == "adaptive" else end - window
    for size in dict.fromkeys(turns):
        ahead, through = turns[:before].count(size), turns[end - window : end].count(size)
        yield Work("distilling", "gradient", steps * (ahead + through), size)
        yield Work("distilling", "adjoint", steps * through, size)
        yield Work("distilling", "data", steps * (ahead + 3 * through), size)
    for calls, images in batches(min(objective.real_batch, sizes.train), limits.PERFORMANCE):
        yield Work("distilling", "gradient", steps * calls, images)
        yield Work("distilling", "forward", steps * calls, images)
        yield Work("distilling", "data", steps * calls, images)


def _matching(objective: Gradient, steps: int, sizes: Sizes) -> Iterator[Work]:
    """Gradients of real and synthetic images of each class, and the epochs between two matches of a network."""
    real, own = min(objective.real_batch, sizes.train // sizes.classes), sizes.synthetic // sizes.classes
    own = min(objective.syn_batch or own, own)
    yield Work("distilling", "gradient", steps * sizes.classes, real)
    yield Work("distilling", "data", steps * sizes.classes, real)
    yield Work("distilling", "gradient", steps * sizes.classes, own)
    yield Work("distilling", "adjoint", steps * sizes.classes, own)
    yield Work("distilling", "data", 2 * steps * sizes.classes, own)  # and pulled back
    trained = steps - -(-steps // objective.outer_loops)  # a fresh network is matched as it is
    n = sizes.synthetic if objective.inner == "synthetic" else min(objective.inner_images or sizes.train, sizes.train)
    for calls, images in batches(n, objective.student_batch):
        yield Work("distilling", "gradient", trained * objective.inner_loops * calls, images)
        yield Work("distilling", "data", trained * objective.inner_loops * calls, images)


def judging(phase: Phase, recipe: Recipe, sizes: Sizes, experts: int) -> Iterator[Work]:
    """The calls of experts that judge the first images. How many are wrong is not known: all are counted as right."""
    if recipe.init.needs_experts:
        for calls, images in batches(sizes.synthetic // sizes.classes, limits.JUDGED):
            yield Work(phase, "forward", sizes.classes * calls, images)
    if recipe.labels.needs_experts:
        for calls, images in batches(sizes.synthetic, limits.JUDGED):
            yield Work(phase, "forward", experts * calls, images)


def _looks(recipe: Recipe, stage: int, own: Sizes) -> Iterator[Work]:
    """Networks trained one by one for a look at the validation split, on the images of a stage."""
    evaluation, steps = recipe.evaluation, recipe.schedule.steps
    if evaluation.look_every is None:
        return
    # those since the stage began train on its images, and those until it ends end with them
    since, until = (end // evaluation.look_every for end in (stage * steps, (stage + 1) * steps))
    looks = recipe.schedule.total_steps // evaluation.look_every - since
    for calls, images in batches(own.synthetic, evaluation.batch_size):
        yield Work("distilling", "gradient", looks * evaluation.epochs * calls, images)
        yield Work("distilling", "data", looks * evaluation.epochs * calls, images)
    yield from testing("distilling", until - since, own.validation)
    if evaluation.select == "best_validation":
        rungs = {int(share * (stage + 1) * evaluation.epochs) for share in limits.RUNGS}
        sample = -(-own.validation // -(-own.validation // limits.RUNG_IMAGES))
        judged = sum(rung >= limits.EARLIEST_RUNG for rung in rungs)
        yield from testing("distilling", (until - since) * judged, sample)
