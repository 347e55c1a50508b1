"""Sample difficulty correction: what the norms of gradients weigh in the loss (reconstructed from arXiv 2408.12483)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial

from core.engine.unroll import Difficulty
from core.recipe import Recipe, Sdc


def difficulty(recipe: Recipe) -> Callable[[int], Difficulty] | None:
    """The penalty of a student's segment by the outer step; None without one."""
    sdc, steps = recipe.sdc, recipe.schedule.steps
    if sdc is None or not sdc.weight:
        return None
    return lambda step: partial(shares, sdc, strength(sdc, step, steps))


def weight(recipe: Recipe) -> Callable[[int], float] | None:
    """The weight of a matched gradient's norm by the outer step; None without a penalty."""
    sdc, steps = recipe.sdc, recipe.schedule.steps
    return None if sdc is None or not sdc.weight else lambda step: strength(sdc, step, steps)


def strength(sdc: Sdc, step: int, steps: int) -> float:
    """The weight of the penalty at outer step `step` of `steps`."""
    if sdc.schedule == "constant" or steps < 2:
        return sdc.weight
    return sdc.weight * math.log1p(step) / math.log(steps)


def shares(sdc: Sdc, weight: float, student_steps: int) -> Mapping[int, float]:
    """The weight of the gradient's norm of each of so many student steps, where all together weigh `weight`."""
    if not weight:
        return {}
    match sdc.steps:
        case "first":
            return {0: weight}
        case "last":
            return {student_steps - 1: weight}
        case "mean":
            return dict.fromkeys(range(student_steps), weight / student_steps)
