"""What no part can tell alone: the combinations of choices that mean nothing, each refused with its fix.

A check is a function of the whole recipe that raises; a recipe calls them in the order of `CHECKS` and the first to
raise is what the user is told.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from core.recipe.objective import Gradient, Nothing, Performance, Trajectory
from core.recipe.part import meaningless
from core.recipe.pixels import Zca
from core.recipe.start import Correct, Learnable, Mixed, Noise, Tiles

if TYPE_CHECKING:
    from core.recipe.recipe import Recipe


def check_selection(recipe: Recipe) -> None:
    """Without an objective the initial images are the result: nothing may be asked of steps that are not taken."""
    if not isinstance(recipe.objective, Nothing):
        return
    if recipe.schedule.steps:
        raise meaningless(
            "schedule.steps",
            f"There is nothing to match in {recipe.schedule.steps} steps.",
            "Set schedule.steps to 0, or give an objective such as 'trajectory'.",
        )
    if recipe.schedule.ema is not None:
        raise meaningless(
            "schedule.ema", "Zero outer steps leave nothing to take a mean over.", "Leave schedule.ema out."
        )
    if isinstance(recipe.init, Noise):
        raise meaningless(
            "init.kind",
            "Noise that no objective ever improves is not a dataset.",
            "Set init.kind to 'real', or give an objective.",
        )
    if recipe.evaluation.look_every is not None:
        raise meaningless(
            "evaluation.look_every",
            "Zero outer steps leave nothing to look at in between.",
            "Leave evaluation.look_every out.",
        )


def check_update(recipe: Recipe) -> None:
    """What is left as it began has to be real, and something has to be left to learn."""
    update = recipe.parameterize.update
    if update == 1:
        return
    if isinstance(recipe.objective, Nothing):
        raise meaningless(
            "parameterize.update",
            "Without an objective no image is optimised, whatever its share.",
            "Leave parameterize.update out, or give an objective.",
        )
    if isinstance(recipe.init, Noise):
        raise meaningless(
            "parameterize.update",
            f"{1 - update:.0%} of the images would stay the noise they begin as.",
            "Leave parameterize.update out, or set init.kind to 'real'.",
        )
    if update == 0 and not learns_step_size(recipe):
        raise meaningless(
            "parameterize.update",
            "Nothing would be learned: no image is optimised, and no step size either.",
            "Set parameterize.update above 0, or ask for a method that only selects images.",
        )


def learns_step_size(recipe: Recipe) -> bool:
    """Whether the student's step size moves."""
    return isinstance(recipe.objective, Trajectory | Performance) and recipe.step_size.lr > 0


def check_tiles(recipe: Recipe) -> None:
    """Tiles are enlarged where pixels are neighbours, and only they can hold smaller images."""
    tiles = isinstance(recipe.parameterize, Tiles)
    if isinstance(recipe.init, Mixed) and not tiles:
        raise meaningless(
            "init.kind",
            "Without tiles there is nothing to put several real images into.",
            "Set parameterize.kind to 'tiles', or init.kind to 'real'.",
        )
    if tiles and isinstance(recipe.preprocess, Zca):
        raise meaningless(
            "preprocess.kind",
            "Whitened pixels mix the whole image: a tile of them is no image that could be enlarged.",
            "Set preprocess.kind to 'mean_std', or parameterize.kind to 'pixels'.",
        )
    if tiles and isinstance(recipe.objective, Nothing):
        raise meaningless(
            "parameterize.kind",
            "Without an objective the tiles of real images would be the result, which are parts of images.",
            "Set parameterize.kind to 'pixels', or give an objective.",
        )


def check_labels(recipe: Recipe) -> None:
    """Labels are learned only where a loss on them is differentiated."""
    if isinstance(recipe.labels, Learnable) and not isinstance(recipe.objective, Trajectory | Gradient | Performance):
        raise meaningless(
            "labels.kind",
            f"The objective '{recipe.objective.kind}' has no gradient for labels.",
            "Set labels.kind to 'hard', or the objective to 'trajectory', 'gradient' or 'performance'.",
        )


