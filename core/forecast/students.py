"""The student steps of an outer step that the gradient goes through, and what they keep."""

from __future__ import annotations

from core.forecast.passes import Sizes
from core.forecast.work import stages
from core.recipe import Performance, Recipe, Trajectory


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
