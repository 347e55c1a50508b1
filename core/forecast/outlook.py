"""A forecast from the ledger's memory: the calibration of a worker, and the jobs that ran under its conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.data import DatasetFacts
from core.forecast import history
from core.forecast.calibration import Calibration
from core.forecast.predict import Forecast, predict
from core.recipe import Recipe

if TYPE_CHECKING:  # the engine prices its work, too, and has no database
    from core.ledger import Ledger


def outlook(
    ledger: Ledger, recipe: Recipe, facts: DatasetFacts, ipc: int, method: str, calibration: Calibration | None
) -> Forecast:
    """What a job will cost on the hardware of this calibration."""
    past = ledger.jobs_under(calibration.key) if calibration else []
    read = [history.read(job.id, job.method, job.forecast or {}, job.progress or {}) for job in past]
    return predict(recipe, facts, ipc, method, calibration, read)
