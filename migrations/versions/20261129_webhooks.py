"""Webhooks: addresses that are told of what ends, and the outbox of what they are to be told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016_webhooks"
down_revision = "0015_links"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=True),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("events", sa.String(), nullable=False),
        sa.Column("secret", sa.String(), nullable=False),
        sa.Column("old_secret", sa.String(), nullable=True),
        sa.Column("old_until", moment, nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("problem", sa.String(), nullable=True),
        sa.Column("failing_since", moment, nullable=True),
        sa.Column("busy_until", moment, nullable=True),
        sa.Column("created_at", moment, nullable=False),
        sa.CheckConstraint("state IN ('active', 'failing', 'disabled')", name=op.f("ck_webhooks_state_known")),
        sa.CheckConstraint("(state = 'active') = (problem IS NULL)", name=op.f("ck_webhooks_problem_said")),
        sa.ForeignKeyConstraint(
            ["key_id"], ["api_keys.id"], name=op.f("fk_webhooks_key_id_api_keys"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )
    op.create_index(op.f("ix_webhooks_owner"), "webhooks", ["owner"])
    op.create_index(op.f("ix_webhooks_key_id"), "webhooks", ["key_id"])
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("webhook_id", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("due_at", moment, nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("answers", sa.JSON(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.CheckConstraint("state IN ('pending', 'delivered', 'failed')", name=op.f("ck_deliveries_state_known")),
        sa.CheckConstraint("(state = 'pending') = (due_at IS NOT NULL)", name=op.f("ck_deliveries_due_while_pending")),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhooks.id"], name=op.f("fk_deliveries_webhook_id_webhooks"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
    )
    op.create_index("ix_deliveries_webhook", "deliveries", ["webhook_id", "id"])
    op.create_index(op.f("ix_deliveries_created_at"), "deliveries", ["created_at"])
    due = sa.text("due_at IS NOT NULL")
    op.create_index("ix_deliveries_due", "deliveries", ["webhook_id", "due_at"], sqlite_where=due, postgresql_where=due)


def downgrade() -> None:
    op.drop_table("deliveries")
    op.drop_table("webhooks")
