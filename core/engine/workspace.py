"""The surroundings of a job: a cache of results, a checkpoint, a journal, and the word to stop."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol, final

from core.data.facts import Values
from core.engine.crew import Crew
from core.engine.journal import Journal
from core.engine.stored import Source
from core.engine.synthetic import SyntheticDataset
from core.report import Pair


class Drained(Exception):
    """Told to stop, and did, with everything in the checkpoint."""


class TimeUp(Exception):
    """Work was left because the job is to end with what it has (`JobContext.hurried`)."""


class PartMade(Exception):
    """The results that alone were to be made are made and kept (`JobContext.only`)."""


class Workspace(Protocol):
    """Where a job keeps what it made, says how far it is, and hears that it is to stop.

    Results have names that say all that their content depends on (`core.plan.cache_names.file_name`), so that jobs may
    share them. A checkpoint's files belong to one job; a later run of it finds them and goes on from there.
    """

    @property
    def journal(self) -> Journal:
        """Told everything that a reader of the job may want to know."""

    @property
    def interval(self) -> float:
        """Seconds between two checkpoints of work that takes long."""

    @property
    def crew(self) -> Crew | None:
        """Others who can make parts of the job's results; None where it is alone."""

    def find(self, name: str) -> Source | None:
        """The result of that name, which counts as used; None where there is none."""

    def keep(self, name: str, content: bytes, beside: Collection[str] = ()) -> None:
        """Keep a result, whole or not at all; those `beside` it are in use, and do not make room for it."""

    def checkpoint(self, name: str) -> Source | None:
        """A file of the checkpoint; None where there is none."""

    def store(self, name: str, content: bytes) -> None:
        """Write a file of the checkpoint, whole or not at all."""

    def drop(self, name: str) -> None:
        """Delete a file of the checkpoint, if it is there."""

    def should_stop(self) -> bool:
        """Whether the job is to leave everything in its checkpoint and end."""

    def time_left(self) -> float:
        """Seconds that distilling may still take; 0 once the job is to end with the best that it has, and from then on.

        Then only what a result cannot be without is still done: its labels, and the lines of its evaluation.
        """

    def grace(self) -> float:
        """Seconds that distilling would have after the work at hand, which it needs to begin; 0 if that is futile."""

    def spare(self) -> float:
        """Seconds of `time_left` that are for nothing else, the reference on the full training set included."""

    def lengthen(self, phase: str, times: float) -> None:
        """So many times as much is done in a phase as was planned, since there is time for it."""

    def foresee(self, phase: str, seconds: float) -> None:
        """A phase to come takes so many seconds, unlike what was foreseen, since its images are more or fewer."""

    def networks(self, asked: int) -> int:
        """How many networks of each line of the evaluation there is time for, of so many; at least two."""

    def ending(self) -> str:
        """Why there is no time left: a sentence for the report."""

    def preview(self, step: int, total: int, result: Callable[[], SyntheticDataset]) -> None:
        """Show the images as they are after a step, if they are to be watched; `result` makes them."""

    def show_neighbours(self, pixels: Values, real: Values, pairs: Sequence[Pair]) -> None:
        """Show images [n, C, H, W] beside the nearest of `real` [N, C, H, W], as the report pairs them."""


@final
@dataclass(frozen=True)
class InMemory:
    """A workspace that writes no file: what it keeps ends with the process."""

    journal: Journal = field(default_factory=Journal)
    results: dict[str, bytes] = field(default_factory=dict)
    checkpoints: dict[str, bytes] = field(default_factory=dict)
    interval: float = math.inf
    should_stop: Callable[[], bool] = lambda: False
    time_left: Callable[[], float] = lambda: math.inf
    grace: Callable[[], float] = lambda: math.inf
    ending: Callable[[], str] = lambda: "Its time was up."
    networks: Callable[[int], int] = lambda asked: asked
    foresee: Callable[[str, float], None] = lambda phase, seconds: None
    spare: Callable[[], float] = lambda: math.inf
    lengthen: Callable[[str, float], None] = lambda phase, times: None
    crew: Crew | None = None

    def find(self, name: str) -> Source | None:
        """The method of `Workspace`, like all that follow."""
        return self.results.get(name)

    def keep(self, name: str, content: bytes, beside: Collection[str] = ()) -> None:
        """Nothing makes room for it."""
        self.results[name] = content

    def checkpoint(self, name: str) -> Source | None:
        """For a second run in the same workspace."""
        return self.checkpoints.get(name)

    def store(self, name: str, content: bytes) -> None:
        """In memory."""
        self.checkpoints[name] = content

    def drop(self, name: str) -> None:
        """From memory."""
        self.checkpoints.pop(name, None)

    def preview(self, step: int, total: int, result: Callable[[], SyntheticDataset]) -> None:
        """Nobody watches."""

    def show_neighbours(self, pixels: Values, real: Values, pairs: Sequence[Pair]) -> None:
        """Nobody watches."""
