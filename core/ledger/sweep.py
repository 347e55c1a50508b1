"""Cleaning up after the dead: expired leases, forgotten keys, sessions and links, workers not seen for a day."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.ledger import arrivals, claims, clock, links, outbox, uploads
from core.ledger.database import Database
from core.ledger.models import JobRow, KeyRow, SessionRow, WorkerRow, is_held
from core.ledger.types import Status, Swept

BATCH = 100
"""Jobs handled in one transaction."""

WORKER_MEMORY = timedelta(days=1)
"""How long a silent worker stays in the list."""


def everything(database: Database, expires: bool) -> Swept:
    """Take the jobs of dead workers away from them, a batch a transaction, and forget what is out of date."""
    swept = Swept()
    while expires:
        with database.write() as session:
            batch = expire(session)
        swept = swept + batch
        if len(batch) < BATCH:
            break
    with database.write() as session:
        forget(session)
    return swept


def expire(session: Session) -> Swept:
    """Take up to `BATCH` jobs from workers whose lease has expired."""
    now = clock.now(session)
    expired = (
        select(JobRow)
        .where(is_held(), JobRow.lease_expires_at <= now)
        .order_by(JobRow.lease_expires_at)
        .limit(BATCH)
        .with_for_update(skip_locked=True)  # a locked row is being renewed or swept already
    )
    became = {status: list[str]() for status in (Status.QUEUED, Status.FAILED, Status.CANCELLED, Status.PAUSED)}
    for row in session.scalars(expired).all():
        status = claims.give_up(session, row, f"Worker {row.worker_id} stopped answering.")
        became[status].append(row.id)
    return Swept(*(tuple(job_ids) for job_ids in became.values()))


def forget(session: Session) -> None:
    """Delete keys of idempotency, sessions, links and deliveries past their time, and workers that are long silent."""
    now = clock.now(session)
    session.execute(delete(KeyRow).where(KeyRow.expires_at <= now))
    uploads.give_up(session, now)
    arrivals.forget(session)
    session.execute(delete(SessionRow).where(SessionRow.expires_at <= now))
    links.forget(session, now)
    outbox.forget(session, now)
    session.execute(delete(WorkerRow).where(WorkerRow.last_seen <= now - WORKER_MEMORY))
