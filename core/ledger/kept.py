"""Bytes that an owner keeps in the store: counted by what the ledger names, an object of two jobs for each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.ledger.models import JobRow, UploadRow
from core.ledger.types import ResultsFull


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


def check_room(session: Session, owner: str, allowed: int | None) -> None:
    """Refuse another job to an owner whose results have all the room there is; one without a name has no quota.

    A job that is open already is published whatever it brings: it would be a pity of the work.

    Raises:
        ResultsFull: with both numbers.
    """
    if allowed is not None and owner and (current := results(session, owner)) >= allowed:
        raise ResultsFull(allowed, current)


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
