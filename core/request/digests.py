"""The digests of files beside a dataset that a recipe reads, so that other files are another request."""

from __future__ import annotations

from core.recipe import CScore, FieldError, Generated, Recipe, RecipeError, Scored


def needs_c_scores(recipe: Recipe) -> bool:
    """Whether images are ranked by the C-scores given beside the dataset."""
    return isinstance(recipe.init, Scored) and isinstance(recipe.init.score, CScore)


def scored(recipe: Recipe, digest: str) -> Recipe:
    """The recipe with the digest of the C-scores it ranks by, so that other scores are another request.

    Raises:
        RecipeError: it names others.
    """
    assert isinstance(recipe.init, Scored), "needs_c_scores says so"
    assert isinstance(recipe.init.score, CScore), "needs_c_scores says so"
    if recipe.init.score.digest not in (None, digest):
        raise RecipeError(
            [
                FieldError(
                    "overrides.init.score.digest",
                    f"The C-scores beside the dataset are others: {digest}.",
                    "Put the file back that this digest was taken of, or leave the digest out.",
                )
            ]
        )
    score = recipe.init.score.model_copy(update={"digest": digest})
    return recipe.model_copy(update={"init": recipe.init.model_copy(update={"score": score})})


def with_digests_of(recipe: Recipe, other: Recipe) -> Recipe:
    """Another recipe of the same request, with the digests that were filled in when it was submitted."""
    init = other.init
    if isinstance(recipe.init, Generated) and isinstance(init, Generated):
        init = init.model_copy(update={"digest": recipe.init.digest})
    elif needs_c_scores(recipe) and isinstance(recipe.init, Scored):
        init = init.model_copy(update={"score": recipe.init.score})
    return other.model_copy(update={"init": init})
