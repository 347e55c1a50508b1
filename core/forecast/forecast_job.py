"""A forecast from the ledger's memory: the calibration of a worker, and the jobs that ran under its conditions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from core.data import DatasetFacts
from core.forecast import history
from core.forecast.calibration import Calibration
from core.forecast.history import Past
from core.forecast.identity import ResultNames
from core.forecast.predict import Estimate, Forecast, predict
from core.recipe import Recipe
from core.request import canonical_json

if TYPE_CHECKING:  # the engine prices its work, too, and has no database
    from core.ledger import Job, Ledger

_SUBMITTING: Final = timedelta(minutes=1)
"""The time that may pass between a forecast and the submission that it goes with, and the clocks' difference."""

Known = Callable[[str], DatasetFacts]
"""Facts of a dataset by name."""


def forecast_job(
    ledger: Ledger,
    recipe: Recipe,
    facts: DatasetFacts,
    ipc: int,
    method: str,
    calibration: Calibration | None,
    known: Known,
    seed: int | None = None,
) -> Forecast:
    """The cost of a job on the hardware of this calibration.

    Past jobs correct it whichever measurement priced them: each is priced anew by this one.
    """
    past = remembered(ledger.jobs_under(calibration.key), calibration, known) if calibration else ()
    forecast = predict(recipe, facts, ipc, method, calibration, past, seed=seed)
    return with_reference(forecast, recipe, facts, ipc, calibration, past, seed)


def with_reference(
    forecast: Forecast,
    recipe: Recipe,
    facts: DatasetFacts,
    ipc: int,
    calibration: Calibration | None,
    past: Sequence[Past],
    seed: int | None = None,
) -> Forecast:
    """The forecast of a recipe with the part of it that is the reference's on the full training set."""
    if calibration is None or recipe.evaluation.full is None:
        return forecast
    bare = recipe.model_copy(update={"evaluation": recipe.evaluation.model_copy(update={"full": None})})
    model = predict(bare, facts, ipc, "", calibration, past, seed=seed).phases["evaluating"].model
    whole = forecast.phases["evaluating"]
    share = (whole.model - model) / whole.model
    if share <= 0:
        return forecast
    bounds = {name: round(share * getattr(whole, name), 3) for name in ("expected", "low", "high")}
    return forecast.model_copy(update={"reference": Estimate(**bounds)})


def still_holds(ledger: Ledger, job: Job, calibration: Calibration) -> bool:
    """Whether the forecast that a job was submitted with is the one that it would get now.

    It is not after another measurement, nor once a job has ended that left what this one would make, nor if the dataset
    was not there.
    """
    forecast = job.forecast or {}
    names = ResultNames.model_validate(forecast.get("leaves") or {})
    if forecast.get("calibration") != calibration.name or names == ResultNames():
        return False
    known = job.created_at - _SUBMITTING
    since = (past for past in ledger.jobs_under(calibration.key) if past.finished_at and past.finished_at > known)
    left = (ResultNames.model_validate((past.forecast or {}).get("leaves") or {}) for past in since)
    return not any(each.keys(names) & names.keys(names) for each in left)


def remembered(jobs: Sequence[Job], calibration: Calibration, known: Known) -> list[Past]:
    """Past jobs, as this calibration would have foreseen them."""
    measured = calibration.model_dump_json()
    return [_past(job, calibration.name, measured, known) for job in jobs]


def _past(job: Job, name: str, measured: str, known: Known) -> Past:
    forecast, prices = job.forecast or {}, None
    if forecast.get("calibration") != name:
        try:
            prices = _prices(canonical_json(job.recipe), known(job.dataset), job.ipc, job.method, measured)
        except Exception:  # its dataset is gone, or its recipe one of another version: only what it left counts
            prices = {}
    return history.read(job.id, job.method, forecast, job.progress or {}, prices)


@lru_cache(maxsize=512)
def _prices(recipe: str, facts: DatasetFacts, ipc: int, method: str, measured: str) -> Mapping[str, float]:
    """Seconds by phase for an empty cache."""
    calibration = Calibration.model_validate_json(measured)
    forecast = predict(Recipe.model_validate_json(recipe), facts, ipc, method, calibration)
    return {name: phase.uncached for name, phase in forecast.phases.items()}
