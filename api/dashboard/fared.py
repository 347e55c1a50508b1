"""Results of finished jobs beside what was advised on their datasets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, final

from api.measurements import measured_of
from api.services import Services
from core import ledger
from core.advice.hits import Hit, compared
from core.advice.measured import Measured
from core.advice.model import Model
from core.advice.order import KIND
from core.artifacts.advice import ADVICE

_DATASETS: Final = 20
_JOBS: Final = 100


@final
@dataclass(frozen=True)
class Fared:
    """A line of a finished job's report and what was advised of it."""

    job: ledger.Job
    hit: Hit


def fared(services: Services) -> list[Fared]:
    """The newest jobs on datasets with measurements, as far as these speak of what the jobs did."""
    found: list[Fared] = []
    seen: set[str] = set()
    for advice in services.ledger.jobs(status="succeeded", method=KIND, limit=_DATASETS):
        if advice.dataset in seen or advice.request.get("labels") != "hard":
            continue
        seen.add(advice.dataset)
        file = next((each for each in services.ledger.files(advice.id) if each.name == ADVICE), None)
        measured = file and measured_of(services, file)
        model = measured and _model(advice.id, measured.model_dump_json())
        if not measured or not model:
            continue
        for job in services.ledger.jobs(status="succeeded", dataset=advice.dataset, limit=_JOBS):
            if len({advice.dataset_digest, job.dataset_digest} - {None}) > 1:  # other content under the same name
                continue
            results = (job.metrics or {}).get("results") or {}
            hits = compared(measured, model, job.method, job.ipc, job.recipe, results)
            found += [Fared(job, hit) for hit in hits]
    return found


@lru_cache(maxsize=_DATASETS)
def _model(job_id: str, measured: str) -> Model | None:
    return Model.of(Measured.model_validate_json(measured))
