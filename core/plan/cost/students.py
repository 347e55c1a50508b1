"""Students: the stages they see, the steps of theirs that the gradient goes through, and what those keep."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from core.plan.cost.passes import Sizes, Work, batches, training
from core.plan.phases import Phase
from core.recipe import Performance, Recipe, Trajectory
from core.recipe.objective import Objective


def path_vectors(recipe: Recipe) -> int:
    """Parameter vectors that a student's segment keeps: its points and, with a penalty on them, its gradients."""
    steps = unrolled_steps(recipe)
    match recipe.objective:
        case Trajectory():
            return steps + 1 + (steps if recipe.sdc and recipe.sdc.weight else 0)
        case Performance(end="adaptive") as objective:  # the student and its velocity after every step
            return steps + 1 + 2 * objective.syn_steps
        case Performance():
            return steps + 1
        case _:
            return 0


def unrolled_steps(recipe: Recipe) -> int:
    """Student steps of one outer step that the gradient goes through."""
    match recipe.objective:
        case Trajectory(syn_steps=steps):
            return steps
        case Performance(syn_steps=steps, window=window):
            return window or steps
        case _:
            return 0


def student_batch(recipe: Recipe, sizes: Sizes) -> int:
    """The most images of such a step."""
    batches = []
    for asked, own in stages(recipe, sizes):
        assert isinstance(asked, Trajectory | Performance), "an objective with student steps"
        batches.append(min(asked.batch_size or own.synthetic, own.synthetic))
    return max(batches)


def stages(recipe: Recipe, sizes: Sizes) -> list[tuple[Objective, Sizes]]:
    """The objective of each stage, and the sizes with its number of images; without stages, those of the recipe."""
    formation, kept = recipe.parameterize.formation, recipe.schedule.stages
    ipc = sizes.synthetic // sizes.classes // formation
    asked = (recipe.objective_at(stage, ipc, sizes.classes) for stage in range(kept.count))
    return [
        (each, replace(sizes, synthetic=sizes.classes * formation * seen))
        for each, seen in zip(asked, kept.seen(ipc), strict=True)
    ]


def in_order(
    phase: Phase, networks: int, epochs: int, parts: Iterable[Sizes], batch: int, together: int
) -> Iterator[Work]:
    """So many networks, `together` at a time, on the images of stages one after the other."""
    for own in parts:
        yield from training(phase, networks, epochs, own.synthetic, batch, lambda _: together)


def student_steps(steps: int, batch: int | None, n: int) -> list[tuple[int, int]]:
    """(calls, images) of the steps of one segment."""
    return [(calls, size) for size, calls in Counter(order(steps, batch, n)).items()]


def order(steps: int, batch: int | None, n: int) -> list[int]:
    """Images of each student step: epochs of minibatches, cut off after the last step."""
    epoch = [images for calls, images in batches(n, batch or n) for _ in range(calls)]
    return list(itertools.islice(itertools.cycle(epoch), steps))
