"""The queue as those who wait in it see it: a job's place, and when a worker is expected to take it."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, final

from sqlalchemy import ColumnElement, Row, Select, Subquery, bindparam, func, literal, select
from sqlalchemy.orm import Session

from core.ledger import fairness
from core.ledger.models import JobRow, is_held, stands
from core.ledger.remaining import remaining
from core.ledger.types import Document, Status

FORESEEN: Final = 500
"""So many jobs of the queue have an expected start; those behind them have a place only."""


@final
@dataclass(frozen=True)
class Place:
    """A queued job's place, 1 for the next, and seconds until its expected start; None where nobody can tell."""

    number: int
    seconds: float | None


def places(session: Session, job_ids: Sequence[str], there: Sequence[Row[Any]]) -> dict[str, Place]:
    """The places of queued jobs, by id; `there` are the workers that are."""
    if not job_ids:
        return {}
    named = session.scalars(_NAMED).first() is not None
    queued = _queued(session) if named else _OF_ONE_OWNER
    rows = session.execute(_first(queued) if named else _FIRST_OF_ONE_OWNER, {"most": FORESEEN}).all()
    begin = starts(_free(session, there), [row[1] for row in rows])
    found = {row.id: Place(place, begin[place - 1]) for place, row in enumerate(rows, 1)}
    behind = [job_id for job_id in job_ids if job_id not in found]
    if behind:
        number = func.row_number().over(order_by=_order(queued)).label("number")
        ranked = select(queued.c.id, number).subquery()
        far = session.execute(select(ranked.c.id, ranked.c.number).where(ranked.c.id.in_(behind)))
        found |= {row.id: Place(row.number, None) for row in far}
    return found


def _queued(session: Session) -> Subquery:
    """The queued jobs with the turns in which their owners come."""
    own = JobRow.rank, JobRow.created_at, JobRow.id
    turn = fairness.turn(fairness.busy(session)) + func.row_number().over(partition_by=JobRow.owner, order_by=own)
    # the one of the owner's jobs that has waited longest when this one is next
    return _in_turns(turn, func.min(JobRow.created_at).over(partition_by=JobRow.owner, order_by=own, rows=(0, None)))


def _in_turns(turn: ColumnElement[int], oldest: ColumnElement[Any]) -> Subquery:
    expected = JobRow.forecast["seconds"]["expected"].as_float()
    sorting = JobRow.rank, JobRow.created_at, turn.label("turn"), oldest.label("oldest")
    columns = JobRow.id, expected.label("expected"), *sorting
    return select(*columns).where(stands(Status.QUEUED)).subquery()


def _order(queued: Subquery) -> tuple[ColumnElement[Any], ...]:
    return queued.c.turn, queued.c.oldest, queued.c.rank, queued.c.created_at, queued.c.id


def _first(queued: Subquery) -> Select[Any]:
    return select(queued.c.id, queued.c.expected).order_by(*_order(queued)).limit(bindparam("most"))


# To build a statement takes longer than SQLite does to answer it: those that are always the same are built once.
_NAMED: Final = select(JobRow.id).where(stands(Status.QUEUED), JobRow.owner != "").limit(1)
_OF_ONE_OWNER: Final = _in_turns(literal(0), literal(0))
_FIRST_OF_ONE_OWNER: Final = _first(_OF_ONE_OWNER)
_HELD_JOBS: Final = select(JobRow.worker_id, JobRow.status, JobRow.phase, JobRow.progress, JobRow.forecast).where(
    is_held(), JobRow.lease_expires_at.is_not(None)
)


def starts(free: Iterable[float], costs: Iterable[float | None]) -> list[float | None]:
    """When each job of a queue starts, if workers take them in order; None where that hangs on what nobody knows.

    Args:
        free: of each worker, seconds until it is free; infinite where nobody knows.
        costs: of each job, the seconds it is expected to take.
    """
    workers, begun = list(free), list[float | None]()
    heapq.heapify(workers)
    for cost in costs:
        at = workers[0] if workers else math.inf
        begun.append(at if math.isfinite(at) else None)
        if workers:
            heapq.heapreplace(workers, at + (math.inf if cost is None else cost))
    return begun


def _free(session: Session, there: Iterable[Row[Any]]) -> Iterator[float]:
    """Seconds until each worker is free: those that hold a job, and those that lately said they have none."""
    busy = set()
    for row in session.execute(_HELD_JOBS):
        busy.add(row.worker_id)
        yield 0.0 if row.status in (Status.PAUSING, Status.CANCELLING) else _left(row.phase, row.progress, row.forecast)
    yield from (0.0 for worker in there if worker.worker_id not in busy)


def _left(phase: str | None, progress: Document | None, forecast: Document | None) -> float:
    """Seconds until a running job is over; of one that has not said anything yet, its whole forecast."""
    left = remaining(phase, progress, forecast)
    if left is None and progress is None:
        left = ((forecast or {}).get("seconds") or {}).get("expected")
    return math.inf if left is None else float(left)
