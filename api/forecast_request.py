"""Whose hardware a forecast speaks of, and the forecast."""

from __future__ import annotations

from collections import Counter
from typing import Any

import structlog
from pydantic import ValidationError

from api.problems import invalid
from api.services import Services
from api.submission import Prepared
from core.forecast import Calibration, Forecast, beyond, forecast_job
from core.request import ENGINE_VERSION

log = structlog.stdlib.get_logger(__name__)


def forecast_request(services: Services, ready: Prepared) -> Forecast:
    """The forecast of a request's cost on the hardware most workers have.

    Raises:
        ProblemError: INVALID_REQUEST, it is beyond the memory of every one of them.
    """
    ipc, method, known = ready.request["ipc"], ready.request["method"], _calibrations(services)
    if errors := beyond(ready.recipe, ready.facts, ipc, known):
        raise invalid(errors)
    common = Counter(found.key for found in known).most_common(1)
    alike = [found for found in known if found.key == common[0][0]] if common else []
    quietest = min(alike, key=lambda found: found.others or 0.0, default=None)
    return forecast_job(services.ledger, ready.recipe, ready.facts, ipc, method, quietest, services.catalogue.facts)


def _calibrations(services: Services) -> list[Calibration]:
    """The calibrations of the workers that are there; if there is none, of those that were there lately."""
    for seen_within in (services.settings.lease_ttl, None):
        known = [found for worker in services.ledger.workers(seen_within) if (found := _read(worker.calibration))]
        if known:
            return known
    return []


def _read(document: dict[str, Any] | None) -> Calibration | None:
    """None for a worker that has not measured, or runs another version of the engine."""
    if document is None:
        return None
    try:
        found = Calibration.model_validate(document)
    except ValidationError:
        return None
    return found if found.engine == ENGINE_VERSION else None
