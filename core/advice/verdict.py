"""The verdict: what distilled and real images reach, how many do the same, and where the measurements do not tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np

from core.advice import words
from core.advice.answer import Advice, Count, CurvePoint, Estimate, Line, Verdict
from core.advice.curves import DRAWS, LEAST, Curve, Floats, expit, fit, interval, logit, spreads
from core.advice.measured import Measured, Point, Source
from core.advice.order import Question
from core.advice.study import METHOD
from core.advice.words import SURE

DISTILLED_FURTHER: Final = 3
"""Times the largest pilot up to which what distilling gains is carried on."""
WORTH: Final = 10
"""Times the distilled images that as good real ones must be for distilling to be worth it, unless bytes matter."""
NETWORKS: Final = 5
"""Networks of a job's line, whose mean an accuracy is to be compared with."""

_DRAWN = 24  # points of a curve that are shown

Seconds = Callable[[int], float | None]
"""Seconds that a job of so many distilled images a class takes; None where nobody knows."""


def answer(asked: Question, measured: Measured, seconds: Seconds = lambda ipc: None, title: str = "") -> Advice:
    """The advice that measurements support; the same for the same arguments.

    `seconds` prices a job, `title` is how people call the dataset.
    """
    model = Model.of(measured)
    if model is None:
        return _silent(measured, title, words.too_few(measured, LEAST))
    reasons: list[str] = []
    ipc, needed = asked.ipc, None
    if ipc is None:
        needed, ipc, reason = _needed(asked, model)
        reasons += [reason] if reason else []
    distilled = None if ipc is None else model.estimate("distilled", ipc)
    if ipc is not None and distilled is None and asked.ipc is not None:
        reasons.append(words.beyond_pilots(model.pilots, DISTILLED_FURTHER, ipc))
    random = None if ipc is None else model.estimate("random", ipc)
    if ipc is not None and random is None:
        reasons.append(words.beyond_curve(model.curve.measured, ipc))
    equal = _equal(asked, model, ipc if distilled is not None else None)
    gains = None if ipc is None or distilled is None else float((model.gain(ipc) > 0).mean())
    verdict = _verdict(ipc, distilled, gains, equal, model)
    price = seconds(ipc) if ipc is not None and distilled is not None else None
    if price is not None and asked.within is not None and price > asked.within:
        reasons.append(words.too_slow(ipc or 0, price, asked.within))
    last, reason = (model.curve.last, model.distilled_last), reasons[0] if reasons else None
    told = words.Told(asked, measured, ipc, needed, distilled, random, equal, gains, verdict, price, *last, reason)
    return Advice(
        dataset=measured.dataset,
        dataset_title=title or measured.dataset,
        labels=measured.study.labels,
        verdict=verdict,
        sentence=words.sentence(told),
        reasons=(*reasons, *words.basis(told, [*model.windows()])),
        ipc=ipc,
        needed=needed,
        distilled=distilled,
        random=random,
        equal=equal,
        seconds=price,
        method=METHOD,
        network=measured.network,
        measured_seconds=measured.seconds,
        curves=tuple(model.lines()),
    )


def predicted(measured: Measured, source: Source, ipc: int, networks: int) -> Estimate | None:
    """The test accuracy of so many networks in the mean, where the measurements say something about it."""
    model = Model.of(measured)
    return None if model is None else model.estimate(source, ipc, networks)


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
        """What distilling gains [DRAWS], in log odds; between pilots straight in the logarithm of the size."""
        logs, place = np.log(self.pilots), np.log(ipc)
        if len(logs) == 1 or place <= logs[0]:
            return self.gains[:, 0]
        right = min(int(np.searchsorted(logs, place)), len(logs) - 1)
        slope = (self.gains[:, right] - self.gains[:, right - 1]) / (logs[right] - logs[right - 1])
        if place <= logs[right]:
            return self.gains[:, right - 1] + slope * (place - logs[right - 1])
        return self.gains[:, -1] + self.decline * slope * (place - logs[-1])

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
        return (accuracy + self.sampling(accuracy) * self.shift + deviation * self.noise).clip(0, 1)

    def estimate(self, source: Source, ipc: int, networks: int = NETWORKS) -> Estimate | None:
        """The test accuracy of a job's line; None where the measurements say nothing about so many images."""
        last = self.curve.last if source == "random" else self.distilled_last
        return _interval(self.result(source, ipc, networks)) if self.curve.sizes[0] <= ipc <= last else None

    def sampling(self, accuracy: Floats) -> Floats:
        """The standard error of accuracies for the images of the validation and of the test split."""
        splits = 1 / self.measured.validation + 1 / max(1, self.measured.tests)
        return np.sqrt((accuracy * (1 - accuracy)).clip(1e-4) * splits)

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
        for source, last in (("random", self.curve.last), ("distilled", self.distilled_last)):
            points = self.measured.of(source)  # type: ignore[arg-type]
            if not last or not points:
                continue
            first = int(self.curve.sizes[0])
            sizes = sorted({round(each) for each in np.geomspace(first, last, _DRAWN)} | {each.ipc for each in points})
            drawn = [
                CurvePoint(
                    ipc=ipc, **dict(zip(("expected", "low", "high"), interval(self.result(source, ipc)), strict=True))
                )  # type: ignore[arg-type]
                for ipc in sizes
                if ipc <= last
            ]
            shown.append(
                Line(source=source, points=tuple(drawn), measured=tuple(sorted({each.ipc for each in points})))
            )  # type: ignore[arg-type]
        return shown


