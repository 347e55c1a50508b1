"""The search for what a recipe leaves "auto": the candidates of each such field, and the choice among those tried.

1. `init.beta`: windows of difficulty, as the scripts of Lee & Chung 2024 try them (section 4). Networks learn from each
   window of real images, for a quarter of the evaluation's epochs; unlike there the validation split judges them.

No paper says how to find the others for a dataset nobody published; Cazenavette et al. advise to search rates by powers
of ten and to raise T+ from 1 until the loss gets unstable. Probes, which are short distillations, do as much:

2. `schedule.image_lr`: every rate of `IMAGE_LRS`, from low to high, distils the same first images on the same segments
   for a few outer steps. Each segment is new to the images when its loss is taken, so that the mean loss of the later
   steps says how far a rate got. The search ends early at a rate that diverges or does worse than not moving.
3. `objective.max_start_epoch`: every T+ of `START_EPOCHS` that the experts reach distils at that rate, for longer, and
   networks trained on what comes out are judged on the validation split.

Of stages, probes distil the first alone, and what they choose holds for all; a T+ that stages say themselves is not
looked for.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeVar, final

from core.recipe.choices import Choices
from core.recipe.objective import Trajectory
from core.recipe.selection import Window

Chosen = TypeVar("Chosen", bound=Choices)

IMAGE_LRS: Final = (3.0, 10.0, 30.0, 100.0, 300.0, 1e3, 3e3, 1e4, 3e4)
"""Rates of the images that are tried: the published ones lie between 30 and 10,000."""

START_EPOCHS: Final = (2, 5, 10, 20, 40)
"""Values of T+ that are tried, counted from T-."""

PROBED: Final = "auto"
WINDOW: Final = "init.beta"
RATE: Final = "schedule.image_lr"
END: Final = "objective.max_start_epoch"

NETWORKS: Final = 2
"""Networks that judge a candidate on the validation split, trained for `epochs`."""

USUAL: Final = 100.0
"""Rate that is taken where there is no time to find out, as in times too short for any probe."""

HOPELESS: Final = 1.5
"""The loss of a candidate over that of the first, which hardly moves the images, from which on no further is tried."""

_STEPS, _LEAST = 20, 5  # outer steps
_EXPERTS = 2  # are trained as far as the largest T+ asks, the others when it is known
_ENOUGH = 0.9  # of the best rate's fall of the loss: a lower rate that gets as far is steadier in the long run


class Tried(NamedTuple):
    """How far a value got."""

    value: float
    loss: float | None = None
    """The mean matching loss of the later steps; none if it diverged, or if networks judge."""
    validation: tuple[float, ...] = ()
    """Accuracies on the validation split of networks trained on the images."""


@final
@dataclass(frozen=True)
class Candidates:
    """The values that are tried for a field, rising, and how they are judged."""

    field: str
    values: tuple[float, ...]
    steps: int
    """Outer steps that each distils from the same images; 0 where the images are judged as they begin."""
    judged: Literal["loss", "validation"]
    """By the matching loss, or by `NETWORKS` networks on the validation split."""

    @property
    def open(self) -> bool:
        """Whether there is a choice."""
        return len(self.values) > 1

    @property
    def units(self) -> int:
        """How much of the search's progress each stands for: outer steps, or networks where there are none."""
        return self.steps or NETWORKS

    def over(self, tried: Sequence[Tried]) -> bool:
        """Whether no further one is tried: of rates, those above one that is of no use are of none either."""
        if not tried or len(tried) == len(self.values) or self.judged == "validation":
            return len(tried) == len(self.values)
        start, loss = tried[0].loss, tried[-1].loss
        return loss is None or (start is not None and loss > HOPELESS * start)

    @property
    def untried(self) -> float:
        """The value that is taken where there is no time to try any: the usual rate, or else the first."""
        return min(self.values, key=lambda value: (abs(value - USUAL), value)) if self.field == RATE else self.values[0]

    def best(self, tried: Sequence[Tried]) -> tuple[float, str]:
        """The value that is taken, and why.

        By the loss it is the lowest that comes near the best one; on the validation split the best, or the lowest of
        equals. Where time was up before the usual rate, it is that one, unless a lower one was better than the last.

        Raises:
            ValueError: even the first one diverged.
        """
        if not tried:
            return self.untried, "There was no time to try any."
        if self.judged == "validation":
            return _best_on_validation(tried)
        value, why = _best_by_loss(tried)
        last = tried[-1].value
        if not self.over(tried) and last < self.untried and value in (tried[0].value, last):
            return self.untried, f"There was no time to try rates above {last:g}, and up to it none is too high."
        return value, why


