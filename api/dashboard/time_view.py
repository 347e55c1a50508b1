"""The use of more time: the same job within one time after the other, as its forecasts have it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final, Self, final

from api.dashboard.job_form import JobForm
from api.forecast_request import forecast_request, hardware
from api.problems import ProblemError
from api.services import Services
from api.submission import Prepared, prepare
from core.data import DatasetFacts
from core.durations import seconds_of
from core.forecast import Calibration, Forecast, raced_job
from core.methods import AUTO
from core.recipe import Recipe
from core.request import JobRequest

TIMES: Final = ("2m", "5m", "10m", "20m", "1h", "3h", "10h")
"""The times that are offered, each as it is written."""

_BESIDE: Final = ("preparing", "evaluating", "publishing")


@final
@dataclass(frozen=True)
class Bought:
    """A time, and what a job can do in it."""

    within: str
    given_up: tuple[str, ...]
    making: float
    """Seconds of it in which the images are made, as expected: neither prepared nor judged."""
    share: float
    """The same in percent of the whole job."""
    fault: str | None
    """Why the job does not end in that time."""
    tried: tuple[str, ...] = ()
    """The methods that a search tries, if it is one."""
    chosen: bool = False
    """Whether it is what the time of the form buys, at least."""


def bought(form: JobForm, services: Services) -> list[Bought]:
    """The times in order, as far as a longer one buys more; none while the form is at fault in something else."""
    try:
        asked = replace(form, entries={**form.entries, "within": ""}).order()
        ready = prepare(asked, services.catalogue)
    except ProblemError:
        return []
    found, time = list(_each(ready, services)), form.entries["within"]
    with suppress(ValueError):
        enough = [place for place, each in enumerate(found) if time and seconds_of(each.within) <= seconds_of(time)]
        if enough:
            found[enough[-1]] = replace(found[enough[-1]], chosen=True)
    return found


def _each(ready: Prepared, services: Services) -> Iterator[Bought]:
    searching = ready.request["method"] == AUTO
    for within in TIMES:
        request = {**ready.request, "within": seconds_of(within)}
        try:
            found: Forecast = forecast_request(services, replace(ready, request=request))
        except ProblemError as problem:
            yield Bought(within, (), 0.0, 0.0, " ".join(error.message for error in problem.errors))
            continue
        assert found.within is not None, "it was asked for"
        phases = found.within.phases
        making = sum(seconds for name, seconds in phases.items() if name not in _BESIDE)
        share = round(100 * making / sum(phases.values()), 1)
        tried = _tried(_Race.of(ready, hardware(services), request["within"])) if searching else ()
        yield Bought(within, found.within.given_up, making, share, None, tried)
        if not found.within.given_up and not searching:
            return  # a search goes on as long as there is time


@final
@dataclass(frozen=True)
class _Race:
    """A search within a time; equal ones have equal keys."""

    key: tuple[str, ...]
    recipe: Recipe = field(compare=False)
    facts: DatasetFacts = field(compare=False)
    request: JobRequest = field(compare=False)
    calibration: Calibration | None = field(compare=False)

    @classmethod
    def of(cls, ready: Prepared, calibration: Calibration | None, within: int) -> Self:
        request = JobRequest.model_validate({**ready.request, "within": within})
        place = calibration.name if calibration else ""
        key = (request.model_dump_json(), ready.facts.digest or "", place)
        return cls(key, ready.recipe, ready.facts, request, calibration)


@lru_cache(maxsize=256)
def _tried(race: _Race) -> tuple[str, ...]:
    """Names of the methods that can finish; the page asks for them again with every key that is pressed."""
    asked = race.request
    of, soft = (race.recipe, race.facts, asked.ipc, race.calibration, ()), asked.labels == "soft"
    _, found = raced_job(*of, asked.within, asked.fixed, soft=soft)
    return tuple(candidate.name for candidate in found.candidates)
