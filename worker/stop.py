"""Waiting for the operator's word to stop."""

from __future__ import annotations

import queue
import signal
from types import FrameType
from typing import final


@final
class Stopper:
    """Catches SIGTERM and SIGINT from its construction on; only the main thread may make one.

    What has to be done about them is done after `wait`, never in a signal handler: a handler that takes a lock can find
    it held by the very code it interrupted. Repeated signals change nothing, since one Ctrl-C reaches a process
    twice when its parent passes it on; stopping is bounded by STILLHOUSE_DRAIN_GRACE.
    """

    def __init__(self) -> None:
        self._told: queue.SimpleQueue[int] = queue.SimpleQueue()  # its put is safe inside a signal handler
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._tell)

    def wait(self) -> signal.Signals:
        """Blocks until the first of them arrives and says which."""
        return signal.Signals(self._told.get())

    def _tell(self, number: int, _: FrameType | None) -> None:
        self._told.put(number)
