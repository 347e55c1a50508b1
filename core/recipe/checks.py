"""The checks that no part can make alone: combinations of choices that mean nothing are refused with a fix.

A check is a function of the whole recipe that raises; a recipe calls them in the order of `CHECKS` and the first to
raise is what the user is told. A fix says "Set path to value" as JSON has the value: it then also holds for overrides,
where what a method asks for cannot be left out, but can be set to null.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from core.recipe import search
from core.recipe.architectures import check_convolutions, check_precision, check_unseen
from core.recipe.component import invalid_combination
from core.recipe.diffusion import Generative
from core.recipe.objective import Gradient, NoObjective, Performance, Trajectory
from core.recipe.pixels import Zca
from core.recipe.regressing import check_features, check_one_stage, check_spanning, check_targets
from core.recipe.regression import Generated, Regression
from core.recipe.relabel import LabelledViews
from core.recipe.start import Correct, Learnable, Mixed, Noise, Tiles
from core.recipe.teaching import check_adjustment, check_clamp, check_norms, check_order, check_relabel, check_teacher

if TYPE_CHECKING:
    from core.recipe.recipe import Recipe


def check_selection(recipe: Recipe) -> None:
    """Where no image is optimised, nothing may be asked of steps that are not taken."""
    if not isinstance(recipe.objective, NoObjective | Generative):
        return
    if recipe.schedule.steps:
        raise invalid_combination(
            "schedule.steps",
            f"The objective '{recipe.objective.kind}' optimises no image, in {recipe.schedule.steps} steps or any.",
            "Set schedule.steps to 0, or objective.kind to 'trajectory'.",
        )
    for field in ("ema", "clip", "skip_above"):
        if getattr(recipe.schedule, field) is not None:
            raise invalid_combination(
                f"schedule.{field}",
                "This is about outer steps, of which none is taken.",
                f"Set schedule.{field} to null.",
            )
    if isinstance(recipe.init, Noise) and isinstance(recipe.objective, NoObjective):
        raise invalid_combination(
            "init.kind",
            "Noise that no objective ever improves is not a dataset.",
            "Set init.kind to 'real', or objective.kind to 'distribution'.",
        )
    if recipe.evaluation.select == "best_validation":
        raise invalid_combination(
            "evaluation.select",
            "Zero outer steps leave one iterate to select from.",
            "Set evaluation.select to 'last'.",
        )
    if recipe.evaluation.look_every is not None:
        raise invalid_combination(
            "evaluation.look_every",
            "Zero outer steps leave nothing to look at in between.",
            "Set evaluation.look_every to null.",
        )


def check_update(recipe: Recipe) -> None:
    """Images that are left as they began have to be real, and something has to be left to learn."""
    update = recipe.parameterize.update
    if update == 1:
        return
    if isinstance(recipe.objective, NoObjective | Generative):
        raise invalid_combination(
            "parameterize.update",
            f"The objective '{recipe.objective.kind}' optimises no image, whatever its share.",
            "Set parameterize.update to 1, or objective.kind to 'distribution'.",
        )
    if isinstance(recipe.init, Noise):
        raise invalid_combination(
            "parameterize.update",
            f"{1 - update:.0%} of the images would stay the noise they begin as.",
            "Set parameterize.update to 1, or init.kind to 'real'.",
        )
    if isinstance(recipe.init, Generated):
        raise invalid_combination(
            "parameterize.update",
            f"{1 - update:.0%} of the images would stay what a generator made, and are no real ones.",
            "Set parameterize.update to 1, or init.kind to 'real'.",
        )
    if update == 0 and not learns_step_size(recipe):
        raise invalid_combination(
            "parameterize.update",
            "Nothing would be learned: no image is optimised, and no step size either.",
            "Set parameterize.update to more than 0, or ask for a method that only selects images.",
        )


def learns_step_size(recipe: Recipe) -> bool:
    """Whether the student's step size moves."""
    return isinstance(recipe.objective, Trajectory | Performance) and recipe.step_size.lr > 0


def check_tiles(recipe: Recipe) -> None:
    """Tiles are enlarged where pixels are neighbours, and only they can hold smaller images."""
    tiles = isinstance(recipe.parameterize, Tiles)
    if isinstance(recipe.init, Mixed) and not tiles:
        allowed = not isinstance(recipe.objective, NoObjective | Generative) and not isinstance(recipe.preprocess, Zca)
        raise invalid_combination(
            "init.kind",
            "Without tiles there is nothing to put several real images into.",
            "Set init.kind to 'real'" + (", or parameterize.kind to 'tiles'." if allowed else "."),
        )
    if tiles and isinstance(recipe.preprocess, Zca):
        raise invalid_combination(
            "preprocess.kind",
            "Whitened pixels mix the whole image: a tile of them is no image that could be enlarged.",
            "Set preprocess.kind to 'mean_std', or parameterize.kind to 'pixels'.",
        )
    if tiles and isinstance(recipe.objective, NoObjective | Generative):
        raise invalid_combination(
            "parameterize.kind",
            f"The objective '{recipe.objective.kind}' optimises no tiles: they would be mere parts of whole images.",
            "Set parameterize.kind to 'pixels', or objective.kind to 'distribution'.",
        )


