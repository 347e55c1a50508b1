"""How long an engine has said nothing, and from when on that means that it stands still."""

from __future__ import annotations

from typing import Final, final

_TIMES: Final = 10
"""How many times as long as ever before in a phase an engine may say nothing in it."""


@final
class Silence:
    """Listens for an engine's words. Times are those of `time.monotonic()`, in seconds."""

    def __init__(self, least: float, now: float) -> None:
        """
        Args:
            least: seconds that any engine may say nothing.
        """
        self._least = least
        self._heard = now
        self._phase: str | None = None
        self._longest = 0.0

    def hear(self, now: float, phase: str | None = None) -> None:
        """A word has come; of a phase's progress, if one is given."""
        if phase is not None and phase != self._phase:
            self._phase, self._longest = phase, 0.0
        else:
            self._longest = max(self._longest, now - self._heard)
        self._heard = now

    def too_long(self, now: float) -> bool:
        """Whether an engine that computes would have said something by now."""
        return now - self._heard > max(self._least, _TIMES * self._longest)
