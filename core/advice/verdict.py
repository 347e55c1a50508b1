"""The verdict: what distilled and real images reach, how many do the same, and where the measurements do not tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from core.advice import words
from core.advice.answer import Advice, Count, Estimate, Verdict
from core.advice.curves import DRAWS, LEAST, interval
from core.advice.measured import Measured, Source
from core.advice.model import DISTILLED_FURTHER, Model, estimated
from core.advice.order import Question
from core.advice.study import METHOD
from core.advice.words import SURE
from core.weight import Changes

WORTH: Final = 10
"""Times the distilled images that as good real ones must be for distilling to be worth it, unless bytes matter."""


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
        reasons=(*reasons, *words.basis(told, [*model.windows()]), *_subspace(measured)),
        ipc=ipc,
        needed=needed,
        distilled=distilled,
        random=random,
        equal=equal,
        request=job(measured, ipc, asked.stored) if ipc is not None and distilled is not None else None,
        seconds=price,
        method=METHOD,
        network=measured.network,
        measured_seconds=measured.seconds,
        curves=tuple(model.lines()),
    )


def _subspace(measured: Measured) -> tuple[str, ...]:
    """The estimate of the intrinsic dimension, held against the pilots; nothing where none was made."""
    found = measured.directions
    return () if found is None else (found.sentence(measured.classes, measured.study.pilots),)


def job(measured: Measured, ipc: int, stored: Changes) -> dict[str, Any]:
    """The order of a job that distils so many images a class as the pilots did; it leaves out the full reference.

    Soft labels are those of a teacher. `stored` are the overrides that store them in few bytes.
    """
    recipe = measured.study.recipe
    return {
        "dataset": measured.dataset,
        "method": METHOD,
        "ipc": ipc,
        "overrides": {
            "network.width": recipe.network.width,
            "schedule.steps": recipe.schedule.steps,
            "objective.real_batch": getattr(recipe.objective, "real_batch", None),
            **labelled(measured),
            **stored,
        },
        "evaluation": {"epochs": recipe.evaluation.epochs, "full": None},
    }


def labelled(measured: Measured) -> Changes:
    """The changes of the pilots' recipe that give a job their labels: a network's, where those are soft."""
    if measured.study.labels == "hard":
        return {}
    network = measured.study.recipe.network.model_dump(mode="json")
    balance = "batches" if measured.balanced else "none"
    return {
        "relabel.kind": "soft",
        "relabel.temperature": 1.0,
        "teacher": {"network": network, "balance": balance},
    }


def predicted(measured: Measured, source: Source, ipc: int, networks: int) -> Estimate | None:
    """The test accuracy of so many networks in the mean, where the measurements say something about it."""
    model = Model.of(measured)
    return None if model is None else model.estimate(source, ipc, networks)


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
    return last, estimated(model.result("random", last)), model.curve.measured == model.measured.smallest_class


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