def check_generator(recipe: Recipe) -> None:
    """A generator is led from noise, and asks for no other start."""
    if isinstance(recipe.objective, Generative) and not isinstance(recipe.init, Noise):
        raise invalid_combination(
            "init.kind",
            f"A generator draws images from noise: what '{recipe.init.kind}' gives would go unused.",
            "Set init.kind to 'noise', or objective.kind to 'distribution'.",
        )


def check_labels(recipe: Recipe) -> None:
    """Labels are learned only where a loss on them is differentiated."""
    if isinstance(recipe.labels, Learnable) and not isinstance(
        recipe.objective, Trajectory | Gradient | Performance | Regression
    ):
        raise invalid_combination(
            "labels.kind",
            f"The objective '{recipe.objective.kind}' has no gradient for labels.",
            "Set labels.kind to 'hard', or objective.kind to 'trajectory', 'gradient' or 'performance'.",
        )


def check_sdc(recipe: Recipe) -> None:
    """Difficulty is the gradient of a student that is trained or compared."""
    if recipe.sdc is not None and not isinstance(recipe.objective, Trajectory | Gradient):
        raise invalid_combination(
            "sdc",
            f"The objective '{recipe.objective.kind}' matches no gradients that could be penalised.",
            "Set sdc to null, or objective.kind to 'trajectory' or 'gradient'.",
        )
    if recipe.sdc is not None and recipe.sdc.steps != "mean" and isinstance(recipe.objective, Gradient):
        raise invalid_combination(
            "sdc.steps",
            "The gradients that are matched are one of each class: there are no student steps to choose from.",
            "Set sdc.steps to 'mean'.",
        )


def check_memory(recipe: Recipe) -> None:
    """A choice of memory needs student steps that are differentiated: theirs is kept or computed again."""
    if recipe.schedule.memory != "auto" and not isinstance(recipe.objective, Trajectory | Performance):
        raise invalid_combination(
            "schedule.memory",
            f"The objective '{recipe.objective.kind}' unrolls no student steps whose memory could be kept.",
            "Set schedule.memory to 'auto', or objective.kind to 'trajectory' or 'performance'.",
        )


def check_experts(recipe: Recipe) -> None:
    """Experts are there where they are read, and nowhere else."""
    if isinstance(recipe.init, Correct) and not isinstance(recipe.objective, Trajectory):
        raise invalid_combination(
            "init.kind",
            f"The objective '{recipe.objective.kind}' trains no experts who could be right about an image.",
            "Set init.kind to 'real', or objective.kind to 'trajectory'.",
        )
    of_labels = isinstance(recipe.labels, Learnable) and recipe.labels.start == "experts"
    if of_labels and not isinstance(recipe.objective, Trajectory):
        raise invalid_combination(
            "labels.start",
            f"The objective '{recipe.objective.kind}' trains no experts who could say what labels start as.",
            "Set labels.start to 'confidence', or objective.kind to 'trajectory'.",
        )
    if of_labels and isinstance(recipe.init, Noise):
        raise invalid_combination(
            "labels.start",
            "An expert is right about noise by chance only, and what it says of it is no label.",
            "Set labels.start to 'confidence', or init.kind to 'correct'.",
        )
    if isinstance(recipe.objective, Trajectory):
        if recipe.experts is None:
            raise invalid_combination(
                "experts",
                "Trajectories can only be matched to experts.",
                'Set experts, for instance to {"count": 20}.',
            )
    elif recipe.experts is not None:
        raise invalid_combination(
            "experts",
            f"The objective '{recipe.objective.kind}' reads no expert trajectories.",
            "Set experts to null.",
        )


def check_probes(recipe: Recipe) -> None:
    """A probe compares matching losses, and needs an epoch that it may choose."""
    objective = recipe.objective
    if not isinstance(objective, Trajectory):
        if recipe.schedule.image_lr == search.PROBED:
            raise invalid_combination(
                "schedule.image_lr",
                f"Probes compare how well trajectories are matched; the objective is '{objective.kind}'.",
                "Set schedule.image_lr to a number.",
            )
    elif recipe.experts is not None and not search.start_epochs(recipe):
        first = max(
            objective.min_start_epoch + search.START_EPOCHS[0], objective.growth.start if objective.growth else 0
        )
        raise invalid_combination(
            "objective.max_start_epoch",
            f"Experts of {recipe.experts.epochs} epochs reach no end of the window that a probe would try.",
            f"Set experts.epochs to at least {first - 1 + objective.expert_epochs}, or objective.max_start_epoch "
            "to a number.",
        )


