"""The event log: append-only, numbered within the job's row lock, bounded however talkative a worker is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.ledger.models import EventRow, JobRow
from core.ledger.remaining import phase_remaining, remaining
from core.ledger.types import Document, Event

REPORTED_LIMIT = 10_000
"""Events a worker may report in one attempt, progress aside; further ones are dropped."""

_TOLD = ("phase", "done", "total")


def append(session: Session, row: JobRow, kind: str, now: datetime, data: Document) -> None:
    """Give the event the job's next number. The caller holds the job's row lock."""
    row.last_seq += 1
    row.updated_at = now
    session.add(EventRow(job_id=row.id, seq=row.last_seq, type=kind, at=now, data=data))


def report(session: Session, row: JobRow, now: datetime, reported: Sequence[tuple[str, Document]]) -> None:
    """Append what a worker reports, as far as the attempt's limit allows."""
    for kind, data in reported[: max(0, REPORTED_LIMIT - row.reported)]:
        append(session, row, kind, now, {"attempt": row.attempt, **data})
        row.reported += 1


def report_progress(session: Session, row: JobRow, now: datetime, phase_changed: bool) -> None:
    """Append a progress event when the phase changed or the last one is long enough ago."""
    due = row.progressed_at is None or (now - row.progressed_at).total_seconds() >= spacing(row, now)
    if due or phase_changed:
        progress = row.progress or {}
        told = {key: progress[key] for key in _TOLD if key in progress}
        told["eta_seconds"] = remaining(row.phase, progress, row.forecast)
        told["phase_eta_seconds"] = phase_remaining(row.phase, progress)
        append(session, row, "progress", now, {"attempt": row.attempt, **told, "phase": row.phase})
        row.progressed_at = now


def spacing(row: JobRow, now: datetime) -> float:
    """Seconds between progress events: 1 in the first six minutes of a job, growing to 10 after an hour.

    So a short job is told live, and a day leaves some 10,000 rows instead of 86,400. The job's row always has the
    newest progress.
    """
    elapsed = (now - (row.started_at or now)).total_seconds()
    return min(max(elapsed / 360, 1.0), 10.0)


def after(session: Session, job_id: str, seq: int, limit: int, kinds: Sequence[str] | None = None) -> list[Event]:
    """The job's events with a number above `seq`, oldest first, at most `limit`; only those of `kinds`, if given."""
    statement = select(EventRow).where(EventRow.job_id == job_id, EventRow.seq > seq).order_by(EventRow.seq)
    if kinds is not None:
        statement = statement.where(EventRow.type.in_(kinds))
    rows = session.scalars(statement.limit(limit))
    return [Event(row.seq, row.type, row.at, row.data) for row in rows]
