"""The method that is a search for one, under a budget of time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from core.methods import trajectory
from core.methods.task import Presets, Task, augment, evaluation, network, preset
from core.recipe import FieldError, NoObjective, Real, Recipe, Schedule

__all__ = ["auto"]

AUTO: Final = "auto"

WITHIN: Final = 20 * 60
"""Seconds that it takes at most, if a request does not say how many."""

SHARED: Final = (
    "network",
    "preprocess",
    "augment",
    "precision",
    "relabel",
    "storage",
    "share",
    "teacher",
    "evaluation",
)
"""The parts of a recipe that all candidates have in common, and the only ones that a client can set."""


def auto(task: Task) -> Recipe:
    """The best method for the time there is.

    A race of the methods that a forecast says can finish: real images of several kinds, distribution, gradient and
    trajectory matching, performance matching. Each distils for a share of the time, the validation split says which go
    on, and the rest of the time is for what promises most. The recipe shown is what all of them share: the network, the
    preprocessing, the augmentation, the evaluation and whose labels; with it go random real images, which the others
    have to beat. If none does, real images are the result, and the report says so.

    Family: search
    Equation: argmax_m acc_val(S_m), S_m after a share of the time that halves the field: successive halving by seconds
    Citation: Jamieson & Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization", AISTATS
        2016, for the halving; the candidates are the methods of this catalogue
    Published: no paper; digits, one image a class, one minute on two busy cores: 88.8 ± 1.0 % (benchmarks/RESULTS.md)
    Use: whenever minutes and images a class are what is given: with `within`, and nothing else.
    Avoid: to reproduce a paper, or to compare methods: name the method. What wins depends on the machine.
    """
    recipe = Recipe(
        augment=augment(task),
        network=network(task),
        init=Real(),
        objective=NoObjective(),
        schedule=Schedule(steps=0),
        evaluation=evaluation(task, lr=0.01),
    )
    return preset(PRESETS["auto"], task, recipe)


# Whitened where trajectories are matched on whitened pixels, which their rates are for (benchmarks/RESULTS.md).
PRESETS: Presets = {
    "auto": {
        key: {name: changes[name] for name in ("preprocess",) if name in changes}
        for key, changes in trajectory.PRESETS["mtt"].items()
    }
}


def candidates_own(paths: Iterable[str]) -> list[FieldError]:
    """Why a client cannot change some paths of the recipe: they lead to what is not `SHARED`."""
    told = f"It is each candidate's own: a search takes {', '.join(SHARED[:-1])} and {SHARED[-1]} alone."
    own = [path for path in paths if path.partition(".")[0] not in SHARED]
    return [FieldError(f"overrides.{path}", told, "Leave it out, or name a method.") for path in own]
