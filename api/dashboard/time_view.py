"""The use of more time: the same job within one time after the other, as its forecasts have it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, final

from api.dashboard.job_form import JobForm
from api.forecast_request import forecast_request
from api.problems import ProblemError
from api.services import Services
from api.submission import Prepared, prepare
from core.durations import seconds_of
from core.forecast import Forecast

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
        yield Bought(within, found.within.given_up, making, round(100 * making / sum(phases.values()), 1), None)
        if not found.within.given_up:
            return
