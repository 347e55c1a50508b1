"""Webhooks: the addresses that owners have told of their jobs and uploads, and what was sent to each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, cast, final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.ids import is_id, new_id
from core.ledger import clock, outbox
from core.ledger.database import Database
from core.ledger.keys import good
from core.ledger.models import ApiKeyRow
from core.ledger.outbox import EVENTS, KEYLESS, NAMED, TEST
from core.ledger.types import DeliveryState, Document, Reach, WebhookState
from core.ledger.webhook_rows import DeliveryRow, WebhookRow
from core.webhooks import new_secret

MOST: Final = 20
"""Webhooks that an owner may have."""


@final
@dataclass(frozen=True)
class Webhook:
    """A webhook as it may be shown: everything but its secrets. It is told what happens to its owner's things.

    `events` are the types it is told of, none for all. `problem` says why it fails or is disabled. Until `old_until`
    the secret before this one signs, too.
    """

    id: str
    owner: str
    url: str
    events: tuple[str, ...]
    state: WebhookState
    problem: str | None
    failing_since: datetime | None
    old_until: datetime | None
    created_at: datetime


@final
@dataclass(frozen=True)
class Delivery:
    """A message to a webhook: its id is the header `webhook-id`, its `answers` are `{at, status, problem, seconds}`."""

    id: str
    webhook_id: str
    type: str
    body: str
    state: DeliveryState
    due_at: datetime | None
    attempts: int
    answers: tuple[Document, ...]
    created_at: datetime


@final
class UnknownWebhook(ValueError):
    """No webhook that may be seen has this id, or it has no such delivery."""


@final
class TooManyWebhooks(ValueError):
    """The owner has as many webhooks as they may."""

    def __init__(self) -> None:
        super().__init__(f"There are {MOST} webhooks, which is as many as an owner may have.")


@final
class Webhooks:
    """The webhooks of a ledger. Every method is one transaction, as the ledger's are.

    All but `create` and `all` raise UnknownWebhook.
    """

    def __init__(self, database: Database, reach: Reach) -> None:
        self._database = database
        self._reach = reach

    def create(self, url: str, events: Sequence[str] = (), key_id: str | None = None) -> tuple[Webhook, str]:
        """A new webhook of the reach's owner and its secret, which is told here and never again.

        Args:
            url: as `core.webhooks.check_url` accepts it.
            events: of `EVENTS`; none: all there are and will be.
            key_id: the key that it is made with, if there is one, with which it ends.

        Raises:
            TooManyWebhooks: the owner has `MOST`.
        """
        owner, secret = self._reach.owner, new_secret()
        with self._database.write() as session:
            # The owner's keys stand for the owner: two requests at once must not both see the last free place.
            session.execute(select(ApiKeyRow.id).where(ApiKeyRow.owner == owner).with_for_update())
            there = select(func.count()).select_from(WebhookRow).where(WebhookRow.owner == owner)
            if session.scalars(there).one() >= MOST:
                raise TooManyWebhooks
            now = clock.now(session)
            row = WebhookRow(
                id=new_id("hook", now),
                owner=owner,
                key_id=key_id,
                url=url,
                events=_among(events),
                secret=secret,
                state="active",
                created_at=now,
            )
            session.add(row)
            session.flush()
            return _view(session, row), secret

    def all(self) -> list[Webhook]:
        """The webhooks within reach, oldest first."""
        statement = select(WebhookRow).order_by(WebhookRow.id)
        if not self._reach.everything:
            statement = statement.where(WebhookRow.owner == self._reach.owner)
        with self._database.read() as session:
            return [_view(session, row) for row in session.scalars(statement).all()]

    def get(self, webhook_id: str) -> Webhook:
        """The webhook of this id."""
        with self._database.read() as session:
            return _view(session, self._row(session, webhook_id))

    def called(self, word: str) -> Webhook:
        """The webhook of the reach's owner with this id, or the oldest with this address."""
        meant = (WebhookRow.id == word) | (WebhookRow.url == word)
        own = select(WebhookRow).where(WebhookRow.owner == self._reach.owner, meant).order_by(WebhookRow.id).limit(1)
        with self._database.read() as session:
            if (row := session.scalars(own).first()) is None:
                raise UnknownWebhook("No webhook of yours has this id or this address.")
            return _view(session, row)

    def change(
        self,
        webhook_id: str,
        url: str | None = None,
        events: Sequence[str] | None = None,
        enabled: bool | None = None,
        key_id: str | None = None,
    ) -> Webhook:
        """Change what is given. One that is enabled is sent what has waited, and from then on ends with `key_id`."""
        with self._database.write() as session:
            row = self._row(session, webhook_id, lock=True)
            if url is not None:
                row.url = url
            if events is not None:
                row.events = _among(events)
            if enabled:
                row.state, row.problem, row.failing_since, row.key_id = "active", None, None, key_id
            elif enabled is False:
                row.state, row.problem = "disabled", "Its owner has disabled it."
            session.flush()
            return _view(session, row)

    def delete(self, webhook_id: str) -> None:
        """Forget a webhook and all that was sent to it, or waits to be."""
        with self._database.write() as session:
            session.delete(self._row(session, webhook_id, lock=True))

    def rotate(self, webhook_id: str, overlap: timedelta) -> tuple[Webhook, str]:
        """A new secret, which is told here and never again; for so long the old one signs beside it."""
        secret = new_secret()
        with self._database.write() as session:
            row = self._row(session, webhook_id, lock=True)
            row.old_secret, row.secret, row.old_until = row.secret, secret, clock.now(session) + overlap
            session.flush()
            return _view(session, row), secret

    def test(self, webhook_id: str) -> Delivery:
        """Have a message sent that says nothing."""
        with self._database.write() as session:
            row = self._row(session, webhook_id)
            delivery = outbox.add(session, row, TEST, clock.now(session), {"id": row.id})
            session.flush()
            return _delivery(delivery)

    def deliveries(
        self, webhook_id: str, limit: int = 50, after: str | None = None, state: DeliveryState | None = None
    ) -> list[Delivery]:
        """Messages that were sent to a webhook, or wait, newest first; below `after`, and in `state`, if given."""
        with self._database.read() as session:
            row = self._row(session, webhook_id)
            found = select(DeliveryRow).where(DeliveryRow.webhook_id == row.id).order_by(DeliveryRow.id.desc())
            if after is not None:
                found = found.where(DeliveryRow.id < after)
            if state is not None:
                found = found.where(DeliveryRow.state == state)
            return [_delivery(each) for each in session.scalars(found.limit(limit))]

    def replay(self, webhook_id: str, delivery_id: str) -> Delivery:
        """Have a delivery sent again, under its id, as often as a new one; one that waits is due at once."""
        with self._database.write() as session:
            row = self._row(session, webhook_id)
            shaped = is_id("msg", delivery_id)
            delivery = session.get(DeliveryRow, delivery_id, with_for_update=True) if shaped else None
            if delivery is None or delivery.webhook_id != row.id:
                raise UnknownWebhook(f"Webhook {row.id} has no delivery {delivery_id[:40]!r}.")
            delivery.state, delivery.due_at, delivery.tries = "pending", clock.now(session), 0
            session.flush()
            return _delivery(delivery)

    def _row(self, session: Session, webhook_id: str, lock: bool = False) -> WebhookRow:
        row = session.get(WebhookRow, webhook_id, with_for_update=lock) if is_id("hook", webhook_id) else None
        if row is None or not self._reach.sees(row.owner):
            raise UnknownWebhook(
                f"There is no webhook {webhook_id[:40]!r}: list those there are with GET /v1/webhooks."
            )
        return row


def _among(events: Sequence[str]) -> str:
    return " ".join(event for event in (*EVENTS, NAMED) if event in events)


def _view(session: Session, row: WebhookRow) -> Webhook:
    now = clock.now(session)
    key = session.get(ApiKeyRow, row.key_id) if row.key_id else None
    keyless = key is not None and not good(key, now)
    return Webhook(
        id=row.id,
        owner=row.owner,
        url=row.url,
        events=tuple(row.events.split()),
        state="disabled" if keyless else cast("WebhookState", row.state),
        problem=KEYLESS if keyless else row.problem,
        failing_since=row.failing_since,
        old_until=row.old_until if row.old_until is not None and row.old_until > now else None,
        created_at=row.created_at,
    )


def _delivery(row: DeliveryRow) -> Delivery:
    return Delivery(
        id=row.id,
        webhook_id=row.webhook_id,
        type=row.type,
        body=row.body,
        state=cast("DeliveryState", row.state),
        due_at=row.due_at,
        attempts=row.attempts,
        answers=tuple(row.answers["items"]),
        created_at=row.created_at,
    )
