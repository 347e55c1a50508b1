"""`/new`: a job is put together, priced and submitted; a plain form, which scripts only make livelier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fastapi import APIRouter, BackgroundTasks, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from api.dashboard.forms import Posted
from api.dashboard.job_form import PREFIX, JobForm, faults
from api.dashboard.recipe_form import spelled
from api.dashboard.rendering import page
from api.jobs import create_job
from api.problems import ProblemError
from api.services import Services, ServicesDep
from core import methods
from core.ledger import UnknownJob
from core.methods import Method
from core.recipe import FieldError

_ORDER: Final = ("selection", "distribution", "gradient", "trajectory", "performance", "statistics", "regression")

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/new")
def show_form(request: Request, services: ServicesDep) -> HTMLResponse:
    """The form, filled in by the address: a whole draft, or `from` a job that is to be changed."""
    fields = dict(request.query_params)
    try:
        draft = (
            JobForm.like(services.ledger.job(fields["from"]), services)
            if "from" in fields
            else JobForm.of(fields, services)
        )
    except UnknownJob:
        draft = JobForm.of({}, services)
    return _form(request, services, draft)


@router.post("/new")
def submit(request: Request, services: ServicesDep, posted: Posted, after: BackgroundTasks) -> Response:
    """Submit the draft: on to its job, or back to the form with what is wrong beside each field."""
    draft = JobForm.of(posted, services)
    try:
        job = create_job(services, Response(), after, draft.order())
    except ProblemError as problem:
        return _form(request, services, draft, faults(problem))
    return RedirectResponse(f"/jobs/{job.id}", 303)


def _form(
    request: Request, services: Services, draft: JobForm, found: Mapping[str, FieldError] | None = None
) -> HTMLResponse:
    forecast, wrong = (None, found) if found else draft.forecast(services)
    datasets = services.catalogue.list()
    chosen = next((facts for facts in datasets if facts.name == draft.dataset), None)
    return page(
        request,
        "new.html",
        422 if found else 200,
        draft=draft,
        forecast=forecast,
        faults=wrong,
        unplaced=_unplaced(draft, wrong),
        datasets=datasets,
        chosen=chosen,
        images=int(draft.ipc) * chosen.classes if chosen and draft.ipc.isdecimal() else None,
        families=families(),
        spelled=spelled,
        touched=_touched(draft, wrong),
        base=str(request.base_url).rstrip("/"),
    )


def families() -> dict[str, list[Method]]:
    """The methods by family, families in the order of the catalogue's modules."""
    found: dict[str, list[Method]] = {}
    for name in methods.names():
        method = methods.method(name)
        found.setdefault(method.family, []).append(method)
    return dict(sorted(found.items(), key=lambda family: _ORDER.index(family[0]) if family[0] in _ORDER else 99))


def _unplaced(draft: JobForm, wrong: Mapping[str, FieldError]) -> list[FieldError]:
    """The errors of fields that the form does not show."""
    shown = {"dataset", "method", "ipc", "seed"}
    shown |= {f"{PREFIX}{leaf.path}" for part in draft.parts for leaf in part.leaves}
    return [error for field, error in wrong.items() if field not in shown]


def _touched(draft: JobForm, wrong: Mapping[str, FieldError]) -> set[str]:
    """Paths of the recipe's fields that were changed or are at fault."""
    return {*draft.changes, *(field.removeprefix(PREFIX) for field in wrong)}
