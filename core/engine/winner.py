"""The winner of a race of candidates, as the steps after it need it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

from core.engine.context import JobContext
from core.engine.state import State
from core.engine.teacher import Teacher
from core.plan.race import Trial

Enough = Callable[[Sequence[Trial]], bool]
"""Whether the turns of a race so far suffice, so that there is no other."""


def never(trials: Sequence[Trial]) -> bool:
    """A race goes on until its time is over."""
    return False


@final
@dataclass(frozen=True)
class Winner:
    """The winner's job, its teacher, its best state, in words how that was chosen, and the turns of all."""

    context: JobContext
    taught: Teacher | None
    state: State
    selection: str
    trials: tuple[Trial, ...]
