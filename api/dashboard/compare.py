"""`/compare`: two to six jobs beside each other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, final

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from api.dashboard import job_view, report_view
from api.dashboard.charts import Level, Plot, Series
from api.dashboard.job import CURVES, JUDGED, MOST_EVENTS, Picture, curves, pictures, points
from api.dashboard.recipe_diff import difference
from api.dashboard.rendering import page
from api.schemas import Job
from api.services import Services, ServicesDep
from api.shown_jobs import shown
from core import ledger
from core.artifacts import layout
from core.ledger import DISTILLATION, UnknownJob
from core.report import Majority, Report, Row

LEAST: Final = 2
MOST: Final = 6
_SUGGESTED: Final = 12

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@final
@dataclass(frozen=True)
class Rival:
    """A job as it is compared."""

    name: str
    job: Job
    lines: dict[str, Row]
    bytes: int | None
    seconds: float | None
    pictures: list[Picture]
    curves: dict[str, Series]
    levels: tuple[Level, ...]
    largest: Majority | None

    @property
    def accuracy(self) -> float | None:
        """The mean test accuracy of its images."""
        found = self.lines.get("distilled")
        return found.accuracy_mean if found else None

    @property
    def loss(self) -> str:
        """The kind of its loss: what is compared with what."""
        return str(self.job.recipe.get("objective", {}).get("kind", ""))


@router.get("/compare")
def compare(
    request: Request,
    services: ServicesDep,
    job: Annotated[list[str] | None, Query(max_length=50)] = None,
    sort: str = "",
) -> HTMLResponse:
    """Curves over each other, pictures side by side, a table, and accuracy against bytes."""
    asked = list(dict.fromkeys(job or ()))
    missing: list[str] = []
    advice: list[ledger.Job] = []
    found: list[ledger.Job] = []
    for job_id in asked[:MOST]:
        try:
            each = services.ledger.job(job_id)
        except UnknownJob:
            missing.append(job_id)
        else:
            (found if each.kind == DISTILLATION else advice).append(each)
    finished = services.ledger.jobs(status="succeeded", limit=5 * _SUGGESTED)
    rivals = [_rival(services, place, shown(each)) for place, each in enumerate(found, 1)]
    scatter = [series for each in rivals if (series := _point(each))]
    return page(
        request,
        "compare.html",
        rivals=sorted(rivals, key=_ORDERS[sort]) if sort in _ORDERS else rivals,
        named=rivals,
        missing=missing,
        advice=advice,
        left_out=max(0, len(asked) - MOST),
        few=len(rivals) < LEAST,
        sort=sort,
        plots=_plots(rivals) if len(rivals) >= LEAST else [],
        scatter=Plot("scatter", "Accuracy against size", "Size, kB", "Test accuracy", tuple(scatter), True, True)
        if len(scatter) >= LEAST
        else None,
        difference=difference([{"seed": each.job.seed, **each.job.recipe} for each in rivals]),
        suggestions=[shown(each) for each in finished if each.kind == DISTILLATION][:_SUGGESTED],
    )


_ORDERS: Final[dict[str, Any]] = {
    "job": lambda rival: job_view.title(rival.job).lower(),
    "dataset": lambda rival: (rival.job.dataset_title, rival.job.ipc),
    "method": lambda rival: rival.job.method,
    "ipc": lambda rival: rival.job.ipc,
    "accuracy": lambda rival: -(rival.accuracy or 0.0),
    "bytes": lambda rival: (rival.bytes is None, rival.bytes),
    "seconds": lambda rival: (rival.seconds is None, rival.seconds),
}


def _rival(services: Services, place: int, job: Job) -> Rival:
    file = services.ledger.file(job.id, layout.REPORT) if job.status == "succeeded" else None
    found = report_view.report_of(services, file)
    report = found if isinstance(found, Report) else None
    events = services.ledger.events(job.id, 0, MOST_EVENTS, ("metric", "preview"))
    name = f"{place}. {job.metadata.get('name') or f'{job.dataset_title} {job.method} ipc {job.ipc}'}"
    reached = job_view.reached(job)
    return Rival(
        name=name,
        job=job,
        lines=report.lines if report else {"distilled": reached} if reached else {},
        bytes=report.compression.bytes_after if report and report.compression else None,
        seconds=(job.metrics or {}).get("seconds"),
        pictures=pictures(job.id, events),
        curves={metric: Series.of(name, each) for metric, each in points(events).items() if metric in curves(job)},
        levels=report_view.levels(report) if report else (),
        largest=report.largest if report else None,
    )


def _point(rival: Rival) -> Series | None:
    """Where a job stands in accuracy against size, with its place as the label and the interval of its mean."""
    line = rival.lines.get("distilled")
    if line is None or rival.bytes is None:
        return None
    interval = line.interval
    reach = (interval.low, interval.high) if interval and interval.low is not None else None
    return Series(rival.name, ((rival.bytes / 1000, line.accuracy_mean),), rival.name.partition(".")[0], reach)


def _plots(rivals: list[Rival]) -> list[Plot]:
    """A plot for each metric; losses of another kind are other numbers, and have an axis of their own."""
    found = []
    for metric, (title, percent) in CURVES.items():
        drawn = [each for each in rivals if metric in each.curves and each.curves[metric].points]
        kinds = dict.fromkeys(each.loss if metric == "loss" else "" for each in drawn)
        for kind in kinds:
            its = [each if each in drawn and kind in ("", each.loss) else None for each in rivals]
            series = tuple(
                each.curves[metric] if each else Series(rival.name, ()) for each, rival in zip(its, rivals, strict=True)
            )
            several = len(kinds) > 1
            name = f"{title} of {kind} matching" if several and kind else title
            key = f"curve-{metric}-{kind}" if several else f"curve-{metric}"
            levels = _levels(rivals) if metric == JUDGED else ()
            found.append(Plot(key, name, "outer step", name, series, percent, levels=levels))
    return found


def _levels(rivals: list[Rival]) -> tuple[Level, ...]:
    """The levels of all jobs; what is the same for several is drawn once, with the places of those it is of."""
    whose: dict[Level, list[str]] = {}
    for place, each in enumerate(rivals, 1):
        for level in each.levels:
            whose.setdefault(level, []).append(str(place))
    return tuple(
        level if len(places) == len(rivals) else replace(level, name=f"{level.name} ({', '.join(places)})")
        for level, places in whose.items()
    )
