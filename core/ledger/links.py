"""Links by which anybody has one file of a finished job, or all of them, for a while.

A link is its token: 256 random bits, kept as their SHA-256 alone. It ends by its date, with its job, and with the key
that it was made with.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import final

from sqlalchemy import delete
from sqlalchemy.orm import Session

from core.ledger import clock, jobs
from core.ledger.database import Database
from core.ledger.keys import good
from core.ledger.models import ApiKeyRow, LinkRow
from core.ledger.types import File, Job, Reach


@final
@dataclass(frozen=True)
class Linked:
    """The job of a link, and its files: the one that the link leads to, or all where it leads to an archive."""

    job: Job
    files: tuple[File, ...]
    whole: bool


@final
class Links:
    """The links of a ledger. Every method is one transaction, as the ledger's are."""

    def __init__(self, database: Database, reach: Reach) -> None:
        self._database = database
        self._reach = reach

    def create(
        self, job_id: str, name: str | None, lifetime: timedelta, key_id: str | None = None
    ) -> tuple[str, datetime]:
        """A link's token, which is told here and never again, and when it ends.

        Args:
            job_id: a job within reach; raises UnknownJob.
            name: of its file; None: all files as one archive.
            lifetime: how long the link lives.
            key_id: the key that it is made with, if there is one, with which it ends.
        """
        token = secrets.token_urlsafe(32)
        with self._database.write() as session:
            jobs.lock(session, job_id, self._reach)
            ends = clock.now(session) + lifetime
            session.add(LinkRow(digest=_digest(token), job_id=job_id, key_id=key_id, name=name or "", expires_at=ends))
        return token, ends

    def find(self, token: str) -> Linked | None:
        """The files that a link leads to, whoever follows it; None where it has ended."""
        with self._database.read() as session:
            row, now = session.get(LinkRow, _digest(token)), clock.now(session)
            if row is None or row.expires_at <= now:
                return None
            key = session.get(ApiKeyRow, row.key_id) if row.key_id else None
            if key is not None and not good(key, now):
                return None
            everything = Reach()
            job = jobs.get(session, row.job_id, everything)
            if not row.name:
                return Linked(job, tuple(jobs.files(session, job.id)), whole=True)
            file = jobs.file(session, job.id, row.name, everything)
            return None if file is None else Linked(job, (file,), whole=False)


def forget(session: Session, now: datetime) -> None:
    """Delete links past their time."""
    session.execute(delete(LinkRow).where(LinkRow.expires_at <= now))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
