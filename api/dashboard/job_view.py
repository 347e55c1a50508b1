"""Statements of a page about a job that are no fields of it: the accuracy it has reached so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, final

from api.schemas import Job
from core.plan.phases import PHASES as IN_ORDER

PHASES: Final = {name: name.replace("_", " ").capitalize() for name in IN_ORDER}
"""The phases in their order, as a person reads them."""


@final
@dataclass(frozen=True)
class Accuracy:
    """Mean test accuracy of fresh networks, and its standard deviation where there were several.

    `balanced` counts every class alike; it is there where the test classes are of unequal size.
    """

    mean: float
    std: float | None
    balanced: float | None = None


def accuracy(job: Job, line: str = "distilled") -> Accuracy | None:
    """The accuracy of a line of the report by the job's metrics; None while they do not have it."""
    found = ((job.metrics or {}).get("results") or {}).get(line)
    if not isinstance(found, Mapping) or not isinstance(found.get("accuracy_mean"), int | float):
        return None
    several = (found.get("n_seeds") or 0) > 1
    unequal = ((job.metrics or {}).get("majority") or {}).get("unequal")
    balanced = found.get("balanced_accuracy_mean") if unequal else None
    return Accuracy(found["accuracy_mean"], found.get("accuracy_std") if several else None, balanced)


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
    running = job.status in ("running", "cancelling")
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
