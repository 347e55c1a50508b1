"""A loop that goes on beyond the steps that were planned for its time, as long as there is more."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from typing import Final, final

from core.engine.context import JobContext
from core.engine.state import State
from core.engine.validation import Looks
from core.engine.workspace import TimeUp

_APART: Final = 3
"""The looks are so many parts of the planned steps apart."""


@final
class Beyond:
    """The steps beyond those planned. More are not always better (benchmarks/RESULTS.md: `mtt` on CIFAR-10).

    So the validation split looks at the state that was to be the last and at some that follow, and the best one of
    these is the result; a recipe that selects by looks of its own needs no others.
    """

    def __init__(self, context: JobContext) -> None:
        evaluation = context.recipe.evaluation
        looking = evaluation.model_copy(update={"look_every": 1, "select": "best_validation"})
        recipe = context.recipe.model_copy(update={"evaluation": looking})
        self._workspace, self._planned = context.workspace, context.recipe.schedule.total_steps
        self._selects = evaluation.select == "best_validation"
        self._looks = Looks(replace(context.hurried, recipe=recipe))
        self._next, self._cost = self._planned, 0.0

    def goes_on(self, state: State) -> bool:
        """Whether there is time for a step after one that was planned to be the last, or came after it.

        Raises:
            Drained: the attempt was told to stop during a look.
        """
        if self._workspace.spare() <= 0:
            return False
        if self._selects:
            return True
        is_last = self._workspace.spare() <= self._cost
        if state.step >= self._next or is_last:
            began = time.monotonic()
            with suppress(TimeUp):
                self._looks.at(state)
            self._next = state.step + max(1, self._planned // _APART)
            self._cost = time.monotonic() - began
        return not is_last and self._workspace.spare() > self._cost

    def best(self, last: State) -> tuple[State, str]:
        """The best of the states that were looked at, or the last one where none was, and in words that it is."""
        return self._looks.best(last)
