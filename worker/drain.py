"""The word to stop: taken from the operator's signals, waited for by everything that works."""

from __future__ import annotations

import signal
import time
from typing import Final, final

_TICK: Final = 0.2
"""Seconds within which a waiter notices."""


@final
class Drain:
    """A flag that may be raised anywhere, even inside a signal handler.

    A `threading.Event` may not: its lock can be held by the very code that the handler interrupted, be it an earlier
    call of the same handler; and a thread that is just about to block may sleep through a signal. So there is no lock
    here, and waiting is looking again and again.
    """

    def __init__(self) -> None:
        self._raised = False

    def set(self) -> None:
        """Raises it, for good."""
        self._raised = True

    def is_set(self) -> bool:
        """Whether it has been raised."""
        return self._raised

    def wait(self, seconds: float = float("inf")) -> bool:
        """Waits for it that long; says whether it has been raised."""
        deadline = time.monotonic() + seconds
        while not self._raised and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, _TICK))
        return self._raised

    def on_signals(self) -> None:
        """Lets SIGTERM and SIGINT raise it, in place of what they did; only the main thread may ask for that.

        Repeated signals change nothing, since one Ctrl-C reaches a process twice when its parent passes it on. How
        long stopping takes is bounded by STILLHOUSE_DRAIN_GRACE.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.set())
