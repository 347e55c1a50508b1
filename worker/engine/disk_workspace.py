"""The workspace of an attempt on disk: the shared cache, the checkpoint's folder, the pictures and the channel."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from core.data.facts import Values
from core.engine.cache import Cache
from core.engine.crew import Crew
from core.engine.journal import Journal
from core.engine.stored import written
from core.engine.synthetic import SyntheticDataset
from core.files import write_atomic
from core.report import Pair
from worker.engine.pictures import Pictures

ASKED: Final = "It was asked for what there was by then."
"""Why a job ended early that a client asked to finish."""


@final
@dataclass(frozen=True)
class DiskWorkspace:
    """A `core.engine.workspace.Workspace` whose results other jobs share and whose checkpoint a later attempt reads."""

    journal: Journal
    cache: Cache
    folder: Path
    """Folder of the checkpoint."""
    interval: float
    should_stop: Callable[[], bool]
    pictures: Pictures | None = None
    time_left: Callable[[], float] = lambda: math.inf
    grace: Callable[[], float] = lambda: math.inf
    ending: Callable[[], str] = lambda: "Its time was up."
    networks: Callable[[int], int] = lambda asked: asked
    foresee: Callable[[str, float], None] = lambda phase, seconds: None
    spare: Callable[[], float] = lambda: math.inf
    lengthen: Callable[[str, float], None] = lambda phase, times: None
    crew: Crew | None = None
    fetch: Callable[[str], bool] = lambda name: False
    """Brings another worker's result into the cache; whether it did."""
    kept: Callable[[str], None] = lambda name: None
    """Told that a result is in the cache, for other workers."""
    timings: Path | None = None
    """Where the seconds by phase lie that the checkpoint took; a kill leaves no time to write them at the end."""

    def find(self, name: str) -> Path | None:
        """The file in the cache, which counts as used; one that another worker left is brought there."""
        path = self.cache.path(name)
        return path if path.exists() or self.fetch(name) else None

    def keep(self, name: str, content: bytes, beside: Collection[str] = ()) -> None:
        """Into the cache, which makes room for it and says so."""
        in_use = frozenset(map(self.cache.path, (name, *beside)))
        self.cache.write(self.cache.path(name), content, self.journal.log, keep=in_use)
        self.kept(name)

    def checkpoint(self, name: str) -> Path | None:
        """The file in the checkpoint's folder."""
        path = self.folder / name
        return path if path.exists() else None

    def store(self, name: str, content: bytes) -> None:
        """Write a file into the checkpoint's folder, and how long it took to come there."""
        write_atomic(self.folder / name, content)
        if self.timings is not None:
            write_atomic(self.timings, written(self.journal.taken()))

    def drop(self, name: str) -> None:
        """Delete a file of the checkpoint's folder, if it is there."""
        (self.folder / name).unlink(missing_ok=True)

    def preview(self, step: int, total: int, result: Callable[[], SyntheticDataset]) -> None:
        """A picture of the images, if it is time for one."""
        if self.pictures is not None:
            self.pictures.at(step, total, result)

    def show_neighbours(self, pixels: Values, real: Values, pairs: Sequence[Pair]) -> None:
        """A picture of them, for the job's owner alone."""
        if self.pictures is not None:
            self.pictures.neighbours(pixels, real, pairs)
