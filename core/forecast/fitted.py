"""A job fitted into a time, by what it costs on a worker's hardware: one decision for submission and claim."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Self, final

from core.budget import Fitted, TooShort, fit
from core.budget.candidates import alone, entrants
from core.budget.fit import Price
from core.budget.sizes import named, reach
from core.budget.student import Student, student, unnamed
from core.data import DatasetFacts
from core.durations import written
from core.feasibility import most_ipc
from core.forecast.assumed import assumed
from core.forecast.calibration import Calibration
from core.forecast.forecast_job import Known, remembered, with_reference
from core.forecast.history import Past
from core.forecast.predict import Cheaper, Forecast, Within, predict, with_winner
from core.methods import AUTO
from core.plan.race import Entrants
from core.plan.sizing import Sizing
from core.recipe import FieldError, Recipe, RecipeError
from core.request import (
    ENGINE_VERSION,
    MAX_SYNTHETIC_IMAGES,
    MAX_WITHIN,
    JobRequest,
    Target,
    recipe_of,
    resolve,
    winners,
)

if TYPE_CHECKING:
    from core.ledger import Ledger

LONG: Final = 3600.0
"""Seconds beyond which a forecast offers something cheaper."""

_OFFERED: Final = 20 * 60
"""Seconds that it offers, where that is enough."""


def fitted_job(
    ledger: Ledger,
    recipe: Recipe,
    facts: DatasetFacts,
    ipc: int,
    method: str,
    calibration: Calibration | None,
    known: Known,
    within: int,
    fixed: Collection[str] = (),
    target: Target | None = None,
    *,
    soft: bool = False,
    seed: int | None = None,
) -> tuple[Recipe, Forecast]:
    """The recipe that ends within so many seconds on the hardware of a calibration, and its forecast there.

    Where nobody has measured yet the recipe is fitted to an assumed machine, and the forecast knows no seconds.

    Args:
        recipe: of the request as if it had all time.
        fixed: paths of fields that the client has set.
        target: of a job that looks for its size, from `ipc` on; the recipe is what all sizes share.
        soft: labels of a search's winner may say more than a class.
        seed: the job's, see `predict`.

    Raises:
        TooShort: nothing ends in that time.
        RecipeError: a share of the gap is asked for, and networks on everything do not fit into that time, or are not
            to be trained.
    """
    if target is not None and target.gap and recipe.evaluation.full is None:
        raise RecipeError([_of_everything()])
    past = remembered(ledger.jobs_under(calibration.key), calibration, known) if calibration else []
    # candidates may see random images in other ways than the recipe that they share: none is taken to be there
    known_by = None if method == AUTO or target is not None else seed
    job = _Job.of(facts, ipc, method, calibration or assumed(ENGINE_VERSION), past, known_by)
    found, racing = job.fitted(recipe, within, fixed, sized=target is not None)
    if target is not None and target.gap and found.recipe.evaluation.full is None:
        raise RecipeError([job.without_full(recipe, within, fixed)])
    forecast = predict(found.recipe, facts, ipc, method, calibration, past, racing, known_by)
    forecast = with_reference(forecast, found.recipe, facts, ipc, calibration, past, known_by)
    if method == AUTO:
        forecast = with_winner(forecast, winners(found.recipe, soft=soft), facts, ipc)
    return found.recipe, forecast.model_copy(update={"within": job.within(found, within, racing)})


def raced_job(
    recipe: Recipe,
    facts: DatasetFacts,
    ipc: int,
    calibration: Calibration | None,
    past: Sequence[Past],
    within: int,
    fixed: Collection[str] = (),
    *,
    soft: bool = False,
) -> tuple[Recipe, Entrants]:
    """The recipe that all candidates of a race share, and the candidates, on the hardware of a calibration.

    The arguments are those of `fitted_job`; `soft` says that labels may say more than a class. The recipe is the one
    that it returns, and in no time too short it is the least that can be done.
    """
    job = _Job.of(facts, ipc, AUTO, calibration or assumed(ENGINE_VERSION), past)
    try:
        shared = student(recipe, facts, ipc, within, job.price, fixed)
    except TooShort as error:
        shared = student(recipe, facts, ipc, error.enough, job.price, fixed)
    return shared.recipe, entrants(shared, facts, ipc, job.racing, fixed, soft=soft)


def sized_job(request: JobRequest, facts: DatasetFacts, calibration: Calibration | None) -> tuple[Recipe, Sizing]:
    """The recipe that all sizes of a job with a target share, and its search, on the hardware of a calibration.

    In no time too short it is the least that can be done.
    """
    assert request.target is not None, "a job with a target"
    known, within = calibration or assumed(ENGINE_VERSION), float(request.within)
    job = _Job.of(facts, request.ipc, request.method, known, ())
    recipe = resolve(request, facts)
    try:
        shared = job.student(recipe, within, request.fixed)
    except TooShort as error:
        within = error.enough
        shared = job.student(recipe, within, request.fixed)
    most = min(most_ipc(recipe, facts), MAX_SYNTHETIC_IMAGES // facts.classes)
    largest = reach(
        shared, min(request.ipc, most), most, within, lambda ipc: _Job.of(facts, ipc, request.method, known, ()).price
    )
    sizing = Sizing(
        **request.target.document,
        begin=min(request.ipc, largest),
        largest=largest,
        seconds=round(shared.seconds, 1),
    )
    return shared.recipe, sizing


@final
@dataclass(frozen=True)
class Sizes:
    """The candidates of a job with a target at any size, where `shared` is the recipe that all sizes share."""

    request: JobRequest
    facts: DatasetFacts
    calibration: Calibration | None
    shared: Recipe

    def __call__(self, ipc: int, seconds: float, names: Sequence[str] = ()) -> Entrants:
        """The race at a size within so many seconds, of the candidates of some names if there are any."""
        asked, known = self.request.model_copy(update={"ipc": ipc}), self.calibration or assumed(ENGINE_VERSION)
        price = _Job.of(self.facts, ipc, asked.method, known, ()).racing
        shared = Student(self.shared, (), max(1.0, seconds))
        if asked.method != AUTO:
            return alone(shared, self.facts, ipc, price, asked.method, recipe_of(asked, self.facts), asked.fixed)
        return entrants(shared, self.facts, ipc, price, asked.fixed, soft=asked.labels == "soft", names=names)

    def evaluating(self, ipc: int) -> float:
        """Seconds of the evaluation of so many images a class, but for the reference."""
        known = self.calibration or assumed(ENGINE_VERSION)
        return _Job.of(self.facts, ipc, self.request.method, known, ()).bare(self.shared).get("evaluating", 0.0)


def fitted_anywhere(
    recipe: Recipe,
    facts: DatasetFacts,
    ipc: int,
    method: str,
    within: int,
    fixed: Collection[str] = (),
    *,
    sized: bool = False,
    known: Calibration | None = None,
) -> tuple[Recipe, Within]:
    """The recipe that ends within so many seconds on a machine that is known, or else on an assumed one.

    Raises:
        TooShort: nothing ends in that time.
    """
    job = _Job.of(facts, ipc, method, known or assumed(ENGINE_VERSION), ())
    found, racing = job.fitted(recipe, within, fixed, sized=sized)
    return found.recipe, job.within(found, within, racing)


def offered(
    recipe: Recipe, facts: DatasetFacts, ipc: int, method: str, calibration: Calibration, fixed: Collection[str] = ()
) -> Cheaper:
    """The same job in twenty minutes, or in as few more as it takes."""
    job, seconds = _Job.of(facts, ipc, method, calibration, ()), _OFFERED
    try:
        found = fit(recipe, facts, ipc, seconds, job.price, fixed)
    except TooShort as error:
        seconds = error.enough
        found = fit(recipe, facts, ipc, seconds, job.price, fixed)
    return Cheaper(within=written(seconds), seconds=round(found.seconds, 3), given_up=found.given_up)


@final
@dataclass(frozen=True)
class _Job:
    """The prices of a job's recipes; of equal ones they are equal."""

    facts: DatasetFacts
    ipc: int
    method: str
    priced: tuple[object, ...]
    """The machine and the past jobs that its prices rest on."""
    calibration: Calibration = field(compare=False)
    past: Sequence[Past] = field(compare=False)
    seed: int | None = None

    @classmethod
    def of(
        cls,
        facts: DatasetFacts,
        ipc: int,
        method: str,
        calibration: Calibration,
        past: Sequence[Past],
        seed: int | None = None,
    ) -> Self:
        """The job under what is known of its machine."""
        machine = calibration.name, calibration.compiling, calibration.device_bytes
        before = ((job.method, *job.predicted.items(), *job.actual.items(), job.leaves) for job in past)
        return cls(facts, ipc, method, (*machine, *before), calibration, past, seed)

    @property
    def racing(self) -> Price:
        """Prices of candidates of a race: without experts none waits for a compiler before it leads."""
        calibration = self.calibration.model_copy(update={"compiling": 0.0})
        uncompiled = self.of(self.facts, self.ipc, self.method, calibration, self.past)
        return lambda recipe: (uncompiled if recipe.experts is None else self).price(recipe)

    def price(self, recipe: Recipe) -> float:
        """Seconds that are enough for more than three jobs of four: halfway, as a factor, to the forecast's bound.

        Results in the cache are taken to stay there.
        """
        return _seconds(self, recipe)

    def fitted(
        self, recipe: Recipe, within: int, fixed: Collection[str], *, sized: bool = False
    ) -> tuple[Fitted, Entrants | None]:
        """The recipe that ends within so many seconds; where it is what candidates share, also the race they have."""
        if self.method != AUTO and not sized:
            return fit(recipe, self.facts, self.ipc, within, self.price, fixed), None
        try:
            shared = self.student(recipe, within, fixed)
        except TooShort as error:
            raise TooShort(within, error.least, 1 if sized else self.ipc) from None
        return Fitted(shared.recipe, shared.given_up, within), unnamed(shared)

    def student(self, recipe: Recipe, within: float, fixed: Collection[str]) -> Student:
        """The recipe that all candidates share, be they of one method."""
        rest = recipe, self.facts, self.ipc, within, self.price, fixed
        return student(*rest) if self.method == AUTO else named(self.method, *rest)

    def without_full(self, recipe: Recipe, within: int, fixed: Collection[str]) -> FieldError:
        """The error where networks on everything do not fit into the time, which names one that they fit into."""
        enough = within
        while enough < MAX_WITHIN and self.student(recipe, enough, fixed).recipe.evaluation.full is None:
            enough *= 2
        told = f"Networks on everything, the upper end of the gap, do not fit into a share of {written(within)}."
        other = "Ask for target.accuracy instead"
        return FieldError("within", told, f"Set within to '{written(enough)}', or a" + other[1:] + ".")

    def within(self, found: Fitted, seconds: int, racing: Entrants | None = None) -> Within:
        """The forecast's entry on a fit."""
        phases, whole = self.bare(found.recipe, racing), self.forecast(found.recipe, racing).phases
        return Within(
            seconds=seconds,
            given_up=found.given_up,
            phases=phases,
            reference=max(0.0, round(sum(each.expected for each in whole.values()) - sum(phases.values()), 3)),
            steps=0 if racing else found.recipe.schedule.total_steps,
            most_steps=found.most_steps,
        )

    def bare(self, recipe: Recipe, racing: Entrants | None = None) -> dict[str, float]:
        """Seconds by phase of a recipe without its reference."""
        evaluation = recipe.evaluation.model_copy(update={"full": None})
        found = self.forecast(recipe.model_copy(update={"evaluation": evaluation}), racing)
        return {name: phase.expected for name, phase in found.phases.items()}

    def forecast(self, recipe: Recipe, racing: Entrants | None = None) -> Forecast:
        """The forecast of a recipe."""
        return predict(recipe, self.facts, self.ipc, self.method, self.calibration, self.past, racing, self.seed)


def _of_everything() -> FieldError:
    """The error of a share of the gap whose upper end is left out."""
    told = "The upper end of the gap is what networks on everything reach, and evaluation.full leaves them out."
    return FieldError("target.gap", told, "Leave evaluation.full out of the request, or ask for target.accuracy.")


@lru_cache(maxsize=3000)
def _seconds(job: _Job, recipe: Recipe) -> float:
    """A page offers a job within many times, one after the other, and asks for the same prices again and again."""
    seconds = job.forecast(recipe).seconds
    assert seconds is not None, "it was priced by a calibration"
    return seconds.expected * math.sqrt(seconds.expected / seconds.low)
