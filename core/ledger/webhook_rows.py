"""The tables of webhooks. Changing one needs a migration, as those of `models` do."""

from __future__ import annotations

from datetime import datetime
from typing import Any, final, get_args

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from core.ledger.columns import among
from core.ledger.models import Base
from core.ledger.types import DeliveryState, WebhookState


@final
class WebhookRow(Base):
    """An address that is told of what ends; `events` are words with a space between them, none for all there are.

    The secret has to be kept as it is, since it signs; nothing lists it.
    """

    __tablename__ = "webhooks"

    id: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(index=True)
    key_id: Mapped[str | None] = mapped_column(ForeignKey("api_keys.id", ondelete="CASCADE"), index=True)
    url: Mapped[str]
    events: Mapped[str]
    secret: Mapped[str]
    old_secret: Mapped[str | None]
    old_until: Mapped[datetime | None]
    """Until then both secrets sign."""
    state: Mapped[str]
    problem: Mapped[str | None]
    failing_since: Mapped[datetime | None]
    """When the first delivery failed after the last that was taken."""
    busy_until: Mapped[datetime | None]
    """While a courier is on its way there, and its word has not come."""
    created_at: Mapped[datetime]

    __table_args__ = (
        CheckConstraint(among("state", get_args(WebhookState)), name="state_known"),
        CheckConstraint("(state = 'active') = (problem IS NULL)", name="problem_said"),
    )


@final
class DeliveryRow(Base):
    """A message to a webhook, written in the transaction of what it tells; its id is the receiver's `webhook-id`."""

    __tablename__ = "deliveries"

    id: Mapped[str] = mapped_column(primary_key=True)
    webhook_id: Mapped[str] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    type: Mapped[str]
    body: Mapped[str]
    state: Mapped[str]
    due_at: Mapped[datetime | None]
    attempts: Mapped[int]
    """How often it was sent; the number that a courier's word is compared with."""
    tries: Mapped[int]
    """How often since it was written or last replayed."""
    answers: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(index=True)

    __table_args__ = (
        CheckConstraint(among("state", get_args(DeliveryState)), name="state_known"),
        CheckConstraint("(state = 'pending') = (due_at IS NOT NULL)", name="due_while_pending"),
        Index("ix_deliveries_webhook", "webhook_id", "id"),
        Index(
            "ix_deliveries_due",
            "webhook_id",
            "due_at",
            sqlite_where=text("due_at IS NOT NULL"),
            postgresql_where=text("due_at IS NOT NULL"),
        ),
    )
