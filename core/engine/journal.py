"""The messages of a job on its way, at a bearable rate: its phases, how far they are, its curves, and lines to read."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, final

_INTERVAL = 0.25  # seconds between two progress messages of a phase


@final
class Journal:
    """Says where a job is. `phase` is the one it is in, `seconds` what each phase took so far.

    Every message is handed to `say`: `type` is "progress", "metric" or "log", and the rest is as those methods have it.
    """

    def __init__(self, say: Callable[[dict[str, Any]], None] = lambda message: None) -> None:
        self.say = say
        self.phase = "preparing"
        self.seconds: dict[str, float] = {}
        self.share = 0.0
        """The share of the phase that is done."""
        self.ahead: dict[str, float] = {}
        """How many times as long as foreseen it took to do what a later phase does, where some of that was done."""
        self._curves: list[dict[str, Any]] = []
        self._entered = self._spoke = self._first = time.monotonic()
        self._first_done: float | None = None

    def enter(self, phase: str, total: int, skipped: int = 0) -> None:
        """A phase begins; `total` is how much there is to do in it, `skipped` how much of that was there before."""
        self.leave()
        self.phase = phase
        self._entered = time.monotonic()
        self._first_done, self.share = None, 0.0
        self._say_progress(0, total, None, skipped=skipped)

    def leave(self) -> None:
        """Add the time since the last `enter` to the current phase."""
        now = time.monotonic()
        self.seconds[self.phase] = self.seconds.get(self.phase, 0.0) + now - self._entered
        self._entered = now

    def progress(self, done: float, total: int) -> None:
        """How much of the phase is done, parts of a unit included: the estimate needs them, what is told is whole.

        The estimate counts from the first call, so that resuming does not mislead it.
        """
        now, self.share = time.monotonic(), done / max(1, total)
        if self._first_done is None:
            self._first, self._first_done = now, done
        if now - self._spoke < _INTERVAL and done < total:
            return
        fresh = done - self._first_done
        eta = (now - self._first) / fresh * (total - done) if fresh else None
        self._say_progress(int(done), total, eta)

    def taken(self) -> dict[str, float]:
        """Seconds by phase, those of the current one so far included."""
        current = self.seconds.get(self.phase, 0.0) + time.monotonic() - self._entered
        return {**self.seconds, self.phase: current}

    def metric(self, name: str, step: int, value: float) -> None:
        """One point of a curve, sent and kept for the artifact."""
        seconds = round(self.taken()[self.phase], 3)
        self._curves.append({"step": step, "seconds": seconds, "name": name, "value": value})
        self.say({"type": "metric", "name": name, "step": step, "value": value})

    def recall(self, curves: list[dict[str, Any]]) -> None:
        """Points that an earlier attempt already sent."""
        self._curves = [*curves, *self._curves]

    def curves(self) -> list[dict[str, Any]]:
        """Every point of every curve so far, with the seconds its phase had taken."""
        return list(self._curves)

    def log(self, message: str, level: str = "info") -> None:
        """One line for the person who reads the job's events."""
        self.say({"type": "log", "level": level, "message": message})

    def _say_progress(self, done: int, total: int, eta: float | None, **more: int) -> None:
        self._spoke = time.monotonic()
        self.say({"type": "progress", "phase": self.phase, "done": done, "total": total, "eta_seconds": eta, **more})
