"""The things that workers leave to each other in the store: results that jobs share, and checkpoints of jobs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import timedelta

from sqlalchemy import and_, delete, func, or_, select
from sqlalchemy.orm import Session

from core.ledger import claims, clock, deletion
from core.ledger.models import CheckpointRow, JobRow, PartRow, ResultRow, stands
from core.ledger.types import ENDED, Claim, Status, Stored

_BATCH = 100


def keep_result(session: Session, name: str, file: Stored) -> None:
    """The result of that name is in the store."""
    row = session.get(ResultRow, name, with_for_update=True)
    if row is None:
        session.add(ResultRow(name=name, sha256=file.sha256, bytes=file.bytes, used_at=clock.now(session)))
    else:
        row.sha256, row.bytes, row.used_at = file.sha256, file.bytes, clock.now(session)


def result(session: Session, name: str) -> Stored | None:
    """Where the result of that name is, which counts as used; None where nobody has left it."""
    row = session.get(ResultRow, name, with_for_update=True)
    if row is None:
        return None
    row.used_at = clock.now(session)
    return Stored(row.sha256, row.bytes)


def forget_result(session: Session, name: str) -> None:
    """The store has it no more."""
    session.execute(delete(ResultRow).where(ResultRow.name == name))


def trim_results(session: Session, limit: int, remove: Callable[[str], None]) -> int:
    """Have the results used longest ago removed until the rest are within `limit` bytes; how many were."""
    total = session.scalars(select(func.coalesce(func.sum(ResultRow.bytes), 0))).one()
    if total <= limit:
        return 0
    deletion.lock(session, shared=False)
    gone = []
    for row in session.scalars(select(ResultRow).order_by(ResultRow.used_at).limit(_BATCH)).all():
        if total <= limit:
            break
        total -= row.bytes
        gone.append(row.sha256)
        session.delete(row)
    session.flush()
    _drop(session, gone, remove)
    return len(gone)


def keep_checkpoint(session: Session, claim: Claim, files: Mapping[str, Stored]) -> list[str] | None:
    """The job's checkpoint is these files; returns the addresses that it had before, None where it is not held."""
    if claims.held(session, claim) is None:
        return None
    rows = {row.name: row for row in session.scalars(select(CheckpointRow).where(CheckpointRow.job_id == claim.job.id))}
    before = {row.sha256 for row in rows.values()} - {file.sha256 for file in files.values()}
    for name in rows.keys() - files.keys():
        session.delete(rows[name])
    for name, file in files.items():
        row = rows.get(name)
        if row is None:
            row = CheckpointRow(job_id=claim.job.id, name=name)
            session.add(row)
        row.attempt, row.sha256, row.bytes = claim.attempt, file.sha256, file.bytes
    return sorted(before)


def checkpoint(session: Session, job_id: str) -> tuple[int, dict[str, Stored]]:
    """The attempt that left the job's newest checkpoint, 0 where none did, and its files."""
    rows = session.scalars(select(CheckpointRow).where(CheckpointRow.job_id == job_id)).all()
    return max((row.attempt for row in rows), default=0), {row.name: Stored(row.sha256, row.bytes) for row in rows}


def forget_ended(session: Session, days: float, remove: Callable[[str], None]) -> None:
    """Forget parts of jobs that are over, and checkpoints of those that succeeded or ended some days ago."""
    over = select(JobRow.id).where(stands(*ENDED))
    session.execute(delete(PartRow).where(PartRow.job_id.in_(over)))
    before = clock.now(session) - timedelta(days=days)
    needless = or_(stands(Status.SUCCEEDED), and_(stands(*ENDED), JobRow.finished_at <= before))
    statement = select(CheckpointRow).join(JobRow, JobRow.id == CheckpointRow.job_id).where(needless).limit(_BATCH)
    rows = session.scalars(statement).all()
    if not rows:
        return
    deletion.lock(session, shared=False)
    for row in rows:
        session.delete(row)
    session.flush()
    _drop(session, {row.sha256 for row in rows}, remove)


def drop(session: Session, addresses: Collection[str], remove: Callable[[str], None]) -> None:
    """Have those objects removed that nothing needs any more, while nobody publishes."""
    deletion.lock(session, shared=False)
    _drop(session, addresses, remove)


def _drop(session: Session, addresses: Collection[str], remove: Callable[[str], None]) -> None:
    for address in addresses:
        if not deletion.needed(session, address):
            remove(address)
