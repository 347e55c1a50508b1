"""The limits that a dataset sets to a request: too few images, or images too small for what is asked."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from core.feasibility import (
    illegible,
    most_ipc,
    of_one_class,
    taken,
    too_many_labels,
    uncuttable,
    unsolvable,
    untileable,
)
from core.nouns import worded
from core.recipe import FieldError, Recipe, RecipeError, TwoLayer, Window
from core.recipe.checks.images import learns_step_size
from core.request import lab
from core.request.order import JobRequest
from core.suited import unsuited

if TYPE_CHECKING:
    from core.data import DatasetFacts

MAX_SYNTHETIC_IMAGES = 200_000


def check(recipe: Recipe, request: JobRequest, facts: DatasetFacts) -> None:
    """Refuse what only the dataset can tell to be impossible.

    Raises:
        RecipeError: the dataset is too small, or its images are.
    """
    if mismatched := lab.unfit(recipe, request.ipc, facts):
        raise RecipeError(mismatched)
    if isinstance(recipe.objective, TwoLayer):
        return
    unlike = unsuited(recipe, facts)
    errors = [
        *(_too_many_images(recipe, request, facts) or _beyond_the_class(recipe, request, facts)),
        *untileable(recipe, facts),
        *([] if unlike else illegible(recipe, facts)),
        *(
            _too_few_for_stages(recipe, request)
            or _too_many_rounds(recipe, request, facts)
            or [*_batch_too_large(recipe, request, facts), *_nothing_to_update(recipe, request, facts)]
        ),
        *of_one_class(facts),
        *_met_by_guessing(recipe, request, facts),
        *uncuttable(recipe, request.ipc, facts),
        *too_many_labels(recipe, request.ipc, facts),
        *unsolvable(recipe, request.ipc, facts),
    ]
    if unlike or errors:
        raise RecipeError([*unlike, *(_said(each, facts) for each in errors)])


def _said(error: FieldError, facts: DatasetFacts) -> FieldError:
    return FieldError(error.field, worded(error.message, facts.kind), worded(error.fix, facts.kind))


def _met_by_guessing(recipe: Recipe, request: JobRequest, facts: DatasetFacts) -> list[FieldError]:
    """A target that networks reach by naming one class alone, or any at random."""
    chance = 1 / facts.classes
    if request.target is None or not request.target.accuracy or request.target.accuracy > 1.01 * chance:
        return []
    of = "balanced accuracy" if recipe.evaluation.measure == "balanced" else "accuracy"
    return [
        FieldError(
            "target.accuracy",
            f"Guessing one of {facts.classes} classes has {100 * chance:.3g} % {of}: any set reaches "
            f"{100 * request.target.accuracy:.3g} %.",
            f"Set target.accuracy to at least {math.ceil(120 * chance) / 100:g}."
            if facts.classes > 2
            else "Set target.accuracy to at least 0.6.",
        )
    ]


def _too_many_images(recipe: Recipe, request: JobRequest, facts: DatasetFacts) -> list[FieldError]:
    each = recipe.parameterize.formation
    training, asked = request.ipc * each, f"{request.ipc}" if each == 1 else f"{request.ipc} x {each}"
    if not _holds(recipe, request.ipc, facts):
        told = f"The smallest class of '{facts.label}' has {facts.smallest_class} training images, fewer than {asked}."
        if recipe.share != "equal":
            told = f"In proportion, {asked} images a class are more of some class of '{facts.label}' than it has."
        most = next((ipc for ipc in range(most_ipc(recipe, facts) // each, 0, -1) if _holds(recipe, ipc, facts)), 0)
        return [
            FieldError("ipc", told, f"Set ipc to at most {most}." if most else "Set parameterize.kind to 'pixels'.")
        ]
    if training * facts.classes > MAX_SYNTHETIC_IMAGES:
        most = MAX_SYNTHETIC_IMAGES // (facts.classes * each)
        return [
            FieldError(
                "ipc",
                f"{asked} x {facts.classes} classes exceed the {MAX_SYNTHETIC_IMAGES:,} images of one result.",
                f"Set ipc to at most {most}.",
            )
        ]
    return []


def _holds(recipe: Recipe, ipc: int, facts: DatasetFacts) -> bool:
    """Whether each class has the images that are taken of it."""
    return all(count * recipe.parameterize.formation <= size for count, size in taken(recipe, ipc, facts))


def _beyond_the_class(recipe: Recipe, request: JobRequest, facts: DatasetFacts) -> list[FieldError]:
    """A window of as many images of each class that fits the smallest fits every other: a larger class has no fewer
    images behind its start.
    """
    window = recipe.init
    if not isinstance(window, Window) or window.beta == "auto":
        return []  # a sweep begins with the hardest images, and those are there

    def most(count: int, members: int) -> float:
        return math.floor(1000 * (members - count) / (members if window.of == "class" else count)) / 1000

    pairs = [pair for pair in taken(recipe, request.ipc, facts) if window.first_rank(*pair) + pair[0] > pair[1]]
    if not pairs:
        return []
    count, members = min(pairs, key=lambda pair: most(*pair))
    return [
        FieldError(
            "overrides.init.beta",
            f"A window of {count} images after the {window.first_rank(count, members)} hardest leaves "
            f"{'the smallest' if recipe.share == 'equal' else 'a'} class of '{facts.label}', which has {members}.",
            f"Set init.beta to at most {most(count, members):g}, or lower ipc.",
        )
    ]


def _batch_too_large(recipe: Recipe, request: JobRequest, facts: DatasetFacts) -> list[FieldError]:
    stages, batch = recipe.schedule.stages, getattr(recipe.objective, "batch_size", None)
    first = stages.split(request.ipc)[0] if recipe.rounds is None else recipe.rounds.made(request.ipc)
    images = first * facts.classes * recipe.parameterize.formation
    of = " of the first stage" if stages.count > 1 else " before its rounds of real images" if recipe.rounds else ""
    if batch is None or batch <= images:
        return []
    return [
        FieldError(
            "overrides.objective.batch_size",
            f"A student step of {batch} images exceeds the synthetic set{of} of {images}.",
            f"Set objective.batch_size to at most {images}, or to null.",
        )
    ]


def _too_few_for_stages(recipe: Recipe, request: JobRequest) -> list[FieldError]:
    count = recipe.schedule.stages.count
    if count <= request.ipc:
        return []
    return [
        FieldError(
            "overrides.schedule.stages.count",
            f"{request.ipc} image(s) per class are too few for {count} stages.",
            f"Set schedule.stages.count to at most {request.ipc}, or raise ipc.",
        )
    ]


def _too_many_rounds(recipe: Recipe, request: JobRequest, facts: DatasetFacts) -> list[FieldError]:
    """Rounds of which some would choose no image of any class."""
    if recipe.rounds is None:
        return []
    left = max(count - recipe.rounds.made(count) for count, _ in taken(recipe, request.ipc, facts))
    if recipe.rounds.count <= left:
        return []
    fewer = (
        f"Set rounds.count to at most {left}, or raise ipc." if left else "Set rounds to null, or ipc to at least 2."
    )
    return [
        FieldError(
            "overrides.rounds.count" if left else "overrides.rounds",
            f"{left} image(s) per class are left for {recipe.rounds.count} rounds.",
            fewer,
        )
    ]


def _nothing_to_update(recipe: Recipe, request: JobRequest, facts: DatasetFacts) -> list[FieldError]:
    """A share of few images may be none of them."""
    parameterize, stages = recipe.parameterize, recipe.schedule.stages
    fewest = stages.split(max(count for count, _ in taken(recipe, request.ipc, facts)))[-1]
    if recipe.objective.keeps_images or parameterize.optimised(fewest) or learns_step_size(recipe):
        return []
    of = "a stage's " if stages.count > 1 else ""
    return [
        FieldError(
            "overrides.parameterize.update",
            f"{parameterize.update:g} of {of}{fewest} images per class are none, and no step size is learned either.",
            f"Set parameterize.update to at least {math.ceil(1000 / fewest) / 1000:g}, or raise ipc.",
        )
    ]
