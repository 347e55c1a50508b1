"""Statements of a page about a job that are no fields of it: the accuracy it has reached, its phases."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, final

from pydantic import ValidationError

from api.dashboard.figures import duration
from api.schemas import Job
from core.ledger import DISTILLATION
from core.plan.phases import PHASES as IN_ORDER
from core.report import Row
from core.request import Target

PHASES: Final = {name: name.replace("_", " ").capitalize() for name in IN_ORDER}
"""The phases in their order, as a person reads them."""

_LONGEST: Final = 150
"""Bytes of a title in a folder's name: no file system finds the whole too long."""


def title(job: Job) -> str:
    """The job's name if its client gave it one, else its dataset's, or that it is advice on it."""
    return job.metadata.get("name") or (job.dataset_title if distils(job) else f"Advice for {job.dataset_title}")


def distils(job: Job) -> bool:
    """Whether the job makes images: none of what measures for advice can be compared, or asked for on the form."""
    return job.kind == DISTILLATION


def size(job: Job) -> str:
    """Its images per class; of one that still looks for the fewest that reach a target, that it does."""
    target = job.request.get("target")
    if target and job.status != "succeeded":
        return f"as few as reach {Target.model_validate(target)}"
    return f"{job.ipc or 0:,}"


def tags(job: Job) -> dict[str, str]:
    """The words of its metadata beside its name."""
    return {key: value for key, value in job.metadata.items() if key != "name"}


def folder(job: Job) -> str:
    """A name for a folder with its result, whatever characters the dataset's title has."""
    title = job.dataset_title.encode()[:_LONGEST].decode(errors="ignore")
    return re.sub(r"[^\w.]+", "-", f"{title}-{job.method}-{job.ipc}").strip("-.")


def start(job: Job) -> str:
    """When a queued job is expected to start, after a comma; nothing where nobody can tell."""
    if job.queue_seconds is None or job.waits_for:
        return ""
    return f", starts in about {duration(job.queue_seconds)}" if job.queue_seconds >= 1 else ", starts soon"


def reached(job: Job) -> Row | None:
    """The line of the images by the job's metrics, balanced where it matters; None where they tell of none."""
    metrics = job.metrics or {}
    match metrics.get("results"):
        case {"distilled": {"accuracy_mean": int() | float()} as found}:
            unequal = (metrics.get("majority") or {}).get("unequal")
        case _:
            return None
    try:
        return Row.model_validate(found if unequal else {**found, "balanced_accuracy_mean": None})
    except ValidationError:  # of an engine of another time: its numbers are in the job's JSON all the same
        return None


def phase(name: str | None) -> str:
    """The phase in words."""
    return PHASES.get(name or "", (name or "starting").replace("_", " ").capitalize())


@final
@dataclass(frozen=True)
class Stretch:
    """One phase of a timeline: seconds it was expected to take and took, and how it stands."""

    name: str
    state: str
    """`done`, `now`, `ahead` or `stopped`."""
    took: float | None
    expected: float | None
    low: float | None
    high: float | None
    done: float | None
    total: float | None
    skipped: float | None


def timeline(job: Job) -> list[Stretch]:
    """The phases that have been, are and are foreseen, in order."""
    begun = job.progress.phases if job.progress else {}
    foreseen: Mapping[str, Any] = job.forecast.phases if job.forecast else {}
    now = job.progress.phase if job.progress else None
    running = job.status in ("running", "pausing", "cancelling")
    stretches = []
    for name in PHASES:
        if name not in begun and (name not in foreseen or job.status == "succeeded"):
            continue
        part, estimate = begun.get(name), foreseen.get(name)
        if part is None:
            state = "ahead"
        elif name != now or job.status == "succeeded":
            state = "done"
        else:
            state = "now" if running else "stopped"
        stretches.append(
            Stretch(
                name=name,
                state=state,
                took=part.seconds if part else None,
                expected=estimate.expected if estimate else None,
                low=estimate.low if estimate else None,
                high=estimate.high if estimate else None,
                done=part.done if part else None,
                total=part.total if part else None,
                skipped=part.skipped if part else None,
            )
        )
    return stretches
