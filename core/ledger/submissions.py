"""Accepting a job: once for an idempotency key, once for equal requests that are open or done."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import final

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.ids import new_id
from core.ledger import clock, events, jobs, kept
from core.ledger.models import JobRow, KeyRow, MetadataRow, stands
from core.ledger.types import Document, IdempotencyConflict, Needs, Outcome, Status, Submission

KEY_LIFETIME = timedelta(hours=24)
"""How long an idempotency key is remembered."""


@final
@dataclass(frozen=True)
class Order:
    """A submission; `fingerprint` None means that no other job's result will do.

    The `owner` may have `max_open` jobs queued or running and `room` bytes of results, those to come among them; None
    and an owner without a name: any number.
    `unfit` is the id of a finished job that is no answer, since its files are not what they were.
    """

    request: Document
    recipe: Document
    dataset: str
    method: str
    ipc: int
    seed: int
    fingerprint: str | None
    max_attempts: int
    forecast: Document | None = None
    owner: str = ""
    max_open: int | None = None
    unfit: str | None = None
    dataset_title: str | None = None
    dataset_digest: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    room: int | None = None
    webhook_id: str | None = None
    needs: Needs = field(default_factory=Needs)


@final
@dataclass(frozen=True)
class Key:
    """A client's idempotency key and the digest of the body it came with, as it was sent."""

    text: str
    body_hash: str
    owner: str = ""

    @property
    def digest(self) -> str:
        """The digest that the ledger keeps of the key; two owners may choose the same key and never meet."""
        text = f"{self.owner}\0{self.text}" if self.owner else self.text
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def key(text: str | None, body_hash: str | None, owner: str) -> Key | None:
    """The key that a client has shown, if it has shown one."""
    if text is None:
        return None
    assert body_hash is not None, "an idempotency key needs the digest of its body"
    return Key(text, body_hash, owner)


def replay(session: Session, key: Key) -> Submission | None:
    """The answer that the key was given before; None where there is none, or its job is gone."""
    known = session.get(KeyRow, key.digest)
    if known is None or known.expires_at <= clock.now(session):
        return None
    row = _answered(session, known, key)
    return None if row is None else Submission(jobs.view(session, row), "replayed")


def submit(session: Session, order: Order, key: Key | None) -> Submission:
    """The job that answers this order: made before for this key, done, in progress, or new.

    Two transactions may both find nothing and insert: a unique index lets one of them through, and the other one, which
    gets sqlalchemy's IntegrityError, starts over and finds it (`Ledger.submit`).
    """
    now = clock.now(session)
    if key is not None:
        known = _replay(session, key, now)
        if known is not None:
            return Submission(jobs.view(session, known), "replayed")
    row, outcome = _answer(session, order, now)
    session.flush()
    if key is not None:
        session.add(KeyRow(key=key.digest, body_hash=key.body_hash, job_id=row.id, expires_at=now + KEY_LIFETIME))
        session.flush()
    return Submission(jobs.view(session, row), outcome)


def _replay(session: Session, key: Key, now: datetime) -> JobRow | None:
    known = session.get(KeyRow, key.digest, with_for_update=True)
    if known is None:
        return None
    if known.expires_at <= now:
        session.delete(known)
        session.flush()
        return None
    return _answered(session, known, key)


def _answered(session: Session, known: KeyRow, key: Key) -> JobRow | None:
    """The job that the key stands for; None where somebody deletes it just now."""
    if known.body_hash != key.body_hash:
        raise IdempotencyConflict
    return session.get(JobRow, known.job_id)


def _answer(session: Session, order: Order, now: datetime) -> tuple[JobRow, Outcome]:
    # the open one first, and locked: one that ends meanwhile is then found among those that are done
    twin = jobs.open_twin(session, order.fingerprint, order.owner, locked=True)
    done = done_twin(session, order.fingerprint, order.owner)
    if done is not None and done.id != order.unfit:
        return done, "cached"
    if twin is not None:
        _renew(session, twin, order, now)
        return twin, "twin"
    jobs.check_quota(session, order.owner, order.max_open)
    kept.check_room(session, order.owner, order.room, order.forecast)
    return _create(session, order, now), "created"


def _renew(session: Session, twin: JobRow, order: Order, now: datetime) -> None:
    """Have an open job, whose row is locked, do as a further request says: its place, its worker, who is told.

    A worker that has it already stays. The memory that it takes is the same as ever.
    """
    if twin.status is Status.QUEUED:
        if "priority" in order.needs.said:
            twin.rank = -order.needs.priority
        if "device" in order.needs.said:
            twin.device = order.needs.device
    named = (twin.webhook_ids or "").split()
    if order.webhook_id is not None and order.webhook_id not in named:
        twin.webhook_ids = " ".join((*named, order.webhook_id))
    if session.is_modified(twin):
        twin.updated_at = now


def done_twin(session: Session, fingerprint: str | None, owner: str) -> JobRow | None:
    """The owner's newest finished job of this fingerprint, but for those that were ended early."""
    # Within one owner: an answer that came too soon would tell what another one has asked for.
    if fingerprint is None:
        return None
    whole = (stands(Status.SUCCEEDED), JobRow.finish_requested_at.is_(None))
    done = select(JobRow).where(JobRow.fingerprint == fingerprint, JobRow.owner == owner, *whole)
    return session.scalars(done.order_by(JobRow.finished_at.desc()).limit(1)).first()


def _create(session: Session, order: Order, now: datetime) -> JobRow:
    job_id = new_id("job", now)
    row = JobRow(
        id=job_id,
        status=Status.QUEUED,
        attempt=0,
        losses=0,
        max_attempts=order.max_attempts,
        dataset=order.dataset,
        method=order.method,
        ipc=order.ipc,
        seed=order.seed,
        request=order.request,
        recipe=order.recipe,
        fingerprint=order.fingerprint,
        forecast=order.forecast,
        owner=order.owner,
        dataset_title=order.dataset_title,
        dataset_digest=order.dataset_digest,
        searched="\n".join((job_id, order.dataset, order.dataset_title or "", order.method)).casefold(),
        webhook_ids=order.webhook_id,
        rank=-order.needs.priority,
        device=order.needs.device,
        memory_bytes=order.needs.memory_bytes,
        last_seq=0,
        reported=0,
        created_at=now,
        updated_at=now,
    )
    session.add(row)
    session.flush()  # before the event: its foreign key is checked at once
    session.add_all(MetadataRow(job_id=row.id, key=k, value=v, created_at=now) for k, v in order.metadata.items())
    told = {"dataset": order.dataset, "method": order.method, "ipc": order.ipc, "seed": order.seed}
    events.append(session, row, "job.created", now, {"status": row.status.value, "attempt": 0, **told})
    return row
