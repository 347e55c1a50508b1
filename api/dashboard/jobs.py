"""`/`: the jobs, filtered by what the address says, page by page; and what can be done to one of them."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, BackgroundTasks, Query, Request, Response
from fastapi.responses import HTMLResponse

from api.dashboard import job_view
from api.dashboard.forms import back
from api.dashboard.rendering import page
from api.jobs import Known, cancel_job, list_jobs, retry_job
from api.services import ServicesDep
from core import methods
from core.ledger import Status

SHOWN: Final = 40

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

Filter = Annotated[str, Query(max_length=200)]


@router.get("/")
def show_jobs(
    request: Request,
    services: ServicesDep,
    status: Filter = "",
    dataset: Filter = "",
    method: Filter = "",
    q: Filter = "",
    after: Annotated[str, Query(max_length=2000)] = "",
) -> HTMLResponse:
    """A page of the list."""
    known = next((each for each in Status if each == status), None)
    found = list_jobs(services, known, dataset or None, method or None, q.strip() or None, SHOWN, after or None)
    chosen = {"status": known or "", "dataset": dataset, "method": method, "q": q.strip()}

    def address(**changes: str) -> str:
        query = {name: value for name, value in (chosen | changes).items() if value}
        return f"/?{urlencode(query)}" if query else "/"

    counts = services.ledger.counts()
    return page(
        request,
        "jobs.html",
        jobs=found.items,
        counts=counts,
        chosen=chosen,
        address=address,
        older=address(after=found.next) if found.next else None,
        paged=bool(after),
        filtered=any(chosen.values()),
        datasets=services.catalogue.list(),
        methods=methods.names(),
        active=counts["queued"] + counts["running"] + counts["cancelling"],
        job_view=job_view,
    )


@router.post("/jobs/{id}/cancel")
def cancel(request: Request, services: ServicesDep, job: Known) -> Response:
    """Cancel the job, and back to where the button was."""
    cancel_job(services, job, Response())
    return back(request, f"/jobs/{job.id}")


@router.post("/jobs/{id}/retry")
def retry(request: Request, services: ServicesDep, job: Known, after: BackgroundTasks) -> Response:
    """Queue the job again, and back to where the button was."""
    retry_job(services, job, Response(), after)
    return back(request, f"/jobs/{job.id}")
