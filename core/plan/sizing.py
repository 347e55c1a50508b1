"""A search for the smallest set that reaches a target as data, and its decisions: which size is tried next, how long.

Each size is a small race of candidates under a share of the time, judged on the validation split. Sizes are tried from
where the search begins, along the line that accuracies make in log odds over the logarithm of the size, until the
smallest size that reached the target and the largest that did not are close to each other. Of the rest of the time half
is for the largest size that did not reach it, since more time may, and what is left then for the result.

The next trial follows from those so far and from nothing else, so that a search that was interrupted goes on to equal
decisions.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol, final

from pydantic import BaseModel, ConfigDict, Field

from core.plan.race import Entrants
from core.worth import Interval

SEARCHING: Final = 0.6
"""Share of the time in which sizes are tried; the rest is for longer trials of the two that matter."""
EACH: Final = 0.1
"""Share of the time that the trial of a size may take."""
SCOUTING: Final = 0.25
"""The same while no trial has told which of the distilled candidates lead: then all of them take part."""
CLOSE: Final = 1.2
"""Times the largest size that missed the target beyond which a size that reached it is not yet close."""
LEAP: Final = 4
"""Times by which the next size may be larger or smaller, at most, before the target is between two sizes."""

_SLOPE: Final = 0.5  # log odds by the logarithm of the size, where nothing was measured
_LEAST_SLOPE, _MOST_SLOPE = 0.2, 2.0
_SHORTEST: Final = 0.02  # share of the time that is not worth another trial


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


@final
class Sizing(_Frozen):
    """The question: an accuracy, or a share of the gap, and where it may be answered."""

    accuracy: float = 0.0
    gap: float = 0.0
    begin: int = Field(ge=1, description="Images a class that are tried first.")
    largest: int = Field(ge=1, description="The largest size that can be judged in time.")
    seconds: float = Field(gt=0, description="Of the whole search.")

    def level(self, random: float, full: float) -> float:
        """The validation accuracy to reach where random images reach `random` and the whole set `full`."""
        return self.accuracy or random + self.gap * max(0.0, full - random)


class Sizes(Protocol):
    """The candidates of a size, and the cost of its evaluation."""

    def __call__(self, ipc: int, seconds: float, names: Sequence[str], /) -> Entrants:
        """Those of so many images a class that race within so many seconds; of some names, if there are any."""

    def evaluating(self, ipc: int, /) -> float:
        """Seconds of the evaluation of so many images a class, but for the reference."""


@final
class Attempt(_Frozen):
    """A trial of a size: the best set of its race."""

    ipc: int
    longer: int = Field(default=0, description="How many trials of this size there were before.")
    seconds: float
    level: float = Field(description="Validation accuracy that was to be reached.")
    method: str = ""
    real: bool = Field(default=False, description="Whether the set is of real images.")
    validation: tuple[float, ...] = ()
    random: tuple[float, ...] = ()
    ranking: tuple[str, ...] = Field(default=(), description="Distilled candidates, the best first.")

    @property
    def mean(self) -> float:
        """Mean validation accuracy; nothing is below that of a size without a set."""
        return statistics.fmean(self.validation) if self.validation else float("-inf")

    @property
    def reached(self) -> bool:
        """Whether the target was."""
        return self.mean >= self.level

    @property
    def interval(self) -> Interval:
        """The 95 % interval of the mean over networks."""
        spread = statistics.stdev(self.validation) if len(self.validation) > 1 else None
        return Interval.over(self.mean, spread, len(self.validation))


@final
class Probe(NamedTuple):
    """A size that is to be tried for so many seconds."""

    ipc: int
    seconds: float
    longer: int


def next_probe(asked: Sizing, tried: Sequence[Attempt]) -> Probe | None:
    """The trial after those that were made; None where the search is over."""
    left = asked.seconds - sum(each.seconds for each in tried)
    if tried and left < _SHORTEST * asked.seconds:
        return None
    spent = asked.seconds - left
    if spent < SEARCHING * asked.seconds and (size := _next_size(asked, tried)) is not None:
        share = EACH if any(each.ranking for each in tried) else SCOUTING
        return Probe(size, min(left, share * asked.seconds), 0)
    low, high = bracket(tried)
    if high is None:  # nothing reached it: the rest is for what came nearest
        size = tried[best(tried)].ipc
        return None if _trials(tried, size) > 1 else Probe(size, left, _trials(tried, size))
    if low is not None and _trials(tried, low) == 1:
        return Probe(low, left / 2, 1)
    return Probe(high, left, _trials(tried, high)) if _trials(tried, high) == 1 else None


def bracket(tried: Sequence[Attempt]) -> tuple[int | None, int | None]:
    """The largest size that missed the target, below the smallest that reached it; and that one."""
    high = min((each.ipc for each in tried if each.reached), default=None)
    reached = {each.ipc for each in tried if each.reached}
    missed = (each.ipc for each in tried if each.ipc not in reached and (high is None or each.ipc < high))
    return max(missed, default=None), high


def best(tried: Sequence[Attempt]) -> int:
    """The place of the result: the smallest size that reached the target, and its best set; without one the best set.

    Of equals it is the first.
    """
    if any(each.reached for each in tried):
        return min((place for place, each in enumerate(tried) if each.reached), key=lambda at: _order(tried, at))
    return max(range(len(tried)), key=lambda at: (tried[at].mean, -at))


def needed(tried: Sequence[Attempt]) -> tuple[float, float, float] | None:
    """Images a class that would reach the target by the sizes tried: expected, and the interval of 80 %.

    None where they do not tell: fewer than two sizes, or no rise from one to the other.
    """
    judged = [each for each in tried if each.validation]
    if len({each.ipc for each in judged}) < 2:
        return None
    slope, start = _line(judged)
    if slope is None:
        return None
    level = judged[-1].level
    expected = (_odds(level) - start) / slope
    rest = [_odds(each.mean) - start - slope * math.log(each.ipc) for each in judged]
    error = max(0.1, math.sqrt(sum(each * each for each in rest) / max(1, len(rest) - 2)))
    near = min(abs(expected - math.log(each.ipc)) for each in judged)
    reach = 1.28 * error * (1 + near) / slope
    return tuple(math.exp(max(0.0, min(20.0, at))) for at in (expected, expected - reach, expected + reach))  # type: ignore[return-value]


def _order(tried: Sequence[Attempt], at: int) -> tuple[int, float, int]:
    return tried[at].ipc, -tried[at].mean, at


def _trials(tried: Sequence[Attempt], ipc: int) -> int:
    return sum(each.ipc == ipc for each in tried)


def _next_size(asked: Sizing, tried: Sequence[Attempt]) -> int | None:
    """The size that tells most; None where two are close enough, or no other one is left."""
    if not tried:
        return min(asked.begin, asked.largest)
    low, high = bracket(tried)
    low = low or 0
    if high is not None and (high <= low + 1 or (low and high <= CLOSE * low)):
        return None
    aimed = _crossing(tried)
    if high is None:
        if low >= asked.largest:
            return None
        return min(asked.largest, max(low + 1, _clipped(aimed, 1.3 * low, LEAP * low)))
    if not low:
        return max(1, min(high - 1, _clipped(aimed, high / LEAP, high / 1.3)))
    return max(low + 1, min(high - 1, _clipped(aimed, low * CLOSE**0.5, high / CLOSE**0.5)))


def _crossing(tried: Sequence[Attempt]) -> float:
    """The size at which the accuracies tried would be the target's, along the two nearest sizes."""
    judged = [each for each in tried if each.validation]
    if not judged:
        return math.inf
    level = judged[-1].level
    low, high = bracket(judged)
    ends = [each for each in judged if each.ipc in (low, high)]
    slope, start = _line(ends if len({each.ipc for each in ends}) > 1 else judged)
    if slope is None:
        last = judged[-1]
        slope, start = _SLOPE, _odds(last.mean) - _SLOPE * math.log(last.ipc)
    return math.exp(max(-1.0, min(20.0, (_odds(level) - start) / slope)))


def _line(judged: Sequence[Attempt]) -> tuple[float | None, float]:
    """Slope and start of log odds over the logarithm of the size, least squares; no slope without a rise."""
    places, odds = [math.log(each.ipc) for each in judged], [_odds(each.mean) for each in judged]
    if len(set(places)) < 2:
        return None, 0.0
    slope, start = statistics.linear_regression(places, odds)
    if slope <= 0:
        return None, 0.0
    kept = min(_MOST_SLOPE, max(_LEAST_SLOPE, slope))
    return kept, start if kept == slope else statistics.fmean(odds) - kept * statistics.fmean(places)


def _odds(accuracy: float) -> float:
    kept = min(0.999, max(0.001, accuracy))
    return math.log(kept / (1 - kept))


def _clipped(size: float, low: float, high: float) -> int:
    return round(min(max(size, low), high))
