"""What a browser sees: the newest jobs, one job, the kinds of problems, the reference. HTML without scripts."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api import reference
from api.health import VERSION
from api.house import Here
from api.jobs import Known
from api.problems import Kind
from api.schemas import File, Job
from core.ledger import Status

_HERE: Final = Path(__file__).parent / "dashboard"
_SHOWN: Final = 50
_LAST_EVENTS: Final = 20

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
static = StaticFiles(directory=_HERE / "static")

_templates = Environment(loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined)
_templates.filters["moment"] = lambda at: f"{at:%Y-%m-%d %H:%M:%S} UTC" if isinstance(at, datetime) else "never"
_templates.filters["prose"] = reference.prose
_templates.globals["version"] = VERSION


@router.get("/")
def show_jobs(house: Here) -> HTMLResponse:
    """The newest jobs."""
    jobs = [Job.of(job) for job in house.ledger.jobs(limit=_SHOWN)]
    return _page("jobs.html", jobs=jobs, counts=house.ledger.counts())


@router.get("/jobs/{id}")
def show_job(house: Here, job: Known) -> HTMLResponse:
    """One job: how far it is, how it ended, what it has made."""
    files = house.ledger.files(job.id) if job.status is Status.SUCCEEDED else []
    events = house.ledger.events(job.id, limit=10_000)[-_LAST_EVENTS:]
    return _page("job.html", job=Job.of(job), files=[File.of(job.id, file) for file in files], events=events)


@router.get("/problems")
def show_problems() -> HTMLResponse:
    """Every kind of problem document."""
    return _page("problems.html", kinds=sorted(Kind, key=lambda kind: (kind.status, kind.slug)))


@router.get("/docs")
def show_reference(request: Request) -> HTMLResponse:
    """The reference of the API."""
    document = request.app.openapi()
    return _page(
        "docs.html",
        description=document["info"]["description"],
        groups=reference.groups(document),
        objects=reference.objects(document),
        base=str(request.base_url).rstrip("/"),
    )


def _page(template: str, **content: Any) -> HTMLResponse:
    return HTMLResponse(_templates.get_template(template).render(content))
