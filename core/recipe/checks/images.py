"""The checks of the synthetic images: how they begin, and whether anything moves them."""

from __future__ import annotations

from core.recipe.choices import Choices
from core.recipe.component import invalid_combination
from core.recipe.regression import Generated
from core.recipe.start import Crops, Mixed


def check_selection(recipe: Choices) -> None:
    """Where no image is optimised, nothing may be asked of steps that are not taken."""
    if recipe.objective.optimises_images:
        return
    if recipe.schedule.steps:
        raise invalid_combination(
            "schedule.steps",
            f"The objective '{recipe.objective.kind}' optimises no image, in {recipe.schedule.steps} steps or any.",
            "Set schedule.steps to 0, or objective.kind to 'trajectory'.",
        )
    for field in ("ema", "clip", "skip_above", "blend"):
        if getattr(recipe.schedule, field) is not None:
            raise invalid_combination(
                f"schedule.{field}",
                "This is about outer steps, of which none is taken.",
                f"Set schedule.{field} to null.",
            )
    if recipe.init.is_noise and recipe.objective.keeps_images:
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


def check_update(recipe: Choices) -> None:
    """Images that are left as they began have to be real, and something has to be left to learn."""
    update = recipe.parameterize.update
    if update == 1:
        return
    if not recipe.objective.optimises_images:
        raise invalid_combination(
            "parameterize.update",
            f"The objective '{recipe.objective.kind}' optimises no image, whatever its share.",
            "Set parameterize.update to 1, or objective.kind to 'distribution'.",
        )
    if recipe.init.is_noise:
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


def learns_step_size(recipe: Choices) -> bool:
    """Whether the student's step size moves."""
    return recipe.objective.unrolls and recipe.step_size.lr > 0


def check_tiles(recipe: Choices) -> None:
    """Tiles are enlarged where pixels are neighbours, and only they can hold smaller images."""
    tiles = recipe.parameterize.formation > 1
    if isinstance(recipe.init, Mixed) and not tiles:
        allowed = recipe.objective.optimises_images and not recipe.preprocess.mixes_pixels
        raise invalid_combination(
            "init.kind",
            "Without tiles there is nothing to put several real images into.",
            "Set init.kind to 'real'" + (", or parameterize.kind to 'tiles'." if allowed else "."),
        )
    if tiles and recipe.preprocess.mixes_pixels:
        raise invalid_combination(
            "preprocess.kind",
            "Whitened pixels mix the whole image: a tile of them is no image that could be enlarged.",
            "Set preprocess.kind to 'mean_std', or parameterize.kind to 'pixels'.",
        )
    if tiles and not recipe.objective.optimises_images:
        raise invalid_combination(
            "parameterize.kind",
            f"The objective '{recipe.objective.kind}' optimises no tiles: they would be mere parts of whole images.",
            "Set parameterize.kind to 'pixels', or objective.kind to 'distribution'.",
        )


def check_blend(recipe: Choices) -> None:
    """Images go back to what they began as only where that is worth something, and once for all of them."""
    if recipe.schedule.blend is None:
        return
    if recipe.init.is_noise:
        raise invalid_combination(
            "schedule.blend",
            "Blended with the initial images, these would become noise again.",
            "Set schedule.blend to null, or init.kind to 'real'.",
        )
    if recipe.schedule.stages.count > 1:
        raise invalid_combination(
            "schedule.blend",
            "The images of a stage begin as the stage before left them, and would be blended with that.",
            "Set schedule.blend to null, or schedule.stages.count to 1.",
        )


def check_pairs(recipe: Choices) -> None:
    """Pairs are of tiles, and of the real images that these were made of."""
    if not recipe.objective.pairs_images:
        return
    tiles, init = recipe.parameterize, recipe.init
    if tiles.formation == 1:
        raise invalid_combination(
            "parameterize.kind",
            f"The objective '{recipe.objective.kind}' gives tiles back what they lost when they were made small: whole "
            "images have lost nothing.",
            "Set parameterize.kind to 'tiles', or objective.kind to 'distribution'.",
        )
    if not init.tiles_images:
        raise invalid_combination(
            "init.kind",
            f"Tiles are paired with the real images that they were made of, and '{init.kind}' makes none of any.",
            "Set init.kind to 'mixed', or objective.kind to 'distribution'.",
        )
    if isinstance(init, Crops) and init.factor != tiles.factor:
        raise invalid_combination(
            "init.factor",
            f"Images of {init.factor} x {init.factor} parts cannot be paired with {tiles.factor} x {tiles.factor} "
            "tiles.",
            f"Set init.factor to {tiles.factor}.",
        )


def check_generator(recipe: Choices) -> None:
    """A generator is led from noise, and asks for no other start."""
    if recipe.objective.draws_images and not recipe.init.is_noise:
        raise invalid_combination(
            "init.kind",
            f"A generator draws images from noise: what '{recipe.init.kind}' gives would go unused.",
            "Set init.kind to 'noise', or objective.kind to 'distribution'.",
        )
