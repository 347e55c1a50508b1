"""The work of the engine for a recipe, phase by phase, as numbers of kernel calls.

The counts are the engine's own: a test runs a small job and compares. They know the dataset by its facts only, so where
the classes are of unequal size an epoch may be off by the one step that a few images make.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from core.forecast import regression, teaching
from core.forecast.cached import Cached
from core.forecast.network import Geometry
from core.forecast.passes import Sizes, Stack, Work, batches, testing, training
from core.plan import limits, packing
from core.plan.phases import Phase
from core.recipe import (
    Correct,
    Distribution,
    El2n,
    Embedding,
    Evaluation,
    Forgetting,
    Generated,
    Generative,
    Gradient,
    Gsam,
    Herding,
    KCenter,
    KeepLabels,
    KMeans,
    Learnable,
    LearnedScore,
    Noise,
    NoObjective,
    Performance,
    Ranked,
    Recipe,
    Regression,
    Statistics,
    Trajectory,
    Window,
    search,
)
from core.recipe.objective import Objective
from core.recipe.selection import SWEEP_SEEDS, sweep_epochs


def work(recipe: Recipe, sizes: Sizes, stack: Stack, cached: Cached | None = None) -> list[Work]:
    """Every kernel call of a job, calls of a kind together; nothing is given up that may be.

    What probes will choose is not known: as if they tried everything and chose what costs most.
    """
    cached = cached or Cached()
    probing = [] if cached.search else [*_probing(recipe, sizes, stack)]
    times, recipe = 2 if probing else 1, search.largest(recipe)
    if cached.search and recipe.experts:
        cached = replace(cached, experts=recipe.experts.count)
    return [
        *_training_experts(recipe, sizes, stack, cached),
        *teaching.taught(recipe, sizes, stack, cached.teacher),
        *_selecting(recipe, sizes, stack, cached, times),
        *times * [*teaching.choosing(recipe, sizes)],
        *probing,
        *_distilling(recipe, sizes, cached),
        *regression.trained(recipe, _looks(recipe, sizes)),
        *regression.solving(recipe, sizes),
        *teaching.relabelling(recipe, sizes),
        *_evaluating(recipe, sizes, stack, cached),
    ]


def stack_on(network: Geometry, device_bytes: int | None) -> Stack:
    """The stacking that the engine decides on; `device_bytes` is the memory of a GPU, None for a CPU."""
    device = "cpu" if device_bytes is None else "cuda"
    return lambda batch: packing.stack(network.convolutions, batch, device, device_bytes)


def expert_epochs(objective: Trajectory) -> tuple[int, int]:
    """First and last snapshot that segments read; training goes as far as the last."""
    return objective.min_start_epoch, objective.last_start_epoch + objective.expert_epochs


def stages(recipe: Recipe, sizes: Sizes) -> list[tuple[Objective, Sizes]]:
    """The objective of each stage, and the sizes with its number of images; without stages, those of the recipe."""
    formation, kept = recipe.parameterize.formation, recipe.schedule.stages
    ipc = sizes.synthetic // sizes.classes // formation
    asked = (recipe.objective_at(stage, ipc, sizes.classes) for stage in range(kept.count))
    return [
        (each, replace(sizes, synthetic=sizes.classes * formation * seen))
        for each, seen in zip(asked, kept.seen(ipc), strict=True)
    ]


def _training_experts(recipe: Recipe, sizes: Sizes, stack: Stack, cached: Cached) -> Iterator[Work]:
    experts, ahead, missing = recipe.experts, list[Sizes](), cached.experts
    for asked, own in stages(recipe, sizes):
        if ahead:  # networks that the stage begins with; they and their experts are this job's own, and not looked for
            batch, missing = recipe.evaluation.batch_size, 0
            networks = experts.count if experts else recipe.schedule.stages.networks
            together = stack(min(ahead[-1].synthetic, batch))
            yield from _in_order("training_experts", networks, recipe.schedule.stages.epochs, ahead, batch, together)
        ahead.append(own)
        if isinstance(asked, Trajectory) and experts:
            epochs = max(expert_epochs(asked)[1], 0 if len(ahead) > 1 else recipe.judging_epoch or 0)
            count, gradients = max(0, experts.count - missing), 2 if isinstance(experts.optimiser, Gsam) else 1
            yield from training("training_experts", count, epochs, sizes.train, experts.batch_size, stack, gradients)


def judged_by(recipe: Recipe) -> LearnedScore | Embedding | None:
    """The networks that judge images for the recipe's init to choose by; None where none does, or a file says it."""
    match recipe.init:
        case Ranked(score=Forgetting() | El2n() as score) | Window(score=Forgetting() | El2n() as score):
            return score
        case Herding(embedding=embedding) | KCenter(embedding=embedding) | KMeans(embedding=embedding):
            return embedding
        case Noise() if isinstance(recipe.objective, Generative):
            return recipe.objective.judge
        case _:
            return None


