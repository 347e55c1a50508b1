"""The student of a job that looks for its size by a method of a name, and the largest size that can be judged."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Final

from core import methods
from core.budget.fit import Price, TooShort, differences, fit
from core.budget.student import RANDOM, WINNING, Student, bare, epochs_of, judged, sharing, task
from core.data import DatasetFacts
from core.plan.race import Candidate
from core.recipe import Recipe

_EVALUATING: Final = 0.5
"""Share of the time that evaluating the largest size may take."""


def named(
    name: str,
    recipe: Recipe,
    facts: DatasetFacts,
    ipc: int,
    seconds: float,
    price: Price,
    fixed: Collection[str] = (),
) -> Student:
    """The same as `student` of a method that was asked for by its name, whose `recipe` this is: it races alone.

    Raises:
        TooShort: it cannot end in that time; its fix names one in which it can.
    """
    try:
        narrow = fit(recipe, facts, ipc, WINNING * seconds, price, fixed)
    except TooShort as error:
        raise TooShort(seconds, error.least / WINNING, error.ipc) from None
    shared = sharing(methods.method(RANDOM).recipe(task(facts, ipc)), narrow.recipe, facts, ipc, fixed)
    asked = shared.evaluation.model_copy(update={"full": recipe.evaluation.full})
    dear = [Candidate(name=name, recipe=narrow.recipe)]
    found = judged(shared.model_copy(update={"evaluation": asked}), dear, facts, ipc, seconds, price, fixed)
    return replace(found, given_up=differences(recipe, _judged_as(narrow.recipe, found.recipe, fixed)))


def _judged_as(recipe: Recipe, shared: Recipe, fixed: Collection[str]) -> Recipe:
    """The recipe of the method with the network that all share, and as much of an evaluation as there is time for."""
    asked = shared.evaluation
    fewer = {"seeds": asked.seeds, "epochs": epochs_of(recipe, shared, fixed), "full": asked.full}
    evaluation = recipe.evaluation.model_copy(update=fewer)
    return recipe.model_copy(update={"network": shared.network, "evaluation": evaluation})


def reach(shared: Student, begin: int, most: int, seconds: float, price_at: Callable[[int], Price]) -> int:
    """The largest ipc, up to `most`, whose evaluation ends in half of the time, by the prices of each ipc.

    That of `begin`, to which the recipe was fitted, does. How much of it there is time for, the search sees on its way.
    """
    recipe = bare(shared.recipe)
    low, high, enough = begin, most + 1, max(_EVALUATING * seconds, price_at(begin)(recipe))
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if price_at(middle)(recipe) <= enough else (low, middle)
    return low