def _pilot(runs: Sequence[Point], rng: np.random.Generator) -> tuple[Floats, float]:
    """Draws of the accuracy that a pilot's mean network has over all runs, and a network's standard deviation."""
    means = np.array([np.mean(each.accuracies) for each in runs])
    several = [each for each in runs if len(each.accuracies) > 1]
    deviation = float(np.sqrt(np.mean(spreads(several)[0] ** 2))) if several else 0.03
    between = float(np.std(means, ddof=1)) if len(means) > 1 else 0.0
    within = deviation / np.sqrt(np.mean([len(each.accuracies) for each in runs]))
    error = max(between, within, deviation / 2) / np.sqrt(len(runs))
    return (means.mean() + error * rng.standard_normal(DRAWS)).clip(0, 1), deviation


def _interval(results: Floats) -> Estimate:
    expected, low, high = interval(results)
    return Estimate(expected=round(expected, 4), low=round(low, 4), high=round(high, 4))


def _needed(asked: Question, model: Model) -> tuple[Count | None, int | None, str | None]:
    """The fewest distilled images a class that reach a target, or why none is said."""
    curve, last = model.curve, model.distilled_last
    if not model.pilots:
        return None, None, words.no_pilots()
    if asked.gap is not None and curve.measured < model.measured.smallest_class:
        return None, None, words.no_full(curve.measured)
    full = curve.at(curve.measured)
    sizes = np.unique(np.geomspace(curve.sizes[0], last, 120).round()).astype(int)
    reached = np.full(DRAWS, np.inf)
    for ipc in sizes[::-1]:
        accuracy = model.accuracy("distilled", int(ipc))
        if asked.gap is not None:
            real = curve.at(int(ipc))
            enough = accuracy >= real + asked.gap * (full - real)
        else:
            enough = accuracy + model.sampling(accuracy) * model.shift >= (asked.accuracy or 0.0)
        reached = np.where(enough, ipc, reached)
    middle, low, high = interval(reached)
    if np.isfinite(middle):
        most = int(high) if np.isfinite(high) else None
        return Count(expected=int(middle), low=int(low), high=most), int(middle), None
    return None, None, words.out_of_reach(asked, _ceiling(model), last, model.measured)


def _ceiling(model: Model) -> tuple[int, Estimate, bool]:
    """The largest number of real images that something is said of, what they reach, and whether they are all."""
    last = model.curve.last
    return last, _interval(model.result("random", last)), model.curve.measured == model.measured.smallest_class


def _equal(asked: Question, model: Model, ipc: int | None) -> Count | None:
    """The random real images a class that do the same: as the distilled ones, or that reach the accuracy asked for."""
    if ipc is not None:
        sizes = model.curve.needed(model.accuracy("distilled", ipc))
    elif asked.accuracy is not None:
        level = np.full(DRAWS, asked.accuracy)
        sizes = model.curve.needed(level - model.sampling(level) * model.shift)
    else:
        return None
    middle, low, high = interval(sizes)
    if not np.isfinite(middle):
        return None
    return Count(expected=round(middle), low=max(1, round(low)), high=round(high) if np.isfinite(high) else None)


def _verdict(
    ipc: int | None, distilled: Estimate | None, gains: float | None, equal: Count | None, model: Model
) -> Verdict:
    if ipc is None or distilled is None or gains is None:
        return "real" if equal is not None else "undecided"
    if gains < 1 - SURE:
        return "real"
    if gains < SURE:
        return "undecided" if equal is None else "real"
    if equal is None:  # as good as more real images than anything is said of
        return "distil"
    return "distil" if equal.expected >= WORTH * ipc or equal.expected >= model.measured.smallest_class else "real"


def _silent(measured: Measured, title: str, reason: str) -> Advice:
    return Advice(
        dataset=measured.dataset,
        dataset_title=title or measured.dataset,
        labels=measured.study.labels,
        verdict="undecided",
        sentence=f"No advice: {reason}",
        reasons=(reason,),
        ipc=None,
        needed=None,
        distilled=None,
        random=None,
        equal=None,
        method=METHOD,
        network=measured.network,
        measured_seconds=measured.seconds,
        curves=(),
    )
