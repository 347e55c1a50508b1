"""The turns of owners: the next worker is for the one for whom least is done; in a turn the oldest job comes first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from sqlalchemy import ColumnElement, case, func, literal, select, text
from sqlalchemy.orm import Session

from core.ledger.models import JobRow, PartRow

_LOCK = 0x5717_1143  # of claims that count what their owners have running


def lock(session: Session) -> None:
    """Have other claims that count running jobs wait for the end of this transaction; on SQLite one writer is alone."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def running(session: Session) -> dict[str, int]:
    """How many jobs workers hold for each owner with a name."""
    held = select(JobRow.owner, func.count()).where(JobRow.lease_expires_at.is_not(None), JobRow.owner != "")
    return {row[0]: row[1] for row in session.execute(held.group_by(JobRow.owner))}


def busy(session: Session) -> dict[str, int]:
    """How many workers are at work for each owner, those included that make parts of another worker's job."""
    held = select(JobRow.owner, func.count()).where(JobRow.lease_expires_at.is_not(None)).group_by(JobRow.owner)
    parts = select(JobRow.owner, func.count()).join(PartRow, PartRow.job_id == JobRow.id).where(PartRow.state == "held")
    found = Counter[str]()
    for query in (held, parts.group_by(JobRow.owner)):
        for owner, workers in session.execute(query):
            found[owner] += workers
    return dict(found)


def turn(busy: Mapping[str, int]) -> ColumnElement[int]:
    """The workers that a job's owner has already."""
    return case(busy, value=JobRow.owner, else_=0) if busy else literal(0)
