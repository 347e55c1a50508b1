"""Whose hardware a forecast speaks of, and the forecast."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import structlog
from pydantic import ValidationError

from api.aims import aimed, check_reference
from api.problems import invalid
from api.services import Services
from api.submission import Prepared
from core.budget import TooShort
from core.durations import written
from core.forecast import LONG, Calibration, Forecast, beyond, fitted_job, forecast_job, offered
from core.recipe import FieldError, RecipeError
from core.request import ENGINE_VERSION, MAX_WITHIN, JobRequest

_FITTING = threading.Semaphore(os.cpu_count() or 1)
"""As many recipes are fitted at once as there are processors: more would only keep writers waiting for theirs."""

log = structlog.stdlib.get_logger(__name__)


def forecast_request(services: Services, ready: Prepared) -> Forecast:
    """The forecast of a request's cost on the hardware most workers have.

    Raises:
        ProblemError: as of `fitted_request`.
    """
    return fitted_request(services, ready)[1]


def fitted_request(services: Services, ready: Prepared) -> tuple[Prepared, Forecast]:
    """The request with the recipe that ends in the time it asks for, if it does, on the hardware most workers have.

    Raises:
        ProblemError: INVALID_REQUEST, it is beyond the memory of every one of them, nothing ends in that time, or its
            target is beyond what everything reaches.
    """
    ready = aimed(services, ready)
    request, known = JobRequest.model_validate(ready.request), _calibrations(services)
    job, facts = (ready.facts, request.ipc, request.method), services.catalogue.facts
    quietest = _of_most(known)
    if not request.within:
        _check_room(ready, known)
        forecast = forecast_job(services.ledger, ready.recipe, *job, quietest, facts, request.seed)
        if quietest is not None and forecast.seconds is not None and forecast.seconds.expected > LONG:
            cheaper = offered(ready.recipe, *job, quietest, request.fixed)
            if cheaper.seconds < forecast.seconds.expected:
                forecast = forecast.model_copy(update={"cheaper": cheaper})
        return ready, forecast
    if request.within > services.settings.job_timeout:
        told = f"No attempt at a job may run longer than {services.settings.job_timeout:g} seconds here."
        most = written(int(services.settings.job_timeout))
        raise invalid([FieldError("within", told, f"Set within to at most '{most}'.")])
    try:
        with _FITTING:
            recipe, forecast = fitted_job(
                *(services.ledger, ready.recipe, *job, quietest, facts),
                *(request.within, request.fixed, request.target),
                soft=request.labels == "soft",
                seed=request.seed,
            )
    except TooShort as error:
        longest = min(int(services.settings.job_timeout), MAX_WITHIN)
        if error.enough <= longest:
            raise invalid(error.errors) from None
        dear = f"No job may take more than '{written(longest)}' here: lower ipc, change less, or name another method."
        raise invalid([replace(each, fix=dear) for each in error.errors]) from None
    except RecipeError as error:
        raise invalid(error.errors) from None
    check_reference(services, ready, recipe)
    fitted = replace(ready, recipe=recipe)
    _check_room(fitted, known)
    return fitted, forecast


def _check_room(ready: Prepared, known: Sequence[Calibration]) -> None:
    if errors := beyond(ready.recipe, ready.facts, ready.request["ipc"], known):
        raise invalid(errors)


def hardware(services: Services) -> Calibration | None:
    """The quietest measurement of the hardware that most workers have; None before one has calibrated."""
    return _of_most(_calibrations(services))


def _of_most(known: Sequence[Calibration]) -> Calibration | None:
    """The quietest measurement of the hardware that most workers have."""
    common = Counter(found.key for found in known).most_common(1)
    alike = [found for found in known if found.key == common[0][0]] if common else []
    return min(alike, key=lambda found: found.others or 0.0, default=None)


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