def check_sdc(recipe: Recipe) -> None:
    """Difficulty is the gradient of a student that is trained or compared."""
    if recipe.sdc is not None and not isinstance(recipe.objective, Trajectory | Gradient):
        raise meaningless(
            "sdc",
            f"The objective '{recipe.objective.kind}' matches no gradients that could be penalised.",
            "Leave sdc out, or set the objective to 'trajectory' or 'gradient'.",
        )


def check_experts(recipe: Recipe) -> None:
    """Experts are there where they are read, and nowhere else."""
    if isinstance(recipe.init, Correct) and not isinstance(recipe.objective, Trajectory):
        raise meaningless(
            "init.kind",
            f"The objective '{recipe.objective.kind}' trains no experts who could be right about an image.",
            "Set init.kind to 'real', or the objective to 'trajectory'.",
        )
    of_labels = isinstance(recipe.labels, Learnable) and recipe.labels.start == "experts"
    if of_labels and not isinstance(recipe.objective, Trajectory):
        raise meaningless(
            "labels.start",
            f"The objective '{recipe.objective.kind}' trains no experts who could say what labels start as.",
            "Set labels.start to 'confidence', or the objective to 'trajectory'.",
        )
    if isinstance(recipe.objective, Trajectory):
        if recipe.experts is None:
            raise meaningless(
                "experts",
                "Trajectories can only be matched to experts.",
                'Give experts, for instance {"count": 20}.',
            )
    elif recipe.experts is not None:
        raise meaningless(
            "experts",
            f"The objective '{recipe.objective.kind}' reads no expert trajectories.",
            "Leave experts out.",
        )


def check_reach(recipe: Recipe) -> None:
    """Every segment that may be drawn ends before the experts do."""
    if not isinstance(recipe.objective, Trajectory) or recipe.experts is None:
        return
    reach = recipe.objective.max_start_epoch - 1 + recipe.objective.expert_epochs
    if reach > recipe.experts.epochs:
        raise meaningless(
            "experts.epochs",
            f"Segments reach epoch {reach}, but experts stop at {recipe.experts.epochs}.",
            f"Set experts.epochs to at least {reach}, or lower objective.max_start_epoch.",
        )


def check_steps(recipe: Recipe) -> None:
    """An objective needs steps to be followed in."""
    if not isinstance(recipe.objective, Nothing) and recipe.schedule.steps == 0:
        raise meaningless(
            "schedule.steps",
            f"Zero steps leave the objective '{recipe.objective.kind}' unused.",
            "Set schedule.steps to at least 1, or ask for method 'random'.",
        )


def check_policy(recipe: Recipe) -> None:
    """A policy draws from what the recipe's augmentation lists."""
    policy, transforms = recipe.evaluation.policy, recipe.augment.transforms
    if policy == "batch":
        return
    if not recipe.evaluation.augment:
        raise meaningless(
            "evaluation.policy",
            f"Without augmentation there are no views to draw by '{policy}'.",
            "Leave evaluation.policy out, or set evaluation.augment to true.",
        )
    if not transforms or (policy != "sample" and not {"crop", "flip"} & set(transforms)):
        raise meaningless(
            "evaluation.policy",
            f"The policy '{policy}' finds nothing to draw in augment.transforms.",
            "Add 'crop' or 'flip' to augment.transforms, or leave evaluation.policy out.",
        )


def check_evaluation_rate(recipe: Recipe) -> None:
    """Only a student's step size that was learned can stand in for the evaluation's learning rate."""
    if recipe.evaluation.lr is None and not isinstance(recipe.objective, Trajectory | Performance):
        raise meaningless(
            "evaluation.lr",
            f"The objective '{recipe.objective.kind}' learns no step size to evaluate with.",
            "Set evaluation.lr, for instance to 0.01.",
        )


def check_looks(recipe: Recipe) -> None:
    """Selecting an iterate needs iterates that were looked at."""
    if recipe.evaluation.select == "best_validation" and recipe.evaluation.look_every is None:
        raise meaningless(
            "evaluation.look_every",
            "Selecting on the validation split needs looks at it.",
            "Set evaluation.look_every to a number of outer steps, or evaluation.select to 'last'.",
        )


CHECKS: Final[tuple[Callable[[Recipe], None], ...]] = (
    check_selection,
    check_update,
    check_tiles,
    check_labels,
    check_sdc,
    check_experts,
    check_reach,
    check_steps,
    check_policy,
    check_evaluation_rate,
    check_looks,
)
