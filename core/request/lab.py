"""The limits of regressions: a formula is distilled by the lab's method alone, and that distils nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from core.data.multi_index import EXAMPLE
from core.recipe import FieldError, Recipe, TwoLayer

if TYPE_CHECKING:
    from core.data import DatasetFacts
    from core.request.order import JobOrder

METHOD: Final = "progressive-two-layer"
"""The method for regressions."""

MOST_POINTS: Final = 1024
"""Points of a regression memory, at most."""


def unordered(order: JobOrder, facts: DatasetFacts) -> list[FieldError]:
    """Why an order is none on a formula, whose size is a number of points."""
    if facts.source != "formula":
        return _classes(facts) if order.method == METHOD else []
    told = f"'{facts.name}' is a regression: its target is a number, and nothing has classes."
    if order.method != METHOD:
        return [FieldError("method", f"{told} '{order.method}' tells classes apart.", f"Set method to '{METHOD}'.")]
    given = [name for name in ("ratio", "bytes", "target", "continue_from") if name in order.model_fields_set]
    found = [FieldError(name, told, "Say 'ipc', the number of points, in its place.") for name in given]
    if order.share != "equal":
        found.append(FieldError("share", told, "Leave it out."))
    return found


def unfit(recipe: Recipe, ipc: int, facts: DatasetFacts) -> list[FieldError]:
    """Why a recipe is none for the dataset: one of the two is a regression and the other is not."""
    formula, lab = facts.source == "formula", isinstance(recipe.objective, TwoLayer)
    if lab and not formula:
        return _classes(facts)
    if formula and not lab:
        told = f"'{facts.name}' is a regression, and the objective '{recipe.objective.kind}' tells classes apart."
        return [FieldError("method", told, f"Set method to '{METHOD}', and leave objective.kind out.")]
    if formula and ipc > MOST_POINTS:
        told = f"{ipc:,} points are more than the {MOST_POINTS:,} of one memory."
        return [FieldError("ipc", told, f"Set ipc to at most {MOST_POINTS}.")]
    return []


def _classes(facts: DatasetFacts) -> list[FieldError]:
    told = f"It distils regressions of few directions, and the examples of '{facts.label}' have classes."
    return [FieldError("method", told, f"Take a dataset such as '{EXAMPLE}', or method 'auto'.")]
