"""A job fitted into a time, by what it costs on a worker's hardware: one decision for submission and claim."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Self, final

from core.budget import Fitted, TooShort, fit
from core.budget.candidates import entrants, student, unnamed
from core.data import DatasetFacts
from core.durations import written
from core.forecast.assumed import assumed
from core.forecast.calibration import Calibration
from core.forecast.forecast_job import Known, remembered, with_reference
from core.forecast.history import Past
from core.forecast.predict import Cheaper, Forecast, Within, predict
from core.methods import AUTO
from core.plan.race import Entrants
from core.recipe import Recipe
from core.request import ENGINE_VERSION

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
) -> tuple[Recipe, Forecast]:
    """The recipe that ends within so many seconds on the hardware of a calibration, and its forecast there.

    Where nobody has measured yet the recipe is fitted to an assumed machine, and the forecast knows no seconds.

    Args:
        recipe: of the request as if it had all time.
        fixed: paths of fields that the client has set.

    Raises:
        TooShort: nothing ends in that time.
    """
    past = remembered(ledger.jobs_under(calibration.key), calibration, known) if calibration else []
    job = _Job.of(facts, ipc, method, calibration or assumed(ENGINE_VERSION), past)
    found, racing = job.fitted(recipe, within, fixed)
    forecast = predict(found.recipe, facts, ipc, method, calibration, past, racing)
    forecast = with_reference(forecast, found.recipe, facts, ipc, calibration, past)
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
    return shared.recipe, entrants(shared, facts, ipc, job.racing.price, fixed, soft=soft)


def fitted_anywhere(
    recipe: Recipe, facts: DatasetFacts, ipc: int, method: str, within: int, fixed: Collection[str] = ()
) -> tuple[Recipe, Within]:
    """The recipe that ends within so many seconds on an assumed machine, where no service knows a real one.

    Raises:
        TooShort: nothing ends in that time.
    """
    job = _Job.of(facts, ipc, method, assumed(ENGINE_VERSION), ())
    found, racing = job.fitted(recipe, within, fixed)
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

    @classmethod
    def of(cls, facts: DatasetFacts, ipc: int, method: str, calibration: Calibration, past: Sequence[Past]) -> Self:
        """The job under what is known of its machine."""
        machine = calibration.name, calibration.compiling, calibration.device_bytes
        before = ((job.method, *job.predicted.items(), *job.actual.items(), job.leaves) for job in past)
        return cls(facts, ipc, method, (*machine, *before), calibration, past)

    @property
    def racing(self) -> Self:
        """The same for candidates of a race, none of which compiles anything before it leads."""
        calibration = self.calibration.model_copy(update={"compiling": 0.0})
        return self.of(self.facts, self.ipc, self.method, calibration, self.past)

    def price(self, recipe: Recipe) -> float:
        """Seconds that are enough for more than three jobs of four: halfway, as a factor, to the forecast's bound.

        Results in the cache are taken to stay there.
        """
        return _seconds(self, recipe)

    def fitted(self, recipe: Recipe, within: int, fixed: Collection[str]) -> tuple[Fitted, Entrants | None]:
        """The recipe that ends within so many seconds; where it is what candidates share, also the race they have."""
        if self.method != AUTO:
            return fit(recipe, self.facts, self.ipc, within, self.price, fixed), None
        shared = student(recipe, self.facts, self.ipc, within, self.price, fixed)
        return Fitted(shared.recipe, shared.given_up, within), unnamed(shared)

    def within(self, found: Fitted, seconds: int, racing: Entrants | None = None) -> Within:
        """The forecast's entry on a fit."""
        evaluation = found.recipe.evaluation.model_copy(update={"full": None})
        bare = self.forecast(found.recipe.model_copy(update={"evaluation": evaluation}), racing)
        phases = {name: phase.expected for name, phase in bare.phases.items()}
        return Within(seconds=seconds, given_up=found.given_up, phases=phases)

    def forecast(self, recipe: Recipe, racing: Entrants | None = None) -> Forecast:
        """The forecast of a recipe."""
        return predict(recipe, self.facts, self.ipc, self.method, self.calibration, self.past, racing)


@lru_cache(maxsize=3000)
def _seconds(job: _Job, recipe: Recipe) -> float:
    """A page offers a job within many times, one after the other, and asks for the same prices again and again."""
    seconds = job.forecast(recipe).seconds
    assert seconds is not None, "it was priced by a calibration"
    return seconds.expected * math.sqrt(seconds.expected / seconds.low)
