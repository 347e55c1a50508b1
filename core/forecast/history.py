"""The lessons of past jobs for a forecast: the model's error on this hardware, and what they left in the cache.

The ratio of actual to predicted seconds is taken as log-normal. Three jobs of the same method correct the model by
their median and say how much they scatter; three of any method say how far the model may be off; before that a factor
of two is assumed. Intervals hold four jobs out of five.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, final

from core.forecast.identity import ResultNames, every_step
from core.plan.steps import Plan, TrainExperts, keys
from core.worth import quantile

LEVEL: Final = 0.8
ENOUGH: Final = 3
ASSUMED: Final = math.log(2)

_UPPER: Final = (1 + LEVEL) / 2
_LEAST: Final = math.log(1.05)
_KEPT: Final = ("training_experts", "training_generator", "selecting", "probing")  # they say how much was there
_SHORT: Final = 1.0  # seconds: whole jobs that are shorter say nothing about a calibration
_NEGLIGIBLE: Final = 0.05  # seconds: shorter phases say nothing about the model


@final
@dataclass(frozen=True)
class Past:
    """A job that succeeded at its first attempt: seconds by phase, as predicted for what it really did and as taken."""

    job_id: str
    method: str
    predicted: Mapping[str, float]
    actual: Mapping[str, float]
    leaves: ResultNames


class Interval(NamedTuple):
    """Factors on a prediction: the likeliest, and the bounds of the interval."""

    expected: float
    low: float
    high: float


def read(
    job_id: str,
    method: str,
    forecast: Mapping[str, Any],
    progress: Mapping[str, Any],
    prices: Mapping[str, float] | None = None,
) -> Past:
    """A past job from the forecast it was given and the progress it ended with.

    What was there before it began (experts in the cache) is taken off the prediction.

    Args:
        prices: seconds by phase for an empty cache by another calibration than the forecast's, by which the job is to
            be compared; a phase that is missing there says nothing any more.
    """
    predicted, actual = {}, {}
    for name, phase in (progress.get("phases") or {}).items():
        estimate = (forecast.get("phases") or {}).get(name)
        if estimate is None:
            continue
        skipped, total = phase.get("skipped") or 0, phase.get("total") or 0
        left = 1 - skipped / total if total else 1.0
        # Only of what networks each leave for themselves is it known afterwards how much of it was there.
        whole = estimate["uncached"] if name in _KEPT else estimate["model"]
        planned = (forecast.get("within") or {}).get("steps")
        if name == "distilling" and planned:  # it ended early, or went on while there was time
            left = (phase.get("done") or planned) / planned
        if prices is not None:
            whole *= prices.get(name, 0.0) / (estimate["uncached"] or math.inf)
        predicted[name], actual[name] = whole * left, float(phase.get("seconds") or 0)
    return Past(job_id, method, predicted, actual, ResultNames.model_validate(forecast.get("leaves") or {}))


def of_phase(past: Sequence[Past], method: str, phase: str) -> Interval:
    """How the seconds of a phase relate to the model's."""
    ratios = [(job.method, job.predicted.get(phase, 0.0), job.actual.get(phase, 0.0)) for job in past]
    telling = [(name, math.log(a / p)) for name, p, a in ratios if min(p, a) > _NEGLIGIBLE]
    return _interval([r for name, r in telling if name == method], [r for _, r in telling])


def of_total(past: Sequence[Past], method: str, corrections: Mapping[str, float]) -> Interval:
    """How the seconds of whole jobs relate to the model's, after each phase has been corrected."""
    same, every = [], []
    for job in past:
        predicted = sum(seconds * corrections.get(phase, 1.0) for phase, seconds in job.predicted.items())
        actual = sum(job.actual.values())
        if min(predicted, actual) > _NEGLIGIBLE:
            every.append(math.log(actual / predicted))
            same += every[-1:] if job.method == method else []
    found = _interval([], same if len(same) >= ENOUGH else every)
    return Interval(1.0, found.low, found.high)


def off(past: Sequence[Past]) -> float | None:
    """How many times as long as predicted jobs took in the median, or as short; None where too few say anything."""
    both = [(sum(job.predicted.values()), sum(job.actual.values())) for job in past]
    telling = [abs(math.log(actual / predicted)) for predicted, actual in both if min(predicted, actual) > _SHORT]
    return math.exp(statistics.median(telling)) if len(telling) >= ENOUGH else None


def there(past: Sequence[Past], plan: Plan, leaves: ResultNames) -> tuple[frozenset[str], tuple[str, ...]]:
    """The keys of results that earlier jobs on this hardware have left and this one can use, and which jobs those were.

    Where a search is there, so are the experts of its choice.
    """
    wanted, found, makers = {key for step in every_step(plan) for key in keys(step)}, set[str](), list[str]()
    for job in past:
        useful = job.leaves.keys(leaves) & wanted
        if useful - found:
            makers.append(job.job_id)
        found |= useful
    if leaves.search in found:
        found |= {key for step in every_step(plan) if isinstance(step, TrainExperts) for key in keys(step)}
    return frozenset(found), tuple(makers)


def _interval(same: Sequence[float], every: Sequence[float]) -> Interval:
    """The interval of a ratio, from logarithms of past ratios."""
    if len(same) >= ENOUGH:
        n, middle = len(same), statistics.median(same)
        half = max(quantile(n - 1, _UPPER) * statistics.stdev(same) * math.sqrt(1 + 1 / n), _LEAST)
        return Interval(math.exp(middle), math.exp(middle - half), math.exp(middle + half))
    half = ASSUMED
    if len(every) >= ENOUGH:
        n = len(every)
        half = max(quantile(n, _UPPER) * math.sqrt(math.fsum(r * r for r in every) / n), _LEAST)
    return Interval(1.0, math.exp(-half), math.exp(half))
