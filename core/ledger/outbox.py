"""The outbox: what webhooks are to be told, written in the transaction of what happened, and kept until it is told.

A courier takes a delivery for a while, sends it, and says what came of it. One that dies in between loses nothing: the
delivery is due again, under the same id, by which a receiver tells that it has it already.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, final

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from core.ids import new_id
from core.ledger import clock
from core.ledger.database import Database
from core.ledger.keys import good
from core.ledger.models import ApiKeyRow
from core.ledger.types import Document
from core.ledger.webhook_rows import DeliveryRow, WebhookRow

EVENTS: Final = ("job.succeeded", "job.failed", "job.cancelled", "job.paused", "dataset.ready", "dataset.invalid")
"""The types of messages: as the events of jobs are called, and of an upload the end of its inspection."""

NAMED: Final = "job.named"
"""The word of a webhook for jobs that name it, which is told of these whatever its other words are."""

TEST: Final = "webhook.test"
"""The type of a message that its owner asks for, to see whether it arrives."""

KEPT: Final = timedelta(days=30)
"""How long a delivery is kept, whatever became of it."""

KEYLESS: Final = "The key that it was made with is revoked or expired: enable it again with another one."
_ANSWERS: Final = 25
"""The newest answers of a delivery that are kept."""


@final
@dataclass(frozen=True)
class Parcel:
    """A delivery that a courier has taken; its `attempt` is compared when the courier's word comes."""

    id: str
    webhook_id: str
    url: str
    body: bytes
    secrets: tuple[str, ...]
    attempt: int
    tries: int

    def __repr__(self) -> str:
        """The parcel without what signs it."""
        return f"Parcel({self.id} to {self.webhook_id}, attempt {self.attempt})"


@final
@dataclass(frozen=True)
class Answer:
    """The receiver's answer: the HTTP status, or why there was none; `gone` where it wants no more of them."""

    status: int | None
    problem: str | None
    seconds: float

    @property
    def taken(self) -> bool:
        """Whether the receiver has it."""
        return self.problem is None

    @property
    def gone(self) -> bool:
        """Whether the receiver says that nothing will ever be taken there."""
        return self.status == 410


def announce(
    session: Session, owner: str, kind: str, now: datetime, data: Document, named: Collection[str] = ()
) -> None:
    """Write what happened for each webhook of the owner's that wants to know; it is sent once this is committed.

    The webhooks whose ids the job has `named` are told whatever they want to know.
    """
    told = select(WebhookRow).where(WebhookRow.owner == owner).order_by(WebhookRow.id)
    # one that is deleted just now must not fail what happened; couriers, who change them, don't wait
    for row in session.scalars(told.with_for_update(read=True, key_share=True)):
        if not row.events or kind in row.events.split() or row.id in named:
            add(session, row, kind, now, data)


