"""Leaps of the ledger's clock past this process's own, as of a machine that slept or whose time was set."""

from __future__ import annotations

from datetime import datetime
from typing import final


@final
class Leaps:
    """Compares two clocks from look to look. After a leap holders of leases need a moment to say that they are there.

    The own clock is `time.monotonic()`, which stands still while a machine sleeps.
    """

    def __init__(self, least: float, wait: float) -> None:
        """
        Args:
            least: seconds by which the clocks part that are a leap.
            wait: seconds after one, by the own clock, in which no lease is judged.
        """
        self._least = least
        self._wait = wait
        self._seen: tuple[datetime, float] | None = None
        self._until = float("-inf")

    def settled(self, told: datetime, own: float) -> bool:
        """Whether leases can be judged now, where the ledger's clock says `told` and the own one `own` seconds."""
        if self._seen is not None:
            before, then = self._seen
            if (told - before).total_seconds() - (own - then) > self._least:
                self._until = own + self._wait
        self._seen = told, own
        return own >= self._until
