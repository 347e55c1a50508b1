"""The choices that a regression cannot be combined with, each refused with its fix."""

from __future__ import annotations

from core.recipe.choices import Choices
from core.recipe.component import invalid_combination
from core.recipe.regression import Generated, Solved, Spanning, Targets


def check_targets(recipe: Choices) -> None:
    """Targets are learned where they are regressed on."""
    if recipe.labels.learned and recipe.labels.regresses and not recipe.objective.regresses:
        raise invalid_combination(
            "labels.kind",
            f"The objective '{recipe.objective.kind}' regresses on no targets that could be learned.",
            "Set labels.kind to 'solved', or objective.kind to 'regression'.",
        )


def check_spanning(recipe: Choices) -> None:
    """Images span a classifier only as long as nothing moves them, and only for the labels solved for it."""
    if not isinstance(recipe.init, Spanning):
        return
    if not recipe.objective.keeps_images:
        raise invalid_combination(
            "init.kind",
            "Outer steps would move the images away from the classifier that they span.",
            "Set init.kind to 'real'.",
        )
    if not isinstance(recipe.labels, Solved):
        raise invalid_combination(
            "labels.kind",
            "Images whose pixels span a classifier need the labels that give it back.",
            "Set labels.kind to 'solved', or init.kind to 'real'.",
        )
    if recipe.labels.features != "pixels":
        raise invalid_combination(
            "labels.features",
            "The classifier that the images span is one of pixels.",
            "Set labels.features to 'pixels', or init.kind to 'real'.",
        )
    if recipe.labels.ridge != recipe.init.ridge:
        raise invalid_combination(
            "labels.ridge",
            f"The images span the classifier of another penalty, {recipe.init.ridge:g}.",
            f"Set labels.ridge to {recipe.init.ridge}, or init.kind to 'real'.",
        )
    if recipe.labels.support is not None:
        raise invalid_combination(
            "labels.support",
            "The images span the classifier of all real images, and not of some.",
            "Set labels.support to null, or init.kind to 'real'.",
        )


def check_features(recipe: Choices) -> None:
    """A feature of an image is its own."""
    networks = isinstance(recipe.labels, Solved) and recipe.labels.features == "networks"
    asked = isinstance(recipe.labels, Targets) or recipe.objective.regresses
    if (networks or asked or isinstance(recipe.init, Generated)) and recipe.network.norm == "batch":
        raise invalid_combination(
            "network.norm",
            "Under batch norm an image's features depend on the batch: no regression can be solved for them.",
            "Set network.norm to 'instance'.",
        )


def check_one_stage(recipe: Choices) -> None:
    """A regression is on a whole set."""
    if (recipe.regresses or recipe.objective.regresses) and recipe.schedule.stages.count > 1:
        raise invalid_combination(
            "schedule.stages.count",
            "A regression is solved on the whole set: what is right for a subset is not right for the next one.",
            "Set schedule.stages.count to 1.",
        )
