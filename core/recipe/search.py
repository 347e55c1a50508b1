"""The choices of a job before it distils, where its recipe says "auto": T+ and the learning rate of the images.

No paper says how to find these for a dataset nobody published; Cazenavette et al. advise to search rates by powers of
ten and to raise T+ from 1 until the loss gets unstable. Two probes of short distillations do as much, in this order:

1. `schedule.image_lr`: every rate of `IMAGE_LRS`, from low to high, distils the same first images on the same segments
   for a few outer steps. Each segment is new to the images when its loss is taken, so that the mean loss of the later
   steps says how far a rate got. The search ends early at a rate that diverges or does worse than not moving.
2. `objective.max_start_epoch`: every T+ of `START_EPOCHS` that the experts reach distils at that rate, for longer, and
   networks trained on what comes out are judged on the validation split.

Of stages, both distil the first alone, and what they choose holds for all; a T+ that stages say themselves is not
looked for.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Final, NamedTuple, TypeVar

from core.recipe.choices import Choices
from core.recipe.objective import Trajectory

Chosen = TypeVar("Chosen", bound=Choices)

IMAGE_LRS: Final = (3.0, 10.0, 30.0, 100.0, 300.0, 1e3, 3e3, 1e4, 3e4)
"""Rates of the images that are tried: the published ones lie between 30 and 10,000."""

START_EPOCHS: Final = (2, 5, 10, 20, 40)
"""Values of T+ that are tried, counted from T-."""

PROBED: Final = "auto"
RATE: Final = "schedule.image_lr"
END: Final = "objective.max_start_epoch"

NETWORKS: Final = 2
"""Networks that judge a T+, trained for `epochs`."""

HOPELESS: Final = 1.5
"""The loss of a rate over that of images that hardly move, from which on no higher rate is tried."""

_STEPS, _LEAST = 20, 5  # outer steps
_EXPERTS = 2  # are trained as far as the largest T+ asks, the others when it is known
_ENOUGH = 0.9  # of the best rate's fall of the loss: a lower rate that gets as far is steadier in the long run


class Rate(NamedTuple):
    """How far a rate of the images got: the mean matching loss of the later steps; none if it diverged."""

    image_lr: float
    loss: float | None


class End(NamedTuple):
    """How far a T+ got: accuracies on the validation split of networks trained on the images."""

    max_start_epoch: int
    validation: tuple[float, ...]


def left(recipe: Choices) -> tuple[str, ...]:
    """The fields that are left to probes."""
    schedule, end = recipe.schedule, getattr(recipe.objective, "max_start_epoch", None)
    values = {RATE: schedule.image_lr, END: None if schedule.stages.each else end}
    return tuple(field for field, value in values.items() if value == PROBED)


def asks(recipe: Choices) -> bool:
    """True if a field is left to probes."""
    return bool(left(recipe))


def start_epochs(recipe: Choices) -> tuple[int, ...]:
    """The values of T+ in question, rising; of a recipe that says it, that one. Empty if experts reach none of them."""
    objective, experts, stages = recipe.objective, recipe.experts, recipe.schedule.stages.each
    assert isinstance(objective, Trajectory), "only trajectories have a start epoch"
    if stages:
        return (stages[0].max_start_epoch,)
    if objective.max_start_epoch != PROBED:
        return (objective.max_start_epoch,)
    assert experts is not None, "trajectories are those of experts"
    first, most = objective.min_start_epoch, experts.epochs - objective.expert_epochs + 1
    least = objective.growth.start if objective.growth else 1
    return tuple(end for width in START_EPOCHS if least <= (end := first + width) <= most)


def image_lrs(recipe: Choices) -> tuple[float, ...]:
    """The rates of the images in question, rising; of a recipe that says it, that one."""
    rate = recipe.schedule.image_lr
    return IMAGE_LRS if rate == PROBED else (rate,)


def rate_steps(recipe: Choices) -> int:
    """Outer steps that each rate distils; 0 where there is no choice."""
    return _shortened(recipe, 1) if len(image_lrs(recipe)) > 1 else 0


def end_steps(recipe: Choices) -> int:
    """Outer steps that each T+ distils; 0 where there is no choice."""
    return _shortened(recipe, 3) if len(start_epochs(recipe)) > 1 else 0


def epochs(recipe: Choices) -> int:
    """How long the networks are trained that judge a T+: a quarter of the evaluation."""
    return -(-recipe.evaluation.epochs // 4)


def experts(count: int, together: int) -> int:
    """How many of the job's experts probes begin with, where so many are trained at once: no stack is divided."""
    return min(count, together * -(-_EXPERTS // together))


def chosen(recipe: Chosen, max_start_epoch: int, image_lr: float) -> Chosen:
    """The recipe with numbers in the place of "auto"."""
    objective, schedule, asked = recipe.objective, recipe.schedule, left(recipe)
    if END in asked:
        objective = objective.model_copy(update={"max_start_epoch": max_start_epoch})
    if RATE in asked:
        schedule = schedule.model_copy(update={"image_lr": image_lr})
    return recipe.model_copy(update={"objective": objective, "schedule": schedule})


def short(recipe: Chosen, max_start_epoch: int, image_lr: float, steps: int) -> Chosen:
    """A short distillation of a recipe: its window does not grow, and its result is its last images."""
    found = chosen(recipe, max_start_epoch, image_lr)
    objective = found.objective.model_copy(update={"growth": None})
    schedule = found.schedule.model_copy(update={"steps": steps, "ema": None})
    return found.model_copy(update={"objective": objective, "schedule": schedule})


def largest(recipe: Chosen) -> Chosen:
    """The recipe that asks most of the experts among those that may be chosen; itself if nothing is left to probes.

    What a job costs and how much memory it takes is counted for this one.
    """
    return chosen(recipe, start_epochs(recipe)[-1], image_lrs(recipe)[-1]) if asks(recipe) else recipe


def middle(recipe: Choices) -> int:
    """The T+ at which rates are tried."""
    ends = start_epochs(recipe)
    return ends[(len(ends) - 1) // 2]


def best_rate(tried: Sequence[Rate]) -> tuple[float, str]:
    """The lowest rate that comes near the best one, and why; the rates rise from one that hardly moves the images.

    Raises:
        ValueError: even that one diverged.
    """
    start = tried[0].loss
    if start is None:
        raise ValueError(f"Even {tried[0].image_lr:g} diverged.")
    falls = {rate.image_lr: start - rate.loss for rate in tried if rate.loss is not None}
    best = max(falls, key=lambda rate: falls[rate])
    taken = next(rate for rate, fall in falls.items() if fall >= _ENOUGH * falls[best])
    if taken == tried[0].image_lr:
        return taken, f"No rate of the images lowered the matching loss below {start:.3f}."
    why = (
        f"With it the matching loss falls to {start - falls[taken]:.3f}, where images that hardly move have {start:.3f}"
    )
    if taken < best:
        return taken, f"{why}; {best:g} is little better, at {start - falls[best]:.3f}."
    return taken, f"{why}; no other of {len(tried)} rates does better."


def best_end(tried: Sequence[End]) -> tuple[int, str]:
    """The T+ whose images do best, the lowest of equals, and why."""
    means = {end.max_start_epoch: statistics.fmean(end.validation) for end in tried}
    taken = max(means, key=lambda end: means[end])
    others = [f"{mean:.1%} with {end}" for end, mean in means.items() if end != taken]
    return (
        taken,
        f"Networks trained on its images reach {means[taken]:.1%} on the validation split ({', '.join(others)}).",
    )


def _shortened(recipe: Choices, times: int) -> int:
    """So many times 20 outer steps, or a twentieth of the recipe's if that is less."""
    steps = recipe.schedule.steps
    return min(times * max(_LEAST, min(_STEPS, steps // _STEPS)), steps)
