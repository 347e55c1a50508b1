"""`/jobs/{id}`: one job, watched and then judged."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.dashboard.rendering import page
from api.house import Here
from api.jobs import Known
from api.schemas import File, Job
from core.ledger import Status

_LAST_EVENTS: Final = 20

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/jobs/{id}")
def show_job(request: Request, house: Here, job: Known) -> HTMLResponse:
    """How far it is, how it ended, what it has made."""
    files = house.ledger.files(job.id) if job.status is Status.SUCCEEDED else []
    events = house.ledger.events(job.id, limit=10_000)[-_LAST_EVENTS:]
    shown = [File.of(job.id, file) for file in files]
    return page(request, "job.html", job=Job.of(job), files=shown, events=events)
