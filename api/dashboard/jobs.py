"""`/`: the jobs, filtered by what the address says, page by page; and what can be done to one of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, BackgroundTasks, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from api.dashboard import job_view
from api.dashboard.forms import back
from api.dashboard.rendering import page
from api.job_requests import cancel_job, delete_job, finish_job, pause_job, resume_job, retry_job
from api.known_job import Known
from api.listing import listed
from api.services import ServicesDep
from core import methods
from core.advice.order import KIND
from core.ledger import Filters, Sort, Status
from core.metadata import MOST_METADATA

SHOWN: Final = 40

SORTS: Final[Mapping[Sort, str]] = {
    "newest": "Newest first",
    "oldest": "Oldest first",
    "accuracy": "Most accurate first",
    "ipc": "Fewest images first",
}
"""The orders of the list, as a person reads them."""

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
    tag: Annotated[list[str] | None, Query(max_length=MOST_METADATA)] = None,
    sort: Filter = "",
    after: Annotated[str, Query(max_length=2000)] = "",
) -> HTMLResponse:
    """A page of the list; a `tag` is KEY=VALUE, a word of the metadata that the jobs have."""
    known = next((each for each in Status if each == status), None)
    order: Sort = next((each for each in SORTS if each == sort), "newest")
    tags = {key: value for key, equals, value in (each.partition("=") for each in tag or ()) if equals}
    filters = Filters(known, dataset or None, method or None, q.strip() or None, tags)
    found = listed(services, filters, order, SHOWN, after or None)
    chosen = {"status": known or "", "dataset": dataset, "method": method, "q": q.strip(), "tag": tags}
    sorting = "" if order == "newest" else order

    def address(**changes: Any) -> str:
        query = chosen | {"sort": sorting} | changes
        query["tag"] = [f"{key}={value}" for key, value in query["tag"].items()]
        given = {name: value for name, value in query.items() if value}
        return f"/?{urlencode(given, doseq=True)}" if given else "/"

    counts = services.ledger.counts()
    return page(
        request,
        "jobs.html",
        jobs=found.items,
        counts=counts,
        chosen=chosen,
        sorts=SORTS,
        sort=order,
        address=address,
        older=address(after=found.next) if found.next else None,
        paged=bool(after),
        filtered=any(chosen.values()),
        datasets=services.catalogue.list(),
        methods=[*methods.all_names(), KIND],
        active=counts["queued"] + counts["running"] + counts["pausing"] + counts["cancelling"],
        job_view=job_view,
    )


@router.post("/jobs/{id}/cancel")
def cancel(request: Request, services: ServicesDep, job: Known) -> Response:
    """Cancel the job, and back to where the button was."""
    cancel_job(services, job, Response())
    return back(request, f"/jobs/{job.id}")


@router.post("/jobs/{id}/pause")
def pause(request: Request, services: ServicesDep, job: Known) -> Response:
    """Pause the job, and back to where the button was."""
    pause_job(services, job, Response())
    return back(request, f"/jobs/{job.id}")


@router.post("/jobs/{id}/resume")
def resume(request: Request, services: ServicesDep, job: Known, after: BackgroundTasks) -> Response:
    """Queue the paused job again, and back to where the button was."""
    resume_job(services, job, Response(), after)
    return back(request, f"/jobs/{job.id}")


@router.post("/jobs/{id}/finish")
def finish(request: Request, services: ServicesDep, job: Known, after: BackgroundTasks) -> Response:
    """Have the job end with what it has, and back to where the button was."""
    finish_job(services, job, Response(), after)
    return back(request, f"/jobs/{job.id}")


@router.post("/jobs/{id}/delete")
def delete(services: ServicesDep, job: Known) -> Response:
    """Delete the job, and on to those that are left."""
    delete_job(services, job)
    return RedirectResponse("/", 303)


@router.post("/jobs/{id}/retry")
def retry(request: Request, services: ServicesDep, job: Known, after: BackgroundTasks) -> Response:
    """Queue the job again, and back to where the button was."""
    retry_job(services, job, Response(), after)
    return back(request, f"/jobs/{job.id}")