def check_reach(recipe: Recipe) -> None:
    """Every segment that may be drawn ends before the experts do."""
    if not isinstance(recipe.objective, Trajectory) or recipe.experts is None:
        return
    if search.END in search.left(recipe):  # chosen so that it does
        return
    ends = [stage.max_start_epoch - 1 for stage in recipe.schedule.stages.each]
    lower = "the stages' max_start_epoch" if ends else "objective.max_start_epoch"
    reach = max(ends or [recipe.objective.last_start_epoch]) + recipe.objective.expert_epochs
    if reach > recipe.experts.epochs:
        raise invalid_combination(
            "experts.epochs",
            f"Segments reach epoch {reach}, but experts stop at {recipe.experts.epochs}.",
            f"Set experts.epochs to at least {reach}, or lower {lower}.",
        )


def check_stages(recipe: Recipe) -> None:
    """The settings of each stage have to be of use to its objective."""
    stages, objective = recipe.schedule.stages, recipe.objective
    if isinstance(objective, NoObjective | Generative) and stages.count > 1:
        raise invalid_combination(
            "schedule.stages.count",
            f"The objective '{objective.kind}' optimises no image: no stage could take earlier ones into account.",
            "Set schedule.stages.count to 1, or objective.kind to 'distribution'.",
        )
    if not stages.each:
        return
    if not isinstance(objective, Trajectory):
        raise invalid_combination(
            "schedule.stages.each",
            f"The objective '{objective.kind}' matches no segments that could have start epochs.",
            "Set schedule.stages.each to [].",
        )
    growth = objective.growth
    if growth and any(not stage.min_start_epoch < growth.start <= stage.max_start_epoch for stage in stages.each):
        raise invalid_combination(
            "objective.growth.start",
            f"A window that grows from epoch {growth.start} does not lie in that of every stage.",
            "Set objective.growth to null, or schedule.stages.each to [].",
        )


def check_steps(recipe: Recipe) -> None:
    """An objective needs steps to be followed in."""
    if not isinstance(recipe.objective, NoObjective | Generative) and recipe.schedule.steps == 0:
        raise invalid_combination(
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
        raise invalid_combination(
            "evaluation.policy",
            f"Without augmentation there are no views to draw by '{policy}'.",
            "Set evaluation.policy to 'batch', or evaluation.augment to true.",
        )
    if not transforms or (policy != "sample" and not {"crop", "flip"} & set(transforms)):
        raise invalid_combination(
            "evaluation.policy",
            f"The policy '{policy}' finds nothing to draw in augment.transforms.",
            "Set evaluation.policy to 'batch', or add 'crop' or 'flip' to augment.transforms.",
        )


def check_cutmix(recipe: Recipe) -> None:
    """Views whose labels are stored have been made: nothing mixes them any more."""
    if recipe.evaluation.cutmix is not None and isinstance(recipe.relabel, LabelledViews):
        raise invalid_combination(
            "evaluation.cutmix",
            "A teacher labels each view as it is, so that views cannot be mixed afterwards.",
            "Set evaluation.cutmix to null, or relabel.kind to 'soft' or 'keep'.",
        )


def check_evaluation_rate(recipe: Recipe) -> None:
    """Only a student's step size that was learned can stand in for the evaluation's learning rate."""
    if recipe.evaluation.lr is None and not isinstance(recipe.objective, Trajectory | Performance):
        raise invalid_combination(
            "evaluation.lr",
            f"The objective '{recipe.objective.kind}' learns no step size to evaluate with.",
            "Set evaluation.lr, for instance to 0.01.",
        )


def check_looks(recipe: Recipe) -> None:
    """Selecting an iterate needs iterates that were looked at."""
    if recipe.evaluation.select == "best_validation" and recipe.evaluation.look_every is None:
        raise invalid_combination(
            "evaluation.look_every",
            "Selecting on the validation split needs looks at it.",
            "Set evaluation.look_every to at least 1, or evaluation.select to 'last'.",
        )


CHECKS: Final[tuple[Callable[[Recipe], None], ...]] = (
    check_selection,
    check_update,
    check_tiles,
    check_generator,
    check_labels,
    check_targets,
    check_spanning,
    check_features,
    check_one_stage,
    check_sdc,
    check_memory,
    check_experts,
    check_probes,
    check_reach,
    check_stages,
    check_teacher,
    check_convolutions,
    check_norms,
    check_adjustment,
    check_clamp,
    check_order,
    check_relabel,
    check_steps,
    check_policy,
    check_cutmix,
    check_evaluation_rate,
    check_looks,
    check_precision,
    check_unseen,
)
