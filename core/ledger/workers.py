"""The workers: one row for each process, refreshed by its registration and its heartbeats."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.ledger import clock
from core.ledger.models import WorkerRow
from core.ledger.types import ABLE, Ability, Document, Worker


def register(
    session: Session,
    worker_id: str,
    device: str,
    hostname: str,
    calibration: Document | None,
    ability: Ability = ABLE,
) -> None:
    """Announce a worker, or say again that it is there; None keeps the calibration it had."""
    now = clock.now(session)
    row = session.get(WorkerRow, worker_id, with_for_update=True)
    if row is None:
        row = WorkerRow(worker_id=worker_id, registered_at=now)
        session.add(row)
    row.device, row.hostname, row.last_seen, row.takes = device, hostname, now, asdict(ability)
    row.calibration = calibration or row.calibration


def seen_within(session: Session, seconds: float | None) -> list[Worker]:
    """The workers seen in the last `seconds` (None: all that are remembered), by id."""
    statement = select(WorkerRow).order_by(WorkerRow.worker_id)
    if seconds is not None:
        statement = statement.where(WorkerRow.last_seen > clock.now(session) - timedelta(seconds=seconds))
    return [
        Worker(row.worker_id, row.device, row.hostname, row.calibration, row.registered_at, row.last_seen)
        for row in session.scalars(statement)
    ]
