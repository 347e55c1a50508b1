"""`/jobs/{id}`: one job, watched and then judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, final
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from api.dashboard import job_view, report_view
from api.dashboard.charts import Level, Plot, Series
from api.dashboard.continuing import continuing
from api.dashboard.rendering import page
from api.known_job import Known
from api.schemas import File, Job
from api.services import Services, ServicesDep
from core import ledger
from core.artifacts import layout
from core.data import DatasetInvalid, UnknownDataset
from core.ledger import Event, Status
from core.nouns import Kind as DataKind
from core.report import Report

STEP_SIZE: Final = "step_size"
BALANCED: Final = "validation_balanced_accuracy"
CURVES: Final = {
    "loss": ("Loss", False),
    "validation_accuracy": ("Validation accuracy", True),
    BALANCED: ("Balanced validation accuracy", True),
    STEP_SIZE: ("Learned step size", False),
}
"""The curves that are drawn at once, by the name of their metric: title, and whether they are shares."""

JUDGED: Final = "validation_accuracy"
"""The curve that accuracies of the report are drawn into."""

MOST_EVENTS: Final = 10_000
_TOLD: Final = 60
_MOVES: Final = (
    *("created", "started", "requeued", "pause_requested", "paused", "resumed", "finish_requested"),
    *("cancel_requested", "cancelled", "succeeded", "failed"),
)

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@final
@dataclass(frozen=True)
class Picture:
    """The synthetic images at an outer step."""

    step: int
    url: str


@router.get("/jobs/{id}")
def show_job(request: Request, services: ServicesDep, job: Known) -> Response:
    """How far it is, how it ended, what it has made; measurements for advice have a page of their own."""
    if job.kind != ledger.DISTILLATION:
        asked = {"dataset": job.dataset, "labels": str(job.request.get("labels", "hard"))}
        return RedirectResponse(f"/advice?{urlencode(asked)}", 303)
    events = services.ledger.events(job.id, 0, MOST_EVENTS, ("metric", "preview"))
    near = services.ledger.events(job.id, 0, MOST_EVENTS, ("neighbours",))
    stored = {file.name: file for file in services.ledger.files(job.id)} if job.status is Status.SUCCEEDED else {}
    found, shown = report_view.report_of(services, stored.get(layout.REPORT)), Job.of(job)
    report = found if isinstance(found, Report) else None
    return page(
        request,
        "job.html",
        job=shown,
        remaining=shown.progress and shown.progress.eta_seconds,
        timeline=job_view.timeline(shown),
        job_view=job_view,
        plots=plots(curves(shown), events, report_view.levels(report) if report else ()),
        pictures=pictures(job.id, events),
        neighbours=f"/v1/jobs/{job.id}/pictures/{near[-1].seq}" if near else None,
        continuing=continuing(shown),
        told=_latest(services, job),
        words=words,
        seq=max((event.seq for event in events), default=0),
        report=report,
        kind=report.kind if report else _kind(services, job.dataset),
        unread=found if isinstance(found, str) else None,
        sections=[(section, report_view.plot(section)) for section in report.sections()] if report else [],
        files=[File.of(job.id, file) for file in stored.values()],
        size=sum(file.bytes for file in stored.values()),
        snippet=report_view.snippet(report_view.text(services, stored.get(layout.CARD))),
        base=str(request.base_url).rstrip("/"),
    )


def _kind(services: Services, dataset: str) -> DataKind:
    with suppress(UnknownDataset, DatasetInvalid):
        return services.catalogue.facts(dataset).kind
    return "pictures"


def curves(job: Job) -> dict[str, tuple[str, bool]]:
    """Those of `CURVES` that a job can have: a method that learns no step size has none, and looks one measure."""
    recipe = job.recipe
    learns = recipe.get("objective", {}).get("kind") in ("trajectory", "performance")
    fixed = not learns or recipe.get("step_size", {}).get("lr") == 0
    left_out = {JUDGED if recipe.get("evaluation", {}).get("measure") == "balanced" else BALANCED}
    if fixed:
        left_out.add(STEP_SIZE)
    return {name: each for name, each in CURVES.items() if name not in left_out}


def plots(
    known: Mapping[str, tuple[str, bool]], events: Sequence[Event], levels: tuple[Level, ...]
) -> list[tuple[str, Plot]]:
    """The curves of a job by their metric: the `known` ones always, others where they have points.

    `levels` are validation accuracies to hold its own against. Jobs of old tell a step size that nothing learned.
    """
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in known}
    found |= {name: own for name, own in points(events).items() if name in known or name not in CURVES}
    return [(name, _plot(name, own, levels if name == JUDGED else ())) for name, own in found.items()]


def points(events: Sequence[Event]) -> dict[str, list[tuple[float, float]]]:
    """Step and value of every metric, in the order they came."""
    found: dict[str, list[tuple[float, float]]] = {}
    for event in events:
        match event.data:
            case {"name": str(name), "step": int(step), "value": int() | float() as value} if event.type == "metric":
                found.setdefault(name, []).append((step, value))
    return found


def _plot(name: str, points: Sequence[tuple[float, float]], levels: tuple[Level, ...]) -> Plot:
    title, percent = CURVES.get(name, (name.replace("_", " ").capitalize(), "accuracy" in name))
    return Plot(f"curve-{name}", title, "outer step", title, (Series.of(title, points),), percent, levels=levels)


def pictures(job_id: str, events: Sequence[Event]) -> list[Picture]:
    """The pictures by step; of two of the same step the later one, which a resumed attempt took."""
    found = {event.data["step"]: event.seq for event in events if event.type == "preview" and "sha256" in event.data}
    return [Picture(step, f"/v1/jobs/{job_id}/pictures/{seq}") for step, seq in sorted(found.items())]


def _latest(services: Services, job: ledger.Job) -> list[Event]:
    kinds = ("log", *(f"job.{move}" for move in _MOVES))
    return services.ledger.events(job.id, 0, MOST_EVENTS, kinds)[-_TOLD:]


def words(event: Event) -> str:
    """An event in a sentence."""
    data: dict[str, Any] = event.data
    return str(data.get("message") or data.get("reason") or (data.get("error") or {}).get("message") or "")
