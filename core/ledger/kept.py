"""Bytes that an owner keeps in the store: counted by what the ledger names, an object of two jobs for each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.ledger.models import JobRow, UploadRow, stands
from core.ledger.types import Document, ResultsFull, Status

_TO_COME: Final = (Status.QUEUED, Status.RUNNING, Status.PAUSING, Status.PAUSED)


@final
@dataclass(frozen=True)
class Kept:
    """Bytes of an owner's finished jobs and of their uploads."""

    owner: str
    results: int
    uploads: int


def results(session: Session, owner: str) -> int:
    """Bytes of the files of the owner's finished jobs; their pictures while they ran are not counted."""
    total = select(func.coalesce(func.sum(JobRow.result_bytes), 0)).where(JobRow.owner == owner)
    return int(session.scalars(total).one())


def foreseen(session: Session, owner: str) -> int:
    """Bytes of the files that the owner's jobs will have which are not over, by their forecasts."""
    artifact = JobRow.forecast["bytes"]["artifact"].as_float()
    total = select(func.coalesce(func.sum(artifact), 0)).where(JobRow.owner == owner, stands(*_TO_COME))
    return int(session.scalars(total).one())


def check_room(session: Session, owner: str, allowed: int | None, forecast: Document | None) -> None:
    """Refuse a job to an owner whose results, with those of their open jobs and its own, would exceed the room.

    A job that is open already is published whatever it brings: it would be a pity of the work. An owner without a name
    has no quota.

    Raises:
        ResultsFull: with the numbers.
    """
    if allowed is None or not owner:
        return
    own = int(((forecast or {}).get("bytes") or {}).get("artifact") or 0)
    current, open_jobs = results(session, owner), foreseen(session, owner)
    if current >= allowed or current + open_jobs + own > allowed:
        raise ResultsFull(allowed, current, open_jobs, own)


def by_owner(session: Session, owner: str | None) -> list[Kept]:
    """All owners who keep something, by name; or the one owner, whatever they keep."""
    files = select(JobRow.owner, func.sum(JobRow.result_bytes))
    files = files.where(JobRow.result_bytes > 0).group_by(JobRow.owner)
    uploads = select(UploadRow.owner, func.sum(UploadRow.bytes)).group_by(UploadRow.owner)
    if owner is not None:
        files, uploads = files.where(JobRow.owner == owner), uploads.where(UploadRow.owner == owner)
    finished = {name: int(size) for name, size in session.execute(files)}
    uploaded = {name: int(size) for name, size in session.execute(uploads)}
    names = [owner] if owner is not None else sorted(finished | uploaded)
    return [Kept(name, finished.get(name, 0), uploaded.get(name, 0)) for name in names]
