"""Reading jobs and their files; a client's cancel and retry."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Select, func, or_, select, tuple_
from sqlalchemy.orm import Session

from core.ids import is_id
from core.ledger import clock, transitions
from core.ledger.models import FileRow, JobRow, stands
from core.ledger.transitions import Move
from core.ledger.types import File, IllegalTransition, Job, Status, UnknownJob

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""What no text column holds: neither database takes half a surrogate pair, PostgreSQL takes no NUL."""


def views(session: Session, rows: Iterable[JobRow]) -> list[Job]:
    """The rows as values, with the places of the queued ones; at most one statement."""
    rows = list(rows)
    places = _places(session, [row.id for row in rows if row.status is Status.QUEUED])
    return [_view(row, places.get(row.id)) for row in rows]


def view(session: Session, row: JobRow) -> Job:
    """One row as a value."""
    return views(session, [row])[0]


def get(session: Session, job_id: str) -> Job:
    """The job of this id. Raises UnknownJob."""
    row = session.get(JobRow, job_id) if is_id("job", job_id) else None
    if row is None:
        raise UnknownJob(job_id)
    return view(session, row)


def lock(session: Session, job_id: str) -> JobRow:
    """The job's row, locked until the transaction ends. Raises UnknownJob."""
    row = session.get(JobRow, job_id, with_for_update=True) if is_id("job", job_id) else None
    if row is None:
        raise UnknownJob(job_id)
    return row


def page(
    session: Session,
    status: str | None,
    dataset: str | None,
    method: str | None,
    q: str | None,
    limit: int,
    after: tuple[datetime, str] | None,
) -> list[Job]:
    """Jobs, newest first, that match every filter given and come after the one created at `after`."""
    if not all(_storable(word) for word in (status, dataset, method, q)):
        return []
    statement = select(JobRow).order_by(JobRow.created_at.desc(), JobRow.id.desc()).limit(limit)
    if status is not None:
        if status not in set(Status):
            return []
        statement = statement.where(stands(Status(status)))
    if dataset is not None:
        statement = statement.where(JobRow.dataset == dataset)
    if method is not None:
        statement = statement.where(JobRow.method == method)
    if q:
        words = (column.icontains(q, autoescape=True) for column in (JobRow.id, JobRow.dataset, JobRow.method))
        statement = statement.where(or_(*words))
    if after is not None:
        statement = statement.where(tuple_(JobRow.created_at, JobRow.id) < after)
    return views(session, session.scalars(statement))


def counts(session: Session) -> dict[str, int]:
    """How many jobs stand where; every status is named."""
    found = {status.value: 0 for status in Status}
    for status, number in session.execute(select(JobRow.status, func.count()).group_by(JobRow.status)):
        found[status.value] = number
    return found


def files(session: Session, job_id: str) -> list[File]:
    """The artifact's files by name."""
    rows = session.scalars(select(FileRow).where(FileRow.job_id == job_id).order_by(FileRow.name))
    return sorted((_file(row) for row in rows), key=lambda file: file.name)


def file(session: Session, job_id: str, name: str) -> File | None:
    """The artifact's file of this name, if it has one."""
    row = session.get(FileRow, (job_id, name)) if is_id("job", job_id) and _storable(name) else None
    return None if row is None else _file(row)


def request_cancel(session: Session, job_id: str) -> Job:
    """Cancel a queued job; ask the worker of a running one to stop. Asking twice is asking once."""
    row = lock(session, job_id)
    if row.status not in (Status.CANCELLING, Status.CANCELLED):
        transition = transitions.destination(row, Move.CANCEL)
        now = clock.now(session)
        row.cancel_requested_at = now
        transitions.apply(session, row, transition, now)
        session.flush()
    return view(session, row)


def retry(session: Session, job_id: str) -> Job:
    """Queue a failed or cancelled job again, keeping its attempt number and checkpoint."""
    row = lock(session, job_id)
    transition = transitions.destination(row, Move.RETRY)
    twin = open_twin(session, row.fingerprint)
    if twin is not None:
        raise IllegalTransition(
            f"Job {row.id} cannot retry: job {twin.id} asks for the same and is {twin.status.value}; wait for that one."
        )
    row.losses = 0
    row.progress = row.metrics = row.error = None
    row.started_at = row.finished_at = row.cancel_requested_at = row.progressed_at = None
    transitions.apply(session, row, transition, clock.now(session), reason="A client asked for another attempt.")
    session.flush()
    return view(session, row)


def open_twin(session: Session, fingerprint: str | None) -> JobRow | None:
    """The queued or running job of this fingerprint; there is at most one."""
    if fingerprint is None:
        return None
    is_open = stands(Status.QUEUED, Status.RUNNING)
    return session.scalars(select(JobRow).where(JobRow.fingerprint == fingerprint, is_open)).one_or_none()


def under(session: Session, conditions: str, limit: int) -> list[Job]:
    """The newest jobs that succeeded at their first attempt under these conditions, as their forecasts name them.

    In the order of an index: reading ends with the last of them instead of looking into every job's forecast.
    """
    same = JobRow.forecast["conditions"].as_string() == conditions
    statement = select(JobRow).where(stands(Status.SUCCEEDED), JobRow.attempt == 1, same)
    return views(session, session.scalars(statement.order_by(JobRow.created_at.desc(), JobRow.id.desc()).limit(limit)))


def queue() -> Select[JobRow]:
    """The queued jobs, in the order they are started."""
    return select(JobRow).where(stands(Status.QUEUED)).order_by(JobRow.created_at, JobRow.id)


def _places(session: Session, job_ids: list[str]) -> dict[str, int]:
    if not job_ids:
        return {}
    order = func.row_number().over(order_by=(JobRow.created_at, JobRow.id))
    ranked = select(JobRow.id, order.label("place")).where(stands(Status.QUEUED)).subquery()
    rows = session.execute(select(ranked.c.id, ranked.c.place).where(ranked.c.id.in_(job_ids)))
    return {row.id: row.place for row in rows}


def _storable(word: str | None) -> bool:
    return word is None or _UNSTORABLE.search(word) is None


def _file(row: FileRow) -> File:
    return File(row.name, row.bytes, row.sha256, row.media_type)


def _view(row: JobRow, place: int | None) -> Job:
    return Job(
        id=row.id,
        status=row.status,
        phase=row.phase,
        progress=row.progress,
        attempt=row.attempt,
        losses=row.losses,
        max_attempts=row.max_attempts,
        worker_id=row.worker_id,
        dataset=row.dataset,
        method=row.method,
        ipc=row.ipc,
        seed=row.seed,
        request=row.request,
        recipe=row.recipe,
        fingerprint=row.fingerprint,
        metrics=row.metrics,
        forecast=row.forecast,
        error=row.error,
        queue_position=place,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        cancel_requested_at=row.cancel_requested_at,
        updated_at=row.updated_at,
    )