def judges(judged: LearnedScore | Embedding | None) -> int:
    """How many networks those are."""
    return 0 if judged is None else 1 if isinstance(judged, Embedding) else judged.networks


def _selecting(recipe: Recipe, sizes: Sizes, stack: Stack, cached: Cached, times: int) -> Iterator[Work]:
    judged = judged_by(recipe)
    if judged is not None:
        samples = isinstance(recipe.objective, Generative)
        yield from _asking(judged, sizes, stack, cached, 0 if samples else times)
    yield from _sweeping(recipe, sizes, stack, cached.windows)


def _asking(judged: LearnedScore | Embedding, sizes: Sizes, stack: Stack, cached: Cached, times: int) -> Iterator[Work]:
    """Networks are trained and say what they make of the training images, features so many times.

    A generator's judge says it of its samples, later, and of the training images never.
    """
    missing = max(0, judges(judged) - cached.judges)
    yield from training("selecting", missing, judged.epochs, sizes.train, judged.batch_size, stack)
    match judged:
        case Forgetting():  # every batch is judged before it is learned from
            for calls, images in batches(sizes.train, judged.batch_size):
                yield Work("selecting", "forward", missing * judged.epochs * calls, images)
        case El2n():
            yield from testing("selecting", missing, sizes.train)
        case Embedding() if times:  # class by class, also by a network that was there
            yield from testing("selecting", times * sizes.classes, sizes.members)


