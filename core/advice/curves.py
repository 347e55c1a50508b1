"""Learning curves through a few measured sizes, with their uncertainty: many curves, each as likely as the others.

Between two sizes a curve is interpolated, monotone in the logarithm of the size (Fritsch & Carlson 1980, through an
isotonic regression of the means); beyond the largest one it goes on as error = c + a n^-b (Cortes et al. 1993; Viering
& Loog, "The Shape of Learning Curves", TPAMI 2023, call it POW3), with c anywhere between nothing and nearly all of the
last error, since a few points cannot tell a curve that flattens from one that falls on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from core.advice.measured import Point

Floats = NDArray[np.float64]

LEVEL: Final = 0.8
"""Share of the results that lie within an interval."""
DRAWS: Final = 400
FURTHER: Final = 2
"""Times the largest measured size up to which a curve of real images is continued."""
LEAST: Final = 3
"""Sizes that make a curve, at two networks each."""

_GRID = 160
_TRUSTED = 4  # degrees of freedom that a size's own spread is weighed against the spread of all
_FLOOR = 0.002  # of a standard deviation: a few networks that happen to agree are not certain
_TAIL = 4  # sizes that say how a curve goes on


@final
@dataclass(frozen=True)
class Curve:
    """Curves [DRAWS, G] of the accuracy of a mean network over numbers of images a class, `sizes` [G].

    `spread` [G] is the standard deviation of a single network's accuracy.
    """

    sizes: Floats
    draws: Floats
    spread: Floats
    measured: int
    """The largest size that was measured."""

    @property
    def last(self) -> int:
        """The largest size the curve says something about."""
        return int(self.sizes[-1])

    def at(self, ipc: float) -> Floats:
        """The accuracy [DRAWS] with so many images a class."""
        place = np.log(ipc)
        logs = np.log(self.sizes)
        right = int(np.clip(np.searchsorted(logs, place), 1, len(logs) - 1))
        share = np.clip((place - logs[right - 1]) / (logs[right] - logs[right - 1]), 0, 1)
        found: Floats = (1 - share) * self.draws[:, right - 1] + share * self.draws[:, right]
        return found

    def deviation(self, ipc: float) -> float:
        """The standard deviation of a single network's accuracy there."""
        return float(np.interp(np.log(ipc), np.log(self.sizes), self.spread))

    def needed(self, accuracy: Floats) -> Floats:
        """Images a class [DRAWS] with which each curve reaches its `accuracy` [DRAWS]; inf where it does not."""
        reached = self.draws >= accuracy[:, None]
        first = reached.argmax(1)
        before, logs, rows = np.maximum(first - 1, 0), np.log(self.sizes), np.arange(len(first))
        low, high = self.draws[rows, before], self.draws[rows, first]
        share = np.where(high > low, (accuracy - low) / np.where(high > low, high - low, 1), 1.0).clip(0, 1)
        sizes = np.exp(logs[before] + share * (logs[first] - logs[before]))
        return np.where(reached.any(1), sizes, np.inf)


def fit(points: Sequence[Point], most: int, rng: np.random.Generator) -> Curve | None:
    """The curves of random real images, of which a class has `most`; None where too few sizes were measured."""
    points = [each for each in points if len(each.accuracies) > 1]
    if len(points) < LEAST:
        return None
    sizes = np.array([each.ipc for each in points], float)
    means = np.array([np.mean(each.accuracies) for each in points])
    deviations, freedom = spreads(points)
    each = deviations / np.sqrt([len(point.accuracies) for point in points])
    drawn = means + each * _students(rng, freedom, len(points))
    drawn = np.stack([_isotonic(row, 1 / each**2) for row in drawn])
    largest, last = int(sizes[-1]), min(most, FURTHER * int(sizes[-1]))
    grid = np.unique(np.concatenate([np.geomspace(1, last, _GRID), sizes, [last]]))
    grid = grid[grid >= sizes[0]]
    within = grid <= largest
    draws = np.hstack([_interpolated(sizes, drawn, grid[within]), _continued(sizes, drawn, grid[~within], rng)])
    spread = np.interp(np.log(grid), np.log(sizes), deviations)
    return Curve(grid, draws.clip(0, 1), spread, largest)


def spreads(points: Sequence[Point]) -> tuple[Floats, int]:
    """The standard deviation of a network's accuracy at each point, and the degrees of freedom behind them.

    A few networks say little of their own spread: it is drawn towards a line through those of all points, since the
    spread falls as images become more.
    """
    counts = np.array([len(each.accuracies) for each in points])
    own = np.array([np.var(each.accuracies, ddof=1) for each in points]) + _FLOOR**2
    logs = np.log([each.ipc for each in points])
    line = np.full(len(points), np.log(own.mean()))
    if len(set(logs)) > 2:
        slope, start = np.polyfit(logs, np.log(own), 1, w=np.sqrt(counts - 1))
        line = start + slope * logs
        line += np.log(np.average(own / np.exp(line), weights=counts - 1))
    freedom = counts - 1
    variances = (_TRUSTED * np.exp(line) + freedom * own) / (_TRUSTED + freedom)
    return np.sqrt(variances), int(freedom.sum())


def logit(accuracy: Floats) -> Floats:
    """Log odds, kept finite."""
    kept = accuracy.clip(1e-3, 1 - 1e-3)
    odds: Floats = np.log(kept / (1 - kept))
    return odds


def expit(odds: Floats) -> Floats:
    """The accuracy of log odds."""
    return 1 / (1 + np.exp(-odds))


def interval(values: Floats) -> tuple[float, float, float]:
    """Median and ends of the interval that holds LEVEL of the values; an infinite one stays infinite."""
    tail = (1 - LEVEL) / 2
    ordered = np.sort(values)
    low, middle, high = (float(ordered[int(share * (len(ordered) - 1))]) for share in (tail, 0.5, 1 - tail))
    return middle, low, high


def _students(rng: np.random.Generator, freedom: int, width: int) -> Floats:
    """Draws [DRAWS, width] of Student's t; those of a row share the error of the estimated spread."""
    scale = np.sqrt(freedom / rng.chisquare(freedom, DRAWS))
    found: Floats = rng.standard_normal((DRAWS, width)) * scale[:, None]
    return found


def _isotonic(row: Floats, weights: Floats) -> Floats:
    from scipy.optimize import isotonic_regression  # here, since it takes a while to import

    found: Floats = isotonic_regression(row, weights=weights).x
    return found


def _interpolated(sizes: Floats, drawn: Floats, grid: Floats) -> Floats:
    from scipy.interpolate import PchipInterpolator

    found: Floats = PchipInterpolator(np.log(sizes), drawn, axis=1)(np.log(grid))
    return found


def _continued(sizes: Floats, drawn: Floats, grid: Floats, rng: np.random.Generator) -> Floats:
    """Each curve beyond the last size: error = c + (last - c) (n / largest)^-b, b from the last few sizes given c."""
    errors = (1 - drawn[:, -_TAIL:]).clip(1e-4)
    floor = rng.uniform(0, 0.9, (len(drawn), 1)) * errors[:, -1:]
    logs = np.log(sizes[-_TAIL:])
    centred = logs - logs.mean()
    slope = -(np.log(errors - floor) @ centred) / (centred @ centred)
    powers = (grid[None, :] / sizes[-1]) ** -slope.clip(0, 2)[:, None]
    beyond: Floats = 1 - (floor + (errors[:, -1:] - floor) * powers)
    return beyond
