"""The limits of a regression on a dataset: sets and images it cannot be solved for, as memory does not hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.layers import least_side, reads
from core.recipe import FieldError, Generated, Recipe, RecipeError, Regression, Solved

if TYPE_CHECKING:
    from core.data import DatasetFacts

MAX_IMAGES = 8192
"""Synthetic images of which every two are compared: half a gigabyte of float64."""
MAX_PIXELS = 4096
"""Pixels of which every two are compared."""


def unsolvable(recipe: Recipe, ipc: int, facts: DatasetFacts) -> list[FieldError]:
    """Why the recipe's regression cannot be solved for so many images a class, with what to do about it."""
    if not recipe.regresses and not isinstance(recipe.objective, Regression):
        return []
    images, pixels = (
        ipc * facts.classes * recipe.parameterize.formation,
        facts.shape[0] * facts.shape[1] * facts.shape[2],
    )
    errors = []
    if images > MAX_IMAGES:
        most = MAX_IMAGES // (facts.classes * recipe.parameterize.formation)
        told = f"{images:,} images would be compared two by two, which takes more memory than there is for it."
        fix = f"Set ipc to at most {most}." if most else "Take method 'random'."
        errors.append(FieldError("ipc", told, fix))
    if isinstance(recipe.labels, Solved) and recipe.labels.features == "pixels" and pixels > MAX_PIXELS:
        told = f"{pixels:,} values of an image would be compared two by two, more than the {MAX_PIXELS:,} that fit."
        fix = "Take method 'random', or a dataset of smaller images."
        errors.append(FieldError("overrides.labels.features", told, fix))
    return errors


def source(recipe: Recipe) -> str | None:
    """The other dataset that a recipe's generator is meta-trained on, if there is one."""
    return recipe.init.source if isinstance(recipe.init, Generated) else None


def sourced(recipe: Recipe, origin: DatasetFacts, facts: DatasetFacts) -> Recipe:
    """The recipe with name and digest of its generator's source, so that another source is another request.

    Raises:
        RecipeError: the source has other channels than the dataset or images too small for the network that is to
            learn from both, or is not the one the recipe names.
    """
    assert isinstance(recipe.init, Generated), "a recipe that names a source has a generator"
    if origin.shape[0] != facts.shape[0]:
        told = f"A generator for images of {origin.shape[0]} channels cannot be adapted to images of {facts.shape[0]}."
        fix = "Name a source with as many channels, or set init.source to null to meta-train on the dataset itself."
        raise RecipeError([FieldError("overrides.init.source", told, fix)])
    if not reads(recipe.network, origin.shape):
        side, least = min(origin.shape[1:]), least_side(recipe.network, origin.shape[0])
        told = f"The network reads images of at least {least} pixels, and those of '{origin.label}' have {side}."
        fix = "Name a source of larger images, or set init.source to null to meta-train on the dataset itself."
        raise RecipeError([FieldError("overrides.init.source", told, fix)])
    if recipe.init.digest not in (None, origin.digest):
        told = f"The source '{origin.label}' is another one by now: {origin.digest}."
        fix = "Put the file back that this digest was taken of, or leave the digest out."
        raise RecipeError([FieldError("overrides.init.digest", told, fix)])
    named = recipe.init.model_copy(update={"source": origin.name, "digest": origin.digest})
    return recipe.model_copy(update={"init": named})
