"""A part of a workspace: the cache of all, a checkpoint of its own, and a limit after which it says to stop."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, final

from core.data.facts import Values
from core.engine.crew import Crew
from core.engine.journal import Journal
from core.engine.stored import Source
from core.engine.synthetic import SyntheticDataset
from core.engine.workspace import Workspace
from core.report import Pair

_PASSED_ON = "log"


@final
@dataclass(frozen=True)
class Lane:
    """A `Workspace` within another one, for one of several recipes that a job works on in turns.

    Of what it hears, only lines of the log reach the job's journal, with the lane's name before them: phases and curves
    are those of the job.
    """

    whole: Workspace
    name: str
    is_over: Callable[[], bool]
    """Whether the turn has ended; the lane then says to stop, as the whole workspace does when the job is to."""
    journal: Journal
    left: Callable[[], float] = lambda: math.inf
    """Seconds that distilling may still take; by default a turn that is over is gone on with later."""
    crew: Crew | None = None
    """By default nobody: candidates have their turns by what they take here, and none is to be helped in one."""

    @classmethod
    def of(
        cls,
        whole: Workspace,
        name: str,
        is_over: Callable[[], bool],
        left: Callable[[], float] = lambda: math.inf,
    ) -> Lane:
        """The lane of a name."""

        def say(message: dict[str, Any]) -> None:
            if message["type"] == _PASSED_ON:
                whole.journal.log(f"{name}: {message['message']}", message["level"])

        return cls(whole, name, is_over, Journal(say), left)

    @property
    def interval(self) -> float:
        """The method of `Workspace`, like all that follow."""
        return self.whole.interval

    def find(self, name: str) -> Source | None:
        """The result in the cache of all."""
        return self.whole.find(name)

    def keep(self, name: str, content: bytes, beside: Collection[str] = ()) -> None:
        """In the cache of all."""
        self.whole.keep(name, content, beside)

    def checkpoint(self, name: str) -> Source | None:
        """A file of this lane."""
        return self.whole.checkpoint(f"{self.name}-{name}")

    def store(self, name: str, content: bytes) -> None:
        """A file of this lane."""
        self.whole.store(f"{self.name}-{name}", content)

    def drop(self, name: str) -> None:
        """A file of this lane."""
        self.whole.drop(f"{self.name}-{name}")

    def should_stop(self) -> bool:
        """Once the job is to stop, or the turn is over."""
        return self.whole.should_stop() or self.is_over()

    def time_left(self) -> float:
        """Those of the lane."""
        return self.left()

    def grace(self) -> float:
        """Those of the lane: a turn is given to what may come too late."""
        return self.left()

    def spare(self) -> float:
        """A turn has its end."""
        return 0.0

    def lengthen(self, phase: str, times: float) -> None:
        """Phases are those of the job."""

    def foresee(self, phase: str, seconds: float) -> None:
        """A lane evaluates nothing."""

    def networks(self, asked: int) -> int:
        """Never asked for."""
        return asked

    def ending(self) -> str:
        """Never asked for."""
        return self.whole.ending()

    def preview(self, step: int, total: int, result: Callable[[], SyntheticDataset]) -> None:
        """Several recipes' images in turns would be no picture of a job."""

    def show_neighbours(self, pixels: Values, real: Values, pairs: Sequence[Pair]) -> None:
        """None are looked for."""
