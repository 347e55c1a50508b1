"""The steps of a job that distils a regression memory: points, labels, and students that judge them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from core.plan.phases import Phase
from core.recipe import Recipe, TwoLayer


@final
@dataclass(frozen=True)
class MatchGradients:
    """The points: one pass over the real samples for their targets' linear part, and one a round for gradients."""

    phase: ClassVar[Phase] = "distilling"
    rounds: int


@final
@dataclass(frozen=True)
class MatchPerformance:
    """The labels, best in the mean for so many students."""

    phase: ClassVar[Phase] = "relabelling"
    students: int


@final
@dataclass(frozen=True)
class JudgeStudents:
    """So many students of fresh seeds, and all that they are compared with."""

    phase: ClassVar[Phase] = "evaluating"
    students: int


TwoLayerStep = MatchGradients | MatchPerformance | JudgeStudents


def two_layer_steps(recipe: Recipe) -> tuple[TwoLayerStep, ...]:
    """The steps of a recipe with this objective."""
    choice = recipe.objective
    assert isinstance(choice, TwoLayer), "other objectives have other steps"
    return MatchGradients(choice.rounds), MatchPerformance(choice.students), JudgeStudents(recipe.evaluation.seeds)