def windows(recipe: Choices, taken: Sequence[tuple[int, int]]) -> Candidates | None:
    """The windows of difficulty that fit in each class; None of a recipe that says which one it is.

    `taken` are the images that a window has of a class, and how many there are.
    """
    if not isinstance(recipe.init, Window) or recipe.init.beta != PROBED:
        return None
    first, *others = (recipe.init.swept(ipc, members) for ipc, members in taken)
    return Candidates(WINDOW, tuple(beta for beta in first if all(beta in each for each in others)), 0, "validation")


def probes(recipe: Choices) -> tuple[Candidates, ...]:
    """The candidates of the fields that are left to probes, in the order in which they are decided."""
    rates = Candidates(RATE, image_lrs(recipe), _shortened(recipe, 1), "loss") if RATE in left(recipe) else None
    ends = Candidates(END, start_epochs(recipe), _shortened(recipe, 3), "validation") if END in left(recipe) else None
    return tuple(each for each in (rates, ends) if each is not None)


def most_steps(recipe: Choices) -> int | None:
    """The outer steps up to which its probes would be as long as they are; None where these do not become longer."""
    each = max(_LEAST, recipe.schedule.steps // _STEPS)
    return None if not asks(recipe) or each >= _STEPS else (each + 1) * _STEPS - 1


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


def epochs(recipe: Choices) -> int:
    """How long the networks are trained that judge candidates: a quarter of the evaluation."""
    return -(-recipe.evaluation.epochs // 4)


def experts(count: int, together: int) -> int:
    """How many of the job's experts probes begin with, where so many are trained at once: no stack is divided."""
    return min(count, together * -(-_EXPERTS // together))


def taken(recipe: Chosen, field: str, value: float) -> Chosen:
    """The recipe with a number in the place of a field's "auto"."""
    component, name = field.split(".")
    return recipe.model_copy(update={component: getattr(recipe, component).model_copy(update={name: value})})


def settled(recipe: Chosen, values: Mapping[str, float]) -> Chosen:
    """The recipe with the values that were chosen, and with the only candidate of a field that leaves no choice."""
    for field, value in values.items():
        recipe = taken(recipe, field, value)
    for single in probes(recipe):
        recipe = recipe if single.open else taken(recipe, single.field, single.values[0])
    return recipe


def short(recipe: Chosen, steps: int) -> Chosen:
    """A short distillation of a recipe: its window does not grow, and its result is its last images.

    What is decided later is in the middle of its candidates.
    """
    for open_ in probes(recipe):
        recipe = taken(recipe, open_.field, open_.values[(len(open_.values) - 1) // 2])
    objective = recipe.objective.model_copy(update={"growth": None})
    schedule = recipe.schedule.model_copy(update={"steps": steps, "ema": None})
    return recipe.model_copy(update={"objective": objective, "schedule": schedule})


def largest(recipe: Chosen) -> Chosen:
    """The recipe that asks most of the experts among those that may be chosen; itself if nothing is left to probes.

    What a job costs and how much memory it takes is counted for this one.
    """
    for open_ in probes(recipe):
        recipe = taken(recipe, open_.field, open_.values[-1])
    return recipe


def _best_by_loss(tried: Sequence[Tried]) -> tuple[float, str]:
    start = tried[0].loss
    if start is None:
        raise ValueError(f"Even {tried[0].value:g} diverged.")
    falls = {each.value: start - each.loss for each in tried if each.loss is not None}
    best = max(falls, key=lambda value: falls[value])
    lowest = next(value for value, fall in falls.items() if fall >= _ENOUGH * falls[best])
    if lowest == tried[0].value:
        return lowest, f"No rate of the images lowered the matching loss below {start:.3f}."
    why = (
        f"With it the matching loss falls to {start - falls[lowest]:.3f}, where images that hardly move have "
        f"{start:.3f}"
    )
    if lowest < best:
        return lowest, f"{why}; {best:g} is little better, at {start - falls[best]:.3f}."
    return lowest, f"{why}; no other of {len(tried)} rates does better."


def _best_on_validation(tried: Sequence[Tried]) -> tuple[float, str]:
    means = {each.value: statistics.fmean(each.validation) for each in tried}
    best = max(means, key=lambda value: means[value])
    others = ", ".join(f"{mean:.1%} with {value:g}" for value, mean in means.items() if value != best)
    why = f"Networks trained on its images reach {means[best]:.1%} on the validation split"
    return best, f"{why} ({others})." if others else f"{why}."


def _shortened(recipe: Choices, times: int) -> int:
    """So many times 20 outer steps, or a twentieth of the recipe's if that is less."""
    steps = recipe.schedule.steps
    return min(times * max(_LEAST, min(_STEPS, steps // _STEPS)), steps)
