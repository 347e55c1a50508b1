"""Sums over the chunks of a dataset that is generated: nothing of it is ever kept, and a sweep resumes to the bit."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from core.data.multi_index import MultiIndex
from core.engine.stored import Source
from core.engine.workspace import Drained, Workspace

Floats = NDArray[np.floating[Any]]
Arrays = dict[str, NDArray[Any]]
Add = Callable[[int, Floats, Floats, Arrays], None]
"""Adds a chunk of a place, inputs [m, d] and targets [m], to the sums."""

_PLACE = "_place"  # of the next chunk


@final
@dataclass(frozen=True)
class Sweeper:
    """Goes through the training samples of a dataset in a workspace."""

    task: MultiIndex
    workspace: Workspace
    tick: Callable[[], None]
    """Told of each chunk."""

    def sums(self, name: str, zeros: Arrays, add: Add) -> Arrays:
        """The sums over all chunks; over those so far once the job is to end with what it has.

        Raises:
            Drained: the workspace said to stop; the sums so far are in its checkpoint.
        """
        file = f"{name}.safetensors"
        found = restored(self.workspace.checkpoint(file))
        sums = found if found is not None else {**zeros, _PLACE: np.zeros(1, np.int64)}
        first, kept = int(sums[_PLACE][0]), time.monotonic()
        for _ in range(first):
            self.tick()
        for place, (x, y) in enumerate(self.task.chunks("train", first), first):
            if place and self.workspace.time_left() <= 0:
                break
            if self.workspace.should_stop():
                self.workspace.store(file, safetensors.numpy.save(sums))
                raise Drained
            add(place, x, y, sums)
            sums[_PLACE] = np.full(1, place + 1, np.int64)
            if time.monotonic() - kept >= self.workspace.interval:
                self.workspace.store(file, safetensors.numpy.save(sums))
                kept = time.monotonic()
            self.tick()
        self.workspace.store(file, safetensors.numpy.save(sums))
        return sums


def restored(source: Source | None) -> Arrays | None:
    """The arrays of a checkpoint's file; None where there is none, or nothing legible."""
    if source is None:
        return None
    try:
        return safetensors.numpy.load(source if isinstance(source, bytes) else source.read_bytes())
    except (OSError, safetensors.SafetensorError):
        return None
