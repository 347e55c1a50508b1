"""The objective of a recipe's stage, built for the loop."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor

from core.engine import distill, sdc, teacher
from core.engine.distill import Carrying
from core.engine.expert_predictions import Judges
from core.engine.kernels import Kernels
from core.engine.keys import Key
from core.engine.networks import Network
from core.engine.objectives import distribution, gradient, pairing, performance, regression, statistics, trajectory
from core.engine.real import Real
from core.engine.teacher import Teacher
from core.engine.trajectories import Trajectories
from core.recipe import (
    Distribution,
    Generative,
    Gradient,
    NoObjective,
    Objective,
    Paired,
    Performance,
    Recipe,
    Regression,
    Statistics,
    Trajectory,
    TwoLayer,
)


def objective(
    recipe: Recipe,
    asked: Objective,
    kernels: Kernels,
    real: Real,
    residual_bytes: int = 0,
    known: Trajectories | None = None,
    begin: Callable[[Key], Tensor] | None = None,
    taught: Teacher | None = None,
    slots: int = 1,
) -> distill.Objective | None:
    """The loss that is asked for and its gradient; None where nothing is matched.

    `residual_bytes` is how much student steps may keep of their forward pass. `known` are the experts of trajectories,
    `taught` is the teacher that statistics are of, and `slots` training images of each class are compared with them.
    `begin` says which networks others begin with, if not fresh ones.
    """
    network, augment, steps = kernels.network, recipe.augment, recipe.schedule.steps
    match asked:
        case Trajectory():
            assert known is not None, "trajectories are matched to those of experts"
            penalty = sdc.difficulty(recipe)
            return partial(trajectory.distance, asked, kernels, augment, known, residual_bytes, difficulty=penalty)
        case Distribution():
            return partial(distribution.distance, asked, network, augment, real, begin=begin)
        case Gradient():
            weight = sdc.weight(recipe)
            return Carrying(partial(gradient.distance, asked, kernels, augment, real, weight=weight, begin=begin))
        case Performance():
            return partial(performance.loss, asked, kernels, augment, real, residual_bytes, steps, begin=begin)
        case Statistics():
            assert taught is not None, "statistics are those of a teacher"
            goals = teacher.goals(taught, asked, real, slots)
            return Carrying(partial(statistics.loss, asked, taught, goals, real.classes, steps))
        case Paired():
            assert taught is not None, "features are those of a teacher"
            return partial(pairing.distance, asked, taught, augment)
        case Regression():
            learned = recipe.labels.learned and recipe.labels.regresses
            return Carrying(partial(regression.loss, asked, network, real, learned))
        case Generative() | NoObjective() | TwoLayer():
            return None


def judges(recipe: Recipe, network: Network, known: Trajectories, say: Callable[[str], None]) -> Judges | None:
    """The experts that say what images and labels start as; None where the recipe asks none."""
    epoch = recipe.judging_epoch
    return None if epoch is None else Judges(network, known, epoch, say)
