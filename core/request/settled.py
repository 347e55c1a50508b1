"""The request and the recipe that an order means on a dataset."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from core import methods
from core.durations import seconds_of
from core.methods.automatic import WITHIN, candidates_own
from core.overrides import override
from core.recipe import FieldError, Recipe, RecipeError, SoftLabels
from core.request.limits import check
from core.request.order import MOST_IPC, Asked, JobOrder, JobRequest
from core.weight import bytes_of, ipc_within

if TYPE_CHECKING:
    from core.data import DatasetFacts


def settle(order: JobOrder, facts: DatasetFacts) -> JobRequest:
    """The request an order means on a dataset: `ratio` becomes the ipc it is there, rounded, and at least 1, and
    `bytes` the most that fits.

    All spellings are the same request from here on, with the same fingerprint and the same artifact. A dataset that is
    known but not on disk is counted as published.

    Raises:
        RecipeError: the bytes do not hold one image per class, the ratio is of too many, or an override is wrong.
    """
    ipc = order.ipc or max(1, round(order.ratio * facts.smallest_class))
    if order.bytes:
        ipc = min(MOST_IPC, ipc_within(bytes_of(order.bytes), facts, lambda ipc: _heaviest(order, ipc, facts)))
    if ipc > MOST_IPC:
        told = f"That is {ipc:,} images per class, and {MOST_IPC:,} may be asked for."
        most = math.floor(1e6 * MOST_IPC / facts.smallest_class) / 1e6
        raise RecipeError([FieldError("ratio", told, f"Set ratio to at most {most:g}.")])
    within = seconds_of(order.within) if order.within else WITHIN if order.method == methods.AUTO else 0
    asked = order.model_dump(exclude={"ratio", "bytes", "metadata"})
    return JobRequest.model_validate(asked | {"ipc": ipc, "within": within})


def resolve(request: JobRequest, facts: DatasetFacts) -> Recipe:
    """The complete recipe of a request on a dataset.

    Raises:
        methods.UnknownMethod: with the closest name.
        RecipeError: an override is unknown, out of range or meaningless, or the dataset is too small for the ipc.
    """
    if request.method == methods.AUTO and (own := candidates_own(request.overrides)):
        raise RecipeError(own)
    recipe = _recipe(request, request.ipc, facts)
    check(recipe, request, facts)
    return recipe


def _heaviest(order: JobOrder, ipc: int, facts: DatasetFacts) -> Recipe:
    """The recipe of so many images per class; where soft labels may be chosen, with such labels."""
    recipe = _recipe(order, ipc, facts)
    return recipe if order.labels == "hard" else recipe.model_copy(update={"relabel": SoftLabels()})


def _recipe(asked: Asked, ipc: int, facts: DatasetFacts) -> Recipe:
    """The recipe of so many images per class, whether or not the dataset has them."""
    method = methods.method(asked.method)
    task = methods.Task(asked.dataset, ipc, facts.shape, facts.classes, facts.mirroring.allowed, facts.unequal)
    recipe = override(method.recipe(task), asked.overrides)
    return override(recipe, {f"evaluation.{path}": value for path, value in asked.evaluation.items()}, prefix="")
