"""The end of the time that a job may take: how much of it is left for distilling, by the forecast and by the clock."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Final, final

from core.durations import written
from core.engine.journal import Journal
from core.plan.phases import PHASES

_LEAST, _MOST = 0.7, 3.0  # times as long as foreseen that phases are taken to last, whatever was seen
_TELLING: Final = 5.0  # foreseen seconds before which what was seen says nothing
_SEEN: Final = 0.25  # share of a phase before which it says nothing: its first steps are its slowest
_MARGIN: Final = 1.1
_LEAVING: Final = 3.0  # seconds for the end of the process, and for its files to be stored
_FEWEST: Final = 2  # networks of which a spread can be told

_FEWER: Final = 0.6  # share of the networks of a line that judge on a machine that is slow, at least
_LINES: Final = 3  # lines of an evaluation that so many networks are trained for
_SPARE: Final = 0.2  # of a network, so that the last one is not lost by a second

_UNTOLD: Final = ("preparing", "evaluating", "publishing")
"""Phases of which it is not told how far they are by what they still cost."""

_AFTER: Final[Mapping[str, float]] = {"probing": 0.5, "distilling": 0.5, "relabelling": 1.0, "evaluating": 1.0}
"""The share of what is foreseen for a later phase that is kept free for it. Distilling is cut short more gladly than
never begun."""


def least_judging(seeds: int, rates: int) -> float:
    """The share of an evaluation's time that is kept free for it at least: so that three in five networks judge.

    Args:
        seeds: networks of each of the three lines; where they are two or fewer all of them judge.
        rates: learning rates that are tried for random images, by a network each.
    """
    if seeds <= _FEWEST:
        return 1.0
    fewest = max(_FEWEST, math.ceil(_FEWER * seeds)) + _SPARE
    return min(1.0, (_LINES * fewest + rates) / (_LINES * seeds + rates))


@final
class Deadline:
    """The time left of an attempt.

    What earlier attempts left in the checkpoint counts with the seconds that it took them; an attempt that finds no
    checkpoint has all the time anew. What is foreseen for the phases to come is corrected by what the phases so far
    took.
    """

    def __init__(
        self,
        seconds: float,
        foreseen: Mapping[str, float],
        journal: Journal,
        began: float,
        clock: Callable[[], float] = time.monotonic,
        reference: float = 0.0,
        judging: float = 1.0,
    ) -> None:
        """
        Args:
            seconds: the time that the job may take.
            foreseen: seconds by phase.
            journal: of the attempt; its seconds so far are those of earlier attempts.
            began: when the attempt did, by the clock.
            reference: seconds foreseen for the reference on the full training set, which a result can be without.
            judging: the share of the evaluation that is kept free on a machine that is slower than foreseen, so that
                networks are left out before there is less distilling (`least_judging`).
        """
        self._seconds, self._foreseen, self._journal, self._clock = seconds, foreseen, journal, clock
        self._began = began - sum(journal.seconds.values())
        self._reference, self._longer, self._least = reference, dict[str, float](), judging

    def time_left(self) -> float:
        """Seconds that the current phase may still take so that all that has to follow fits; never less than 0."""
        return max(0.0, self._left() - _MARGIN * self._to_come())

    def grace(self) -> float:
        """Seconds that are left for distilling after the current phase, if it goes on as it does; never less than 0."""
        now = self._journal.phase
        follow = self._need("relabelling") + self._judging()
        rest = 0.0 if now is None else self._need(now) * (1 - self._journal.share)
        return max(0.0, self._left() - _MARGIN * follow - rest)

    def spare(self) -> float:
        """Seconds of `time_left` that neither the reference nor any network that judges needs; never less than 0."""
        left_out = max(0.0, self._need("evaluating") - self._judging()) if self._journal.phase != "evaluating" else 0.0
        return max(0.0, self.time_left() - _MARGIN * (self._reference * self._pace() + left_out))

    def foresee(self, phase: str, seconds: float) -> None:
        """A phase to come takes so many seconds, unlike what was foreseen."""
        self._foreseen = {**self._foreseen, phase: seconds}

    def lengthen(self, phase: str, times: float) -> None:
        """So many times as much is done in a phase as was foreseen, which says nothing of the machine."""
        self._longer[phase] = times

    def networks(self, asked: int) -> int:
        """How many networks of a line can be judged in time, of so many; the first lines tell of those that follow."""
        journal = self._journal
        if journal.phase == "evaluating" and journal.share >= _SEEN:
            need = _MARGIN * journal.taken()["evaluating"] * (1 - journal.share) / journal.share
        else:
            need = _MARGIN * self._need("evaluating")
        share = self._left() / need if need else 1.0
        return asked if share >= 1 else max(min(asked, _FEWEST), math.floor(asked * share))

    def ending(self) -> str:
        """The sentence of the report."""
        return f"It was to end within {written(round(self._seconds))}."

    def _left(self) -> float:
        publishing = self._foreseen.get("publishing", 0.0)
        return self._seconds - (self._clock() - self._began) - publishing - _LEAVING

    def _to_come(self) -> float:
        """Seconds of what has to follow, of the current phase what is left of its lines."""
        now = self._journal.phase
        place = PHASES.index(now) if now in PHASES else 0
        needs = {"evaluating": self._judging()}
        after = sum(
            share * needs.get(phase, self._need(phase))
            for phase, share in _AFTER.items()
            if phase in PHASES[place + 1 :]
        )
        if now in ("relabelling", "evaluating"):
            after += max(0.0, self._need(now) - self._journal.taken()[now])
        return after

    def _need(self, phase: str) -> float:
        """Seconds that a phase is taken to last: as foreseen, corrected by its own work so far or by that of others."""
        return self._seconds_of(phase) * max(self._pace(), self._journal.ahead.get(phase, 0.0))

    def _judging(self) -> float:
        """Seconds to keep free for the evaluation to come."""
        need, foreseen = self._need("evaluating"), self._seconds_of("evaluating")
        return max(self._least * need, min(need, foreseen))

    def _pace(self) -> float:
        """How many times as long as foreseen the phases so far took, but for those that are not about computing."""
        taken, now = self._journal.taken(), self._journal.phase
        early = now if self._journal.share < _SEEN else None
        seen = [phase for phase in self._foreseen if phase in taken and phase not in (*_UNTOLD, early)]
        foreseen = sum(self._seconds_of(phase) * (self._journal.share if phase == now else 1.0) for phase in seen)
        if foreseen < _TELLING:
            return 1.0
        return min(_MOST, max(_LEAST, sum(taken[phase] for phase in seen) / foreseen))

    def _seconds_of(self, phase: str) -> float:
        """Seconds foreseen for all that is done in a phase."""
        return self._foreseen.get(phase, 0.0) * self._longer.get(phase, 1.0)
