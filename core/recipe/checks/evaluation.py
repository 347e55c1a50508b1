"""The checks of the evaluation: its augmentation, its rate, and the iterate that it selects."""

from __future__ import annotations

from core.recipe.choices import Choices
from core.recipe.component import invalid_combination


def check_policy(recipe: Choices) -> None:
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


def check_cutmix(recipe: Choices) -> None:
    """Views whose labels are stored have been made: nothing mixes them any more."""
    if recipe.evaluation.cutmix is not None and recipe.relabel.of_views:
        raise invalid_combination(
            "evaluation.cutmix",
            "A teacher labels each view as it is, so that views cannot be mixed afterwards.",
            "Set evaluation.cutmix to null, or relabel.kind to 'soft' or 'keep'.",
        )


def check_evaluation_rate(recipe: Choices) -> None:
    """Only a student's step size that was learned can stand in for the evaluation's learning rate."""
    if recipe.evaluation.lr is None and not recipe.objective.unrolls:
        raise invalid_combination(
            "evaluation.lr",
            f"The objective '{recipe.objective.kind}' learns no step size to evaluate with.",
            "Set evaluation.lr, for instance to 0.01.",
        )


def check_looks(recipe: Choices) -> None:
    """Selecting an iterate needs iterates that were looked at."""
    if recipe.evaluation.select == "best_validation" and recipe.evaluation.look_every is None:
        raise invalid_combination(
            "evaluation.look_every",
            "Selecting on the validation split needs looks at it.",
            "Set evaluation.look_every to at least 1, or evaluation.select to 'last'.",
        )
