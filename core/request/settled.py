"""The request and the recipe that an order means on a dataset."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from core import methods
from core.durations import seconds_of
from core.feasibility import most_ipc
from core.methods.automatic import WITHIN, candidates_own
from core.overrides import override
from core.recipe import FieldError, KeepLabels, Recipe, RecipeError, SoftLabels, Targets, Trajectory
from core.request import lab
from core.request.limits import MAX_SYNTHETIC_IMAGES, check
from core.request.order import MOST_IPC, Asked, JobOrder, JobRequest
from core.weight import Changes, bytes_of, fitted

if TYPE_CHECKING:
    from core.data import DatasetFacts


BEGIN: Final = 10
"""Images a class from which the size that reaches a target is looked for, where nobody knows better."""


def settle(order: JobOrder, facts: DatasetFacts) -> JobRequest:
    """The request an order means on a dataset: `ratio` becomes the ipc it is there, rounded, and at least 1, and
    `bytes` the most that fits, with the overrides that store it in so few; a `target` stays, and has the ipc from which
    its size is looked for. `share` becomes an override.

    All spellings are the same request from here on, with the same fingerprint and the same artifact. A dataset that is
    known but not on disk is counted as published.

    Raises:
        RecipeError: the bytes do not hold one image per class, the ratio is of too many, or an override is wrong.
    """
    if errors := lab.unordered(order, facts):
        raise RecipeError(errors)
    if order.share != "equal":
        order = order.model_copy(update={"overrides": order.overrides | {"share": order.share}})
    whole = facts.mean_class if order.overrides.get("share", "equal") != "equal" else facts.smallest_class
    aims = "target" in order.model_fields_set
    ipc, overrides = order.ipc or max(1, round(order.ratio * whole)), order.overrides
    if aims:
        one = _recipe(order, 1, facts)
        ipc = max(1, min(BEGIN, most_ipc(one, facts) // one.parameterize.formation))
    if order.bytes:
        ipc, overrides = _within(order, facts)
    if ipc > MOST_IPC:
        told = f"That is {ipc:,} images per class, and {MOST_IPC:,} may be asked for."
        most = math.floor(1e6 * MOST_IPC / whole) / 1e6
        raise RecipeError([FieldError("ratio", told, f"Set ratio to at most {most:g}.")])
    within = seconds_of(order.within) if order.within else WITHIN if aims or order.method == methods.AUTO else 0
    beside = {"metadata", "webhook", "priority", "runs_on"}
    asked = order.model_dump(exclude={"ratio", "bytes", "target", "share", *beside})
    settled = {"ipc": ipc, "within": within, "overrides": overrides, "target": order.target if aims else None}
    return JobRequest.model_validate(asked | settled)


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


def _within(order: JobOrder, facts: DatasetFacts) -> tuple[int, Changes]:
    """The images per class that so many bytes hold, and the overrides that store them so; the client's come first."""
    for path in ("storage", "storage.kind"):
        if order.overrides.get(path, "compact") != "compact":
            told = "A set of so many bytes is stored as 'compact'."
            raise RecipeError([FieldError(f"overrides.{path}", told, "Leave it out.")])

    def changed(ipc: int, changes: Changes) -> tuple[Recipe, ...]:
        recipe = _recipe(order.model_copy(update={"overrides": changes | order.overrides}), ipc, facts)
        return winners(recipe, soft=order.labels == "soft") if order.method == methods.AUTO else (recipe,)

    most = min(MOST_IPC, MAX_SYNTHETIC_IMAGES // facts.classes)
    found = fitted(bytes_of(order.bytes), facts, changed, most)
    return found.ipc, found.changes | order.overrides


def winners(recipe: Recipe, *, soft: bool) -> tuple[Recipe, ...]:
    """The recipe with all that a search's result may have beside images: a step size, and each kind of soft labels."""
    learned = recipe.model_copy(update={"objective": Trajectory()})
    if not soft:
        return (learned,)
    taught = learned if recipe.relabel.needs_teacher else learned.model_copy(update={"relabel": SoftLabels()})
    return taught, learned.model_copy(update={"labels": Targets(), "relabel": KeepLabels()})


def recipe_of(request: JobRequest, facts: DatasetFacts) -> Recipe:
    """The recipe of a request, whether or not the dataset allows it.

    Raises:
        RecipeError: an override is unknown, out of range or meaningless.
    """
    return _recipe(request, request.ipc, facts)


def _recipe(asked: Asked, ipc: int, facts: DatasetFacts) -> Recipe:
    """The recipe of so many images per class, whether or not the dataset has them."""
    method = methods.method(asked.method)
    task = replace(methods.Task.of(facts, ipc), dataset=asked.dataset)
    recipe = override(method.recipe(task), asked.overrides)
    return override(recipe, {f"evaluation.{path}": value for path, value in asked.evaluation.items()}, prefix="")