def add(session: Session, row: WebhookRow, kind: str, now: datetime, data: Document) -> DeliveryRow:
    """A message for one webhook, due at once."""
    told = {"type": kind, "timestamp": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"), "data": data}
    delivery = DeliveryRow(
        id=new_id("msg", now),
        webhook_id=row.id,
        type=kind,
        body=json.dumps(told, separators=(",", ":")),
        state="pending",
        due_at=now,
        attempts=0,
        tries=0,
        answers={"items": []},
        created_at=now,
    )
    session.add(delivery)
    return delivery


@final
class Outbox:
    """A ledger's view of what is to be sent. Every method is one transaction, as the ledger's are."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, most: int, lease: float, webhook_id: str | None = None, after: str = "") -> list[Parcel]:
        """The oldest deliveries that are due, one of a webhook, which are this courier's for `lease` seconds.

        Args:
            most: at most so many.
            lease: seconds after which they are due again if no word of them came.
            webhook_id: only what is due there.
            after: the webhook that had the last turn; those after it, by their ids, have the next ones.
        """
        due = select(DeliveryRow.id).where(DeliveryRow.webhook_id == WebhookRow.id, DeliveryRow.due_at.is_not(None))
        in_turn = WebhookRow.id <= after, WebhookRow.id  # false comes before true
        ready = select(WebhookRow).where(WebhookRow.state != "disabled").order_by(*in_turn).limit(most)
        if webhook_id is not None:
            ready = ready.where(WebhookRow.id == webhook_id)
        with self._database.read() as session:  # nothing is due nearly always
            now = clock.now(session)
            if session.scalars(ready.where(due.where(DeliveryRow.due_at <= now).exists())).first() is None:
                return []
        with self._database.write() as session:
            now = clock.now(session)
            idle = or_(WebhookRow.busy_until.is_(None), WebhookRow.busy_until <= now)
            ready = ready.where(idle, due.where(DeliveryRow.due_at <= now).exists())
            # another courier's webhook is left out; a job that ends now may write to one that is locked here
            rows = session.scalars(ready.with_for_update(skip_locked=True, key_share=True)).all()
            return [parcel for row in rows if (parcel := _hand_out(session, row, now, timedelta(seconds=lease)))]

    def conclude(self, parcel: Parcel, answer: Answer, again: float | None) -> bool:
        """Keep what came of a delivery; False where it is another courier's by now, or is gone.

        Args:
            parcel: as it was taken.
            answer: the receiver's.
            again: seconds until it is due again if it was not taken; None: never, its tries are used up.
        """
        with self._database.write() as session:
            row = session.get(WebhookRow, parcel.webhook_id, with_for_update={"key_share": True})
            delivery = session.get(DeliveryRow, parcel.id, with_for_update=True)
            mine = delivery is not None and (delivery.attempts, delivery.state) == (parcel.attempt, "pending")
            if row is None or delivery is None or not mine:
                return False
            now = clock.now(session)
            told = {"at": now.isoformat(), "status": answer.status, "problem": answer.problem}
            answers = [*delivery.answers["items"], told | {"seconds": round(answer.seconds, 3)}]
            delivery.answers = {"items": answers[-_ANSWERS:]}
            row.busy_until = None
            if answer.taken:
                delivery.state, delivery.due_at = "delivered", None
                if row.state == "failing":
                    row.state, row.problem, row.failing_since = "active", None, None
                return True
            row.failing_since = row.failing_since or now
            if row.state != "disabled":
                row.state, row.problem = "failing", answer.problem
            if not answer.gone and again is not None:
                delivery.due_at = now + timedelta(seconds=again)
                return True
            delivery.state, delivery.due_at = "failed", None
            first = datetime.fromisoformat(answers[0]["at"])
            if answer.gone or row.failing_since <= first:  # nothing was taken since this one was first sent
                row.state = "disabled"
            return True


def _hand_out(session: Session, row: WebhookRow, now: datetime, lease: timedelta) -> Parcel | None:
    key = session.get(ApiKeyRow, row.key_id) if row.key_id else None
    if key is not None and not good(key, now):
        row.state, row.problem = "disabled", KEYLESS
        return None
    due = select(DeliveryRow).where(DeliveryRow.webhook_id == row.id, DeliveryRow.due_at <= now)
    oldest = due.order_by(DeliveryRow.due_at, DeliveryRow.id).limit(1)
    delivery = session.scalars(oldest.with_for_update(skip_locked=True)).first()
    if delivery is None:
        return None
    delivery.attempts += 1
    delivery.tries += 1
    delivery.due_at = row.busy_until = now + lease
    both = row.old_secret is not None and row.old_until is not None and row.old_until > now
    secrets = (row.secret, *([row.old_secret] if both and row.old_secret else []))
    body = delivery.body.encode()
    return Parcel(delivery.id, row.id, row.url, body, secrets, delivery.attempts, delivery.tries)


def forget(session: Session, now: datetime) -> None:
    """Delete deliveries that are older than is kept."""
    session.execute(delete(DeliveryRow).where(DeliveryRow.created_at <= now - KEPT))
