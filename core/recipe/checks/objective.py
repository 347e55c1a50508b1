"""The checks of an objective, and of the steps and stages that it is followed in."""

from __future__ import annotations

from core.recipe.choices import Choices
from core.recipe.component import invalid_combination
from core.recipe.objective import Trajectory
from core.recipe.statistics import Statistics


def check_labels(recipe: Choices) -> None:
    """Labels are learned only where a loss on them is differentiated."""
    if recipe.labels.learned and not recipe.labels.regresses and not recipe.objective.label_gradient:
        raise invalid_combination(
            "labels.kind",
            f"The objective '{recipe.objective.kind}' has no gradient for labels.",
            "Set labels.kind to 'hard', or objective.kind to 'trajectory', 'gradient' or 'performance'.",
        )


def check_sdc(recipe: Choices) -> None:
    """Difficulty is the gradient of a student that is trained or compared."""
    if recipe.sdc is not None and not recipe.objective.matches_gradients:
        raise invalid_combination(
            "sdc",
            f"The objective '{recipe.objective.kind}' matches no gradients that could be penalised.",
            "Set sdc to null, or objective.kind to 'trajectory' or 'gradient'.",
        )
    if recipe.sdc is not None and recipe.sdc.steps != "mean" and not recipe.objective.unrolls:
        raise invalid_combination(
            "sdc.steps",
            "The gradients that are matched are one of each class: there are no student steps to choose from.",
            "Set sdc.steps to 'mean'.",
        )


def check_memory(recipe: Choices) -> None:
    """A choice of memory needs student steps that are differentiated: theirs is kept or computed again."""
    if recipe.schedule.memory != "auto" and not recipe.objective.unrolls:
        raise invalid_combination(
            "schedule.memory",
            f"The objective '{recipe.objective.kind}' unrolls no student steps whose memory could be kept.",
            "Set schedule.memory to 'auto', or objective.kind to 'trajectory' or 'performance'.",
        )


def check_steps(recipe: Choices) -> None:
    """An objective needs steps to be followed in."""
    if recipe.objective.optimises_images and recipe.schedule.steps == 0:
        raise invalid_combination(
            "schedule.steps",
            f"Zero steps leave the objective '{recipe.objective.kind}' unused.",
            "Set schedule.steps to at least 1, or ask for method 'random'.",
        )


def check_stages(recipe: Choices) -> None:
    """The settings of each stage have to be of use to its objective."""
    stages, objective = recipe.schedule.stages, recipe.objective
    if not objective.optimises_images and stages.count > 1:
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


def check_share(recipe: Choices) -> None:
    """Parts of a set that are worked on side by side have to be of equal size."""
    if recipe.share == "equal":
        return
    others = "'random', 'k-means', 'dm', 'mtt' and 'frepo' take any"
    if recipe.schedule.stages.count > 1:
        raise invalid_combination(
            "share",
            f"Each class has images in every stage of a curriculum, which few do not fill; {others}.",
            "Set share to 'equal', or schedule.stages.count to 1.",
        )
    if isinstance(recipe.objective, Statistics) and recipe.objective.group != "whole":
        raise invalid_combination(
            "share",
            f"Groups of images whose statistics are matched side by side have to be of one size; {others}.",
            "Set share to 'equal', or objective.group to 'whole'.",
        )
