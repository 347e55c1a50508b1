"""The checks of real images that are chosen in rounds."""

from __future__ import annotations

from core.recipe.choices import Choices
from core.recipe.component import invalid_combination
from core.recipe.selection import Window


def check_rounds(recipe: Choices) -> None:
    """Images that a recipe makes and real ones of later rounds are to be of one kind, and labelled alike."""
    if recipe.rounds is None:
        return
    if recipe.objective.draws_images:
        raise invalid_combination(
            "rounds",
            "A generator draws as many images as are asked for: rounds of real ones have no place in its set.",
            "Set rounds to null.",
        )
    if recipe.schedule.stages.count > 1:
        raise invalid_combination(
            "rounds",
            "The stages of a curriculum fill a set by themselves.",
            "Set rounds to null, or schedule.stages.count to 1.",
        )
    if recipe.parameterize.formation > 1:
        raise invalid_combination(
            "rounds",
            "Whole real images do not go with tiles, several of which share a stored image.",
            "Set rounds to null, or parameterize.kind to 'pixels'.",
        )
    if recipe.parameterize.update < 1:
        raise invalid_combination(
            "rounds",
            "Rounds choose the part of a class that stays real: a partial update would choose another one.",
            "Set rounds to null, or parameterize.update to 1.",
        )
    if recipe.labels.learned or recipe.labels.regresses:
        raise invalid_combination(
            "rounds",
            f"Real images are taken with their classes, and have no labels of the kind '{recipe.labels.kind}'.",
            "Set rounds to null, or labels.kind to 'hard'.",
        )
    if isinstance(recipe.init, Window) and recipe.init.beta == "auto":
        raise invalid_combination(
            "rounds",
            "Windows are swept for whole sets, and this one is filled in rounds.",
            "Set rounds to null, or init.beta to 0.5.",
        )