def _sweeping(recipe: Recipe, sizes: Sizes, stack: Stack, cached: int) -> Iterator[Work]:
    """Windows of real images that networks judge, but for so many."""
    window, evaluation = recipe.init, recipe.evaluation
    if not isinstance(window, Window) or window.beta != "auto":
        return
    networks, epochs = SWEEP_SEEDS, sweep_epochs(evaluation.epochs)
    for _ in window.swept(sizes.synthetic // sizes.classes, sizes.members)[cached:]:
        yield from training("selecting", networks, epochs, sizes.synthetic, evaluation.batch_size, stack)
        yield from testing("selecting", networks, sizes.validation)


def _probing(recipe: Recipe, sizes: Sizes, stack: Stack) -> Iterator[Work]:
    """Short distillations of the first stage, and the networks that judge what some of them end with."""
    if not search.asks(recipe):
        return
    evaluation, experts, (objective, own) = recipe.evaluation, recipe.experts, stages(recipe, sizes)[0]
    assert isinstance(objective, Trajectory), "only trajectories are probed"
    assert experts is not None, "trajectories are those of experts"
    rates, ends = search.image_lrs(recipe), search.start_epochs(recipe)
    together = stack(min(experts.batch_size, sizes.train))
    yield from _judging("probing", recipe, sizes, search.experts(experts.count, together))
    yield from _segments("probing", objective, len(rates) * search.rate_steps(recipe), own)
    if steps := search.end_steps(recipe):
        yield from _segments("probing", objective, len(ends) * steps, own)
        for _ in ends:
            networks, epochs = search.NETWORKS, search.epochs(recipe)
            yield from training("probing", networks, epochs, own.synthetic, evaluation.batch_size, stack)
            yield from testing("probing", networks, sizes.validation)


def _distilling(recipe: Recipe, sizes: Sizes, cached: Cached) -> Iterator[Work]:
    if isinstance(recipe.objective, Trajectory):
        yield from _judging("distilling", recipe, sizes, recipe.experts.count if recipe.experts else 0)
    if isinstance(recipe.init, Generated):
        steps = regression.generator_steps(recipe.init, meta=cached.meta, adapted=cached.adapted)
        yield from regression.generating(recipe.init, sizes, steps)
    for objective, own in stages(recipe, sizes):
        yield from _outer_steps(objective, recipe.schedule.steps, own)


def _outer_steps(objective: Objective, steps: int, sizes: Sizes) -> Iterator[Work]:
    match objective:
        case Trajectory():
            yield from _segments("distilling", objective, steps, sizes)
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
            yield from teaching.recovering(objective, steps, sizes)
        case Regression() as objective:
            yield from regression.regressing(objective, steps, sizes)
        case Generative(judge=judge, candidates=candidates):  # the generator's own passes are not the network's
            for calls, images in batches(sizes.synthetic * candidates if judge else 0, limits.SAMPLED):
                yield Work("distilling", "forward", calls, images)
        case NoObjective():
            return


def _segments(phase: Phase, objective: Trajectory, steps: int, sizes: Sizes) -> Iterator[Work]:
    """A student's segment each outer step."""
    for calls, images in _student_steps(objective.syn_steps, objective.batch_size, sizes.synthetic):
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
    order = _order(taken, objective.batch_size, sizes.synthetic)
    before = taken if objective.end == "adaptive" else end - window
    for size in dict.fromkeys(order):
        ahead, through = order[:before].count(size), order[end - window : end].count(size)
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


def _judging(phase: Phase, recipe: Recipe, sizes: Sizes, experts: int) -> Iterator[Work]:
    """The calls of experts that judge the first images. How many are wrong is not known: all are counted as right."""
    if isinstance(recipe.init, Correct):
        for calls, images in batches(sizes.synthetic // sizes.classes, limits.JUDGED):
            yield Work(phase, "forward", sizes.classes * calls, images)
    if isinstance(recipe.labels, Learnable) and recipe.labels.start == "experts":
        for calls, images in batches(sizes.synthetic, limits.JUDGED):
            yield Work(phase, "forward", experts * calls, images)


def _looks(recipe: Recipe, sizes: Sizes) -> Iterator[Work]:
    """Networks trained one by one for a look at the validation split."""
    evaluation, steps = recipe.evaluation, recipe.schedule.steps
    if evaluation.look_every is None:
        return
    for stage, (_, own) in enumerate(stages(recipe, sizes)):
        # those since the stage began train on its images, and those until it ends end with them
        since, until = (end // evaluation.look_every for end in (stage * steps, (stage + 1) * steps))
        looks = recipe.schedule.total_steps // evaluation.look_every - since
        for calls, images in batches(own.synthetic, evaluation.batch_size):
            yield Work("distilling", "gradient", looks * evaluation.epochs * calls, images)
            yield Work("distilling", "data", looks * evaluation.epochs * calls, images)
        yield from testing("distilling", until - since, sizes.validation)
        if evaluation.select == "best_validation":
            rungs = {int(share * (stage + 1) * evaluation.epochs) for share in limits.RUNGS}
            sample = -(-sizes.validation // -(-sizes.validation // limits.RUNG_IMAGES))
            judged = sum(rung >= limits.EARLIEST_RUNG for rung in rungs)
            yield from testing("distilling", (until - since) * judged, sample)


def _evaluating(recipe: Recipe, sizes: Sizes, stack: Stack, cached: Cached) -> Iterator[Work]:
    evaluation, parts = recipe.evaluation, [own for _, own in stages(recipe, sizes)]
    epochs, batch, seeds = evaluation.epochs, evaluation.batch_size, evaluation.seeds
    tried = len(evaluation.baseline_lrs)
    looks = tried if tried > 1 else 0
    own = teaching.epoch(recipe, sizes)
    labelled = not isinstance(recipe.relabel, KeepLabels)
    shown = [replace(sizes, synthetic=own[0])] if labelled else parts
    students: list[Work] = []
    for _ in ("distilled", "distilled_8bit"):
        students += _in_order("evaluating", seeds, epochs, shown, own[1], stack(min(sizes.synthetic, batch)))
    for together in (seeds, looks):  # random images, as long as the distilled ones
        students += training("evaluating", together, epochs * len(parts), *own, stack)
    networks, full = 3 * seeds, evaluation.full
    if labelled:  # distilled and random, with one class an image
        for together in (seeds, seeds, looks):
            students += training("evaluating", together, epochs, sizes.synthetic, batch, stack)
        networks, looks = networks + 2 * seeds, 2 * looks
    yield from regression.trained(recipe, students)
    yield from teaching.comparing(recipe, sizes)
    yield from regression.judging(recipe, sizes)
    yield from testing("evaluating", looks, sizes.validation)
    if full is not None and not cached.reference:
        networks += seeds
        yield from training("evaluating", seeds, full.epochs, sizes.train, full.batch_size, stack)
    yield from testing("evaluating", networks, sizes.test)
    yield from testing("evaluating", networks, sizes.validation)
    for place in range(len(evaluation.across)):
        for call in _unseen(recipe, sizes, shown, own):
            yield call._replace(by_kernels=False, across=place)
    yield from _covering(recipe.evaluation, sizes, stack, cached)


def _unseen(recipe: Recipe, sizes: Sizes, shown: Sequence[Sizes], own: tuple[int, int]) -> Iterator[Work]:
    """Networks of another architecture, one at a time, on the distilled and on random images."""
    evaluation = recipe.evaluation
    seeds, tried = evaluation.seeds, len(evaluation.baseline_lrs)
    looks = tried if tried > 1 else 0
    yield from _in_order("evaluating", seeds, evaluation.epochs, shown, own[1], 1)
    yield from training("evaluating", seeds + looks, evaluation.epochs * len(stages(recipe, sizes)), *own, lambda _: 1)
    yield from testing("evaluating", 2 * seeds, sizes.test)
    yield from testing("evaluating", 2 * seeds + looks, sizes.validation)


def _covering(evaluation: Evaluation, sizes: Sizes, stack: Stack, cached: Cached) -> Iterator[Work]:
    """A network that is tested after each epoch, and the features of all images."""
    asked = evaluation.coverage
    if asked is None:
        return
    if not cached.witness:
        yield from training("evaluating", 1, asked.epochs, sizes.train, asked.batch_size, stack)
        yield from testing("evaluating", asked.epochs, sizes.test)
    for n in (sizes.test, sizes.train, spaced(sizes), sizes.synthetic):
        yield from testing("evaluating", 1, n)


def spaced(sizes: Sizes) -> int:
    """Training images whose nearest neighbour is looked for, evenly spaced."""
    return -(-sizes.train // -(-sizes.train // limits.SPACED))


def _in_order(
    phase: Phase, networks: int, epochs: int, parts: Iterable[Sizes], batch: int, together: int
) -> Iterator[Work]:
    """So many networks, `together` at a time, on the images of stages one after the other."""
    for own in parts:
        yield from training(phase, networks, epochs, own.synthetic, batch, lambda _: together)


def _student_steps(steps: int, batch: int | None, n: int) -> list[tuple[int, int]]:
    """(calls, images) of the steps of one segment."""
    return [(calls, size) for size, calls in Counter(_order(steps, batch, n)).items()]


def _order(steps: int, batch: int | None, n: int) -> list[int]:
    """Images of each student step: epochs of minibatches, cut off after the last step."""
    epoch = [images for calls, images in batches(n, batch or n) for _ in range(calls)]
    return list(itertools.islice(itertools.cycle(epoch), steps))
