"""Parts of a running job that others may make: offered by its worker, held under a lease of their own, and made.

Their results are named by content, so that the worst that two workers do who make the same part is to make it twice:
the fence keeps the ledger's word on it one word, and the job waits for nobody who stopped answering.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import and_, delete, or_, select, true, update
from sqlalchemy.orm import Session

from core.ledger import claims, clock, fairness, jobs, suitable
from core.ledger.models import JobRow, PartRow, WorkerRow, stands
from core.ledger.types import ABLE, Ability, Claim, Part, PartClaim, Status, Turn

LOSSES: Final = 2
"""After so many workers have lost a part only the job's own worker makes it."""


def offer(session: Session, claim: Claim, parts: Sequence[Part]) -> bool:
    """Let others make these parts; those that an earlier attempt offered keep what has become of them."""
    if claims.held(session, claim) is None:
        return False
    rows = {row.name: row for row in session.scalars(select(PartRow).where(PartRow.job_id == claim.job.id))}
    for row in rows.values():
        if row.state == "own":  # by an attempt that is over, or one that has asked for the parts of another step since
            row.state = "offered"
    wanted = {part.name for part in parts}
    for name in rows.keys() - wanted:
        session.delete(rows[name])
    for position, part in enumerate(parts):
        if part.name in rows:
            rows[part.name].position = position
            continue
        session.add(
            PartRow(
                job_id=claim.job.id,
                name=part.name,
                position=position,
                state="offered",
                fence=0,
                losses=0,
                conditions=part.conditions,
                order=part.order,
            )
        )
    return True


def turn(session: Session, claim: Claim, worker_id: str) -> Turn | None:
    """Give the job's own worker the first part that nobody makes, and tell it which others have made.

    None when the job is not its any more.
    """
    if claims.held(session, claim) is None:
        return None
    now = clock.now(session)
    statement = select(PartRow).where(PartRow.job_id == claim.job.id).order_by(PartRow.position).with_for_update()
    rows = session.scalars(statement).all()
    made = tuple(row.name for row in rows if row.state == "made")
    for row in rows:
        expired = row.lease_expires_at is not None and row.lease_expires_at <= now
        if row.state == "offered" or expired:
            row.losses += expired
            row.state, row.worker_id, row.lease_expires_at = "own", worker_id, None
            row.fence += 1
            return Turn(row.name, waits=False, made=made)
    return Turn(None, waits=any(row.state == "held" for row in rows), made=made)


def own_made(session: Session, claim: Claim, name: str) -> bool:
    """The job's own worker has made a part, whoever else may be at it.

    It stays the own worker's. What is "made" lies in the cache, and what that one made may lie in its checkpoint alone.
    """
    if claims.held(session, claim) is None:
        return False
    row = session.get(PartRow, (claim.job.id, name), with_for_update=True)
    if row is not None and row.state != "own":
        row.state, row.lease_expires_at = "own", None
        row.fence += 1
    return True


def again(session: Session, claim: Claim, name: str) -> None:
    """A part that was made is not to be had: it is to be made once more, and counts as lost by who made it."""
    row = session.get(PartRow, (claim.job.id, name), with_for_update=True)
    if claims.held(session, claim) is not None and row is not None and row.state == "made":
        row.state = "offered"
        row.losses += 1


def withdraw(session: Session, claim: Claim) -> None:
    """No part of the job is wanted of others any more."""
    if claims.held(session, claim) is not None:
        session.execute(delete(PartRow).where(PartRow.job_id == claim.job.id))


def claim(
    session: Session,
    worker_id: str,
    ttl: float,
    declined: Collection[str],
    job_id: str | None,
    ability: Ability = ABLE,
) -> PartClaim | None:
    """Hold a part of somebody's running job, of the owner for whom least is done first.

    Args:
        declined: conditions under which this worker would make other bits.
        job_id: only of that job.
        ability: the jobs that it can take.
    """
    now = clock.now(session)
    of_job = PartRow.job_id == job_id if job_id is not None else true()
    chosen = session.scalars(
        select(PartRow)
        .join(JobRow, JobRow.id == PartRow.job_id)
        .where(
            of_job,
            *suitable.suits(ability),
            stands(Status.RUNNING),
            JobRow.lease_expires_at > now,
            JobRow.finish_requested_at.is_(None),
            PartRow.losses < LOSSES,
            PartRow.conditions.not_in(declined),
            or_(PartRow.state == "offered", and_(PartRow.state == "held", PartRow.lease_expires_at <= now)),
        )
        .order_by(fairness.turn(fairness.busy(session)), JobRow.created_at, JobRow.id, PartRow.position)
        .limit(1)
        .with_for_update(of=PartRow, skip_locked=True)
    ).first()
    if chosen is None:
        return None
    chosen.losses += chosen.state == "held"
    chosen.state, chosen.worker_id = "held", worker_id
    chosen.lease_expires_at = now + timedelta(seconds=ttl)
    chosen.fence += 1
    part = Part(chosen.name, chosen.conditions, chosen.order)
    return PartClaim(jobs.view(session, session.get_one(JobRow, chosen.job_id)), part, chosen.fence)


def beat(session: Session, claim: PartClaim, ttl: float) -> bool:
    """Hold the part for another `ttl` seconds, and say that its worker lives; False when it is not to go on with it.

    A job whose worker was lost is queued until another one goes on with it, which finds the part made.
    """
    row = _held(session, claim)
    if row is None or not _wanted(session, row):
        return False
    now = clock.now(session)
    row.lease_expires_at = now + timedelta(seconds=ttl)
    session.execute(update(WorkerRow).where(WorkerRow.worker_id == row.worker_id).values(last_seen=now))
    return True


def made(session: Session, claim: PartClaim) -> bool:
    """The part's results are where the job finds them."""
    row = _held(session, claim)
    if row is None:
        return False
    row.state, row.lease_expires_at = "made", None
    return True


def give_back(session: Session, claim: PartClaim, *, lost: bool) -> bool:
    """Let somebody else make the part; `lost` counts against it."""
    row = _held(session, claim)
    if row is None:
        return False
    row.state, row.worker_id, row.lease_expires_at = "offered", None, None
    row.losses += lost
    return True


def _held(session: Session, claim: PartClaim) -> PartRow | None:
    row = session.get(PartRow, (claim.job.id, claim.part.name), with_for_update=True)
    return row if row is not None and row.state == "held" and row.fence == claim.fence else None


def _wanted(session: Session, part: PartRow) -> bool:
    job = session.get(JobRow, part.job_id)
    return job is not None and job.status in (Status.RUNNING, Status.QUEUED) and job.finish_requested_at is None
