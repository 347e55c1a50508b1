"""Deleting a job that is over, and the objects of the store that nothing else needs."""

from __future__ import annotations

from collections.abc import Callable, Collection

from sqlalchemy import not_, select, text
from sqlalchemy.orm import Session

from core.ledger import clock, jobs
from core.ledger.models import CheckpointRow, DeletedRow, EventRow, FileRow, JobRow, ResultRow, UploadRow, stands
from core.ledger.types import ENDED, IllegalTransition, Reach

_SHOWN = EventRow.type.in_(("preview", "neighbours"))
_ADDRESS = EventRow.data["sha256"].as_string()
_LOCK = 0x5717_1141  # of publishing, which shares it, and of taking objects out of the store, which does not


def delete(session: Session, job_id: str, reach: Reach) -> list[str]:
    """Forget a job with its events, files and metadata; the addresses of what it had in the store."""
    row = jobs.lock(session, job_id, reach)
    if row.status not in ENDED:
        raise IllegalTransition(f"Job {row.id} is {row.status.value}; only a job that is over can be deleted.")
    goes_on = JobRow.request["continue_from"].as_string() == row.id
    needs = session.scalars(select(JobRow.id).where(not_(stands(*ENDED)), goes_on).limit(1)).first()
    if needs is not None:
        raise IllegalTransition(f"Job {needs} goes on from job {row.id} and is not over.")
    files = select(FileRow.sha256).where(FileRow.job_id == row.id)
    pictures = select(_ADDRESS).where(EventRow.job_id == row.id, _SHOWN)
    saved = select(CheckpointRow.sha256).where(CheckpointRow.job_id == row.id)
    addresses = {*session.scalars(files), *session.scalars(pictures), *session.scalars(saved)} - {None}
    session.add(DeletedRow(job_id=row.id, dataset=row.dataset, deleted_at=clock.now(session)))
    session.delete(row)
    session.flush()
    return sorted(addresses)


def deleted(session: Session, job_ids: Collection[str]) -> set[str]:
    """Those of the ids whose jobs were deleted."""
    return set(session.scalars(select(DeletedRow.job_id).where(DeletedRow.job_id.in_(job_ids))))


def drop(session: Session, job_id: str, addresses: Collection[str], remove: Callable[[str], None]) -> None:
    """Have the objects of a deleted job removed that nothing else needs, while nobody publishes."""
    lock(session, shared=False)
    row = session.get_one(DeletedRow, job_id)
    # an equal picture is of the same dataset
    others = select(_ADDRESS).join(JobRow).where(JobRow.dataset == row.dataset, _SHOWN, _ADDRESS.in_(addresses))
    shown = set(session.scalars(others))
    for address in addresses:
        if address not in shown and not needed(session, address):
            remove(address)


def needed(session: Session, address: str) -> bool:
    """Whether an upload, an artifact, a result that jobs share or a checkpoint has this object."""
    for column in (UploadRow.sha256, FileRow.sha256, ResultRow.sha256, CheckpointRow.sha256):
        if session.scalars(select(column).where(column == address).limit(1)).first() is not None:
            return True
    return False


def lock(session: Session, *, shared: bool) -> None:
    """Hold off those who remove objects, or with `shared` false those who publish; on SQLite one writer is alone."""
    if session.get_bind().dialect.name == "postgresql":
        how = "_shared" if shared else ""
        session.execute(text(f"SELECT pg_advisory_xact_lock{how}(:lock)"), {"lock": _LOCK})
