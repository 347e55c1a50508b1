"""The model behind a verdict: curves of real images, and what pilots gain over them, drawn together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np

from core.advice.answer import CurvePoint, Estimate, Line
from core.advice.curves import DRAWS, Curve, Floats, expit, fit, interval, logit, spreads
from core.advice.measured import Measured, Point, Source
from core.advice.words import SURE

DISTILLED_FURTHER: Final = 3
"""Times the largest pilot up to which what distilling gains is carried on."""
NETWORKS: Final = 5
"""Networks of a job's line, whose mean an accuracy is to be compared with."""

_DRAWN = 24  # points of a curve that are shown
_SHOWN: tuple[Source, ...] = ("random", "distilled")


@final
@dataclass(frozen=True)
class Model:
    """Curves of real images, and what pilots and windows gain over them, in log odds, drawn together."""

    measured: Measured
    curve: Curve
    pilots: tuple[int, ...]
    gains: Floats
    """[DRAWS, pilots]: the gain of each pilot."""
    deviations: Floats
    """[pilots]: the standard deviation of a network's accuracy at each."""
    decline: Floats
    """[DRAWS]: which share of the change between the last two pilots goes on beyond them."""
    shift: Floats
    """[DRAWS]: standard normal, the error that validation and test split have in common for all sizes."""
    noise: Floats
    """[DRAWS]: standard normal, a result's own."""

    @classmethod
    def of(cls, measured: Measured) -> Model | None:
        """The model of measurements; None where they are too few for a curve."""
        rng = np.random.default_rng(0)
        curve = fit(measured.of("random"), measured.smallest_class, rng)
        if curve is None:
            return None
        pilots = sorted({each.ipc for each in measured.of("distilled") if each.ipc >= curve.sizes[0]})
        gains, deviations = [], []
        for ipc in pilots:
            drawn, deviation = _pilot([each for each in measured.of("distilled") if each.ipc == ipc], rng)
            gains.append(logit(drawn) - logit(curve.at(ipc)))
            deviations.append(deviation)
        return cls(
            measured,
            curve,
            tuple(pilots),
            np.stack(gains, 1) if gains else np.zeros((DRAWS, 0)),
            np.array(deviations),
            rng.uniform(0, 1, DRAWS),
            rng.standard_normal(DRAWS),
            rng.standard_normal(DRAWS),
        )

    @property
    def distilled_last(self) -> int:
        """The largest number of distilled images a class it says something about; 0 without pilots."""
        reach = DISTILLED_FURTHER if len(self.pilots) > 1 else 1
        return min(reach * self.pilots[-1], self.curve.last) if self.pilots else 0

    def gain(self, ipc: int) -> Floats:
        """The gain of distilling [DRAWS], in log odds; between pilots straight in the logarithm of the size."""
        logs, place = np.log(self.pilots), np.log(ipc)
        if len(logs) == 1 or place <= logs[0]:
            first: Floats = self.gains[:, 0]
            return first
        right = min(int(np.searchsorted(logs, place)), len(logs) - 1)
        slope = (self.gains[:, right] - self.gains[:, right - 1]) / (logs[right] - logs[right - 1])
        if place <= logs[right]:
            within: Floats = self.gains[:, right - 1] + slope * (place - logs[right - 1])
            return within
        beyond: Floats = self.gains[:, -1] + self.decline * slope * (place - logs[-1])
        return beyond

    def accuracy(self, source: Source, ipc: int) -> Floats:
        """The accuracy [DRAWS] of a mean network on the validation split."""
        real = self.curve.at(ipc)
        return real if source == "random" else expit(logit(real) + self.gain(ipc))

    def result(self, source: Source, ipc: int, networks: int = NETWORKS) -> Floats:
        """The test accuracy [DRAWS] of a job's line: split, images and networks are others than those measured."""
        accuracy = self.accuracy(source, ipc)
        if source == "random":
            deviation = self.curve.deviation(ipc) / np.sqrt(networks)
        else:  # one run, whose images all networks share
            own = float(np.interp(np.log(ipc), np.log(self.pilots), self.deviations))
            deviation = own * np.sqrt(1 / networks + 0.5)
        results: Floats = accuracy + self.sampling(accuracy) * self.shift + deviation * self.noise
        return results.clip(0, 1)

    def estimate(self, source: Source, ipc: int, networks: int = NETWORKS) -> Estimate | None:
        """The test accuracy of a job's line; None where the measurements say nothing about so many images."""
        supported = self.curve.sizes[0] <= ipc <= self.last(source)
        return estimated(self.result(source, ipc, networks)) if supported else None

    def last(self, source: Source) -> int:
        """The largest number of images a class that it says something about."""
        return self.distilled_last if source == "distilled" else self.curve.last

    def sampling(self, accuracy: Floats) -> Floats:
        """The standard error of accuracies for the images of the validation and of the test split."""
        measured = self.measured
        validation, tests = measured.validation_telling or measured.validation, measured.tests_telling or measured.tests
        splits = 1 / validation + 1 / max(1, tests)
        error: Floats = np.sqrt((accuracy * (1 - accuracy)).clip(1e-4) * splits)
        return error

    def windows(self) -> list[tuple[Point, float]]:
        """The best window of each size, with its lead over random images in points, where it has one for sure."""
        found = []
        for ipc in sorted({each.ipc for each in self.measured.of("window")}):
            tried = [each for each in self.measured.of("window") if each.ipc == ipc and len(each.accuracies) > 1]
            if not tried:
                continue
            best = max(tried, key=lambda each: float(np.mean(each.accuracies)))
            lead = float(np.mean(best.accuracies)) - self.curve.at(ipc)
            error = self.curve.deviation(ipc) / np.sqrt(len(best.accuracies))
            if float((lead - error * np.abs(self.noise) > 0).mean()) > SURE:
                found.append((best, float(np.median(lead))))
        return found

    def lines(self) -> list[Line]:
        """The curves as they are shown: of results on the test split."""
        shown = []
        for source in _SHOWN:
            last, known = self.last(source), sorted({each.ipc for each in self.measured.of(source)})
            if not last or not known:
                continue
            spaced = {round(each) for each in np.geomspace(self.curve.sizes[0], last, _DRAWN)}
            sizes = (ipc for ipc in sorted(spaced | set(known)) if ipc <= last)
            points = [CurvePoint(ipc=ipc, **vars(estimated(self.result(source, ipc)))) for ipc in sizes]
            shown.append(Line(source=source, points=tuple(points), measured=tuple(known)))
        return shown


def estimated(results: Floats) -> Estimate:
    """The estimate that results [DRAWS] make."""
    expected, low, high = interval(results)
    return Estimate(expected=round(expected, 4), low=round(low, 4), high=round(high, 4))


def _pilot(runs: Sequence[Point], rng: np.random.Generator) -> tuple[Floats, float]:
    """Draws of the accuracy that a pilot's mean network has over all runs, and a network's standard deviation."""
    means = np.array([np.mean(each.accuracies) for each in runs])
    several = [each for each in runs if len(each.accuracies) > 1]
    deviation = float(np.sqrt(np.mean(spreads(several)[0] ** 2))) if several else 0.03
    between = float(np.std(means, ddof=1)) if len(means) > 1 else 0.0
    within = deviation / np.sqrt(np.mean([len(each.accuracies) for each in runs]))
    error = max(between, within, deviation / 2) / np.sqrt(len(runs))
    return (means.mean() + error * rng.standard_normal(DRAWS)).clip(0, 1), deviation
